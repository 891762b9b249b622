"""Which guild of a worker is deployed next. Pure.

A guild whose events wait comes before one that is merely to be loaded: at the start of a pod thousands are.
Only a few are under way at once, because a worker boots isolates one by one; one that takes longer than a
moment (its bundle has to be fetched, or its script awaits something while it loads) no longer counts, so that
it does not keep the others waiting.
"""

from __future__ import annotations

from typing import Final

AT_ONCE: Final = 2
PATIENCE_SECONDS: Final = 0.25


class DeployQueue:
    """Guilds by id, in order of arrival within the two classes."""

    def __init__(self) -> None:
        self._urgent: dict[str, None] = {}
        self._others: dict[str, None] = {}
        self._under_way: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._urgent) + len(self._others)

    def want(self, guild: str, *, urgent: bool) -> None:
        """Deploy ``guild``; once it is urgent it stays so."""
        if urgent:
            self._others.pop(guild, None)
            self._urgent[guild] = None
        elif guild not in self._urgent:
            self._others[guild] = None

    def next(self, now: float) -> str | None:
        """The guild to deploy now, which is under way from here on."""
        if not self or self.busy_until(now) is not None:
            return None
        queue = self._urgent or self._others
        guild = next(iter(queue))
        del queue[guild]
        self._under_way[guild] = now
        return guild

    def busy_until(self, now: float) -> float | None:
        """When the next may begin, unless one ends before; None for now."""
        counting = sorted(since for since in self._under_way.values() if since + PATIENCE_SECONDS > now)
        return counting[-AT_ONCE] + PATIENCE_SECONDS if len(counting) >= AT_ONCE else None

    def ended(self, guild: str) -> None:
        """It is known how the deploy went, or that there is none."""
        self._under_way.pop(guild, None)

    def forget(self, guild: str) -> None:
        """The guild is not this worker's any more."""
        self._urgent.pop(guild, None)
        self._others.pop(guild, None)
        self.ended(guild)

    def interrupted(self) -> None:
        """The process died: whatever was under way is its guild's to ask for again."""
        self._under_way.clear()
