"""Runs of jobs that somebody asked for and waits for, until their event has settled. No I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from flora_core.wire.control import Outcome
from flora_core.wire.pipe import Done
from flora_runtime.supervisor.backlog import Waiting


class AskedRuns:
    """Falsy while nobody waits, which is nearly always."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, int], asyncio.Future[Done]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self, guild: str, number: int, *, seconds: float) -> Done:
        """How the guild's event ``number`` ends; canceled when it has not within ``seconds``."""
        future = self._waiting[guild, number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return Done(number, Outcome.CANCELED, seconds * 1000)
        finally:
            self._waiting.pop((guild, number), None)

    def settled(self, guild: str, done: Done) -> None:
        """The handlers of an event have ended."""
        future = self._waiting.get((guild, done.event))
        if future is not None and not future.done():
            future.set_result(done)

    def dropped(self, guild: str, events: Iterable[Waiting]) -> None:
        """Events were given up before they started."""
        for event in events:
            self.settled(guild, Done(event.number, Outcome.CANCELED, 0.0))
