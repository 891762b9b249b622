"""Shards identify one after the other, as many at once as Discord allows."""

from __future__ import annotations

import asyncio

import pytest

from flora_gateway.shards import identify
from flora_gateway.shards.identify import IdentifyGate

SHORT = 0.1


@pytest.fixture(autouse=True)
def short_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five seconds are too long for a test; the order of things is the same."""
    assert identify.BUCKET_SECONDS == 5.0
    monkeypatch.setattr(identify, "BUCKET_SECONDS", SHORT)


async def times(max_concurrency: int, shards: list[int]) -> list[float]:
    """When each of ``shards`` may identify, in seconds from the start."""
    gate, loop = IdentifyGate(max_concurrency), asyncio.get_running_loop()
    start = loop.time()

    async def one(shard: int) -> float:
        await gate.wait(shard)
        return loop.time() - start

    return await asyncio.gather(*(one(shard) for shard in shards))


async def test_shards_of_one_bucket_wait_for_each_other() -> None:
    first, second, third = await times(1, [0, 1, 2])
    assert first < SHORT
    assert second - first >= SHORT * 0.99
    assert third - second >= SHORT * 0.99


async def test_shards_of_different_buckets_do_not_wait() -> None:
    assert max(await times(4, [0, 1, 2, 3])) < SHORT


async def test_a_bucket_is_a_shard_number_modulo_the_concurrency() -> None:
    first, other, same = await times(2, [0, 1, 2])
    assert other < SHORT
    assert same - first >= SHORT * 0.99


async def test_a_shard_that_failed_waits_for_its_own_bucket_too() -> None:
    first, again = await times(1, [5, 5])
    assert again - first >= SHORT * 0.99


async def test_a_concurrency_of_nothing_counts_as_one() -> None:
    assert len(await times(0, [0, 1])) == 2


async def test_a_shard_that_gives_up_waiting_does_not_block_the_next() -> None:
    gate = IdentifyGate(1)
    await gate.wait(0)
    waiting = asyncio.create_task(gate.wait(1))
    await asyncio.sleep(0)
    waiting.cancel()
    async with asyncio.timeout(SHORT * 5):
        await gate.wait(2)
