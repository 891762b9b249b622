"""One V8 isolate with flora's prelude in it: boot, one task at a time, close.

An isolate has a thread of its own inside mini-racer. Tasks are posted to it and their results come back
through the reactor; this class allows one task at a time, which is what makes a single completion port
enough and gives every task an exact CPU time.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from flora_core.assets import PRELUDE, asset
from flora_runtime.errors import BootFailed
from flora_runtime.worker import guard as guards
from flora_runtime.worker.racer import Address, Library, Value, ValueType
from flora_runtime.worker.reactor import Port, Reactor

RESULT_LIMIT: Final = 2 << 20
"""Bytes copied out of an isolate in one turn. The prelude stops at 1 MiB of characters by itself; a script
that got around it meets this."""

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


class Engine:
    """V8 in this process, with everything that isolates share."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor: Final = reactor
        self.library: Final = Library()
        self.guard: Final = guards.Guard(self.library)
        self.guard.self_test()
        self.parks_fatal_errors: Final = guards.park_fatal_signals()

    @cached_property
    def prelude(self) -> bytes:
        return asset(PRELUDE).read_bytes()


class Isolate:
    """A booted isolate. All methods belong to the thread that runs the reactor.

    Raises BootFailed when it is not up within ``boot_seconds``.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        memory_bytes: int,
        boot_seconds: float,
        on_notify: Callable[[], None],
        program: bytes | None = None,
    ) -> None:
        self._engine = engine
        self._held = engine.library.held
        self._on_result: OnResult | None = None
        self._on_notify = on_notify
        self.exceeded_memory = False
        before = guards.threads()
        self._context: int = engine.library.released.mr_init_context(engine.reactor.callback)
        born = guards.threads() - before
        self.clock: Final = guards.ThreadClock(born.pop() if len(born) == 1 else None)
        self._port: Port = engine.reactor.open_port(self._completed)
        self._notices: Port = engine.reactor.open_port(self._noticed)
        self._handles = self._boot(program or engine.prelude, boot_seconds)
        self._isolate = guards.isolate_at(self._handles.arguments)
        self._kept = engine.guard.protect(self._isolate, memory_bytes=memory_bytes, on_breach=self._breached)

    @property
    def busy(self) -> bool:
        """Whether a task is running or posted."""
        return self._on_result is not None

    def evaluate(self, code: bytes, on_result: Callable[[Value, Address], None]) -> None:
        """Run ``code``. ``on_result`` gets its completion value's address too, and must ``free`` it."""

        def completed(address: Address) -> None:
            head = _peek(address)
            if head >= ValueType.EXECUTE_EXCEPTION:
                on_result(self._read(address, _ERROR_LIMIT), 0)
            else:
                on_result(Value(head, b"", 0), address)

        self._evaluating = completed
        self._on_result = _never
        text = self._string(code)
        self._held.mr_eval(self._context, text, self._port)
        self._held.mr_free_value(self._context, text)

    def feed(self, payload: bytes, on_result: OnResult) -> None:
        """One turn: hand ``payload`` to the prelude; the result's text is the outbox."""
        self._on_result = on_result
        text = self._string(payload)
        handles = self._handles
        self._held.mr_call_function(self._context, handles.feed, text, handles.arguments, self._port)
        self._held.mr_free_value(self._context, text)

    def take(self, on_result: OnResult) -> None:
        """Fetch what microtasks left in the outbox."""
        self._call(self._handles.take, self._handles.undefined, on_result)

    def loaded(self, completion: Address, on_result: OnResult) -> None:
        """Let the prelude watch the bundle's completion value, which is freed."""
        self._call(self._handles.loaded, completion, on_result)
        self.free(completion)

    def free(self, address: Address) -> None:
        self._held.mr_free_value(self._context, address)

    def terminate(self) -> None:
        """End the running task at V8's next interrupt check."""
        self._engine.guard.terminate(self._isolate)

    def memory(self) -> int:
        """Bytes in use; only while no task runs."""
        return self._engine.guard.memory(self._isolate)

    def close(self) -> None:
        """Give the isolate back. Never call it while a task runs that cannot be stopped: it would wait."""
        self._engine.reactor.close_port(self._port)
        self._engine.reactor.close_port(self._notices)
        self._engine.library.released.mr_free_context(self._context)

    # ---------------------------------------------------------------- inside

    def _call(self, function: Address, this: Address, on_result: OnResult) -> None:
        self._on_result = on_result
        self._held.mr_call_function(self._context, function, this, self._handles.arguments, self._port)

    def _string(self, text: bytes) -> Address:
        return self._held.mr_alloc_string_val(self._context, text, len(text), ValueType.STRING)

    def _read(self, address: Address, limit: int) -> Value:
        return self._engine.library.read(self._context, address, limit=limit)

    _evaluating: Callable[[Address], None] | None = None

    def _completed(self, address: Address) -> None:
        on_result, self._on_result = self._on_result, None
        if self._evaluating is not None:
            evaluating, self._evaluating = self._evaluating, None
            evaluating(address)
        elif on_result is None:
            self.free(address)
        else:
            on_result(self._read(address, RESULT_LIMIT))

    def _noticed(self, address: Address) -> None:
        self.free(address)
        self._on_notify()

    def _breached(self) -> None:
        self.exceeded_memory = True

    def _boot(self, program: bytes, seconds: float) -> _Handles:
        undefined = self._held.mr_alloc_int_val(self._context, 0, ValueType.UNDEFINED)
        try:
            self.free(self._now(program, seconds))
            handles = _Handles(
                undefined=undefined,
                arguments=self._now(b"[]", seconds),
                feed=self._now(b"__floraHost.feed", seconds),
                take=self._now(b"__floraHost.take", seconds),
                loaded=self._now(b"__floraHost.loaded", seconds),
            )
            self._connect_notify(handles, seconds)
            self.free(self._now(b"delete globalThis.__floraHost", seconds))
        except BootFailed:
            self.close()
            raise
        return handles

    def _connect_notify(self, handles: _Handles, seconds: float) -> None:
        setter = self._now(b"__floraHost.setNotify", seconds)
        notify = self._engine.library.released.mr_make_js_callback(self._context, self._notices)
        self._held.mr_call_function(self._context, setter, notify, handles.arguments, self._port)
        self.free(self._result_of("setNotify", seconds))
        self.free(notify)
        self.free(setter)

    def _now(self, code: bytes, seconds: float) -> Address:
        """Evaluate code of ours and wait for it."""
        text = self._string(code)
        self._held.mr_eval(self._context, text, self._port)
        self.free(text)
        return self._result_of(code[:40].decode(), seconds)

    def _result_of(self, what: str, seconds: float) -> Address:
        address = self._engine.reactor.wait_port(self._port, seconds)
        if address is None:
            raise BootFailed(f"the isolate did not finish {what!r} within {seconds:g} s")
        if _peek(address) >= ValueType.EXECUTE_EXCEPTION:
            text = self._read(address, _ERROR_LIMIT).text.decode(errors="replace")
            raise BootFailed(f"the prelude failed in {what!r}: {text[:500]}")
        return address


def _peek(address: Address) -> int:
    """Type of the value at ``address``."""
    return ctypes.c_uint8.from_address(address + 16).value


def _never(_value: Value) -> None:
    """Marks an isolate as busy while it evaluates."""
