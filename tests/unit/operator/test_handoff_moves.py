"""Several moves at once: how many, in what order, what is shown to whom, and when one is tried again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from flora_core.control.handoffs import Spool
from flora_core.control.state import DesiredState, Stage
from flora_core.ids import GuildId, PodName, Sha256
from flora_core.wire.control import (
    Adopted,
    Assignment,
    Exported,
    Failed,
    Forgotten,
    Held,
    Loaded,
    Outcome,
    ScriptError,
)
from flora_operator.errors import Missing, Unreachable
from flora_operator.handoff import machine
from flora_operator.handoff.machine import MOVING, SWITCHED, Move, Step
from flora_operator.handoff.moves import Moves
from flora_operator.status import HandoffStatus

A, B, C = PodName("pod-a"), PodName("pod-b"), PodName("pod-c")
ONE = GuildId("1")


class FakeSpool(Spool):
    """Has what it is told to have."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)

    def put(self, handoff: str) -> None:
        self._file(handoff).write_bytes(b"")
        self._sums[handoff] = Sha256("0" * 64)


class Coordinator:
    """Moves, and everybody they have to do with; statuses are written at once."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.state = DesiredState()
        self.spool = FakeSpool(folder)
        self.writes: list[tuple[str, str | None, str]] = []
        self.error: Exception | None = None
        self.moves = Moves(self.state, self.spool, self, **{"at_once": 2, "pause": 0.02, **options})

    async def persist(self, guild: GuildId, *, pod: PodName | None, handoff: HandoffStatus | None) -> None:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.writes.append((guild, pod, handoff.step if handoff is not None else ""))

    def place(self, guild: GuildId, pod: PodName = A) -> None:
        self.state.assign(pod, Assignment(guild, 1, "ab" * 32))

    def want(self, guild: GuildId = ONE, *, from_: PodName = A, to: PodName = B) -> None:
        self.moves.want(guild, from_=from_, to=to, known=None)

    async def until(self, ready: Callable[[], Any]) -> None:
        async with asyncio.timeout(5):
            while not ready():
                await asyncio.sleep(0.001)

    async def at(self, step: Step, guild: GuildId = ONE) -> Move:
        """The guild's move, once it is there."""
        await self.until(lambda: (move := self.moves.of(guild)) is not None and move.step is step)
        move = self.moves.of(guild)
        assert move is not None
        return move

    def route(self, guild: GuildId = ONE) -> tuple[str, str]:
        """The guild's pod and what its events wait for."""
        routes = self.state.routes()
        return routes.pods[guild], routes.held[guild].handoff if guild in routes.held else ""

    async def go_on(self, to: Step, guild: GuildId = ONE) -> Move:
        """Let everybody do their part until the move is at ``to``."""
        while True:
            await self.until(lambda: (m := self.moves.of(guild)) is not None and m.step is not Step.STARTING)
            move = self.moves.of(guild)
            assert move is not None
            if move.step is to:
                return move
            if move.step is Step.HOLDING:
                self.moves.on_gateway_report(Held(guild, move.id))
            elif move.step is Step.LEAVING:
                self.spool.put(move.id)
                self.moves.on_spooled(move.id)
            elif move.step is Step.ADOPTING:
                self.moves.on_report(move.to, Loaded(guild, 1, "", 0, 1.0, handoff=move.id))
            await asyncio.sleep(0)


Begin = Callable[..., Coordinator]


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Begin]:
    running: list[asyncio.Task[None]] = []

    def start(**options: Any) -> Coordinator:
        coordinator = Coordinator(tmp_path / str(len(running)), **options)
        coordinator.place(ONE)
        running.append(asyncio.create_task(coordinator.moves.run()))
        return coordinator

    yield start
    for task in running:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_move_is_shown_to_everybody_step_by_step(begin: Begin) -> None:
    c = begin()
    c.want()
    move = await c.at(Step.HOLDING)
    assert c.route() == (A, move.id)
    assert c.state.snapshot(A).assignments[0].leaves == ""
    await c.go_on(Step.LEAVING)
    await c.until(lambda: c.state.snapshot(A).assignments[0].leaves == move.id)
    await c.go_on(Step.ADOPTING)
    await c.until(lambda: c.state.snapshot(B).assignments)
    assert c.state.snapshot(B).assignments[0].adopts == move.id
    assert c.route() == (A, move.id)
    await c.go_on(Step.FORGETTING)
    await c.until(lambda: c.route() == (B, ""))
    assert (c.state.snapshot(B).assignments[0].adopts, c.state.snapshot(A).assignments) == ("", [])
    await c.until(lambda: c.state.snapshot(A).forgets)
    assert not c.spool.has(move.id)
    c.moves.on_report(A, Forgotten(ONE))
    await c.until(lambda: c.moves.of(ONE) is None)
    assert c.writes == [(ONE, None, MOVING), (ONE, B, SWITCHED), (ONE, None, "")]
    assert c.state.snapshot(A).forgets == []


