"""`worker-one-op`, `worker-batch`: what one core does through the worker binding, against isolated-vm."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from bench.isolated_vm import IsolatedVm, IsolatedVmMissing, isolated_vm
from bench.machine import median
from bench.rows import Row
from bench.script import pong_bundle
from bench.worker_pipe import Spent, WorkerPipe, worker_pipe

GUILDS: Final = 100
IN_FLIGHT: Final = 32
"""Guilds with unanswered events at any time. Few enough that a guild's next event meets it idle, so that an
event is two turns, never less; enough that neither side waits for the other."""

PAIRS: Final = 5
SECONDS: Final = 1.5
WARM_SECONDS: Final = 2.0
BATCH: Final = 8

ONE_OP_BAR: Final = 12_000
RATIO_BAR: Final = 0.6
BATCH_BAR: Final = 40_000


async def worker_figures(folder: Path) -> AsyncGenerator[Row]:
    """Both rows; worker and Node take turns on the same core, the other one asleep."""
    bundle = await pong_bundle()
    async with contextlib.AsyncExitStack() as stack:
        worker = stack.enter_context(worker_pipe(folder, guilds=GUILDS))
        for guild in range(GUILDS):
            worker.deploy(guild, bundle)
        node, why = None, ""
        try:
            node = await stack.enter_async_context(isolated_vm(folder, bundle, guilds=GUILDS))
        except IsolatedVmMissing as missing:
            why = str(missing)
        yield await _row("worker-one-op", worker, node, batch=1, bar=ONE_OP_BAR, why=why)
        yield await _row("worker-batch", worker, node, batch=BATCH, bar=BATCH_BAR, why=why)


async def _row(
    name: str, worker: WorkerPipe, node: IsolatedVm | None, *, batch: int, bar: int, why: str
) -> Row:
    ours: list[Spent] = []
    theirs: list[Spent] = []
    blocking: list[Spent] = []
    worker.run(WARM_SECONDS, batch=batch, in_flight=IN_FLIGHT)
    if node is not None:
        await node.run(WARM_SECONDS, how="apply", batch=batch, in_flight=IN_FLIGHT)
    for _ in range(PAIRS):
        ours.append(worker.run(SECONDS, batch=batch, in_flight=IN_FLIGHT))
        if node is not None:
            theirs.append(await node.run(SECONDS, how="apply", batch=batch, in_flight=IN_FLIGHT))
            blocking.append(await node.run(SECONDS / 2, how="applySync", batch=batch, in_flight=1))
    value = median(spent.per_core for spent in ours)
    busy = sum(spent.cpu for spent in ours) / sum(spent.wall for spent in ours)
    a_turn = sum(spent.events for spent in ours) / sum(spent.turns for spent in ours)
    note = (
        f"{GUILDS} isolates, {a_turn:.1f} events a turn, through a real worker process and its pipe; per "
        f"second of the worker's CPU time, its core {busy:.0%} busy"
    )
    baseline = ratio = None
    if node is None:
        note += f"; {why}"
    else:
        baseline = median(spent.per_core for spent in theirs)
        ratio = median(a.per_core / b.per_core for a, b in zip(ours, theirs, strict=True))
        sync = median(spent.per_core for spent in blocking)
        note += f"; baseline: isolated-vm, apply; its applySync, which blocks the process, {sync:,.0f}/s"
    one_op = batch == 1
    fast = value >= bar
    return Row(
        name=name,
        value=value,
        unit="events/s",
        baseline=baseline,
        ratio=ratio,
        target=f">= {bar:,}/s and >= {RATIO_BAR} x isolated-vm" if one_op else f">= {bar:,}/s",
        ok=fast and (not one_op or (ratio is not None and ratio >= RATIO_BAR)),
        note=note,
        runs=[spent.per_core for spent in ours],
    )
