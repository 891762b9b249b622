"""Questions that are asked together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from flora_api.together import Together
from tests.waiting import until


class Oracle:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.lets = asyncio.Event()
        self.lets.set()
        self.fails: Exception | None = None

    async def ask(self, questions: Sequence[int]) -> list[int]:
        self.asked.append(list(questions))
        await self.lets.wait()
        if self.fails is not None:
            raise self.fails
        return [question * 10 for question in questions]


async def test_one_alone_is_asked_at_once() -> None:
    oracle = Oracle()
    assert await Together(oracle.ask).ask(1) == 10
    assert oracle.asked == [[1]]


async def test_those_who_come_while_an_answer_is_awaited_are_asked_together_next() -> None:
    oracle = Oracle()
    together = Together(oracle.ask)
    oracle.lets.clear()
    first = asyncio.create_task(together.ask(1))
    await until(lambda: oracle.asked)
    others = [asyncio.create_task(together.ask(number)) for number in (2, 3, 4)]
    await asyncio.sleep(0)
    oracle.lets.set()
    assert await asyncio.gather(first, *others) == [10, 20, 30, 40]
    assert oracle.asked == [[1], [2, 3, 4]]


async def test_everybody_gets_his_own_answer_however_they_come() -> None:
    oracle = Oracle()
    together = Together(oracle.ask, most=7, at_once=2)

    async def one(number: int) -> None:
        for turn in range(20):
            assert await together.ask(number + turn) == (number + turn) * 10
            await asyncio.sleep(0)

    await asyncio.gather(*(one(number) for number in range(50)))
    assert max(map(len, oracle.asked)) <= 7


async def test_nobody_is_forgotten_who_comes_when_the_last_answer_does() -> None:
    oracle = Oracle()
    together = Together(oracle.ask)

    async def again() -> int:
        await together.ask(1)
        return await together.ask(2)  # in the same turn of the loop

    async with asyncio.timeout(20):
        assert await again() == 20


async def test_an_error_is_theirs_who_asked_together_and_of_no_others() -> None:
    oracle = Oracle()
    together = Together(oracle.ask)
    oracle.fails = LookupError("no")
    with pytest.raises(LookupError):
        await together.ask(1)
    oracle.fails = None
    assert await together.ask(2) == 20


async def test_who_leaves_takes_nobodys_answer_along() -> None:
    oracle = Oracle()
    together = Together(oracle.ask)
    oracle.lets.clear()
    first, second, third = (asyncio.create_task(together.ask(number)) for number in (1, 2, 3))
    await until(lambda: oracle.asked)
    first.cancel()
    second.cancel()
    oracle.lets.set()
    assert await third == 30
    assert first.cancelled() or first.cancelling()


async def test_what_is_told_is_asked_and_waited_for_by_nobody() -> None:
    oracle = Oracle()
    together = Together(oracle.ask)
    oracle.fails = LookupError("no")
    together.tell(1)
    await until(lambda: oracle.asked)
    oracle.fails = None
    assert await together.ask(2) == 20
    assert oracle.asked == [[1], [2]]


async def test_when_it_closes_those_who_wait_are_cancelled() -> None:
    oracle = Oracle()
    together = Together(oracle.ask)
    oracle.lets.clear()
    first = asyncio.create_task(together.ask(1))
    await until(lambda: oracle.asked)
    second = asyncio.create_task(together.ask(2))
    await asyncio.sleep(0)
    await together.close()
    for task in (first, second):
        with pytest.raises(asyncio.CancelledError):
            await task