async def test_the_owner_changes_only_once_that_is_written(begin: Begin) -> None:
    c = begin()
    c.want()
    await c.go_on(Step.ADOPTING)
    c.error = Unreachable("gone")
    move = await c.go_on(Step.SWITCHING)
    await asyncio.sleep(0.05)
    assert (c.route(), c.moves.of(ONE)) == ((A, move.id), move)
    c.error = None
    await c.at(Step.FORGETTING)
    await c.until(lambda: c.route() == (B, ""))


async def test_nothing_is_shown_before_the_start_is_written(begin: Begin) -> None:
    c = begin()
    c.error = Unreachable("gone")
    c.want()
    await c.at(Step.STARTING)
    await asyncio.sleep(0.02)
    assert c.route() == (A, "")


async def test_only_so_many_guilds_are_held_at_once(begin: Begin) -> None:
    c = begin(at_once=2)
    guilds = [GuildId(str(number)) for number in range(1, 6)]
    for guild in guilds:
        c.place(guild)
        c.want(guild)
    await c.until(lambda: len(c.state.routes().held) == 2)
    await asyncio.sleep(0.02)
    assert set(c.state.routes().held) == set(guilds[:2]), "in the order they were asked for"
    await c.go_on(Step.FORGETTING, guilds[0])
    await c.until(lambda: set(c.state.routes().held) == {guilds[1], guilds[2]})


@pytest.mark.parametrize("step", [Step.HOLDING, Step.LEAVING, Step.ADOPTING])
async def test_a_step_that_takes_too_long_is_undone_and_tried_again(begin: Begin, step: Step) -> None:
    c = begin(patience=lambda move: 0.1 if move.step is step else machine.patience(move))
    c.want()
    first = await c.go_on(step)
    await c.until(lambda: c.moves.of(ONE) is None)
    assert (c.route(), c.writes[-1]) == ((A, ""), (ONE, None, ""))
    assert c.state.snapshot(B).forgets or step is not Step.ADOPTING
    second = await c.at(Step.HOLDING)
    assert second.id != first.id


async def test_pauses_between_attempts_double(begin: Begin) -> None:
    c = begin(patience=lambda _move: 0.001, pause=0.02)
    c.want()
    await c.until(lambda: [step for _, _, step in c.writes].count("") == 3)
    await c.until(lambda: c.moves.of(ONE) is None)
    assert c.moves._pauses[ONE].seconds == pytest.approx(0.08)


@pytest.mark.parametrize(
    ("step", "pod", "report"),
    [
        (Step.LEAVING, A, lambda move: Exported(ONE, move.id, error="disk full")),
        (Step.ADOPTING, B, lambda move: Adopted(ONE, move.id, error="disk full")),
    ],
)
async def test_a_pod_that_cannot_ends_the_attempt_at_once(
    begin: Begin, step: Step, pod: PodName, report: Callable[[Move], Any]
) -> None:
    c = begin(pause=60.0)
    c.want()
    move = await c.go_on(step)
    c.moves.on_report(pod, report(move))
    await c.until(lambda: c.moves.of(ONE) is None)
    assert c.route() == (A, "")


async def test_a_script_that_fails_has_moved(begin: Begin) -> None:
    c = begin()
    c.want()
    move = await c.go_on(Step.ADOPTING)
    c.moves.on_report(B, Failed(ONE, 1, "", Outcome.EXCEPTION, ScriptError("boom"), handoff=move.id))
    await c.at(Step.FORGETTING)


@pytest.mark.parametrize(
    ("step", "pod", "report"),
    [
        (Step.LEAVING, B, lambda move: Exported(ONE, move.id)),
        (Step.LEAVING, A, lambda _move: Exported(ONE, "another")),
        (Step.LEAVING, A, lambda move: Exported(ONE, move.id)),
        (Step.ADOPTING, A, lambda move: Loaded(ONE, 1, "", 0, 1.0, handoff=move.id)),
        (Step.ADOPTING, B, lambda _move: Loaded(ONE, 1, "", 0, 1.0)),
        (Step.ADOPTING, C, lambda move: Loaded(ONE, 1, "", 0, 1.0, handoff=move.id)),
        (Step.ADOPTING, B, lambda _move: Loaded(ONE, 1, "", 0, 1.0, handoff="another")),
    ],
)
async def test_a_report_of_another_pod_or_handoff_or_without_the_export_is_no_step(
    begin: Begin, step: Step, pod: PodName, report: Callable[[Move], Any]
) -> None:
    c = begin()
    c.want()
    move = await c.go_on(step)
    c.moves.on_report(pod, report(move))
    c.moves.on_gateway_report(Held(ONE, "another"))
    assert c.moves.of(ONE) == move


async def test_a_move_that_is_dropped_is_undone(begin: Begin) -> None:
    c = begin()
    c.want()
    await c.go_on(Step.ADOPTING)
    c.moves.drop(ONE)
    await c.until(lambda: c.moves.of(ONE) is None)
    await asyncio.sleep(0.05)
    assert (c.moves.of(ONE), c.route()) == (None, (A, ""))


