"""Keys that wait, are worked on, come again, and are tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_operator.workqueue import Retry, WorkQueue


@pytest.fixture
async def queue() -> AsyncIterator[WorkQueue[str]]:
    queue = WorkQueue[str]()
    yield queue
    queue.close()


async def test_what_is_added_twice_is_there_once(queue: WorkQueue[str]) -> None:
    for key in ("a", "b", "a"):
        queue.add(key)
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert len(queue) == 0


async def test_what_gets_dirty_under_ones_hands_comes_again_afterwards(queue: WorkQueue[str]) -> None:
    queue.add("a")
    key = await queue.get()
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0
    queue.done(key)
    assert await queue.get() == "a"
    queue.done("a")
    assert queue.idle


async def test_one_waits_for_a_key(queue: WorkQueue[str]) -> None:
    getting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not getting.done()
    queue.add("a")
    assert await getting == "a"


async def test_a_key_wakes_one_worker_and_not_all(
    queue: WorkQueue[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = [asyncio.create_task(queue.get()) for _ in range(16)]
    await asyncio.sleep(0)
    woken = 0
    wake = queue._wake_one

    def count() -> None:
        nonlocal woken
        woken += 1
        wake()

    monkeypatch.setattr(queue, "_wake_one", count)
    queue.add("a")
    await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
    assert (woken, sum(worker.done() for worker in workers), len(queue._idle)) == (1, 1, 15)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


async def test_a_worker_that_leaves_when_it_was_woken_wakes_another(queue: WorkQueue[str]) -> None:
    leaves, stays = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    leaves.cancel()
    async with asyncio.timeout(5):
        assert await stays == "a"


async def test_what_failed_waits_longer_each_time(queue: WorkQueue[str]) -> None:
    loop = asyncio.get_running_loop()
    pauses: list[float] = []
    for _ in range(5):
        queue.add("a")
        queue.failed(await queue.get())
        pauses.append(queue._timers["a"].when() - loop.time())
    bounds = [(0.04, 0.11), (0.09, 0.21), (0.19, 0.41), (0.39, 0.81), (0.79, 1.61)]
    assert all(low < pause < high for pause, (low, high) in zip(pauses, bounds, strict=True))
    queue.add("a")
    queue.done(await queue.get())
    queue.add("a")
    queue.failed(await queue.get())
    assert queue._timers["a"].when() - loop.time() < 0.11


async def test_a_pause_is_bounded_and_the_other_side_may_say_how_long(queue: WorkQueue[str]) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(40):
        queue.add("a")
        queue.failed(await queue.get())
    assert queue._timers["a"].when() - loop.time() <= 30
    queue.add("b")
    queue.failed(await queue.get(), seconds=7)
    assert 6 < queue._timers["b"].when() - loop.time() <= 7


async def test_news_ends_the_wait(queue: WorkQueue[str]) -> None:
    queue.add("a")
    queue.failed(await queue.get(), seconds=60)
    queue.add("a")
    assert await queue.get() == "a"
    assert not queue._timers


async def test_the_earlier_of_two_appointments_counts(queue: WorkQueue[str]) -> None:
    loop = asyncio.get_running_loop()
    queue.add_after("a", 5)
    queue.add_after("a", 60)
    assert queue._timers["a"].when() - loop.time() <= 5
    queue.add_after("a", 0.01)
    async with asyncio.timeout(2):
        assert await queue.get() == "a"


async def test_a_worker_goes_on_after_an_error_and_comes_back_to_it(queue: WorkQueue[str]) -> None:
    seen: list[str] = []

    async def handle(key: str) -> None:
        seen.append(key)
        if seen.count(key) == 1 and key == "bad":
            raise ValueError(key)
        if seen.count(key) == 1 and key == "later":
            raise Retry(0.01)

    errors: list[str] = []

    def on_error(key: str, error: Exception) -> float | None:
        errors.append(f"{key}: {error}")
        return 0.01

    worker = asyncio.create_task(queue.work(handle, on_error))
    for key in ("bad", "later", "good"):
        queue.add(key)
    async with asyncio.timeout(2):
        while len(seen) < 5:
            await asyncio.sleep(0.01)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    assert sorted(seen) == ["bad", "bad", "good", "later", "later"]
    assert errors == ["bad: bad"]


async def test_a_worker_that_is_cancelled_leaves_the_key_to_the_next(queue: WorkQueue[str]) -> None:
    begun = asyncio.Event()

    async def handle(_key: str) -> None:
        begun.set()
        await asyncio.sleep(60)

    worker = asyncio.create_task(queue.work(handle, lambda _key, _error: None))
    queue.add("a")
    await begun.wait()
    queue.add("a")
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    assert await queue.get() == "a"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["add", "work", "fail"])), max_size=40))
def test_nobody_is_given_what_another_works_on_and_nothing_dirty_is_forgotten(
    steps: list[tuple[str, str]],
) -> None:
    async def run() -> None:
        queue = WorkQueue[str]()
        dirty, active = set[str](), list[str]()
        for key, step in steps:
            if step == "add":
                queue.add(key)
                dirty.add(key)
            elif step == "work" and len(queue):
                taken = await queue.get()
                assert taken not in active
                active.append(taken)
                dirty.discard(taken)
            elif active:
                taken = active.pop(0)
                if step == "fail":
                    queue.failed(taken, seconds=60)
                else:
                    queue.done(taken)
        for key in active:
            queue.done(key)
        left = {await queue.get() for _ in range(len(queue))}
        assert left == dirty
        queue.close()

    asyncio.run(run())
