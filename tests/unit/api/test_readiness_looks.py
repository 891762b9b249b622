"""When a replica takes requests: once all that it needs has answered, and then until it stops."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import REGISTRY

from flora_api.readiness import Readiness
from flora_core.errors import DatabaseGone


class Needed:
    """Something that answers, or does not."""

    def __init__(self) -> None:
        self.trouble: Exception | None = ConnectionRefusedError("no")
        self.looks = 0

    async def look(self) -> None:
        self.looks += 1
        if self.trouble is not None:
            raise self.trouble


@pytest.fixture
def redis() -> Needed:
    return Needed()


@pytest.fixture
def postgres() -> Needed:
    return Needed()


@pytest.fixture
def readiness(redis: Needed, postgres: Needed) -> Readiness:
    return Readiness({"postgres": postgres.look, "redis": redis.look}, pause=0.01)


def up(name: str) -> float | None:
    return REGISTRY.get_sample_value("flora_api_dependency_up", {"name": name})


async def test_before_anything_has_answered_it_is_not_ready(readiness: Readiness) -> None:
    assert readiness.not_ready() == "postgres: has not answered yet; redis: has not answered yet"


async def test_it_says_what_has_not_answered_and_why(
    readiness: Readiness, redis: Needed, postgres: Needed
) -> None:
    redis.trouble = None
    postgres.trouble = DatabaseGone("Postgres did not answer within 10 s")
    await readiness.look()
    assert readiness.not_ready() == "postgres: Postgres did not answer within 10 s"
    assert (up("postgres"), up("redis")) == (0.0, 1.0)


async def test_what_has_answered_once_may_be_away(
    readiness: Readiness, redis: Needed, postgres: Needed
) -> None:
    redis.trouble = postgres.trouble = None
    await readiness.look()
    assert readiness.not_ready() is None
    redis.trouble = TimeoutError()
    await readiness.look()
    assert readiness.not_ready() is None
    assert dict(readiness.away) == {"redis": "TimeoutError"}
    assert up("redis") == 0.0
    redis.trouble = None
    await readiness.look()
    assert dict(readiness.away) == {}


async def test_they_need_not_answer_at_the_same_time(
    readiness: Readiness, redis: Needed, postgres: Needed
) -> None:
    redis.trouble = None
    await readiness.look()
    redis.trouble, postgres.trouble = TimeoutError(), None
    await readiness.look()
    assert readiness.not_ready() is None


async def test_what_stops_is_not_ready(readiness: Readiness, redis: Needed, postgres: Needed) -> None:
    redis.trouble = postgres.trouble = None
    await readiness.look()
    readiness.stopping = True
    assert readiness.not_ready() == "stopping"


async def test_a_look_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flora_api.readiness.CALL_SECONDS", 0.01)
    readiness = Readiness({"gateway": asyncio.Event().wait})  # type: ignore[dict-item]
    await readiness.look()
    assert readiness.not_ready() == "gateway: TimeoutError"


async def test_it_looks_until_it_is_cancelled(readiness: Readiness, redis: Needed, postgres: Needed) -> None:
    redis.trouble = postgres.trouble = None
    running = asyncio.create_task(readiness.run())
    async with asyncio.timeout(20):
        while redis.looks < 3:
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_mistake_of_ours_is_not_hidden(readiness: Readiness, redis: Needed) -> None:
    redis.trouble = LookupError("ours")
    with pytest.raises(LookupError):
        await readiness.look()
