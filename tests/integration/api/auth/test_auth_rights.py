"""Who may do what where, as the gateway tells; and who did it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import httpx
import pytest
from fastapi import Request

from flora_api import audit
from flora_api.auth.standing import USABLE_SECONDS, Standings
from flora_api.errors import Unavailable
from flora_api.principal import SYSTEM
from flora_core.database import Database
from flora_core.ids import GuildId
from flora_core.streams import Token
from flora_simulator import Simulator, SimulatorClient
from tests.integration.api.auth.conftest import (
    ADA,
    BOB,
    ELSEWHERE,
    EVE,
    GARDEN,
    MEADOW,
    MOD,
    OPERATOR,
    ORCHARD,
    Browser,
    PlayedGateway,
    bearer,
)

AUDIT = f"/api/audit/{GARDEN}"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def standings(
    http: aiohttp.ClientSession, gateway: PlayedGateway, clock: Clock
) -> AsyncIterator[Standings]:
    async with Standings(http, url=gateway.url, token=Token(gateway.token), clock=clock) as opened:
        yield opened


# ---- as the gateway tells


@pytest.mark.parametrize(
    ("user", "guild", "manages"),
    [
        (ADA, GARDEN, True),
        (MOD, GARDEN, True),
        (EVE, GARDEN, False),
        (ADA, ORCHARD, False),
        (MOD, MEADOW, False),
    ],
)
async def test_owners_and_those_with_the_permission_manage(
    standings: Standings, user: str, guild: str, manages: bool
) -> None:
    standing = await standings.of(user, GuildId(guild))
    assert standing is not None
    assert standing.manages is manages


async def test_an_administrator_manages(
    standings: Standings, people: SimulatorClient, simulator: Simulator
) -> None:
    async with aiohttp.ClientSession() as session:
        await session.put(f"{simulator.url}/control/guilds/garden/members/eve/roles/admins")
    standing = await standings.of(EVE, GuildId(GARDEN))
    assert standing is not None
    assert standing.manages


async def test_where_the_bot_is_not_nobody_stands_anyhow(standings: Standings) -> None:
    assert await standings.of(ADA, GuildId(ELSEWHERE)) is None


async def test_answers_are_remembered_for_seconds(
    standings: Standings, gateway: PlayedGateway, clock: Clock
) -> None:
    for _ in range(3):
        await standings.of(ADA, GuildId(GARDEN))
    assert gateway.calls == 1
    clock.now += 21
    await standings.of(ADA, GuildId(GARDEN))
    assert gateway.calls == 2


async def test_while_the_gateway_is_away_old_answers_count_for_a_while(
    standings: Standings, gateway: PlayedGateway, clock: Clock
) -> None:
    await standings.of(ADA, GuildId(GARDEN))
    gateway.failing = 500
    clock.now += USABLE_SECONDS - 1
    standing = await standings.of(ADA, GuildId(GARDEN))
    assert standing is not None
    clock.now += 2
    with pytest.raises(Unavailable, match="cannot be looked up"):
        await standings.of(ADA, GuildId(GARDEN))
    with pytest.raises(Unavailable):
        await standings.of(BOB, GuildId(GARDEN))
    with pytest.raises(Unavailable):
        await standings.managed(BOB, [GuildId(GARDEN)])


async def test_a_gateway_that_is_not_there_is_away(http: aiohttp.ClientSession) -> None:
    async with Standings(http, url="http://127.0.0.1:1", token=Token("t")) as standings:
        with pytest.raises(Unavailable):
            await standings.of(ADA, GuildId(GARDEN))


async def test_the_gateways_token_is_needed(http: aiohttp.ClientSession, gateway: PlayedGateway) -> None:
    async with Standings(http, url=gateway.url, token=Token("another")) as standings:
        with pytest.raises(Unavailable):
            await standings.of(ADA, GuildId(GARDEN))


async def test_of_many_guilds_those_that_he_manages(standings: Standings) -> None:
    guilds = [GuildId(guild) for guild in (ELSEWHERE, MEADOW, ORCHARD, GARDEN)]
    assert [standing.guild for standing in await standings.managed(ADA, guilds)] == [MEADOW, GARDEN]


# ---- as the routes answer


async def test_an_admin_reads_what_was_done(browser: Browser, database: Database) -> None:
    await browser.log_in("mod")
    for number in range(5):

        async def add(connection: object, number: int = number) -> None:
            await audit.record(connection, GuildId(GARDEN), SYSTEM, "secret.put", name=f"S{number}")  # type: ignore[arg-type]

        await database.run(add)
    first = (await browser.get(AUDIT, params={"limit": 3})).json()
    assert [entry["details"]["name"] for entry in first["entries"]] == ["S4", "S3", "S2"]
    assert first["entries"][0]["actor"] == {"type": "system", "user_id": "", "username": "", "token_id": ""}
    rest = (await browser.get(AUDIT, params={"limit": 3, "cursor": first["cursor"]})).json()
    assert [entry["details"]["name"] for entry in rest["entries"]] == ["S1", "S0"]
    assert "cursor" not in rest


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 201}, {"cursor": "x"}, {"cursor": "9" * 20}, {"cursor": "²"}]
)
async def test_a_page_that_cannot_be_is_refused(browser: Browser, query: dict[str, str]) -> None:
    await browser.log_in("ada")
    assert (await browser.get(AUDIT, params=query)).status_code == 400


async def test_a_member_may_not(browser: Browser) -> None:
    await browser.log_in("eve")
    answer = await browser.get(AUDIT)
    assert (answer.status_code, answer.json()["code"]) == (403, "NOT_GUILD_ADMIN")
    assert "Manage Server" in answer.json()["message"]


async def test_where_the_bot_is_not_nobody_may(browser: Browser) -> None:
    await browser.log_in("ada")
    answer = await browser.get(f"/api/audit/{ELSEWHERE}")
    assert (answer.status_code, answer.json()["code"]) == (404, "BOT_NOT_IN_GUILD")


async def test_who_lost_the_permission_is_out_within_seconds(
    browser: Browser, gateway: PlayedGateway, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.log_in("mod")
    assert (await browser.get(AUDIT)).status_code == 200
    async with aiohttp.ClientSession() as session:
        await session.delete(f"{simulator.url}/control/guilds/garden/members/mod/roles/gardeners")
    monkeypatch.setattr("flora_api.auth.standing.FRESH_SECONDS", 0.0)
    gateway.standings._members.forget_all()
    assert (await browser.get(AUDIT)).status_code == 403


async def test_while_rights_cannot_be_known_nothing_is_allowed(
    browser: Browser, gateway: PlayedGateway
) -> None:
    await browser.log_in("ada")
    gateway.failing = 503
    answer = await browser.get(AUDIT)
    assert (answer.status_code, answer.json()["code"]) == (503, "RIGHTS_UNAVAILABLE")


async def test_a_token_may_what_its_person_may_within_its_limits(
    browser: Browser, program: httpx.AsyncClient
) -> None:
    await browser.log_in("ada")
    whole = await browser.new_token()
    other_guild = await browser.new_token(guilds=[MEADOW])
    other_scope = await browser.new_token(scopes=["deploy", "kv"])
    theirs = await browser.new_token(guilds=[ORCHARD])
    assert (await program.get(AUDIT, headers=bearer(whole))).status_code == 200
    for token in (other_guild, other_scope):
        answer = await program.get(AUDIT, headers=bearer(token))
        assert (answer.status_code, answer.json()["code"]) == (403, "TOKEN_LIMITED")
    answer = await program.get(f"/api/audit/{ORCHARD}", headers=bearer(theirs))
    assert (answer.status_code, answer.json()["code"]) == (403, "NOT_GUILD_ADMIN")


async def test_guilds_are_those_where_both_may(browser: Browser, program: httpx.AsyncClient) -> None:
    await browser.log_in("ada")
    mine = (await browser.get("/api/guilds")).json()
    assert {guild["id"]: guild["owner"] for guild in mine} == {GARDEN: True, MEADOW: True}
    assert mine[0]["name"] in {"garden", "meadow"}
    token, limited = await browser.new_token(), await browser.new_token(guilds=[MEADOW, ORCHARD])
    deploys = await browser.new_token(scopes=["deploy"])
    told = (await program.get("/api/guilds", headers=bearer(token))).json()
    assert {guild["id"] for guild in told} == {GARDEN, MEADOW}
    told = (await program.get("/api/guilds", headers=bearer(limited))).json()
    assert [guild["id"] for guild in told] == [MEADOW]
    assert (await program.get("/api/guilds", headers=bearer(deploys))).status_code == 403


async def test_somebody_without_guilds_has_none(browser: Browser) -> None:
    await browser.log_in("eve")
    assert (await browser.get("/api/guilds")).json() == []


@pytest.mark.parametrize("many", [False, True])
async def test_among_all_deployments_those_that_he_may_read(
    browser: Browser, gateway: PlayedGateway, many: bool
) -> None:
    await browser.log_in("ada")
    request = _request(browser)
    among = [GuildId(guild) for guild in (ORCHARD, GARDEN, ELSEWHERE, MEADOW)]
    if many:
        among += [GuildId(str(5 * 10**17 + n)) for n in range(10_000)]
    before = gateway.calls
    assert await browser.api.auth.guard.guilds(request, among) == [GARDEN, MEADOW]
    assert gateway.calls - before < 10


# ---- the operator


async def test_the_operators_secret_opens_metrics(program: httpx.AsyncClient) -> None:
    answer = await program.get("/api/metrics", headers=bearer(OPERATOR))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "flora_api_requests_total" in answer.text
    me = (await program.get("/api/auth/me", headers=bearer(OPERATOR))).json()
    assert (me["type"], me["user"]["id"]) == ("operator", "")


@pytest.mark.parametrize("path", ["/api/guilds", AUDIT, "/api/tokens"])
async def test_and_nothing_of_guilds(program: httpx.AsyncClient, path: str) -> None:
    answer = await program.get(path, headers=bearer(OPERATOR))
    assert (answer.status_code, answer.json()["code"]) == (403, "OPERATOR_ONLY")


async def test_others_see_no_metrics(browser: Browser, program: httpx.AsyncClient) -> None:
    await browser.log_in("ada")
    assert (await browser.get("/api/metrics")).status_code == 403
    assert (await program.get("/api/metrics", headers=bearer("wrong"))).status_code == 401
    assert (await program.get("/api/metrics")).status_code == 401


async def test_without_a_secret_there_is_no_operator(make_api: object) -> None:
    api = await make_api(operator_secret="")  # type: ignore[operator]
    async with httpx.AsyncClient(transport=api.transport(), base_url="http://flora.test") as program:
        for headers in ({}, bearer(""), bearer("x")):
            answer = await program.get("/api/metrics", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "OPERATOR_NOT_CONFIGURED")
            assert "API_OPERATOR_SECRET" in answer.json()["message"]


# ---- what is shown


@pytest.mark.parametrize(
    "shown", ["Basic eDp5", "Bearer", "Bearer x", "nonsense", "Bearer flora_a_b", "Bearer é"]
)
async def test_a_bad_token_is_refused_even_beside_a_good_cookie(browser: Browser, shown: str) -> None:
    await browser.log_in("ada")
    answer = await browser.get("/api/auth/me", headers={"Authorization": shown.encode()})  # type: ignore[dict-item]
    assert (answer.status_code, answer.json()["code"]) == (401, "TOKEN_INVALID")


async def test_nobody_is_told_to_log_in(program: httpx.AsyncClient) -> None:
    answer = await program.get("/api/guilds")
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")


def _request(browser: Browser) -> Request:
    cookie = f"flora_session={browser.cookie()}".encode()
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", b"flora.test"), (b"cookie", cookie)],
        "client": ("127.0.0.1", 1),
        "server": ("flora.test", 80),
        "scheme": "http",
    }
    return Request(scope)
