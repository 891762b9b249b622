"""A control plane, runtime pods as processes, and the API before them: real ones, but for the gateway.

The pods are real processes that know the API by asking the control plane, as in a cluster.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self

import httpx
import uvicorn
from aiohttp import web
from fastapi import FastAPI
from pydantic import SecretStr

from flora_api.app import make_app
from flora_api.guilds import DeploymentCounts, Guilds, open_guilds, router
from flora_api.guilds.pods import PodLimits
from flora_api.principal import Right
from flora_api.settings import ApiSettings
from flora_core.control.handoffs import HandoffServer, Spool
from flora_core.control.server import ControlServer
from flora_core.database import Database
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.ids import GuildId, PodName
from flora_core.wire.control import Assignment, Loaded, LogLine
from flora_dev.processes import Component
from flora_gateway.fanout.hub import Hub
from flora_gateway.rest import ScopeMap
from flora_gateway.server import GatewayServer
from tests.integration.api.played_guard import OPERATOR, READER, PlayedGuard
from tests.integration.path.path_under_test import DiscordProxy, Operator
from tests.waiting import until

A, B = PodName("flora-runtime-0"), PodName("flora-runtime-1")
TOKENS: Final = {A: "token-of-a", B: "token-of-b"}
API_TOKEN: Final = "token-of-the-api"
PATIENT: Final = PodLimits(seconds=60.0, moving_seconds=0.5)
"""For machines that are slow."""


class FleetOfPods:
    """Only pod A runs from the start."""

    def __init__(self, folder: Path, **runtime: str) -> None:
        self.folder = folder
        self.operator = Operator()
        self.discord = DiscordProxy()
        self.guard = PlayedGuard({"operator": OPERATOR})
        self.notes: list[LogLine] = []
        """What the API had written into guilds' logs."""
        self.guard.let("ann", "1")
        self.guard.let("ann", "2")
        self.guard.let("reader", "1", Right.READ, principal=READER)
        self.runtimes: dict[PodName, Component] = {}
        self.counts = DeploymentCounts(0, 0)
        self._runtime = runtime
        self._runner: web.AppRunner | None = None
        self._gateway: web.AppRunner | None = None
        self.control_port = 0

    async def __aenter__(self) -> Self:
        await self.start_control()
        await self._start_gateway()
        await self.start_pod(A)
        return self

    async def __aexit__(self, *_error: object) -> None:
        for pod in list(self.runtimes):
            await self.stop_pod(pod)
        await self.stop_control()
        if self._gateway is not None:
            self.server.stop()
            await self._gateway.cleanup()

    # ---------------------------------------------------------------- parts

    async def start_control(self) -> None:
        app = web.Application()
        identities = StaticIdentities(
            {token: Identity(Role.RUNTIME, pod) for pod, token in TOKENS.items()}
            | {API_TOKEN: Identity(Role.API)}
        )
        spool = Spool(self.folder / "spool")
        ControlServer(app, self.operator.state, self.operator, identities)
        HandoffServer(app, self.operator.state, spool, identities, on_spooled=lambda _handoff: None)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.control_port, reuse_address=True).start()
        self.control_port = self._runner.addresses[0][1]

    async def stop_control(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _start_gateway(self) -> None:
        self.hub = Hub(
            pod_of=lambda guild: self.operator.state.routes().pods.get(guild),  # noqa: PLW0108
            all_pods=lambda: set(TOKENS),
            scope=ScopeMap(),
            byte_limit=64 << 20,
            guild_limit=2000,
        )
        self.hub.know_bot("3")
        identities = StaticIdentities({token: Identity(Role.RUNTIME, pod) for pod, token in TOKENS.items()})
        self.server = GatewayServer(self.hub, lambda: self.discord, identities, ready=lambda: None)
        self._gateway = web.AppRunner(self.server.app, access_log=None, shutdown_timeout=0.1)
        await self._gateway.setup()
        await web.TCPSite(self._gateway, "127.0.0.1", 0).start()

    async def start_pod(self, pod: PodName) -> None:
        assert self._gateway is not None
        token = self.folder / f"{pod}.token"
        token.write_text(TOKENS[pod])
        control = f"http://127.0.0.1:{self.control_port}"
        logs = self.folder / f"logs-of-{pod}"
        logs.mkdir(exist_ok=True)
        self.runtimes[pod] = await Component.start(
            "runtime",
            {
                "RUNTIME_POD_NAME": pod,
                "RUNTIME_HOST": "127.0.0.1",
                "RUNTIME_PORT": "0",
                "RUNTIME_GATEWAY_URL": f"http://127.0.0.1:{self._gateway.addresses[0][1]}",
                "RUNTIME_CONTROL_URL": control,
                "RUNTIME_LOGS_URL": control,
                "RUNTIME_TOKEN_FILE": str(token),
                "RUNTIME_DATA_DIR": str(self.folder / f"data-of-{pod}"),
                "RUNTIME_MAX_WORKERS": "1",
                "RUNTIME_RETIRE_SECS": "0",
                "RUNTIME_DRAIN_SECS": "1",
                **self._runtime,
            },
            logs=logs,
        )

    async def stop_pod(self, pod: PodName) -> None:
        await self.runtimes.pop(pod).stop()

    async def kill_pod(self, pod: PodName) -> None:
        """As a machine that dies."""
        component = self.runtimes.pop(pod)
        os.kill(component.pid, signal.SIGKILL)
        await component.stopped()

    async def deploy(self, guild: str, code: str = "", **options: Any) -> None:
        """On pod A; returns once it runs."""
        revision = self.operator.deploy(guild, code, **options)
        await self.loaded(revision)

    async def loaded(self, revision: int, *, times: int = 1) -> None:
        def found() -> bool:
            reports = [r for r in self.operator.reports if isinstance(r, Loaded) and r.revision == revision]
            return len(reports) >= times

        await until(found)

    def assignment(self, guild: str) -> Assignment:
        assignment = self.operator.state.assignment(GuildId(guild))
        assert assignment is not None
        return assignment

    # ---------------------------------------------------------------- the API

    @property
    def settings(self) -> ApiSettings:
        return ApiSettings(
            control_url=f"http://127.0.0.1:{self.control_port}",
            token=SecretStr(API_TOKEN),
        )

    @asynccontextmanager
    async def api(self, database: Database, *, limits: PodLimits = PATIENT) -> AsyncIterator[Api]:
        """The API, served on loopback; it knows which pod has which guild."""
        async with open_guilds(self.settings, limits=limits, url_of=self.url_of) as guilds:
            app = make_app(self.guard, [router(guilds, database, count=self._count, note=self.notes.append)])
            async with served(app) as url, httpx.AsyncClient(base_url=f"{url}/api", timeout=60) as client:
                await until(lambda: guilds.ready() is None)
                yield Api(client, guilds)

    def url_of(self, pod: PodName) -> str:
        component = self.runtimes.get(pod)
        return component.url if component is not None else "http://127.0.0.1:9"

    async def _count(self) -> DeploymentCounts:
        return self.counts


class Api:
    """Asks as ann, unless told otherwise."""

    def __init__(self, client: httpx.AsyncClient, guilds: Guilds) -> None:
        self.client = client
        self.guilds = guilds

    async def ask(
        self, method: str, path: str, json: Any = None, *, token: str = "ann", **options: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        options |= {"json": json} if json is not None else {}
        return await self.client.request(method, path, headers=headers, **options)

    async def ok(self, method: str, path: str, json: Any = None, **options: Any) -> Any:
        response = await self.ask(method, path, json, **options)
        assert response.status_code == 200, response.text
        return response.json()

    async def refused(self, method: str, path: str, json: Any = None, **options: Any) -> tuple[int, str]:
        response = await self.ask(method, path, json, **options)
        body = response.json()
        assert set(body) == {"message", "code", "details"}, body
        if response.status_code in (429, 503):
            assert int(response.headers["Retry-After"]) >= 1
        return response.status_code, body["code"]


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """``app`` on a free port of loopback."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve())  # ``serve`` would take the signals
    try:
        await until(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
