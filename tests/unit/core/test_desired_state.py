"""Desired state with revisions: a reader that follows the changes knows what a snapshot says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.control.state import LOG_LENGTH, DesiredState, Handoff, Stage
from flora_core.ids import GuildId, PodName
from flora_core.wire.control import (
    Assign,
    Assignment,
    Forget,
    Hold,
    Release,
    Retire,
    Route,
    Secret,
    Secrets,
    Snapshot,
    desired,
)

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


# ------------------------------------------------------------------------------------------------- secrets


def secret(value: str = "value") -> Secret:
    return Secret("KEY", "placeholder", value, ["a.example"])


def test_secrets_come_before_their_guilds_assignment() -> None:
    state = DesiredState()
    state.know_secrets(GuildId("1"), [secret()])
    state.assign(A, assignment("1"))
    assert state.changes(A, after=0) == [Secrets(1, "1", [secret()]), Assign(1, assignment("1"))]
    assert state.changes(B, after=0) == []


def test_changed_secrets_are_no_assignment() -> None:
    state = DesiredState()
    state.assign(A, assignment("1"))
    before = state.revision
    state.know_secrets(GuildId("1"), [secret("one")])
    state.know_secrets(GuildId("1"), [secret("two")])
    frames = state.changes(A, after=before)
    assert [frame.secrets for frame in frames if isinstance(frame, Secrets)] == [[secret("two")]] * 2
    assert len(frames) == 2
    assert state.route_changes(after=before) == []


def test_the_same_secrets_again_change_nothing() -> None:
    state = DesiredState()
    state.assign(A, assignment("1"))
    state.know_secrets(GuildId("1"), [])
    assert state.revision == 1
    state.know_secrets(GuildId("1"), [secret()])
    state.know_secrets(GuildId("1"), [secret()])
    assert state.revision == 2


def test_a_snapshot_has_the_secrets_of_its_pods_guilds_alone() -> None:
    state = DesiredState()
    for guild, pod in (("1", A), ("2", B), ("3", A)):
        state.assign(pod, assignment(guild))
    state.know_secrets(GuildId("1"), [secret()])
    state.know_secrets(GuildId("2"), [secret("other")])
    state.know_secrets(GuildId("9"), [secret("nobody's")])
    assert state.snapshot(A).secrets == {"1": [secret()]}
    state.know_secrets(GuildId("1"), [])
    assert state.snapshot(A).secrets == {}


def test_a_guild_that_moves_takes_its_secrets_along() -> None:
    state = DesiredState()
    state.assign(A, assignment("1"))
    state.know_secrets(GuildId("1"), [secret()])
    before = state.revision
    state.assign(B, assignment("1"))
    assert [type(frame) for frame in state.changes(A, after=before)] == [Release]
    assert [type(frame) for frame in state.changes(B, after=before)] == [Secrets, Assign]


def test_a_secrets_value_crosses_the_wire_and_shows_nowhere() -> None:
    frame = Secrets(1, "1", [secret("s3cret")])
    assert desired.decode(desired.encode(frame)[:-1]) == frame
    snapshot = Snapshot("e", 1, [], {"1": [secret("s3cret")]})
    assert "s3cret" not in f"{frame!r} {snapshot!r}"


def test_a_pod_that_did_not_ask_to_stop_is_not_told_to() -> None:
    state = DesiredState()
    state.retire(A)
    assert (state.revision, state.snapshot(A).retire) == (0, None)


def test_an_answer_to_a_pod_that_stops_is_for_the_process_that_asked() -> None:
    state = DesiredState()
    state.assign(A, assignment("1"))
    state.drains(A, "old")
    state.retire(A, wait=True)
    assert state.changes(A, after=1) == [Retire(2, "old", wait=True)]
    assert state.changes(B, after=1) == state.route_changes(after=1) == []
    state.drains(A, "new")
    state.retire(A)
    assert state.changes(A, after=1) == [Retire(3, "new")]
    assert state.snapshot(A).retire == Retire(3, "new")


def test_the_same_answer_twice_is_no_change() -> None:
    state = DesiredState()
    state.drains(A, "a")
    state.retire(A)
    state.retire(A)
    assert state.revision == 1
    assert state.covers(state.epoch, 1)
    assert not state.covers(state.epoch, 0), "nothing is known of before: a snapshot has it"


# ------------------------------------------------------------------------------------------------- handoffs


HOLDING, LEAVING, ADOPTING = (Handoff("h", B, stage) for stage in Stage)


def test_a_handoff_is_told_to_each_as_far_as_it_has_come() -> None:
    state = DesiredState()
    state.assign(A, assignment("1"))
    seen: list[tuple[list[str], list[str], Hold | None]] = []
    for handoff in (HOLDING, LEAVING, ADOPTING, None):
        state.hand_off(GuildId("1"), handoff)
        seen.append(
            (
                [entry.leaves for entry in state.snapshot(A).assignments],
                [entry.adopts for entry in state.snapshot(B).assignments],
                state.routes().held.get("1"),
            )
        )
    hold = Hold("h", B)
    assert seen == [([""], [], hold), (["h"], [], hold), (["h"], ["h"], hold), ([""], [], None)]
    assert state.routes().pods == {"1": A}


def test_a_switch_takes_the_guild_from_the_one_and_gives_it_to_the_other() -> None:
    state = DesiredState()
    state.assign(A, assignment("1"))
    state.hand_off(GuildId("1"), ADOPTING)
    before = state.revision
    state.switch(GuildId("1"), B)
    assert [type(frame) for frame in state.changes(A, after=before)] == [Release]
    assert state.changes(B, after=before) == [Assign(before + 1, assignment("1"))]
    assert state.route_changes(after=before) == [Route(before + 1, "1", B)]


def test_a_deploy_in_the_middle_of_a_handoff_reaches_both() -> None:
    state = DesiredState()
    state.assign(A, assignment("1"))
    state.hand_off(GuildId("1"), ADOPTING)
    before = state.revision
    state.assign(A, assignment("1", revision=2))
    (of_a,), (of_b,) = state.changes(A, after=before), state.changes(B, after=before)
    assert isinstance(of_a, Assign)
    assert isinstance(of_b, Assign)
    assert (of_a.assignment.revision, of_a.assignment.leaves) == (2, "h")
    assert (of_b.assignment.revision, of_b.assignment.adopts) == (2, "h")
    assert state.route_changes(after=before) == []


def test_whose_handoff_it_is() -> None:
    state = DesiredState()
    state.assign(A, assignment("1"))
    state.hand_off(GuildId("1"), LEAVING)
    assert state.handed_by("h") == (A, B)
    assert state.handed_by("other") is None
    state.switch(GuildId("1"), B)
    assert state.handed_by("h") is None


def test_what_is_to_be_forgotten_is_told_until_it_was() -> None:
    state = DesiredState()
    state.forget(A, GuildId("1"), retain_hours=2)
    state.forget(A, GuildId("1"))
    forget = Forget(1, "1", 2)
    assert state.changes(A, after=0) == [forget]
    assert state.snapshot(A).forgets == [forget]
    assert state.changes(B, after=0) == []
    state.forgotten(A, GuildId("1"))
    assert state.snapshot(A).forgets == []


def test_nobody_is_told_to_forget_what_it_has_or_gets() -> None:
    state = DesiredState()
    state.assign(A, assignment("1"))
    state.hand_off(GuildId("1"), HOLDING)
    state.forget(A, GuildId("1"))
    state.forget(B, GuildId("1"))
    assert state.snapshot(A).forgets == state.snapshot(B).forgets == []


def test_a_guild_that_comes_back_is_not_forgotten() -> None:
    state = DesiredState()
    state.assign(B, assignment("1"))
    state.forget(A, GuildId("1"))
    state.hand_off(GuildId("1"), Handoff("back", A, Stage.HOLDING))
    assert state.snapshot(A).forgets == []


def test_a_guild_that_rests_is_nobodys_but_keeps_its_pod() -> None:
    state, guild = DesiredState(), GuildId("1")
    state.assign(A, assignment(guild))
    before = state.revision
    state.rest(A, guild)
    assert (state.snapshot(A).assignments, state.routes().pods) == ([], {})
    assert [type(frame) for frame in state.changes(A, after=before)] == [Release]
    assert state.route_changes(after=before) == [Route(before + 1, guild)]
    assert (state.rests(guild), state.has_guilds(A)) == (True, True)
    state.release(guild)
    assert (state.rests(guild), state.has_guilds(A)) == (False, False)


def test_a_guild_that_rests_is_handed_over_with_nothing_to_load() -> None:
    state, guild = DesiredState(), GuildId("1")
    state.rest(A, guild)
    before = state.revision
    state.hand_off(guild, HOLDING)
    assert (state.changes(A, after=before), state.route_changes(after=before)) == ([], [])
    state.hand_off(guild, ADOPTING)
    (of_a,), (of_b,) = state.snapshot(A).assignments, state.snapshot(B).assignments
    assert (of_a.leaves, of_a.bundle, of_b.adopts, of_b.bundle) == ("h", "", "h", "")
    assert state.routes().pods == state.routes().held == {}
    state.switch(guild, B)
    assert (state.snapshot(A).assignments, state.snapshot(B).assignments) == ([], [])
    assert (state.has_guilds(A), state.has_guilds(B)) == (False, True)


def test_a_guild_that_is_woken_on_its_way_has_its_events_held() -> None:
    state, guild = DesiredState(), GuildId("1")
    state.rest(A, guild)
    state.hand_off(guild, LEAVING)
    before = state.revision
    state.assign(A, assignment(guild))
    assert state.route_changes(after=before) == [Route(before + 1, guild, A, Hold("h", B))]
    state.rest(A, guild)
    assert state.handoff(guild) == LEAVING, "and one that is put to rest goes on too"


HANDOFF_STEPS = st.one_of(
    st.tuples(st.just("rest"), st.sampled_from([A, B]), st.none()),
    st.tuples(st.just("assign"), st.sampled_from([A, B]), st.integers(1, 3)),
    st.tuples(st.just("hand_off"), st.sampled_from([A, B]), st.sampled_from([*Stage, None])),
    st.tuples(st.just("switch"), st.sampled_from([A, B]), st.none()),
    st.tuples(st.just("release"), st.none(), st.none()),
)


@given(st.lists(HANDOFF_STEPS, max_size=30), st.integers(0, 30))
def test_changes_of_handoffs_lead_to_the_same_state_as_a_snapshot(
    steps: list[tuple[str, PodName, Any]], joined_after: int
) -> None:
    state, guild = DesiredState(), GuildId("1")
    known: dict[PodName, dict[str, Assignment]] = {A: {}, B: {}}
    routes: dict[str, tuple[str | None, Hold | None]] = {}
    at = 0
    for number, (what, pod, detail) in enumerate(steps):
        if number == joined_after:
            known = {p: {a.guild: a for a in state.snapshot(p).assignments} for p in (A, B)}
            routes = {g: (p, state.routes().held.get(g)) for g, p in state.routes().pods.items()}
            at = state.revision
        if what == "assign":
            state.assign(pod, assignment(guild, detail))
        elif what == "rest":
            state.rest(pod, guild)
        elif what == "hand_off":
            state.hand_off(guild, Handoff(f"h{number}", pod, detail) if detail is not None else None)
        elif what == "switch":
            state.switch(guild, pod)
        else:
            state.release(guild)
    for pod, guilds in known.items():
        for frame in state.changes(pod, after=at):
            if isinstance(frame, Assign):
                guilds[frame.assignment.guild] = frame.assignment
            elif isinstance(frame, Release):
                guilds.pop(frame.guild, None)
        assert guilds == {entry.guild: entry for entry in state.snapshot(pod).assignments}
    for route in state.route_changes(after=at):
        routes[route.guild] = (route.pod, route.held)
        if route.pod is None:
            del routes[route.guild]
    assert routes == {g: (p, state.routes().held.get(g)) for g, p in state.routes().pods.items()}
