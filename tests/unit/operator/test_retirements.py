"""Pods that ask whether they may leave: those that come back at once, the others without guilds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection

import pytest

from flora_core.control.state import DesiredState
from flora_core.ids import GuildId, PodName
from flora_core.wire.control import Assignment
from flora_operator import retirement
from flora_operator.retirement import Retirements

A, B = PodName("flora-runtime-0"), PodName("flora-runtime-1")


class World:
    """The pods that there should be, and what they are answered."""

    def __init__(self) -> None:
        self.state = DesiredState()
        self.pods: Collection[PodName] = [A, B]
        self.retirements = Retirements(self.state, self.should_be)
        self.asked = 0

    async def should_be(self) -> Collection[PodName]:
        self.asked += 1
        return self.pods

    def drain(self, pod: PodName, process: str = "p") -> None:
        self.state.drains(pod, process)
        self.retirements.on_draining(pod)

    def answer(self, pod: PodName) -> bool | None:
        """Whether the pod has to wait; None: it has no answer."""
        retire = self.state.snapshot(pod).retire
        return None if retire is None else retire.wait

    async def until(self, pod: PodName, *, wait: bool) -> None:
        async with asyncio.timeout(5):
            while self.answer(pod) is not wait:
                await asyncio.sleep(0.01)


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(retirement, "LOOK_SECONDS", 0.01)
    world = World()
    world.state.assign(B, Assignment("7", 1, "0" * 64))
    running = asyncio.create_task(world.retirements.run())
    yield world
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_pod_that_comes_back_may_leave_at_once(world: World) -> None:
    world.drain(B)
    await world.until(B, wait=False)


async def test_one_that_is_too_many_waits_until_its_guilds_have_moved(world: World) -> None:
    world.pods = [A]
    world.drain(B)
    await world.until(B, wait=True)
    world.state.assign(A, Assignment("7", 1, "0" * 64))
    await world.until(B, wait=False)


async def test_one_that_is_too_many_and_has_no_guild_may_leave(world: World) -> None:
    world.pods = [B]
    world.drain(A)
    await world.until(A, wait=False)


async def test_one_whose_guilds_rest_waits_too(world: World) -> None:
    world.pods = [A]
    world.state.rest(B, GuildId("7"))
    world.drain(B)
    await world.until(B, wait=True)
    world.state.rest(A, GuildId("7"))
    await world.until(B, wait=False)


async def test_where_no_pod_stays_nobody_waits_for_guilds_to_move(world: World) -> None:
    world.pods = []
    world.drain(B)
    await world.until(B, wait=False)


async def test_scaled_up_again_it_need_not_wait(world: World) -> None:
    world.pods = [A]
    world.drain(B)
    await world.until(B, wait=True)
    world.pods = [A, B]
    await world.until(B, wait=False)


async def test_the_next_process_of_a_pod_is_answered_by_itself(world: World) -> None:
    world.drain(B, "first")
    await world.until(B, wait=False)
    world.pods = [A]
    world.drain(B, "second")
    await world.until(B, wait=True)
    retire = world.state.snapshot(B).retire
    assert retire is not None
    assert retire.process == "second"


async def test_nobody_is_looked_for_when_nobody_asks(world: World) -> None:
    await asyncio.sleep(0.1)
    assert world.asked == 0
    world.drain(B)
    await world.until(B, wait=False)
    await asyncio.sleep(0.05)
    before = world.asked
    await asyncio.sleep(0.1)
    assert world.asked == before


def test_a_handoff_counts_for_both_its_pods(world: World) -> None:
    assert world.state.has_guilds(B)
    assert not world.state.has_guilds(A)
    world.state.release(GuildId("7"))
    assert not world.state.has_guilds(B)
