"""V8 stacks to the author's lines, inside the worker.

Source maps come from guilds, so the library that reads them (trace-mapping) runs where their scripts run:
in an isolate, with limits. One such isolate serves all guilds of the worker; it is made when the first
error needs it, and thrown away when it misbehaves. An error whose stack cannot be mapped is passed on as
V8 wrote it.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import msgspec

from flora_core.assets import TRACE_MAPPING, asset
from flora_core.stacks import Position, Stack, bundle_positions, parse_stack, render
from flora_core.wire.control import ScriptError
from flora_runtime.errors import BootFailed
from flora_runtime.worker.isolate import Engine, Isolate, Program
from flora_runtime.worker.racer import Value

MAPS_KEPT: Final = 8
"""Parsed maps the isolate may rely on; its own cache is larger, so that both agree."""

WAITING_LIMIT: Final = 256
SECONDS: Final = 2.0
_MEMORY_BYTES: Final = 256 << 20

_positions: Final = msgspec.json.Decoder(list[tuple[str | None, int, int, str | None] | None])


@dataclass(slots=True, frozen=True)
class SourceMap:
    key: str
    """The bundle's SHA-256."""
    text: str


@dataclass(slots=True)
class _Request:
    stack: Stack
    source_map: SourceMap
    done: Callable[[ScriptError], None]


class StackMapper:
    """Maps one stack at a time, in the order they came."""

    def __init__(self, engine: Engine, *, boot_seconds: float, show_internal: bool) -> None:
        self._engine = engine
        self._boot_seconds = boot_seconds
        self._show_internal = show_internal
        self._waiting: deque[_Request] = deque()
        self._current: _Request | None = None
        self._known: OrderedDict[str, None] = OrderedDict()
        self._isolate: Isolate | None = None
        self._started = 0.0
        glue = (files("flora_core") / "toolchain" / "stackmap.js").read_bytes()
        self._program = Program(
            asset(TRACE_MAPPING).read_bytes() + b"\n" + glue
        )  # no file opens behind walls

    def map(self, text: str, source_map: SourceMap, done: Callable[[ScriptError], None]) -> None:
        """Call ``done`` with the error in ``text``, mapped; at once when there is nothing to map."""
        stack = parse_stack(text)
        if not bundle_positions(stack) or not source_map.text or len(self._waiting) >= WAITING_LIMIT:
            done(render(stack, [], show_internal=self._show_internal))
            return
        self._waiting.append(_Request(stack, source_map, done))
        self._next()

    def check(self, now: float) -> None:
        """Give up on a map that takes too long."""
        if self._current is not None and now - self._started > SECONDS and self._isolate is not None:
            self._isolate.terminate()

    def close(self) -> None:
        if self._isolate is not None and not self._isolate.busy:
            self._isolate.close()
        self._isolate = None

    def _next(self) -> None:
        if self._current is not None or not self._waiting:
            return
        request = self._current = self._waiting.popleft()
        self._started = time.monotonic()
        try:
            isolate = self._isolate or self._boot()
        except BootFailed:
            self._finish([])
            return
        source_map = request.source_map
        fresh = source_map.key not in self._known
        self._known[source_map.key] = None
        self._known.move_to_end(source_map.key)
        if len(self._known) > MAPS_KEPT:
            self._known.popitem(last=False)
        isolate.feed(
            msgspec.json.encode(
                {
                    "key": source_map.key,
                    "map": source_map.text if fresh else None,
                    "positions": bundle_positions(request.stack),
                }
            ),
            self._mapped,
        )

    def _boot(self) -> Isolate:
        self._isolate = Isolate(
            self._engine,
            memory_bytes=_MEMORY_BYTES,
            boot_seconds=self._boot_seconds,
            program=self._program,
        )
        return self._isolate

    def _mapped(self, value: Value) -> None:
        positions: list[Position | None] = []
        if value.failed:
            self.close()
            self._known.clear()
        else:
            try:
                found = _positions.decode(value.text or b"[]")
            except msgspec.DecodeError:
                found = []
            positions = [
                None if p is None or p[0] is None else Position(p[0], p[1], p[2], p[3]) for p in found
            ]
        self._finish(positions)

    def _finish(self, positions: list[Position | None]) -> None:
        request, self._current = self._current, None
        if request is not None:
            request.done(render(request.stack, positions, show_internal=self._show_internal))
        self._next()
