"""`kv-durable-sets`, `kv-get`: what group commit makes of a disk's flushes, and how long a read takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import msgspec

from bench.machine import median
from bench.rows import Row
from flora_core.ids import GuildId
from flora_runtime.kv.service import KvService, WriteRates

GUILDS: Final = 100
PAIRS: Final = 5
SECONDS: Final = 1.0
READS: Final = 2000
VALUE: Final = "x" * 100

SETS_BAR: Final = 10.0
GET_BAR: Final = 1.0


class Scripts:
    """Guilds' scripts that write and read, as the supervisor sees them."""

    def __init__(self, folder: Path) -> None:
        self._service = KvService(folder, rates=WriteRates(writes=1 << 40))
        self._number = 0

    async def close(self) -> None:
        await self._service.close()

    def _call(self, guild: int, name: str, **args: object) -> asyncio.Future[bytes]:
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def answer(ok: bool, value: bytes) -> None:
            assert ok, value
            future.set_result(value)

        self._service.call(GuildId(str(guild + 1)), name, msgspec.json.encode(args), answer)
        return future

    def set(self, guild: int) -> asyncio.Future[bytes]:
        """Writes the next key; done once it is on disk."""
        self._number += 1
        return self._call(guild, "kvSet", store="bench", key=f"k{self._number % 10_000}", value=VALUE)

    async def write(self, guilds: int, seconds: float) -> float:
        """``guilds`` write at once, each the next when the last is acknowledged; sets a second."""
        done = 0
        end = time.perf_counter() + seconds

        async def one(guild: int) -> None:
            nonlocal done
            while time.perf_counter() < end:
                await self.set(guild)
                done += 1

        began = time.perf_counter()
        await asyncio.gather(*(one(guild) for guild in range(guilds)))
        return done / (time.perf_counter() - began)

    async def read(self) -> float:
        """Milliseconds of one read."""
        began = time.perf_counter()
        await self._call(0, "kvGet", store="bench", key="k1")
        return (time.perf_counter() - began) * 1000


async def kv_figures(folder: Path) -> AsyncGenerator[Row]:
    """Both rows. One script that awaits each write is the baseline: a flush a write, on the same disk."""
    scripts = Scripts(folder / "kv")
    try:
        await scripts.write(GUILDS, SECONDS)
        pairs = [
            (await scripts.write(GUILDS, SECONDS), await scripts.write(1, SECONDS)) for _ in range(PAIRS)
        ]
        reads = [await scripts.read() for _ in range(READS)]
    finally:
        await scripts.close()
    ratios = [many / one for many, one in pairs]
    ratio = median(ratios)
    yield Row(
        name="kv-durable-sets",
        value=median(many for many, _ in pairs),
        unit="sets/s",
        baseline=median(one for _, one in pairs),
        ratio=ratio,
        target=f">= {SETS_BAR:g} x one flush a write",
        ok=ratio >= SETS_BAR,
        note=f"{GUILDS} guilds, each awaits its writes of {len(VALUE)} bytes; baseline: one guild does",
        runs=ratios,
    )
    p50 = median(reads)
    yield Row(
        name="kv-get",
        value=p50,
        unit="ms",
        target=f"<= {GET_BAR:g} ms",
        ok=p50 <= GET_BAR,
        note=f"p50 of {READS:,} reads one after the other, in the supervisor, without the isolate's turns; "
        f"p99 {sorted(reads)[int(READS * 0.99)]:.2f} ms",
    )
