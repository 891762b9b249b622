"""Which guilds the bot is in, as the gateway tells it."""

from __future__ import annotations

from collections.abc import Callable

from flora_core.ids import GuildId
from flora_core.wire.control import GatewayNews, Guilds, Joined, Left


class Membership:
    """``tell`` is called with all of them whenever they have changed; never before the gateway knows all."""

    def __init__(self, tell: Callable[[frozenset[GuildId]], None]) -> None:
        self._tell = tell
        self.guilds: frozenset[GuildId] | None = None
        """None: not known."""

    def on_news(self, news: GatewayNews) -> None:
        """Every report of the gateway; lists of guilds come whole (``control.server.GuildParts``)."""
        if isinstance(news, Guilds):
            self._know(frozenset(map(GuildId, news.guilds)))
        elif isinstance(news, Joined | Left) and self.guilds is not None:
            guild = GuildId(news.guild)
            self._know(self.guilds | {guild} if isinstance(news, Joined) else self.guilds - {guild})

    def _know(self, guilds: frozenset[GuildId]) -> None:
        if guilds != self.guilds:
            self.guilds = guilds
            self._tell(guilds)
