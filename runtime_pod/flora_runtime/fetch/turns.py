"""Whose fetch goes when: a rate and a number at once for each guild, and a number at once for the pod.

Owned by one event loop. A guild's fetches go in the order they were asked for; those above its number at
once wait, a few of them and not for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from flora_core.ids import GuildId
from flora_core.window import SlidingWindow
from flora_runtime.fetch import limits, metrics
from flora_runtime.fetch.errors import FetchRefused

MINUTE: Final = 60.0


@dataclass(slots=True)
class _Guild:
    rate: SlidingWindow
    slots: asyncio.Semaphore
    open: int = 0
    """Fetches under way or waiting."""


class Turns:
    """See the module's text."""

    def __init__(self, *, at_once: int, a_minute: int, pod_at_once: int = limits.POD_AT_ONCE) -> None:
        self._at_once = at_once
        self._a_minute = a_minute
        self._pod = asyncio.Semaphore(pod_at_once)
        self._guilds: dict[GuildId, _Guild] = {}

    def admit(self, guild: GuildId, now: float) -> None:
        """Count a fetch of ``guild``; raises FetchRefused when it has too many."""
        state = self._guilds.get(guild)
        if state is None:
            window = SlidingWindow(self._a_minute, seconds=MINUTE)
            state = self._guilds[guild] = _Guild(window, asyncio.Semaphore(self._at_once))
        if state.open >= self._at_once + limits.WAITING:
            raise FetchRefused(
                "FETCH_TOO_MANY",
                f"{self._at_once} fetches go at once, and {limits.WAITING} wait already; await them",
            )
        wait = state.rate.opens_at(now) - now
        if wait > 0:
            raise FetchRefused(
                "FETCH_RATE_LIMITED",
                f"a guild may fetch {self._a_minute} times a minute; try again in {wait:.0f} s",
                retry_after=round(wait, 3),
            )
        state.rate.mark(now)

    @asynccontextmanager
    async def turn(self, guild: GuildId) -> AsyncGenerator[None]:
        """Wait for one's turn, and have it inside ``with``; raises FetchRefused when it does not come."""
        state = self._guilds[guild]
        state.open += 1
        try:
            with metrics.waiting.track_inprogress():
                await self._acquire(state)
            try:
                with metrics.in_flight.track_inprogress():
                    yield
            finally:
                self._pod.release()
                state.slots.release()
        finally:
            state.open -= 1

    async def _acquire(self, state: _Guild) -> None:
        try:
            async with asyncio.timeout(limits.QUEUE_SECONDS):
                await state.slots.acquire()
                try:
                    await self._pod.acquire()
                except BaseException:
                    state.slots.release()
                    raise
        except TimeoutError:
            raise FetchRefused(
                "FETCH_TOO_MANY", f"it waited {limits.QUEUE_SECONDS:g} s for other fetches to end"
            ) from None

    def forget_idle(self, now: float) -> None:
        """Free what is known of guilds that have not fetched for a while."""
        for guild in [g for g, state in self._guilds.items() if not (state.open or state.rate.count(now))]:
            del self._guilds[guild]
