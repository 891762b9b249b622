"""What a worker does with scripts that take too much, and how their neighbours fare."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from flora_core.wire.control import Limits, Outcome
from flora_core.wire.pipe import Kind, Pong
from flora_runtime.log_rate import LINES
from tests.integration.runtime.worker_under_test import WorkerUnderTest

pytestmark = pytest.mark.parity(49, 50)

PONG = "on('messageCreate', async (ctx) => { await ctx.reply('pong'); });"


def handler(body: str) -> str:
    return f"on('messageCreate', async (ctx) => {{ {body} }});"


GREEDY = {
    "an endless loop": ("while (true) {}", Outcome.EXCEEDED_CPU),
    "an endless loop of promises": ("for (;;) await null;", Outcome.EXCEEDED_CPU),
    "a regular expression without end": ("/^(a+)+$/.test('a'.repeat(50) + 'b');", Outcome.EXCEEDED_CPU),
    "a loop that catches everything": (
        "for (;;) { try { null.x } catch {} finally { continue } }",
        Outcome.EXCEEDED_CPU,
    ),
    "a growing array": ("const a = []; for (;;) a.push({ x: a.length });", Outcome.EXCEEDED_MEMORY),
    "growing buffers": (
        "const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1));",
        Outcome.EXCEEDED_MEMORY,
    ),
}


@pytest.mark.parametrize(("body", "outcome"), GREEDY.values(), ids=GREEDY)
async def test_what_takes_too_much_is_ended_and_its_neighbours_answer(
    worker: WorkerUnderTest, body: str, outcome: Outcome
) -> None:
    await worker.deploy(handler(body), guild="1", limits=Limits(cpu_milliseconds=1500))
    await worker.deploy(PONG, guild="2")
    number = worker.event(guild="1")
    worker.event(guild="2")
    await worker.wait_ops(1, "2")
    recycled = await worker.recycled()
    assert (recycled.outcome, recycled.lost) == (outcome, [number])
    line = await worker.wait_log("the script used more than" if outcome is Outcome.EXCEEDED_MEMORY else "CPU")
    assert (line.level, line.outcome) == ("error", outcome)


async def test_a_recycled_script_is_gone_until_it_is_deployed_again(worker: WorkerUnderTest) -> None:
    script = handler("if (ctx.msg.content === 'loop') while (true) {} await ctx.reply('fine');")
    await worker.deploy(script, limits=Limits(cpu_milliseconds=30))
    worker.event("loop")
    await worker.recycled()
    worker.event("hello")
    await asyncio.sleep(0.05)
    assert worker.ops() == []
    await worker.deploy(script, revision=2)
    worker.event("hello")
    await worker.wait_ops(1)


async def test_a_worker_outlives_isolates_that_collect_while_they_are_thrown_away(
    worker: WorkerUnderTest,
) -> None:
    """V8 goes on collecting young garbage on an isolate's thread when its task has been ended."""
    sorting = "for (;;) Array.from({ length: 1e5 }, (_, i) => [-i]).toSorted();"
    for revision in range(1, 16):
        await worker.deploy(f"on('messageCreate', () => {{ {sorting} }});", revision=revision)
        worker.event()
        await worker.wait(lambda count=revision: len(worker.of(Kind.RECYCLED)) == count)
    assert worker.gone is None


async def test_loading_may_take_longer_than_a_turn_but_not_for_ever(worker: WorkerUnderTest) -> None:
    await worker.deploy(
        "const end = Date.now() + 60; while (Date.now() < end);", limits=Limits(cpu_milliseconds=20)
    )
    worker.start_deploy("while (true) {}", guild="2", limits=Limits(cpu_milliseconds=20))
    failed = await worker.failed("2")
    assert failed.outcome is Outcome.EXCEEDED_CPU
    assert "200 ms of CPU" in failed.error.message


