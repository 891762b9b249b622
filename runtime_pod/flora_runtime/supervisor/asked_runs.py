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
        self._waiting: list[_Asked] = []

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self, guild: str, event: Waiting, *, seconds: float) -> Done:
        """How a guild's event ends that has not started yet; canceled when it has not in ``seconds``."""
        asked = _Asked(guild, event)
        self._waiting.append(asked)
        try:
            async with asyncio.timeout(seconds):
                return await asked.done
        except TimeoutError:
            return Done(event.number, Outcome.CANCELED, seconds * 1000)
        finally:
            self._waiting.remove(asked)

    def settled(self, guild: str, done: Done) -> bool:
        """The handlers of an event have ended; whether somebody had asked for it."""
        asked_for = False
        for asked in self._waiting:
            if asked.guild == guild and asked.event.number == done.event:
                asked.end(done)
                asked_for = True
        return asked_for

    def dropped(self, guild: str, events: Iterable[Waiting]) -> None:
        """Events were given up before they started."""
        given_up = {id(event) for event in events}
        for asked in self._waiting:
            if asked.guild == guild and id(asked.event) in given_up:
                asked.end(Done(asked.event.number, Outcome.CANCELED, 0.0))


class _Asked:
    """One run and who waits for it. Its event gets its number when it is sent to the worker."""

    def __init__(self, guild: str, event: Waiting) -> None:
        self.guild = guild
        self.event = event
        self.done: asyncio.Future[Done] = asyncio.get_running_loop().create_future()

    def end(self, done: Done) -> None:
        if not self.done.done():
            self.done.set_result(done)
