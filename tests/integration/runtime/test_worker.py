"""Guild scripts in a real worker process: turns, ops, timers, deploys."""

from __future__ import annotations

import pytest

from flora_core.wire.control import Limits, Outcome
from flora_core.wire.pipe import Kind
from tests.integration.runtime.worker_under_test import WorkerUnderTest

PONG = "on('messageCreate', async (ctx) => { await ctx.reply('pong'); });"


async def test_an_event_becomes_a_reply(worker: WorkerUnderTest) -> None:
    loaded = await worker.deploy(PONG)
    assert loaded.events == ["messageCreate"]
    number = worker.event()
    ((op, name, args),) = await worker.wait_ops(1)
    assert name == "sendMessage"
    assert args["path"] == {"channel": "77"}
    assert args["body"]["content"] == "pong"
    assert args["body"]["message_reference"]["message_id"] == "5001"
    assert max(turn.started for turn in worker.turns()) == number
    worker.answer(op)
    await worker.wait(lambda: worker.done().get(number) == Outcome.OK)


async def test_a_failed_call_rejects_with_its_code(worker: WorkerUnderTest) -> None:
    await worker.deploy(
        "on('messageCreate', async (ctx) => {"
        " try { await ctx.reply('x'); } catch (error) { console.log(error.code, error.status, error.message); } });"
    )
    worker.event()
    ((op, _, _),) = await worker.wait_ops(1)
    worker.answer(op, {"code": "SCOPE_FORBIDDEN", "message": "Forbidden: no", "status": 403}, ok=False)
    await worker.wait_log("SCOPE_FORBIDDEN 403 Forbidden: no")


async def test_handlers_of_a_guild_start_in_order_and_run_concurrently_at_awaits(
    worker: WorkerUnderTest,
) -> None:
    await worker.deploy(
        "on('messageCreate', async (ctx) => { console.log('start ' + ctx.msg.content);"
        " await ctx.reply(ctx.msg.content); console.log('end ' + ctx.msg.content); });"
    )
    for name in ("a", "b", "c"):
        worker.event(name)
    ops = await worker.wait_ops(3)
    assert [line.text for line in worker.logs()] == ["start a", "start b", "start c"]
    for op, _, _ in reversed(ops):
        worker.answer(op)
    await worker.wait(lambda: len(worker.logs()) == 6)
    assert {line.text for line in worker.logs()[3:]} == {"end a", "end b", "end c"}


async def test_guilds_do_not_see_each_other(worker: WorkerUnderTest) -> None:
    await worker.deploy("globalThis.secret = 'mine'; " + PONG, guild="1")
    await worker.deploy("on('messageCreate', () => console.log(typeof globalThis.secret));", guild="2")
    worker.event(guild="2")
    assert (await worker.wait_log("undefined", "2")).level == "info"
    assert worker.ops("1") == []


async def test_timers_fire_while_no_event_comes(worker: WorkerUnderTest) -> None:
    await worker.deploy(
        "let n = 0; const t = setInterval(() => { console.log('tick ' + ++n); if (n === 3) clearInterval(t); }, 5);"
        "setTimeout(() => console.log('never'), 20_000);"
    )
    await worker.wait_log("tick 3")
    worker.event()
    assert [line.text for line in worker.logs()] == ["tick 1", "tick 2", "tick 3"]


async def test_top_level_await_belongs_to_loading(worker: WorkerUnderTest) -> None:
    worker.start_deploy(
        "await new Promise((resolve) => setTimeout(resolve, 30)); console.log('late'); " + PONG
    )
    await worker.wait(lambda: worker.of(Kind.LOADED))
    assert [line.text for line in worker.logs()] == ["late"]


async def test_a_script_can_call_discord_while_it_loads(worker: WorkerUnderTest) -> None:
    worker.start_deploy(
        "const m = await rest.sendMessage({channelId: '20', content: 'up'}); console.log('loaded with', m.id);"
    )
    ((op, name, _),) = await worker.wait_ops(1)
    assert name == "sendMessage"
    worker.answer(op, {"id": "30"})
    await worker.wait_log("loaded with 30")


async def test_a_new_script_takes_over_and_the_old_one_finishes_its_handlers(worker: WorkerUnderTest) -> None:
    await worker.deploy(
        "on('messageCreate', async (ctx) => { await ctx.reply('old'); console.log('old done'); });"
    )
    worker.event()
    ((op, _, _),) = await worker.wait_ops(1)
    await worker.deploy("on('messageCreate', async (ctx) => { await ctx.reply('new'); });", revision=2)
    worker.event()
    ops = await worker.wait_ops(2)
    assert ops[1][2]["body"]["content"] == "new"
    worker.answer(op)
    await worker.wait_log("old done")


