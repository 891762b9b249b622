"""A guild's script in a real isolate, with a test in the place of its worker.

``GuildUnderTest`` speaks the worker's side of the protocol: it loads a script, feeds events, settles ops and
fires timers, and keeps everything the outbox brings. After every turn it fetches what microtasks queued, so
that a test sees the whole effect of what it did.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from flora_core.assets import PRELUDE, asset
from flora_runtime.errors import BootFailed
from flora_runtime.worker.isolate import Engine, Isolate, Program
from flora_runtime.worker.racer import Value
from flora_runtime.worker.reactor import EpollReactor

GUILD_ID = "900000000000000009"
BOT_ID = "100000000000000001"
SEED = "seed"

BARE = (
    b"globalThis.__floraHost = { feed() {}, take() { return '' }, loaded() {}, setNotify() {},"
    b" configure() {} }"
)
"""A prelude that brings nothing."""

TURN_SECONDS = 10.0
"""A turn that takes longer fails its test."""


@cache
def engine() -> Engine:
    """V8 starts once a process."""
    return Engine(EpollReactor())


@cache
def prelude() -> bytes:
    return asset(PRELUDE).read_bytes()


class ScriptFailed(Exception):
    """Code that a test evaluated threw, or a turn did."""


class TurnStopped(Exception):
    """A turn was terminated for its CPU time or memory."""


class TurnNeverEnded(Exception):
    """Nothing stops what runs in the isolate; its thread is lost."""


@dataclass
class Op:
    """A call the script made and waits for."""

    id: int
    name: str
    args: dict[str, Any]

    @property
    def body(self) -> Any:
        return self.args.get("body")

    @property
    def path(self) -> dict[str, str]:
        return self.args.get("path", {})


@dataclass
class Outbox:
    """Everything the isolate has handed over so far."""

    ops: list[Op] = field(default_factory=list)
    """Calls that nobody has answered yet, oldest first."""
    timers: dict[int, float] = field(default_factory=dict)
    logs: list[tuple[str, str]] = field(default_factory=list)
    done: dict[int, str | None] = field(default_factory=dict)
    """Event number -> the error's text, None when all went well."""
    declarations: list[dict[str, Any]] = field(default_factory=list)
    load: bool | str | None = None
    sizes: list[int] = field(default_factory=list)
    """Characters of each outbox."""


