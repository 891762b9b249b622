"""Drives the stub: starts it, gives it orders, reads what became of the messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from bench.machine import Meter, cores, percentile
from bench.processes import Child, python, running, start

ORDER_SECONDS: Final = 120.0
FLORA: Final = "flora"
PLAIN: Final = "plain"


class Message(msgspec.Struct, array_like=True, frozen=True):
    """What became of one message."""

    at: float
    """When it was written to the bot, on the monotonic clock."""
    answered: float
    """When the first answer arrived; 0 for never."""
    answers: int


class Messages(msgspec.Struct, frozen=True):
    """What became of all messages of one order."""

    started: float
    seconds: float
    messages: list[Message]

    @property
    def answered(self) -> int:
        return sum(bool(message.answered) for message in self.messages)

    @property
    def duplicates(self) -> int:
        """Answers that people see beyond the first."""
        return sum(max(0, message.answers - 1) for message in self.messages)

    def latency(self, part: float) -> float:
        """Milliseconds below which ``part`` of the answers came."""
        waits = [message.answered - message.at for message in self.messages if message.answered]
        return percentile(waits, part) * 1000


class Blast(msgspec.Struct, frozen=True):
    started: float
    seconds: float
    cpu: float
    """What the stub itself used."""


class Stats(msgspec.Struct, frozen=True):
    connected: bool
    identified: int
    resumed: int
    replayed: int
    posts: int
    repeated_nonces: int


@dataclass(slots=True)
class Stub:
    """A running stub."""

    child: Child
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return self.child.url

    def meter(self) -> Meter:
        """Of the stub's own CPU time."""
        return Meter([self.child.pid])

    async def flood(self, bot: str, *, count: int, in_flight: int = 100, patience: float = 30) -> Messages:
        """``count`` messages, ``in_flight`` at a time; returns when all are answered, or time is up."""
        order = {"bot": bot, "count": count, "in_flight": in_flight, "patience": patience}
        return msgspec.json.decode(await self._order("flood", order), type=Messages)

    async def pace(
        self, bot: str, *, rate: float, seconds: float, patience: float = 10, **places: Any
    ) -> Messages:
        """``rate`` messages a second for ``seconds``; waits ``patience`` for the last answers.

        ``places``: ``guilds`` and ``provoked``, see ``stub_state.Order``.
        """
        order = {"bot": bot, "rate": rate, "seconds": seconds, "patience": patience, **places}
        return msgspec.json.decode(await self._order("pace", order), type=Messages)

    async def blast(self, bot: str, *, count: int, patience: float = 30) -> Blast:
        """``count`` messages as fast as the bot's socket takes them."""
        order = {"bot": bot, "count": count, "patience": patience}
        return msgspec.json.decode(await self._order("blast", order), type=Blast)

    async def stats(self, bot: str) -> Stats:
        return msgspec.json.decode(await self._order("stats", {"bot": bot}), type=Stats)

    async def connected(self, bot: str, *, seconds: float = 15) -> None:
        """Return when ``bot`` has a session."""
        async with asyncio.timeout(seconds):
            while not (await self.stats(bot)).connected:
                await asyncio.sleep(0.05)

    async def _order(self, command: str, order: dict[str, Any]) -> bytes:
        async with self.session.post(
            f"{self.url}/_ctl/{command}", data=msgspec.json.encode(order)
        ) as response:
            response.raise_for_status()
            return await response.read()


@asynccontextmanager
async def stub_discord(logs: Path) -> AsyncIterator[Stub]:
    """A stub on the feeding core."""
    child = await start("stub", python("bench.stub_discord"), core=cores().feeding, logs=logs)
    timeout = aiohttp.ClientTimeout(total=ORDER_SECONDS)
    async with running(child), aiohttp.ClientSession(timeout=timeout) as session:
        yield Stub(child, session)
