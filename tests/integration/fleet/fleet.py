"""The components as processes, configured by environment as in pods, each of which can be killed and replaced."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from flora_core.control.server import ControlServer
from flora_core.identity import Identities, Identity, Role, StaticIdentities
from flora_core.wire.control import Loaded
from flora_dev.processes import Component
from flora_simulator import Simulator, SimulatorClient, SimulatorSettings
from flora_simulator.world_spec import DEV_GUILD
from tests.integration.path.path_under_test import POD, Operator

RUNTIME_TOKEN, GATEWAY_TOKEN = "runtime-token", "gateway-token"
PATIENCE = 20.0


class Fleet:
    """Simulated Discord and control plane in this process; gateway and runtime pod in theirs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.operator = Operator()
        self.simulator = Simulator(
            SimulatorSettings(port=0, identify_window_secs=0, rate_limits=False, nonce_window_secs=60)
        )
        self._runner: web.AppRunner | None = None
        self.gateway: Component | None = None
        self.runtime: Component | None = None
        self._gateway_port = self._control_port = 0
        self.gateway_settings: dict[str, str] = {}
        """More environment for every gateway."""
        self.runtime_settings: dict[str, str] = {}
        """And for every runtime pod."""
        self.identities: Identities = StaticIdentities(
            {RUNTIME_TOKEN: Identity(Role.RUNTIME, POD), GATEWAY_TOKEN: Identity(Role.GATEWAY)}
        )
        """Whom the control plane lets in."""

    async def start(self) -> None:
        await self.start_discord()
        await self.start_control()
        await self.start_gateway()
        await self.start_runtime()

    async def start_discord(self) -> None:
        await self.simulator.__aenter__()
        self.people = SimulatorClient(self.simulator.url)
        await self.people.__aenter__()

    async def start_control(self) -> None:
        """The control plane, or its successor at the same address."""
        app = web.Application()
        ControlServer(app, self.operator.state, self.operator, self.identities)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._control_port, reuse_address=True).start()
        self._control_port = self._runner.addresses[0][1]
        self.control_url = f"http://127.0.0.1:{self._control_port}"

    async def stop(self) -> None:
        for component in (self.runtime, self.gateway):
            if component is not None:
                await component.stop()
        await self.stop_control()
        await self.people.close()
        await self.simulator.close()

    async def stop_control(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def start_gateway(self, **extra: str) -> None:
        self.gateway = await Component.start(
            "gateway",
            {
                "DISCORD_TOKEN": self.simulator.token,
                "DISCORD_API_URL": self.simulator.api_url,
                "DISCORD_GLOBAL_LIMIT": "0",
                "DISCORD_GUILD_LIMIT": "0",
                "GATEWAY_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(self._gateway_port),
                "GATEWAY_CONTROL_URL": self.control_url,
                "GATEWAY_TOKEN": GATEWAY_TOKEN,
                "GATEWAY_ACCEPT_TOKENS": f"{RUNTIME_TOKEN}=runtime/{POD}",
                "GATEWAY_STATE_DIR": str(self.folder / "gateway"),
                **self.gateway_settings,
                **extra,
            },
            logs=self.folder,
        )
        self._gateway_port = int(self.gateway.url.rpartition(":")[2])

    async def start_runtime(self, **extra: str) -> None:
        assert self.gateway is not None
        self.runtime = await Component.start(
            "runtime",
            {
                "RUNTIME_POD_NAME": POD,
                "RUNTIME_HOST": "127.0.0.1",
                "RUNTIME_PORT": "0",
                "RUNTIME_GATEWAY_URL": self.gateway.url,
                "RUNTIME_CONTROL_URL": self.control_url,
                "RUNTIME_LOGS_URL": self.control_url,
                "RUNTIME_TOKEN": RUNTIME_TOKEN,
                "RUNTIME_DATA_DIR": str(self.folder / "runtime"),
                "RUNTIME_MAX_WORKERS": "2",
                **self.runtime_settings,
                **extra,
            },
            logs=self.folder,
        )

    def kill(self, component: Component | None, number: int = signal.SIGKILL) -> None:
        assert component is not None
        os.kill(component.pid, number)

    # ---------------------------------------------------------------- acting

    async def deploy(self, code: str, *, guild: str = DEV_GUILD) -> None:
        revision = self.operator.deploy(guild, code)
        await self.wait(
            lambda: any(isinstance(r, Loaded) and r.revision == revision for r in self.operator.reports)
        )

    async def ready(self) -> None:
        """Wait until gateway and runtime pod say so."""
        async with aiohttp.ClientSession() as session:
            for component in (self.gateway, self.runtime):
                assert component is not None
                async with asyncio.timeout(PATIENCE):
                    while not await _is_ready(session, component.url):
                        await asyncio.sleep(0.03)

    async def unready(self, component: Component | None) -> str:
        """What a component says it lacks; empty when it is ready."""
        assert component is not None
        async with aiohttp.ClientSession() as session, session.get(f"{component.url}/readyz") as response:
            return "" if response.status == 200 else (await response.text()).strip()

    async def metrics(self, component: Component | None) -> str:
        assert component is not None
        async with aiohttp.ClientSession() as session, session.get(f"{component.url}/metrics") as response:
            return await response.text()

    async def wait(self, check: Callable[[], Any], *, seconds: float = PATIENCE) -> Any:
        async with asyncio.timeout(seconds):
            while not (value := check()):
                await asyncio.sleep(0.01)
            return value

    async def answers(self) -> list[str]:
        """What the bot wrote into #general."""
        transcript = await self.people.transcript("general", limit=1000)
        return [message.content for message in transcript if message.author == "flora"]

    async def wait_answers(self, wanted: set[str]) -> list[str]:
        async with asyncio.timeout(PATIENCE):
            while not wanted <= set(found := await self.answers()):
                await asyncio.sleep(0.05)
        return found


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False
