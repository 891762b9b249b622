"""Rejected promises that nobody handles are told of; those that somebody does are not."""

from __future__ import annotations

import asyncio

from flora_core.wire.control import Outcome
from flora_runtime.worker.rejections import TOO_MANY
from tests.integration.runtime.worker_under_test import WorkerUnderTest


def handler(body: str) -> str:
    return f"on('messageCreate', async (ctx) => {{ {body} }});"


async def test_a_forgotten_await_is_told_of_with_its_place(worker: WorkerUnderTest) -> None:
    await worker.deploy(handler("\nPromise.reject(new TypeError('forgotten')); console.log('went on');"))
    number = worker.event()
    line = await worker.wait_log("unhandled rejection: TypeError: forgotten")
    assert (line.level, line.outcome) == ("error", Outcome.EXCEPTION)
    assert "bundle.js:3:16" in line.stack
    await worker.wait_log("went on")
    assert worker.done().get(number, Outcome.OK) == Outcome.OK, "the handler itself did well"


async def test_a_reply_that_nobody_awaits_and_that_fails_is_told_of(worker: WorkerUnderTest) -> None:
    await worker.deploy(handler("ctx.reply('x');"))
    worker.event()
    ((op, _, _),) = await worker.wait_ops(1)
    worker.answer(op, {"code": "SCOPE_FORBIDDEN", "message": "Forbidden: no", "status": 403}, ok=False)
    await worker.wait_log("unhandled rejection: FloraError: Forbidden: no")


async def test_a_rejection_that_is_handled_in_the_same_turn_is_not_told_of(worker: WorkerUnderTest) -> None:
    await worker.deploy(
        handler(
            "const p = Promise.reject(new Error('caught')); await null; await null; p.catch(() => {});"
            " try { await (async () => { throw new Error('also caught'); })(); } catch {} console.log('done');"
        )
    )
    worker.event()
    await worker.wait_log("done")
    await asyncio.sleep(0.05)
    assert [line.text for line in worker.logs()] == ["done"]


async def test_a_handlers_own_failure_is_told_of_once(worker: WorkerUnderTest) -> None:
    await worker.deploy(handler("throw new Error('mine');"))
    worker.event()
    await worker.wait_log("Error: mine")
    await asyncio.sleep(0.05)
    assert len(worker.logs()) == 1


async def test_anything_may_be_rejected_with(worker: WorkerUnderTest) -> None:
    await worker.deploy(
        handler(
            "Promise.reject('text'); Promise.reject(undefined); Promise.reject({ a: 1 });"
            " Promise.reject(new Proxy({}, { get() { throw 1; } })); Promise.reject(Symbol('s'));"
        )
    )
    worker.event()
    await worker.wait(lambda: len(worker.logs()) == 5)
    assert all(line.text.startswith("unhandled rejection: ") for line in worker.logs())


async def test_a_storm_of_rejections_is_told_of_as_one(worker: WorkerUnderTest) -> None:
    storm = "for (let i = 0; i < 5000; i++) Promise.reject(new Error('storm'));"
    await worker.deploy(
        handler(f"if (ctx.msg.content !== 'calm') {{ {storm} }} Promise.reject(new Error('calm'));")
    )
    worker.event()
    await worker.wait_log("more than 256 promises were rejected in one turn")
    assert [line.text for line in worker.logs()] == [f"unhandled rejection: {TOO_MANY}"]
    worker.event(content="calm")
    await worker.wait_log("unhandled rejection: Error: calm")
    await worker.deploy(handler("await ctx.reply('alive');"), guild="2")
    worker.event(guild="2")
    await worker.wait_ops(1, "2")


async def test_calls_that_are_refused_and_caught_are_no_storm(worker: WorkerUnderTest) -> None:
    await worker.deploy(
        handler("for (let i = 0; i < 1000; i++) ctx.reply('x').catch(() => {}); console.log('done');")
    )
    worker.event()
    await worker.wait_log("done")
    await asyncio.sleep(0.05)
    assert [line.text for line in worker.logs()] == ["done"]
