"""`noisy-neighbours…`: what four hostile guilds cost 50 ordinary ones in the same worker.

One loops, one eats memory, one floods its log and one floods Discord with calls. Each is provoked ten times
a second, and deployed anew as soon as it was quarantined, so that the attack goes on for as long as is
measured. Peace and attack are measured in turn. flora runs as it is shipped: its processes on any core, the
worker on one of its own choice, and each guild's calls limited.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import payloads
from bench.flora import Flora, flora
from bench.machine import median
from bench.rows import Row
from bench.stub_client import FLORA, Messages, Stub, stub_discord

NEIGHBOURS: Final = 50
RATE: Final = 100
"""Messages a second to all neighbours together."""
SECONDS: Final = 5.0
PAIRS: Final = 5
RATIO_BAR: Final = 2.0
P99_BAR: Final = 50

_ATTACKS: Final = {
    "loops": "for (;;);",
    "eats memory": "const hoard = []; for (;;) hoard.push({ hoard, size: hoard.length });",
    "floods its log": "try { for (;;) console.log('x'); } catch {}",
    "floods Discord": "for (let i = 0; i < 1000; i++) ctx.reply(`${i}`).catch(() => {});",
}
ATTACKERS: Final = {payloads.GUILDS - 1 - index: body for index, body in enumerate(_ATTACKS.values())}
"""Hostile handlers by their guild's index."""


@dataclass(slots=True)
class Pair:
    """The same load alone and beside the attackers."""

    alone: Messages
    beside: Messages

    @property
    def ratio(self) -> float:
        return self.beside.latency(0.99) / self.alone.latency(0.99)


async def neighbour_figures(folder: Path) -> AsyncGenerator[Row]:
    """How long neighbours wait, and whether one of their messages is lost."""
    async with (
        stub_discord(folder) as stub,
        flora(folder, stub.url, as_shipped=True) as system,
    ):
        await stub.connected(FLORA)
        await stub.flood(FLORA, count=20 * payloads.GUILDS)
        pairs = [Pair(await _pace(stub), await _under_attack(stub, system)) for _ in range(PAIRS)]
    ratio, p99 = median(pair.ratio for pair in pairs), median(pair.beside.latency(0.99) for pair in pairs)
    alone = median(pair.alone.latency(0.99) for pair in pairs)
    load = f"{NEIGHBOURS} guilds, {RATE} messages/s; both cores for all; {PAIRS} pairs"
    yield Row(
        name="noisy-neighbours",
        value=p99,
        unit="ms",
        baseline=alone,
        ratio=ratio,
        target=f"ratio <= {RATIO_BAR:g}",
        ok=ratio <= RATIO_BAR,
        note=f"p99 of the neighbours beside {', '.join(_ATTACKS)}, against theirs alone; {load}; p50 "
        f"{median(pair.beside.latency(0.5) for pair in pairs):.1f} ms against "
        f"{median(pair.alone.latency(0.5) for pair in pairs):.1f} ms",
        runs=[pair.ratio for pair in pairs],
    )
    yield Row(
        name="noisy-neighbours-p99",
        value=p99,
        unit="ms",
        target=f"<= {P99_BAR} ms",
        ok=p99 <= P99_BAR,
        note="the same",
        runs=[pair.beside.latency(0.99) for pair in pairs],
    )
    lost = [len(pair.beside.messages) - pair.beside.answered for pair in pairs]
    yield Row(
        name="noisy-neighbours-lost",
        value=sum(lost),
        unit="messages",
        target="0",
        ok=not any(lost),
        note=f"of {sum(len(pair.beside.messages) for pair in pairs)} to neighbours under attack",
        runs=[float(count) for count in lost],
    )


async def _pace(stub: Stub, *, provoked: list[int] | None = None) -> Messages:
    return await stub.pace(
        FLORA,
        rate=RATE,
        seconds=SECONDS,
        guilds=NEIGHBOURS,
        provoked=provoked if provoked is not None else [],
    )


async def _under_attack(stub: Stub, system: Flora) -> Messages:
    control = system.control
    control.attack({payloads.guild_id(index): _script(body) for index, body in ATTACKERS.items()})
    try:
        return await _pace(stub, provoked=list(ATTACKERS))
    finally:
        await control.end_attack()


def _script(body: str) -> str:
    return f"(async () => {{ on('messageCreate', (ctx) => {{ {body} }}); }})();\n//# sourceURL=bundle.js\n"
