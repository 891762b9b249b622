"""A runtime pod that is told to stop asks first, and serves until it may leave."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter

import pytest

from flora_core.wire.control import Draining
from tests.integration.fleet.fleet import Fleet
from tests.integration.fleet.test_deaths import say
from tests.integration.path.path_under_test import POD


@pytest.fixture
async def leaving(fleet: Fleet) -> Fleet:
    """A fleet whose pod was told to stop, and whose operator has not answered yet."""
    fleet.operator.lets_go = False
    fleet.kill(fleet.runtime, signal.SIGTERM)
    await fleet.wait(lambda: fleet.operator.draining)
    return fleet


async def ended(fleet: Fleet, *, seconds: float = 10.0) -> float:
    """How long it took the pod to end."""
    assert fleet.runtime is not None
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        await fleet.runtime.stopped()
    return time.monotonic() - began


async def test_a_pod_that_may_leave_does_so_at_once(fleet: Fleet) -> None:
    fleet.kill(fleet.runtime, signal.SIGTERM)
    assert await ended(fleet) < 2.5
    assert len(fleet.operator.draining) == 1


async def test_a_pod_serves_while_its_guilds_are_moved_and_leaves_when_they_are(leaving: Fleet) -> None:
    leaving.operator.state.retire(POD, wait=True)
    wanted = await say(leaving, 0, 10)
    await leaving.wait_answers(wanted)
    await asyncio.sleep(3.2)
    wanted |= await say(leaving, 10, 20)
    answers = await leaving.wait_answers(wanted)
    assert max(Counter(answers).values()) == 1, "it waits longer than for an answer, because it got one"
    leaving.operator.state.retire(POD)
    assert await ended(leaving) < 2.5


async def test_without_an_answer_it_serves_three_seconds_more(leaving: Fleet) -> None:
    await leaving.wait_answers(await say(leaving, 0, 5))
    assert 2.0 < await ended(leaving) < 6.0


async def test_without_an_operator_it_leaves_by_itself(fleet: Fleet) -> None:
    await fleet.stop_control()
    fleet.kill(fleet.runtime, signal.SIGTERM)
    assert 2.5 < await ended(fleet) < 6.0


async def test_an_operator_that_comes_back_is_asked_again(leaving: Fleet) -> None:
    leaving.operator.state.retire(POD, wait=True)
    await asyncio.sleep(0.3)
    await leaving.stop_control()
    leaving.operator.lets_go = True
    await leaving.start_control()
    await ended(leaving)
    assert leaving.operator.draining == [leaving.operator.draining[0]] * 2


async def test_told_twice_it_does_not_wait_for_anybody(leaving: Fleet) -> None:
    leaving.operator.state.retire(POD, wait=True)
    leaving.kill(leaving.runtime, signal.SIGTERM)
    assert await ended(leaving) < 2.5


async def test_it_is_gone_before_its_grace_period_is_over_whatever_the_operator_wants(fleet: Fleet) -> None:
    assert fleet.runtime is not None
    await fleet.runtime.stop()
    await fleet.start_runtime(RUNTIME_RETIRE_SECS="1")
    await fleet.ready()
    fleet.operator.lets_go = False
    fleet.kill(fleet.runtime, signal.SIGTERM)
    await fleet.wait(lambda: len(fleet.operator.draining) == 2)
    fleet.operator.state.retire(POD, wait=True)
    assert 0.5 < await ended(fleet) < 3.0


async def test_the_next_process_of_a_pod_does_not_take_the_answer_to_the_one_before(leaving: Fleet) -> None:
    leaving.operator.state.retire(POD)
    await ended(leaving)
    await leaving.start_runtime()
    await leaving.ready()
    leaving.kill(leaving.runtime, signal.SIGTERM)
    await leaving.wait(lambda: len(leaving.operator.draining) == 2)
    first, second = leaving.operator.draining
    assert isinstance(second, Draining)
    assert first != second
    leaving.operator.state.retire(POD, wait=True)
    await asyncio.sleep(1.0)
    await leaving.wait_answers(await say(leaving, 0, 3))
    leaving.operator.state.retire(POD)
    await ended(leaving)
