"""The isolate of a test file: turns one by one, each within the limits that a pod has."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from flora_core.assets import PRELUDE, asset
from flora_core.errors import FloraError, MalformedFrame
from flora_core.stacks import parse_stack
from flora_core.wire.control import ScriptError
from flora_runtime.worker.isolate import Engine, Isolate, Program
from flora_runtime.worker.outbox import Outbox, read_outbox
from flora_runtime.worker.racer import Value
from flora_runtime.worker.script import LOAD_CPU_FACTOR
from flora_runtime.worker.stacks import SourceMap, StackMapper

BOOT_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.02
"""Between looks at the clocks while a turn runs."""
OURS: Final = ("node_modules/flora-test/", "flora-test.entry")
"""Files whose frames no author wants to see."""


class IsolateLost(FloraError):
    """A turn went over a limit; the isolate must not be used again. The text is for the test's author."""


class Script:
    """One isolate with the prelude in it."""

    def __init__(self, engine: Engine, *, cpu_milliseconds: int, memory_mebibytes: int) -> None:
        self._engine = engine
        self._cpu_ns = cpu_milliseconds * 1_000_000
        self._memory_mebibytes = memory_mebibytes
        self.noticed = False
        """Microtasks left something in the outbox."""
        self.deadline = float("inf")
        """On the monotonic clock; a turn that still runs then is stopped."""
        self._isolate = Isolate(
            engine,
            memory_bytes=memory_mebibytes << 20,
            boot_seconds=BOOT_SECONDS,
            program=Program(asset(PRELUDE).read_bytes(), b'{"guildId":"100000000000000001"}'),
        )
        self._isolate.on_notify = self._notice

    def load(self, code: str) -> Outbox | None:
        """Evaluate a bundle; raises IsolateLost, or ScriptFailed when it does not parse."""
        return self._turn(LOAD_CPU_FACTOR * self._cpu_ns, self._isolate.load, code.encode())

    def feed(self, payload: dict[str, Any]) -> Outbox | None:
        """Hand over what is due."""
        if self.noticed:
            payload["n"] = 1
            self.noticed = False
        return self._turn(self._cpu_ns, self._isolate.feed, msgspec.json.encode(payload))

    def take(self) -> Outbox | None:
        """What microtasks left."""
        self.noticed = False
        return self._turn(self._cpu_ns, self._isolate.take)

    def take_unhandled(self) -> list[str]:
        """Promises that were rejected and that nobody handles."""
        return self._isolate.take_unhandled()

    def close(self) -> None:
        """Give the isolate back, unless something in it cannot be stopped."""
        if not self._isolate.busy:
            self._isolate.close()

    def _notice(self) -> None:
        self.noticed = True

    def _turn(self, cpu_ns: int, start: Callable[..., None], *arguments: bytes) -> Outbox | None:
        results: list[Value] = []
        clock, reactor = self._isolate.clock, self._engine.reactor
        begun = clock.nanoseconds()
        stopped = ""
        start(*arguments, results.append)
        while not results:
            reactor.run_once(LOOK_SECONDS)
            if results or stopped:
                continue
            if clock.nanoseconds() - begun > cpu_ns:
                stopped = f"one turn used more than {cpu_ns // 1_000_000} ms of CPU time (exceededCpu)"
            elif time.monotonic() > self.deadline:
                stopped = "it took longer than a test may; see --timeout"
            if stopped:
                self._isolate.terminate()
        reactor.run_once(0)  # a notice, when there is one
        return self._outbox(results[0], stopped)

    def _outbox(self, value: Value, stopped: str) -> Outbox | None:
        if self._isolate.exceeded_memory:
            raise IsolateLost(f"it used more than {self._memory_mebibytes} MiB of memory (exceededMemory)")
        if value.terminated or stopped:
            raise IsolateLost(stopped or "it was stopped")
        if value.failed:
            raise ScriptFailed(value.text.decode(errors="replace"))
        if value.text and value.size > len(value.text):
            raise IsolateLost("its output was over the limit of a turn")
        try:
            return read_outbox(value.text) if value.text else None
        except MalformedFrame as error:
            raise IsolateLost(str(error)) from None


class ScriptFailed(FloraError):
    """Code that does not parse, or a turn that threw; the text is V8's stack."""


class Stacks:
    """Maps stacks to the author's lines, one at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._mapper = StackMapper(engine, boot_seconds=BOOT_SECONDS, show_internal=False)

    def map(self, text: str, *, key: str, source_map: str) -> ScriptError:
        """The error in ``text``, without frames of flora's own."""
        mapped: list[ScriptError] = []
        self._mapper.map(text, SourceMap(key, source_map), mapped.append)
        while not mapped:
            self._engine.reactor.run_once(LOOK_SECONDS)
            self._mapper.check(time.monotonic())
        (error,) = mapped
        frames = [line for line in error.stack.splitlines() if not any(part in line for part in OURS)]
        return ScriptError(error.message, "\n".join(frames))

    def close(self) -> None:
        self._mapper.close()


def plain_error(text: str) -> ScriptError:
    """An error that has no place in the author's code."""
    return ScriptError(parse_stack(text).message)
