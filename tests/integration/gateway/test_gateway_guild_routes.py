"""``/v1/guilds`` as the API asks it, in front of a simulated Discord."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from flora_core.identity import Identity, Role, StaticIdentities
from flora_gateway.guild_routes import GuildRoutes
from flora_gateway.rest import Proxy, RestSettings, ScopeMap
from flora_gateway.standings import Standings
from flora_simulator import DEV_GUILD, Fault, Simulator, SimulatorClient
from flora_simulator.world_spec import DEV_USER
from tests.integration.loopback import listening

API, RUNTIME = "token-api", "token-runtime"
MINE = f"/v1/guilds/{DEV_GUILD}/members/{DEV_USER}"


class Asker:
    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http
        self.logged_in = True

    async def __call__(self, path: str, *, token: str = API) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self._http.get(self._url + path, headers=headers) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await (answer.json() if is_json else answer.text())


@pytest.fixture
async def proxy(simulator: Simulator) -> AsyncIterator[Proxy]:
    settings = RestSettings(api_url=simulator.api_url, rest_deadline_ms=1500)
    made = Proxy(
        settings, token=SecretStr(simulator.token), application="100000000000000004", scope=ScopeMap()
    )
    yield made
    await made.close()


@pytest.fixture
async def ask(proxy: Proxy) -> AsyncIterator[Asker]:
    standings = Standings(proxy.look_up)
    app = web.Application()
    known = StaticIdentities({API: Identity(Role.API), RUNTIME: Identity(Role.RUNTIME, "p")})
    async with aiohttp.ClientSession() as http:
        GuildRoutes(app, lambda: standings if asker.logged_in else None, known)
        async with listening(app) as url:
            asker = Asker(url, http)
            yield asker


async def test_the_owner_of_a_guild(ask: Asker) -> None:
    status, standing = await ask(MINE)
    assert status == 200
    assert (standing["guild"], standing["name"], standing["owner"]) == (DEV_GUILD, "flora dev", True)
    assert int(standing["permissions"]) & 8


async def test_somebody_else(ask: Asker) -> None:
    status, standing = await ask(f"/v1/guilds/{DEV_GUILD}/members/424242")
    assert (status, standing["member"], standing["permissions"]) == (200, False, "0")


async def test_a_guild_without_the_bot(ask: Asker) -> None:
    assert (await ask(f"/v1/guilds/999/members/{DEV_USER}"))[0] == 404


async def test_names_of_those_with_the_bot(ask: Asker) -> None:
    status, names = await ask(f"/v1/guilds?ids=999,{DEV_GUILD}")
    assert (status, names) == (200, [{"id": DEV_GUILD, "name": "flora dev", "icon": None}])
    assert await ask("/v1/guilds") == (200, [])


@pytest.mark.parametrize("path", ["/v1/guilds?ids=x", "/v1/guilds/x/members/1", "/v1/guilds/1/members/x"])
async def test_what_is_no_id_is_refused(ask: Asker, path: str) -> None:
    assert (await ask(path))[0] == 400


async def test_only_so_many_at_once(ask: Asker) -> None:
    assert (await ask("/v1/guilds?ids=" + ",".join(["1"] * 201)))[0] == 400


@pytest.mark.parametrize(("token", "status"), [("", 401), ("other", 401), (RUNTIME, 403)])
@pytest.mark.parametrize("path", [MINE, "/v1/guilds?ids=1"])
async def test_only_the_api_may_ask(ask: Asker, path: str, token: str, status: int) -> None:
    assert (await ask(path, token=token))[0] == status


async def test_before_the_bot_is_logged_in_one_is_to_come_back(ask: Asker) -> None:
    ask.logged_in = False
    assert (await ask(MINE))[0] == 503


async def test_a_discord_that_is_away_is_no_answer(ask: Asker, people: SimulatorClient) -> None:
    await people.add_fault(Fault(path="/guilds/*", status=500, times=20))
    assert (await ask(MINE))[0] == 503
    await people.clear_faults()
    assert (await ask(MINE))[0] == 200
