"""One guild of this pod: what should run, what does, and the events in between.

    ABSENT --deploy--> LOADING --loaded--> LIVE --deploy--> LIVE (loading beside) --> LIVE
       ^                  |failed            |recycled, worker died, unloaded
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

from flora_core.window import SlidingWindow
from flora_core.wire.control import Assignment, Failed, Loaded, LogLine, Outcome, ScriptError
from flora_core.wire.pipe import CronIn, Deploy, Done, FailedIn, Kind, LoadedIn, LogIn, Recycled, Turn
from flora_runtime import log_rate
from flora_runtime.log_rate import LogRate
from flora_runtime.supervisor import metrics
from flora_runtime.supervisor.backlog import Backlog, Drop, Waiting

_NUMBER: Final = struct.Struct("<Q")
RETRY_SECONDS: Final = 5.0
"""A script that had loaded before and fails to load again is tried once in this time, on an event."""


STRIKES: Final = 3
"""Limits exceeded ..."""
STRIKE_SECONDS: Final = 600.0
"""... within so many seconds, after which a script runs no more until it is deployed anew."""


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

    def want_deploy(self, guild: Guild) -> None:
        """Deploy ``guild.target`` when it is its turn: calls ``deploying``."""
        ...

    def safe(self, offset: int) -> None: ...

    def dropped(self, guild: Guild, reason: str, events: list[Waiting]) -> None: ...

    def call(self, guild: Guild, id_: int, name: str, args: Raw) -> None: ...

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
        self.loaded: Assignment | None = None
        """What runs, or ran before its worker lost it; None when nothing of this guild ever loaded here."""
        self._port = port
        self._backlog = Backlog(limit=backlog)
        self._log_rate = LogRate()
        self._strikes = SlidingWindow(STRIKES, seconds=STRIKE_SECONDS)
        self._quarantined = False
        self._deploying = False
        self._waits_for_deploy = False
        self._retry_at = 0.0
        self._in_flight: Assignment | None = None
        self._refused: Assignment | None = None

    @property
    def target(self) -> Assignment:
        """What to deploy: the assignment, or what ran before it when it is known not to load."""
        if self._refused == self.assignment and self.loaded is not None:
            return self.loaded
        return self.assignment

    @property
    def pending(self) -> int:
        """Events that wait or are being handled."""
        return len(self._backlog) + len(self._backlog.open)

    @property
    def open(self) -> int:
        """Events whose handlers have started and not settled."""
        return len(self._backlog.open)

    # ---------------------------------------------------------------- desired state

    def assign(self, assignment: Assignment) -> None:
        """Something new should run."""
        self.assignment = assignment
        self._retry_at = 0.0
        self._quarantined = False
        self._strikes = SlidingWindow(STRIKES, seconds=STRIKE_SECONDS)
        self._ask_for_deploy()

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
        )
        self._port.to_worker(self, Kind.DEPLOY, msgspec.json.encode(deploy))

    def cannot_deploy(self, outcome: Outcome, error: ScriptError) -> None:
        """The bundle could not even be brought to the worker."""
        self._waits_for_deploy = False
        self._load_failed(self.target, outcome, error)

    def unload(self) -> None:
        """The guild is no longer this pod's."""
        self._drop_waiting("released")
        self._port.to_worker(self, Kind.UNLOAD, b"")

    def _ask_for_deploy(self) -> None:
        if not self._waits_for_deploy and not self._quarantined:
            self._waits_for_deploy = True
            self._port.want_deploy(self)

    # ---------------------------------------------------------------- events

    def add_event(self, type_: str, offset: int, body: bytes) -> None:
        """An event of this guild arrived."""
        if self._quarantined:
            self._port.dropped(self, "quarantined", [Waiting(0, offset, type_, b"")])
            return
        if self.presence is Presence.BROKEN and not self._may_retry():
            self._port.dropped(self, "not_loaded", [Waiting(0, offset, type_, b"")])
            return
        drop = self._backlog.add(type_, offset, body)
        if drop is not None:
            self._drop(drop, offset, type_)
        elif self.presence is Presence.LIVE:
            self._pump()
        elif not self._deploying:
            self._ask_for_deploy()

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
        for event in self._backlog.to_send():
            self._port.to_worker(self, Kind.EVENT, _NUMBER.pack(event.number) + event.body)

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
        if turn.started:
            for event in self._backlog.started(turn.started):
                self._port.safe(event.offset)
        for done in turn.done:
            type_ = self._backlog.settled(done.event)
            if type_ is not None:
                self._port.settled(self, type_, done)
        for call in turn.ops:
            self._port.call(self, call.id, call.name, call.args)
        if turn.started and self.presence is Presence.LIVE:
            self._pump()

    def on_loaded(self, loaded: LoadedIn) -> None:
        """What was deploying runs now; or the running script changed what it handles."""
        port = self._port
        if self._in_flight is not None and loaded.revision == self._in_flight.revision:
            assignment, self._in_flight = self._in_flight, None
            again = self.loaded is not None and self.loaded == assignment
            self._deploying = False
            self.presence = Presence.LIVE
            self.loaded = assignment
            if not again:
                self._report_loaded(loaded, assignment)
            if self.target != assignment:
                self._ask_for_deploy()
            self._pump()
        port.subscribe(self, loaded.events, own=loaded.own_messages)
        port.commands(self, loaded.commands)
        port.crons(self, loaded.crons)

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
            )
        )

    def on_failed(self, failed: FailedIn) -> None:
        """What was deploying did not load."""
        if self._in_flight is None or failed.revision != self._in_flight.revision:
            return
        assignment, self._in_flight = self._in_flight, None
        self._load_failed(assignment, failed.outcome, failed.error)

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
            event=line.event,
        )

    def tell_suppressed(self, now: float) -> None:
        """Say how many lines were left out of the log, once that is over."""
        suppressed = self._log_rate.overdue(now)
        if suppressed:
            limit = f"a script may write {log_rate.LINES} in {log_rate.SECONDS:g} s"
            self.log("warn", f"{suppressed} lines suppressed: {limit}", source="runtime")

    def on_recycled(self, recycled: Recycled) -> None:
        """The isolate went over a limit and is gone; what it had not started comes again."""
        started = max(recycled.lost, default=0)
        one_too_many = not self._quarantined and self._is_one_too_many(recycled.outcome)
        self._quarantined = self._quarantined or one_too_many
        self._lose(started, recycled.outcome, "its isolate was thrown away")
        if one_too_many:
            self._quarantine(recycled.outcome)

    def on_stuck(self) -> None:
        """Nothing can stop a turn of the script: all guilds of its worker get another process for it."""
        self.log(
            "error",
            "a turn of the script could not be stopped; its worker process is replaced",
            source="runtime",
            outcome=Outcome.EXCEEDED_CPU,
        )
        if not self._quarantined and self._is_one_too_many(Outcome.EXCEEDED_CPU):
            self._quarantined = True
            self._quarantine(Outcome.EXCEEDED_CPU)

    def _is_one_too_many(self, outcome: Outcome) -> bool:
        """Count a limit that was exceeded; whether that makes too many in too short a time."""
        if outcome not in (Outcome.EXCEEDED_CPU, Outcome.EXCEEDED_MEMORY):
            return False
        now = self._port.now()
        self._strikes.mark(now)
        return self._strikes.count(now) >= STRIKES

    def _quarantine(self, outcome: Outcome) -> None:
        """Run nothing of this script any more: each time it costs its neighbours a turn's limit."""
        text = (
            f"quarantined until the next deploy: the script went over its limits {STRIKES} times "
            f"in {STRIKE_SECONDS / 60:g} minutes"
        )
        self._drop_waiting("quarantined")
        metrics.quarantines.inc()
        self.log("error", text, source="runtime", outcome=outcome)
        self._report_failed(self.loaded or self.assignment, outcome, ScriptError(text))

    def _report_failed(self, assignment: Assignment, outcome: Outcome, error: ScriptError) -> None:
        self._port.report(
            Failed(
                guild=self.id,
                revision=assignment.revision,
                bundle=assignment.bundle,
                outcome=outcome,
                error=error,
            )
        )

    def on_worker_gone(self, started: int) -> None:
        """The worker process died, having started events up to ``started``."""
        if self._deploying and self._in_flight is not None:
            self._deploying = False
            self._in_flight = None
        self._lose(started, Outcome.KILLED, "its worker process was killed")

    def _lose(self, started: int, outcome: Outcome, why: str) -> None:
        self.presence = Presence.ABSENT
        for event in self._backlog.unsend(started):
            self._port.safe(event.offset)
        lost = list(self._backlog.open)
        for number in lost:
            type_ = self._backlog.settled(number) or ""
            self._port.settled(self, type_, Done(number, outcome, 0.0))
        if lost:
            events = "an event" if len(lost) == 1 else f"{len(lost)} events"
            self.log(
                "error",
                f"{why}; {events} cut off while being handled",
                source="runtime",
                outcome=outcome,
            )
        if len(self._backlog) or self.target != self.loaded:
            self._ask_for_deploy()

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