async def test_a_load_that_never_settles_is_given_up() -> None:
    worker = WorkerUnderTest()
    await worker.start(load_seconds=0.3)
    worker.start_deploy("await new Promise(() => {})")
    failed = await worker.failed()
    assert failed.outcome is Outcome.CANCELED
    assert "0.3 s" in failed.error.message
    await worker.stop()


async def test_a_handler_that_never_settles_is_no_longer_waited_for() -> None:
    worker = WorkerUnderTest()
    await worker.start(wall_seconds=0.3)
    await worker.deploy(handler("await new Promise(() => {})"))
    number = worker.event()
    line = await worker.wait_log("had not finished after 0.3 s")
    assert line.outcome is Outcome.CANCELED
    assert worker.done()[number] == Outcome.CANCELED
    assert worker.of(Kind.RECYCLED) == []
    await worker.stop()


async def test_a_handler_may_use_only_so_much_cpu_over_its_turns() -> None:
    worker = WorkerUnderTest()
    await worker.start(handler_seconds=0.2)
    await worker.deploy(
        handler(
            "for (;;) { const end = Date.now() + 40; while (Date.now() < end);"
            " await new Promise((resolve) => setTimeout(resolve, 1)); }"
        )
    )
    number = worker.event()
    recycled = await worker.recycled()
    assert (recycled.outcome, recycled.lost) == (Outcome.EXCEEDED_CPU, [number])
    await worker.wait_log("one handler used more than 0.2 s of CPU time")
    await worker.stop()


async def test_a_handler_that_waits_uses_no_cpu_time_of_its_own() -> None:
    worker = WorkerUnderTest()
    await worker.start(handler_seconds=0.2)
    await worker.deploy(
        handler("await new Promise((resolve) => setTimeout(resolve, 500)); await ctx.reply('patient');")
    )
    worker.event()
    await worker.wait_ops(1)
    await worker.stop()


async def test_output_of_a_turn_is_bounded(worker: WorkerUnderTest) -> None:
    await worker.deploy(
        handler(
            "try { for (;;) console.log('x'.repeat(4000)); }"
            " catch (error) { globalThis.caught = String(error); }"
        )
        + "on('messageUpdate', (ctx) => ctx.reply(globalThis.caught));"
    )
    worker.event()
    left_out = await worker.wait(lambda: [line.suppressed for line in worker.logs() if line.suppressed])
    lines = [line for line in worker.logs() if not line.suppressed]
    assert len(lines) == LINES
    assert (len(lines) + sum(left_out)) * 4000 < 1.2 * (1 << 20)
    worker.event(type_="MESSAGE_UPDATE")
    ((_, _, args),) = await worker.wait_ops(1)
    assert "RangeError: too much output" in args["body"]["content"]


async def test_a_long_line_is_cut(worker: WorkerUnderTest) -> None:
    await worker.deploy(handler("console.log('y'.repeat(100_000));"))
    worker.event()
    line = await worker.wait_log("yyy")
    assert len(line.text) <= 4096


async def test_a_turn_nothing_can_stop_is_reported_as_stuck(worker: WorkerUnderTest) -> None:
    # V8 has no interrupt check inside some builtins; this one gets past the prelude's length checks.
    await worker.deploy(
        handler("const a = []; a.length = 2 ** 32 - 2; [a].flat();"), limits=Limits(cpu_milliseconds=50)
    )
    await worker.deploy(PONG, guild="2")
    worker.event(guild="1")

    def outcome() -> object:
        stuck = [pong for body in worker.of(Kind.PONG) if (pong := _pong(body)).stuck]
        return stuck or worker.of(Kind.RECYCLED) or worker.of(Kind.LOG, "1")

    found = await worker.wait(outcome)
    worker.event(guild="2")
    await worker.wait_ops(1, "2")
    if isinstance(found[0], Pong):
        assert found[0].stuck == ["1"]


def _pong(body: bytes) -> Pong:
    return msgspec.json.decode(body, type=Pong)
