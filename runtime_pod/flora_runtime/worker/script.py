"""One loaded bundle in one isolate: its turns, timers, limits, and what becomes of each event.

A *turn* hands the isolate everything that is due in one string and brings its outbox back. Between turns
nothing of the script runs. Events start in the order they came; their handlers then run concurrently at
every ``await``, so an event is *pending* from the turn that started it until the prelude reports it
settled. The prelude reports quiet successes only with the next turn, so ``wants_turn`` asks for one when
events have been pending for a while without news.

A script never decides when it runs: it says ``wants_turn`` and its worker calls ``start_turn``.
"""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from flora_core.errors import MalformedFrame
from flora_core.wire.control import Outcome
from flora_core.wire.pipe import CRON_PREFIX, Configure, Deploy, Done, Turn
from flora_runtime.worker.isolate import Isolate
from flora_runtime.worker.outbox import Declaration, Line, Outbox, Settled, TimerSet, read_outbox
from flora_runtime.worker.priority import DEMOTE_SECONDS
from flora_runtime.worker.racer import Value

EVENTS_A_TURN: Final = 16
"""The most events that one turn starts; fewer cost a thread switch each. A script begins with one and gets
more as long as its turns are short, so that a turn's CPU limit never meets a batch of honest work."""
SHORT_TURN_NS: Final = 4_000_000
LONG_TURN_NS: Final = 10_000_000

SLOW_SECONDS: Final = 10.0
"""How long after a long turn a guild's turns give way from their start."""

LOAD_CPU_FACTOR: Final = 10
"""Loading may use this many turns' worth of CPU: it compiles the whole bundle."""

RESULT_BYTES_A_TURN: Final = 16 << 20
"""Results of ops that one turn hands over, in bytes. That of a fetch alone may be nearly as large; several at
once would put an isolate over its memory through no fault of its script's."""

TIMERS_MOST: Final = 1000
"""Timers that may wait; the prelude refuses more, and who has more got around it."""

QUIET_SECONDS: Final = 1.0
"""How long an event may be pending without a turn before the script is asked for news."""

GENERATION_BITS: Final = 30
"""An isolate numbers its ops from generation << 30, so that an answer to an isolate that is gone can never
settle a promise of its successor."""


PARKED_LOOKS: Final = 10
"""A turn whose thread did not run between so many looks ..."""
PARKED_LOOK_SECONDS: Final = 0.1
"""... with this time between them does not wait for a core (this process had one each time): V8 has parked
it. One that gave way has stopped doing so after half of them."""

_CRON_EVENT: Final = f'{{"t":"{CRON_PREFIX}'.encode()


class Listener(Protocol):
    """What a script tells its guild. Called between turns, never while one runs."""

    slow_until: float
    """On the monotonic clock: turns that begin before give way from their start, for the guild had a long one
    not long ago. Set here, and kept by the guild because a script that went over a limit has a successor."""

    def on_ready(self, script: Script) -> None:
        """The script wants a turn."""
        ...

    def on_turn(self, script: Script, turn: Turn) -> None: ...

    def on_timers(self, script: Script) -> None:
        """``next_timer`` may have changed."""
        ...

    def on_lines(self, script: Script, lines: list[Line]) -> None: ...

    def on_declared(self, script: Script) -> None:
        """``declaration`` has changed."""
        ...

    def on_loaded(self, script: Script) -> None: ...

    def on_load_failed(self, script: Script, outcome: Outcome, text: str) -> None: ...

    def on_unhandled(self, script: Script, text: str) -> None:
        """A promise was rejected and nobody handles it."""
        ...

    def on_event_failed(self, script: Script, event: int, outcome: Outcome, text: str) -> None: ...

    def on_exceeded(self, script: Script, outcome: Outcome, text: str) -> None:
        """The script went over a limit; its isolate must not be used again."""
        ...


class Turns(Protocol):
    """Whoever watches the clock and keeps the flight record."""

    def on_turn_begun(self, script: Script) -> None:
        """Look at ``script`` again at its ``turn_deadline``, unless its turn is over by then."""
        ...

    def on_turn_over(self, script: Script, cpu_ns: int, now: float) -> None:
        """A turn ended ``now``, on the monotonic clock."""
        ...

    def on_output(self, script: Script, *, ops: int, lines: int) -> None:
        """A turn made so many calls and log lines."""
        ...


