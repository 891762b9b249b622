"""A guild moves from one runtime pod to another while people write: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio

import pytest

from flora_core.ids import GuildId
from flora_core.wire.control import Failed
from flora_operator.handoff.machine import MOVING, SWITCHED, Step
from flora_simulator.world_spec import ChannelSpec
from tests.integration.handoff.moving_fleet import ECHO, GUILD, A, B, Chat, MovingFleet


@pytest.mark.parity(53)
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


async def test_others_of_the_new_pod_have_had_later_events_meanwhile(fleet: MovingFleet) -> None:
    """All guilds share a Discord session: what was held is older than what the pod has seen by then."""
    other = GuildId(await fleet.people.create_guild("other", channels=[ChannelSpec("elsewhere")]))
    await fleet.place(guild=other, pod=B)
    fleet.coordinator.write_seconds = 0.3
    here, there = Chat(fleet), Chat(fleet, channel="elsewhere")
    here.begin()
    there.begin()
    await asyncio.sleep(0.3)
    fleet.want(B)
    await fleet.arrived(B)
    await asyncio.sleep(0.3)
    assert (await here.end(), await there.end()) == ((0, 0), (0, 0))
    assert here.written > 20


async def test_a_guild_that_rests_moves_with_its_data_and_wakes_there(fleet: MovingFleet) -> None:
    await fleet.fill()
    before = await fleet.values(A)
    fleet.coordinator.state.rest(A, GUILD)
    fleet.want(B)
    await fleet.arrived(B)
    state = fleet.coordinator.state
    assert (state.has_guilds(A), state.has_guilds(B), state.routes().pods) == (False, True, {})
    await fleet.place()
    assert await fleet.values(B) == before


async def test_a_guild_that_is_woken_while_its_data_is_on_its_way_is_served_there(fleet: MovingFleet) -> None:
    await fleet.fill()
    before = await fleet.values(A)
    fleet.coordinator.state.rest(A, GUILD)
    fleet.coordinator.write_seconds = 0.3
    fleet.want(B)
    await fleet.reaches(Step.LEAVING)
    fleet.coordinator.place(GUILD, ECHO, A)
    chat = Chat(fleet)
    chat.begin()
    await fleet.arrived(B)
    assert await chat.end() == (0, 0)
    assert await fleet.values(B) == before


async def test_a_guild_that_is_put_to_rest_on_its_way_arrives_and_does_not_run(fleet: MovingFleet) -> None:
    await fleet.fill()
    before = await fleet.values(A)
    fleet.want(B)
    await fleet.reaches(Step.LEAVING)
    fleet.coordinator.state.rest(A, GUILD)
    fleet.coordinator.reconcile()
    await fleet.arrived(B)
    assert fleet.coordinator.state.routes().pods == {}
    await fleet.place()
    assert await fleet.values(B) == before


LOOP = (
    "on('messageCreate', async (ctx) => {"
    " if (ctx.msg.content === 'loop') for (;;); await ctx.reply('re: ' + ctx.msg.content); });"
)


async def test_what_a_script_did_is_not_forgotten_by_moving_on(fleet: MovingFleet) -> None:
    def strikes() -> int:
        return sum("used more than 200 ms" in line.text for line in fleet.coordinator.logs)

    def verdicts() -> int:
        return sum(isinstance(r, Failed) and r.quarantined for r in fleet.coordinator.reports)

    await fleet.place(LOOP)
    for number in range(2):
        await fleet.people.post("loop", channel="general")
        await fleet.wait(lambda number=number: strikes() > number)
    fleet.want(B)
    await fleet.arrived(B)
    assert verdicts() == 0
    await fleet.people.post("loop", channel="general")
    await fleet.wait(lambda: verdicts() == 1)
    fleet.want(A)
    await fleet.arrived(A)
    assert verdicts() > 1, "the first pod has it from the second, and says so"
    await fleet.place(LOOP + "// mended")
    await fleet.people.post("hello", channel="general")
    await fleet.wait_answers({"re: hello"})
