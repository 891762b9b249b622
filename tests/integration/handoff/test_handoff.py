"""A guild moves from one runtime pod to another while people write: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio

from flora_operator.handoff.machine import MOVING, SWITCHED
from tests.integration.handoff.moving_fleet import A, B, Chat, MovingFleet


async def test_a_guild_moves_with_all_it_has_while_people_write(fleet: MovingFleet) -> None:
    await fleet.fill()
    before, plans = await fleet.values(A), await fleet.crons(A)
    chat = Chat(fleet)
    chat.begin()
    await asyncio.sleep(0.5)
    fleet.want(B)
    await fleet.arrived(B)
    await asyncio.sleep(0.5)
    assert await chat.end() == (0, 0)
    assert await fleet.values(B) == before
    assert len(before) == 2
    assert (await fleet.crons(B))["yearly"]["next"] == plans["yearly"]["next"]
    steps = [handoff.step if handoff is not None else "" for _, _, handoff in fleet.coordinator.writes]
    assert steps == [MOVING, SWITCHED, ""], "two writes before the last"
