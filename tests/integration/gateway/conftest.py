from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import discord
import discord.gateway
import pytest

from flora_simulator import Simulator, SimulatorClient, SimulatorSettings


@pytest.fixture(autouse=True)
def discord_globals() -> Iterator[None]:
    """discord.py is pointed at an API for a whole process; point it back."""
    base, decompression = discord.http.Route.BASE, discord.utils._ActiveDecompressionContext
    yield
    discord.http.Route.BASE, discord.utils._ActiveDecompressionContext = base, decompression


@pytest.fixture
def simulator_settings() -> SimulatorSettings:
    return SimulatorSettings(port=0, identify_window_secs=0)


@pytest.fixture
async def simulator(simulator_settings: SimulatorSettings) -> AsyncIterator[Simulator]:
    async with Simulator(simulator_settings) as running:
        yield running


@pytest.fixture
async def people(simulator: Simulator) -> AsyncIterator[SimulatorClient]:
    """Whoever is in the simulated Discord besides the bot."""
    async with SimulatorClient(simulator.url) as client:
        yield client
