"""One guild of this pod: what should run, what does, and the events in between.

    ABSENT --deploy--> LOADING --loaded--> LIVE --deploy--> LIVE (loading beside) --> LIVE
       ^                  |failed            |recycled, hibernated, worker died, unloaded
       |                  v                  |
       +---- event ---- BROKEN               +--> ABSENT (events wait; the next one deploys again)

``Guild`` has no I/O: it decides and tells its ``Port`` what to do.
"""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import msgspec
from msgspec import Raw

from flora_core.events import INTERACTION
from flora_core.window import SlidingWindow
from flora_core.wire.control import Assignment, Failed, Loaded, LogLine, Outcome, ScriptError
from flora_core.wire.export import ExportedConduct
from flora_core.wire.pipe import (
    CRON_PREFIX,
    CronIn,
    Deploy,
    Done,
    FailedIn,
    Hibernate,
    Kind,
    LoadedIn,
    LogIn,
    OverBudget,
    Recycled,
    SecretsIn,
    Turn,
)
from flora_runtime import log_rate
from flora_runtime.log_rate import LogRate
from flora_runtime.supervisor import metrics
from flora_runtime.supervisor.backlog import SENT_AHEAD, Backlog, Drop, Waiting
from flora_runtime.supervisor.unanswered import APOLOGY, Unanswered
from flora_runtime.supervisor.usage import Usage

_NUMBER: Final = struct.Struct("<Q")
RETRY_SECONDS: Final = 5.0
"""A script that had loaded before and fails to load again is tried once in this time, on an event."""


FAILED_EVENTS_KEPT: Final = 32
STRIKES: Final = 3
"""Limits exceeded ..."""
STRIKE_SECONDS: Final = 600.0
"""... within so many seconds, after which a script runs no more until it is deployed anew."""
REST_SECONDS: Final = (1.0, 5.0)
"""How long a script rests that went over a limit, the first time and the second: its events wait, but for
interactions, of which somebody waits for the answer. With an isolate anew at once it could keep a core from
its neighbours until it is quarantined, and after each deploy again."""

CALLS_MANY: Final = 128
PACE_SECONDS: Final = 1.0
"""With so many calls that wait for Discord, a guild is given one event in so many seconds, and interactions:
handlers of more would find no room for their calls."""

_QUARANTINE: Final = ScriptError(
    f"quarantined until the next deploy: the script went over its limits {STRIKES} times "
    f"in {STRIKE_SECONDS / 60:g} minutes"
)
_CUT_OFF: Final = frozenset((Outcome.EXCEEDED_CPU, Outcome.EXCEEDED_MEMORY, Outcome.KILLED))
EXCEEDED: Final = (Outcome.EXCEEDED_CPU, Outcome.EXCEEDED_MEMORY, Outcome.EXCEPTION)
"""How an isolate ends by its script's doing; the last is one that broke its own host code, or whose output
was over the limit."""


class Presence(StrEnum):
    """What the worker has of a guild."""

    ABSENT = "absent"
    LOADING = "loading"
    LIVE = "live"
    BROKEN = "broken"


@dataclass(slots=True, frozen=True)
class Script:
    """A bundle as the worker needs it."""

    code: str
    source_map: str
    bot: str = ""
    """User id of the bot, as far as it is known."""


