"""When a pod that was told to stop may leave: who answers what, and for how long nobody is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from flora_core.wire.control import Retire
from flora_runtime.supervisor import retirement
from flora_runtime.supervisor.retirement import Retirement

LET_GO, TIME_UP, NOBODY = "the operator let it go", "its time was up", "nobody answered"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retirement, "ANSWER_SECONDS", 0.05)


async def outcome(longest: float, *steps: Callable[[Retirement], None], pause: float = 0.02) -> str:
    """Why the wait was over, with these answers a while apart."""
    leaving = Retirement(longest=longest)
    waiting = asyncio.create_task(leaving.wait())
    for step in steps:
        await asyncio.sleep(pause)
        step(leaving)
    async with asyncio.timeout(2):
        return await waiting


def go(leaving: Retirement) -> None:
    leaving.answer(Retire(1, leaving.process))


def stay(leaving: Retirement) -> None:
    leaving.answer(Retire(1, leaving.process, wait=True))


def to_another_process(leaving: Retirement) -> None:
    leaving.answer(Retire(1, "of the one before"))


async def test_a_pod_leaves_as_soon_as_it_may() -> None:
    assert await outcome(60, go) == LET_GO


async def test_a_pod_that_should_wait_serves_on_until_it_may_leave() -> None:
    leaving = Retirement(longest=60)
    waiting = asyncio.create_task(leaving.wait())
    stay(leaving)
    await asyncio.sleep(0.15)
    assert not waiting.done(), "longer than it would wait for an answer"
    stay(leaving)
    go(leaving)
    assert await waiting == LET_GO


async def test_without_an_answer_it_leaves_soon() -> None:
    assert await outcome(60) == NOBODY


async def test_an_answer_to_an_earlier_process_is_none() -> None:
    assert await outcome(60, to_another_process) == NOBODY


async def test_an_answer_that_came_before_it_asked_counts() -> None:
    leaving = Retirement(longest=60)
    go(leaving)
    assert await leaving.wait() == LET_GO


async def test_nobody_is_waited_for_longer_than_the_grace_period_allows() -> None:
    assert await outcome(0.1, stay) == TIME_UP


async def test_a_grace_period_shorter_than_the_answer_takes_is_kept_to() -> None:
    assert await outcome(0.01) == TIME_UP


async def test_being_cancelled_is_not_an_answer() -> None:
    waiting = asyncio.create_task(Retirement(longest=60).wait())
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_every_process_has_its_own_name() -> None:
    assert len({Retirement(longest=1).process for _ in range(50)}) == 50
