"""People write into a simulated Discord while something dies; what was sent, answered, lost and repeated.

A message is *lost* when Discord delivered it to the bot, or replays it on a resume, and no answer comes. What
the drop rules say is counted apart: events that were with a worker when it was killed are told of in the
guild's log as cut off, and are not sent again, because a handler that had begun may have acted already.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flora_core.wire.control import Outcome
from tests.integration.fleet.fleet import Fleet

ECHO: Final = "on('messageCreate', async (ctx) => { await ctx.reply('re: ' + ctx.msg.content); });"
PATIENCE: Final = 30.0
PAUSE: Final = 0.02
"""Between two messages."""


@dataclass(slots=True)
class Tally:
    """What became of the messages of one case."""

    name: str
    sent: int = 0
    answered: int = 0
    cut_off: int = 0
    """Of those without an answer, how many at most were being handled by a worker that was killed."""
    repeated: int = 0
    """Answers that Discord shows twice."""
    served_after: float = 0.0
    """Seconds from the death to the first answer to a message that was written after it."""
    note: str = ""
    may_repeat: bool = False
    """Whether what was answered and not yet acknowledged may be answered again."""

    @property
    def lost(self) -> int:
        """Messages without an answer that no rule explains."""
        return max(0, self.sent - self.answered - self.cut_off)


class Talk:
    """Messages one after the other, each with a number."""

    def __init__(self, fleet: Fleet, tally: Tally) -> None:
        self.fleet = fleet
        self.tally = tally
        self._written: dict[str, float] = {}
        self._died: float | None = None
        self._served: float | None = None
        self._writing: asyncio.Task[None] | None = None

    async def say(self, count: int) -> None:
        """Write ``count`` messages."""
        for _ in range(count):
            content = str(len(self._written))
            self._written[content] = time.monotonic()
            await self.fleet.people.post(content)
            await asyncio.sleep(PAUSE)

    async def go_on(self) -> None:
        """Write until ``stop``."""

        async def write() -> None:
            while True:
                await self.say(1)

        self._writing = asyncio.create_task(write())

    async def stop(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writing
            self._writing = None

    def death(self) -> None:
        """It happens now."""
        self._died = time.monotonic()

    async def answered_since(self) -> None:
        """Wait until a message that was written after the death has its answer."""
        assert self._died is not None
        async with asyncio.timeout(PATIENCE):
            while self._served is None:
                answers = set(await self.fleet.answers())
                late = [content for content, at in self._written.items() if at >= self._died]
                if any(f"re: {content}" in answers for content in late):
                    self._served = time.monotonic() - self._died
                await asyncio.sleep(PAUSE)

    async def count(self) -> Tally:
        """Wait for all answers that will come, and count."""
        await self.stop()
        wanted = {f"re: {content}" for content in self._written}
        deadline = time.monotonic() + PATIENCE
        while True:
            answers = Counter(await self.fleet.answers())
            self.tally.cut_off = self._cut_off()
            missing = len(wanted - set(answers))
            if missing <= self.tally.cut_off or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.1)
        self.tally.sent = len(wanted)
        self.tally.answered = len(wanted & set(answers))
        self.tally.repeated = sum(answers.values()) - len(answers)
        self.tally.served_after = self._served or 0.0
        return self.tally

    def _cut_off(self) -> int:
        lines = [line for line in self.fleet.operator.logs if line.outcome is Outcome.KILLED]
        counts = [re.search(r"; (an|\d+) events? cut off", line.text) for line in lines]
        return sum(1 if found[1] == "an" else int(found[1]) for found in counts if found)


@asynccontextmanager
async def talking(name: str, folder: Path, **gateway: str) -> AsyncIterator[Talk]:
    """A fleet that serves the echo script, and people who have begun to write."""
    fleet = Fleet(folder)
    fleet.gateway_settings = gateway
    await fleet.start()
    try:
        await fleet.deploy(ECHO)
        await fleet.ready()
        talk = Talk(fleet, Tally(name))
        await talk.say(10)
        try:
            yield talk
        finally:
            await talk.stop()
    finally:
        await fleet.stop()
