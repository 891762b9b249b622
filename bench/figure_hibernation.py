"""`hibernated-guild`, `hibernation-wake`, `ten-thousand-guilds`: what guilds cost that nobody talks in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import aiohttp

from bench.machine import median, percentile, resident_bytes
from bench.pod_alone import PodAlone, pod_alone
from bench.processes import ProcessFailed
from bench.rows import Row

GUILDS: Final = 2000
WARM_GUILDS: Final = 200
"""Placed before memory is looked at: what the first guilds make a process keep is not theirs."""
WAKES: Final = 200
ASLEEP_SECONDS: Final = 1.5
BYTES_BAR: Final = 8 << 10
WAKE_BAR: Final = 25.0

MANY: Final = 10_000
ACTIVE: Final = MANY // 100
ACTIVE_SECONDS: Final = 10.0
AT_ONCE: Final = 8
RESIDENT_BAR: Final = 1.5e9
SOFT_MIB: Final = 200

_SLEEPING: Final = "flora_runtime_hibernated_guilds "


async def hibernation_figures(folder: Path) -> AsyncGenerator[Row]:
    """One pod with two workers; every guild sleeps soon after its last event."""
    settings = {"RUNTIME_HIBERNATE_AFTER_SECS": str(ASLEEP_SECONDS)}
    async with pod_alone(folder, workers=2, settings=settings) as pod:
        await pod.place(WARM_GUILDS, seconds=60)
        await _until_asleep(pod, WARM_GUILDS)
        before = resident_bytes(pod.runtime.pid)
        await pod.place(GUILDS, seconds=120)
        await _until_asleep(pod, GUILDS)
        each = (resident_bytes(pod.runtime.pid) - before) / (GUILDS - WARM_GUILDS)
        wakes, awake = [], []
        for guild in range(WAKES):
            wakes.append(await pod.ask(guild) * 1e3)
            awake.append(await pod.ask(guild) * 1e3)
    yield Row(
        name="hibernated-guild",
        value=each,
        unit="bytes",
        target=f"<= {BYTES_BAR:,} bytes",
        ok=each <= BYTES_BAR,
        note=f"growth of the supervisor's RSS from {WARM_GUILDS} to {GUILDS} guilds, all asleep",
    )
    wake, quick = median(wakes), median(awake)
    yield Row(
        name="hibernation-wake",
        value=wake,
        unit="ms",
        baseline=quick,
        ratio=wake / quick,
        target=f"p50 <= {WAKE_BAR:g} ms",
        ok=wake <= WAKE_BAR,
        note=f"from a message at the gateway to the reply's call there, the guild asleep; p95 "
        f"{percentile(wakes, 0.95):.1f} ms; baseline: the next message to the same guild; {WAKES} guilds",
    )


async def ten_thousand_figures(folder: Path) -> AsyncGenerator[Row]:
    """One pod with a worker a core, where short memory demands that most guilds sleep."""
    settings = {"RUNTIME_WORKER_SOFT_RSS_MIB": str(SOFT_MIB)}
    async with pod_alone(folder, workers=2, settings=settings) as pod:
        begun = time.monotonic()
        await pod.place(MANY, seconds=400)
        loading = time.monotonic() - begun
        latencies = await _keep_active(pod)
        resident = pod.resident()
        answered = await _ask_everybody(pod)
        after = sum(pod.resident().values())
    peak = max(sum(resident.values()), after)
    parts = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in resident.items())
    yield Row(
        name="ten-thousand-guilds",
        value=peak / 1e6,
        unit="MB",
        target=f"<= {RESIDENT_BAR / 1e6:,.0f} MB, all {MANY:,} answer",
        ok=peak <= RESIDENT_BAR and answered == MANY,
        note=f"RSS with {ACTIVE} guilds active: {parts}; {after / 1e6:.0f} MB after all were asked, "
        f"{answered:,} answered; the active ones in {median(latencies):.1f} ms p50, "
        f"{percentile(latencies, 0.99):.1f} ms p99; first load of all {loading:.0f} s",
    )


async def _until_asleep(pod: PodAlone, guilds: int) -> None:
    deadline = time.monotonic() + 60
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline:
            async with session.get(f"{pod.runtime.url}/metrics") as response:
                lines = (await response.text()).splitlines()
            sleeping = next(line for line in lines if line.startswith(_SLEEPING))
            if float(sleeping.split()[1]) >= guilds:
                return
            await asyncio.sleep(0.2)
    raise ProcessFailed(f"not all of {guilds} guilds went to sleep")


async def _keep_active(pod: PodAlone) -> list[float]:
    """Milliseconds of the replies of a hundredth of the guilds, one message a second each."""
    end = time.monotonic() + ACTIVE_SECONDS
    latencies: list[float] = []

    async def talk(guild: int) -> None:
        await asyncio.sleep(guild / ACTIVE)
        await pod.ask(guild)  # it wakes with the first
        while time.monotonic() < end:
            latencies.append(await pod.ask(guild) * 1e3)
            await asyncio.sleep(1.0)

    await asyncio.gather(*(talk(guild) for guild in range(ACTIVE)))
    return latencies


async def _ask_everybody(pod: PodAlone) -> int:
    guilds = iter(range(MANY))

    async def ask() -> int:
        return len([await pod.ask(guild) for guild in guilds])

    return sum(await asyncio.gather(*(ask() for _ in range(AT_ONCE))))
