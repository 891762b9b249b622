"""`walls-cost`: events through a worker with all walls and limits, against one without."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from bench.machine import median
from bench.rows import Row
from bench.script import pong_bundle
from bench.worker_pipe import worker_pipe

GUILDS: Final = 100
IN_FLIGHT: Final = 32
PAIRS: Final = 7
SECONDS: Final = 1.5
WARM_SECONDS: Final = 2.0
BAR: Final = 0.8

LIMITS: Final = {"walls": True, "cpu_seconds": 12.0}
NONE: Final = {
    "walls": False,
    "cpu_seconds": 0.0,
    "load_seconds": 0.0,
    "handler_seconds": 0.0,
    "wall_seconds": 0.0,
    "cron_seconds": 0.0,
}


async def walls_figures(folder: Path) -> AsyncGenerator[Row]:
    """Two worker processes on the same core take turns; the other one is asleep."""
    bundle = await pong_bundle()
    for side in ("walled", "bare"):
        (folder / side).mkdir()
    with (
        worker_pipe(folder / "walled", guilds=GUILDS, configure=LIMITS) as walled,
        worker_pipe(folder / "bare", guilds=GUILDS, configure=NONE) as bare,
    ):
        for worker in (walled, bare):
            for guild in range(GUILDS):
                worker.deploy(guild, bundle)
            worker.run(WARM_SECONDS, batch=1, in_flight=IN_FLIGHT)
        pairs = [
            (
                walled.run(SECONDS, batch=1, in_flight=IN_FLIGHT).per_core,
                bare.run(SECONDS, batch=1, in_flight=IN_FLIGHT).per_core,
            )
            for _ in range(PAIRS)
        ]
    ratios = [ours / theirs for ours, theirs in pairs]
    ratio = median(ratios)
    yield Row(
        name="walls-cost",
        value=median(ours for ours, _ in pairs),
        unit="events/s",
        baseline=median(theirs for _, theirs in pairs),
        ratio=ratio,
        target=f"ratio >= {BAR}",
        ok=ratio >= BAR,
        note=f"one op an event, {GUILDS} isolates, a second of the worker's CPU time; landlock, seccomp and "
        f"all time limits against none of them; {PAIRS} pairs in turn",
        runs=ratios,
    )
