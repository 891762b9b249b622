"""Who is far from his limit does not wait for Redis, and is counted all the same."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from flora_api.edge.limits import AHEAD, Rate, RedisLimits
from flora_api.redis_store import Store
from tests.integration.api.auth.conftest import redis, redis_server  # noqa: F401  fixtures

AMPLE = Rate("ample", 300)  # sixty at once


class SlowRedis:
    """A script that answers as ``store`` does once it is let."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.lets = asyncio.Event()
        self.lets.set()
        self.calls: list[int] = []

    def register_script(self, text: str) -> Any:
        script: Any = self._store.register_script(text)

        async def call(keys: list[str], args: list[str]) -> Any:
            self.calls.append(len(keys))
            await self.lets.wait()
            return await script(keys=keys, args=args)

        return call


@pytest.fixture
def slow(redis: Store) -> SlowRedis:  # noqa: F811
    return SlowRedis(redis)


async def test_who_is_far_from_his_limit_does_not_wait(slow: SlowRedis) -> None:
    limits = RedisLimits(slow, clock=lambda: 1.0)  # type: ignore[arg-type]
    assert await limits.take(AMPLE, "a") == 0
    slow.lets.clear()
    async with asyncio.timeout(20):
        for _ in range(int(59 * AHEAD)):
            assert await limits.take(AMPLE, "a") == 0
    one_more = asyncio.create_task(limits.take(AMPLE, "a"))
    await asyncio.sleep(0.05)
    assert not one_more.done()
    slow.lets.set()
    assert await one_more == 0


async def test_what_was_let_through_is_counted_for_all_replicas(redis: Store) -> None:  # noqa: F811
    one, other = RedisLimits(redis), RedisLimits(redis)
    passed = 0
    began = time.monotonic()
    while await one.take(AMPLE, "a") == 0 or await other.take(AMPLE, "a") == 0:
        passed += 1
        await asyncio.sleep(0)
    came_back = (time.monotonic() - began) / AMPLE.interval + 2
    ahead = 2 * AMPLE.burst * AHEAD
    assert AMPLE.burst <= passed <= AMPLE.burst + ahead + came_back


async def test_many_at_once_are_counted_by_few_calls_and_none_too_many(slow: SlowRedis) -> None:
    limits = RedisLimits(slow, clock=lambda: 1.0)  # type: ignore[arg-type]
    rate = Rate("hardly", 5)  # one at once
    waits = await asyncio.gather(*(limits.take(rate, f"who-{number % 50}") for number in range(200)))
    assert sum(wait == 0 for wait in waits) == 50
    assert sum(slow.calls) == 200
    assert len(slow.calls) <= 4


async def test_after_a_second_what_was_left_counts_no_more(slow: SlowRedis) -> None:
    now = 1.0
    limits = RedisLimits(slow, clock=lambda: now)  # type: ignore[arg-type]
    await limits.take(AMPLE, "a")
    assert len(slow.calls) == 1
    now += 1.5
    await limits.take(AMPLE, "a")
    assert slow.calls == [1, 1]


async def test_close_to_the_limit_everybody_is_counted_first(redis: Store) -> None:  # noqa: F811
    one, other = RedisLimits(redis), RedisLimits(redis)
    rate = Rate("few", 20)  # four at once
    assert [await limits.take(rate, "a") == 0 for limits in (one, other, one, other, one)] == [
        *[True] * 4,
        False,
    ]
