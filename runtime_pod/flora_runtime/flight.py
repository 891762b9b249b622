"""A flight recorder: what a worker had started, readable after it was killed.

A page of memory that a supervisor shares with one worker process. The worker notes, for each of its
guilds, the highest event number it has started and whether a turn is running; kill -9 cannot take that
back. The supervisor then knows which events it may send again (never started) and which are lost (a
handler had begun), and whose turn was running when the process died.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import tempfile
from dataclasses import dataclass
from typing import Final

_ENTRY: Final = struct.Struct("<QB")
_STRIDE: Final = 16
_RUNNING_AT: Final = 8
CAPACITY: Final = 1 << 14
"""Guilds a worker can hold. V8 itself ends near 3,600 isolates a process (memory mappings); the others
sleep."""


@dataclass(slots=True, frozen=True)
class Entry:
    started: int
    """Highest event number whose handlers may have begun."""
    running: bool


class FlightRecorder:
    """One entry a slot; the supervisor gives each guild of a worker its own slot."""

    def __init__(self, fd: int) -> None:
        self._map = mmap.mmap(fd, CAPACITY * _STRIDE)

    def begin(self, slot: int, started: int) -> None:
        """A turn begins that starts events up to ``started``."""
        _ENTRY.pack_into(self._map, slot * _STRIDE, started, True)

    def end(self, slot: int) -> None:
        """The turn is over."""
        self._map[slot * _STRIDE + _RUNNING_AT] = 0

    def reset(self, slot: int) -> None:
        """Forget one guild, before another gets its slot."""
        _ENTRY.pack_into(self._map, slot * _STRIDE, 0, False)

    def read(self, slot: int) -> Entry:
        started, running = _ENTRY.unpack_from(self._map, slot * _STRIDE)
        return Entry(started, bool(running))

    def clear(self) -> None:
        """Forget everything: before a new worker uses the page."""
        self._map[:] = bytes(len(self._map))

    def close(self) -> None:
        self._map.close()


def open_page() -> int:
    """A file descriptor of anonymous memory, large enough for a recorder; the caller closes it."""
    if not hasattr(os, "memfd_create"):
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
            os.ftruncate(fd, CAPACITY * _STRIDE)
            return fd
    fd = os.memfd_create("flora-flight", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, CAPACITY * _STRIDE)
    # A worker that cut the page off would end the supervisor when that reads it.
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd
