"""Keeping the gateway's address from being banned.

Discord's front bans an IP address that gets 10,000 answers of 401, 403 or 429 in 10 minutes
(topics/rate-limits, "Invalid Request Limit"; 429s with scope ``shared`` do not count). All guilds share
ours, so one script without permissions could silence everybody: each guild has a small budget of its own,
and the bot as a whole stops well before the ban. Pure state: the clock is the caller's.
"""

from __future__ import annotations

from typing import Final

from flora_core.window import SlidingWindow
from flora_gateway.rest.calls import Refused, Why

WINDOW_SECONDS: Final = 600.0
GUILD_WINDOW_SECONDS: Final = 60.0
SUSPENSION_SECONDS: Final = 600.0

INVALID: Final = frozenset((401, 403, 429))


class InvalidRequests:
    """Counts invalid answers; ``refusal`` says whether a guild may call."""

    def __init__(self, *, limit: int, guild_limit: int) -> None:
        self._all = SlidingWindow(limit, seconds=WINDOW_SECONDS)
        self._guild_limit = guild_limit
        self._guilds: dict[str, SlidingWindow] = {}
        self._suspended: dict[str, float] = {}

    def refusal(self, guild: str, now: float) -> Refused | None:
        """Why ``guild`` may not call now; None when it may."""
        opens_at = self._all.opens_at(now)
        if opens_at > now:
            return Refused(Why.INVALID_REQUESTS, opens_at - now)
        if guild in self._suspended:
            until = self._suspended[guild]
            if until > now:
                return Refused(Why.SUSPENDED, until - now)
            del self._suspended[guild]
        return None

    def count(self, guild: str, now: float) -> bool:
        """Count an invalid answer to ``guild``; True when this one suspends it."""
        self._all.mark(now)
        window = self._guilds.get(guild)
        if window is None:
            self._forget_quiet(now)
            window = self._guilds[guild] = SlidingWindow(self._guild_limit, seconds=GUILD_WINDOW_SECONDS)
        window.mark(now)
        if window.opens_at(now) <= now or guild in self._suspended:
            return False
        del self._guilds[guild]
        self._suspended[guild] = now + SUSPENSION_SECONDS
        return True

    def _forget_quiet(self, now: float) -> None:
        for guild in [guild for guild, window in self._guilds.items() if not window.count(now)]:
            del self._guilds[guild]
        for guild in [guild for guild, until in self._suspended.items() if until <= now]:
            del self._suspended[guild]
