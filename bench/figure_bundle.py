"""`bundle-…`: from TypeScript to a bundle, without Node."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from bench.machine import median
from bench.rows import Row
from flora_core.toolchain import Project, Toolchain

COLD_RUNS: Final = 3
WARM_RUNS: Final = 7
COLD_BAR: Final = 1.5
WARM_BAR: Final = 0.3


_PROJECTS: Final = Path(__file__).parents[1] / "tests" / "integration" / "toolchain" / "projects.py"


def twenty_files() -> Project:
    """The project that the bundler's tests use too."""
    spec = importlib.util.spec_from_file_location("projects", _PROJECTS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.twenty_files()


async def bundle_figures(folder: Path) -> AsyncGenerator[Row]:
    """Cold: a process is started for it. Warm: one that has bundled before takes it."""
    del folder
    project = twenty_files()
    cold: list[float] = []
    for _ in range(COLD_RUNS):
        async with Toolchain() as toolchain:
            cold.append(await _seconds(toolchain, project))
    async with Toolchain() as toolchain:
        await toolchain.bundle(project)
        warm = [await _seconds(toolchain, project) for _ in range(WARM_RUNS)]
    size = sum(len(text) for text in project.files.values())
    note = f"{len(project.files)} files, {size / 1000:.0f} KB of TypeScript"
    yield _row(
        "bundle-cold", cold, bar=COLD_BAR, note=f"{note}; process start and compiling esbuild included"
    )
    yield _row("bundle-warm", warm, bar=WARM_BAR, note=note)


async def _seconds(toolchain: Toolchain, project: Project) -> float:
    started = time.monotonic()
    await toolchain.bundle(project)
    return time.monotonic() - started


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
