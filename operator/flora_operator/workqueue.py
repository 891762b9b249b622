"""A queue of keys: what is dirty, who works on it, and what has to wait before it is tried again.

A key that is added while it waits is there once; one that is added while somebody works on it comes again
when he is done, so nobody ever works on a key that another works on. A failure makes a key wait: twice as
long each time, up to a bound, or as long as the other side asked for; news of it (``add``) ends the wait.
Workers wait on an ``asyncio.Queue``; the sets beside it say what is in it, and with whom. Nothing is awaited
between looking and changing, so one event loop needs no lock. It has at most as many entries as there are
keys.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from prometheus_client import Gauge

K = TypeVar("K", bound=Hashable)

FIRST_RETRY_SECONDS: Final = 0.1
LONGEST_RETRY_SECONDS: Final = 30.0


class Retry(Exception):
    """A handler's way to say: again in ``seconds``, and this is no failure."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class WorkQueue(Generic[K]):
    """Keys in the order they came."""

    def __init__(self, depth: Gauge | None = None) -> None:
        self._queue = asyncio.Queue[K]()
        self._waiting: set[K] = set()
        """What is in ``_queue``."""
        self._active: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        if depth is not None:
            depth.set_function(lambda: len(self._waiting))

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether nobody works and nothing waits; what waits for its retry does not count."""
        return not self._waiting and not self._active

    def add(self, key: K) -> None:
        """``key`` is dirty."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._active:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._queue.put_nowait(key)

    def add_after(self, key: K, seconds: float) -> None:
        """``key`` is to be looked at in ``seconds``, or before when it gets dirty."""
        if key in self._waiting or key in self._again:
            return
        known = self._timers.get(key)
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if known is not None:
            if known.when() <= due:
                return
            known.cancel()
        self._timers[key] = loop.call_at(due, self.add, key)

    async def get(self) -> K:
        """The next key; ``done`` must follow."""
        key = await self._queue.get()
        self._waiting.discard(key)
        self._active.add(key)
        return key

    def done(self, key: K) -> None:
        """It went well."""
        self._failures.pop(key, None)
        self._leave(key)

    def failed(self, key: K, *, seconds: float | None = None) -> None:
        """It did not; again after ``seconds``, or after the key's own pause."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        longest = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 16))
        pause = seconds if seconds is not None else random.uniform(longest / 2, longest)  # noqa: S311  jitter
        self._leave(key)
        self.add_after(key, pause)

    def close(self) -> None:
        """Forget all that waits."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._waiting.clear()
        while not self._queue.empty():
            self._queue.get_nowait()

    async def work(
        self, handle: Callable[[K], Awaitable[None]], on_error: Callable[[K, Exception], float | None]
    ) -> None:
        """Hand keys to ``handle`` until cancelled.

        ``on_error`` hears of what it raises (but not of ``Retry``), and may say after how many seconds to
        try again.
        """
        while True:
            key = await self.get()
            try:
                await handle(key)
            except Retry as retry:
                self.done(key)
                self.add_after(key, retry.seconds)
            except Exception as error:  # noqa: BLE001  one guild's trouble is not another's
                self.failed(key, seconds=on_error(key, error))
            except BaseException:
                self._leave(key)
                raise
            else:
                self.done(key)

    def _leave(self, key: K) -> None:
        self._active.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
