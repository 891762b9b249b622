"""Whether what the API needs is there: Postgres, Redis, operator and gateway.

A replica takes requests once each of them has answered it. After that it goes on taking them while one is
away, because all replicas would leave at once and nobody would be told what is the matter: what needs the one
that is away is answered with 503. The text of ``/readyz`` and ``flora_api_dependency_up`` tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import aiohttp
from aiohttp import ClientTimeout
from prometheus_client import Gauge

from flora_api.redis_store import AWAY, Store
from flora_core.database import Database
from flora_core.errors import DatabaseError
from flora_core.telemetry import logger

LOOK_SECONDS: Final = 5.0
CALL_SECONDS: Final = 2.0

Look = Callable[[], Awaitable[None]]
"""Returns when it is there; raises one of ``TROUBLE``."""
TROUBLE: Final = (DatabaseError, aiohttp.ClientError, *AWAY)

_up = Gauge("flora_api_dependency_up", "Whether something that the API needs answers", ["name"])
_log = logger(__name__)


class Readiness:
    """``run`` looks until cancelled."""

    def __init__(self, looks: Mapping[str, Look], *, pause: float = LOOK_SECONDS) -> None:
        self._looks = dict(looks)
        self._pause = pause
        self._away: dict[str, str] = dict.fromkeys(looks, "has not answered yet")
        self._never = set(looks)
        self.stopping = False

    @property
    def away(self) -> Mapping[str, str]:
        """What is not there now, and why."""
        return self._away

    def not_ready(self) -> str | None:
        """Why requests should go elsewhere."""
        if self.stopping:
            return "stopping"
        never = [f"{name}: {self._away.get(name, '')}" for name in self._looks if name in self._never]
        return "; ".join(never) or None

    async def run(self) -> None:
        """Look at all of them, and again after a pause."""
        while True:
            await self.look()
            await asyncio.sleep(self._pause if not self._never else min(self._pause, 0.5))

    async def look(self) -> None:
        """Once."""
        await asyncio.gather(*(self._look_at(name, look) for name, look in self._looks.items()))

    async def _look_at(self, name: str, look: Look) -> None:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await look()
        except TROUBLE as error:
            why = str(error) if isinstance(error, DatabaseError) else type(error).__name__
            if self._away.get(name) != why and name not in self._never:
                _log.warning("dependency_away", name=name, why=why)
            self._away[name] = why
            _up.labels(name).set(0)
        else:
            if name in self._away:
                _log.info("dependency_there", name=name)
            self._away.pop(name, None)
            self._never.discard(name)
            _up.labels(name).set(1)


def postgres(database: Database) -> Look:
    async def look() -> None:
        await database.run(lambda connection: connection.fetchval("SELECT 1"))

    return look


def redis(store: Store) -> Look:
    async def look() -> None:
        await store.ping()

    return look


def component(http: aiohttp.ClientSession, url: str) -> Look:
    """One of flora's own, by its ``/healthz``."""

    async def look() -> None:
        timeout = ClientTimeout(total=CALL_SECONDS)
        async with http.get(f"{url.rstrip('/')}/healthz", timeout=timeout) as response:
            response.raise_for_status()

    return look
