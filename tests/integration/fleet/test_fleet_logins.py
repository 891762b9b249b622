"""People who log in to the API as a process, whose rights the gateway as a process tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from flora_dev.processes import MODULES, Component
from flora_simulator import SimulatorSettings
from flora_simulator.world_spec import DEV_GUILD, DEV_USER
from tests.integration.api.empty_cluster import empty_cluster
from tests.integration.database.conftest import empty_url, postgres  # noqa: F401
from tests.integration.fleet.fleet import GATEWAY_TOKEN, Fleet
from tests.integration.redis_server import RedisServer

API_TOKEN = "api-token"


@pytest.fixture
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("r"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Fleet]:
    """Without a runtime pod."""
    fleet = Fleet(tmp_path)
    fleet.gateway_settings["GATEWAY_ACCEPT_TOKENS"] = f"{API_TOKEN}=api,{GATEWAY_TOKEN}=gateway"
    await fleet.start_discord()
    await fleet.start_control()
    await fleet.start_gateway()
    yield fleet
    await fleet.stop()


@pytest.fixture
async def api(
    gateway: Fleet,
    empty_url: str,  # noqa: F811
    redis_server: RedisServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Component]:
    monkeypatch.setitem(MODULES, "api", "flora_api.main")  # a cluster's, not the one of `flora dev`
    assert gateway.gateway is not None
    cluster = empty_cluster(tmp_path)
    started = await Component.start(
        "api",
        {
            "KUBECONFIG": str(await cluster.__aenter__()),
            "API_HOST": "127.0.0.1",
            "API_PORT": "0",
            "API_INTERNAL_PORT": "0",
            "API_DATABASE_URL": empty_url,
            "API_REDIS_URL": redis_server.url,
            "API_CONTROL_URL": gateway.control_url,
            "API_GATEWAY_URL": gateway.gateway.url,
            "API_TOKEN": API_TOKEN,
            "API_DISCORD_URL": gateway.simulator.url,
            "API_DISCORD_CLIENT_ID": "100000000000000004",
            "API_DISCORD_CLIENT_SECRET": SimulatorSettings().client_secret,
            "API_DRAIN_SECONDS": "0",
        },
        logs=tmp_path,
    )
    yield started
    await started.stop()
    await cluster.__aexit__(None, None, None)


async def test_the_gateway_tells_the_api_how_people_stand(gateway: Fleet) -> None:
    assert gateway.gateway is not None
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    async with httpx.AsyncClient(base_url=gateway.gateway.url, headers=headers, trust_env=False) as client:
        answer = await _once_logged_in(client, f"/v1/guilds/{DEV_GUILD}/members/{DEV_USER}")
        assert answer.json()["owner"] is True
        assert (await client.get(f"/v1/guilds/424242/members/{DEV_USER}")).status_code == 404
        assert (await client.get(f"/v1/guilds?ids={DEV_GUILD}")).json()[0]["name"] == "flora dev"
        assert (await client.get("/v1/guilds", headers={"Authorization": "Bearer x"})).status_code == 401


async def test_a_person_logs_in_and_sees_his_guild(gateway: Fleet, api: Component) -> None:
    assert gateway.gateway is not None
    async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as browser:
        login = await browser.get(f"{api.url}/api/auth/login", params={"next": "/api/auth/me"})
        assert login.json()["user"]["id"] == DEV_USER
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        async with httpx.AsyncClient(
            base_url=gateway.gateway.url, headers=headers, trust_env=False
        ) as client:
            await _once_logged_in(client, f"/v1/guilds?ids={DEV_GUILD}")
        guilds = (await browser.get(f"{api.url}/api/guilds")).json()
        assert [(guild["id"], guild["owner"]) for guild in guilds] == [(DEV_GUILD, True)]
        audit = await browser.get(f"{api.url}/api/audit/{DEV_GUILD}")
        assert audit.json() == {"entries": []}


async def _once_logged_in(client: httpx.AsyncClient, path: str) -> httpx.Response:
    """The gateway's answer, once its bot has logged in."""
    async with asyncio.timeout(30):
        while (answer := await client.get(path)).status_code == 503:
            await asyncio.sleep(0.05)
    assert answer.status_code == 200, answer.text
    return answer
