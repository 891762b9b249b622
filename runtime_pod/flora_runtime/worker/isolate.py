"""One V8 isolate with flora's prelude in it: boot, one task at a time, close.

An isolate has a thread of its own inside mini-racer. Tasks are posted to it and their results come back
through the reactor; this class allows one task at a time, which is what makes a single completion port
enough and gives every task an exact CPU time.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flora_runtime.errors import BootFailed
from flora_runtime.worker import guard as guards
from flora_runtime.worker.aside import LARGE_HEAP, Aside
from flora_runtime.worker.priority import Priority
from flora_runtime.worker.racer import Address, Library, Value, ValueType
from flora_runtime.worker.reactor import Port, Reactor
from flora_runtime.worker.rejections import Rejections

RESULT_LIMIT: Final = 2 << 20
"""Bytes copied out of an isolate in one turn. The prelude stops at 1 MiB of characters by itself; a script
that got around it meets this."""

LOOK_BYTES: Final = 1 << 20
"""Bytes handed over that are worth a full collection: V8 itself looks at memory only at its next one."""

PATIENCE_SECONDS: Final = 0.25
"""How long a step of a boot may give way to everything else."""

_ERROR_LIMIT: Final = 16 << 10

OnResult = Callable[[Value], None]


@dataclass(slots=True)
class _Handles:
    """Values that live as long as the isolate."""

    undefined: Address
    arguments: Address
    feed: Address
    take: Address
    loaded: Address


@dataclass(slots=True, frozen=True)
class Program:
    """What runs in an isolate before anything else, and how it is told about its surroundings."""

    code: bytes
    configuration: bytes = b"{}"
    """JSON for the program's ``configure``."""


class Engine:
    """V8 in this process, with everything that isolates share."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor: Final = reactor
        self.library: Final = Library()
        self.guard: Final = guards.Guard(self.library)
        self.threads: Final = guards.Threads()
        self.birth: Final = threading.Lock()
        """Held while an isolate's thread comes into being, which is known by its being new."""
        self.guard.self_test()
        self.parks_fatal_errors: Final = guards.park_fatal_signals()
        self.rejections: Final = Rejections(self.library)
        self.priority: Final = Priority()
        self.aside: Final = Aside(self.priority)
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

    def trim(self) -> None:
        """Give memory that closed isolates have left to the allocator back to the kernel; glibc only."""
        if self._trim is not None:
            self._trim(0)


