"""`path-…`: a message's whole way through flora to its answer, against a plain discord.py bot's.

Both bots are connected to the same stub and are measured in turn; the other one has nothing to do then.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import payloads
from bench.flora import Flora, flora, plain_bot
from bench.machine import Meter, median
from bench.processes import Child, ProcessFailed
from bench.rows import Row
from bench.stub_client import FLORA, PLAIN, Messages, Stub, stub_discord

WARM_MESSAGES: Final = 20 * payloads.GUILDS
"""Each isolate has run its handler a few times by then, as one that is in use has."""

PAIRS: Final = 5
FLOOD_MESSAGES: Final = 3000
IN_FLIGHT: Final = 100
STEADY_RATE: Final = 300
STEADY_SECONDS: Final = 5.0

SATURATION_BAR: Final = 0.7
STEADY_CPU_BAR: Final = 1.5
P50_BAR: Final = 1.5
P99_BAR: Final = 3.0


@dataclass(slots=True)
class Taken:
    """One side's measurement."""

    parts: dict[str, float]
    """Microseconds of CPU time an answer, by process."""
    messages: Messages
    stub_busy: float

    @property
    def cpu(self) -> float:
        return sum(self.parts.values())

    @property
    def p50(self) -> float:
        return self.messages.latency(0.50)

    @property
    def p99(self) -> float:
        return self.messages.latency(0.99)


@dataclass(slots=True)
class Pair:
    """The same load on flora and right after it on the plain bot."""

    flora: Taken
    plain: Taken


class Bench:
    """Both sides, connected and warm."""

    def __init__(self, stub: Stub, system: Flora, bot: Child) -> None:
        self.stub: Final = stub
        self._parts: Final = {FLORA: system.parts, PLAIN: {"bot": bot.pid}}

    async def flood(self, side: str) -> Taken:
        """As fast as it is answered."""
        return await self._take(side, self.stub.flood(side, count=FLOOD_MESSAGES, in_flight=IN_FLIGHT))

    async def pace(self, side: str) -> Taken:
        """At a steady rate."""
        return await self._take(side, self.stub.pace(side, rate=STEADY_RATE, seconds=STEADY_SECONDS))

    async def _take(self, side: str, load: Awaitable[Messages]) -> Taken:
        meters = {name: Meter([pid]) for name, pid in self._parts[side].items()}
        stub = self.stub.meter()
        messages = await load
        if messages.answered < len(messages.messages):
            missing = len(messages.messages) - messages.answered
            raise ProcessFailed(f"{missing} of {len(messages.messages)} messages to {side} were not answered")
        parts = {name: meter.cpu / messages.answered * 1e6 for name, meter in meters.items()}
        return Taken(parts, messages, stub.cpu / stub.wall)


@asynccontextmanager
async def _both(folder: Path) -> AsyncIterator[Bench]:
    async with (
        stub_discord(folder) as stub,
        flora(folder, stub.url) as system,
        plain_bot(folder, stub.url, "reply") as bot,
    ):
        await stub.connected(FLORA)
        await stub.connected(PLAIN)
        bench = Bench(stub, system, bot)
        for side in (FLORA, PLAIN):
            await stub.flood(side, count=WARM_MESSAGES, in_flight=IN_FLIGHT)
        yield bench


async def saturation_figures(folder: Path) -> AsyncGenerator[Row]:
    """CPU time an answer when there is always more to do."""
    async with _both(folder) as bench:
        pairs = [Pair(await bench.flood(FLORA), await bench.flood(PLAIN)) for _ in range(PAIRS)]
    yield _cpu_row(
        "path-saturation", pairs, bar=SATURATION_BAR, load=f"{IN_FLIGHT} in flight, {payloads.GUILDS} guilds"
    )


async def steady_figures(folder: Path) -> AsyncGenerator[Row]:
    """CPU time and latency at a rate that leaves both idle most of the time."""
    async with _both(folder) as bench:
        pairs = [Pair(await bench.pace(FLORA), await bench.pace(PLAIN)) for _ in range(PAIRS)]
    load = f"{STEADY_RATE} messages/s, {payloads.GUILDS} guilds"
    yield _cpu_row("path-steady-cpu", pairs, bar=STEADY_CPU_BAR, load=load)
    yield _latency_row("path-steady-p50", [(p.flora.p50, p.plain.p50) for p in pairs], bar=P50_BAR, load=load)
    yield _latency_row("path-steady-p99", [(p.flora.p99, p.plain.p99) for p in pairs], bar=P99_BAR, load=load)


def _cpu_row(name: str, pairs: list[Pair], *, bar: float, load: str) -> Row:
    ratios = [pair.flora.cpu / pair.plain.cpu for pair in pairs]
    ratio = median(ratios)
    parts = ", ".join(
        f"{part} {median(pair.flora.parts[part] for pair in pairs):.0f}" for part in pairs[0].flora.parts
    )
    busy = max(taken.stub_busy for pair in pairs for taken in (pair.flora, pair.plain))
    rates = [
        median(len(taken.messages.messages) / taken.messages.seconds for taken in side)
        for side in zip(*((pair.flora, pair.plain) for pair in pairs), strict=True)
    ]
    return Row(
        name=name,
        value=median(pair.flora.cpu for pair in pairs),
        unit="us CPU/reply",
        baseline=median(pair.plain.cpu for pair in pairs),
        ratio=ratio,
        target=f"ratio <= {bar:g}",
        ok=ratio <= bar,
        note=f"{load}; {parts}; {rates[0]:,.0f} replies/s against {rates[1]:,.0f}; "
        f"stub at most {busy:.0%} busy",
        runs=ratios,
    )


def _latency_row(name: str, pairs: list[tuple[float, float]], *, bar: float, load: str) -> Row:
    ratios = [ours / theirs for ours, theirs in pairs]
    ratio = median(ratios)
    return Row(
        name=name,
        value=median(ours for ours, _ in pairs),
        unit="ms",
        baseline=median(theirs for _, theirs in pairs),
        ratio=ratio,
        target=f"ratio <= {bar:g}",
        ok=ratio <= bar,
        note=f"{load}; from the event on Discord's socket to the reply's POST; {len(pairs)} pairs",
        runs=ratios,
    )
