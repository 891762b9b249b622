"""The whole API as ``flora-api`` puts it together, on a port: what is played around it is said below.

Real: all parts and the layers around them, Postgres, Redis, uvicorn, tokens, a runtime pod and its storage, the
bundler. Played: Discord (the simulator), the gateway's answers about members, the cluster with its operator.
It runs in a thread with a loop of its own, so that a test may run the ``flora`` command.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import aiohttp
import asyncpg
import httpx
import structlog
import uvicorn
from aiohttp import web
from pydantic import SecretStr

from flora_api.app import make_app
from flora_api.auth import people
from flora_api.auth.discord import User
from flora_api.auth.tokens import Tokens
from flora_api.deployments.store import DeploymentStore
from flora_api.edge.edge import with_edge
from flora_api.edge.limits import Rate, RedisLimits
from flora_api.edge.protocol import BoundedHttp
from flora_api.parts import Common, open_parts
from flora_api.principal import ActorType, Principal, Right
from flora_api.redis_store import open_redis
from flora_api.settings import ApiSettings
from flora_core.database import Database
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.ids import GuildId
from flora_core.streams import Token
from flora_core.wire.control import LogLine, logs
from flora_simulator import Simulator, SimulatorSettings
from tests.integration.api.auth.conftest import (
    ADA,
    BOB,
    BOT,
    EVE,
    GARDEN,
    MEADOW,
    OPERATOR,
    WORLD,
    playing_gateway,
)
from tests.integration.api.deployments.conftest import Stage
from tests.integration.api.guilds.fleet_of_pods import API_TOKEN, TOKENS, A, FleetOfPods
from tests.integration.loopback import listening
from tests.integration.redis_server import RedisServer
from tests.waiting import until

SCRIPT: Final = "cron('tidy', '@yearly', () => {}); on('messageCreate', (ctx) => ctx.reply('pong'));"
"""What runs in GARDEN's pod."""

T = TypeVar("T")


