"""Limits on one isolate, through V8's own hooks.

mini-racer's memory limit counts only the JavaScript heap and its time limit cannot stop a loop of
microtasks. V8's public C++ functions, which the library exports, can do both:

* microtasks run inside the call (policy *auto*), so that terminating the call ends them too;
* after every full garbage collection the heap, array buffers and malloc'ed memory are added up, and the
  turn is terminated when the sum is over the limit;
* near V8's own heap limit the turn is terminated and gets some room to unwind in;
* on a fatal error V8 would abort the process and with it every other guild: that one thread is parked
  instead, for ever. Its turn then never ends; the worker reports it as stuck and is replaced.

The isolate's pointer is read from mini-racer's private structs. ``Guard.self_test`` proves the layout
against what V8 itself says before any guild code runs, and names what differs.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from flora_runtime.errors import EngineMismatch
from flora_runtime.worker.racer import CALLBACK, Address, Context, Library
from flora_runtime.worker.walls.syscalls import this_machine

_Pointer = ctypes.c_void_p
_GC_CALLBACK: Final = ctypes.CFUNCTYPE(None, _Pointer, ctypes.c_int, ctypes.c_int, _Pointer)
_HEAP_CALLBACK: Final = ctypes.CFUNCTYPE(ctypes.c_size_t, _Pointer, ctypes.c_size_t, ctypes.c_size_t)
_ENTROPY: Final = ctypes.CFUNCTYPE(ctypes.c_bool, _Pointer, ctypes.c_size_t)
_HEAP_STATISTICS: Final = struct.Struct("<8Q")
_MARK_COMPACT: Final = 4
_MICROTASKS_AUTO: Final = 2
_UNWIND_ROOM: Final = 64 << 20
_UNWIND_TIMES: Final = 3
_SIGNALS_OF_A_FATAL_ERROR: Final = ("SIGTRAP", "SIGILL", "SIGABRT")


class Guard:
    """V8's hooks, resolved once a process."""

    def __init__(self, library: Library) -> None:
        self._library = library
        symbol = library.symbol
        self._current = symbol("_ZN2v87Isolate13TryGetCurrentEv", _Pointer)
        self._terminate = symbol("_ZN2v87Isolate18TerminateExecutionEv", None, _Pointer)
        self._policy = symbol(
            "_ZN2v87Isolate19SetMicrotasksPolicyENS_16MicrotasksPolicyE",
            None,
            _Pointer,
            ctypes.c_int,
        )
        self._on_gc = symbol(
            "_ZN2v87Isolate21AddGCEpilogueCallbackEPFvPS0_NS_6GCTypeENS_15GCCallbackFlagsEPvES4_S2_",
            None,
            _Pointer,
            _GC_CALLBACK,
            _Pointer,
            ctypes.c_int,
        )
        self._on_heap_limit = symbol(
            "_ZN2v87Isolate24AddNearHeapLimitCallbackEPFmPvmmES1_",
            None,
            _Pointer,
            _HEAP_CALLBACK,
            _Pointer,
        )
        self._on_oom = symbol(
            "_ZN2v87Isolate18SetOOMErrorHandlerEPFvPKcRKNS_10OOMDetailsEE", None, _Pointer, _Pointer
        )
        self._on_fatal = symbol("_ZN2v87Isolate20SetFatalErrorHandlerEPFvPKcS2_E", None, _Pointer, _Pointer)
        self._heap_statistics = symbol(
            "_ZN2v87Isolate17GetHeapStatisticsEPNS_14HeapStatisticsE", None, _Pointer, _Pointer
        )
        self._new_statistics = symbol("_ZN2v814HeapStatisticsC1Ev", None, _Pointer)
        self._pause = ctypes.cast(ctypes.CDLL(None).pause, _Pointer)
        self._entropy = _ENTROPY(_fill_with_entropy)
        symbol("_ZN2v82V816SetEntropySourceEPFbPhmE", None, _ENTROPY)(self._entropy)

    def self_test(self) -> None:
        """Raises EngineMismatch when mini-racer's structs are not laid out as this module reads them."""
        library, held = self._library, self._library.held
        seen: list[int | None] = []
        done: list[Address] = []

        def on_result(port: int, address: Address | None) -> None:
            if port == 1:
                seen.append(self._current())
                held.mr_free_value(context, address)
            else:
                done.append(address or 0)

        callback = CALLBACK(on_result)
        context: Context = library.released.mr_init_context(callback)
        undefined = held.mr_alloc_int_val(context, 0, 11)
        probe = library.released.mr_make_js_callback(context, 1)
        code = held.mr_alloc_string_val(context, b"[]", 2, 5)
        held.mr_eval(context, code, 2)
        arguments = _wait(done, "an empty array")
        held.mr_call_function(context, probe, undefined, arguments, 2)
        _wait(done, "a call back into Python")
        found = isolate_at(arguments)
        library.released.mr_free_context(context)
        if seen != [found]:
            raise EngineMismatch(
                f"the isolate's pointer is not where mini-racer {library.version} keeps it: "
                f"V8 says {seen}, the struct says {found}; install the pinned release"
            )

    def protect(
        self,
        isolate: Address,
        *,
        memory_bytes: int,
        on_breach: Callable[[], None],
        on_collected: Callable[[int], None],
    ) -> tuple[Any, ...]:
        """Put the limits on ``isolate``. ``on_breach`` runs on its thread when memory is over,
        ``on_collected`` there after each full collection, with the bytes that are in use.

        The caller keeps what is returned for as long as the isolate lives: V8 holds bare pointers to it.
        """
        grants = 0

        def after_gc(_isolate: int, _type: int, _flags: int, _data: int) -> None:
            used = self.memory(isolate)
            on_collected(used)
            if used > memory_bytes:
                on_breach()
                self._terminate(isolate)

        def near_heap_limit(_data: int, current: int, _initial: int) -> int:
            nonlocal grants
            grants += 1
            on_breach()
            self._terminate(isolate)
            return current + _UNWIND_ROOM if grants <= _UNWIND_TIMES else current

        callbacks = (_GC_CALLBACK(after_gc), _HEAP_CALLBACK(near_heap_limit))
        self._policy(isolate, _MICROTASKS_AUTO)
        self._on_gc(isolate, callbacks[0], None, _MARK_COMPACT)
        self._on_heap_limit(isolate, callbacks[1], None)
        self._on_oom(isolate, self._pause)
        self._on_fatal(isolate, self._pause)
        return callbacks

    def terminate(self, isolate: Address) -> None:
        """Stop what runs in ``isolate`` at its next interrupt check; from any thread."""
        self._terminate(isolate)

    def memory(self, isolate: Address) -> int:
        """Bytes the isolate uses: heap, array buffers, malloc. On its own thread alone.

        V8 collects on that thread after a task too, and whoever then looks from another reads a null pointer.
        """
        buffer = ctypes.create_string_buffer(256)
        self._new_statistics(buffer)
        self._heap_statistics(isolate, buffer)
        fields = _HEAP_STATISTICS.unpack_from(buffer)
        used, malloced, external = fields[4], fields[6], fields[7]
        return used + malloced + external


