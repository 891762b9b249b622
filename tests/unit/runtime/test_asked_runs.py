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


async def begin(runs: AskedRuns, number: int, *, guild: str = "1", seconds: float = 5) -> asyncio.Task[Done]:
    waiting = asyncio.create_task(runs.wait(guild, number, seconds=seconds))
    await asyncio.sleep(0)
    return waiting


async def test_a_run_ends_as_its_event_settles(runs: AskedRuns) -> None:
    waiting = await begin(runs, 7)
    runs.settled("1", Done(7, Outcome.EXCEPTION, 12.0))
    assert await waiting == Done(7, Outcome.EXCEPTION, 12.0)
    assert not runs, "nobody waits any more"


async def test_other_events_and_other_guilds_do_not_count(runs: AskedRuns) -> None:
    waiting = await begin(runs, 7)
    runs.settled("1", Done(6, Outcome.OK, 1.0))
    runs.settled("2", Done(7, Outcome.OK, 1.0))
    assert not waiting.done()
    runs.settled("1", Done(7, Outcome.OK, 1.0))
    assert (await waiting).outcome is Outcome.OK


async def test_a_run_that_was_given_up_before_it_began_is_canceled(runs: AskedRuns) -> None:
    waiting = await begin(runs, 7)
    runs.dropped("1", [Waiting(6, 0, "x", b""), Waiting(7, 0, "__cron:x", b"")])
    assert (await waiting).outcome is Outcome.CANCELED


async def test_a_run_without_end_is_no_longer_waited_for(runs: AskedRuns) -> None:
    assert (await runs.wait("1", 7, seconds=0.01)).outcome is Outcome.CANCELED
    assert not runs


async def test_who_stops_waiting_is_forgotten(runs: AskedRuns) -> None:
    waiting = await begin(runs, 7)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not runs


async def test_an_event_that_settles_twice_counts_once(runs: AskedRuns) -> None:
    waiting = await begin(runs, 7)
    runs.settled("1", Done(7, Outcome.OK, 1.0))
    runs.settled("1", Done(7, Outcome.KILLED, 2.0))
    assert (await waiting).outcome is Outcome.OK


def test_the_backlog_knows_the_number_of_what_was_queued_last() -> None:
    backlog = Backlog(limit=1)
    assert backlog.last == 0
    assert backlog.add("MESSAGE_CREATE", 1, b"") is None
    assert backlog.last == 1
    assert backlog.add("MESSAGE_CREATE", 2, b"") is not None
    assert backlog.last == 1, "a dropped event has no number"
