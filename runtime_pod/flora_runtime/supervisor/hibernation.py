"""Which guilds may give their isolate back, and when. Pure: the clock is an argument, guilds are asked to
sleep.

A guild costs a megabyte awake and a few kilobytes asleep. Asleep it keeps its subscriptions, slash commands,
crons and KV; its next event loads the same bundle again, which takes milliseconds. So whoever had no event
for a while sleeps, and when memory runs short, those that had none for the longest do, however recent it was.

Only its worker knows whether something of the guild still goes on: it is asked, and says nothing when it
does. Whatever the supervisor sends after the question and before the answer is sent again to the next
isolate.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable
from typing import Final, Generic, Protocol, TypeVar

PRESSURE_IDLE_SECONDS: Final = 5.0
"""Not even short memory sends a guild to sleep that had an event within this time."""
LOOK_AGAIN_SECONDS: Final = 60.0
"""After which a guild that did not go to sleep is asked again."""
PRESSURE_AT_ONCE: Final = 64
"""Guilds of one worker that short memory sends to sleep a second."""


class Sleeper(Protocol):
    """A guild, as far as its sleep goes."""

    active_at: float
    """When something last happened in it, or it was last asked to sleep."""

    @property
    def awake(self) -> bool:
        """Whether it has an isolate."""
        ...

    @property
    def may_sleep(self) -> bool:
        """Whether it is awake, wants nothing, and its owner does not object."""
        ...

    def hibernate(self, timers_within: float) -> None:
        """Ask its worker; a timer that is due within so many seconds keeps it awake."""
        ...


G = TypeVar("G", bound=Sleeper)


class Bedtime(Generic[G]):
    """Looks at each guild that woke when it could have been idle for long enough, and again."""

    def __init__(self, after: float) -> None:
        """``after`` seconds without an event; 0 for never."""
        self._after = after
        self._looks: list[tuple[float, int, G]] = []
        self._watched: set[G] = set()
        self._order = itertools.count()

    def woke(self, guild: G) -> None:
        """``guild`` has an isolate now."""
        if self._after and guild not in self._watched:
            self._watched.add(guild)
            self._look(guild, at=guild.active_at + self._after)

    def tick(self, now: float) -> list[G]:
        """The guilds to ask; those that went to sleep or away are no longer looked at."""
        tired: list[G] = []
        while self._looks and self._looks[0][0] <= now:
            guild = heapq.heappop(self._looks)[2]
            if not guild.awake:
                self._watched.discard(guild)
                continue
            bedtime = guild.active_at + self._after
            if bedtime > now:
                self._look(guild, at=bedtime)
                continue
            self._look(guild, at=now + min(self._after, LOOK_AGAIN_SECONDS))
            if guild.may_sleep:
                tired.append(guild)
        return tired

    def _look(self, guild: G, *, at: float) -> None:
        heapq.heappush(self._looks, (at, next(self._order), guild))


def longest_idle(guilds: Iterable[G], count: int, *, now: float) -> list[G]:
    """Up to ``count`` of ``guilds`` that may sleep, those that were idle for longest first."""
    idle = (guild for guild in guilds if guild.active_at + PRESSURE_IDLE_SECONDS <= now and guild.may_sleep)
    return heapq.nsmallest(min(count, PRESSURE_AT_ONCE), idle, key=lambda guild: guild.active_at)
