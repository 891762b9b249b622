"""`cli-help`: how long somebody waits for the command to say what it can do."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from bench.machine import median
from bench.processes import ProcessFailed
from bench.rows import Row

STARTS: Final = 15
HELP_BAR: Final = 250.0


async def cli_figures(folder: Path) -> AsyncGenerator[Row]:
    """A new process each time; files are in the page cache, as after the first one ever."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb"}
    runs: list[float] = []
    busy: list[float] = []
    for _ in range(STARTS):
        before, began = os.times(), time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("flora")),
            "--help",
            env=environment,
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
        runs.append((time.perf_counter() - began) * 1000)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        busy.append(used * 1000)
        if process.returncode or b"deploy" not in said:
            raise ProcessFailed(f"flora --help ended with {process.returncode}")
    p50 = median(runs)
    yield Row(
        name="cli-help",
        value=p50,
        unit="ms",
        target=f"<= {HELP_BAR:g} ms",
        ok=p50 <= HELP_BAR,
        note=f"p50 of {STARTS} new processes; {median(busy):.0f} ms of CPU",
        runs=runs,
    )
