"""Keys that wait, are worked on, come again, and are tried again."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_operator.workqueue import Retry, WorkQueue


class _Clock(selectors.DefaultSelector):
    """Waits for no timer: where a loop would sleep, its time jumps."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0 if timeout else timeout)


class _Jumping(asyncio.SelectorEventLoop):
    """A loop whose time passes only while there is nothing to do."""

    def __init__(self) -> None:
        self._clock = _Clock()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def at_once(test: Callable[[WorkQueue[str]], Awaitable[None]]) -> None:
    """Run ``test`` with a queue, in no time, however long it waits."""

    async def run() -> None:
        queue = WorkQueue[str]()
        await test(queue)
        queue.close()

    with asyncio.Runner(loop_factory=_Jumping) as runner:
        runner.run(run())


async def seconds_until(queue: WorkQueue[str], key: str) -> float:
    """How long ``key`` keeps who waits for it."""
    began = asyncio.get_running_loop().time()
    assert await queue.get() == key
    return asyncio.get_running_loop().time() - began


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


async def test_a_key_wakes_one_worker_and_not_all(queue: WorkQueue[str]) -> None:
    woken = 0

    async def work() -> str:
        nonlocal woken
        key = await queue.get()
        woken += 1
        return key

    workers = [asyncio.create_task(work()) for _ in range(16)]
    await asyncio.sleep(0)
    queue.add("a")
    await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
    for _ in range(3):
        await asyncio.sleep(0)
    assert (woken, sum(worker.done() for worker in workers)) == (1, 1)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


async def test_workers_are_served_in_the_order_they_came(queue: WorkQueue[str]) -> None:
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    for key in ("a", "b", "c"):
        queue.add(key)
    assert await asyncio.gather(*workers) == ["a", "b", "c"]


async def test_a_worker_that_leaves_when_it_was_woken_wakes_another(queue: WorkQueue[str]) -> None:
    leaves, stays = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    leaves.cancel()
    async with asyncio.timeout(5):
        assert await stays == "a"


def test_what_failed_waits_longer_each_time() -> None:
    async def test(queue: WorkQueue[str]) -> None:
        pauses: list[float] = []
        queue.add("a")
        await queue.get()
        for _ in range(5):
            queue.failed("a")
            pauses.append(await seconds_until(queue, "a"))
        bounds = [(0.05, 0.1), (0.1, 0.2), (0.2, 0.4), (0.4, 0.8), (0.8, 1.6)]
        assert all(low <= pause <= high for pause, (low, high) in zip(pauses, bounds, strict=True)), pauses

    at_once(test)


def test_what_went_well_is_forgiven_its_failures() -> None:
    async def test(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await queue.get()
        for _ in range(5):
            queue.failed("a")
            await queue.get()
        queue.done("a")
        queue.add("a")
        queue.failed(await queue.get())
        assert await seconds_until(queue, "a") <= 0.1

    at_once(test)


def test_a_pause_is_bounded_and_the_other_side_may_say_how_long() -> None:
    async def test(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await queue.get()
        for _ in range(40):
            queue.failed("a")
            assert await seconds_until(queue, "a") <= 30
        queue.failed("a", seconds=7)
        assert await seconds_until(queue, "a") == pytest.approx(7)

    at_once(test)


def test_news_ends_the_wait() -> None:
    async def test(queue: WorkQueue[str]) -> None:
        queue.add("a")
        queue.failed(await queue.get(), seconds=60)
        assert queue.idle
        queue.add("a")
        assert await seconds_until(queue, "a") == 0
        queue.done("a")
        await asyncio.sleep(100)
        assert queue.idle, "what was waited for did not come again"

    at_once(test)


def test_the_earlier_of_two_appointments_counts() -> None:
    async def test(queue: WorkQueue[str]) -> None:
        queue.add_after("a", 5)
        queue.add_after("a", 60)
        assert await seconds_until(queue, "a") == pytest.approx(5)
        queue.done("a")
        queue.add_after("a", 60)
        queue.add_after("a", 5)
        assert await seconds_until(queue, "a") == pytest.approx(5)

    at_once(test)


def test_an_appointment_is_not_kept_by_what_comes_before_it_anyway() -> None:
    async def test(queue: WorkQueue[str]) -> None:
        queue.add("a")
        queue.add_after("a", 5)
        queue.done(await queue.get())
        await asyncio.sleep(10)
        assert queue.idle

    at_once(test)


def test_what_waits_when_the_queue_is_closed_is_forgotten() -> None:
    async def test(queue: WorkQueue[str]) -> None:
        queue.add("a")
        queue.add_after("b", 5)
        queue.close()
        await asyncio.sleep(10)
        assert (len(queue), queue.idle) == (0, True)
        queue.add("c")
        assert await queue.get() == "c"

    at_once(test)


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
