"""A thin ctypes binding on ``libmini_racer``, the V8 build inside the package ``mini-racer``.

The package's own Python API is not used with guild code: it holds JavaScript objects, and reading one
can run the guest's getters, crash the process or block the event loop. This binding passes strings in,
takes strings out, and never waits for an isolate unless its name says so.

Two views of the same library: ``held`` keeps the GIL, for calls that only post a task or copy a few
bytes; ``released`` gives it up, for the two that wait for an isolate's thread (create, free).
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import struct
import sys
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

from flora_runtime.errors import EngineMismatch

PINNED: Final = "0.14.1"
"""The release of mini-racer this binding was written against; the layout of its structs is not an API."""

V8_FLAGS: Final = (
    "--single-threaded",
    # The soft limit (guard) is far below: a tight limit of V8's own turns contained cases into aborts.
    "--max-old-space-size=256",
    "--max-semi-space-size=2",
)

Address = int
Context = int

CALLBACK: Final = ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.c_void_p)
"""What mini-racer calls on the isolate's thread: (callback id, address of a value)."""

_HEAD: Final = struct.Struct("<QQB")  # union of pointer/int/double, length, type


class ValueType(IntEnum):
    """Types of a value that mini-racer hands out, as far as flora meets them."""

    NULL = 1
    BOOL = 2
    INTEGER = 3
    DOUBLE = 4
    STRING = 5
    UNDEFINED = 11
    EXECUTE_EXCEPTION = 200
    PARSE_EXCEPTION = 201
    OOM_EXCEPTION = 202
    TIMEOUT_EXCEPTION = 203
    TERMINATED_EXCEPTION = 204


@dataclass(slots=True, frozen=True)
class Value:
    """The result of one task: text for strings and exceptions, empty for anything else."""

    type: int
    text: bytes
    size: int
    """Bytes of text that V8 offered; more than ``len(text)`` when it was over the caller's limit."""

    @property
    def failed(self) -> bool:
        return self.type >= ValueType.EXECUTE_EXCEPTION

    @property
    def terminated(self) -> bool:
        return self.type in _TERMINATED


_TERMINATED: Final = frozenset(
    (ValueType.OOM_EXCEPTION, ValueType.TIMEOUT_EXCEPTION, ValueType.TERMINATED_EXCEPTION)
)


class Library:
    """The loaded library with its functions typed, V8 started. One a process: V8 starts only once."""

    def __init__(self) -> None:
        folder = _package_folder()
        path = folder / _library_name()
        self.released: Final = ctypes.CDLL(str(path))
        self.held: Final = ctypes.PyDLL(str(path))
        for view in (self.released, self.held):
            _type_functions(view)
        self.released.mr_init_v8(" ".join(V8_FLAGS).encode(), str(folder / "icudtl.dat").encode())
        self.version: Final[str] = self.held.mr_v8_version().decode()

    def symbol(self, name: str, result: Any, *arguments: Any) -> Any:
        """A function that the library exports besides its own, by its mangled C++ name, with its types."""
        try:
            function = getattr(self.held, name)
        except AttributeError:
            raise EngineMismatch(
                f"mini-racer {PINNED} should export {name}, but does not; reinstall that exact release"
            ) from None
        function.restype = result
        function.argtypes = list(arguments)
        return function

    def read(self, context: Context, address: Address, *, limit: int) -> Value:
        """The value at ``address``, which is freed; at most ``limit`` bytes of its text are copied."""
        pointer, size, type_ = _HEAD.unpack(ctypes.string_at(address, _HEAD.size))
        text = b""
        if type_ == ValueType.STRING or type_ >= ValueType.EXECUTE_EXCEPTION:
            text = ctypes.string_at(pointer, min(size, limit))
        self.held.mr_free_value(context, address)
        return Value(type_, text, size)


def _package_folder() -> Path:
    version = importlib.metadata.version("mini-racer")
    if version != PINNED:
        raise EngineMismatch(
            f"mini-racer {version} is installed, flora needs exactly {PINNED}: "
            f"pip install mini-racer=={PINNED}"
        )
    spec = importlib.util.find_spec("py_mini_racer")
    if spec is None or not spec.submodule_search_locations:
        raise EngineMismatch("mini-racer has no package py_mini_racer; reinstall it")
    return Path(spec.submodule_search_locations[0])


def _library_name() -> str:
    return {"darwin": "libmini_racer.dylib", "win32": "mini_racer.dll"}.get(sys.platform, "libmini_racer.so")


def _type_functions(view: ctypes.CDLL) -> None:
    u64, pointer = ctypes.c_uint64, ctypes.c_void_p
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "mr_init_v8": (None, [ctypes.c_char_p, ctypes.c_char_p]),
        "mr_v8_version": (ctypes.c_char_p, []),
        "mr_init_context": (u64, [CALLBACK]),
        "mr_free_context": (None, [u64]),
        "mr_eval": (u64, [u64, pointer, u64]),
        "mr_call_function": (u64, [u64, pointer, pointer, pointer, u64]),
        "mr_alloc_string_val": (pointer, [u64, ctypes.c_char_p, u64, ctypes.c_uint8]),
        "mr_alloc_int_val": (pointer, [u64, ctypes.c_int64, ctypes.c_uint8]),
        "mr_free_value": (None, [u64, pointer]),
        "mr_cancel_task": (None, [u64, u64]),
        "mr_make_js_callback": (pointer, [u64, u64]),
        "mr_low_memory_notification": (None, [u64]),
    }
    for name, (result, arguments) in signatures.items():
        try:
            function = getattr(view, name)
        except AttributeError:
            raise EngineMismatch(f"mini-racer {PINNED} should have {name}, but has not") from None
        function.restype = result
        function.argtypes = arguments
