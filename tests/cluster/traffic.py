"""Messages at a rate through the simulated Discord of a cluster, every one of them counted.

Each message has a number and asks for an answer with the same number. They are written at their time whatever
became of those before (an open loop: what is slow makes a delay and no pause) until ``UNANSWERED`` of them wait: a machine
that cannot keep up gets fewer, for what waits longer than a handler may is lost by right. Each guild's answers are read
as they come. Afterwards ``Tally`` says what was sent, answered, lost and answered twice, and how long the worst took.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

ECHO: Final = 'on("messageCreate", async (ctx) => { await ctx.reply("re: " + ctx.msg.content); });'
"""The script that answers."""

PATIENCE: Final = 60.0
"""Seconds for answers to come after the last message."""

WAIT: Final = 5.0
"""Seconds of one request for answers."""

POSTS_AT_ONCE: Final = 64
UNANSWERED: Final = 200
"""Messages that may wait: four seconds of them at 50 a second."""
PAUSE: Final = 0.2


@dataclass(slots=True)
class Tally:
    """What became of the messages."""

    written: dict[str, float] = field(default_factory=dict[str, float])
    """When each was, in seconds since 1970."""
    answers: Counter[str] = field(default_factory=Counter[str])
    delays: list[float] = field(default_factory=list[float])
    """Of first answers, seconds."""
    unheard: int = 0
    """Messages that were written while no bot was connected; a bot that resumes gets them nevertheless."""

    @property
    def sent(self) -> int:
        return len(self.written)

    @property
    def answered(self) -> int:
        return sum(1 for name in self.written if name in self.answers)

    @property
    def lost(self) -> list[str]:
        """Those without an answer, in the order they were written."""
        return [name for name in self.written if name not in self.answers]

    @property
    def duplicated(self) -> int:
        """Answers above one each."""
        return sum(count - 1 for count in self.answers.values())

    @property
    def worst(self) -> float:
        """The longest delay."""
        return max(self.delays, default=0.0)

    def note(self, name: str, at: float) -> None:
        """An answer to ``name`` was seen; somebody else's is not counted."""
        if name not in self.written:
            return
        self.answers[name] += 1
        if self.answers[name] == 1:
            self.delays.append(max(0.0, at - self.written[name]))

    def __str__(self) -> str:
        ordered = sorted(self.delays)
        median = ordered[len(ordered) // 2] if ordered else 0.0
        text = (
            f"sent {self.sent}, answered {self.answered}, lost {len(self.lost)}, duplicated {self.duplicated}; "
            f"delay p50 {median * 1e3:.0f} ms, worst {self.worst:.2f} s; {self.unheard} while no bot was connected"
        )
        return f"{text}; lost: {', '.join(self.lost[:20])}" if self.lost else text


class Traffic:
    """Messages into ``guilds`` in turn, through the simulator at ``url``."""

    def __init__(self, url: str, guilds: Sequence[str], *, rate: float) -> None:
        self._url = f"{url}/control/guilds"
        self._guilds = guilds
        self._rate = rate
        self._run = secrets.token_hex(2)
        self._posts = asyncio.Semaphore(POSTS_AT_ONCE)
        self._news = asyncio.Event()
        self._enough = False
        self.tally: Final = Tally()

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[Tally]:
        """Messages are written for the block; the last answers are waited for at its end.

        The block's own errors go first; a simulator that does not answer is one (aiohttp.ClientError).
        """
        timeout = aiohttp.ClientTimeout(total=WAIT + 30)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
            starts = [await self._position(session, guild) for guild in self._guilds]
            readers = [
                group.create_task(self._read(session, guild, start))
                for guild, start in zip(self._guilds, starts, strict=True)
            ]
            writing = group.create_task(self._write(session))
            yield self.tally
            self._enough = True
            await writing
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._all_answered()
            await asyncio.sleep(PAUSE)  # for answers that come twice
            for reader in readers:
                reader.cancel()

    async def _write(self, session: aiohttp.ClientSession) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        async with asyncio.TaskGroup() as posts:
            number = 0
            while not self._enough:
                await asyncio.sleep(max(0.0, due - loop.time()))
                if number - len(self.tally.delays) >= UNANSWERED:
                    due = loop.time() + PAUSE
                    continue
                await self._posts.acquire()
                posts.create_task(self._post(session, self._guilds[number % len(self._guilds)], number))
                number += 1
                due = max(due + 1 / self._rate, loop.time() - PAUSE)

    async def _post(self, session: aiohttp.ClientSession, guild: str, number: int) -> None:
        name = f"{self._run}-{number}"
        try:
            self.tally.written[name] = time.time()
            async with session.post(f"{self._url}/{guild}/messages", json={"content": name}) as response:
                response.raise_for_status()
                self.tally.unheard += (await response.json())["listeners"] == 0
        finally:
            self._posts.release()

    async def _read(self, session: aiohttp.ClientSession, guild: str, after: int) -> None:
        while True:
            answers = await self._answers(session, guild, after, seconds=WAIT)
            assert answers["missed"] == 0, "the simulator's journal is too short (SIMULATOR_JOURNAL_ENTRIES)"
            after = answers["position"]
            for answer in answers["answers"]:
                self.tally.note(answer["content"].removeprefix("re: "), answer["at"])
            self._news.set()

    async def _all_answered(self) -> None:
        while self.tally.lost:
            self._news.clear()
            await self._news.wait()

    async def _position(self, session: aiohttp.ClientSession, guild: str) -> int:
        """Where the journal ends now."""
        return (await self._answers(session, guild, 0, seconds=0))["position"]

    async def _answers(
        self, session: aiohttp.ClientSession, guild: str, after: int, *, seconds: float
    ) -> dict[str, Any]:
        query = {"after": str(after), "count": "1", "timeout": str(seconds)}
        async with session.get(f"{self._url}/{guild}/answers", params=query) as response:
            response.raise_for_status()
            return await response.json()