@dataclass(slots=True)
class _Pending:
    """An event whose handlers have started and not all settled."""

    since: float
    wall_seconds: float
    """How long it may take in all; 0 for no limit."""
    cpu_ns: int = 0


@dataclass(slots=True)
class _Due:
    """What the next turn will hand over."""

    events: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])
    results: list[bytes] = field(default_factory=list[bytes])
    timers: list[int] = field(default_factory=list[int])
    notified: bool = False
    news: bool = False
    """A turn is wanted only to hear what settled."""
    secrets: bytes = b""
    """New placeholders, as JSON; no turn is wanted for these alone."""


class Script:
    """See the module's text. ``isolate`` has the prelude in it, and is the script's from now on."""

    def __init__(
        self,
        isolate: Isolate,
        deploy: Deploy,
        *,
        config: Configure,
        generation: int,
        listener: Listener,
        turns: Turns,
    ) -> None:
        self.deploy: Final = deploy
        self.generation: Final = generation
        self.declaration = Declaration(events=[])
        self._config = config
        self._listener = listener
        self._turns = turns
        self._due = _Due()
        self._timers: list[tuple[float, int]] = []
        """A heap; timers that were cleared stay in it for a while."""
        self._waiting: dict[int, float] = {}
        """When the timers that were not are due."""
        self.pending: Final[dict[int, _Pending]] = {}
        self.loading = True
        self.loading_since = time.monotonic()
        self.loading_milliseconds = 0.0
        self.noted_timer: float | None = None
        self.turn_started = 0.0
        self.turn_deadline = 0.0
        """When, on the monotonic clock, the running turn should be looked at again."""
        self._last_turn = self.loading_since
        self._used_when_looked = -1
        self._looks_in_vain = 0
        self._terminated: Outcome | None = None
        self._batch = 1
        self._isolate = isolate
        isolate.on_notify = self._noticed
        self._cpu = self._isolate.clock.nanoseconds()

    # ---------------------------------------------------------------- what is due

    @property
    def running(self) -> bool:
        """Whether a turn is under way."""
        return self._isolate.busy

    @property
    def idle(self) -> bool:
        """Nothing runs, nothing is due, nothing is awaited."""
        return not (self.running or self.wants_turn or self.pending)

    @property
    def wants_turn(self) -> bool:
        due = self._due
        return bool(due.events or due.results or due.timers or due.notified or due.news)

    def add_event(self, number: int, body: bytes) -> None:
        """Queue an event: a JSON object with Discord's ``t`` and ``d``."""
        self._due.events.append((number, body))
        self._listener.on_ready(self)

    def add_result(self, result: bytes) -> None:
        """Queue the answer to an op: ``[id,ok,value]`` in JSON."""
        self._due.results.append(result)
        self._listener.on_ready(self)

    def know_secrets(self, placeholders: dict[str, str]) -> None:
        """Hand over what stands for the guild's secrets, by name, with the next turn."""
        self._due.secrets = msgspec.json.encode(placeholders)

    def withdraw_events(self) -> list[tuple[int, bytes]]:
        """Take back the events that no turn has started yet."""
        events, self._due.events = self._due.events, []
        return events

    # ---------------------------------------------------------------- turns

    def load(self) -> None:
        """Start loading the bundle; the listener hears how it went."""
        self._begin_turn()
        self._isolate.load(self.deploy.code.encode(), self._load_evaluated)

    def start_turn(self) -> int:
        """Hand over what is due; only when ``wants_turn`` and not ``running``.

        Returns the highest event number that this turn starts, 0 for none.
        """
        due = self._due
        events = due.events
        rest: list[tuple[int, bytes]] = []
        if len(events) > self._batch:
            events, rest = events[: self._batch], events[self._batch :]
        self._due = _Due(events=rest)
        if len(due.results) > 1:
            self._due.results = _take_too_large(due.results)
        self._begin_turn()
        if not (events or due.results or due.timers):
            self._due.secrets = due.secrets
            self._isolate.take(self._turn_done)
            return 0
        for number, body in events:
            if number:
                config = self._config
                wall = config.cron_seconds if body.startswith(_CRON_EVENT) else config.wall_seconds
                self.pending[number] = _Pending(self.turn_started, wall)
        self._started = max((number for number, _ in events), default=0)  # a broadcast has none
        payload = _payload(due, events)
        self._isolate.feed(payload, self._turn_done)
        return self._started

    def _begin_turn(self) -> None:
        self._started = 0
        self.turn_started = time.monotonic()
        if self.turn_started < self._listener.slow_until:
            self._isolate.give_way()
        patience = DEMOTE_SECONDS if self._isolate.can_give_way else self._turn_limit_ns() / 1e9
        self.turn_deadline = self.turn_started + patience
        self._used_when_looked = -1
        self._looks_in_vain = 0
        self._turns.on_turn_begun(self)

    def _end_turn(self) -> int:
        """CPU nanoseconds of the turn, charged in equal parts to the events pending in it."""
        cpu = self._isolate.clock.nanoseconds()
        spent = cpu - self._cpu  # the thread does nothing between turns
        self._cpu = cpu
        self._last_turn = now = time.monotonic()
        self._turns.on_turn_over(self, spent, now)
        if self.pending:
            share = spent // len(self.pending)
            for event in self.pending.values():
                event.cpu_ns += share
        if spent > DEMOTE_SECONDS * 1e9:
            self._listener.slow_until = now + SLOW_SECONDS
        if spent > LONG_TURN_NS:
            self._batch = max(1, self._batch // 2)
        elif self._started and spent < SHORT_TURN_NS:
            self._batch = min(EVENTS_A_TURN, self._batch * 2)
        return spent

    def _load_evaluated(self, value: Value) -> None:
        self._end_turn()
        if self._gone_over(value):
            return
        if value.failed:
            self.loading = False
            text = value.text.decode(errors="replace")
            self._listener.on_load_failed(self, Outcome.EXCEPTION, text)
            return
        self._due.notified = True  # the outbox says whether the promise is already settled
        self._listener.on_ready(self)

    def _turn_done(self, value: Value) -> None:
        cpu_ns = self._end_turn()
        if self._gone_over(value):
            return
        if value.failed:
            self._broken(value.text.decode(errors="replace"))
            return
        outbox = None
        if value.text:
            if value.size > len(value.text):
                self._broken("its output was over the limit of a turn")
                return
            try:
                outbox = read_outbox(value.text)
            except MalformedFrame as error:
                self._broken(str(error))
                return
        if self._isolate.may_be_over:
            self._isolate.collect()
        self._deliver(outbox, cpu_ns)
        for text in self._isolate.take_unhandled():
            self._listener.on_unhandled(self, text)
        if self.wants_turn:
            self._listener.on_ready(self)

    def _deliver(self, outbox: Outbox | None, cpu_ns: int) -> None:
        listener = self._listener
        if outbox is None:
            if self._started:
                listener.on_turn(self, Turn(started=self._started, cpu_ns=cpu_ns))
            return
        if outbox.timers_set or outbox.timers_cleared:
            self._set_timers(outbox.timers_set, outbox.timers_cleared)
            if len(self._waiting) > TIMERS_MOST:
                self._broken("it has more timers than the prelude allows")
                return
            listener.on_timers(self)
        done = [self._settle(settled) for settled in outbox.settled]
        if outbox.declaration is not None:
            self.declaration = outbox.declaration
            listener.on_declared(self)
        if outbox.ops or outbox.lines:
            self._turns.on_output(self, ops=len(outbox.ops), lines=len(outbox.lines))
        if outbox.lines:
            listener.on_lines(self, outbox.lines)
        if self._started or outbox.ops or done:
            listener.on_turn(self, Turn(started=self._started, ops=outbox.ops, done=done, cpu_ns=cpu_ns))
        if outbox.load is not None:
            self.loading = False
            self.loading_milliseconds = (time.monotonic() - self.loading_since) * 1000
            if outbox.load is True:
                listener.on_loaded(self)
            else:
                listener.on_load_failed(self, Outcome.EXCEPTION, str(outbox.load))

    def _settle(self, settled: Settled) -> Done:
        self.pending.pop(settled.event, None)
        if settled.error is None:
            return Done(settled.event, Outcome.OK, settled.milliseconds)
        self._listener.on_event_failed(self, settled.event, Outcome.EXCEPTION, settled.error)
        return Done(settled.event, Outcome.EXCEPTION, settled.milliseconds)

    def _noticed(self) -> None:
        self._due.notified = True
        if not self.running:
            self._listener.on_ready(self)

    # ---------------------------------------------------------------- limits

    def _turn_limit_ns(self) -> int:
        limit = self.deploy.limits.cpu_milliseconds * 1_000_000
        return limit * LOAD_CPU_FACTOR if self.loading else limit

    def stop_if_over(self) -> None:
        """End the running turn when its CPU time is over its limit, or when it will never end by itself."""
        limit, now = self._turn_limit_ns(), time.monotonic()
        used = self._isolate.clock.nanoseconds() - self._cpu
        left = limit - used
        if left <= 0:
            self.stop(Outcome.EXCEEDED_CPU)
            return
        if self._isolate.can_give_way and now - self.turn_started < limit / 1e9:
            self._give_way_if_long(used, left, now)
            return
        self._looks_in_vain = self._looks_in_vain + 1 if used == self._used_when_looked else 0
        if self._looks_in_vain >= PARKED_LOOKS:  # by a fatal error of V8's
            self.stop(Outcome.KILLED)
            return
        if self._looks_in_vain == PARKED_LOOKS // 2:
            self._isolate.hurry()
        # It waited for a core: look again when it could have used the rest.
        self._used_when_looked = used
        pause = PARKED_LOOK_SECONDS if self._looks_in_vain else left / 1e9
        self.turn_deadline = now + pause

    def _give_way_if_long(self, used: int, left: int, now: float) -> None:
        if used >= DEMOTE_SECONDS * 1e9:
            self._isolate.give_way()
            self.turn_deadline = now + left / 1e9
        else:
            self.turn_deadline = now + DEMOTE_SECONDS

    def stop(self, outcome: Outcome) -> None:
        """End the running turn at V8's next interrupt check; it then counts as ``outcome``."""
        if self._terminated is None:
            self._terminated = outcome
            self.stopped_at = time.monotonic()
        self._isolate.terminate()

    @property
    def stopping(self) -> bool:
        """Whether ``stop`` was called and the turn has not ended yet."""
        return self._terminated is not None

    stopped_at: float = 0.0

    def check(self, now: float, *, quiet: float = QUIET_SECONDS) -> None:
        """Cancel what took too long in all, and ask for news of what was quiet for ``quiet`` seconds."""
        limit = self._config.load_seconds
        if self.loading and limit and now - self.loading_since > limit and not self.stopping:
            if self.running:
                self.stop(Outcome.CANCELED)
            else:
                self._exceed(Outcome.CANCELED, f"the script had not finished loading after {limit:g} s")
        if self._isolate.exceeded_memory and not self.running:  # found between turns
            self._exceed_memory()
        elif self.pending:
            self._check_handlers(now, quiet)

    def _check_handlers(self, now: float, quiet: float) -> None:
        cpu = self._config.handler_seconds
        for number, event in list(self.pending.items()):
            if cpu and event.cpu_ns > cpu * 1e9:
                self._exceed(
                    Outcome.EXCEEDED_CPU,
                    f"one handler used more than {cpu:g} s of CPU time over its turns",
                )
                return
            wall = event.wall_seconds
            if wall and now - event.since > wall:
                del self.pending[number]
                self._listener.on_event_failed(
                    self,
                    number,
                    Outcome.CANCELED,
                    f"a handler had not finished after {wall:g} s; it is no longer waited for",
                )
                done = [Done(number, Outcome.CANCELED, wall * 1000)]
                self._listener.on_turn(self, Turn(done=done))
        if not self.running and now - self._last_turn > quiet:
            self._due.news = True
            self._last_turn = now
            self._listener.on_ready(self)

    def _gone_over(self, value: Value) -> bool:
        if self._isolate.exceeded_memory:
            self._exceed_memory()
        elif value.terminated or self._terminated is not None:
            outcome = self._terminated or Outcome.EXCEEDED_CPU
            self._exceed(outcome, self._why_stopped(outcome))
        else:
            return False
        return True

    def _exceed_memory(self) -> None:
        limit = self.deploy.limits.memory_mebibytes
        self._exceed(
            Outcome.EXCEEDED_MEMORY,
            f"the script used more than {limit} MiB of memory (heap and array buffers together)",
        )

    def _why_stopped(self, outcome: Outcome) -> str:
        if outcome is Outcome.CANCELED:
            return f"the script had not finished loading after {self._config.load_seconds:g} s"
        if outcome is Outcome.KILLED:
            return "V8 gave the script's isolate up"
        limit = self._turn_limit_ns() // 1_000_000
        return f"one turn of the script used more than {limit} ms of CPU time"

    def _exceed(self, outcome: Outcome, text: str) -> None:
        if self.loading:
            self.loading = False
            self._listener.on_load_failed(self, outcome, text)
        else:
            self._listener.on_exceeded(self, outcome, text)

    def _broken(self, what: str) -> None:
        self._exceed(Outcome.EXCEPTION, f"the script broke its own isolate: {what[:500]}")

    # ---------------------------------------------------------------- timers

    def next_timer(self) -> float | None:
        """When the earliest timer is due, on the monotonic clock."""
        return self._timers[0][0] if self._timers else None

    def has_timer_before(self, when: float) -> bool:
        """Whether a timer is due before ``when``, on the monotonic clock."""
        return any(due < when for due in self._waiting.values())

    def fire_timers(self, now: float) -> None:
        """Queue the timers that are due."""
        while self._timers and self._timers[0][0] <= now:
            when, timer = heapq.heappop(self._timers)
            if self._waiting.get(timer) == when:
                del self._waiting[timer]
                self._due.timers.append(timer)
        if self._due.timers:
            self._listener.on_ready(self)

    def _set_timers(self, timers: list[TimerSet], cleared: list[int]) -> None:
        now = time.monotonic()
        for timer in timers:
            when = self._waiting[timer.id] = now + max(0.0, timer.milliseconds) / 1000
            heapq.heappush(self._timers, (when, timer.id))
        for timer_id in cleared:
            self._waiting.pop(timer_id, None)
        if len(self._timers) > 2 * len(self._waiting) + TIMERS_MOST:
            self._timers = [(when, timer_id) for timer_id, when in self._waiting.items()]
            heapq.heapify(self._timers)

    def close(self) -> None:
        """Give the isolate back; only when no turn runs."""
        self._isolate.close()


def _take_too_large(results: list[bytes]) -> list[bytes]:
    """Take those out of ``results`` that would make one turn's input too large; the first always stays."""
    size = 0
    for at, result in enumerate(results):
        size += len(result)
        if size > RESULT_BYTES_A_TURN and at:
            later = results[at:]
            del results[at:]
            return later
    return []


def _payload(due: _Due, events: list[tuple[int, bytes]]) -> bytes:
    """The turn's input, as ``host.ts`` reads it."""
    parts: list[bytes] = []
    if due.notified:
        parts.append(b'"n":1')
    if due.secrets:
        parts.append(b'"k":' + due.secrets)
    if due.results:
        parts.append(b'"s":[' + b",".join(due.results) + b"]")
    if due.timers:
        parts.append(b'"t":[' + ",".join(map(str, due.timers)).encode() + b"]")
    if events:
        numbered = [b'{"i":%d,' % number + body[1:] for number, body in events]
        parts.append(b'"e":[' + b",".join(numbered) + b"]")
    return b"{" + b",".join(parts) + b"}"


def generation_of(op: int) -> int:
    """The generation of the isolate that numbered ``op``."""
    return op >> GENERATION_BITS


def configuration(*, guild: str, deploy: Deploy, crypto_seed: str, generation: int) -> bytes:
    """JSON for the prelude's ``configure``."""
    return msgspec.json.encode(
        {
            "guildId": guild,
            "seed": deploy.seed,
            "cryptoSeed": crypto_seed,
            "firstId": generation << GENERATION_BITS,
            **({"userId": deploy.bot} if deploy.bot else {}),
            **({"secrets": deploy.secrets} if deploy.secrets else {}),
        }
    )