class WholeApi:
    """Use as a context manager. ada owns GARDEN and MEADOW, bob the orchard; eve is a member everywhere."""

    def __init__(self, folder: Path, *, database_url: str, redis: RedisServer, **settings: Any) -> None:
        self.url = ""
        self.tokens: dict[str, str] = {}
        """By name: ``ada``, ``eve``; ``reader`` is ada's and may only read, ``meadow`` hers for MEADOW alone."""
        self._folder = folder
        self._database_url = database_url
        self._redis_url = SecretStr(redis.url)
        self._settings = settings
        self._internal = ""
        self._batches = 0
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._started = threading.Event()
        self._failed: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(120), "the API did not come up"
        if self._failed is not None:
            raise self._failed
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """What ``work`` comes to, on the API's loop."""

        async def awaited() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(60)

    def ask(
        self, method: str, path: str, json: Any = None, *, who: str = "ada", **more: Any
    ) -> httpx.Response:
        """An answer to somebody's request; ``path`` is below ``/api``."""
        token = self.tokens.get(who, who)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= more.pop("headers", {})
        more |= {"json": json} if json is not None else {}
        with httpx.Client(base_url=f"{self.url}/api", timeout=60, trust_env=False) as client:
            return client.request(method, path, headers=headers, **more)

    def ok(self, method: str, path: str, json: Any = None, **more: Any) -> Any:
        answer = self.ask(method, path, json, **more)
        assert answer.status_code in (200, 204), (answer.status_code, answer.text)
        return answer.json() if answer.headers.get("content-type") == "application/json" else answer.text

    def sql(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """What Postgres says to it."""

        async def fetch(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return await connection.fetch(query, *arguments)

        return self.run(lambda: self.database.run(fetch))

    def log(self, *texts: str, at: int | None = None) -> None:
        """GARDEN's script logged these, by the clock of its pod: ``at`` in Unix milliseconds."""
        self._batches += 1
        stamp = time.time_ns() // 1_000_000 if at is None else at
        lines = b"".join(logs.encode(LogLine(GARDEN, stamp, "info", text)) for text in texts)
        answer = httpx.post(
            f"{self._internal}/v1/pods/{A}/logs",
            params={"process": "played", "batch": str(self._batches)},
            headers={"Authorization": f"Bearer {TOKENS[A]}"},
            content=lines,
            timeout=60,
            trust_env=False,
        )
        assert answer.status_code in (200, 204), answer.text

    # ---------------------------------------------------------------- inside

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            async with self._opened():
                self._started.set()
                await self._stop.wait()
        except BaseException as error:  # noqa: BLE001  the test's thread raises it
            self._failed = error
        finally:
            self._started.set()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            stack.callback(structlog.reset_defaults)
            structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
            database = self.database = await enter(await Database.open(self._database_url))
            redis = open_redis(self._redis_url)
            stack.push_async_callback(redis.aclose)
            simulator = await enter(
                Simulator(SimulatorSettings(port=0, identify_window_secs=0, rate_limits=False), world=WORLD)
            )
            fleet = self.fleet = await enter(FleetOfPods(self._folder, RUNTIME_CRON_TIMEOUT_SECS="2"))
            await fleet.deploy(GARDEN, SCRIPT)
            settings = ApiSettings(
                **{
                    "gateway_url": (await enter(playing_gateway(simulator))).url,
                    "control_url": f"http://127.0.0.1:{fleet.control_port}",
                    "runtime_url": fleet.url_of(A),
                    "redis_url": self._redis_url,
                    "token": SecretStr(API_TOKEN),
                    "discord_url": simulator.url,
                    "discord_client_id": BOT,
                    "discord_client_secret": simulator.settings.client_secret,
                    "operator_secret": SecretStr(OPERATOR),
                    "secret_keys": SecretStr(f"k1:{base64.b64encode(os.urandom(32)).decode()}"),
                    "rate_address": 1_000_000,
                    "rate_caller": 1_000_000,
                    "rate_failures": 1_000_000,
                    **self._settings,
                }
            )
            common = Common(
                settings=settings,
                database=database,
                redis=redis,
                http=await enter(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())),
                limits=RedisLimits(redis),
                token=Token(API_TOKEN),
                identities=StaticIdentities(
                    {token: Identity(Role.RUNTIME, pod) for pod, token in TOKENS.items()}
                ),
                internal=web.Application(),
                stopping=asyncio.Event(),
            )
            stage = self.stage = Stage(database)
            operating = asyncio.create_task(stage.operate())
            stack.callback(operating.cancel)
            parts = await enter(open_parts(common, open_store=lambda _settings: _given(stage.store)))
            self.app = make_app(parts.guard, parts.routers)
            edge = with_edge(
                self.app,
                limits=common.limits,
                per_address=Rate("address", settings.rate_address),
                body_bytes=round(settings.body_mib * (1 << 20)),
                allowances=parts.allowances,
                seconds=settings.request_seconds,
            )
            await self._make_tokens(database)
            self._internal = await enter(listening(common.internal))
            self.url = await enter(_served(edge, common.stopping))
            await self._until_known()
            yield

    async def _make_tokens(self, database: Database) -> None:
        everywhere = [guild.id for guild in WORLD.guilds if guild.id is not None]
        for name, id_ in (("ada", ADA), ("bob", BOB), ("eve", EVE)):
            user = User(id_, name, None, None)
            await database.run(partial(people.remember, user=user, guilds=everywhere))
        table = Tokens(database)
        ada, eve = Principal(ActorType.SESSION, ADA, "ada"), Principal(ActorType.SESSION, EVE, "eve")
        wishes: Mapping[str, tuple[Principal, dict[str, Any]]] = {
            "ada": (ada, {"login": True}),
            "eve": (eve, {"login": True}),
            "reader": (ada, {"scopes": [Right.READ]}),
            "meadow": (ada, {"guilds": [GuildId(MEADOW)]}),
            "expired": (ada, {"days": -1}),
            "revoked": (ada, {}),
        }
        for name, (person, wish) in wishes.items():
            shown, row = await table.create(person, **wish)
            self.tokens[name] = str(shown)
            if name == "revoked":
                await table.revoke(person, row.token_id)
        self.tokens["operator"] = OPERATOR

    async def _until_known(self) -> None:
        """Until operator and cluster have told what there is."""
        headers = {"Authorization": f"Bearer {OPERATOR}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False) as client:
            while (await client.get("/api/fleet")).status_code != 200:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def _given(store: DeploymentStore) -> AsyncIterator[DeploymentStore]:
    yield store


@asynccontextmanager
async def _served(app: Any, stopping: asyncio.Event) -> AsyncIterator[str]:
    """``app`` on a free port, with what ``flora-api`` tells uvicorn."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        http=BoundedHttp,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())  # ``serve`` would take the signals
    try:
        await until(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        stopping.set()
        server.should_exit = True
        await serving
