"""What V8 takes long for, and nobody waits for: on a thread of its own.

V8 takes 25 ms to tear down a heap of 64 MiB (an empty one: 1 ms), and about as long to collect all garbage
in one. Done by the worker's own thread that would add up to the wait of every other guild's next turn.
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
"""Jobs that may wait; isolates among them still hold their memory."""

Job = Callable[[], None]


class Aside:
    """All methods belong to the worker's thread."""

    def __init__(self, priority: Priority) -> None:
        self._priority = priority
        self._places = threading.Semaphore(WAITING_MOST)
        self._waiting: SimpleQueue[Job] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def do(self, job: Job) -> bool:
        """Do ``job`` soon, in order; False when too many wait already."""
        if not self._places.acquire(blocking=False):
            return False
        self._waiting.put(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="aside", daemon=True)
            self._thread.start()
        return True

    def _run(self) -> None:
        if self._priority.can_demote:
            self._priority.demote(threading.get_native_id())
        while True:
            job = self._waiting.get()
            job()
            self._places.release()