class Isolate:
    """A booted isolate. All methods belong to the thread that runs the reactor; it may be made on another.

    Raises BootFailed when it is not up within ``boot_seconds``. With ``gives_way`` it lets others go first
    while it boots, as long as that does not take too long.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        memory_bytes: int,
        boot_seconds: float,
        program: Program,
        gives_way: bool = False,
    ) -> None:
        self._engine = engine
        self._held = engine.library.held
        self._on_result: OnResult | None = None
        self._on_address: Callable[[Address], None] | None = None
        self.on_notify: Callable[[], None] = lambda: None
        """Called when the script put something into its outbox between turns."""
        self.exceeded_memory = False
        self._memory_limit = memory_bytes
        self._used = self._fed = 0
        """Bytes in use after the last full collection, which its thread writes, and handed over since."""
        self._terminated = False
        with engine.birth:
            before = engine.threads.ids()
            self._context: int = engine.library.released.mr_init_context(engine.reactor.callback)
            born = engine.threads.ids() - before
        self._thread = born.pop() if len(born) == 1 else None
        self.clock: Final = guards.ThreadClock(self._thread)
        self._demoted = False
        self._collecting = False
        self._port: Port = engine.reactor.open_port()
        self._notices: Port = engine.reactor.open_port()
        self._isolate: Address = 0
        if gives_way:
            self.give_way()
        self._handles = self._boot(program, time.monotonic() + boot_seconds)
        self.hurry()
        self._isolate = guards.isolate_at(self._handles.arguments)
        self._kept = engine.guard.protect(
            self._isolate,
            memory_bytes=memory_bytes,
            on_breach=self._breached,
            on_collected=self._collected,
        )
        engine.rejections.watch(self._isolate)
        engine.reactor.attach(self._port, self._completed)
        engine.reactor.attach(self._notices, self._noticed)

    @property
    def busy(self) -> bool:
        """Whether a task is running or posted."""
        return self._on_result is not None

    def load(self, code: bytes, on_result: OnResult) -> None:
        """Run a bundle and let the prelude watch its completion value.

        A failed result means that the bundle did not parse, or threw before it returned a promise; the
        outbox tells the rest.
        """
        self._on_result = on_result
        self._on_address = self._evaluated
        text = self._string(code)
        self._held.mr_eval(self._context, text, self._port)
        self._free(text)

    def feed(self, payload: bytes, on_result: OnResult) -> None:
        """One turn: hand ``payload`` to the prelude; the result's text is the outbox."""
        self._on_result = on_result
        self._fed += len(payload)
        text = self._string(payload)
        handles = self._handles
        self._held.mr_call_function(self._context, handles.feed, text, handles.arguments, self._port)
        self._held.mr_free_value(self._context, text)

    def take(self, on_result: OnResult) -> None:
        """Fetch what microtasks left in the outbox."""
        self._call(self._handles.take, self._handles.undefined, on_result)

    @property
    def can_give_way(self) -> bool:
        """Whether ``give_way`` would change anything."""
        return self._thread is not None and not self._demoted and self._engine.priority.can_demote

    def give_way(self) -> None:
        """Let the running task, or the next, go on only when no other thread wants the core; if it can."""
        if self.can_give_way and self._thread is not None:
            self._demoted = True
            self._engine.priority.demote(self._thread)

    def hurry(self) -> None:
        """Give way no longer; a task that ended does so by itself."""
        if self._demoted and self._thread is not None:
            self._demoted = False
            self._engine.priority.restore(self._thread)

    def terminate(self) -> None:
        """End the running task at V8's next interrupt check, for which it need not give way."""
        self.hurry()
        self._terminated = True
        self._engine.guard.terminate(self._isolate)

    @property
    def may_be_over(self) -> bool:
        """Whether what it was handed since V8 last looked may have brought its memory over the limit."""
        return self._fed > LOOK_BYTES and self._used + self._fed > self._memory_limit

    def collect(self) -> None:
        """Have all garbage collected soon, which is when V8 finds out that memory is over its limit."""
        if not self._collecting:
            self._collecting = self._engine.aside.do(self._collect)

    def take_unhandled(self) -> list[str]:
        """What was rejected since the last call and has no handler; only while no task runs."""
        return self._engine.rejections.take(self._isolate)

    def close(self) -> None:
        """Give the isolate back. Never call it while a task runs that cannot be stopped: it would wait."""
        if self._isolate:
            self._engine.rejections.forget(self._isolate)
        self._engine.reactor.close_port(self._port)
        self._engine.reactor.close_port(self._notices)
        # What it holds now cannot be known from here; who had to be stopped may have made much of it.
        large = self._terminated or self.exceeded_memory or self._used + self._fed >= LARGE_HEAP
        if not large or not self._engine.aside.do(self._free_context):
            self._free_context()

    # ---------------------------------------------------------------- inside

    def _collect(self) -> None:
        # mini-racer goes by numbers: nothing happens when the isolate is gone by now.
        self._engine.library.released.mr_low_memory_notification(self._context)
        self._collecting = False

    def _free_context(self) -> None:
        """A method, so that V8's callbacks in ``_kept`` live as long as the isolate does."""
        self._engine.library.released.mr_free_context(self._context)

    def _call(self, function: Address, this: Address, on_result: OnResult) -> None:
        self._on_result = on_result
        self._held.mr_call_function(self._context, function, this, self._handles.arguments, self._port)

    def _free(self, address: Address) -> None:
        self._held.mr_free_value(self._context, address)

    def _string(self, text: bytes) -> Address:
        return self._held.mr_alloc_string_val(self._context, text, len(text), ValueType.STRING)

    def _read(self, address: Address, limit: int) -> Value:
        return self._engine.library.read(self._context, address, limit=limit)

    def _completed(self, address: Address) -> None:
        if self._on_address is not None:
            on_address, self._on_address = self._on_address, None
            on_address(address)
            return
        self.hurry()
        on_result, self._on_result = self._on_result, None
        if on_result is None:
            self._free(address)
        else:
            on_result(self._read(address, RESULT_LIMIT))

    def _evaluated(self, completion: Address) -> None:
        on_result = self._on_result
        assert on_result is not None
        if _type_at(completion) >= ValueType.EXECUTE_EXCEPTION:
            self._on_result = None
            on_result(self._read(completion, _ERROR_LIMIT))
        else:
            self._call(self._handles.loaded, completion, on_result)
            self._free(completion)

    def _noticed(self, address: Address) -> None:
        self._free(address)
        self.on_notify()

    def _collected(self, used: int) -> None:
        self._used, self._fed = used, 0

    def _breached(self) -> None:
        self.exceeded_memory = True

    def _boot(self, program: Program, deadline: float) -> _Handles:
        undefined = self._held.mr_alloc_int_val(self._context, 0, ValueType.UNDEFINED)
        try:
            self._free(self._now(program.code, deadline))
            handles = _Handles(
                undefined=undefined,
                arguments=self._now(b"[]", deadline),
                feed=self._now(b"__floraHost.feed", deadline),
                take=self._now(b"__floraHost.take", deadline),
                loaded=self._now(b"__floraHost.loaded", deadline),
            )
            notify = self._engine.library.released.mr_make_js_callback(self._context, self._notices)
            self._hand(b"__floraHost.setNotify", notify, handles, deadline)
            configuration = self._string(program.configuration)
            self._hand(b"__floraHost.configure", configuration, handles, deadline)
            self._free(self._now(b"delete globalThis.__floraHost", deadline))
        except BootFailed:
            self.close()
            raise
        return handles

    def _hand(self, setter: bytes, value: Address, handles: _Handles, deadline: float) -> None:
        """Call a function of the program with ``value``, which is freed, as its ``this``."""
        function = self._now(setter, deadline)
        self._held.mr_call_function(self._context, function, value, handles.arguments, self._port)
        self._free(self._result_of(setter.decode(), deadline))
        self._free(value)
        self._free(function)

    def _now(self, code: bytes, deadline: float) -> Address:
        """Evaluate code of ours and wait for it."""
        text = self._string(code)
        self._held.mr_eval(self._context, text, self._port)
        self._free(text)
        return self._result_of(code[:40].decode(errors="replace"), deadline)

    def _result_of(self, what: str, deadline: float) -> Address:
        wait_port = self._engine.reactor.wait_port
        left = max(0.0, deadline - time.monotonic())
        address = wait_port(self._port, min(left, PATIENCE_SECONDS))
        if address is None and left > PATIENCE_SECONDS:
            self.hurry()
            address = wait_port(self._port, left - PATIENCE_SECONDS)
        if address is None:
            raise BootFailed(f"the isolate did not come up in time: {what!r} had not finished")
        if _type_at(address) >= ValueType.EXECUTE_EXCEPTION:
            text = self._read(address, _ERROR_LIMIT).text.decode(errors="replace")
            raise BootFailed(f"the prelude failed in {what!r}: {text[:500]}")
        return address


def _type_at(address: Address) -> int:
    """Type of the value at ``address``."""
    return ctypes.c_uint8.from_address(address + 16).value
