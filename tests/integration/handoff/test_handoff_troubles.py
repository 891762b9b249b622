"""Moves that cannot go through, or in the middle of which something else happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from flora_core.wire.control import Failed, Forgotten
from flora_operator.handoff import machine
from flora_operator.handoff.machine import Move, Step
from flora_operator.handoff.retention import PodRetention
from tests.integration.handoff.moving_fleet import API_TOKEN, ECHO, GUILD, A, B, Chat, MovingFleet


def impatient(move: Move) -> float | None:
    """Seconds for a step: few."""
    return 1.5 if machine.patience(move) is not None else None


@pytest.fixture
async def hurried(tmp_path: Path) -> AsyncIterator[MovingFleet]:
    """A fleet whose moves are undone soon."""
    running = MovingFleet(tmp_path, patience=impatient)
    try:
        await running.start()
        await running.ready()
        await running.place()
        yield running
    finally:
        await running.stop()


async def test_without_the_new_pod_the_old_one_goes_on_until_it_is_there(hurried: MovingFleet) -> None:
    await hurried.fill()
    before = await hurried.values(A)
    hurried.kill(hurried.runtimes[B])
    chat = Chat(hurried)
    chat.begin()
    hurried.want(B)
    await hurried.reaches(Step.ADOPTING)
    await hurried.reaches(Step.UNDOING)
    await hurried.wait(lambda: hurried.coordinator.statuses.get(GUILD) is None)
    assert hurried.coordinator.pods[GUILD] == A
    await hurried.start_pod(B)
    await hurried.arrived(B)
    assert await chat.end() == (0, 0)
    assert await hurried.values(B) == before


async def test_a_move_that_is_no_longer_wanted_leaves_everything_as_it_was(fleet: MovingFleet) -> None:
    await fleet.fill()
    before = await fleet.values(A)
    chat = Chat(fleet)
    chat.begin()
    fleet.coordinator.write_seconds = 0.05
    fleet.want(B)
    await fleet.reaches(Step.LEAVING)
    fleet.coordinator.wanted[GUILD] = A
    fleet.coordinator.moves.drop(GUILD)
    await fleet.arrived(A)
    assert await chat.end() == (0, 0)
    assert await fleet.values(A) == before
    assert (await fleet.crons(A)).keys() == {"yearly", "tick"}
    before_ticks = len(fleet.coordinator.logs)
    await fleet.wait(lambda: len(fleet.coordinator.logs) > before_ticks, seconds=5)


async def test_a_guild_goes_there_and_back_and_leaves_no_copy(fleet: MovingFleet) -> None:
    await fleet.fill()
    before = await fleet.values(A)
    chat = Chat(fleet)
    chat.begin()
    for pod in (B, A, B):
        fleet.want(pod)
        await fleet.arrived(pod)
        await asyncio.sleep(0.2)
    assert await chat.end() == (0, 0)
    assert await fleet.values(B) == before
    crons = fleet.folder / "data" / A / "crons"
    await fleet.wait(lambda: not list(crons.glob("*")), seconds=3)
    assert not list((fleet.folder / "spool").iterdir())
    assert not list((fleet.folder / "data" / A / "handoffs").iterdir())


async def test_a_script_that_does_not_load_moves_with_its_data(fleet: MovingFleet) -> None:
    await fleet.fill()
    before = await fleet.values(A)
    fleet.coordinator.place(GUILD, "throw new Error('not today');", A)
    await fleet.wait(lambda: any(isinstance(r, Failed) for r in fleet.coordinator.reports))
    fleet.want(B)
    await fleet.arrived(B)
    await fleet.place(ECHO)
    assert await fleet.values(B) == before


async def test_a_deploy_in_the_middle_of_a_move_runs_on_the_new_pod(fleet: MovingFleet) -> None:
    chat = Chat(fleet)
    chat.begin()
    fleet.coordinator.write_seconds = 0.1
    fleet.want(B)
    await fleet.reaches(Step.LEAVING)
    revision = fleet.coordinator.place(GUILD, ECHO + "console.log('second')", A)
    await fleet.arrived(B)
    await fleet.wait(lambda: any("second" in line.text for line in fleet.coordinator.logs))
    assert await chat.end() == (0, 0)
    assert any(getattr(r, "revision", 0) == revision for r in fleet.coordinator.reports)


async def test_the_api_server_is_away_when_the_switch_is_to_be_written(fleet: MovingFleet) -> None:
    chat = Chat(fleet)
    chat.begin()
    fleet.want(B)
    await fleet.reaches(Step.ADOPTING)
    fleet.coordinator.api_is_up = False
    await asyncio.sleep(2)
    move = fleet.coordinator.moves.of(GUILD)
    assert move is not None
    assert move.step is Step.SWITCHING, "neither undone nor done"
    fleet.coordinator.api_is_up = True
    await fleet.arrived(B)
    assert await chat.end() == (0, 0)


async def test_tools_are_told_that_the_guild_is_on_its_way(fleet: MovingFleet) -> None:
    fleet.want(B)
    await fleet.reaches(Step.LEAVING)
    fleet.coordinator.api_is_up = False  # it stays between the two
    await fleet.reaches(Step.SWITCHING)
    for pod in (A, B):
        url = f"{fleet.runtimes[pod].url}/v1/guilds/{GUILD}/kv/kvSet"
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json={"store": "s", "key": "k", "value": "v"}, headers=headers) as response,
        ):
            assert (response.status, (await response.json())["code"]) == (503, "GUILD_MOVING")
    fleet.coordinator.api_is_up = True
    await fleet.arrived(B)


async def test_a_running_handler_ends_before_its_guild_goes(fleet: MovingFleet) -> None:
    await fleet.place(
        "on('messageCreate', async (ctx) => { await new Promise((r) => setTimeout(r, 1500));"
        " await kv.store('s').set('last', ctx.msg.content); await ctx.reply('re: ' + ctx.msg.content); });"
    )
    await fleet.people.post("slow")
    await asyncio.sleep(0.3)
    fleet.want(B)
    await fleet.arrived(B)
    await fleet.wait_answers({"re: slow"})
    assert (await fleet.ask(B, "kvGet", store="s", key="last"))["value"] == "slow"


async def test_a_guild_that_is_deleted_is_set_aside(fleet: MovingFleet) -> None:
    await fleet.fill()
    retention = PodRetention(fleet.coordinator.state, hours=1)
    fleet.coordinator.state.release(GUILD)
    assert not retention.release(GUILD, A)
    await fleet.wait(lambda: any(isinstance(r, Forgotten) for r in fleet.coordinator.reports))
    retention.on_report(A, Forgotten(GUILD))
    assert retention.release(GUILD, A)
    (kept,) = (fleet.folder / "data" / A / "retained").iterdir()
    assert kept.read_text().count('"k":"entry"') == 20
    fleet.coordinator.pods.clear()
    await fleet.place(ECHO)
    assert await fleet.values(A) == {}, "who comes back begins anew"
