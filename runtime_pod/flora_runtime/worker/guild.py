"""A guild inside a worker: the script that serves it, and the one that may replace it.

A deploy loads beside what runs. When it loaded it takes over at once, with the events that the old one
had not started; the old one stays until its handlers have settled, so that their replies still arrive.
When it fails the old one goes on as if nothing had happened. A script that went over a limit is closed:
the worker forgets it, and the supervisor deploys it anew with the next event.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from typing import Final, Protocol

import msgspec
from msgspec import Raw, Struct

from flora_core.wire.control import Outcome, ScriptError
from flora_core.wire.pipe import Done, FailedIn, Kind, LoadedIn, LogIn, Recycled, Turn
from flora_runtime.log_rate import LogRate
from flora_runtime.worker.outbox import Line
from flora_runtime.worker.script import Script
from flora_runtime.worker.stacks import SourceMap

_encode: Final = msgspec.json.Encoder().encode
_BUNDLE_FRAME: Final = "bundle.js:"


class Surroundings(Protocol):
    """What a guild needs of its worker."""

    def send(self, kind: Kind, guild: str, body: bytes) -> None: ...

    def retire(self, script: Script) -> None:
        """Close ``script`` once nothing of it runs."""
        ...

    def make_ready(self, script: Script) -> None: ...

    def note_timer(self, script: Script) -> None: ...

    def map_stack(self, text: str, source_map: SourceMap, done: Callable[[ScriptError], None]) -> None: ...


class Guild:
    """Listens to its scripts and speaks for them."""

    def __init__(self, id_: str, surroundings: Surroundings) -> None:
        self.id: Final = id_
        self._surroundings = surroundings
        self.live: Script | None = None
        self.candidate: Script | None = None
        self.leaving: list[Script] = []
        self._maps: dict[int, bytes] = {}
        self._log_rate = LogRate()
        self.slow_until = 0.0

    @property
    def scripts(self) -> list[Script]:
        """All scripts with an isolate, oldest first."""
        return [script for script in (*self.leaving, self.live, self.candidate) if script is not None]

    # ---------------------------------------------------------------- from the supervisor

    def overtake(self) -> None:
        """A newer deploy is on its way: what is being loaded will not go live."""
        if self.candidate is not None:
            self._drop(self.candidate)

    def deploy(self, script: Script) -> None:
        """Load a new script of this guild beside what runs."""
        self.overtake()
        self.candidate = script
        self._maps[script.generation] = zlib.compress(script.deploy.source_map.encode(), 1)
        script.load()

    def add_event(self, number: int, body: bytes) -> None:
        """An event for what runs; nothing runs when a recycling and this event crossed on the pipe."""
        if self.live is not None:
            self.live.add_event(number, body)

    def add_result(self, generation: int, result: bytes) -> None:
        """The answer to an op; dropped when the isolate that asked is gone."""
        for script in self.scripts:
            if script.generation == generation:
                script.add_result(result)
                return

    def know_secrets(self, placeholders: dict[str, str]) -> None:
        """The placeholders of its secrets changed."""
        for script in self.scripts:
            script.know_secrets(placeholders)

    def let_go(self) -> None:
        """Drop the replaced scripts that have no event to finish: timers alone keep none of them."""
        for script in [script for script in self.leaving if not script.pending]:
            self._drop(script)

    def asleep_until(self, when: float) -> bool:
        """Whether nothing of this guild goes on, or is due before ``when`` on the monotonic clock."""
        live = self.live
        return live is not None and self.scripts == [live] and live.idle and not live.has_timer_before(when)

    def tell_suppressed(self) -> None:
        """Say how many lines were left out since the last time: what is over the rate costs nobody else."""
        suppressed = self._log_rate.left_out()
        if suppressed:
            self._send_log(LogIn("warn", "", suppressed=suppressed))

    def close(self) -> None:
        for script in self.scripts:
            self._drop(script)

    # ---------------------------------------------------------------- Listener

    def on_ready(self, script: Script) -> None:
        self._surroundings.make_ready(script)

    def on_turn(self, script: Script, turn: Turn) -> None:
        self._surroundings.send(Kind.TURN, self.id, _encode(turn))
        if script in self.leaving and script.idle:
            self._drop(script)

    def on_timers(self, script: Script) -> None:
        self._surroundings.note_timer(script)

    def on_lines(self, script: Script, lines: list[Line]) -> None:
        now = time.monotonic()
        for line in lines:
            if not self._log_rate.take(now):
                continue
            if _BUNDLE_FRAME in line.text:
                self._map(script, line.text, lambda error, level=line.level: self._log(level, error))
            else:
                self._send_log(LogIn(level=line.level, text=line.text))

    def on_declared(self, script: Script) -> None:
        if script is self.live:
            self._send_loaded(script, milliseconds=0.0)

    def on_loaded(self, script: Script) -> None:
        if script is not self.candidate:
            return
        old, self.live, self.candidate = self.live, script, None
        waiting: list[tuple[int, bytes]] = []
        if old is not None:
            waiting = old.withdraw_events()
            if old.idle:
                self._drop(old)
            else:
                self.leaving.append(old)
        self._send_loaded(script, milliseconds=script.loading_milliseconds)
        for number, body in waiting:
            script.add_event(number, body)

    def on_load_failed(self, script: Script, outcome: Outcome, text: str) -> None:
        if script is not self.candidate:
            return  # overtaken by another deploy, or unloaded: nobody waits to hear of it
        self.candidate = None
        revision = script.deploy.revision

        def mapped(error: ScriptError) -> None:
            self._send(Kind.FAILED, FailedIn(revision=revision, outcome=outcome, error=error))

        self._map(script, text, mapped)
        self._drop(script)

    def on_unhandled(self, script: Script, text: str) -> None:
        if not self._log_rate.take(time.monotonic()):
            return

        def mapped(error: ScriptError) -> None:
            message = f"unhandled rejection: {error.message}"
            self._send_log(LogIn("error", message, "runtime", Outcome.EXCEPTION, error.stack))

        self._map(script, text, mapped)

    def on_event_failed(self, script: Script, event: int, outcome: Outcome, text: str) -> None:
        if not self._log_rate.take(time.monotonic()):
            return

        def mapped(error: ScriptError) -> None:
            self._send_log(
                LogIn("error", error.message, "runtime", outcome, error.stack, event=str(event or ""))
            )

        self._map(script, text, mapped)

    def on_exceeded(self, script: Script, outcome: Outcome, text: str) -> None:
        if script not in self.scripts:
            return  # unloaded in the middle of a turn
        self._send_log(LogIn("error", text, "runtime", outcome))
        if script is self.live:
            self.live = None
            self._send(Kind.RECYCLED, Recycled(outcome=outcome, lost=list(script.pending)))
        elif script.pending:
            done = [Done(event, outcome, 0.0) for event in script.pending]
            self._surroundings.send(Kind.TURN, self.id, _encode(Turn(done=done)))
        self._drop(script)

    # ---------------------------------------------------------------- inside

    def _drop(self, script: Script) -> None:
        if script in self.leaving:
            self.leaving.remove(script)
        if script is self.live:
            self.live = None
        if script is self.candidate:
            self.candidate = None
        self._maps.pop(script.generation, None)
        self._surroundings.retire(script)

    def _map(self, script: Script, text: str, done: Callable[[ScriptError], None]) -> None:
        packed = self._maps.get(script.generation)
        source_map = zlib.decompress(packed).decode() if packed else ""
        self._surroundings.map_stack(text, SourceMap(script.deploy.bundle, source_map), done)

    def _send_loaded(self, script: Script, *, milliseconds: float) -> None:
        declaration = script.declaration
        self._send(
            Kind.LOADED,
            LoadedIn(
                revision=script.deploy.revision,
                milliseconds=milliseconds,
                events=declaration.events,
                own_messages=declaration.own,
                commands=Raw(_encode(declaration.commands)),
                crons=declaration.crons,
                apology=declaration.apology,
            ),
        )

    def _log(self, level: str, error: ScriptError) -> None:
        text = f"{error.message}\n{error.stack}" if error.stack else error.message
        self._send_log(LogIn(level=level, text=text))

    def _send_log(self, line: LogIn) -> None:
        self._send(Kind.LOG, line)

    def _send(self, kind: Kind, body: Struct) -> None:
        self._surroundings.send(kind, self.id, _encode(body))
