"""Whatever happens to a guild in whatever order, the operator ends where it should, and then rests.

The world here is a value: a status as stored, a pod's last word, an operator that may start anew at any moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flora_core.ids import PodName
from flora_core.wire.control import Assignment, Failed, Limits, Loaded, Outcome, ScriptError
from flora_operator.placement import pods_of
from flora_operator.plan import Built, Observed, Plan, Unbuilt, plan
from flora_operator.status import NOTHING, READY, Status
from tests.unit.operator.guilds import GUILD, as_stored, deployment

BUILDS: list[Built | Unbuilt] = [
    Built("a" * 64, 10, "1" * 64),
    Built("b" * 64, 20, "2" * 64),
    Built("f" * 64, 30, "3" * 64),  # fails to load
    Unbuilt("BundleFailed", "src/main.ts:1:1: error"),
]


@dataclass
class World:
    """One guild's."""

    build: Built | Unbuilt = field(default_factory=lambda: BUILDS[0])
    suspended: bool = False
    cpu: int = 200
    replicas: int = 3
    generation: int = 1
    stored: Status = NOTHING
    trusted: Status | None = None
    told: dict[PodName, Assignment] = field(default_factory=dict)
    words: dict[PodName, Loaded | Failed] = field(default_factory=dict)
    heard: dict[PodName, Loaded | Failed] = field(default_factory=dict)
    writes: int = 0
    clock: int = 0

    def observed(self) -> Observed:
        was = self.trusted if self.trusted is not None else self.stored
        return Observed(
            deployment=deployment(
                generation=self.generation,
                suspended=self.suspended,
                limits=Limits(self.cpu, 64),
                status=was,
            ),
            was=was,
            build=self.build,
            pods=pods_of("flora-runtime", self.replicas),
            reports=self.heard,
            now=f"2026-01-01T00:00:{self.clock % 60:02}Z",
        )

    def reconcile(self) -> Plan:
        made = plan(self.observed())
        if as_stored(made.status) != self.stored:
            self.writes += 1
            self.stored = as_stored(made.status)
        self.trusted = made.status
        self.told = dict([made.run]) if made.run is not None else {}
        if made.run is None:
            self.heard = {}
        return made

    def pod_works(self) -> None:
        """The pod does what it was told, and says so."""
        self.words = {}
        for pod, told in self.told.items():
            if told.bundle.startswith("f"):
                error = ScriptError("boom", "at main (src/main.ts:1:1)")
                self.words[pod] = Failed(GUILD, told.revision, told.bundle, Outcome.EXCEPTION, error)
            else:
                self.words[pod] = Loaded(GUILD, told.revision, told.bundle, 0, 1.0, ["messageCreate"])
        self.heard = dict(self.words)

    def restart(self) -> None:
        """A new operator: it trusts what it finds, and pods tell it again what they said."""
        self.trusted, self.heard = None, {}

    def happen(self, what: tuple[str, Any]) -> None:
        kind, value = what
        self.clock += 1
        match kind:
            case "build":
                self.build = BUILDS[value]
                self.generation += 1
            case "suspend":
                self.suspended = value
                self.generation += 1
            case "cpu":
                self.cpu = value
                self.generation += 1
            case "scale":
                self.replicas = value
            case "restart":
                self.restart()
            case "edit":
                if self.trusted is not None:
                    self.stored = NOTHING
            case "pod":
                self.pod_works()
            case _:
                self.reconcile()


events = st.one_of(
    st.tuples(st.just("build"), st.integers(0, len(BUILDS) - 1)),
    st.tuples(st.just("suspend"), st.booleans()),
    st.tuples(st.just("cpu"), st.sampled_from([100, 200])),
    st.tuples(st.just("scale"), st.integers(0, 5)),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("edit"), st.none()),
    st.tuples(st.just("pod"), st.none()),
    st.tuples(st.just("reconcile"), st.none()),
    st.tuples(st.just("reconcile"), st.none()),
)


def settle(world: World) -> Plan:
    world.reconcile()
    world.pod_works()
    world.reconcile()
    return world.reconcile()


@given(st.lists(events, max_size=25))
def test_it_ends_ready_or_with_the_reason_why_not(happenings: list[tuple[str, Any]]) -> None:
    world = World()
    for what in happenings:
        world.happen(what)
    made = settle(world)
    ready = made.status.condition(READY)
    assert ready is not None
    assert ready.observed_generation == world.generation
    if world.suspended:
        assert ready.reason == "Suspended"
        assert made.run is None
    elif isinstance(world.build, Unbuilt):
        assert ready.reason == "BundleFailed"
    elif made.run is None:
        assert (ready.reason, world.replicas) == ("NoPods", 0)
    else:
        assert made.run[1].bundle == world.build.sha256
        assert made.run[1].limits.cpu_milliseconds == world.cpu
        wanted = "LoadFailed" if world.build.sha256.startswith("f") else "Loaded"
        assert ready.reason == wanted


@given(st.lists(events, max_size=25))
def test_once_settled_nothing_is_written_nor_by_an_operator_that_starts(
    happenings: list[tuple[str, Any]],
) -> None:
    world = World()
    for what in happenings:
        world.happen(what)
    settle(world)
    words, writes, told = dict(world.words), world.writes, dict(world.told)
    world.clock += 10
    world.reconcile()
    world.restart()
    world.reconcile()
    world.heard = words
    world.reconcile()
    assert (world.writes, world.told) == (writes, told)


@given(st.lists(events, max_size=25))
def test_ready_is_never_true_for_what_is_not_what_was_asked_for(happenings: list[tuple[str, Any]]) -> None:
    world = World()
    for what in happenings:
        world.happen(what)
        made = plan(world.observed())
        ready = made.status.condition(READY)
        if ready is not None and ready.status == "True":
            assert isinstance(world.build, Built)
            assert not world.suspended
            assert made.status.assignment is not None
            assert made.status.assignment.bundle == world.build.sha256
            assert made.status.revision == made.status.assignment.revision


@given(st.lists(events, max_size=25))
def test_a_revision_never_stands_for_two_things(happenings: list[tuple[str, Any]]) -> None:
    world, meanings = World(), dict[int, tuple[str, Limits]]()
    for what in happenings:
        if what[0] == "edit":
            continue
        world.happen(what)
        if what[0] == "reconcile":
            for told in world.told.values():
                meaning = (told.bundle, told.limits)
                assert meanings.setdefault(told.revision, meaning) == meaning


@given(st.lists(events, max_size=25))
def test_a_guild_that_has_run_changes_its_pod_only_by_being_moved(happenings: list[tuple[str, Any]]) -> None:
    world, home = World(), ""
    for what in happenings:
        world.happen(what)
        status = world.trusted
        if status is None or status.assignment is None or not status.loaded_at:
            continue
        assert home in ("", status.assignment.pod)
        home = status.assignment.pod
