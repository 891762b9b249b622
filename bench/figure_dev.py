"""`dev-…`: what an author waits for: `flora dev` until it is ready, and a saved file until it is live."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.machine import median
from bench.processes import Child, ProcessFailed, python, running, start
from bench.rows import Row
from flora_cli.scaffold import create_project

STARTS: Final = 3
SAVES: Final = 5
READY_BAR: Final = 5.0
REDEPLOY_BAR: Final = 0.5
PATIENCE_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 1.0
"""Before each save, as an author pauses; the first one must also find the watcher at work."""


async def dev_figures(folder: Path) -> AsyncGenerator[Row]:
    """A project as `flora init` makes it, in a simulated Discord; no core is reserved for anything."""
    project = folder / "bot"
    create_project(project)
    ready: list[float] = []
    saved: list[float] = []
    for turn in range(STARTS):
        started = time.monotonic()
        async with running(await _dev(project, folder)) as dev:
            await _until(dev, "ready")
            ready.append(time.monotonic() - started)
            if turn == STARTS - 1:
                saved = [await _save(dev, project, number) for number in range(SAVES)]
    yield _row("dev-ready", ready, bar=READY_BAR, note="from the command to the line that says so")
    yield _row(
        "dev-redeploy", saved, bar=REDEPLOY_BAR, note="from writing src/main.ts to the new script's load"
    )


async def _dev(project: Path, logs: Path) -> Child:
    command = python("flora_cli.main", "dev", str(project), "--json")
    return await start("flora-dev", command, core=None, logs=logs, announces=False)


async def _save(dev: Child, project: Path, number: int) -> float:
    main = project / "src" / "main.ts"
    text = main.read_text()
    await asyncio.sleep(PAUSE_SECONDS)
    started = time.monotonic()
    main.write_text(f"{text}\nconsole.log({number});\n")
    revision = number + 2
    while True:
        event = await _until(dev, "status")
        if event["reason"] == "Loaded" and event["revision"] == revision:
            return time.monotonic() - started
        if event["reason"].endswith("Failed"):
            raise ProcessFailed(f"the changed script was not deployed: {event}")


async def _until(dev: Child, wanted: str) -> dict[str, Any]:
    while True:
        event: dict[str, Any] = msgspec.json.decode(await dev.line(seconds=PATIENCE_SECONDS))
        if event["event"] == wanted:
            return event


def _row(name: str, runs: list[float], *, bar: float, note: str) -> Row:
    value = median(runs)
    return Row(
        name=name,
        value=value,
        unit="s",
        target=f"<= {bar:g} s",
        ok=value <= bar,
        note=f"{note}; median of {len(runs)}",
        runs=runs,
    )