async def test_an_answer_to_the_old_script_never_reaches_the_new_one(worker: WorkerUnderTest) -> None:
    await worker.deploy(PONG)
    worker.event()
    ((old_op, _, _),) = await worker.wait_ops(1)
    await worker.deploy(
        "on('messageCreate', async (ctx) => { const m = await ctx.reply('new'); console.log('got', m.id); });",
        revision=2,
    )
    worker.event()
    ops = await worker.wait_ops(2)
    assert ops[1][0] != old_op
    worker.answer(old_op, {"id": "111", "channel_id": "77"})
    worker.answer(ops[1][0], {"id": "222", "channel_id": "77"})
    await worker.wait_log("got 222")


BROKEN = {
    "a syntax error": ("this is not JavaScript", "SyntaxError"),
    "a throw": ("throw new TypeError('boom')", "TypeError: boom"),
    "a rejected await": ("await Promise.reject(new Error('later'))", "Error: later"),
    "something odd that was thrown": ("throw { a: 1 }", "[object Object]"),
    "nothing that was thrown": ("throw null", "null"),
}


@pytest.mark.parametrize(("code", "text"), BROKEN.values(), ids=BROKEN)
async def test_a_script_that_does_not_load_leaves_the_old_one_running(
    worker: WorkerUnderTest, code: str, text: str
) -> None:
    await worker.deploy(PONG)
    worker.start_deploy(code, revision=2)
    failed = await worker.failed()
    assert (failed.revision, failed.outcome) == (2, Outcome.EXCEPTION)
    assert text in failed.error.message
    worker.event()
    await worker.wait_ops(1)


async def test_a_handler_that_throws_is_logged_and_harms_no_other_event(worker: WorkerUnderTest) -> None:
    await worker.deploy(
        "on('messageCreate', async (ctx) => {"
        " if (ctx.msg.content === 'bad') throw new RangeError('no good'); await ctx.reply('ok'); });"
    )
    bad = worker.event("bad")
    worker.event("good")
    line = await worker.wait_log("RangeError: no good")
    assert (line.level, line.outcome, line.source) == ("error", Outcome.EXCEPTION, "runtime")
    assert worker.done()[bad] == Outcome.EXCEPTION
    await worker.wait_ops(1)


async def test_a_released_guild_is_gone(worker: WorkerUnderTest) -> None:
    await worker.deploy(PONG)
    worker.process.send(Kind.UNLOAD, guild="1")
    worker.event()
    await worker.deploy(PONG, guild="2")
    worker.event(guild="2")
    await worker.wait_ops(1, "2")
    assert worker.ops("1") == []


async def test_ready_reaches_every_script(worker: WorkerUnderTest) -> None:
    for guild in ("1", "2"):
        await worker.deploy(
            "on('ready', (ctx) => console.log('hello ' + ctx.msg.user.username));", guild=guild
        )
    body = b'{"t":"READY","d":{"user":{"id":"3","username":"flora","discriminator":"0"},"application":{"id":"3"}}}'
    worker.process.send(Kind.BROADCAST, body)
    for guild in ("1", "2"):
        await worker.wait_log("hello flora", guild)


async def test_a_draining_worker_starts_nothing_and_finishes_what_runs(worker: WorkerUnderTest) -> None:
    await worker.deploy("on('messageCreate', async (ctx) => { await ctx.reply('x'); console.log('done'); });")
    worker.event()
    ((op, _, _),) = await worker.wait_ops(1)
    worker.process.send(Kind.DRAIN)
    worker.event()
    worker.answer(op)
    await worker.wait_log("done")
    assert len(worker.ops()) == 1


async def test_a_worker_ends_when_its_supervisor_is_gone(worker: WorkerUnderTest) -> None:
    await worker.deploy(PONG)
    assert worker.process._transport is not None
    worker.process._transport.close()
    await worker.wait(lambda: worker.process.process.poll() is not None)


async def test_a_worker_shuts_down_when_told(worker: WorkerUnderTest) -> None:
    await worker.deploy(PONG)
    worker.process.send(Kind.SHUTDOWN)
    await worker.wait(lambda: worker.gone)
    assert await worker.process.reap() == 0


async def test_many_guilds_in_turn_all_get_their_answers(worker: WorkerUnderTest) -> None:
    guilds = [str(n) for n in range(1, 41)]
    for guild in guilds:
        worker.start_deploy(PONG, guild=guild)
    await worker.wait(lambda: len(worker.of(Kind.LOADED)) == len(guilds))
    for _ in range(5):
        for guild in guilds:
            worker.event(guild=guild)
    for guild in guilds:
        await worker.wait_ops(5, guild)


async def test_limits_come_with_each_deploy(worker: WorkerUnderTest) -> None:
    await worker.deploy("on('messageCreate', () => { for (;;); });", limits=Limits(cpu_milliseconds=20))
    worker.event()
    assert (await worker.recycled()).outcome is Outcome.EXCEEDED_CPU
    await worker.wait_log("more than 20 ms of CPU time")
