"""How often somebody may ask, counted in a real Redis and without one."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from pydantic import SecretStr

from flora_api.edge.limits import LocalLimits, Rate, RedisLimits
from flora_api.redis_store import Store, open_redis
from tests.integration.api.auth.conftest import HERE, MakeApi, bearer, browsing
from tests.integration.redis_server import RedisServer

SLOW = Rate("slow", 5)  # one at once, one in 12 s


class Hourly(Rate):
    """As many at once, and the next in an hour: no machine is so slow that it comes within a test."""

    @property
    def interval(self) -> float:
        return 3600.0


class HourlyLimits:
    """Counts in Redis, by such rates."""

    def __init__(self, redis: Store) -> None:
        self._limits = RedisLimits(redis)

    async def take(self, rate: Rate, who: str) -> float:
        return await self._limits.take(Hourly(rate.name, rate.per_minute), who)

    async def look(self, rate: Rate, who: str) -> float:
        return await self._limits.look(Hourly(rate.name, rate.per_minute), who)


async def test_replicas_count_together(redis: Store) -> None:
    one, other = RedisLimits(redis), RedisLimits(redis)
    rate = Hourly("r", 20)  # four at once
    passed = [await limits.take(rate, "a") == 0 for limits in (one, other, one, other, one, other)]
    assert passed == [True] * 4 + [False] * 2
    assert await one.take(rate, "b") == 0


async def test_redis_and_the_local_count_agree(redis: Store) -> None:
    there, here = RedisLimits(redis), LocalLimits()
    for rate in (Hourly("slow", 5), Hourly("quick", 50), Hourly("one", 1)):
        for _ in range(rate.burst + 1):
            assert (await there.take(rate, "a") > 0) == (await here.take(rate, "a") > 0)
        assert abs(await there.look(rate, "a") - await here.look(rate, "a")) < 60


async def test_a_key_ends_when_it_counts_for_nothing_any_more(redis: Store) -> None:
    await RedisLimits(redis).take(SLOW, "a")
    (key,) = [key async for key in redis.scan_iter()]
    assert 0 < await redis.pttl(key) <= 12_100


async def test_looking_writes_nothing(redis: Store) -> None:
    assert await RedisLimits(redis).look(SLOW, "a") == 0
    assert [key async for key in redis.scan_iter()] == []


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("r"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def mortal(own_redis: RedisServer) -> AsyncIterator[Store]:
    store = open_redis(SecretStr(own_redis.url))
    yield store
    await store.aclose()


async def test_while_redis_is_away_each_replica_counts(own_redis: RedisServer, mortal: Store) -> None:
    now = time.monotonic()
    limits = RedisLimits(mortal, clock=lambda: now)
    assert await limits.take(SLOW, "a") == 0
    own_redis.kill()
    assert await limits.take(SLOW, "a") == 0  # begins anew
    assert await limits.take(SLOW, "a") > 0
    own_redis.start()
    assert await limits.take(SLOW, "a") > 0  # not asked again yet
    now += 3
    assert await limits.take(SLOW, "a") == 0


async def test_who_asks_too_often_is_told_when_to_come_back(make_api: MakeApi, redis: Store) -> None:
    api = await make_api(limits=HourlyLimits(redis), rate_address=10)
    async with httpx.AsyncClient(transport=api.transport(), base_url=HERE) as program:
        statuses = [(await program.get("/api/guilds")).status_code for _ in range(3)]
        assert statuses == [401, 401, 429]
        answer = await program.get("/api/guilds")
        assert answer.json()["code"] == "RATE_LIMITED"
        assert 3000 < int(answer.headers["retry-after"]) <= 3600
        assert answer.headers["x-request-id"]
        assert (await program.get("/api/health")).status_code == 200
    async with httpx.AsyncClient(transport=api.transport(address="10.0.0.9"), base_url=HERE) as other:
        assert (await other.get("/api/guilds")).status_code == 401


async def test_a_token_is_counted_wherever_it_comes_from(
    make_api: MakeApi, redis: Store, people: object
) -> None:
    api = await make_api(limits=HourlyLimits(redis), rate_caller=20)
    async with browsing(api, people) as browser:  # type: ignore[arg-type]
        await browser.log_in("ada")
        token = await browser.new_token()
    statuses: list[int] = []
    for number in range(6):
        transport = api.transport(address=f"10.0.0.{number}")
        async with httpx.AsyncClient(transport=transport, base_url=HERE) as program:
            statuses.append((await program.get("/api/auth/me", headers=bearer(token))).status_code)
    assert statuses == [200] * 4 + [429] * 2


async def test_guessing_is_slowed_down_for_the_address_that_guesses(
    make_api: MakeApi, redis: Store, people: object
) -> None:
    api = await make_api(limits=HourlyLimits(redis), rate_failures=10)
    async with browsing(api, people) as browser:  # type: ignore[arg-type]
        await browser.log_in("ada")
        token = await browser.new_token()
    async with httpx.AsyncClient(transport=api.transport(), base_url=HERE) as program:
        statuses = [
            (await program.get("/api/auth/me", headers=bearer("guess"))).status_code for _ in range(3)
        ]
        assert statuses == [401, 401, 429]
        assert (await program.get("/api/auth/me", headers=bearer(token))).status_code == 429
    async with httpx.AsyncClient(transport=api.transport(address="10.0.0.9"), base_url=HERE) as other:
        assert (await other.get("/api/auth/me", headers=bearer(token))).status_code == 200


@pytest.mark.parametrize(("trusted", "last"), [(0, 429), (1, 401)])
async def test_what_proxies_say_counts_when_they_are_ours(
    make_api: MakeApi, redis: Store, trusted: int, last: int
) -> None:
    api = await make_api(limits=HourlyLimits(redis), rate_address=5, trusted_proxies=trusted)
    async with httpx.AsyncClient(transport=api.transport(), base_url=HERE) as program:
        first = await program.get("/api/guilds", headers={"X-Forwarded-For": "1.1.1.1"})
        assert first.status_code == 401
        second = await program.get("/api/guilds", headers={"X-Forwarded-For": "2.2.2.2"})
        assert second.status_code == last
