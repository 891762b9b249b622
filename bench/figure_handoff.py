"""`handoff-held`: how long a guild's events are kept from it while it moves to another pod with 10 MB of KV.

Real processes: a gateway, two runtime pods with their LevelDB, the simulated Discord; people write meanwhile.
The time is the gateway's own, from taking the first route that says so until the events are on their way
again.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Final

from bench.rows import Row
from flora_core.wire.export import ExportedEntry
from flora_runtime.kv import transfer
from flora_runtime.kv.database import Database
from tests.integration.handoff.moving_fleet import ECHO, GUILD, A, B, Chat, MovingFleet

STORES: Final = 10
KEYS: Final = 1000
"""In each store."""
VALUE: Final = "x" * 1000
MOVES: Final = 6
MESSAGE_SECONDS: Final = 0.02
HELD_BAR: Final = 1.0

_HELD: Final = re.compile(r"^flora_gateway_hold_seconds_sum (\S+)$", re.MULTILINE)


def fill(folder: Path) -> None:
    """10 MB for the guild, where its pod will find them. Blocks."""
    database = Database(folder)
    transfer.replace(database, GUILD, _values(), tag="bench", stop=threading.Event())
    database.close()


def _values() -> Iterator[ExportedEntry]:
    for store in range(STORES):
        for key in range(KEYS):
            yield ExportedEntry(f"store-{store}", f"key-{key:04}", VALUE)


async def handoff_figures(folder: Path) -> AsyncGenerator[Row]:
    """The row."""
    fleet = MovingFleet(folder)
    await asyncio.to_thread(fill, folder / "data" / A / "kv")
    await fleet.start()
    try:
        await fleet.ready()
        await fleet.place(ECHO)
        chat = Chat(fleet, pause=MESSAGE_SECONDS)
        chat.begin()
        held: list[float] = []
        took: list[float] = []
        for number in range(MOVES):
            await asyncio.sleep(1.0)
            before, began = await _held(fleet), time.perf_counter()
            to = (B, A)[number % 2]
            fleet.want(to)
            await fleet.arrived(to)
            took.append(time.perf_counter() - began)
            held.append(await _held(fleet) - before)
        lost, repeated = await chat.end()
    finally:
        await fleet.stop()
    longest = max(held)
    yield Row(
        name="handoff-held",
        value=longest,
        unit="s",
        target=f"<= {HELD_BAR:g} s",
        ok=longest <= HELD_BAR and not lost and not repeated,
        note=f"the longest of {MOVES} moves of {STORES * KEYS:,} values of {len(VALUE):,} bytes; "
        f"{1 / MESSAGE_SECONDS:g} messages a second: {chat.written} sent, {lost} lost, {repeated} doubled; "
        f"a whole move, until the old copy is deleted, took up to {max(took):.1f} s",
        runs=held,
    )


async def _held(fleet: MovingFleet) -> float:
    found = _HELD.search(await fleet.metrics(fleet.gateway))
    return float(found[1]) if found is not None else 0.0