class Port(Protocol):
    """What a guild asks of its pod."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def to_worker(self, guild: Guild, kind: Kind, body: bytes) -> None: ...

    def want_deploy(self, guild: Guild, *, urgent: bool) -> None:
        """Deploy ``guild.target`` when it is its turn, before all that are not urgent: calls
        ``deploying``."""
        ...

    def woke(self, guild: Guild) -> None:
        """It has an isolate."""
        ...

    def slept(self, guild: Guild) -> None:
        """It has given its isolate back, and nothing waits."""
        ...

    def safe(self, offset: int) -> None: ...

    def dropped(self, guild: Guild, reason: str, events: list[Waiting]) -> None: ...

    def call(self, guild: Guild, id_: int, name: str, args: Raw) -> None: ...

    def calls_waiting(self, guild: Guild) -> int:
        """How many calls of it Discord has not answered yet."""
        ...

    def apologise(self, guild: Guild, name: str, args: Raw) -> None:
        """Make a call in the place of a script that is gone."""
        ...

    def subscribe(self, guild: Guild, events: list[str], *, own: bool) -> None: ...

    def commands(self, guild: Guild, commands: Raw) -> None: ...

    def crons(self, guild: Guild, jobs: list[CronIn]) -> None: ...

    def report(self, report: Loaded | Failed) -> None: ...

    def log(self, line: LogLine) -> None: ...

    def settled(self, guild: Guild, type_: str, done: Done) -> None: ...


class Guild:
    """See the module's text."""

    def __init__(self, assignment: Assignment, port: Port, *, worker: int, slot: int, backlog: int) -> None:
        self.id: Final = assignment.guild
        self.worker: Final = worker
        self.slot: Final = slot
        self.assignment = assignment
        self.presence = Presence.ABSENT
        self.placeholders: dict[str, str] = {}
        """What stands for its secrets, by name."""
        self.handoff = ""
        """The handoff by which it came, as long as that may be undone."""
        self.paused = False
        """Whether its jobs wait: it leaves, or it has just come."""
        self.loaded: Assignment | None = None
        """What runs, or ran before its worker lost it; None when nothing of this guild ever loaded here."""
        self._port = port
        self._backlog = Backlog(limit=backlog)
        self._log_rate = LogRate()
        self._unanswered = Unanswered()
        self.usage = Usage(0.0)
        """What it used here; whoever makes the guild says since when."""
        self.active_at = port.now()
        """When something last happened in the guild, or it was last asked to sleep; monotonic seconds."""
        self.declared: LoadedIn | None = None
        """What its script said of itself when it was loaded."""
        self._strikes: SlidingWindow | None = None
        self._rests_until = 0.0
        """Until when its events wait, interactions aside; monotonic seconds, 0 for no rest."""
        self._paced_until = 0.0
        """Until when it gets no other event, as long as its calls pile up."""
        self._quarantined = False
        self._last_strike = Outcome.OK
        self._deploying = False
        self._asked_to_sleep = False
        """Whether the worker may still answer that with HIBERNATED."""
        self._waits_for_deploy = False
        self._retry_at = 0.0
        self._failed_events: dict[int, str] = {}
        """Types of the last events that failed, by number: what the log says of them comes later."""
        self._in_flight: Assignment | None = None
        self._refused: Assignment | None = None

    @property
    def target(self) -> Assignment:
        """What to deploy: the assignment, or what ran before it when it is known not to load."""
        if self._refused == self.assignment and self.loaded is not None:
            return self.loaded
        return self.assignment

    @property
    def settled(self) -> bool:
        """Whether its script runs or sleeps, or will not run for a reason of its own."""
        return self.loaded is not None or self.presence is Presence.BROKEN or self._quarantined

    @property
    def quarantine_reason(self) -> str:
        """Why nothing of it runs; empty while it may."""
        return _QUARANTINE.message if self._quarantined else ""

    @property
    def pending(self) -> int:
        """Events that wait or are being handled."""
        return len(self._backlog) + len(self._backlog.open)

    def newest(self, type_: str) -> Waiting | None:
        """The last event of a type that was queued, while it has not started."""
        return self._backlog.newest(type_)

    @property
    def open(self) -> int:
        """Events whose handlers have started and not settled."""
        return len(self._backlog.open)

    # ---------------------------------------------------------------- desired state

    def assign(self, assignment: Assignment) -> None:
        """Something new should run."""
        self.assignment = assignment
        self._retry_at = self._rests_until = 0.0
        self._quarantined = False
        self._strikes = None
        self._ask_for_deploy()

    def start(self) -> None:
        """Have its assignment loaded, unless its script is quarantined."""
        self._ask_for_deploy()

    def conduct(self, *, wall: float) -> ExportedConduct | None:
        """How its script behaved lately, for whoever runs it next; None: well.

        ``wall``: now, in Unix seconds.
        """
        now = self._port.now()
        strikes = self._strikes.marks(now) if self._strikes is not None else ()
        if not strikes and not self._quarantined:
            return None
        return ExportedConduct(
            self.assignment.revision,
            self.assignment.bundle,
            [round(wall - (now - at), 3) for at in strikes],
            self._last_strike if self._quarantined else None,
        )

    def answer_for(self, conduct: ExportedConduct, *, wall: float) -> None:
        """Its script behaved like this where it ran before; a deploy since then makes that void."""
        if (conduct.revision, conduct.bundle) != (self.assignment.revision, self.assignment.bundle):
            return
        now = self._port.now()
        self._strikes = SlidingWindow(STRIKES, seconds=STRIKE_SECONDS)
        for at in conduct.strikes:
            self._strikes.mark(now - max(0.0, wall - at))
        if conduct.quarantined is not None:
            self._quarantined, self._last_strike = True, conduct.quarantined
            self._report_failed(self.assignment, conduct.quarantined, _QUARANTINE, quarantined=True)

    def remember(self, declared: LoadedIn) -> None:
        """The guild slept when an earlier process of this pod ended: let it sleep on."""
        self.loaded = self.assignment
        self.declared = declared
        self._report_loaded(declared, self.assignment)
        self._declare(declared)

    def deploying(self, script: Script) -> None:
        """It is this guild's turn to deploy: hand the bundle to the worker."""
        self._waits_for_deploy = False
        self._deploying = True
        self._in_flight = assignment = self.target
        if self.presence is not Presence.LIVE:
            self.presence = Presence.LOADING
        deploy = Deploy(
            revision=assignment.revision,
            bundle=assignment.bundle,
            code=script.code,
            source_map=script.source_map,
            limits=assignment.limits,
            seed=secrets.token_hex(6),
            slot=self.slot,
            bot=script.bot,
            secrets=self.placeholders,
        )
        self._port.to_worker(self, Kind.DEPLOY, msgspec.json.encode(deploy))

    def know_secrets(self, placeholders: dict[str, str]) -> None:
        """Its secrets are these now; a script that runs hears of it with its next turn."""
        if placeholders == self.placeholders:
            return
        self.placeholders = placeholders
        if self.presence is not Presence.ABSENT:
            self._port.to_worker(self, Kind.SECRETS, msgspec.json.encode(SecretsIn(placeholders)))

    def cannot_deploy(self, outcome: Outcome, error: ScriptError) -> None:
        """The bundle could not even be brought to the worker."""
        self._waits_for_deploy = False
        self._load_failed(self.target, outcome, error)

    def unload(self) -> None:
        """The guild is no longer this pod's."""
        self._drop_waiting("released")
        self._port.to_worker(self, Kind.UNLOAD, b"")

    def want_deploy(self) -> None:
        """Ask for a deploy, unless it rests; before those of others when events wait for it."""
        rests = self._port.now() < self._rests_until and not self._backlog.urgent
        if not (self._quarantined or rests):
            self._waits_for_deploy = True
            self._port.want_deploy(self, urgent=len(self._backlog) > 0)

    def _ask_for_deploy(self) -> None:
        if not self._waits_for_deploy or len(self._backlog):
            self.want_deploy()

    # ---------------------------------------------------------------- events

    def add_event(self, type_: str, offset: int, body: bytes) -> None:
        """An event of this guild arrived."""
        self.usage.event(type_)
        if self._quarantined:
            self._port.dropped(self, "quarantined", [Waiting(0, offset, type_, b"")])
            return
        if self.presence is Presence.BROKEN and not self._may_retry():
            self._port.dropped(self, "not_loaded", [Waiting(0, offset, type_, b"")])
            return
        self.active_at = self._port.now()
        drop = self._backlog.add(type_, offset, body)
        if drop is not None:
            self._drop(drop, offset, type_)
        elif self.presence is Presence.LIVE:
            self._pump()
        elif not self._deploying:
            self._ask_for_deploy()

    def settle(self) -> None:
        """It is here to stay: its jobs may run."""
        self.handoff = ""
        if self.paused:
            self.paused = False
            if self.declared is not None:
                self._port.crons(self, self.declared.crons)

    def look(self, now: float) -> None:
        """Time has passed: do what waited for that. About once a second."""
        self.tell_suppressed(now)
        rested = 0 < self._rests_until <= now
        if rested:
            self._rests_until = 0.0
        if self.presence is Presence.LIVE:
            self._pump()
        elif rested:
            self._go_on()

    def holds(self, type_: str) -> bool:
        """Whether an event of this type waits or is being handled."""
        return self._backlog.holds(type_)

    def add_broadcast(self, body: bytes) -> None:
        """An event for every script that runs; nobody waits for it."""
        if self.presence is Presence.LIVE:
            self._port.to_worker(self, Kind.EVENT, _NUMBER.pack(0) + body)

    def add_result(self, id_: int, ok: bool, value: bytes) -> None:
        """The answer to an op."""
        if self.presence is not Presence.ABSENT:
            result = b"[%d,%b,%b]" % (id_, b"true" if ok else b"false", value)
            self._port.to_worker(self, Kind.RESULT, result)

    def _pump(self) -> None:
        if not len(self._backlog):
            return
        if self._asked_to_sleep and self._deploying:
            return  # which isolate would get them, the one that sleeps or the next, cannot be told from here
        for event in self._backlog.to_send(self._room()):
            self._port.to_worker(self, Kind.EVENT, _NUMBER.pack(event.number) + event.body)

    def _room(self) -> int:
        """How many events it may be given, besides interactions."""
        now = self._port.now()
        if now < self._rests_until:
            return 0
        if self._port.calls_waiting(self) < CALLS_MANY:
            return SENT_AHEAD
        if now < self._paced_until:
            return 0
        self._paced_until = now + PACE_SECONDS
        return 1

    def _drop(self, drop: Drop, offset: int, type_: str) -> None:
        self._port.dropped(self, drop, [Waiting(0, offset, type_, b"")])

    def _drop_waiting(self, reason: str) -> None:
        events = self._backlog.forget()
        if events:
            self._port.dropped(self, reason, events)

    def _may_retry(self) -> bool:
        return self.loaded is not None and self._port.now() >= self._retry_at

    # ---------------------------------------------------------------- from the worker

    def on_turn(self, turn: Turn) -> None:
        """A turn ended: events started, ops to carry out, handlers that settled."""
        self.usage.cpu_ns += turn.cpu_ns
        if turn.started:
            self._asked_to_sleep = False  # it was asked before this event was sent
            self._started(self._backlog.started(turn.started))
        for done in turn.done:
            type_ = self._backlog.settled(done.event)
            if type_ is not None:
                if done.outcome is not Outcome.OK:
                    self._remember_failed(done.event, type_)
                self._port.settled(self, type_, done)
                if type_ == INTERACTION:
                    self._interaction_settled(done)
        for call in turn.ops:
            if self._unanswered:
                self._unanswered.called(call.name, call.args)
            self._port.call(self, call.id, call.name, call.args)
        if turn.started and self.presence is Presence.LIVE:
            self._pump()

    def _started(self, events: list[Waiting]) -> None:
        for event in events:
            self._port.safe(event.offset)
            if event.type == INTERACTION:
                self._unanswered.started(event.number, event.body)

    def _interaction_settled(self, done: Done) -> None:
        """Its handlers are through; when they were cut off, the user is told."""
        if done.outcome in _CUT_OFF:
            self._give_up(done.event)
        else:
            self._unanswered.settled(done.event)

    def _give_up(self, number: int) -> None:
        call = self._unanswered.give_up(number)
        if call is not None:
            self._port.apologise(self, call.name, Raw(call.args))

    def on_loaded(self, loaded: LoadedIn) -> None:
        """What was deploying runs now; or the running script changed what it handles."""
        port = self._port
        if self._in_flight is not None and loaded.revision == self._in_flight.revision:
            assignment, self._in_flight = self._in_flight, None
            again = self.loaded is not None and self.loaded == assignment
            self._deploying = self._asked_to_sleep = False
            if self._quarantined and again:  # the verdict and this crossed
                self._port.to_worker(self, Kind.UNLOAD, b"")
                return
            self._quarantined = False
            self.presence = Presence.LIVE
            self.loaded = assignment
            self.active_at = port.now()
            port.woke(self)
            if not again:
                self._report_loaded(loaded, assignment)
            if self.target != assignment:
                self._ask_for_deploy()
            self._pump()
        self.declared = loaded
        self._declare(loaded)

    def _declare(self, declared: LoadedIn) -> None:
        port = self._port
        self._unanswered.text = APOLOGY if declared.apology is None else declared.apology
        port.subscribe(self, declared.events, own=declared.own_messages)
        port.commands(self, declared.commands)
        if not self.paused:
            port.crons(self, declared.crons)

    def _report_loaded(self, loaded: LoadedIn, assignment: Assignment) -> None:
        commands = msgspec.json.decode(loaded.commands, type=list[Raw] | None)
        self._port.report(
            Loaded(
                guild=self.id,
                revision=assignment.revision,
                bundle=assignment.bundle,
                worker=self.worker,
                milliseconds=loaded.milliseconds,
                events=loaded.events,
                commands=len(commands or ()),
                crons=len(loaded.crons),
                handoff=self.handoff,
            )
        )

    def on_failed(self, failed: FailedIn) -> None:
        """What was deploying did not load."""
        if self._in_flight is None or failed.revision != self._in_flight.revision:
            return
        assignment, self._in_flight = self._in_flight, None
        self._asked_to_sleep = False
        self._load_failed(assignment, failed.outcome, failed.error)
        if self.presence is Presence.LIVE:
            self._pump()

    def _load_failed(self, assignment: Assignment, outcome: Outcome, error: ScriptError) -> None:
        self._deploying = False
        self._refused = assignment
        self._report_failed(assignment, outcome, error)
        if self.assignment != assignment:
            self._ask_for_deploy()
        elif self.presence is not Presence.LIVE:
            self.presence = Presence.BROKEN
            self._retry_at = self._port.now() + RETRY_SECONDS
            self._drop_waiting("not_loaded")
        if outcome in EXCEEDED[:2] and self.presence is Presence.BROKEN and self._is_one_too_many():
            self._quarantine(outcome)

    # ---------------------------------------------------------------- sleep

    @property
    def awake(self) -> bool:
        """Whether it has an isolate."""
        return self.presence is Presence.LIVE

    @property
    def may_sleep(self) -> bool:
        """Whether it is awake, wants nothing, and its owner does not object."""
        return (
            self.presence is Presence.LIVE
            and self.assignment.hibernates
            and not (self._deploying or self._waits_for_deploy or self.pending)
        )

    def hibernate(self, timers_within: float) -> None:
        """Ask the worker to give the isolate back, unless something of it goes on."""
        self.active_at = self._port.now()
        self._asked_to_sleep = True
        wish = Hibernate(timers_within)
        self._port.to_worker(self, Kind.HIBERNATE, msgspec.json.encode(wish))

    def on_hibernated(self) -> None:
        """The isolate is gone; what was sent meanwhile waits again."""
        self._asked_to_sleep = False
        self.presence = self._presence_without_isolate()
        self._backlog.unsend(0)
        if self._deploying:
            return
        if len(self._backlog):
            self._ask_for_deploy()
        else:
            self._port.slept(self)

    def _presence_without_isolate(self) -> Presence:
        return Presence.LOADING if self._deploying else Presence.ABSENT

    # ---------------------------------------------------------------- its log and its limits

    def on_log(self, line: LogIn) -> None:
        """The script printed something, or something of it ended badly."""
        now = self._port.now()
        self.tell_suppressed(now)
        if line.suppressed:
            self._log_rate.suppress(line.suppressed, now)
            metrics.logs_suppressed.inc(line.suppressed)
            return
        if not self._log_rate.take(now):
            metrics.logs_suppressed.inc()
            return
        self.log(
            line.level,
            line.text,
            source=line.source,
            outcome=line.outcome,
            stack=line.stack,
            event=self._event_name(line.event),
        )

    def _remember_failed(self, number: int, type_: str) -> None:
        self._failed_events[number] = type_
        if len(self._failed_events) > FAILED_EVENTS_KEPT:
            del self._failed_events[next(iter(self._failed_events))]

    def _event_name(self, number: str) -> str:
        """The type of the event that the worker knows by its number; empty when it is long over."""
        if not number.isdecimal() or len(number) > 19:
            return ""
        type_ = self._backlog.type_of(int(number)) or self._failed_events.get(int(number), "")
        return f"cron {type_.removeprefix(CRON_PREFIX)}" if type_.startswith(CRON_PREFIX) else type_

    def tell_suppressed(self, now: float) -> None:
        """Say how many lines were left out of the log, once that is over."""
        suppressed = self._log_rate.overdue(now)
        if suppressed:
            limit = f"a script may write {log_rate.LINES} in {log_rate.SECONDS:g} s"
            self.log("warn", f"{suppressed} lines suppressed: {limit}", source="runtime")

    def on_recycled(self, recycled: Recycled) -> None:
        """The isolate went over a limit and is gone; what it had not started comes again."""
        started = max(recycled.lost, default=0)
        exceeded = recycled.outcome in EXCEEDED
        too_many = exceeded and self._is_one_too_many()
        if exceeded and not self._quarantined:
            self._rest(recycled.outcome)
        self._lose(started, recycled.outcome, "its isolate was thrown away")
        if too_many:
            self._quarantine(recycled.outcome)

    def on_over_budget(self, over: OverBudget, *, seconds: float) -> None:
        """The guild used up its ``seconds`` of CPU time a minute, and is held back."""
        if not over.minutes:
            metrics.cpu_throttled.inc()
            text = f"the script used up its {seconds:g} s of CPU time a minute; its events wait for more"
            self.log("warn", text, source="runtime", outcome=Outcome.EXCEEDED_CPU)
            return
        text = f"the script has wanted more than {seconds:g} s of CPU time a minute for {over.minutes:g} min"
        self.log("error", text, source="runtime", outcome=Outcome.EXCEEDED_CPU)
        if self._is_one_too_many():
            self._lose(0, Outcome.EXCEEDED_CPU, "its isolate was thrown away")
            self._quarantine(Outcome.EXCEEDED_CPU)

    def on_stuck(self) -> None:
        """A turn of the script cannot be stopped from inside; its worker is about to be replaced."""
        text = "a turn of the script could not be stopped; its worker process is replaced"
        self.log("error", text, source="runtime", outcome=Outcome.EXCEEDED_CPU)
        if self._is_one_too_many():
            self._quarantine(Outcome.EXCEEDED_CPU)

    def _is_one_too_many(self) -> bool:
        """Count a limit that was exceeded; whether that makes too many in too short a time."""
        if self._quarantined:
            return False
        now = self._port.now()
        if self._strikes is None:
            self._strikes = SlidingWindow(STRIKES, seconds=STRIKE_SECONDS)
        self._strikes.mark(now)
        self._quarantined = self._strikes.count(now) >= STRIKES
        return self._quarantined

    def _rest(self, outcome: Outcome) -> None:
        """Let its events wait, for the longer the more often it went over its limits."""
        assert self._strikes is not None, "this one was counted"
        now = self._port.now()
        times = self._strikes.count(now)
        seconds = REST_SECONDS[times - 1]
        self._rests_until = now + seconds
        metrics.rests.inc()
        text = f"the script went over a limit ({times} of {STRIKES} times): its events wait for {seconds:g} s"
        self.log("warn", text, source="runtime", outcome=outcome)

    def _quarantine(self, outcome: Outcome) -> None:
        """Run nothing of this script any more: each time it costs its neighbours a turn's limit."""
        self._last_strike = outcome
        self._drop_waiting("quarantined")
        self._port.to_worker(self, Kind.UNLOAD, b"")
        metrics.quarantines.inc()
        self.log("error", _QUARANTINE.message, source="runtime", outcome=outcome)
        self._report_failed(self.loaded or self.assignment, outcome, _QUARANTINE, quarantined=True)

    def _report_failed(
        self, assignment: Assignment, outcome: Outcome, error: ScriptError, *, quarantined: bool = False
    ) -> None:
        self._port.report(
            Failed(
                guild=self.id,
                revision=assignment.revision,
                bundle=assignment.bundle,
                outcome=outcome,
                error=error,
                quarantined=quarantined,
                handoff=self.handoff,
            )
        )

    def on_worker_gone(self, started: int) -> None:
        """The worker process died, having started events up to ``started``."""
        if self._deploying and self._in_flight is not None:
            self._deploying = False
            self._in_flight = None
        self._lose(started, Outcome.KILLED, "its worker process was killed")

    def _lose(self, started: int, outcome: Outcome, why: str) -> None:
        self._asked_to_sleep = False
        self.presence = self._presence_without_isolate()
        self._started(self._backlog.unsend(started))
        lost = list(self._backlog.open)
        for number in lost:
            type_ = self._backlog.settled(number) or ""
            self._port.settled(self, type_, Done(number, outcome, 0.0))
            self._give_up(number)
        if lost:
            events = "an event" if len(lost) == 1 else f"{len(lost)} events"
            self.log(
                "error",
                f"{why}; {events} cut off while being handled",
                source="runtime",
                outcome=outcome,
            )
        self._go_on()

    def _go_on(self) -> None:
        """Have an isolate again, if there is something for it."""
        if not self._deploying and (len(self._backlog) or self.target != self.loaded):
            self._ask_for_deploy()

    def job_ended(self, name: str, done: Done) -> None:
        """A run of a job by the clock is over. What it threw has a line of its own."""
        if not self._log_rate.take(self._port.now()):
            return
        text = f"the job {name} ran: {done.outcome} after {done.milliseconds:,.0f} ms"
        self.log("debug", text, source="runtime", outcome=done.outcome, event=f"cron {name}")

    def log(
        self,
        level: str,
        text: str,
        *,
        source: str,
        outcome: Outcome | None = None,
        stack: str = "",
        event: str = "",
    ) -> None:
        """Add a line to the guild's log."""
        self.usage.log_lines += source == "script"
        self._port.log(
            LogLine(
                guild=self.id,
                at=0,
                level=level,
                text=text,
                source=source,
                outcome=outcome,
                stack=stack,
                event=event,
                revision=self.loaded.revision if self.loaded else self.assignment.revision,
            )
        )