def _fill_with_entropy(buffer: int, size: int) -> bool:
    """For the seeds of a new isolate: V8 itself would open /dev/urandom, which walls do not let it."""
    ctypes.memmove(buffer, os.urandom(size), size)
    return True


def isolate_at(address: Address) -> Address:
    """The ``v8::Isolate*`` behind any value: value -> its collector -> isolate manager -> isolate."""
    return _word(_word(_word(address - 8)) + 24)


def _word(address: Address) -> int:
    return ctypes.c_uint64.from_address(address).value


def _wait(done: list[Address], what: str) -> Address:
    deadline = time.monotonic() + 5
    while not done:
        if time.monotonic() > deadline:
            raise EngineMismatch(f"mini-racer did not answer {what} within 5 s")
        time.sleep(0.001)
    return done.pop()


def park_fatal_signals() -> bool:
    """Make a thread that V8 aborts sleep for ever instead of ending the process; False where not possible.

    SIGSEGV is left alone: after memory corruption the process must die.
    """
    if sys.platform != "linux":
        return False

    class SigAction(ctypes.Structure):
        _fields_ = (
            ("handler", ctypes.c_void_p),
            ("mask", ctypes.c_ulong * 16),
            ("flags", ctypes.c_int),
            ("restorer", ctypes.c_void_p),
        )

    libc = ctypes.CDLL(None, use_errno=True)
    everything = (ctypes.c_ulong * 16)(*([2**64 - 1] * 16))
    pause = ctypes.cast(libc.pause, ctypes.c_void_p).value
    action = SigAction(pause, everything, 0, None)
    return all(
        libc.sigaction(int(getattr(signal, name)), ctypes.byref(action), None) == 0
        for name in _SIGNALS_OF_A_FATAL_ERROR
    )


class ThreadClock:
    """CPU time of one thread of this process, readable while it runs."""

    __slots__ = ("_clock",)

    def __init__(self, thread: int | None) -> None:
        # Linux: clock ids of other threads, see clock_gettime(2) and <linux/posix-timers.h>.
        self._clock = None if thread is None else (~thread << 3) | 6

    def nanoseconds(self) -> int:
        """CPU time so far; wall time where the platform has no such clock."""
        if self._clock is None:
            return time.monotonic_ns()
        return time.clock_gettime_ns(self._clock)


class Threads:
    """The threads of this process, by a folder that stays open: behind its walls a worker opens none."""

    _LIST_BYTES: Final = 1 << 16

    def __init__(self) -> None:
        self._folder = -1
        machine = this_machine()
        if sys.platform == "linux" and machine is not None:
            with contextlib.suppress(OSError):
                self._folder = os.open("/proc/self/task", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._list = machine.plain["getdents64"]
            self._libc = ctypes.CDLL(None)
            self._buffer = ctypes.create_string_buffer(self._LIST_BYTES)

    def ids(self) -> set[int]:
        """The kernel's numbers of all threads; empty where the platform does not tell."""
        if self._folder < 0:
            return set()
        os.lseek(self._folder, 0, os.SEEK_SET)
        found: set[int] = set()
        while (size := self._libc.syscall(self._list, self._folder, self._buffer, self._LIST_BYTES)) > 0:
            found.update(_numbers(self._buffer.raw[:size]))
        return found


_ENTRY: Final = struct.Struct("<QqHB")
"""``struct linux_dirent64`` up to the name, which ends with a zero byte."""


def _numbers(entries: bytes) -> Iterator[int]:
    at = 0
    while at < len(entries):
        length = _ENTRY.unpack_from(entries, at)[2]
        name = entries[at + _ENTRY.size : at + length].partition(b"\0")[0]
        if name.isdigit():
            yield int(name)
        at += length
