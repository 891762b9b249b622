"""A script's turns, batches, timers and limits, over an isolate that does what the test says."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.wire.control import Limits, Outcome
from flora_core.wire.pipe import Configure, Deploy, Turn
from flora_runtime.worker import script as module
from flora_runtime.worker.outbox import Line
from flora_runtime.worker.priority import DEMOTE_SECONDS
from flora_runtime.worker.racer import Value, ValueType
from flora_runtime.worker.script import (
    EVENTS_A_TURN,
    LOAD_CPU_FACTOR,
    LONG_TURN_NS,
    PARKED_LOOKS,
    QUIET_SECONDS,
    SLOW_SECONDS,
    TIMERS_MOST,
    Script,
    configuration,
    generation_of,
)

MILLISECOND = 1_000_000


class FakeClock:
    """CPU time that passes when the test says so."""

    def __init__(self) -> None:
        self.used = 1_000

    def nanoseconds(self) -> int:
        return self.used


class FakeIsolate:
    """Remembers what it was given; ``end`` gives the result of the task under way."""

    def __init__(self) -> None:
        self.on_notify: Callable[[], None] = lambda: None
        self.clock = FakeClock()
        self.exceeded_memory = False
        self.can_give_way = False
        self.gave_way = 0
        self.hurried = self.collected = 0
        self.may_be_over = False
        self.payloads: list[Any] = []
        self.loaded: list[bytes] = []
        self.takes = 0
        self.terminations = 0
        self.unhandled: list[str] = []
        self.closed = False
        self._on_result: Callable[[Value], None] | None = None

    @property
    def busy(self) -> bool:
        return self._on_result is not None

    def load(self, code: bytes, on_result: Callable[[Value], None]) -> None:
        self.loaded.append(code)
        self._begin(on_result)

    def feed(self, payload: bytes, on_result: Callable[[Value], None]) -> None:
        self.payloads.append(msgspec.json.decode(payload))
        self._begin(on_result)

    def take(self, on_result: Callable[[Value], None]) -> None:
        self.takes += 1
        self._begin(on_result)

    def _begin(self, on_result: Callable[[Value], None]) -> None:
        assert not self.busy, "one task at a time"
        self._on_result = on_result

    def end(self, outbox: Any = None, *, cpu_ns: int = MILLISECOND, value: Value | None = None) -> None:
        """The task is over, with ``outbox`` for its result."""
        self.clock.used += cpu_ns
        on_result, self._on_result = self._on_result, None
        assert on_result is not None
        text = b"" if outbox is None else msgspec.json.encode(outbox)
        on_result(value or Value(ValueType.STRING, text, len(text)))

    def give_way(self) -> None:
        if self.can_give_way:
            self.gave_way += 1
            self.can_give_way = False

    def hurry(self) -> None:
        self.hurried += 1

    def collect(self) -> None:
        self.collected += 1

    def terminate(self) -> None:
        self.terminations += 1

    def take_unhandled(self) -> list[str]:
        texts, self.unhandled = self.unhandled, []
        return texts

    def close(self) -> None:
        self.closed = True


class Told:
    """Listener and turns in one: what the script said, in order."""

    def __init__(self) -> None:
        self.cpu_ns = 0
        self.output = (0, 0)
        self.turns: list[Turn] = []
        self.lines: list[Line] = []
        self.failed_loads: list[tuple[Outcome, str]] = []
        self.failed_events: list[tuple[int, Outcome, str]] = []
        self.exceeded: list[tuple[Outcome, str]] = []
        self.unhandled: list[str] = []
        self.loaded = self.declared = self.timers = self.ready = self.begun = self.over = 0
        self.slow_until = 0.0

    def on_ready(self, script: Script) -> None:
        self.ready += 1

    def on_turn(self, script: Script, turn: Turn) -> None:
        self.turns.append(turn)

    def on_timers(self, script: Script) -> None:
        self.timers += 1

    def on_lines(self, script: Script, lines: list[Line]) -> None:
        self.lines += lines

    def on_declared(self, script: Script) -> None:
        self.declared += 1

    def on_loaded(self, script: Script) -> None:
        self.loaded += 1

    def on_load_failed(self, script: Script, outcome: Outcome, text: str) -> None:
        self.failed_loads.append((outcome, text))

    def on_unhandled(self, script: Script, text: str) -> None:
        self.unhandled.append(text)

    def on_event_failed(self, script: Script, event: int, outcome: Outcome, text: str) -> None:
        self.failed_events.append((event, outcome, text))

    def on_exceeded(self, script: Script, outcome: Outcome, text: str) -> None:
        self.exceeded.append((outcome, text))

    def on_turn_begun(self, script: Script) -> None:
        self.begun += 1

    def on_turn_over(self, script: Script, cpu_ns: int, now: float) -> None:
        self.over += 1
        self.cpu_ns += cpu_ns

    def on_output(self, script: Script, *, ops: int, lines: int) -> None:
        self.output = (self.output[0] + ops, self.output[1] + lines)


@pytest.fixture
def told() -> Told:
    return Told()


def make(told: Told, *, limits: Limits | None = None, code: str = "1", **config: Any) -> Script:
    deploy = Deploy(1, "ab" * 32, code, "", limits or Limits(), "seed", 0)
    return Script(
        FakeIsolate(),  # type: ignore[arg-type]
        deploy,
        config=Configure(index=0, **config),
        generation=4,
        listener=told,
        turns=told,
    )


def isolate_of(script: Script) -> FakeIsolate:
    return script._isolate  # type: ignore[return-value]


def load(script: Script) -> FakeIsolate:
    """Through both turns of a load that works."""
    isolate = isolate_of(script)
    script.load()
    isolate.end()
    script.start_turn()
    isolate.end({"b": True, "u": {"events": ["messageCreate"]}})
    return isolate


@pytest.fixture
def script(told: Told) -> Script:
    """A script that has loaded."""
    made = make(told)
    load(made)
    return made


def body(text: str = "x") -> bytes:
    return msgspec.json.encode({"t": "MESSAGE_CREATE", "d": {"content": text}})


def numbers_fed(isolate: FakeIsolate) -> list[list[int]]:
    return [[event["i"] for event in payload.get("e", [])] for payload in isolate.payloads]


# ---------------------------------------------------------------- loading


def test_a_load_is_over_when_the_outbox_says_so(told: Told) -> None:
    script = make(told, code="hello()")
    isolate = isolate_of(script)
    script.load()
    assert (isolate.loaded, script.running, script.loading) == ([b"hello()"], True, True)
    isolate.end()
    assert script.wants_turn, "the outbox tells whether the promise is settled"
    assert told.loaded == 0
    script.start_turn()
    isolate.end({})
    assert (told.loaded, script.loading) == (0, True)
    isolate.on_notify()
    script.start_turn()
    isolate.end({"b": True})
    assert (told.loaded, script.loading) == (1, False)
    assert script.loading_milliseconds > 0


def test_a_bundle_that_throws_at_once_has_failed_to_load(told: Told) -> None:
    script = make(told)
    script.load()
    isolate_of(script).end(value=Value(ValueType.EXECUTE_EXCEPTION, b"Error: \xff boom", 13))
    assert told.failed_loads == [(Outcome.EXCEPTION, "Error: \ufffd boom")]
    assert not script.loading
    assert not script.wants_turn


def test_a_bundle_whose_promise_is_rejected_has_failed_to_load(told: Told) -> None:
    script = make(told)
    script.load()
    isolate_of(script).end()
    script.start_turn()
    isolate_of(script).end({"b": "TypeError: later"})
    assert told.failed_loads == [(Outcome.EXCEPTION, "TypeError: later")]
    assert told.loaded == 0


def test_going_over_a_limit_while_loading_is_a_failed_load_and_no_recycling(told: Told) -> None:
    script = make(told, limits=Limits(cpu_milliseconds=20))
    script.load()
    script.stop(Outcome.EXCEEDED_CPU)
    isolate_of(script).end(value=Value(ValueType.TERMINATED_EXCEPTION, b"", 0))
    ((outcome, text),) = told.failed_loads
    assert outcome is Outcome.EXCEEDED_CPU
    assert f"{20 * LOAD_CPU_FACTOR} ms" in text
    assert told.exceeded == []


@pytest.mark.parametrize("running", [False, True])
def test_a_load_that_takes_too_long_is_given_up_whether_it_runs_or_waits(told: Told, running: bool) -> None:
    script = make(told, load_seconds=2)
    script.load()
    if not running:
        isolate_of(script).end()
    script.check(script.loading_since + 1.9)
    assert told.failed_loads == []
    script.check(script.loading_since + 2.1)
    if running:
        assert isolate_of(script).terminations == 1
        script.check(script.loading_since + 2.2)
        assert isolate_of(script).terminations == 1, "told once"
        isolate_of(script).end(value=Value(ValueType.TERMINATED_EXCEPTION, b"", 0))
    assert told.failed_loads == [(Outcome.CANCELED, "the script had not finished loading after 2 s")]


def test_without_a_limit_a_load_may_take_for_ever(told: Told) -> None:
    script = make(told, load_seconds=0)
    script.load()
    script.check(script.loading_since + 1e6)
    assert isolate_of(script).terminations == 0
    assert told.failed_loads == []


# ---------------------------------------------------------------- turns


def test_a_turn_hands_over_everything_that_is_due(script: Script, told: Told) -> None:
    script.add_event(5, body("five"))
    script.add_result(b"[7,true,null]")
    script.add_result(b'[8,false,{"code":"X"}]')
    isolate_of(script).on_notify()
    assert script.start_turn() == 5
    assert isolate_of(script).payloads == [
        {
            "n": 1,
            "s": [[7, True, None], [8, False, {"code": "X"}]],
            "e": [{"i": 5, "t": "MESSAGE_CREATE", "d": {"content": "five"}}],
        }
    ]
    assert told.begun == 3
    assert not script.wants_turn


def test_news_alone_are_fetched_and_not_fed(script: Script) -> None:
    isolate_of(script).on_notify()
    takes = isolate_of(script).takes
    assert script.start_turn() == 0
    assert (isolate_of(script).takes, isolate_of(script).payloads) == (takes + 1, [])


def test_a_turn_tells_what_it_started_even_when_it_says_nothing(script: Script, told: Told) -> None:
    script.add_event(1, body())
    script.start_turn()
    isolate_of(script).end(None, cpu_ns=3 * MILLISECOND)
    assert told.turns == [Turn(started=1, cpu_ns=3 * MILLISECOND)]
    assert list(script.pending) == [1]


def test_a_turn_without_events_or_output_is_not_told_of(script: Script, told: Told) -> None:
    script.add_result(b"[1,true,null]")
    script.start_turn()
    isolate_of(script).end({})
    assert told.turns == []


def test_events_settle_with_their_outcome(script: Script, told: Told) -> None:
    for number in (1, 2, 3):
        script.add_event(number, body())
    for _ in range(2):  # one event, then two
        script.start_turn()
        isolate_of(script).end({})
    isolate_of(script).on_notify()
    script.start_turn()
    isolate_of(script).end({"d": [[1, 4.5], [3, 2.0, "Error: bad"]]})
    done = [(done.event, done.outcome, done.milliseconds) for turn in told.turns for done in turn.done]
    assert done == [(1, Outcome.OK, 4.5), (3, Outcome.EXCEPTION, 2.0)]
    assert told.failed_events == [(3, Outcome.EXCEPTION, "Error: bad")]
    assert list(script.pending) == [2]


def test_a_script_may_say_that_an_event_settled_that_it_never_had(script: Script, told: Told) -> None:
    isolate_of(script).on_notify()
    script.start_turn()
    isolate_of(script).end({"d": [[999, 0.0]]})
    assert [done.event for done in told.turns[-1].done] == [999]
    assert script.pending == {}


def test_a_broadcast_is_started_and_never_waited_for(script: Script, told: Told) -> None:
    script.add_event(0, body())
    assert script.start_turn() == 0
    isolate_of(script).end(None)
    assert script.pending == {}
    assert told.turns == []
    assert script.idle


def test_a_broadcast_behind_an_event_does_not_hide_that_it_was_started(script: Script, told: Told) -> None:
    script._batch = 2
    script.add_event(7, body())
    script.add_event(0, b'{"t":"READY","d":{}}')
    assert script.start_turn() == 7
    isolate_of(script).end()
    assert told.turns[-1].started == 7


def test_events_that_no_turn_has_started_can_be_taken_back(script: Script) -> None:
    script.add_event(1, body())
    script.start_turn()
    for number in (2, 3):
        script.add_event(number, body())
    assert [number for number, _ in script.withdraw_events()] == [2, 3]
    assert script.withdraw_events() == []
    isolate_of(script).end({})
    assert not script.wants_turn
    assert not script.idle, "event 1 has not settled"


def test_what_arrives_during_a_turn_wants_another(script: Script, told: Told) -> None:
    script.add_event(1, body())
    script.start_turn()
    script.add_result(b"[1,true,null]")
    ready = told.ready
    isolate_of(script).end({"d": [[1, 1.0]]})
    assert told.ready == ready + 1
    script.start_turn()
    assert isolate_of(script).payloads[-1] == {"s": [[1, True, None]]}


def test_a_notice_during_a_turn_waits_for_its_end(script: Script, told: Told) -> None:
    script.add_event(1, body())
    script.start_turn()
    ready = told.ready
    isolate_of(script).on_notify()
    assert told.ready == ready
    isolate_of(script).end({})
    assert told.ready == ready + 1
    assert script.wants_turn


def test_lines_declarations_and_rejections_are_told(script: Script, told: Told) -> None:
    declared = told.declared
    isolate_of(script).on_notify()
    isolate_of(script).unhandled = ["Error: forgotten"]
    script.start_turn()
    isolate_of(script).end({"l": [["info", "a"], ["error", "b"]], "u": {"events": ["ready"], "own": True}})
    assert told.lines == [Line("info", "a"), Line("error", "b")]
    assert told.unhandled == ["Error: forgotten"]
    assert (told.declared, script.declaration.events) == (declared + 1, ["ready"])


# ---------------------------------------------------------------- batches


def test_a_script_gets_more_events_a_turn_as_long_as_its_turns_are_short(script: Script) -> None:
    for number in range(1, 101):
        script.add_event(number, body())
    while script.wants_turn:
        script.start_turn()
        isolate_of(script).end({}, cpu_ns=MILLISECOND)
    sizes = [len(numbers) for numbers in numbers_fed(isolate_of(script))]
    assert sizes[:6] == [1, 2, 4, 8, EVENTS_A_TURN, EVENTS_A_TURN]
    assert max(sizes) == EVENTS_A_TURN


def test_long_turns_halve_what_the_next_one_gets_down_to_one(script: Script) -> None:
    script._batch = 8
    for number in range(1, 31):
        script.add_event(number, body())
    for _ in range(5):
        script.start_turn()
        isolate_of(script).end({}, cpu_ns=LONG_TURN_NS + 1)
    assert [len(numbers) for numbers in numbers_fed(isolate_of(script))] == [8, 4, 2, 1, 1]


def test_turns_that_start_nothing_do_not_widen_the_next(script: Script) -> None:
    for _ in range(5):
        script.add_result(b"[1,true,null]")
        script.start_turn()
        isolate_of(script).end({}, cpu_ns=0)
    assert script._batch == 1


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), max_size=30))
def test_events_start_once_and_in_order_whatever_turns_take(steps: list[tuple[int, int]]) -> None:
    told = Told()
    script = make(told)
    script._isolate = FakeIsolate()  # type: ignore[assignment]
    script._isolate.on_notify = script._noticed
    script.loading = False
    added = 0
    for count, milliseconds in [*steps, *[(0, 1)] * 400]:
        for _ in range(count):
            added += 1
            script.add_event(added, body())
        if script.wants_turn:
            script.start_turn()
            isolate_of(script).end({}, cpu_ns=milliseconds * MILLISECOND)
    fed = numbers_fed(isolate_of(script))
    assert [number for numbers in fed for number in numbers] == list(range(1, added + 1))
    assert all(len(numbers) <= EVENTS_A_TURN for numbers in fed)
    assert [turn.started for turn in told.turns] == [numbers[-1] for numbers in fed]


# ---------------------------------------------------------------- limits


def test_a_turn_is_stopped_once_its_cpu_time_is_over(told: Told) -> None:
    script = make(told, limits=Limits(cpu_milliseconds=50))
    isolate = load(script)
    script.add_event(1, body())
    script.start_turn()
    isolate.clock.used += 49 * MILLISECOND
    script.stop_if_over()
    assert (isolate.terminations, script.stopping) == (0, False)
    assert script.turn_deadline <= time.monotonic() + 0.0011, "looked at again when the rest may be used"
    isolate.clock.used += MILLISECOND
    script.stop_if_over()
    assert (isolate.terminations, script.stopping) == (1, True)
    isolate.end(value=Value(ValueType.TERMINATED_EXCEPTION, b"", 0))
    ((outcome, text),) = told.exceeded
    assert outcome is Outcome.EXCEEDED_CPU
    assert "more than 50 ms" in text


def test_a_turn_that_waits_for_a_core_is_not_charged_for_it(told: Told) -> None:
    script = make(told, limits=Limits(cpu_milliseconds=50))
    isolate = load(script)
    script.add_event(1, body())
    script.start_turn()
    for _ in range(5):
        script.stop_if_over()
    assert isolate.terminations == 0


def test_a_turn_that_takes_longer_than_a_moment_gives_way_before_it_is_stopped(told: Told) -> None:
    script = make(told, limits=Limits(cpu_milliseconds=100))
    isolate = load(script)
    isolate.can_give_way = True
    script.add_event(1, body())
    script.start_turn()
    assert script.turn_deadline - script.turn_started == pytest.approx(DEMOTE_SECONDS)
    isolate.clock.used += 3 * MILLISECOND
    script.stop_if_over()
    assert isolate.gave_way == 0, "it waited for a core"
    isolate.clock.used += 10 * MILLISECOND
    script.stop_if_over()
    assert (isolate.gave_way, script.stopping) == (1, False)
    isolate.clock.used += 100 * MILLISECOND
    script.stop_if_over()
    assert script.stopping


def turn_of(script: Script, number: int, *, cpu_ns: int) -> None:
    script.add_event(number, body())
    script.start_turn()
    isolate_of(script).end(cpu_ns=cpu_ns)


def test_for_a_while_after_a_long_turn_others_give_way_from_their_start(told: Told) -> None:
    script = make(told)
    isolate = load(script)
    isolate.can_give_way = True
    turn_of(script, 1, cpu_ns=MILLISECOND)
    assert isolate.gave_way == 0
    turn_of(script, 2, cpu_ns=20 * MILLISECOND)
    assert told.slow_until == pytest.approx(time.monotonic() + SLOW_SECONDS, abs=1)
    turn_of(script, 3, cpu_ns=MILLISECOND)
    assert isolate.gave_way == 1
    isolate.can_give_way = True
    told.slow_until = time.monotonic()
    turn_of(script, 4, cpu_ns=MILLISECOND)
    assert isolate.gave_way == 1


def test_the_successor_of_a_slow_script_is_slow_too(told: Told) -> None:
    told.slow_until = time.monotonic() + 1
    script = make(told)
    isolate = isolate_of(script)
    isolate.can_give_way = True
    script.load()
    assert isolate.gave_way == 1


def test_a_turn_that_gave_way_and_starves_gives_way_no_longer(told: Told) -> None:
    script = make(told)
    isolate = load(script)
    script.add_event(1, body())
    script.start_turn()
    for _ in range(PARKED_LOOKS // 2 + 1):
        script.stop_if_over()
    assert (isolate.hurried, script.stopping) == (1, False)


def test_a_thread_that_is_parked_for_ever_counts_as_killed(told: Told) -> None:
    script = make(told)
    isolate = load(script)
    script.add_event(1, body())
    script.start_turn()
    for _ in range(PARKED_LOOKS):
        script.stop_if_over()
        assert not script.stopping, "it may just wait for a core, for memory or a lock"
    script.stop_if_over()
    assert script.stopping
    isolate.end(value=Value(ValueType.TERMINATED_EXCEPTION, b"", 0))
    assert told.exceeded == [(Outcome.KILLED, "V8 gave the script's isolate up")]


def test_a_thread_that_gets_a_core_now_and_then_is_not_parked(told: Told) -> None:
    script = make(told)
    isolate = load(script)
    script.add_event(1, body())
    script.start_turn()
    for look in range(5 * PARKED_LOOKS):
        isolate.clock.used += look % PARKED_LOOKS == 0
        script.stop_if_over()
    assert not script.stopping


def test_the_first_reason_for_a_stop_is_the_one_that_counts(script: Script, told: Told) -> None:
    script.add_event(1, body())
    script.start_turn()
    script.stop(Outcome.CANCELED)
    first = script.stopped_at
    script.stop(Outcome.KILLED)
    assert script.stopped_at == first
    assert isolate_of(script).terminations == 2
    isolate_of(script).end(value=Value(ValueType.TERMINATED_EXCEPTION, b"", 0))
    assert [outcome for outcome, _ in told.exceeded] == [Outcome.CANCELED]


def test_a_stop_that_came_too_late_still_ends_the_isolate(script: Script, told: Told) -> None:
    script.add_event(1, body())
    script.start_turn()
    script.stop(Outcome.EXCEEDED_CPU)
    isolate_of(script).end({"d": [[1, 1.0]]})  # the turn ended by itself meanwhile
    assert [outcome for outcome, _ in told.exceeded] == [Outcome.EXCEEDED_CPU]
    assert told.turns == []


def test_memory_comes_before_every_other_reason(script: Script, told: Told) -> None:
    script.add_event(1, body())
    script.start_turn()
    isolate_of(script).exceeded_memory = True
    script.stop(Outcome.EXCEEDED_CPU)
    isolate_of(script).end(value=Value(ValueType.OOM_EXCEPTION, b"", 0))
    ((outcome, text),) = told.exceeded
    assert outcome is Outcome.EXCEEDED_MEMORY
    assert "64 MiB" in text


BROKEN = {
    "garbage for an outbox": (Value(ValueType.STRING, b"[1,2]", 5), "outbox: "),
    "an exception out of the prelude": (Value(ValueType.EXECUTE_EXCEPTION, b"Error: inside", 13), "inside"),
    "more than may be read": (Value(ValueType.STRING, b"{", 3 << 20), "over the limit of a turn"),
}


@pytest.mark.parametrize(("value", "text"), BROKEN.values(), ids=BROKEN)
def test_an_isolate_that_its_script_broke_is_given_up(
    script: Script, told: Told, value: Value, text: str
) -> None:
    script.add_event(1, body())
    script.start_turn()
    isolate_of(script).end(value=value)
    ((outcome, said),) = told.exceeded
    assert outcome is Outcome.EXCEPTION
    assert said.startswith("the script broke its own isolate: ")
    assert text in said
    assert told.turns == []


def test_the_text_of_a_broken_isolate_is_cut(script: Script, told: Told) -> None:
    isolate_of(script).on_notify()
    script.start_turn()
    isolate_of(script).end(value=Value(ValueType.EXECUTE_EXCEPTION, b"x" * 10_000, 10_000))
    assert len(told.exceeded[0][1]) < 600


def test_cpu_time_is_charged_in_equal_parts_to_what_was_pending(told: Told) -> None:
    script = make(told, handler_seconds=0.1)
    isolate = load(script)
    script._batch = 2
    for number in (1, 2):
        script.add_event(number, body())
    script.start_turn()
    isolate.end({}, cpu_ns=180 * MILLISECOND)
    script.check(time.monotonic())
    assert told.exceeded == [], "90 ms each"
    isolate.on_notify()
    script.start_turn()
    isolate.end({"d": [[1, 1.0]]}, cpu_ns=30 * MILLISECOND)
    script.check(time.monotonic())
    ((outcome, text),) = told.exceeded
    assert outcome is Outcome.EXCEEDED_CPU
    assert "0.1 s of CPU time" in text


def test_a_handler_that_waits_too_long_is_dropped_and_the_script_lives_on(told: Told) -> None:
    script = make(told, wall_seconds=3)
    isolate = load(script)
    script.add_event(1, body())
    script.start_turn()
    isolate.end({})
    script.check(time.monotonic() + 3.1)
    assert [(event, outcome) for event, outcome, _ in told.failed_events] == [(1, Outcome.CANCELED)]
    assert [(done.event, done.milliseconds) for done in told.turns[-1].done] == [(1, 3000.0)]
    assert script.pending == {}
    assert told.exceeded == []


def test_without_limits_a_handler_may_take_what_it_likes(told: Told) -> None:
    script = make(told, wall_seconds=0, handler_seconds=0)
    isolate = load(script)
    script.add_event(1, body())
    script.start_turn()
    isolate.end({}, cpu_ns=10**13)
    script.check(time.monotonic() + 1e6)
    assert list(script.pending) == [1]
    assert (told.exceeded, told.failed_events) == ([], [])


def test_a_quiet_script_with_pending_events_is_asked_for_news_now_and_then(script: Script) -> None:
    script.add_event(1, body())
    script.start_turn()
    isolate_of(script).end({})
    now = time.monotonic()
    script.check(now + QUIET_SECONDS / 2)
    assert not script.wants_turn
    script.check(now + QUIET_SECONDS + 0.1)
    assert script.wants_turn
    assert script.start_turn() == 0
    isolate_of(script).end({"d": [[1, 1.0]]})
    script.check(now + 100)
    assert not script.wants_turn, "nothing is pending"


def test_a_worker_that_drains_asks_for_news_sooner(script: Script) -> None:
    script.add_event(1, body())
    script.start_turn()
    isolate_of(script).end({})
    script.check(time.monotonic() + 0.1, quiet=0.02)
    assert script.wants_turn


# ---------------------------------------------------------------- timers


def set_timers(script: Script, timers: list[list[float]], cleared: list[int] | None = None) -> None:
    isolate_of(script).on_notify()
    script.start_turn()
    isolate_of(script).end({"t": timers, "c": cleared or []})


def fired(script: Script, later: float = 1e6) -> list[int]:
    """The timers that are handed over ``later`` seconds from now."""
    script.fire_timers(time.monotonic() + later)
    if not script.wants_turn:
        return []
    script.start_turn()
    isolate_of(script).end({})
    return isolate_of(script).payloads[-1].get("t", [])


def test_timers_fire_in_the_order_they_are_due(script: Script, told: Told) -> None:
    set_timers(script, [[1, 5_000.0], [2, 1_000.0], [3, 3_000.0]])
    assert told.timers == 1
    due = script.next_timer()
    assert due is not None
    assert 0.9 < due - time.monotonic() <= 1.0
    assert fired(script, 3.5) == [2, 3]
    assert fired(script, 6.0) == [1]
    assert script.next_timer() is None


def test_a_timer_that_was_cleared_never_fires(script: Script) -> None:
    set_timers(script, [[1, 10.0], [2, 10.0]])
    set_timers(script, [], cleared=[1])
    assert fired(script) == [2]


def test_a_timer_set_and_cleared_in_one_turn_never_fires(script: Script) -> None:
    set_timers(script, [[1, 10.0]], cleared=[1])
    assert fired(script) == []


def test_timers_that_are_set_and_cleared_for_ever_leave_nothing_behind(script: Script) -> None:
    set_timers(script, [[1, 1e12]])
    for turn in range(50):
        timers = list(range(2 + 100 * turn, 102 + 100 * turn))
        set_timers(script, [[timer, 1e12] for timer in timers], cleared=timers)
        set_timers(script, [[1, 1e12]] * 100)
    assert len(script._timers) <= 2 * TIMERS_MOST
    assert fired(script, 1e12) == [1]


def test_more_timers_than_the_prelude_allows_end_the_isolate(script: Script, told: Told) -> None:
    set_timers(script, [[timer, 1e6] for timer in range(TIMERS_MOST)])
    assert told.exceeded == []
    set_timers(script, [[timer, 1e6] for timer in range(TIMERS_MOST + 1)])
    ((outcome, text),) = told.exceeded
    assert outcome is Outcome.EXCEPTION
    assert "more timers than the prelude allows" in text


def test_clearing_what_is_no_timer_costs_nothing(script: Script) -> None:
    set_timers(script, [[1, 10.0]], cleared=list(range(2, 1000)))
    assert fired(script) == [1]


@pytest.mark.parametrize("milliseconds", [0.0, -1.0, -1e300])
def test_a_timer_in_the_past_is_due_now(script: Script, milliseconds: float) -> None:
    set_timers(script, [[1, milliseconds]])
    assert fired(script, 0.001) == [1]


def test_a_timer_in_the_far_future_is_no_trouble(script: Script) -> None:
    set_timers(script, [[1, 1e300], [2, 1.0]])
    assert fired(script) == [2]


@given(
    st.lists(
        st.tuples(st.integers(1, 30), st.integers(0, 100)), max_size=30, unique_by=lambda timer: timer[0]
    ),
    st.sets(st.integers(1, 30)),
)
def test_every_timer_that_was_not_cleared_fires_once(
    timers: list[tuple[int, int]], cleared: set[int]
) -> None:
    script = make(Told())
    script._isolate = FakeIsolate()  # type: ignore[assignment]
    script._isolate.on_notify = script._noticed
    script.loading = False
    set_timers(script, [[timer, float(ms)] for timer, ms in timers])
    set_timers(script, [], cleared=sorted(cleared))
    assert sorted(fired(script)) == sorted(timer for timer, _ in timers if timer not in cleared)
    assert fired(script, 2e6) == []


# ---------------------------------------------------------------- numbers


@given(st.integers(0, 2**23 - 1), st.integers(0, 2**30 - 1))
def test_an_op_names_the_isolate_that_asked(generation: int, number: int) -> None:
    deploy = Deploy(1, "", "", "", Limits(), "seed", 0)
    first = msgspec.json.decode(
        configuration(guild="1", deploy=deploy, crypto_seed="s", generation=generation)
    )["firstId"]
    assert generation_of(first + number) == generation
    assert first + number < 2**53, "JavaScript's numbers are exact up to there"


def test_an_isolate_is_told_its_bot_only_when_it_is_known() -> None:
    unknown = Deploy(1, "", "", "", Limits(), "seed", 0)
    known = Deploy(1, "", "", "", Limits(), "seed", 0, bot="42")
    told = [
        msgspec.json.decode(configuration(guild="1", deploy=deploy, crypto_seed="c", generation=1))
        for deploy in (unknown, known)
    ]
    assert "userId" not in told[0]
    assert told[1]["userId"] == "42"
    assert (told[1]["guildId"], told[1]["seed"], told[1]["cryptoSeed"]) == ("1", "seed", "c")


# ------------------------------------------------------------------------------------------------- secrets


def test_new_placeholders_go_with_the_next_turn_and_ask_for_none(script: Script, told: Told) -> None:
    ready = told.ready
    script.know_secrets({"OLD": "mark"})
    script.know_secrets({"KEY": "mark"})
    assert (told.ready, script.wants_turn) == (ready, False)
    script.add_event(1, body())
    script.start_turn()
    assert isolate_of(script).payloads[-1]["k"] == {"KEY": "mark"}
    isolate_of(script).end()
    script.add_event(2, body())
    script.start_turn()
    assert "k" not in isolate_of(script).payloads[-1]


def test_placeholders_are_not_lost_in_a_turn_that_only_asks_for_news(script: Script) -> None:
    script.know_secrets({"KEY": "mark"})
    isolate_of(script).on_notify()
    script.start_turn()
    isolate_of(script).end()
    script.add_event(1, body())
    script.start_turn()
    assert isolate_of(script).payloads[-1]["k"] == {"KEY": "mark"}


def test_an_isolate_is_told_its_placeholders_before_its_bundle_runs() -> None:
    deploy = Deploy(1, "ab" * 32, "", "", Limits(), "seed", 0, secrets={"KEY": "mark"})
    told = msgspec.json.decode(configuration(guild="1", deploy=deploy, crypto_seed="", generation=1))
    assert told["secrets"] == {"KEY": "mark"}


def test_what_may_be_over_its_memory_after_a_turn_is_collected(told: Told) -> None:
    script = make(told)
    isolate = load(script)
    for may_be_over, collected in ((False, 0), (True, 1), (False, 1)):
        isolate.may_be_over = may_be_over
        script.add_result(b'[1,true,"x"]')
        script.start_turn()
        isolate.end()
        assert isolate.collected == collected


def test_memory_that_is_over_between_turns_ends_the_script(told: Told) -> None:
    script = make(told, limits=Limits(memory_mebibytes=16))
    isolate = load(script)
    script.check(time.monotonic())
    assert told.exceeded == []
    isolate.exceeded_memory = True
    script.check(time.monotonic())
    assert told.exceeded == [
        (
            Outcome.EXCEEDED_MEMORY,
            "the script used more than 16 MiB of memory (heap and array buffers together)",
        )
    ]


def test_large_results_come_one_turn_after_another(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESULT_BYTES_A_TURN", 100)
    for id_ in range(1, 5):
        script.add_result(b'[%d,true,"%b"]' % (id_, b"x" * (200 if id_ == 2 else 20)))
    given: list[list[int]] = []
    while script.wants_turn:
        script.start_turn()
        given.append([result[0] for result in isolate_of(script).payloads[-1]["s"]])
        isolate_of(script).end()
    assert given == [[1], [2], [3, 4]]


def test_what_a_turn_cost_and_made_others_do_is_told(script: Script, told: Told) -> None:
    before = told.cpu_ns
    script.add_event(1, body())
    script.start_turn()
    isolate_of(script).end({"o": [[1, "sendMessage", {}]], "l": [["log", "a"], ["log", "b"]]}, cpu_ns=7_000)
    assert told.cpu_ns - before == 7_000
    assert told.output == (1, 2)


def test_only_a_timer_that_is_due_soon_and_not_cleared_keeps_a_guild_awake(script: Script) -> None:
    script.add_event(1, body())
    script.start_turn()
    isolate_of(script).end({"t": [[1, 1_000.0], [2, 900_000.0]], "d": [[1, 1.0]]})
    now = time.monotonic()
    assert script.has_timer_before(now + 60)
    script.add_event(2, body())
    script.start_turn()
    isolate_of(script).end({"c": [1], "d": [[2, 1.0]]})
    assert not script.has_timer_before(now + 60)
    assert script.has_timer_before(now + 1_000)
