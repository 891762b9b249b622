"""`isolate-memory`, `isolate-load`: what an isolate with the SDK in it costs to have and to make."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from bench.machine import median, percentile, resident_bytes
from bench.rows import Row
from bench.script import pong_bundle
from bench.worker_pipe import worker_pipe

ISOLATES: Final = 500
SETTLE_SECONDS: Final = 0.5
WARM_EVENTS_SECONDS: Final = 2.0

MEMORY_BAR: Final = 1.2
LOAD_BAR: Final = 10.0


async def isolate_figures(folder: Path) -> AsyncGenerator[Row]:
    """One worker process; isolates are made one after the other, as a worker does it."""
    bundle = await pong_bundle()
    with worker_pipe(folder, guilds=ISOLATES) as worker:
        before = resident_bytes(worker.pid)
        loads = [worker.deploy(guild, bundle) for guild in range(ISOLATES)]
        await asyncio.sleep(SETTLE_SECONDS)
        each = (resident_bytes(worker.pid) - before) / ISOLATES / 1e6
        spent = worker.run(WARM_EVENTS_SECONDS, batch=1, in_flight=32)
        warm = (resident_bytes(worker.pid) - before) / ISOLATES / 1e6
    yield Row(
        name="isolate-memory",
        value=each,
        unit="MB",
        target=f"<= {MEMORY_BAR} MB",
        ok=each <= MEMORY_BAR,
        note=f"growth of the worker's RSS over {ISOLATES} isolates with the SDK and a small script; an empty "
        f"worker has {before / 1e6:.0f} MB; after {spent.events / ISOLATES:.0f} events each {warm:.2f} MB",
    )
    load = median(loads)
    yield Row(
        name="isolate-load",
        value=load,
        unit="ms",
        target=f"<= {LOAD_BAR:g} ms",
        ok=load <= LOAD_BAR,
        note=f"isolate made, SDK and script loaded, as the worker counts it; median of {ISOLATES}, "
        f"p95 {percentile(loads, 0.95):.1f} ms",
    )
