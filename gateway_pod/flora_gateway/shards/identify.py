"""When a shard may IDENTIFY: Discord's ``max_concurrency``.

Shards are in buckets by ``shard % max_concurrency``; each bucket may identify once in five seconds
(Discord: events/gateway, "Rate Limiting"). Resuming needs no permission. Beyond the daily number of
identifies Discord ends all sessions and resets the token, so a shard that keeps failing waits longer.
"""

from __future__ import annotations

import asyncio
from typing import Final

BUCKET_SECONDS: Final = 5.0


class IdentifyGate:
    """One for all shards of the process."""

    def __init__(self, max_concurrency: int) -> None:
        self._max_concurrency = max(1, max_concurrency)
        self._locks: dict[int, asyncio.Lock] = {}
        self._free_at: dict[int, float] = {}

    async def wait(self, shard: int) -> None:
        """Return when ``shard`` may identify; the next of its bucket waits five seconds from then."""
        bucket = shard % self._max_concurrency
        async with self._locks.setdefault(bucket, asyncio.Lock()):
            loop = asyncio.get_running_loop()
            await asyncio.sleep(self._free_at.get(bucket, 0.0) - loop.time())
            self._free_at[bucket] = loop.time() + BUCKET_SECONDS
