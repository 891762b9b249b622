"""What a worker process makes of its frames: in odd orders, in great numbers, or none of ours at all."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from flora_core.wire import pipe
from flora_core.wire.control import Limits, Outcome
from flora_core.wire.pipe import Kind, Pong, Ready
from flora_runtime.supervisor.process import Ended
from flora_runtime.worker.script import GENERATION_BITS
from tests.integration.runtime.worker_under_test import WorkerUnderTest

PONG = "on('messageCreate', async (ctx) => { await ctx.reply('pong ' + ctx.msg.content); });"
BUSY = "on('messageCreate', () => { const end = Date.now() + 60; while (Date.now() < end); console.log('over'); });"


@pytest.fixture
async def single() -> AsyncIterator[WorkerUnderTest]:
    """A worker on the platform's own reactor: what is told here does not depend on it."""
    started = WorkerUnderTest()
    await started.start()
    yield started
    await started.stop()


async def replies(worker: WorkerUnderTest, count: int, guild: str = "1") -> list[str]:
    return [args["body"]["content"] for _, _, args in await worker.wait_ops(count, guild)]


# ---------------------------------------------------------------- starting and ending


async def test_a_worker_says_who_it_is_before_anything_else(single: WorkerUnderTest) -> None:
    ready = pipe.decode(single.of(Kind.READY)[0], Ready)
    assert ready.pid == single.process.pid
    assert ready.engine
    assert single.frames[0].kind is Kind.READY


async def test_a_worker_sees_nothing_of_its_supervisors_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_TOKEN", "sesame")
    worker = WorkerUnderTest()
    await worker.start()
    assert b"sesame" not in environment_of(worker.process.pid)
    await worker.stop()


