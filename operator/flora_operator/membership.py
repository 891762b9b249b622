"""Which guilds the bot is in, as the gateway tells it."""

from __future__ import annotations

from collections.abc import Callable

from flora_core.ids import GuildId
from flora_core.wire.control import GatewayNews, Guilds, Joined, Left


class Membership:
    """``tell`` is called with all of them whenever they have changed; never before the gateway knows all."""

    def __init__(self, tell: Callable[[frozenset[GuildId]], None]) -> None:
        self._tell = tell
        self._coming: set[GuildId] | None = None
        """Parts of a list that is not whole yet."""
        self.guilds: frozenset[GuildId] | None = None
        """None: not known."""

    def on_news(self, news: GatewayNews) -> None:
        """Every report of the gateway."""
        if isinstance(news, Guilds):
            self._on_part(news)
        elif isinstance(news, Joined | Left):
            self._on_change(GuildId(news.guild), joined=isinstance(news, Joined))

    def _on_part(self, part: Guilds) -> None:
        if part.first:
            self._coming = set()
        if self._coming is None:  # its beginning was lost; the gateway tells all on its next connection
            return
        self._coming.update(map(GuildId, part.guilds))
        if part.last:
            guilds, self._coming = frozenset(self._coming), None
            self._know(guilds)

    def _on_change(self, guild: GuildId, *, joined: bool) -> None:
        if self._coming is not None:
            (self._coming.add if joined else self._coming.discard)(guild)
        if self.guilds is not None:
            self._know(self.guilds | {guild} if joined else self.guilds - {guild})

    def _know(self, guilds: frozenset[GuildId]) -> None:
        if guilds != self.guilds:
            self.guilds = guilds
            self._tell(guilds)
