"""A guild inside a worker: which of its scripts serves, which leaves, and what its supervisor hears."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from flora_core.stacks import parse_stack, render
from flora_core.wire.control import Limits, Outcome, ScriptError
from flora_core.wire.pipe import Deploy, Done, FailedIn, Kind, LoadedIn, LogIn, Recycled, Turn
from flora_runtime.log_rate import LINES
from flora_runtime.worker.guild import Guild
from flora_runtime.worker.outbox import Declaration, Line
from flora_runtime.worker.stacks import SourceMap

GENERATIONS = itertools.count(1)
EVENT = b'{"t":"MESSAGE_CREATE","d":{}}'


class FakeScript:
    """Takes what it is given and never runs."""

    def __init__(self, deploy: Deploy, generation: int) -> None:
        self.deploy = deploy
        self.generation = generation
        self.declaration = Declaration(events=["messageCreate"])
        self.loading_milliseconds = 12.5
        self.pending: dict[int, None] = {}
        self.waiting: list[tuple[int, bytes]] = []
        self.results: list[bytes] = []
        self.idle = True
        self.loads = 0

    def load(self) -> None:
        self.loads += 1

    def add_event(self, number: int, body: bytes) -> None:
        self.waiting.append((number, body))

    def add_result(self, result: bytes) -> None:
        self.results.append(result)

    def withdraw_events(self) -> list[tuple[int, bytes]]:
        events, self.waiting = self.waiting, []
        return events


class Surroundings:
    """A worker that only remembers. Stacks are mapped when ``map_all`` says so, or at once."""

    def __init__(self) -> None:
        self.sent: list[tuple[Kind, bytes]] = []
        self.retired: list[FakeScript] = []
        self.maps: list[SourceMap] = []

    def send(self, kind: Kind, guild: str, body: bytes) -> None:
        assert guild == "1"
        self.sent.append((kind, body))

    def retire(self, script: Any) -> None:
        assert script not in self.retired, "closed once"
        self.retired.append(script)

    def make_ready(self, script: Any) -> None: ...

    def note_timer(self, script: Any) -> None: ...

    def map_stack(self, text: str, source_map: SourceMap, done: Callable[[ScriptError], None]) -> None:
        self.maps.append(source_map)
        done(render(parse_stack(text), []))

    def of(self, kind: Kind, into: Any) -> list[Any]:
        return [msgspec.json.decode(body, type=into) for sent, body in self.sent if sent is kind]


@pytest.fixture
def worker() -> Surroundings:
    return Surroundings()


@pytest.fixture
def guild(worker: Surroundings) -> Guild:
    return Guild("1", worker)


def deploy(guild: Guild, revision: int = 1, source_map: str = "") -> Any:
    """Start a deploy; its script."""
    deploy = Deploy(revision, f"{revision:064x}", "code", source_map, Limits(), "seed", 0)
    guild.deploy(FakeScript(deploy, next(GENERATIONS)))  # type: ignore[arg-type]
    return guild.candidate


def go_live(guild: Guild, revision: int = 1) -> Any:
    script = deploy(guild, revision)
    guild.on_loaded(script)
    return script


def test_a_script_serves_once_it_has_loaded(guild: Guild, worker: Surroundings) -> None:
    script = deploy(guild)
    assert (script.loads, guild.live) == (1, None)
    guild.add_event(1, EVENT)
    assert script.waiting == [], "nothing serves yet"
    guild.on_loaded(script)
    guild.add_event(2, EVENT)
    assert script.waiting == [(2, EVENT)]
    (loaded,) = worker.of(Kind.LOADED, LoadedIn)
    assert (loaded.revision, loaded.milliseconds, loaded.events) == (1, 12.5, ["messageCreate"])


def test_the_successor_takes_over_the_events_that_had_not_started(guild: Guild, worker: Surroundings) -> None:
    old = go_live(guild)
    for number in (1, 2):
        guild.add_event(number, EVENT)
    new = go_live(guild, 2)
    assert [number for number, _ in new.waiting] == [1, 2]
    assert old.waiting == []
    assert worker.retired == [old]


def test_an_old_script_with_handlers_under_way_stays_until_they_settle(
    guild: Guild, worker: Surroundings
) -> None:
    old = go_live(guild)
    old.idle = False
    new = go_live(guild, 2)
    assert guild.scripts == [old, new]
    guild.on_turn(old, Turn(done=[Done(1, Outcome.OK, 1.0)]))
    assert worker.retired == []
    old.idle = True
    guild.on_turn(old, Turn(done=[Done(2, Outcome.OK, 1.0)]))
    assert worker.retired == [old]
    assert guild.scripts == [new]


def test_the_script_that_serves_stays_however_idle_it_is(guild: Guild, worker: Surroundings) -> None:
    script = go_live(guild)
    guild.on_turn(script, Turn(done=[Done(1, Outcome.OK, 1.0)]))
    assert worker.retired == []


def test_answers_go_to_the_isolate_that_asked(guild: Guild) -> None:
    old = go_live(guild)
    old.idle = False
    new = go_live(guild, 2)
    next_one = deploy(guild, 3)
    for script in (old, new, next_one):
        guild.add_result(script.generation, b"[%d,true,null]" % script.generation)
    guild.add_result(99, b"[99,true,null]")
    for script in (old, new, next_one):
        assert script.results == [b"[%d,true,null]" % script.generation]


def test_a_deploy_that_was_overtaken_is_dropped_without_a_word(guild: Guild, worker: Surroundings) -> None:
    first = deploy(guild, 1)
    second = deploy(guild, 2)
    assert worker.retired == [first]
    guild.on_loaded(first)  # its last turn was under way
    assert guild.live is None
    assert worker.sent == []
    guild.on_loaded(second)
    assert guild.live is second


def test_a_deploy_that_never_came_up_leaves_what_runs(guild: Guild) -> None:
    live = go_live(guild)
    guild.overtake()
    assert guild.scripts == [live]
    assert go_live(guild, 3) is guild.live


def test_a_deploy_drops_the_one_it_overtakes_before_it_is_up(guild: Guild, worker: Surroundings) -> None:
    first = deploy(guild, 1)
    guild.overtake()
    assert worker.retired == [first]
    assert guild.scripts == []


def test_a_load_that_failed_is_told_with_its_revision_and_closed(guild: Guild, worker: Surroundings) -> None:
    live = go_live(guild)
    script = deploy(guild, 2)
    guild.on_load_failed(script, Outcome.EXCEPTION, "Error: boom\n    at bundle.js:3:1")
    (failed,) = worker.of(Kind.FAILED, FailedIn)
    assert (failed.revision, failed.outcome) == (2, Outcome.EXCEPTION)
    assert (failed.error.message, failed.error.stack) == ("Error: boom", "at bundle.js:3:1")
    assert (guild.live, guild.candidate, worker.retired) == (live, None, [script])


def test_the_live_script_over_its_limit_is_told_as_recycled_with_what_is_lost(
    guild: Guild, worker: Surroundings
) -> None:
    script = go_live(guild)
    script.pending = {4: None, 5: None}
    guild.on_exceeded(script, Outcome.EXCEEDED_CPU, "too long")
    (recycled,) = worker.of(Kind.RECYCLED, Recycled)
    assert (recycled.outcome, recycled.lost) == (Outcome.EXCEEDED_CPU, [4, 5])
    (line,) = worker.of(Kind.LOG, LogIn)
    assert (line.text, line.level, line.source, line.outcome) == (
        "too long",
        "error",
        "runtime",
        Outcome.EXCEEDED_CPU,
    )
    assert (guild.live, worker.retired) == (None, [script])
    guild.add_event(6, EVENT)
    assert script.waiting == []


def test_a_leaving_script_over_its_limit_settles_its_own_events_and_recycles_nothing(
    guild: Guild, worker: Surroundings
) -> None:
    old = go_live(guild)
    old.idle, old.pending = False, {1: None, 2: None}
    new = go_live(guild, 2)
    guild.on_exceeded(old, Outcome.EXCEEDED_MEMORY, "too much")
    assert worker.of(Kind.RECYCLED, Recycled) == []
    (turn,) = worker.of(Kind.TURN, Turn)
    assert turn.done == [Done(1, Outcome.EXCEEDED_MEMORY, 0.0), Done(2, Outcome.EXCEEDED_MEMORY, 0.0)]
    assert guild.scripts == [new]


def test_a_candidate_lives_on_when_the_script_it_replaces_is_recycled(
    guild: Guild, worker: Surroundings
) -> None:
    live = go_live(guild)
    candidate = deploy(guild, 2)
    guild.on_exceeded(live, Outcome.EXCEEDED_CPU, "too long")
    guild.on_loaded(candidate)
    assert guild.live is candidate
    assert worker.retired == [live]


def test_only_the_script_that_serves_changes_what_is_handled(guild: Guild, worker: Surroundings) -> None:
    script = deploy(guild)
    script.declaration = Declaration(events=["early"])
    guild.on_declared(script)
    assert worker.sent == []
    guild.on_loaded(script)
    script.declaration = Declaration(events=["ready"], own=True, commands=Raw(b"[]"))
    guild.on_declared(script)
    last = worker.of(Kind.LOADED, LoadedIn)[-1]
    assert (last.events, last.own_messages, bytes(last.commands)) == (["ready"], True, b"[]")
    assert last.milliseconds == 0.0


def test_lines_with_a_place_in_the_bundle_are_mapped_and_others_are_not(
    guild: Guild, worker: Surroundings
) -> None:
    script = go_live(guild)
    lines = [Line("warn", "plain"), Line("error", "Error: x\n    at f (bundle.js:2:3)")]
    guild.on_lines(script, lines)
    plain, mapped = worker.of(Kind.LOG, LogIn)
    assert (plain.level, plain.text, plain.source) == ("warn", "plain", "script")
    assert (mapped.level, mapped.text) == ("error", "Error: x\nat f (bundle.js:2:3)")
    assert len(worker.maps) == 1


def test_stacks_are_mapped_with_the_map_of_the_script_they_are_from(
    guild: Guild, worker: Surroundings
) -> None:
    old = deploy(guild, 1, source_map='{"old":1}')
    guild.on_loaded(old)
    old.idle = False
    new = deploy(guild, 2, source_map='{"new":1}')
    guild.on_loaded(new)
    guild.on_event_failed(old, 1, Outcome.EXCEPTION, "Error: a")
    guild.on_unhandled(new, "Error: b")
    assert [found.text for found in worker.maps] == ['{"old":1}', '{"new":1}']
    assert [found.key for found in worker.maps] == [f"{1:064x}", f"{2:064x}"]


def test_failures_carry_the_number_of_their_event_where_there_is_one(
    guild: Guild, worker: Surroundings
) -> None:
    script = go_live(guild)
    guild.on_event_failed(script, 7, Outcome.EXCEPTION, "Error: a")
    guild.on_event_failed(script, 0, Outcome.CANCELED, "late")
    guild.on_unhandled(script, "Error: c")
    lines = worker.of(Kind.LOG, LogIn)
    assert [(line.event, line.text) for line in lines] == [
        ("7", "Error: a"),
        ("", "late"),
        ("", "unhandled rejection: Error: c"),
    ]


def test_a_guild_that_is_unloaded_closes_all_of_its_scripts(guild: Guild, worker: Surroundings) -> None:
    old = go_live(guild)
    old.idle = False
    new = go_live(guild, 2)
    candidate = deploy(guild, 3)
    guild.close()
    assert worker.retired == [old, new, candidate]
    assert (guild.scripts, guild._maps) == ([], {})


def test_a_flood_of_lines_stays_in_the_worker_and_only_its_size_leaves(
    guild: Guild, worker: Surroundings
) -> None:
    script = go_live(guild)
    guild.on_lines(script, [Line("info", f"{number}") for number in range(LINES + 7)])
    guild.tell_suppressed()
    guild.on_lines(script, [Line("info", "late")] * 5)
    guild.tell_suppressed()
    guild.tell_suppressed()
    lines = worker.of(Kind.LOG, LogIn)
    assert [line.text for line in lines if not line.suppressed] == [f"{number}" for number in range(LINES)]
    assert [line.suppressed for line in lines if line.suppressed] == [7, 5]


def test_the_log_of_a_guild_has_one_rate_whatever_is_deployed(guild: Guild, worker: Surroundings) -> None:
    for revision in (1, 2):
        guild.on_lines(go_live(guild, revision), [Line("info", "x")] * LINES)
    assert len([line for line in worker.of(Kind.LOG, LogIn) if not line.suppressed]) == LINES
