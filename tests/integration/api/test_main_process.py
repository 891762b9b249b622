"""``flora-api`` as a process: start, ports, dependencies that are away, and the way out."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import msgspec
import pytest
from aiohttp import web

from tests.integration.api.empty_cluster import empty_cluster
from tests.integration.database.conftest import empty_url, postgres  # noqa: F401
from tests.integration.loopback import listening
from tests.integration.postgres_server import ESCAPED, PASSWORD, PostgresServer
from tests.integration.redis_server import RedisServer
from tests.waiting import until

OPERATOR = "operators-s3cret"
START_SECONDS = 30.0


class Neighbour:
    """Operator and gateway, as far as they are asked whether they live."""

    def __init__(self) -> None:
        self.there = True

    async def answer(self, _request: web.Request) -> web.Response:
        return web.Response(status=200 if self.there else 503)


@pytest.fixture
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("r"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def neighbour() -> Neighbour:
    return Neighbour()


@pytest.fixture
async def environment(
    empty_url: str,  # noqa: F811
    redis_server: RedisServer,
    neighbour: Neighbour,
    tmp_path: Path,
) -> AsyncIterator[dict[str, str]]:
    app = web.Application()
    app.router.add_get("/healthz", neighbour.answer)
    async with listening(app) as url, empty_cluster(tmp_path) as kubeconfig:
        yield {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(kubeconfig),
            "API_SECRET_KEYS": f"k1:{base64.b64encode(bytes(32)).decode()}",
            "FLORA_CONFIG": "",
            "API_HOST": "127.0.0.1",
            "API_PORT": "0",
            "API_INTERNAL_PORT": "0",
            "API_DATABASE_URL": empty_url,
            "API_REDIS_URL": redis_server.url,
            "API_CONTROL_URL": url,
            "API_GATEWAY_URL": url,
            "API_OPERATOR_SECRET": OPERATOR,
            "API_DRAIN_SECONDS": "0",
            "API_STOP_SECONDS": "5",
            "API_LOG_FORMAT": "json",
        }


class Replica:
    def __init__(self, process: asyncio.subprocess.Process, url: str, internal: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.internal = internal
        self.log = log

    def said(self) -> str:
        return self.log.read_text()


@asynccontextmanager
async def running(environment: dict[str, str], folder: Path, **changed: str) -> AsyncIterator[Replica]:
    log = folder / "log"
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "flora_api.main",
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env=environment | changed,
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            line = await process.stdout.readline()
        assert line, log.read_text()
        said: dict[str, Any] = msgspec.json.decode(line)
        yield Replica(process, said["url"], said["internal"], log)
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(START_SECONDS):
            await process.wait()


async def ready(client: httpx.AsyncClient, replica: Replica) -> None:
    async def look() -> bool:
        return (await client.get(f"{replica.internal}/readyz")).status_code == 200

    async with asyncio.timeout(START_SECONDS):
        while not await look():
            await asyncio.sleep(0.1)


async def test_it_migrates_serves_and_leaves(environment: dict[str, str], tmp_path: Path) -> None:
    async with running(environment, tmp_path) as replica, httpx.AsyncClient(trust_env=False) as client:
        await ready(client, replica)
        assert (await client.get(f"{replica.url}/api/health")).text == "ok"
        assert (await client.get(f"{replica.internal}/healthz")).text == "ok\n"
        assert (
            'flora_api_dependency_up{name="redis"} 1.0'
            in (await client.get(f"{replica.internal}/metrics")).text
        )
        assert (await client.get(f"{replica.url}/api/tokens")).status_code == 401
        metrics = await client.get(
            f"{replica.url}/api/metrics", headers={"Authorization": f"Bearer {OPERATOR}"}
        )
        assert "flora_api_request_seconds" in metrics.text
        assert (await client.get(f"{replica.url}/healthz")).status_code == 404
        replica.process.terminate()
        assert await replica.process.wait() == 0
        assert "api_stopped" in replica.said()
    for secret in (PASSWORD, ESCAPED, OPERATOR):
        assert secret not in replica.said()


async def test_it_is_ready_once_all_that_it_needs_has_answered_and_stays_so(
    environment: dict[str, str], tmp_path: Path, neighbour: Neighbour, redis_server: RedisServer
) -> None:
    neighbour.there = False
    async with running(environment, tmp_path) as replica, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{replica.internal}/readyz")
        assert answer.status_code == 503
        assert "gateway" in answer.text
        neighbour.there = True
        await ready(client, replica)
        neighbour.there = False
        redis_server.kill()
        async with asyncio.timeout(START_SECONDS):
            while 'name="redis"} 0.0' not in (await client.get(f"{replica.internal}/metrics")).text:
                await asyncio.sleep(0.1)
        assert (await client.get(f"{replica.internal}/readyz")).status_code == 200
        assert (await client.get(f"{replica.url}/api/health")).status_code == 200


async def test_requests_that_are_under_way_end_well(
    environment: dict[str, str],
    tmp_path: Path,
    postgres: PostgresServer,  # noqa: F811
) -> None:
    """Postgres holds the request up until the process is leaving."""
    token = "flora_" + "a" * 16 + "_" + "b" * 52
    async with running(environment, tmp_path) as replica, aiohttp.ClientSession() as http:
        async with httpx.AsyncClient(trust_env=False) as client:
            await ready(client, replica)
        postgres.freeze()
        try:

            async def ask() -> int:
                headers = {"Authorization": f"Bearer {token}"}
                async with http.get(f"{replica.url}/api/auth/me", headers=headers) as answer:
                    return answer.status

            asking = asyncio.create_task(ask())
            await asyncio.sleep(0.3)
            replica.process.terminate()
            await until(lambda: "api_leaving" in replica.said())
        finally:
            postgres.thaw()
        assert await asking == 401
        assert await replica.process.wait() == 0


async def test_while_it_drains_it_serves_and_says_that_it_goes(
    environment: dict[str, str], tmp_path: Path
) -> None:
    async with (
        running(environment, tmp_path, API_DRAIN_SECONDS="2") as replica,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        await ready(client, replica)
        replica.process.send_signal(signal.SIGTERM)
        await until(lambda: "api_leaving" in replica.said())
        assert (await client.get(f"{replica.url}/api/health")).status_code == 200
        answer = await client.get(f"{replica.internal}/readyz")
        assert (answer.status_code, answer.text) == (503, "stopping\n")


async def test_two_replicas_start_on_an_empty_database(environment: dict[str, str], tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    async with (
        running(environment, folders[0]) as one,
        running(environment, folders[1]) as two,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        await ready(client, one)
        await ready(client, two)


def start(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flora_api.main", *arguments],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("changed", "variable"),
    [
        ({"API_DATABASE_URL": ""}, "API_DATABASE_URL"),
        ({"API_REDIS_URL": ""}, "API_REDIS_URL"),
        ({"API_REDIS_URL": "http://x"}, "API_REDIS_URL"),
        ({"API_PORT": "x"}, "API_PORT"),
        ({"API_TRUSTED_PROXIES": "-1"}, "API_TRUSTED_PROXIES"),
        ({"API_ACCEPT_TOKENS": "nonsense"}, "API_ACCEPT_TOKENS"),
    ],
)
async def test_a_wrong_setting_is_named(
    environment: dict[str, str], changed: dict[str, str], variable: str
) -> None:
    ended = await asyncio.to_thread(start, environment | changed)
    assert ended.returncode == 2
    assert variable in ended.stderr


async def test_a_port_that_is_taken_is_named(environment: dict[str, str]) -> None:
    async with listening(web.Application()) as url:
        ended = await asyncio.to_thread(start, environment | {"API_PORT": url.rpartition(":")[2]})
    assert ended.returncode == 2
    assert "API_PORT: cannot listen" in ended.stderr


async def test_it_takes_no_arguments(environment: dict[str, str]) -> None:
    ended = await asyncio.to_thread(start, environment, "--port")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "API_" in ended.stderr
