"""A move as a machine: from every step, by every death, it ends with one owner and all of the data.

The model plays everybody the machine speaks to: the gateway that holds, two pods with volumes, the status. What
is written to the status and to volumes outlives deaths; what the machine knows does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flora_core.control.state import Stage
from flora_core.ids import GuildId, PodName
from flora_operator.handoff import machine
from flora_operator.handoff.machine import Move, Signal, Step, advance
from flora_operator.status import HandoffStatus

GUILD, A, B = GuildId("1"), PodName("flora-runtime-0"), PodName("flora-runtime-1")
START = Move(GUILD, "h", A, B)
ALONG = (
    Signal.WRITTEN,
    Signal.HELD,
    Signal.EXPORTED,
    Signal.ADOPTED,
    Signal.WRITTEN,
    Signal.FORGOTTEN,
    Signal.WRITTEN,
)


def at(step: Step) -> Move:
    """A move that has come to ``step``."""
    move = START
    for signal in ALONG:
        if move.step is step:
            return move
        move = advance(move, signal)
    return move if move.step is step else Move(GUILD, "h", A, B, step)


def test_a_move_goes_step_by_step() -> None:
    move, steps = START, [START.step]
    for signal in ALONG:
        move = advance(move, signal)
        steps.append(move.step)
    assert steps == [
        Step.STARTING,
        Step.HOLDING,
        Step.LEAVING,
        Step.ADOPTING,
        Step.SWITCHING,
        Step.FORGETTING,
        Step.CLEARING,
        Step.MOVED,
    ]


def test_two_statuses_are_written_before_the_last() -> None:
    move, records = START, [machine.record(START)]
    for signal in ALONG:
        move = advance(move, signal)
        if machine.record(move) != records[-1]:
            records.append(machine.record(move))
    assert [record and record.step for record in records] == ["Moving", "Switched", None]


@pytest.mark.parametrize("signal", [Signal.LATE, Signal.FAILED, Signal.UNWANTED])
@pytest.mark.parametrize("step", [Step.STARTING, Step.HOLDING, Step.LEAVING, Step.ADOPTING])
def test_before_the_switch_a_move_can_be_undone(step: Step, signal: Signal) -> None:
    move = advance(at(step), signal)
    assert (move.step, move.why) == (Step.UNDOING, signal)
    assert machine.handoff(move) is None
    assert machine.owner(move) == A
    assert machine.forgetting(move) == B
    assert advance(move, Signal.WRITTEN).step is Step.UNDONE


@pytest.mark.parametrize("signal", [Signal.LATE, Signal.FAILED, Signal.UNWANTED])
@pytest.mark.parametrize("step", [Step.SWITCHING, Step.FORGETTING, Step.CLEARING, Step.MOVED])
def test_once_the_switch_may_be_written_there_is_no_way_back(step: Step, signal: Signal) -> None:
    assert advance(at(step), signal) == at(step)


def test_each_step_asks_of_the_pods_what_its_name_says() -> None:
    stages = {step: machine.handoff(at(step)) for step in Step}
    assert {step: handoff.stage for step, handoff in stages.items() if handoff is not None} == {
        Step.HOLDING: Stage.HOLDING,
        Step.LEAVING: Stage.LEAVING,
        Step.ADOPTING: Stage.ADOPTING,
        Step.SWITCHING: Stage.ADOPTING,
    }


def test_steps_that_wait_for_others_have_an_end_while_events_are_held() -> None:
    waits = {step for step in Step if machine.patience(at(step)) is not None}
    assert waits == {Step.HOLDING, Step.LEAVING, Step.ADOPTING}


def test_a_guild_that_goes_on_need_not_wait_for_its_first_pod() -> None:
    assert advance(at(Step.FORGETTING), Signal.OVERTAKEN).step is Step.CLEARING
    assert advance(at(Step.HOLDING), Signal.OVERTAKEN) == at(Step.HOLDING)


@pytest.mark.parametrize("step", list(Step))
def test_a_guild_that_is_gone_ends_its_move(step: Step) -> None:
    assert machine.over(advance(at(step), Signal.GONE))


@given(st.sampled_from(Step), st.lists(st.sampled_from(Signal), max_size=30))
def test_whatever_comes_the_owner_changes_once_and_only_behind_the_written_switch(
    step: Step, signals: list[Signal]
) -> None:
    move = at(step)
    for signal in signals:
        after = advance(move, signal)
        if machine.owner(after) != machine.owner(move):
            assert (machine.owner(move), machine.owner(after)) == (A, B)
            assert (move.step, signal) == (Step.SWITCHING, Signal.WRITTEN)
        move = after


@given(st.lists(st.sampled_from(Signal), max_size=30))
def test_what_is_over_stays_over(signals: list[Signal]) -> None:
    for over in (at(Step.MOVED), at(Step.UNDONE)):
        move = over
        for signal in signals:
            move = advance(move, signal)
        assert move == over


# ------------------------------------------------------------------------------------------- the model


@dataclass
class World:
    """Who and what a move has to do with. Data is a number that grows with every event that is handled."""

    status: HandoffStatus | None = None
    pod: PodName = A
    data: dict[PodName, int | None] = field(default_factory=lambda: {A: 7, B: None})
    tagged: str = ""
    """The handoff whose data is on B, whole."""
    spool: dict[str, int] = field(default_factory=dict)
    move: Move | None = None
    events: int = 7
    """Handled by anybody, ever."""
    attempts: int = 0

    # ---- what the machine says, as everybody hears it

    def owner(self) -> PodName:
        return machine.owner(self.move) if self.move is not None else self.pod

    def stage(self) -> Stage | None:
        handoff = machine.handoff(self.move) if self.move is not None else None
        return handoff.stage if handoff is not None else None

    def signal(self, signal: Signal) -> None:
        assert self.move is not None
        self.move = advance(self.move, signal)
        if machine.over(self.move):
            self.move = None

    # ---- what everybody does

    def an_event(self) -> None:
        """Handled by the pod that has the guild, unless it is held."""
        if self.stage() is not None:
            return
        owner = self.owner()
        data = self.data[owner]
        assert data == self.events, "the owner has all that was ever written"
        self.data[owner] = self.events = data + 1

    def write(self) -> None:
        move = self.move
        if move is None:
            return
        record = machine.record(move)
        if record == self.status and move.step is not Step.UNDOING:
            return
        self.status = record
        if move.step is Step.SWITCHING:
            self.pod = B
        self.signal(Signal.WRITTEN)

    def gateway(self) -> None:
        if self.stage() is not None:
            self.signal(Signal.HELD)

    def old_pod(self) -> None:
        move = self.move
        if move is None:
            return
        if self.stage() in (Stage.LEAVING, Stage.ADOPTING):
            data = self.data[A]
            assert data is not None
            self.spool[move.id] = data
            self.signal(Signal.EXPORTED)
        elif machine.forgetting(move) == A:
            self.data[A] = None
            self.signal(Signal.FORGOTTEN)

    def new_pod(self) -> None:
        move = self.move
        if move is None:
            return
        if self.stage() is Stage.ADOPTING:
            if self.tagged != move.id and move.id in self.spool:
                self.data[B], self.tagged = self.spool[move.id], move.id
            if self.tagged == move.id:
                self.signal(Signal.ADOPTED)
        elif machine.forgetting(move) == B:
            self.data[B], self.tagged = None, ""

    def late(self) -> None:
        if self.move is not None and machine.patience(self.move) is not None:
            self.signal(Signal.LATE)

    def operator_dies(self) -> None:
        """What it had in memory, and its spool, are gone; the next one reads the status."""
        self.spool.clear()
        self.move = machine.recovered(GUILD, self.status) if self.status is not None else None

    def write_then_die(self) -> None:
        """The status was written, and nobody lived to see it."""
        before = self.move
        self.write()
        if before is not None:
            self.operator_dies()

    def want(self) -> None:
        """The guild should be on B."""
        if self.move is None and self.pod == A and self.status is None:
            self.attempts += 1
            self.move = Move(GUILD, f"h{self.attempts}", A, B)

    def check(self) -> None:
        owner = self.owner()
        assert owner == self.pod, "the status and those who act agree who has the guild"
        assert self.data[owner] == self.events, "the owner has everything"


DOINGS = (
    World.an_event,
    World.write,
    World.gateway,
    World.old_pod,
    World.new_pod,
    World.late,
    World.operator_dies,
    World.write_then_die,
    World.want,
)
names = st.sampled_from([doing.__name__ for doing in DOINGS])


@settings(max_examples=500)
@given(st.lists(names, max_size=80))
def test_whatever_happens_in_whatever_order_there_is_one_owner_with_all_of_the_data(
    doings: list[str],
) -> None:
    world = World()
    for doing in doings:
        getattr(world, doing)()
        if world.move is None or world.move.step is not Step.SWITCHING:
            world.check()


@settings(max_examples=300)
@given(st.lists(names, max_size=60))
def test_once_things_calm_down_the_guild_arrives(doings: list[str]) -> None:
    world = World()
    for doing in doings:
        getattr(world, doing)()
    for _ in range(20):
        for doing in (World.want, World.write, World.gateway, World.old_pod, World.new_pod):
            doing(world)
    assert (world.pod, world.status, world.move) == (B, None, None)
    assert world.data == {A: None, B: world.events}
    world.an_event()
    world.check()


def test_an_operator_that_dies_as_it_writes_the_switch_is_followed_by_one_that_finishes_it() -> None:
    world = World()
    for doing in ("want", "write", "gateway", "old_pod", "new_pod"):
        getattr(world, doing)()
    assert world.move is not None
    assert world.move.step is Step.SWITCHING
    world.write_then_die()
    assert world.move is not None
    assert (world.move.step, world.owner()) == (Step.FORGETTING, B)
    world.an_event()
    assert world.data == {A: 7, B: 8}


def test_an_operator_that_dies_before_the_switch_is_followed_by_one_that_undoes_the_move() -> None:
    world = World()
    for doing in ("want", "write", "gateway", "old_pod", "operator_dies"):
        getattr(world, doing)()
    assert world.move is not None
    assert (world.move.step, world.owner(), world.stage()) == (Step.UNDOING, A, None)
    world.an_event()
    assert world.data == {A: 8, B: None}
