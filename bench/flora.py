"""flora itself: gateway and runtime pod as processes, with this process as their control plane.

One pod with one worker serves all GUILDS guilds with the same bundle. Everything that is flora's runs on
the tested core; the control plane, which is idle once everything is loaded, runs here.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
import psutil
from aiohttp import web

from bench import payloads
from bench.machine import cores
from bench.processes import Child, ProcessFailed, python, running, start
from bench.script import pong_bundle
from flora_core.control.server import ControlServer
from flora_core.control.state import DesiredState
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.ids import GuildId, PodName, Sha256
from flora_core.toolchain import Bundle
from flora_core.wire.control import (
    Assignment,
    Draining,
    Failed,
    GatewayNews,
    Loaded,
    LogLine,
    PodReport,
)

POD: Final = PodName("flora-runtime-0")
LOCALHOST: Final = "127.0.0.1"
READY_SECONDS: Final = 60.0


class Control:
    """The control plane; implements ``flora_core.control.server.Controller``."""

    def __init__(self) -> None:
        self.state: Final = DesiredState()
        self.tokens: Final = {role: secrets.token_urlsafe(24) for role in (Role.GATEWAY, Role.RUNTIME)}
        self.url = ""
        self.loaded: Final[set[str]] = set()
        self.problems: Final[list[str]] = []
        self._bundles: dict[Sha256, bytes] = {}
        self._revision = 1
        self.hostile: Final[dict[str, Sha256]] = {}
        """What attackers run; deployed anew whenever they are put out of action."""

    async def place_all(self) -> None:
        """Every guild on the one pod, with the bench's script."""
        bundle = await pong_bundle()
        self.add_bundle(bundle)
        for index in range(payloads.GUILDS):
            self.state.assign(POD, Assignment(payloads.guild_id(index), 1, bundle.sha256))

    def add_bundle(self, bundle: Bundle) -> None:
        """Serve ``bundle`` by its hash."""
        self._bundles[bundle.sha256] = bundle.to_bytes()

    def attack(self, scripts: Mapping[str, str]) -> None:
        """Let guilds run ``scripts``, already bundled, from now on."""
        for guild, script in scripts.items():
            bundle = Bundle("src/main.ts", script)
            self._bundles[bundle.sha256] = bundle.to_bytes()
            self.hostile[guild] = bundle.sha256
            self._deploy(guild, bundle.sha256)

    async def end_attack(self) -> None:
        """Let them run the bench's script again."""
        bundle = await pong_bundle()
        for guild in list(self.hostile):
            del self.hostile[guild]
            self._deploy(guild, bundle.sha256)

    def _deploy(self, guild: str, sha256: Sha256) -> None:
        self._revision += 1
        self.state.assign(POD, Assignment(guild, self._revision, sha256))

    def route_all(self) -> None:
        """Every guild on the one pod, where nobody will run it."""
        for index in range(payloads.GUILDS):
            self.state.assign(POD, Assignment(payloads.guild_id(index), 1, "0" * 64))

    async def bundle(self, sha256: Sha256) -> bytes | None:
        return self._bundles.get(sha256)

    def on_report(self, pod: PodName, report: PodReport) -> None:
        if isinstance(report, Draining):
            self.state.retire(pod)
        elif isinstance(report, Loaded):
            self.loaded.add(GuildId(report.guild))
        elif report.guild in self.hostile:
            self._deploy(report.guild, self.hostile[report.guild])
        elif isinstance(report, Failed):
            self.problems.append(f"guild {report.guild} did not load: {report.error.message}")

    def on_gateway_report(self, report: GatewayNews) -> None:
        pass

    def on_log(self, pod: PodName, line: LogLine) -> None:
        del pod
        if line.level == "error" and line.guild not in self.hostile:
            self.problems.append(f"guild {line.guild}: {line.text}")


@asynccontextmanager
async def control_plane(*, runtime_token: str = "") -> AsyncIterator[Control]:
    """The control streams on a free port of this process."""
    control = Control()
    if runtime_token:
        control.tokens[Role.RUNTIME] = runtime_token
    identities = StaticIdentities(
        {
            control.tokens[Role.GATEWAY]: Identity(Role.GATEWAY),
            control.tokens[Role.RUNTIME]: Identity(Role.RUNTIME, POD),
        }
    )
    app = web.Application()
    ControlServer(app, control.state, control, identities)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOCALHOST, 0).start()
        control.url = f"http://{LOCALHOST}:{runner.addresses[0][1]}"
        yield control
    finally:
        await runner.cleanup()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOCALHOST, 0))
        return probe.getsockname()[1]


