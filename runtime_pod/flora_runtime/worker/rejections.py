"""Promises that were rejected and that nobody handles.

A reply that is not awaited and fails, a forgotten ``await``: without this they would vanish without a word.
V8 calls back when a promise is rejected with no handler, and again when it gets one after all; what is left
when a turn ends goes to the script's log. The callback runs Python on the isolate's thread, so it is short,
bounded, and runs no guest code: the text comes from V8's own message about the error, not from its ``stack``.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
from typing import Final

from flora_runtime.worker.racer import Address, Library

KEPT_A_TURN: Final = 8
WATCHED_A_TURN: Final = 256
"""Rejections that are looked at in one turn; in a turn with more of them none is told of."""
TOO_MANY: Final = (
    f"more than {WATCHED_A_TURN} promises were rejected in one turn; it is not known who handles them"
)
_TEXT_BYTES: Final = 2048
_BUNDLE: Final = "bundle.js"


class _Event(IntEnum):
    REJECTED = 0
    HANDLED_AFTER_ALL = 1


class _Message(ctypes.Structure):
    """``v8::PromiseRejectMessage``, passed by value."""

    _fields_ = (("promise", ctypes.c_void_p), ("event", ctypes.c_int), ("value", ctypes.c_void_p))


_CALLBACK: Final = ctypes.CFUNCTYPE(None, _Message)
_NOBODY: Final = _CALLBACK()


class Rejections:
    """One for all isolates of the process."""

    def __init__(self, library: Library) -> None:
        pointer, integer, symbol = ctypes.c_void_p, ctypes.c_int, library.symbol
        self._current = symbol("_ZN2v87Isolate13TryGetCurrentEv", pointer)
        self._context = symbol("_ZN2v87Isolate17GetCurrentContextEv", pointer, pointer)
        self._identity = symbol("_ZN2v86Object15GetIdentityHashEv", integer, pointer)
        self._describe = symbol(
            "_ZN2v89Exception13CreateMessageEPNS_7IsolateENS_5LocalINS_5ValueEEE",
            pointer,
            pointer,
            pointer,
        )
        self._text = symbol("_ZNK2v87Message3GetEv", pointer, pointer)
        self._line = symbol(
            "_ZNK2v87Message13GetLineNumberENS_5LocalINS_7ContextEEE",
            ctypes.c_uint64,  # Maybe<int>: whether there is one, then the number
            pointer,
            pointer,
        )
        self._column = symbol("_ZNK2v87Message14GetStartColumnEv", integer, pointer)
        self._write = symbol(
            "_ZNK2v86String11WriteUtf8V2EPNS_7IsolateEPcmiPm",
            ctypes.c_size_t,
            pointer,
            pointer,
            pointer,
            ctypes.c_size_t,
            integer,
            pointer,
        )
        self._watch = symbol(
            "_ZN2v87Isolate24SetPromiseRejectCallbackEPFvNS_20PromiseRejectMessageEE",
            None,
            pointer,
            _CALLBACK,
        )
        self._unhandled: dict[Address, dict[int, str]] = {}
        self._rejected: dict[Address, int] = {}
        self._callback = _CALLBACK(self._on_rejection)

    def watch(self, isolate: Address) -> None:
        """Begin to listen to ``isolate``."""
        self._unhandled[isolate] = {}
        self._rejected[isolate] = 0
        self._watch(isolate, self._callback)

    def forget(self, isolate: Address) -> None:
        """The isolate is about to go."""
        self._unhandled.pop(isolate, None)
        self._rejected.pop(isolate, None)

    def take(self, isolate: Address) -> list[str]:
        """Texts of what is unhandled since the last call, in V8's stack format; only while no task runs."""
        unhandled = self._unhandled.get(isolate)
        rejected, self._rejected[isolate] = self._rejected.get(isolate, 0), 0
        if rejected > WATCHED_A_TURN:
            self._watch(isolate, self._callback)
        if not unhandled:
            return []
        texts = list(unhandled.values())
        unhandled.clear()
        return texts

    def _on_rejection(self, message: _Message) -> None:
        isolate = self._current()
        unhandled = self._unhandled.get(isolate)
        if unhandled is None:
            return
        if message.event == _Event.REJECTED:
            self._rejected[isolate] += 1
            if self._rejected[isolate] > WATCHED_A_TURN:
                # Each of these takes the GIL, on a thread that may have given way to everybody else.
                self._watch(isolate, _NOBODY)
                unhandled.clear()
                unhandled[0] = TOO_MANY
            elif len(unhandled) < KEPT_A_TURN:
                unhandled[self._identity(message.promise)] = self._explain(isolate, message.value)
        elif message.event == _Event.HANDLED_AFTER_ALL:
            unhandled.pop(self._identity(message.promise), None)

    def _explain(self, isolate: Address, value: Address) -> str:
        """``Error: text`` and, where the error has a place in the bundle, a frame for it."""
        about = self._describe(isolate, value)
        buffer = ctypes.create_string_buffer(_TEXT_BYTES)
        size = self._write(self._text(about), isolate, buffer, _TEXT_BYTES, 0, None)
        text = buffer.raw[:size].decode(errors="replace").removeprefix("Uncaught ")
        found = self._line(about, self._context(isolate))
        line, column = found >> 32, self._column(about)
        if not found & 1 or line < 1 or column < 0:
            return text
        return f"{text}\n    at {_BUNDLE}:{line}:{column + 1}"
