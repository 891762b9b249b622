"""The gateway tells the control plane which guilds the bot is in, whoever of the two was restarted."""

from __future__ import annotations

import asyncio

import pytest

from flora_core.wire.control import Guilds, Joined, Left
from flora_simulator.world_spec import DEV_GUILD
from tests.integration.fleet.fleet import Fleet


@pytest.fixture
async def told(fleet: Fleet) -> Fleet:
    """A fleet whose control plane has the list."""
    await fleet.wait(lambda: fleet.operator.gateway_reports)
    return fleet


async def test_the_list_comes_when_every_shard_is_ready(told: Fleet) -> None:
    assert told.operator.gateway_reports == [Guilds([DEV_GUILD])]


async def test_a_guild_that_is_joined_unavailable_back_and_left(told: Fleet) -> None:
    created = await told.people.create_guild("new")
    await told.wait(lambda: Joined(created) in told.operator.gateway_reports)
    await told.people.set_outage(created, unavailable=True)
    await told.people.set_outage(created, unavailable=False)
    await told.people.remove_guild(created)
    await told.wait(lambda: Left(created) in told.operator.gateway_reports)
    assert told.operator.gateway_reports[1:] == [Joined(created), Left(created)]


async def test_a_control_plane_that_comes_back_hears_it_all_again(told: Fleet) -> None:
    await told.stop_control()
    created = await told.people.create_guild("meanwhile")
    told.operator.gateway_reports.clear()
    await told.start_control()
    await told.wait(lambda: told.operator.gateway_reports)
    assert told.operator.gateway_reports == [Guilds(sorted([DEV_GUILD, created]))]


async def test_a_gateway_that_resumes_asks_discord_for_the_list(told: Fleet) -> None:
    created = await told.people.create_guild("second")
    await told.wait(lambda: Joined(created) in told.operator.gateway_reports)
    assert told.gateway is not None
    told.operator.gateway_reports.clear()
    await told.gateway.stop()
    third = await told.people.create_guild("while nobody listens")
    await told.start_gateway()
    await told.wait(lambda: told.operator.gateway_reports)
    await asyncio.sleep(0.1)
    stats = await told.people.stats()
    assert (stats.identifies, stats.resumes) == (1, 1)
    assert told.operator.gateway_reports == [Guilds(sorted([DEV_GUILD, created, third]))]
