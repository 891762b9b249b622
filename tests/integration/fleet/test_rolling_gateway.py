"""The gateway is replaced by another pod while people write: what its predecessor left in Redis is taken up."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flora_simulator import DEV_GUILD
from tests.integration.fleet.fleet import PATIENCE, Fleet
from tests.integration.redis_server import RedisServer

PAUSE = 0.02
"""Between two messages: 50 a second."""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


@asynccontextmanager
async def talking(fleet: Fleet) -> AsyncIterator[set[str]]:
    """Somebody writes without a break; the answers that should come."""
    wanted: set[str] = set()

    async def talk() -> None:
        number = 0
        while True:
            await fleet.people.post(str(number))
            wanted.add(f"re: {number}")
            number += 1
            await asyncio.sleep(PAUSE)

    task = asyncio.create_task(talk())
    await asyncio.sleep(0.3)
    try:
        yield wanted
        await asyncio.sleep(0.3)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def answered(fleet: Fleet, wanted: set[str]) -> Counter[str]:
    """All that the bot wrote, once there is everything that is wanted; a channel keeps less than that."""
    async with asyncio.timeout(2 * PATIENCE):
        while True:
            found = await fleet.people.answers(DEV_GUILD)
            assert not found.missed
            contents = Counter(answer.content for answer in found.answers)
            if wanted <= contents.keys():
                return contents
            await asyncio.sleep(0.1)


async def replace_gateway(fleet: Fleet, state: str) -> None:
    """As a Deployment that recreates: the old pod ends, then there is a new one, with a disk of its own."""
    assert fleet.gateway is not None
    await fleet.gateway.stop()
    await fleet.start_gateway(GATEWAY_STATE_DIR=str(fleet.folder / state))
    await fleet.ready()


async def test_pods_on_empty_disks_resume_from_redis_and_lose_nothing(
    fleet: Fleet, redis: RedisServer
) -> None:
    fleet.gateway_settings["GATEWAY_REDIS_URL"] = redis.url
    await replace_gateway(fleet, "with redis")
    before = await fleet.people.stats()
    async with talking(fleet) as wanted:
        for number in range(3):
            await replace_gateway(fleet, f"pod {number}")
            await asyncio.sleep(0.2)
    answers = await answered(fleet, wanted)
    after = await fleet.people.stats()
    assert after.identifies == before.identifies
    assert after.resumes - before.resumes == 3
    assert set(answers) == wanted
    assert max(answers.values()) == 1


async def test_without_redis_a_container_that_starts_again_in_its_pod_resumes(fleet: Fleet) -> None:
    """An emptyDir outlives the containers of its pod."""
    async with talking(fleet) as wanted:
        await replace_gateway(fleet, "gateway")
    answers = await answered(fleet, wanted)
    stats = await fleet.people.stats()
    assert (stats.identifies, stats.resumes) == (1, 1)
    assert max(answers.values()) == 1


async def test_without_redis_another_pod_begins_a_session_of_its_own(fleet: Fleet) -> None:
    """What was said in between is lost then: why a cluster should have a Redis."""
    await replace_gateway(fleet, "another")
    await fleet.people.post("after")
    await fleet.wait_answers({"re: after"})
    stats = await fleet.people.stats()
    assert (stats.identifies, stats.resumes) == (2, 0)


async def test_a_gateway_says_what_it_waits_for(fleet: Fleet) -> None:
    assert fleet.gateway is not None
    await fleet.gateway.stop()
    await fleet.stop_control()
    await fleet.start_gateway(GATEWAY_STATE_DIR=str(fleet.folder / "nothing here"))
    text = await fleet.unready(fleet.gateway)
    assert text.startswith("no route table yet")
    await fleet.start_control()
    await fleet.ready()
