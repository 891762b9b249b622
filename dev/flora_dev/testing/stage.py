"""One test file in an isolate: what is due, who waits for what, and when time moves.

Test and script share an isolate. The test's half (``flora-test``) asks for things by requests to ``ASKED``;
everything else that comes out of the isolate is the script's and is answered at once, by ``played``. So all
that can be pending is what waits for a timer. Whenever nothing is due any more the stage looks for the next
thing to do, in this order: answer an event that has been dealt with, go on with ``clock.advance``, let time
jump to the next timer because the test or an event waits for it, and if there is none, say that the test
waits for something that never comes.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from flora_core.wire.gateway import OpError
from flora_core.wire.pipe import CRON_PREFIX
from flora_core.wire.pipe import Call as Op
from flora_dev.testing.played import PlayedDiscord, PlayedServers, PlayedStorage, Refused, Stub
from flora_dev.testing.script import IsolateLost, Script, ScriptFailed
from flora_dev.testing.wire import Job
from flora_runtime.kv.calls import NAMES as KV_NAMES
from flora_runtime.supervisor.crons import NoSuchTime, next_time
from flora_runtime.worker.outbox import Declaration, Outbox

ASKED: Final = "http://flora-test.invalid/"
START: Final = 1_767_225_600_000.0
"""When tests begin, in Unix milliseconds: 2026-01-01T00:00:00Z, as ``sdk/src/testing/clock.ts`` has it."""
HANDLER_SECONDS: Final = 30.0
"""A pod waits so long for a handler."""
LINES_KEPT: Final = 200


class Hung(Exception):
    """The test waits for something that never comes."""


class Listed(Struct, frozen=True):
    name: str
    skip: bool = False


class Report(Struct, frozen=True):
    """What became of the test that ran."""

    error: str | None = None
    expected: str | None = None
    actual: str | None = None


class _Request(Struct):
    url: str
    text: str = "{}"


class _Next(Struct):
    tests: list[Listed]
    bot: str
    report: Report


class _Event(Struct):
    type: str
    data: Any


class _Advance(Struct):
    milliseconds: float


class _Set(Struct):
    now: float


class _Named(Struct):
    name: str


class _Secret(Struct):
    name: str
    value: str


class _Reply(Struct):
    call: str
    value: Any


class _Refusal(Struct):
    call: str
    error: OpError


@dataclass(slots=True)
class _Waiting:
    """An event whose handlers have not settled, or what a test asked for that takes time."""

    op: int
    what: str
    calls_from: int
    lines_from: int
    until: float
    """Unix milliseconds: then it is given up, or done."""
    event: int = 0
    """Its number; 0 for ``clock.advance``."""
    settled: bool = False
    error: str | None = None


@dataclass(slots=True)
class Due:
    """What the next turn hands over."""

    results: list[Any] = field(default_factory=list[Any])
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    timers: list[int] = field(default_factory=list[int])
    secrets: dict[str, str] | None = None
    """All of them, when they changed; no turn is wanted for these alone."""

    def __bool__(self) -> bool:
        return bool(self.results or self.events or self.timers)

    def payload(self) -> dict[str, Any]:
        """As the prelude reads it."""
        known = {} if self.secrets is None else {"k": self.secrets}
        return {"s": self.results, "e": self.events, "t": self.timers, **known}


NextTest = Callable[[list[Listed], Report], int | None]
"""Gets the file's tests and what became of the last one; the number of the next, None for the end."""


