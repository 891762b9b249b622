"""The API's logs on a real Redis: pods send over a socket, people read, and follow over another."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import uvicorn
from aiohttp import web
from pydantic import SecretStr

from flora_api.app import make_app
from flora_api.logs.routes import router
from flora_api.logs.service import LogService, open_logs
from flora_api.logs.store import Keep
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.ids import GuildId, PodName
from flora_core.wire.control import LogLine, logs
from tests.integration.api.played_guard import PlayedGuard
from tests.integration.loopback import listening
from tests.integration.redis_server import RedisServer
from tests.waiting import until

GUILD, OTHER = GuildId("100"), GuildId("200")
POD = PodName("flora-runtime-0")
IDENTITIES = StaticIdentities(
    {
        "pod": Identity(Role.RUNTIME, POD),
        "other": Identity(Role.RUNTIME, "flora-runtime-1"),
        "gateway": Identity(Role.GATEWAY),
    }
)


class Follows:
    """Somebody who follows a log over HTTP, as the lines and events come."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.ids: list[str] = []
        self.rows: list[dict[str, Any]] = []
        self.missed: list[Any] = []
        self.beats = 0
        self.ended = False
        self._task = asyncio.create_task(self._read())

    @property
    def texts(self) -> list[str]:
        return [row["message"] for row in self.rows]

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self.response.close()

    async def _read(self) -> None:
        rest = b""
        with contextlib.suppress(aiohttp.ClientError):
            while chunk := await self.response.content.readany():
                *whole, rest = (rest + chunk).split(b"\n\n")
                for event in whole:
                    self._take(event.decode())
        self.ended = True

    def _take(self, event: str) -> None:
        if event.startswith(":"):
            self.beats += 1
            return
        fields = dict(line.split(": ", 1) for line in event.split("\n"))
        if "data" not in fields:
            return
        data = msgspec.json.decode(fields["data"])
        if fields.get("event") == "missed":
            self.missed.append(data)
        else:
            self.ids.append(fields["id"])
            self.rows.append(data)


class Replica:
    """One process of the API, on two real ports."""

    def __init__(self, service: LogService, session: aiohttp.ClientSession) -> None:
        self.service = service
        self.session = session
        self.guard = PlayedGuard()
        self.headers = self.guard.let("ann", GUILD)
        self.url = self.internal = ""
        self.process = secrets.token_hex(4)
        self._batches = 0
        self._follow: list[Follows] = []

    async def send(
        self,
        texts: Iterable[str],
        *,
        guild: str = GUILD,
        level: str = "info",
        at: int | None = None,
        batch: int | None = None,
    ) -> int:
        """A pod's batch; the status."""
        if batch is None:
            self._batches += 1
            batch = self._batches
        stamp = at if at is not None else now()
        lines = (LogLine(guild, stamp, level, text) for text in texts)
        return await self.post(b"".join(map(logs.encode, lines)), batch=str(batch))

    async def post(self, body: Any, *, token: str = "pod", pod: str = POD, **query: str) -> int:
        params = {"process": self.process, "batch": "1", **query}
        url = f"{self.internal}/v1/pods/{pod}/logs"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.session.post(url, data=body, params=params, headers=headers) as answer:
            return answer.status

    async def get(self, guild: str = GUILD, **query: Any) -> tuple[int, Any]:
        url = f"{self.url}/api/logs/{guild}"
        async with self.session.get(url, params=query, headers=self.headers) as answer:
            return answer.status, await answer.json()

    async def texts(self, guild: str = GUILD, **query: Any) -> list[str]:
        status, rows = await self.get(guild, **query)
        assert status == 200, rows
        return [row["message"] for row in rows]

    async def follow(self, guild: str = GUILD, *, after: str = "", **query: Any) -> Follows:
        """Somebody who follows from now on."""
        headers: Mapping[str, str] = {**self.headers, **({"Last-Event-ID": after} if after else {})}
        url = f"{self.url}/api/logs/{guild}/stream"
        response = await self.session.get(url, params=query, headers=headers)
        assert response.status == 200, await response.text()
        follows = Follows(response)
        self._follow.append(follows)
        return follows

    async def followed(self, count: int = 1, guild: GuildId = GUILD) -> None:
        """Wait until so many follow."""
        rooms = self.service.followers._rooms
        await until(lambda: guild in rooms and rooms[guild].followers >= count)

    async def close(self) -> None:
        for follows in self._follow:
            await follows.close()


def now() -> int:
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def replica(redis: RedisServer, keep: Keep | None = None) -> AsyncIterator[Replica]:
    """A process of the API."""
    async with (
        open_logs(SecretStr(redis.url), keep or Keep()) as service,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        made = Replica(service, session)
        internal = web.Application()
        service.add_routes(internal, IDENTITIES)
        app = make_app(made.guard, [router(service)])
        config = uvicorn.Config(
            app, host="127.0.0.1", port=0, log_level="critical", lifespan="off", timeout_graceful_shutdown=2
        )
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # pyright: ignore[reportAttributeAccessIssue]
        serving = asyncio.create_task(server._serve())
        await until(lambda: server.started)
        made.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        async with listening(internal) as made.internal:
            try:
                yield made
            finally:
                await made.close()
                service.stop()
                server.should_exit = True
                await serving


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """In a folder with a short name: the path of a socket may have some hundred characters."""
    folder = Path(tempfile.mkdtemp(prefix="flora-redis-"))
    server = RedisServer(folder)
    server.start()
    yield server
    server.kill()
    shutil.rmtree(folder)


@pytest.fixture
async def api(redis: RedisServer) -> AsyncIterator[Replica]:
    async with replica(redis) as made:
        yield made
