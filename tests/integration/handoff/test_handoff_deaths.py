"""kill -9 of each part at each step of a move: it completes or is undone, and then completes; nothing is lost."""

from __future__ import annotations

import asyncio

import pytest

from flora_operator.handoff.machine import Step
from tests.integration.handoff.moving_fleet import A, B, Chat, MovingFleet

STEPS = (Step.HOLDING, Step.LEAVING, Step.ADOPTING, Step.SWITCHING, Step.FORGETTING)


@pytest.mark.parametrize("who", ["a", "b", "gateway", "operator"])
@pytest.mark.parametrize("step", STEPS)
async def test_whoever_is_killed_the_move_ends_and_nothing_is_lost(
    fleet: MovingFleet, step: Step, who: str
) -> None:
    await fleet.fill()
    before, plans = await fleet.values(A), await fleet.crons(A)
    fleet.coordinator.write_seconds = 0.05
    chat = Chat(fleet)
    chat.begin()
    await asyncio.sleep(0.3)
    fleet.want(B)
    await fleet.reaches(step)
    await fleet.kill_and_restart(who)
    await fleet.arrived(B)
    await asyncio.sleep(0.3)
    lost, repeated = await chat.end()
    assert lost == 0
    if who == "operator":
        assert repeated == 0, "no process that has to do with events was killed"
    assert await fleet.values(B) == before
    assert (await fleet.crons(B))["yearly"]["next"] == plans["yearly"]["next"]