class Stage:
    """See the module's text."""

    def __init__(self, script: Script, job: Job, storage: PlayedStorage, *, next_test: NextTest) -> None:
        self._script = script
        self._job = job
        self._storage = storage
        self._next_test = next_test
        self.now = START
        self._shown = START
        """The time that the isolate knows of."""
        self._clock_op: int | None = None
        self._due = Due()
        self._timers: list[tuple[float, int]] = []
        self._cleared: set[int] = set()
        self._waiting: list[_Waiting] = []
        self._news = True
        """Whether it is known which handlers have settled: of those that went well the prelude tells only
        when it is asked, or with other news."""
        self._events = 0
        self._jobs: dict[str, tuple[str, float]] = {}
        """Expression, and when it runs next, by name."""
        self._running_jobs: dict[int, str] = {}
        self._failed_jobs: list[str] = []
        self._declaration = Declaration(events=[])
        self.loaded = False
        self._ended = False
        self.unhandled: str | None = None
        """The first promise of this test that was rejected and that nobody handles."""
        self._empty()

    def run(self) -> None:
        """Load the file and run its tests; raises ScriptFailed, IsolateLost or Hung."""
        self._script.deadline = time.monotonic() + self._job.seconds
        self._hear(self._script.load(self._job.code))
        while not self._ended:
            if self._due or self._script.noticed or self._clock_is_late():
                self._turn()
            else:
                self._idle()

    @property
    def logs(self) -> list[tuple[str, str]]:
        """Of this test."""
        return self._lines[-LINES_KEPT:]

    # ---------------------------------------------------------------- turns

    def _turn(self) -> None:
        if self._clock_is_late():
            assert self._clock_op is not None
            due = Due([self._answer(self._clock_op, {"now": self.now})])
            self._clock_op, self._shown = None, self.now
        else:
            due, self._due = self._due, Due()
        if due:
            self._news = False
            self._hear(self._script.feed(due.payload()))
        else:
            self._hear(self._script.take())

    def _hear(self, outbox: Outbox | None) -> None:
        for text in self._script.take_unhandled():
            self.unhandled = self.unhandled or text
        self._collect(outbox)

    def _clock_is_late(self) -> bool:
        return self._clock_op is not None and self._shown != self.now

    def _collect(self, outbox: Outbox | None) -> None:
        if outbox is None:
            return
        for timer in outbox.timers_set:
            heapq.heappush(self._timers, (self.now + max(0.0, timer.milliseconds), timer.id))
        self._cleared.update(outbox.timers_cleared)
        self._lines += [(line.level, line.text) for line in outbox.lines]
        if outbox.declaration is not None:
            self._declare(outbox.declaration)
        for op in outbox.ops:
            self._take_op(op)
        for settled in outbox.settled:
            self._settle(settled.event, settled.error)
        if outbox.load is not None:
            self.loaded = outbox.load is True
            if not self.loaded:
                raise ScriptFailed(str(outbox.load))

    def _settle(self, event: int, error: str | None) -> None:
        for waiting in self._waiting:
            if waiting.event == event:
                waiting.settled, waiting.error = True, error
        if self._running_jobs.pop(event, None) is not None and error is not None:
            self._failed_jobs.append(error)

    def _declare(self, declaration: Declaration) -> None:
        self._declaration = declaration
        plans: dict[str, tuple[str, float]] = {}
        for job in declaration.crons:
            known = self._jobs.get(job.name)
            if known is not None and known[0] == job.expression:
                plans[job.name] = known
            elif (after := self._after(job.expression)) is not None:
                plans[job.name] = (job.expression, after)
        self._jobs = plans

    def _after(self, expression: str) -> float | None:
        try:
            return next_time(expression, self.now / 1000) * 1000
        except NoSuchTime:
            return None

    # ---------------------------------------------------------------- calls

    def _take_op(self, op: Op) -> None:
        try:
            if op.name == "fetch":
                request = msgspec.json.decode(op.args, type=_Request)
                if request.url.startswith(ASKED):
                    self._take_request(op.id, request.url.removeprefix(ASKED), request.text)
                    return
            self._due.results.append([op.id, True, self._carry_out(op)])
        except Refused as refused:
            self._due.results.append([op.id, False, refused.error])
        except msgspec.MsgspecError as error:
            self._due.results.append([op.id, False, OpError("INVALID_INPUT", f"{op.name}: {error}")])

    def _carry_out(self, op: Op) -> Any:
        """A call of the script; raises Refused."""
        if op.name in KV_NAMES:
            if op.name in self._discord.refusals:
                raise Refused(self._discord.refusals[op.name])
            return self._storage.call(op.name, op.args)
        if op.name == "fetch":
            return self._servers.fetch(op.args)
        if op.name == "fetchAbort":
            return None
        return self._discord.call(op.name, op.args, now=_rfc3339(self.now))

    def _take_request(self, op: int, what: str, text: str) -> None:
        """Something that the test asked for."""
        handler = getattr(self, f"_on_{what}", None)
        if handler is None:
            raise Refused(OpError("INVALID_INPUT", f"flora test knows no {what[:40]!r}"))
        handler(op, text)

    def _answer(self, op: int, value: Any) -> list[Any]:
        """The result of a request, as ``fetch`` gets it."""
        text = msgspec.json.encode(value).decode()
        return [op, True, {"status": 200, "statusText": "", "url": ASKED, "headers": [], "text": text}]

    def _reply(self, op: int, value: Any = None) -> None:
        self._due.results.append(self._answer(op, value))

    # ---------------------------------------------------------------- what tests ask for

    def _on_clock(self, op: int, _text: str) -> None:
        self._clock_op = op

    def _on_next(self, op: int, text: str) -> None:
        asked = msgspec.json.decode(text, type=_Next)
        index = self._next_test(asked.tests, asked.report)
        if index is None:
            self._ended = True
            return
        self._empty()
        self._reply(op, {"index": index})

    def _empty(self) -> None:
        """A new test begins. Timers and jobs of the script go on as they were; time does too."""
        self._discord = PlayedDiscord()
        self._servers = PlayedServers()
        self._storage.empty()
        self._secrets: dict[str, str] = {}
        self._due.secrets = self._secrets
        self._lines: list[tuple[str, str]] = []
        self._waiting = []
        self.unhandled = None
        self._script.deadline = time.monotonic() + self._job.seconds

    def _on_commands(self, op: int, _text: str) -> None:
        self._reply(op, self._declaration.commands or [])

    def _on_event(self, op: int, text: str) -> None:
        event = msgspec.json.decode(text, type=_Event)
        wanted = self._declaration
        if not (wanted.events or wanted.commands or wanted.crons):
            raise Refused(
                OpError(
                    "INVALID_INPUT", "the script handles nothing: does this file import it? import './main'"
                )
            )
        self._begin(op, f"the handler of {event.type}", event.type, event.data)

    def _on_cron(self, op: int, text: str) -> None:
        name = msgspec.json.decode(text, type=_Named).name
        if name not in self._jobs:
            there = ", ".join(self._jobs) or "none"
            raise Refused(OpError("INVALID_INPUT", f"there is no job {name!r}; there are: {there}"))
        self._begin(op, f"the job {name!r}", CRON_PREFIX + name, _run_of(name, self.now))

    def _begin(self, op: int, what: str, type_: str, data: Any) -> None:
        number = self._feed_event(type_, data)
        self._wait(op, what, until=self.now + HANDLER_SECONDS * 1000, event=number)

    def _feed_event(self, type_: str, data: Any) -> int:
        self._events += 1
        self._due.events.append({"i": self._events, "t": type_, "d": data})
        return self._events

    def _wait(self, op: int, what: str, *, until: float, event: int = 0) -> None:
        calls, lines = len(self._discord.calls), len(self._lines)
        self._waiting.append(_Waiting(op, what, calls, lines, until, event))

    def _on_advance(self, op: int, text: str) -> None:
        until = self.now + msgspec.json.decode(text, type=_Advance).milliseconds
        self._failed_jobs = []
        self._wait(op, "clock.advance", until=until)

    def _on_set(self, op: int, text: str) -> None:
        self.now = max(self.now, msgspec.json.decode(text, type=_Set).now)
        self._jobs = {
            name: (expression, self._after(expression) or due)
            for name, (expression, due) in self._jobs.items()
        }
        self._reply(op)

    def _on_crons(self, op: int, _text: str) -> None:
        jobs = self._jobs.items()
        self._reply(op, [{"name": name, "expression": how, "next": due} for name, (how, due) in jobs])

    def _on_fetchReply(self, op: int, text: str) -> None:  # noqa: N802  named as the test's half asks
        self._servers.stubs.append(msgspec.json.decode(text, type=Stub))
        self._reply(op)

    def _on_requests(self, op: int, _text: str) -> None:
        self._reply(op, self._servers.requests)

    def _on_discordReply(self, op: int, text: str) -> None:  # noqa: N802
        reply = msgspec.json.decode(text, type=_Reply)
        self._discord.refusals.pop(reply.call, None)
        self._discord.replies[reply.call] = reply.value
        self._reply(op)

    def _on_discordRefuse(self, op: int, text: str) -> None:  # noqa: N802
        refusal = msgspec.json.decode(text, type=_Refusal)
        self._discord.refusals[refusal.call] = refusal.error
        self._reply(op)

    def _on_secret(self, op: int, text: str) -> None:
        secret = msgspec.json.decode(text, type=_Secret)
        self._secrets[secret.name] = secret.value
        self._due.secrets = self._secrets
        self._reply(op)

    # ---------------------------------------------------------------- when nothing is due

    def _idle(self) -> None:
        if not self._news:
            self._news = True
            self._hear(self._script.take())
            return
        settled = next((waiting for waiting in self._waiting if waiting.settled), None)
        if settled is not None:
            self._conclude(settled)
            return
        advancing = next((waiting for waiting in self._waiting if not waiting.event), None)
        if advancing is not None:
            self._step(advancing)
            return
        expiring = min(self._waiting, key=lambda waiting: waiting.until, default=None)
        timer = self._next_timer()
        if expiring is not None and (timer is None or timer > expiring.until):
            expiring.error = f"Error: {expiring.what} {_why_not(timer)}"
            self._conclude(expiring)
        elif timer is not None:
            self._fire(timer)
        else:
            raise Hung

    def _conclude(self, waiting: _Waiting) -> None:
        self._waiting.remove(waiting)
        happened = {
            "calls": self._discord.calls[waiting.calls_from :],
            "logs": self._lines[waiting.lines_from :],
            **({"error": waiting.error} if waiting.error is not None else {}),
        }
        self._reply(waiting.op, happened)

    def _step(self, advancing: _Waiting) -> None:
        """To the next thing that is due by the time that ``clock.advance`` goes to, or to its end."""
        timer = self._next_timer()
        name, run = min(
            ((name, due) for name, (_, due) in self._jobs.items()),
            key=lambda plan: plan[1],
            default=("", None),
        )
        first = min((due for due in (timer, run) if due is not None), default=None)
        if first is None or first > advancing.until:
            self.now = max(self.now, advancing.until)
            advancing.settled = True
            advancing.error = self._failed_jobs[0] if self._failed_jobs else None
        elif first == timer:
            self._fire(first)
        else:
            self._run_job(name, first)

    def _run_job(self, name: str, due: float) -> None:
        self.now = max(self.now, due)
        expression, _ = self._jobs[name]
        self._jobs[name] = (expression, self._after(expression) or float("inf"))
        skip = any(job.skip for job in self._declaration.crons if job.name == name)
        if not (skip and name in self._running_jobs.values()):
            number = self._feed_event(CRON_PREFIX + name, _run_of(name, due))
            self._running_jobs[number] = name

    def _next_timer(self) -> float | None:
        while self._timers and self._timers[0][1] in self._cleared:
            self._cleared.discard(heapq.heappop(self._timers)[1])
        return self._timers[0][0] if self._timers else None

    def _fire(self, at: float) -> None:
        """Time jumps to the next timer."""
        if time.monotonic() > self._script.deadline:
            raise IsolateLost("it took longer than a test may; see --timeout")
        self.now = max(self.now, at)
        while (due := self._next_timer()) is not None and due <= self.now:
            self._due.timers.append(heapq.heappop(self._timers)[1])


def _why_not(timer: float | None) -> str:
    if timer is None:
        return "waits for something that never comes"
    return f"took longer than {HANDLER_SECONDS:.0f} s; a pod would not wait any longer"


def _run_of(name: str, at: float) -> dict[str, str]:
    return {"name": name, "scheduledAt": _rfc3339(at)}


def _rfc3339(at: float) -> str:
    text = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
