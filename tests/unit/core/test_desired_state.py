"""Desired state with revisions: a reader that follows the changes knows what a snapshot says."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.control.state import LOG_LENGTH, DesiredState
from flora_core.ids import GuildId, PodName
from flora_core.wire.control import Assign, Assignment, Release

A, B = PodName("flora-runtime-0"), PodName("flora-runtime-1")


def assignment(guild: str, revision: int = 1) -> Assignment:
    return Assignment(guild, revision, "ab" * 32)


def test_a_snapshot_has_one_pods_guilds() -> None:
    state = DesiredState()
    state.assign(A, assignment("1"))
    state.assign(B, assignment("2"))
    assert [entry.guild for entry in state.snapshot(A).assignments] == ["1"]
    assert state.routes().pods == {"1": A, "2": B}


def test_a_guild_that_moves_is_released_by_one_pod_and_assigned_to_the_other() -> None:
    state = DesiredState()
    state.assign(A, assignment("1"))
    before = state.revision
    state.assign(B, assignment("1"))
    assert [type(frame) for frame in state.changes(A, after=before)] == [Release]
    assert [type(frame) for frame in state.changes(B, after=before)] == [Assign]
    assert [(route.guild, route.pod) for route in state.route_changes(after=before)] == [("1", B)]


def test_a_new_bundle_is_no_change_of_route() -> None:
    state = DesiredState()
    state.assign(A, assignment("1"))
    before = state.revision
    state.assign(A, assignment("1", revision=2))
    assert state.route_changes(after=before) == []
    assert len(state.changes(A, after=before)) == 1


def test_assigning_the_same_again_changes_nothing() -> None:
    state = DesiredState()
    state.assign(A, assignment("1"))
    revision = state.revision
    state.assign(A, assignment("1"))
    assert state.revision == revision


def test_a_reader_of_another_epoch_or_too_far_behind_needs_a_snapshot() -> None:
    state = DesiredState()
    assert state.covers(state.epoch, 0)
    assert not state.covers("another", 0)
    for number in range(LOG_LENGTH + 1):
        state.assign(A, assignment("1", revision=number))
    assert not state.covers(state.epoch, 0)
    assert state.covers(state.epoch, 1)
    assert not state.covers(state.epoch, state.revision + 1)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from([A, B, None]), st.integers(1, 3)), max_size=40),
    st.integers(0, 40),
)
def test_changes_lead_to_the_same_state_as_a_snapshot(
    steps: list[tuple[int, PodName | None, int]], joined_after: int
) -> None:
    state = DesiredState()
    known: dict[PodName, dict[str, Assignment]] = {A: {}, B: {}}
    routes: dict[str, str] = {}
    at = 0
    for number, (guild, pod, revision) in enumerate(steps):
        if number == joined_after:
            known = {p: {a.guild: a for a in state.snapshot(p).assignments} for p in (A, B)}
            routes, at = dict(state.routes().pods), state.revision
        if pod is None:
            state.release(GuildId(str(guild)))
        else:
            state.assign(pod, assignment(str(guild), revision))
    for pod, guilds in known.items():
        for frame in state.changes(pod, after=at):
            if isinstance(frame, Assign):
                guilds[frame.assignment.guild] = frame.assignment
            else:
                guilds.pop(frame.guild, None)
        assert guilds == {entry.guild: entry for entry in state.snapshot(pod).assignments}
    for route in state.route_changes(after=at):
        if route.pod is None:
            routes.pop(route.guild, None)
        else:
            routes[route.guild] = route.pod
    assert routes == state.routes().pods


async def test_a_reader_is_woken_by_a_change() -> None:
    state = DesiredState()
    waiting = asyncio.create_task(state.wait_beyond(0, seconds=5))
    await asyncio.sleep(0)
    assert not waiting.done()
    state.assign(A, assignment("1"))
    await asyncio.wait_for(waiting, 1)


async def test_a_reader_is_let_go_when_nothing_changes() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await DesiredState().wait_beyond(0, seconds=5)
    await DesiredState().wait_beyond(0, seconds=0.01)