def environment_of(pid: int) -> bytes:
    """Empty where the platform does not tell."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except FileNotFoundError:
        return b""


GARBAGE = {
    "an unknown kind": pipe.HEADER.pack(0, 1, 99),
    "a length beyond the limit": pipe.HEADER.pack(2**32 - 1, 1, Kind.EVENT),
    "a deploy that is none": pipe.encode(Kind.DEPLOY, b'{"revision":"x"}', guild="1"),
    "a configuration that is none": pipe.encode(Kind.CONFIGURE, b"[]"),
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_on_its_pipe_ends_a_worker_rather_than_confuse_it(
    single: WorkerUnderTest, data: bytes
) -> None:
    assert single.process._transport is not None
    single.process._transport.write(data)
    assert (await single.wait(lambda: single.gone))[0] is Ended.BY_ITSELF
    assert await single.process.reap() != 0


@pytest.mark.parametrize(
    "data", [pipe.HEADER.pack(0, 1, 99), pipe.HEADER.pack(2**31, 1, Kind.LOG), b"\xff" * 64]
)
async def test_a_worker_that_sends_garbage_is_ended(single: WorkerUnderTest, data: bytes) -> None:
    single.process.data_received(data)
    reason, detail = await single.wait(lambda: single.gone)
    assert reason is Ended.PROTOCOL
    assert "frame" in detail
    assert await single.process.reap() == -signal.SIGKILL


async def test_a_shutdown_does_not_wait_for_turns_that_run(single: WorkerUnderTest) -> None:
    await single.deploy("on('messageCreate', () => { for (;;); });", limits=Limits(cpu_milliseconds=10_000))
    number = single.event()
    await single.wait(lambda: single.process.recorder.read(0).running)
    single.process.send(Kind.SHUTDOWN)
    await single.wait(lambda: single.gone)
    entry = single.process.recorder.read(0)
    assert (entry.started, entry.running) == (number, True), "the record outlives the process"
    assert await single.process.reap() == 0


async def test_a_worker_that_is_killed_is_gone_once_and_said_why(single: WorkerUnderTest) -> None:
    single.process.kill(Ended.MEMORY, "it uses 9 MiB")
    single.process.kill(Ended.MEMORY, "it uses 9 MiB")
    assert await single.wait(lambda: single.gone) == (Ended.MEMORY, "it uses 9 MiB")
    assert await single.process.reap() == -signal.SIGKILL
    assert single.process.rss_bytes() == 0


async def test_ctrl_c_is_the_supervisors_business(single: WorkerUnderTest) -> None:
    await single.deploy(PONG)
    os.kill(single.process.pid, signal.SIGINT)
    single.event("alive")
    assert await replies(single, 1) == ["pong alive"]


async def test_a_worker_tells_how_much_it_does(single: WorkerUnderTest) -> None:
    for guild in ("1", "2"):
        await single.deploy(PONG, guild=guild)
    single.process.send(Kind.PING)
    pong = (await single.wait(lambda: single.of(Kind.PONG)))[0]
    assert pipe.decode(pong, Pong) == Pong(isolates=2, busy=0, stuck=[])


# ---------------------------------------------------------------- frames for nobody


async def test_frames_for_guilds_that_are_not_here_are_ignored(single: WorkerUnderTest) -> None:
    single.event(guild="404")
    single.answer(1 << GENERATION_BITS, guild="404")
    single.process.send(Kind.UNLOAD, guild="404")
    await single.deploy(PONG)
    single.event("still here")
    assert await replies(single, 1) == ["pong still here"]
    assert single.turns("404") == []


async def test_answers_to_isolates_that_never_were_settle_nothing(single: WorkerUnderTest) -> None:
    await single.deploy(
        "on('messageCreate', async (ctx) => { const m = await ctx.reply('x'); console.log('got', m.id); });"
    )
    single.event()
    ((op, _, _),) = await single.wait_ops(1)
    for wrong in (0, 1, op + (1 << GENERATION_BITS), op + 1):
        single.answer(wrong, {"id": "666", "channel_id": "77"})
    single.answer(op, {"id": "222", "channel_id": "77"})
    await single.wait_log("got 222")
    single.answer(op, {"id": "333", "channel_id": "77"})  # the same answer twice
    single.event()
    await single.wait_ops(2)
    assert [line.text for line in single.logs()] == ["got 222"]


async def test_a_broadcast_reaches_all_that_run_and_is_never_counted_as_started(
    single: WorkerUnderTest,
) -> None:
    for guild in ("1", "2"):
        await single.deploy("on('messageCreate', (ctx) => console.log(ctx.msg.content));", guild=guild)
    data = {"id": "1", "channel_id": "7", "content": "all", "author": {"id": "9", "username": "ann"}}
    single.process.send(Kind.BROADCAST, msgspec.json.encode({"t": "MESSAGE_CREATE", "d": data}))
    for guild in ("1", "2"):
        await single.wait_log("all", guild)
    assert [turn.started for guild in ("1", "2") for turn in single.turns(guild) if turn.started] == []
    assert single.process.recorder.read(0).started == 0


# ---------------------------------------------------------------- deploys


def isolates(worker: WorkerUnderTest) -> int | None:
    """How many the worker said it has; asks it again."""
    worker.process.send(Kind.PING)
    pongs = worker.of(Kind.PONG)
    return pipe.decode(pongs[-1], Pong).isolates if pongs else None


async def test_events_that_cross_a_deploy_are_handled_once_by_one_of_the_two(worker: WorkerUnderTest) -> None:
    await worker.deploy(PONG)
    worker.start_deploy(PONG.replace("pong", "new"), revision=2)
    numbers = [worker.event(str(number)) for number in range(30)]
    handled = [content.split() for content in await replies(worker, 30)]
    assert sorted(int(number) for _, number in handled) == list(range(30))
    for by in ("pong", "new"):
        mine = [int(number) for who, number in handled if who == by]
        assert mine == sorted(mine), "each starts its own in order"
    assert max(turn.started for turn in worker.turns()) == numbers[-1]


async def test_a_guild_can_be_unloaded_while_its_handlers_wait_and_come_back(worker: WorkerUnderTest) -> None:
    await worker.deploy("on('messageCreate', async (ctx) => { await ctx.reply('x'); console.log('late'); });")
    worker.event()
    ((op, _, _),) = await worker.wait_ops(1)
    worker.process.send(Kind.UNLOAD, guild="1")
    await worker.deploy(PONG, revision=2)
    worker.answer(op)
    worker.event("back")
    assert (await replies(worker, 2))[1] == "pong back"
    assert worker.logs() == []
    await worker.wait(lambda: isolates(worker) == 1)


async def test_a_guild_that_is_unloaded_before_its_deploy_began_never_loads(single: WorkerUnderTest) -> None:
    for guild in ("1", "2", "3"):
        single.start_deploy(PONG, guild=guild)
    single.process.send(Kind.UNLOAD, guild="3")
    single.process.send(Kind.PING)
    for guild in ("1", "2"):
        await single.wait(lambda guild=guild: single.of(Kind.LOADED, guild))
    await single.wait(lambda: isolates(single) == 2)
    assert single.of(Kind.LOADED, "3") == []


async def test_a_bundle_larger_than_its_memory_fails_to_load_and_harms_nobody(
    single: WorkerUnderTest,
) -> None:
    await single.deploy(PONG, guild="2")
    code = "globalThis.data = Array.from({ length: 3e6 }, (_, i) => ({ i }));"
    single.start_deploy(code, limits=Limits(memory_mebibytes=16, cpu_milliseconds=10_000))
    failed = await single.failed()
    assert failed.outcome is Outcome.EXCEEDED_MEMORY
    assert "16 MiB" in failed.error.message
    single.event("x", guild="2")
    assert await replies(single, 1, "2") == ["pong x"]


async def test_a_bundle_of_megabytes_arrives_whole(single: WorkerUnderTest) -> None:
    text = "é🌸" * 500_000
    await single.deploy(f"const text = {text!r}; console.log(text.length, text.endsWith('é🌸'));")
    await single.wait_log("1500000 true")


async def test_draining_starts_nothing_more_of_what_waits(single: WorkerUnderTest) -> None:
    await single.deploy(BUSY)
    numbers = [single.event() for _ in range(8)]
    await single.wait(lambda: single.process.recorder.read(0).running)
    single.process.send(Kind.DRAIN)
    single.process.send(Kind.PING)
    await single.wait(lambda: single.of(Kind.PONG))
    await single.wait(lambda: not single.process.recorder.read(0).running)
    entry = single.process.recorder.read(0)
    await asyncio.sleep(0.05)
    assert single.process.recorder.read(0) == entry
    assert entry.started < numbers[-1]


async def test_a_worker_that_drains_tells_at_once_what_has_ended(single: WorkerUnderTest) -> None:
    await single.deploy("on('messageCreate', async (ctx) => { await ctx.reply('x'); });")
    number = single.event()
    ((op, _, _),) = await single.wait_ops(1)
    single.process.send(Kind.DRAIN)
    single.answer(op)
    await single.wait(lambda: number in single.done(), seconds=0.9)


async def test_a_guild_that_sets_and_clears_timers_keeps_its_worker_small(single: WorkerUnderTest) -> None:
    await single.deploy(
        "on('messageCreate', async (ctx) => { for (let turn = 0; turn < 100; turn++) {"
        " for (let i = 0; i < 900; i++) clearTimeout(setTimeout(() => {}, 1e9 - turn));"
        " await new Promise((resolve) => setTimeout(resolve, 0)); } await ctx.reply('done'); });"
        "on('messageUpdate', (ctx) => setTimeout(() => ctx.reply('later'), 20));"
    )
    single.event()
    await single.wait_ops(1)
    single.event(type_="MESSAGE_UPDATE")
    await single.wait_ops(2)


# ---------------------------------------------------------------- the flight recorder


async def test_each_guild_is_recorded_in_its_own_slot(single: WorkerUnderTest) -> None:
    for guild in ("1", "2"):
        await single.deploy(PONG, guild=guild)
    first = single.event(guild="1")
    second = single.event(guild="2")
    for guild in ("1", "2"):
        await single.wait_ops(1, guild)
    await single.wait(lambda: not any(single.process.recorder.read(slot).running for slot in (0, 1)))
    assert [single.process.recorder.read(slot).started for slot in (0, 1)] == [first, second]


# ---------------------------------------------------------------- timers


async def test_a_thousand_timers_fire_once_each_in_order(worker: WorkerUnderTest) -> None:
    await worker.deploy(
        "const seen = []; for (let i = 0; i < 1_000; i++) setTimeout(() => { seen.push(i); "
        " if (seen.length === 1_000) console.log(seen.every((n, at) => n === at)); }, 5 + (i / 100 | 0));"
    )
    assert (await worker.wait_log("")).text == "true"


async def test_timers_that_were_cleared_never_fire(single: WorkerUnderTest) -> None:
    await single.deploy(
        "const timers = []; for (let i = 0; i < 500; i++) timers.push(setTimeout(() => console.log('no'), 10));"
        "timers.forEach((t) => clearTimeout(t)); setTimeout(() => console.log('yes'), 30);"
    )
    await single.wait_log("yes")
    assert [line.text for line in single.logs()] == ["yes"]


async def test_a_timer_that_came_due_during_the_turn_that_clears_it_never_fires(
    worker: WorkerUnderTest,
) -> None:
    await worker.deploy(
        "on('messageCreate', () => { const end = Date.now() + 250; while (Date.now() < end); clearTimeout(t);"
        " setTimeout(() => console.log('after'), 15); }); const t = setTimeout(() => console.log('no'), 200);",
        limits=Limits(cpu_milliseconds=5_000),
    )
    worker.event()
    await worker.wait(worker.logs)
    assert [line.text for line in worker.logs()] == ["after"]


async def test_timers_of_a_script_that_was_replaced_fire_no_more(worker: WorkerUnderTest) -> None:
    await worker.deploy("setInterval(() => console.log('old'), 60);")
    await worker.wait_log("old")
    await worker.deploy("setTimeout(() => console.log('new'), 150);", revision=2)
    at = len(worker.logs())
    await worker.wait_log("new")
    assert [line.text for line in worker.logs()[at:]] == ["new"]


# ---------------------------------------------------------------- logs


async def test_lines_keep_their_order_and_level(single: WorkerUnderTest) -> None:
    await single.deploy(
        "console.debug('a'); console.log('b'); console.info('c'); console.warn('d'); console.error('e');"
    )
    lines = await single.wait(lambda: found if len(found := single.logs()) == 5 else None)
    assert [(line.level, line.text) for line in lines] == [
        ("debug", "a"),
        ("info", "b"),
        ("info", "c"),
        ("warn", "d"),
        ("error", "e"),
    ]
    assert {line.source for line in lines} == {"script"}


def source_map(*sources: str) -> str:
    """A map whose generated line n + 3 is line n + 1 of the first source; the wrapper's lines have none."""
    return msgspec.json.encode(
        {"version": 3, "sources": sources, "names": [], "mappings": ";" + ";".join(["AAAA"] + ["AACA"] * 5)}
    ).decode()


async def test_a_stack_is_told_in_the_authors_own_lines(single: WorkerUnderTest) -> None:
    await single.deploy(
        "on('messageCreate',\n() => { throw new Error('mapped'); });", source_map=source_map("src/bot.ts")
    )
    single.event()
    line = await single.wait_log("mapped")
    assert "src/bot.ts:2:" in line.stack
    assert "bundle.js" not in line.stack


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[]", '{"version":9}', base64.b64encode(b"\0" * 5000).decode()]
)
async def test_a_source_map_that_is_none_leaves_the_stack_as_it_is(
    single: WorkerUnderTest, text: str
) -> None:
    await single.deploy("on('messageCreate', () => { throw new Error('here'); });", source_map=text)
    single.event()
    line = await single.wait_log("here")
    assert "bundle.js:2:" in line.stack
    single.event()
    await single.wait(lambda: len(single.logs()) == 2)