async def start_gateway(
    control: Control, discord_url: str, *, folder: Path, port: int, as_shipped: bool = False
) -> Child:
    """A gateway process; with the same ``folder`` and ``port`` it is the successor of an earlier one.

    ``as_shipped``: on any core, and with the limit on a guild's calls. Else on the tested core, without it.
    """
    return await start(
        "gateway",
        python("flora_gateway.main"),
        core=None if as_shipped else cores().tested,
        logs=folder,
        environment={
            "GATEWAY_HOST": LOCALHOST,
            "GATEWAY_PORT": str(port),
            "GATEWAY_LOG_FORMAT": "json",
            "GATEWAY_CONTROL_URL": control.url,
            "GATEWAY_TOKEN": control.tokens[Role.GATEWAY],
            "GATEWAY_ACCEPT_TOKENS": f"{control.tokens[Role.RUNTIME]}=runtime/{POD}",
            "GATEWAY_STATE_DIR": str(folder / "gateway"),
            "DISCORD_TOKEN": "stub-flora",
            "DISCORD_API_URL": f"{discord_url}/api/v10",
            "DISCORD_GLOBAL_LIMIT": "0",  # 50 calls a second, else
            **({} if as_shipped else {"DISCORD_GUILD_LIMIT": "0"}),  # 50 in ten seconds
        },
    )


class Flora:
    """The running system."""

    def __init__(
        self, control: Control, folder: Path, discord_url: str, port: int, *, as_shipped: bool
    ) -> None:
        self.control: Final = control
        self._folder = folder
        self._discord_url = discord_url
        self._port = port
        self._as_shipped = as_shipped
        self.gateway: Child
        self.runtime: Child

    @property
    def worker(self) -> int:
        """The pid of the one worker process."""
        return psutil.Process(self.runtime.pid).children()[0].pid

    @property
    def parts(self) -> dict[str, int]:
        """Pids by name."""
        return {"gateway": self.gateway.pid, "supervisor": self.runtime.pid, "worker": self.worker}

    async def start(self) -> None:
        """Everything up and loaded; raises ProcessFailed."""
        await self.start_gateway()
        self.runtime = await start(
            "runtime",
            python("flora_runtime.supervisor.main"),
            core=None if self._as_shipped else cores().tested,
            logs=self._folder,
            environment={
                "RUNTIME_HOST": LOCALHOST,
                "RUNTIME_PORT": "0",
                "RUNTIME_LOG_FORMAT": "json",
                "RUNTIME_POD_NAME": POD,
                "RUNTIME_GATEWAY_URL": self.gateway.url,
                "RUNTIME_CONTROL_URL": self.control.url,
                "RUNTIME_LOGS_URL": self.control.url,
                "RUNTIME_TOKEN": self.control.tokens[Role.RUNTIME],
                "RUNTIME_DATA_DIR": str(self._folder / "runtime"),
                "RUNTIME_MAX_WORKERS": "1",
            },
        )
        await self._until_loaded()
        await until_ready(self.gateway)

    async def start_gateway(self) -> None:
        """The first gateway, or the next one after it was killed."""
        self.gateway = await start_gateway(
            self.control,
            self._discord_url,
            folder=self._folder,
            port=self._port,
            as_shipped=self._as_shipped,
        )

    async def stop(self) -> None:
        for name in ("runtime", "gateway"):
            child: Child | None = getattr(self, name, None)
            if child is not None:
                await child.stop()

    async def _until_loaded(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while len(self.control.loaded) < payloads.GUILDS:
            if self.control.problems or time.monotonic() > deadline or not self.runtime.alive:
                what = "; ".join(self.control.problems[:2]) or self.runtime.last_words()
                raise ProcessFailed(f"{len(self.control.loaded)} of {payloads.GUILDS} guilds loaded; {what}")
            await asyncio.sleep(0.05)


async def until_ready(child: Child, url: str = "", *, seconds: float = 20, pause: float = 0.05) -> None:
    """Return when ``child`` answers /readyz, at ``url`` or its own, with 200; raises ProcessFailed."""
    deadline = time.monotonic() + seconds
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{url or child.url}/readyz") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(pause)
    raise ProcessFailed(f"{child.name} was not ready within {seconds:g} s; {child.last_words()}")


@asynccontextmanager
async def flora(folder: Path, discord_url: str, *, as_shipped: bool = False) -> AsyncIterator[Flora]:
    """The whole system, up and loaded; ``as_shipped`` as in ``start_gateway``."""
    async with control_plane() as control:
        await control.place_all()
        system = Flora(control, folder, discord_url, free_port(), as_shipped=as_shipped)
        try:
            await system.start()
            yield system
        finally:
            await system.stop()


@asynccontextmanager
async def plain_bot(folder: Path, discord_url: str, mode: str) -> AsyncIterator[Child]:
    """The baseline's process."""
    child = await start(
        "plain", python("bench.plain_bot", discord_url, mode), core=cores().tested, logs=folder
    )
    async with running(child):
        yield child
