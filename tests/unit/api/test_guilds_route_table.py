"""The table of guilds and pods: what the operator says, however it says it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_api.errors import ApiError, TooMany
from flora_api.guilds.lanes import Lanes
from flora_api.guilds.route_table import GuildPods, RouteFollower
from flora_core.control.state import DesiredState, Handoff, Stage
from flora_core.ids import GuildId, PodName
from flora_core.streams import Token
from flora_core.wire.control import Assignment, Beat, Hold, Route, Routes, route_table

ONE, TWO = GuildId("1"), GuildId("2")
A, B = PodName("a"), PodName("b")

guilds = st.sampled_from([str(n) for n in range(1, 6)])
pods = st.sampled_from(["a", "b", "c"])


def agrees(table: GuildPods, truth: dict[str, str]) -> None:
    assert {guild: table.pod_of(GuildId(guild)) for guild in truth} == truth
    assert len(table) == len(truth)
    assert table.sizes == {pod: list(truth.values()).count(pod) for pod in set(truth.values())}
    for pod in ("a", "b", "c"):
        assert table.guilds_of(pod) == {guild for guild, where in truth.items() if where == pod}


@given(st.dictionaries(guilds, pods), st.lists(st.tuples(guilds, st.none() | pods)))
def test_changes_make_the_same_as_a_dictionary(
    start: dict[str, str], changes: list[tuple[str, str | None]]
) -> None:
    table, truth = GuildPods(), dict(start)
    table.take(Routes("e", 0, start))
    for revision, (guild, pod) in enumerate(changes, start=1):
        table.take(Route(revision, guild, pod))
        if pod is None:
            truth.pop(guild, None)
        else:
            truth[guild] = pod
        agrees(table, truth)
        assert table.revision == revision


@given(st.lists(st.tuples(guilds, st.none() | pods)), st.integers(0, 20))
def test_a_reader_that_comes_in_late_ends_where_the_state_is(
    changes: list[tuple[str, str | None]], late: int
) -> None:
    state, table = DesiredState(), GuildPods()
    for number, (guild, pod) in enumerate(changes):
        if number == late:
            table.take(state.routes())
        if pod is None:
            state.release(GuildId(guild))
        else:
            state.assign(PodName(pod), Assignment(guild, number, "sha"))
    if not table.epoch:
        table.take(state.routes())
    for frame in state.route_changes(after=table.revision):
        table.take(frame)
    agrees(table, dict(state.routes().pods))


def test_a_guild_is_moving_while_it_is_held() -> None:
    state, table = DesiredState(), GuildPods()
    state.assign(A, Assignment(ONE, 1, "sha"))
    state.hand_off(ONE, Handoff("h", B, Stage.HOLDING))
    table.take(state.routes())
    assert (table.moving(ONE), table.pod_of(ONE)) == (True, A)
    before = table.revision
    state.switch(ONE, B)
    for frame in state.route_changes(after=before):
        table.take(frame)
    assert (table.moving(ONE), table.pod_of(ONE)) == (False, B)


def test_a_beat_changes_nothing_but_the_revision() -> None:
    table = GuildPods()
    table.take(Routes("e", 1, {ONE: A}, {ONE: Hold("h", B)}))
    version = table.version
    table.take(Beat(7))
    assert (table.version, table.revision, table.pod_of(ONE)) == (version, 7, A)


# ---------------------------------------------------------------- following


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def lines(*frames: Routes | Route | Beat) -> list[bytes]:
    return [route_table.encode(frame).strip() for frame in frames]


async def test_it_is_known_with_the_whole_table_and_has_an_age() -> None:
    clock = Clock()
    follower = RouteFollower("http://nowhere", token=Token(), clock=clock)
    clock.now = 5.0
    assert (follower.known.is_set(), follower.age()) == (False, 5.0)
    await follower._take_all(lines(Beat(0)))
    assert (follower.known.is_set(), follower.age()) == (False, 0.0)
    await follower._take_all(lines(Routes("e", 1, {ONE: A})))
    clock.now = 65.0
    assert (follower.known.is_set(), follower.age()) == (True, 60.0)
    assert (follower.pod_of(ONE), follower.guilds_of(A)) == (A, {ONE})


async def test_whoever_waits_hears_of_a_change() -> None:
    follower = RouteFollower("http://nowhere", token=Token())
    seen = follower.version
    assert not await follower.wait_beyond(seen, seconds=0.01)
    waiting = [asyncio.create_task(follower.wait_beyond(seen, seconds=20)) for _ in range(3)]
    await asyncio.sleep(0)
    await follower._take_all(lines(Beat(0)))
    assert not any(task.done() for task in waiting)
    await follower._take_all(lines(Routes("e", 1, {})))
    assert [await task for task in waiting] == [True] * 3
    assert await follower.wait_beyond(seen, seconds=0)


async def test_bad_frames_are_skipped() -> None:
    follower = RouteFollower("http://nowhere", token=Token())
    await follower._take_all([b"{", b'{"k":"new"}', *lines(Routes("e", 1, {ONE: A}))])
    assert follower.pod_of(ONE) == A


# ---------------------------------------------------------------- lanes


def full(name: str) -> ApiError:
    return TooMany(name)


async def test_lanes_are_bounded_by_name_and_forget_who_is_gone() -> None:
    lanes = Lanes(at_once=1, waiting=1, full=full)
    order: list[str] = []
    go_on = asyncio.Event()

    async def work(name: str, what: str) -> None:
        async with lanes.turn(name):
            order.append(what)
            await go_on.wait()

    first = asyncio.create_task(work("x", "first"))
    await asyncio.sleep(0)
    second = asyncio.create_task(work("x", "second"))
    other = asyncio.create_task(work("y", "other"))
    await asyncio.sleep(0)
    assert order == ["first", "other"]
    with pytest.raises(TooMany, match="x"):
        await work("x", "third")
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    third = asyncio.create_task(work("x", "third"))
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(first, other, third)
    assert order == ["first", "other", "third"]
    assert len(lanes) == 0
