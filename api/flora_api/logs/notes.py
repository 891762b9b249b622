"""What the API itself has to say in guilds' logs: that somebody deployed, and how it went.

Nobody waits for it. Lines wait in a queue with a bound, which one task empties; while Redis is away it tries
again, and when there is no room the newest are dropped and counted. A line that a try may have written is
recognised by its mark. What is noted is decided by who may only once: the replica that ended a revision.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Final, NoReturn

import msgspec
from prometheus_client import Counter

from flora_api.logs.store import LogStore, LogsUnavailable
from flora_core.ids import PodName
from flora_core.streams import Backoff
from flora_core.wire.control import LogLine

WAITING: Final = 1000
"""Lines that are still to be written."""

FLUSH_SECONDS: Final = 2.0
"""For what is left when this process ends."""

Note = Callable[[LogLine], None]
"""Has a line written at some time; never blocks, never fails. Without ``at`` it is now."""

_dropped = Counter("flora_api_notes_dropped_total", "Lines of the API's own that no log has")


class Notes:
    """``run`` writes until cancelled; ``flush`` then."""

    def __init__(self, store: LogStore) -> None:
        self._store = store
        self._waiting = asyncio.Queue[LogLine](WAITING)
        # A name of this process's own: marks of other replicas are not to be taken for ours.
        self._name = PodName(f"api-{secrets.token_hex(8)}")
        self._written = 0

    def add(self, line: LogLine) -> None:
        """A ``Note``."""
        try:
            self._waiting.put_nowait(msgspec.structs.replace(line, at=line.at or time.time_ns() // 1_000_000))
        except asyncio.QueueFull:
            _dropped.inc()

    async def run(self) -> NoReturn:
        """Until cancelled."""
        while True:
            await self._write(await self._waiting.get())
            self._waiting.task_done()

    async def flush(self) -> None:
        """Wait until all is written, for FLUSH_SECONDS at most; what is left then is dropped."""
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._waiting.join()
        except TimeoutError:
            _dropped.inc(self._waiting.qsize())

    async def _write(self, line: LogLine) -> None:
        self._written += 1
        backoff = Backoff(first=0.2, longest=5.0)
        while True:
            try:
                await self._store.add(self._name, [line], mark=str(self._written))
            except LogsUnavailable:
                await backoff.pause()
            else:
                return
