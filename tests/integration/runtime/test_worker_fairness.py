"""What one guild does to its neighbours on the same worker: nothing that they would notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from flora_core.wire import pipe
from flora_core.wire.pipe import Kind, OverBudget
from flora_runtime.worker.budget import OP_NS
from tests.integration.runtime.worker_under_test import WorkerUnderTest

PONG = "on('messageCreate', async (ctx) => { await ctx.reply('pong'); });"


def busy(milliseconds: int) -> str:
    return (
        "on('messageCreate', async (ctx) => { const end = performance.now() + "
        f"{milliseconds}; while (performance.now() < end); await ctx.reply('done'); }});"
    )


async def test_turns_are_shared_round_robin(worker: WorkerUnderTest) -> None:
    """A hundred events of one guild, then one of another: that one does not wait for the hundred."""
    await worker.deploy(busy(5), guild="1")
    await worker.deploy(PONG, guild="2")
    for _ in range(30):
        worker.event(guild="1")
    worker.event(guild="2")
    await worker.wait_ops(1, "2")
    assert len(worker.ops("1")) < 30


@pytest.fixture
async def tight() -> AsyncIterator[WorkerUnderTest]:
    """A worker whose guilds have a fifth of a second of CPU time a minute."""
    started = WorkerUnderTest()
    await started.start(cpu_seconds=0.2)
    yield started
    await started.stop()


@pytest.mark.parity(48)
async def test_a_guild_that_used_up_its_cpu_time_waits_and_its_neighbour_does_not(
    tight: WorkerUnderTest,
) -> None:
    await tight.deploy(busy(40), guild="1")
    await tight.deploy(PONG, guild="2")
    for _ in range(40):
        tight.event(guild="1")
    over = await tight.wait_for(Kind.OVER_BUDGET, OverBudget, "1")
    assert over.minutes == 0
    answered = len(tight.ops("1"))
    tight.event(guild="2")
    await tight.wait_ops(1, "2")
    await asyncio.sleep(0.3)
    assert answered <= len(tight.ops("1")) <= answered + 2, "held back, not ended"
    assert tight.of(Kind.RECYCLED) == []


async def test_calls_count_too_for_others_carry_them_out(tight: WorkerUnderTest) -> None:
    loaded = await tight.deploy(
        "on('messageCreate', (ctx) => { for (let i = 0; i < 100; i++) ctx.reply('x'); });"
    )
    calls: list[int] = []
    while not tight.of(Kind.OVER_BUDGET):
        wanted = len(calls) + 100
        tight.event()
        await tight.wait(lambda wanted=wanted: len(tight.ops()) >= wanted or tight.of(Kind.OVER_BUDGET))
        more = [op for op, *_ in tight.ops()[len(calls) :]]
        calls += more
        for op in more:
            tight.answer(op)
    own = sum(turn.cpu_ns for turn in tight.turns()) / 1e9
    loading = loaded.milliseconds / 1e3  # comes out of the same budget
    assert own < 0.2 < own + loading + len(calls) * OP_NS / 1e9, "not by its own turns alone"


async def test_without_a_budget_nobody_is_held_back(worker: WorkerUnderTest) -> None:
    await worker.deploy(busy(20), guild="1")
    for _ in range(32):
        worker.event(guild="1")
    await worker.wait_ops(32, "1")
    assert worker.of(Kind.OVER_BUDGET) == []


async def test_lines_over_the_rate_never_reach_the_pipe(worker: WorkerUnderTest) -> None:
    await worker.deploy(
        "on('messageCreate', () => { for (let i = 0; i < 900; i++) console.log(`n ${i}`); });"
    )
    worker.event()
    left_out = await worker.wait(lambda: sum(line.suppressed for line in worker.logs()))
    written = [line for line in worker.logs() if not line.suppressed]
    assert (len(written), left_out) == (100, 800)


async def test_errors_over_the_rate_are_not_even_mapped(worker: WorkerUnderTest) -> None:
    await worker.deploy(
        "on('messageCreate', () => { for (let i = 0; i < 500; i++) Promise.reject(new Error('x')); });"
    )
    worker.event()
    await worker.wait(worker.logs)
    await worker.deploy(PONG, guild="2")
    assert len([line for line in worker.logs() if not line.suppressed]) <= 100


async def test_a_worker_that_is_asked_gives_an_isolate_back(worker: WorkerUnderTest) -> None:
    await worker.deploy(PONG)
    worker.send(Kind.HIBERNATE, pipe.Hibernate(60), "1")
    await worker.wait(lambda: worker.of(Kind.HIBERNATED, "1"))
    worker.event()
    await worker.deploy(PONG, revision=2)
    worker.event()
    await worker.wait_ops(1)
    assert len(worker.ops()) == 1, "what came in between is the supervisor's to send again"


@pytest.mark.parametrize(
    "code",
    [
        "setTimeout(() => {}, 30_000);",
        "on('messageCreate', () => new Promise(() => {}));",
        "on('messageCreate', (ctx) => { setTimeout(() => ctx.reply('later'), 20_000); });",
    ],
    ids=["a timer", "a handler", "a timer of a handler"],
)
async def test_it_does_not_while_something_goes_on(worker: WorkerUnderTest, code: str) -> None:
    await worker.deploy(code)
    number = worker.event()
    await worker.wait(lambda: any(turn.started >= number for turn in worker.turns()) or "on(" not in code)
    worker.send(Kind.HIBERNATE, pipe.Hibernate(60), "1")
    await worker.deploy(PONG, guild="2")
    assert worker.of(Kind.HIBERNATED) == []


async def test_a_timer_far_away_keeps_nobody_awake(worker: WorkerUnderTest) -> None:
    await worker.deploy("setTimeout(() => {}, 3_600_000);")
    worker.send(Kind.HIBERNATE, pipe.Hibernate(60), "1")
    await worker.wait(lambda: worker.of(Kind.HIBERNATED, "1"))


async def test_a_guild_the_worker_does_not_know_cannot_sleep(worker: WorkerUnderTest) -> None:
    worker.send(Kind.HIBERNATE, pipe.Hibernate(0), "404")
    await worker.deploy(PONG)
    assert worker.of(Kind.HIBERNATED) == []
