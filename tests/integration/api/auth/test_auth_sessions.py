"""Sessions: use, age, requests of other sites, Discord's tokens, and a Redis that is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import httpx
import pytest
from pydantic import SecretStr

from flora_api.auth.discord import DiscordOAuth, DiscordRefused, DiscordTokens, User
from flora_api.auth.sessions import Sessions
from flora_api.errors import Unauthorized, Unavailable
from flora_api.redis_store import Store, open_redis
from flora_core.errors import InvalidSettings
from flora_simulator import Fault, SimulatorClient
from tests.integration.api.auth.conftest import GARDEN, HERE, MEADOW, Browser, MakeApi, browsing
from tests.integration.redis_server import RedisServer

ADA = User("1", "ada")


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


class PlayedDiscord:
    """Renews tokens, slowly, and once each."""

    def __init__(self) -> None:
        self.good = {"refresh-0"}
        self.renewed = 0

    async def refresh(self, tokens: DiscordTokens) -> DiscordTokens:
        await asyncio.sleep(0.05)
        if tokens.refresh not in self.good:
            raise DiscordRefused("invalid_grant")
        self.good.remove(tokens.refresh)
        self.renewed += 1
        self.good.add(f"refresh-{self.renewed}")
        return DiscordTokens(f"access-{self.renewed}", f"refresh-{self.renewed}", time.time() + 3600)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def discord() -> PlayedDiscord:
    return PlayedDiscord()


@pytest.fixture
def sessions(redis: Store, discord: PlayedDiscord, clock: Clock) -> Sessions:
    return Sessions(redis, discord, seconds=3600, longest=86_400, clock=clock)  # type: ignore[arg-type]


def tokens(*, ends_in: float = 3600) -> DiscordTokens:
    return DiscordTokens("access-0", "refresh-0", time.time() + ends_in)


async def test_a_session_that_is_used_lives_on(sessions: Sessions, redis: Store) -> None:
    secret = await sessions.create(ADA, tokens())
    (key,) = [key async for key in redis.scan_iter()]
    await redis.expire(key, 5)
    session = await sessions.find(secret)
    assert session is not None
    assert session.user == ADA
    assert await redis.ttl(key) > 3000


async def test_a_session_ends_when_it_is_old_however_much_it_is_used(
    sessions: Sessions, clock: Clock, redis: Store
) -> None:
    secret = await sessions.create(ADA, tokens())
    clock.now += 86_401
    assert await sessions.find(secret) is None
    assert [key async for key in redis.scan_iter()] == []


@pytest.mark.parametrize("secret", ["", "short", "A" * 43, "*" * 43, "é" * 43])
async def test_what_is_no_session_is_none(sessions: Sessions, secret: str) -> None:
    await sessions.create(ADA, tokens())
    assert await sessions.find(secret) is None
    await sessions.delete(secret)


async def test_records_do_not_open_with_another_id(sessions: Sessions, redis: Store) -> None:
    mine, theirs = await sessions.create(ADA, tokens()), await sessions.create(User("2", "eve"), tokens())
    one, other = [key async for key in redis.scan_iter()]
    first, second = await redis.get(one), await redis.get(other)
    assert first is not None
    assert second is not None
    await redis.set(one, second)
    await redis.set(other, first)
    assert await sessions.find(mine) is None
    assert await sessions.find(theirs) is None


async def test_discords_tokens_are_renewed_before_they_end(
    sessions: Sessions, discord: PlayedDiscord
) -> None:
    secret = await sessions.create(ADA, tokens(ends_in=10))
    session = await sessions.find(secret)
    assert session is not None

    async def call(with_tokens: DiscordTokens) -> str:
        return with_tokens.access

    assert await sessions.with_discord(secret, session, call) == "access-1"
    again = await sessions.find(secret)
    assert again is not None
    assert again.discord.refresh == "refresh-1"
    assert discord.renewed == 1


async def test_of_many_requests_one_renews(sessions: Sessions, discord: PlayedDiscord, redis: Store) -> None:
    secret = await sessions.create(ADA, tokens(ends_in=10))
    session = await sessions.find(secret)
    assert session is not None

    async def call(with_tokens: DiscordTokens) -> str:
        return with_tokens.access

    got = await asyncio.gather(*(sessions.with_discord(secret, session, call) for _ in range(5)))
    assert got == ["access-1"] * 5
    assert discord.renewed == 1
    assert [key async for key in redis.scan_iter(match="*renewing")] == []


async def test_a_session_whose_person_took_back_permission_ends(
    sessions: Sessions, discord: PlayedDiscord
) -> None:
    secret = await sessions.create(ADA, tokens())
    session = await sessions.find(secret)
    assert session is not None
    discord.good.clear()

    async def call(_tokens: DiscordTokens) -> str:
        raise DiscordRefused("401")

    with pytest.raises(Unauthorized, match="log in"):
        await sessions.with_discord(secret, session, call)
    assert await sessions.find(secret) is None


async def test_who_logs_out_while_tokens_are_renewed_stays_out(sessions: Sessions) -> None:
    secret = await sessions.create(ADA, tokens(ends_in=10))
    session = await sessions.find(secret)
    assert session is not None

    async def call(_tokens: DiscordTokens) -> str:
        return "ok"

    renewing = asyncio.create_task(sessions.with_discord(secret, session, call))
    await asyncio.sleep(0.02)
    await sessions.delete(secret)
    await asyncio.gather(renewing, return_exceptions=True)
    assert await sessions.find(secret) is None


# ---- as a browser meets it


async def test_tokens_that_are_too_old_are_renewed_at_discord(
    browser: Browser, people: SimulatorClient
) -> None:
    await browser.log_in("ada")
    await people.expire_oauth()
    guilds = (await browser.get("/api/guilds")).json()
    assert {guild["id"] for guild in guilds} == {GARDEN, MEADOW}
    assert (await people.oauth()).issued == 2


async def test_who_took_back_permission_at_discord_is_out(browser: Browser, people: SimulatorClient) -> None:
    await browser.log_in("ada")
    await people.revoke_oauth()
    answer = await browser.get("/api/guilds")
    assert (answer.status_code, answer.json()["code"]) == (401, "LOGIN_ENDED")
    assert (await browser.get("/api/auth/me")).status_code == 401


async def test_guilds_are_known_from_before_while_discord_is_away(
    browser: Browser, people: SimulatorClient
) -> None:
    await browser.log_in("ada")
    await people.add_fault(Fault(path="/users/@me/guilds", status=500, times=10))
    assert {guild["id"] for guild in (await browser.get("/api/guilds")).json()} == {GARDEN, MEADOW}


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Flora-CSRF": ""},
        {"X-Flora-CSRF": "A" * 43},
        {"X-Flora-CSRF": "é".encode()},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_other_sites_change_nothing(browser: Browser, headers: dict[str, Any]) -> None:
    await browser.log_in("ada")
    answer = await browser.change("POST", "/api/tokens", json={}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "CSRF")
    assert (await browser.get("/api/tokens")).json() == []


async def test_pages_of_ours_change_things(browser: Browser) -> None:
    await browser.log_in("ada")
    answer = await browser.change("POST", "/api/tokens", json={}, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 200


async def test_reading_takes_no_header(browser: Browser) -> None:
    await browser.log_in("ada")
    assert (await browser.get("/api/tokens", headers={"Sec-Fetch-Site": "cross-site"})).status_code == 200


async def test_another_sessions_value_is_not_good(make_api: MakeApi, people: SimulatorClient) -> None:
    api = await make_api()
    async with browsing(api, people) as ada, browsing(api, people) as eve:
        await ada.log_in("ada")
        await eve.log_in("eve")
        ada.csrf = eve.csrf
        assert (await ada.change("POST", "/api/tokens", json={})).status_code == 403


# ---- a Redis that is away


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


async def test_while_redis_is_away_nobody_is_taken_for_logged_out(
    own_redis: RedisServer, mortal: Store, http: aiohttp.ClientSession
) -> None:
    discord = DiscordOAuth(http, url="http://127.0.0.1:1", client_id="1", client_secret=SecretStr("s"))
    sessions = Sessions(mortal, discord, seconds=60, longest=60)
    secret = await sessions.create(ADA, tokens())
    own_redis.kill()
    with pytest.raises(Unavailable, match="Redis") as error:
        await sessions.find(secret)
    assert error.value.retry_after
    own_redis.start()
    assert await sessions.find(secret) is None  # what it held is gone; nothing hangs


async def test_tokens_work_and_sessions_say_why_not_while_redis_is_away(
    make_api: MakeApi, people: SimulatorClient, redis_server: RedisServer
) -> None:
    api = await make_api()
    async with browsing(api, people) as browser:
        await browser.log_in("ada")
        token = await browser.new_token()
        redis_server.kill()
        try:
            answer = await browser.get("/api/auth/me")
            assert (answer.status_code, answer.json()["code"]) == (503, "SESSIONS_UNAVAILABLE")
            assert answer.headers["retry-after"] == "2"
            assert (await browser.get("/api/auth/login")).json()["code"] == "LOGIN_UNAVAILABLE"
            async with httpx.AsyncClient(transport=api.transport(), base_url=HERE) as program:
                mine = await program.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})
                assert mine.status_code == 200
        finally:
            redis_server.start()


@pytest.mark.parametrize("url", ["", "http://x", "redis://:s3cret@host:port/0"])
def test_a_url_that_is_none_of_redis_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(InvalidSettings, match="API_REDIS_URL") as error:
        open_redis(SecretStr(url))
    assert "s3cret" not in str(error.value)
