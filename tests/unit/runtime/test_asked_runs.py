"""Waiting for the end of a run that was asked for."""

from __future__ import annotations

import asyncio

import pytest

from flora_core.wire.control import Outcome
from flora_core.wire.pipe import Done
from flora_runtime.supervisor.asked_runs import AskedRuns
from flora_runtime.supervisor.backlog import Backlog, Waiting


@pytest.fixture
def runs() -> AskedRuns:
    return AskedRuns()


def event(number: int) -> Waiting:
    return Waiting(number, 0, "__cron:x", b"")


async def begin(runs: AskedRuns, run: Waiting, *, guild: str = "1", seconds: float = 5) -> asyncio.Task[Done]:
    waiting = asyncio.create_task(runs.wait(guild, run, seconds=seconds))
    await asyncio.sleep(0)
    return waiting


async def test_a_run_ends_as_its_event_settles(runs: AskedRuns) -> None:
    waiting = await begin(runs, event(7))
    runs.settled("1", Done(7, Outcome.EXCEPTION, 12.0))
    assert await waiting == Done(7, Outcome.EXCEPTION, 12.0)
    assert not runs, "nobody waits any more"


async def test_other_events_and_other_guilds_do_not_count(runs: AskedRuns) -> None:
    waiting = await begin(runs, event(7))
    assert not runs.settled("1", Done(6, Outcome.OK, 1.0))
    assert not runs.settled("2", Done(7, Outcome.OK, 1.0))
    assert not waiting.done()
    assert runs.settled("1", Done(7, Outcome.OK, 1.0))
    assert (await waiting).outcome is Outcome.OK


async def test_a_run_that_was_given_up_before_it_began_is_canceled(runs: AskedRuns) -> None:
    run = event(0)
    waiting = await begin(runs, run)
    runs.dropped("1", [event(0)])
    assert not waiting.done()
    runs.dropped("1", [event(0), run])
    assert (await waiting).outcome is Outcome.CANCELED


async def test_a_run_is_known_by_the_number_that_it_gets_when_it_is_sent(runs: AskedRuns) -> None:
    run = event(0)
    waiting = await begin(runs, run)
    run.number = 9
    runs.settled("1", Done(9, Outcome.OK, 1.0))
    assert (await waiting).outcome is Outcome.OK


async def test_a_run_without_end_is_no_longer_waited_for(runs: AskedRuns) -> None:
    assert (await runs.wait("1", event(7), seconds=0.01)).outcome is Outcome.CANCELED
    assert not runs


async def test_who_stops_waiting_is_forgotten(runs: AskedRuns) -> None:
    waiting = await begin(runs, event(7))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not runs


async def test_an_event_that_settles_twice_counts_once(runs: AskedRuns) -> None:
    waiting = await begin(runs, event(7))
    runs.settled("1", Done(7, Outcome.OK, 1.0))
    runs.settled("1", Done(7, Outcome.KILLED, 2.0))
    assert (await waiting).outcome is Outcome.OK


def test_the_backlog_knows_what_was_queued_last_of_a_type() -> None:
    backlog = Backlog(limit=2)
    assert backlog.newest("__cron:x") is None
    backlog.add("__cron:x", 0, b"first")
    backlog.add("MESSAGE_CREATE", 1, b"")
    assert backlog.add("MESSAGE_CREATE", 2, b"") is not None
    first = backlog.newest("__cron:x")
    assert first is not None
    assert first.body == b"first"
    assert backlog.to_send()[0] is first
    backlog.add("__cron:x", 0, b"second")
    newest = backlog.newest("__cron:x")
    assert newest is not None
    assert newest.body == b"second"
    backlog.started(2)
    assert backlog.to_send() == [newest]
    backlog.started(3)
    assert backlog.newest("__cron:x") is None
