"""Turns that take long run when no other wants the core, and only for as long as they last."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from flora_core.wire.control import Limits
from flora_core.wire.pipe import Kind, Ready
from flora_runtime.worker.priority import Priority
from tests.integration.runtime.worker_under_test import WorkerUnderTest

BUSY = (
    "on('messageCreate', async (ctx) => { const end = Date.now() + 400; while (Date.now() < end);"
    " await ctx.reply('done'); });"
)
LIMITS = Limits(cpu_milliseconds=5000)
MAY = Priority().can_demote


def idle_threads(worker: WorkerUnderTest) -> set[int]:
    pid = worker.process.pid
    threads = [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]
    return {thread for thread in threads if os.sched_getscheduler(thread) == os.SCHED_IDLE}


async def test_a_long_turn_gives_way_until_it_ends(worker: WorkerUnderTest) -> None:
    await worker.deploy(BUSY, limits=LIMITS)
    assert not idle_threads(worker)
    seen = 0
    worker.event()
    while not worker.ops():
        seen = max(seen, len(idle_threads(worker)))
        await asyncio.sleep(0.01)
    assert seen == (1 if MAY else 0)
    await worker.wait(lambda: not idle_threads(worker))


async def test_a_turn_that_is_told_to_stop_need_not_give_way(worker: WorkerUnderTest) -> None:
    idle: list[set[int]] = []
    for revision in (1, 2):
        await worker.deploy(
            "on('messageCreate', () => { for (;;); });",
            revision=revision,
            limits=Limits(cpu_milliseconds=100),
        )
        worker.event()
        await worker.wait(lambda count=revision: len(worker.of(Kind.RECYCLED)) == count)
        idle.append(idle_threads(worker))
    assert idle[0] <= idle[1], "none but the thread that tears heaps down"
    assert len(idle[1]) <= 1


async def test_where_turns_cannot_give_way_that_is_told(worker: WorkerUnderTest) -> None:
    ready = await worker.wait_for(Kind.READY, Ready, "")
    assert any("give way" in warning for warning in ready.warnings) == (not MAY)


def test_a_thread_that_was_demoted_and_restored_is_as_before() -> None:
    priority, before = Priority(), os.sched_getscheduler(0)
    assert before != os.SCHED_IDLE
    if priority.can_demote:
        thread = os.getpid()
        priority.demote(thread)
        assert os.sched_getscheduler(0) == os.SCHED_IDLE
        priority.restore(thread)
        assert os.sched_getscheduler(0) == os.SCHED_BATCH
        os.sched_setscheduler(0, before, os.sched_param(0))


def test_threads_that_are_gone_are_no_error() -> None:
    Priority().demote(2**22 - 1)
    Priority().restore(2**22 - 1)
