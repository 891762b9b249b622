"""The traffic tool of the cluster's tests, on gateway and runtime pod as processes."""

from __future__ import annotations

import asyncio

import pytest

from flora_simulator.world_spec import DEV_GUILD
from tests.cluster import traffic
from tests.cluster.traffic import ECHO, Traffic
from tests.integration.fleet.fleet import Fleet


async def test_every_message_is_counted_with_its_delay(fleet: Fleet) -> None:
    await fleet.deploy(ECHO)
    await fleet.ready()
    async with Traffic(fleet.simulator.url, [DEV_GUILD], rate=100).flowing() as tally:
        while tally.answered < 50:
            await asyncio.sleep(0.05)
    assert tally.sent >= 50
    assert (tally.lost, tally.duplicated, tally.unheard) == ([], 0, 0)
    assert len(tally.delays) == tally.sent
    assert 0 < tally.worst < traffic.PATIENCE


async def test_messages_that_nobody_answers_are_lost(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "PATIENCE", 0.3)
    await fleet.deploy("on('messageCreate', () => {});")
    await fleet.ready()
    async with Traffic(fleet.simulator.url, [DEV_GUILD], rate=100).flowing() as tally:
        while tally.sent < 20:
            await asyncio.sleep(0.05)
    assert tally.lost == list(tally.written)


async def test_what_cannot_keep_up_gets_fewer(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "PATIENCE", 0.3)
    monkeypatch.setattr(traffic, "UNANSWERED", 5)
    await fleet.deploy("on('messageCreate', () => {});")
    await fleet.ready()
    async with Traffic(fleet.simulator.url, [DEV_GUILD], rate=1000).flowing() as tally:
        while tally.sent < 5:
            await asyncio.sleep(0.05)
        await asyncio.sleep(3 * traffic.PAUSE)
    assert tally.sent == 5


async def test_a_script_that_answers_twice_is_seen(fleet: Fleet) -> None:
    await fleet.deploy(ECHO + ECHO)
    await fleet.ready()
    async with Traffic(fleet.simulator.url, [DEV_GUILD], rate=50).flowing() as tally:
        while tally.answered < 10:
            await asyncio.sleep(0.05)
    assert tally.duplicated >= 10
