"""A simulated Discord on a free port, and the people and bots in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import discord.gateway
import discord.http
import pytest
import yarl
from simulator_kit import WORLD, Api, Dialler, RunningBots, Socket, Start

from flora_simulator import Simulator, SimulatorClient, SimulatorSettings, WorldSpec


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts simulators with other settings or another world than the usual one."""
    async with AsyncExitStack() as stack:

        async def begin(world: WorldSpec = WORLD, **settings: Any) -> Simulator:
            usual: dict[str, Any] = {"port": 0, "identify_window_secs": 0.0, "rate_limits": False}
            simulator = Simulator(SimulatorSettings(**{**usual, **settings}), world=world)
            return await stack.enter_async_context(simulator)

        yield begin


@pytest.fixture
async def simulator(start: Start) -> Simulator:
    """The guild "garden" of ada, with bob, #general and #random; no rate limits."""
    return await start()


@pytest.fixture
async def people(simulator: Simulator) -> AsyncIterator[SimulatorClient]:
    async with SimulatorClient(simulator.url) as client:
        yield client


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def api(simulator: Simulator, http: aiohttp.ClientSession) -> Api:
    return Api(simulator, http)


@pytest.fixture
async def dial(http: aiohttp.ClientSession) -> AsyncIterator[Dialler]:
    async with AsyncExitStack() as stack:
        yield Dialler(http, stack)


@pytest.fixture
async def socket(simulator: Simulator, dial: Dialler) -> Socket:
    """A connection that is identified and has had all its guilds."""
    socket = await dial(simulator.gateway_url)
    await socket.identify(simulator.token)
    await socket.until("GUILD_CREATE")
    return socket


@pytest.fixture
async def run_bot(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunningBots]:
    """discord.py pointed at the simulator; both addresses are globals of the library."""
    monkeypatch.setattr(discord.http.Route, "BASE", simulator.api_url)
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(simulator.gateway_url))
    async with RunningBots() as bots:
        yield bots
