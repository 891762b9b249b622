"""Isolates with much in them are given back on a thread of their own.

V8 takes 25 ms to tear down a heap of 64 MiB (an empty one: 1 ms), and whoever closes an isolate waits for
that. Done by the worker's own thread it would add up to the wait of every other guild's next turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from flora_runtime.worker.priority import Priority

LARGE_HEAP: Final = 8 << 20
"""Bytes from which on a heap is large; tearing down a smaller one takes less than a few milliseconds."""
WAITING_MOST: Final = 4
"""Isolates that may wait to be closed; they still hold their memory. One more is closed at once."""


class Closer:
    """All methods belong to the worker's thread."""

    def __init__(self, priority: Priority) -> None:
        self._priority = priority
        self._places = threading.Semaphore(WAITING_MOST)
        self._waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def close(self, free: Callable[[], None], *, memory: int) -> None:
        """Call ``free`` for an isolate that holds ``memory`` bytes, here or soon on the other thread."""
        if memory < LARGE_HEAP or not self._places.acquire(blocking=False):
            free()
            return
        self._waiting.put(free)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="closer", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        if self._priority.can_demote:
            self._priority.demote(threading.get_native_id())
        while True:
            free = self._waiting.get()
            free()
            self._places.release()
