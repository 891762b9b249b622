"""How much CPU time a guild may use over minutes. Pure: the clock is an argument.

A turn has a limit of its own, but a thousand honest turns in a row cost as much as one endless one. So every
guild has a bucket: it holds ``seconds`` of CPU time and gains as many in a minute. What the guild makes
others work for counts, too: a call or a log line is carried on by processes that all guilds share. A guild
whose bucket is empty is held back, and its events wait; one that was held back and still wants more is *over*
its budget until the bucket is half full again.
"""

from __future__ import annotations

from typing import Final

OP_NS: Final = 50_000
"""What a call costs besides the turn that made it: supervisor and gateway take about as long with it."""
LINE_NS: Final = 20_000
"""The same for a line of the log."""

MINUTE: Final = 60.0


class CpuBudget:
    """One guild's."""

    __slots__ = ("_at", "_balance", "_capacity", "_since", "_told")

    def __init__(self, seconds: float, *, now: float) -> None:
        """``seconds`` a minute; 0 for no limit."""
        self._capacity = seconds * 1e9
        self._balance = self._capacity
        self._at = now
        self._since: float | None = None
        self._told = 0.0

    def spend(self, nanoseconds: float, now: float) -> None:
        """The guild used so much; over what it has, it owes."""
        self._refill(now)
        self._balance -= nanoseconds

    def wait(self, now: float) -> float:
        """Seconds until the guild may run; 0 when it may now."""
        if self._balance > 0 or not self._capacity:
            return 0.0
        self._refill(now)
        if self._balance > 0:
            return 0.0
        if self._since is None:
            self._since = now
            self._told = -1.0
        return (1 - self._balance) * MINUTE / self._capacity

    @property
    def over(self) -> bool:
        """Whether the guild was held back, and not enough has come back since."""
        return self._since is not None

    def news(self, now: float) -> float | None:
        """Minutes that the guild has been over its budget, each told once: first 0, then whole ones."""
        self._refill(now)
        if self._since is None:
            return None
        if self._balance >= self._capacity / 2:
            self._since = None
            return None
        minutes = (now - self._since) // MINUTE
        if minutes <= self._told:
            return None
        self._told = minutes
        return minutes

    def _refill(self, now: float) -> None:
        gained = (now - self._at) * self._capacity / MINUTE
        self._balance = min(self._capacity, self._balance + gained)
        self._at = now