class GuildUnderTest:
    """See the module's text. ``close`` it at the end."""

    def __init__(
        self, *, memory_mebibytes: int = 64, program: bytes | None = None, **configuration: Any
    ) -> None:
        self.out = Outbox()
        self.notices = 0
        told = {"guildId": GUILD_ID, "seed": SEED, "cryptoSeed": "00" * 32} | configuration
        self._isolate = Isolate(
            engine(),
            memory_bytes=memory_mebibytes << 20,
            boot_seconds=TURN_SECONDS,
            program=Program(program or prelude(), json.dumps(told).encode()),
        )
        self._isolate.on_notify = self._noticed
        self._event = 0
        self._seen_notice = False
        self._stuck = False

    # ---------------------------------------------------------------- what a worker does

    def load(self, script: str) -> GuildUnderTest:
        """Evaluate ``script`` as the bundler would wrap it."""
        self._turn(self._isolate.load, f"(async()=>{{{script}\n}})()".encode())
        return self

    def event(self, kind: str, data: dict[str, Any]) -> int:
        """Feed one event; its number."""
        self._event += 1
        self.feed(e=[{"i": self._event, "t": kind, "d": data}])
        return self._event

    def resolve(self, op: Op | None = None, value: Any = None) -> None:
        """Answer ``op``, by default the oldest."""
        self._settle(op, worked=True, value=value)

    def reject(self, op: Op | None = None, code: str = "DISCORD_HTTP_ERROR", **error: Any) -> None:
        self._settle(op, worked=False, value={"code": code, "message": "no"} | error)

    def fire(self, *timers: int) -> None:
        """Let ``timers`` be due, by default all that wait."""
        due = list(timers or self.out.timers)
        for timer in due:
            self.out.timers.pop(timer, None)
        self.feed(t=due)

    def feed(self, **payload: Any) -> None:
        """One turn with exactly this input."""
        if self._seen_notice:
            payload["n"] = 1
            self._seen_notice = False
        self._turn(self._isolate.feed, json.dumps(payload).encode())

    def feed_quietly(self, **payload: Any) -> int:
        """One turn, without fetching what microtasks left; how often the worker was notified."""
        before = self.notices
        self._collect(self._result(self._isolate.feed, json.dumps(payload).encode()))
        return self.notices - before

    def take(self) -> None:
        self._collect(self._result(self._isolate.take))

    def close(self) -> None:
        if not self._stuck:  # it would wait for ever
            self._isolate.close()

    # ---------------------------------------------------------------- what a test asks

    def value(self, expression: str) -> Any:
        """The JSON of a JavaScript expression; None for what JSON leaves out."""
        return json.loads(self._evaluate(f"JSON.stringify({{value: {expression}}})")).get("value")

    def run(self, script: str) -> None:
        """Evaluate statements."""
        self._evaluate(f"(()=>{{{script}\n}})(), ''")

    def throws(self, expression: str) -> str:
        """Name and message of what ``expression`` throws."""
        attempt = f"try {{ {expression}; return 'nothing' }}"
        return self.value(f"(() => {{ {attempt} catch (e) {{ return `${{e.name}}: ${{e.message}}` }} }})()")

    @property
    def op(self) -> Op:
        """The one call that is pending."""
        assert len(self.out.ops) == 1, self.out.ops
        return self.out.ops[0]

    @property
    def bodies(self) -> list[Any]:
        return [op.body for op in self.out.ops]

    @property
    def lines(self) -> list[str]:
        return [text for _, text in self.out.logs]

    @property
    def declaration(self) -> dict[str, Any]:
        """The newest one."""
        return self.out.declarations[-1]

    def attack(self, code: str, *, cpu_milliseconds: float = 60) -> str:
        """Run hostile code as a worker would: its turn is ended when its CPU time is used up.

        "stopped", "out of memory", "done" or the error it threw. Fails when the turn does not end.
        """
        results: list[Value] = []
        isolate, reactor = self._isolate, engine().reactor
        begin = isolate.clock.nanoseconds()
        isolate.load(code.encode(), results.append)
        deadline = time.monotonic() + TURN_SECONDS
        while not results:
            reactor.run_once(0.01)
            if isolate.clock.nanoseconds() - begin > cpu_milliseconds * 1e6:
                isolate.terminate()
            if time.monotonic() > deadline:
                self._stuck = True
                raise TurnNeverEnded(code)
        if isolate.exceeded_memory:
            return "out of memory"
        if results[0].terminated:
            return "stopped"
        return results[0].text.decode(errors="replace") if results[0].failed else "done"

    def memory(self) -> int:
        """Bytes in use after a full collection."""
        isolate: Any = self._isolate
        isolate._collect()
        return isolate._used

    # ---------------------------------------------------------------- inside

    def _evaluate(self, code: str) -> str:
        isolate: Any = self._isolate
        try:
            address = isolate._now(code.encode(), time.monotonic() + TURN_SECONDS)
        except BootFailed as error:
            raise ScriptFailed(str(error)) from None
        text = isolate._read(address, 8 << 20).text.decode()
        self.take()
        return text

    def _settle(self, op: Op | None, *, worked: bool, value: Any) -> None:
        op = op or self.out.ops[0]
        self.out.ops.remove(op)
        self.feed(s=[[op.id, worked, value]])

    def _noticed(self) -> None:
        self.notices += 1
        self._seen_notice = True

    def _turn(self, start: Any, *arguments: bytes) -> None:
        self._collect(self._result(start, *arguments))
        self.take()

    def _result(self, start: Any, *arguments: bytes) -> Value:
        results: list[Value] = []
        reactor = engine().reactor
        deadline = time.monotonic() + TURN_SECONDS
        start(*arguments, results.append)
        while not results:
            reactor.run_once(0.05)
            if time.monotonic() > deadline:
                self._isolate.terminate()
        reactor.run_once(0)
        if results[0].terminated:
            raise TurnStopped(results[0].text.decode(errors="replace"))
        if results[0].failed:
            raise ScriptFailed(results[0].text.decode(errors="replace"))
        return results[0]

    def _collect(self, result: Value) -> None:
        if not result.text:
            return
        outbox = json.loads(result.text)
        out = self.out
        out.sizes.append(len(result.text))
        out.ops += [Op(*call) for call in outbox.get("o", [])]
        out.timers |= dict(outbox.get("t", []))
        for timer in outbox.get("c", []):
            out.timers.pop(timer, None)
        out.logs += [(level, text) for level, text in outbox.get("l", [])]
        out.done |= {event: error[0] if error else None for event, _, *error in outbox.get("d", [])}
        if "u" in outbox:
            out.declarations.append(outbox["u"])
        out.load = outbox.get("b", out.load)