async def test_a_move_to_another_pod_takes_the_place_of_one_under_way(begin: Begin) -> None:
    c = begin()
    c.want()
    await c.go_on(Step.LEAVING)
    c.want(to=C)
    await c.until(lambda: (move := c.moves.of(ONE)) is not None and move.to == C)
    await c.at(Step.HOLDING)
    assert c.route()[0] == A


async def test_a_guild_that_goes_on_does_not_wait_for_its_first_pod(begin: Begin) -> None:
    c = begin()
    c.want()
    await c.go_on(Step.FORGETTING)
    c.want(from_=B, to=C)
    await c.until(lambda: (move := c.moves.of(ONE)) is not None and move.to == C)
    move = await c.at(Step.HOLDING)
    assert move.from_ == B
    assert c.state.snapshot(A).forgets, "the first pod is still to delete its copy"


async def test_told_again_and_again_is_told_once(begin: Begin) -> None:
    c = begin()
    for _ in range(3):
        c.want()
    move = await c.go_on(Step.FORGETTING)
    c.want()  # by somebody who has not seen the switch yet
    c.moves.on_report(A, Forgotten(ONE))
    await c.until(lambda: c.moves.of(ONE) is None)
    await asyncio.sleep(0.05)
    assert c.moves.of(ONE) is None
    assert c.route() == (B, "")
    assert [step for _, _, step in c.writes] == [MOVING, SWITCHED, ""]
    assert move.to == B


async def test_moves_begin_only_between_pods_that_are_there(begin: Begin) -> None:
    there = {A}
    c = begin(reachable=there.__contains__)
    c.want()
    await asyncio.sleep(0.05)
    assert c.moves.of(ONE) is None
    there.add(B)
    await c.at(Step.HOLDING)


async def test_a_guild_that_is_gone_in_the_middle_ends_its_move(begin: Begin) -> None:
    c = begin()
    c.want()
    await c.go_on(Step.ADOPTING)
    c.error = Missing("deleted")
    c.state.release(ONE)
    c.moves.drop(ONE)
    await c.until(lambda: c.moves.of(ONE) is None)


async def test_a_guild_that_rests_moves_without_asking_the_gateway(begin: Begin) -> None:
    c = begin()
    c.state.rest(A, ONE)
    c.want()
    move = await c.at(Step.LEAVING)
    assert c.state.routes().pods == {}
    await c.go_on(Step.ADOPTING)
    c.moves.on_report(B, Adopted(ONE, move.id))
    await c.at(Step.FORGETTING)
    c.moves.on_report(A, Forgotten(ONE))
    await c.until(lambda: c.moves.of(ONE) is None)
    assert c.writes == [(ONE, None, MOVING), (ONE, B, SWITCHED), (ONE, None, "")]
    assert (c.state.has_guilds(A), c.state.has_guilds(B), c.state.rests(ONE)) == (False, True, True)


async def test_a_guild_that_is_put_to_rest_while_its_events_are_waited_for_goes_on(begin: Begin) -> None:
    c = begin()
    c.want()
    move = await c.at(Step.HOLDING)
    c.state.rest(A, ONE)
    c.want()
    assert (await c.at(Step.LEAVING)).id == move.id


async def test_a_guild_that_is_woken_on_its_way_arrives_running(begin: Begin) -> None:
    c = begin()
    c.state.rest(A, ONE)
    c.want()
    move = await c.at(Step.LEAVING)
    c.place(ONE)
    c.want()
    assert c.route() == (A, move.id)
    await c.go_on(Step.FORGETTING)
    assert c.route() == (B, "")


# ---------------------------------------------------------------------------------- after an operator's death


def status(step: str) -> HandoffStatus:
    return HandoffStatus("old", A, B, step)


async def test_a_status_that_says_moving_is_undone_and_the_move_begun_anew(begin: Begin) -> None:
    c = begin()
    c.moves.want(ONE, from_=A, to=B, known=status(MOVING))
    move = await c.at(Step.HOLDING)
    assert move.id != "old"
    assert [step for _, _, step in c.writes] == ["", MOVING]


async def test_a_status_that_says_switched_is_finished(begin: Begin) -> None:
    c = begin()
    c.place(ONE, B)
    c.moves.drop(ONE, known=status(SWITCHED))
    await c.at(Step.FORGETTING)
    assert c.route() == (B, "")
    await c.until(lambda: c.state.snapshot(A).forgets)
    c.moves.on_report(A, Forgotten(ONE))
    await c.until(lambda: c.moves.of(ONE) is None)
    assert c.writes == [(ONE, None, "")]


async def test_a_status_that_says_moving_of_a_move_nobody_wants_is_cleared(begin: Begin) -> None:
    c = begin()
    c.moves.drop(ONE, known=status(MOVING))
    await c.until(lambda: c.writes == [(ONE, None, "")])
    assert c.route() == (A, "")
    assert c.state.snapshot(B).forgets
    assert c.state.handoff(ONE) is None


def test_stages_go_up() -> None:
    assert list(Stage) == sorted(Stage)
