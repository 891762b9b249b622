"""Secrets to the pods: ``GET /v1/pods/{pod}/secrets`` on the internal port, NDJSON.

A pod hears of the guilds that the route table puts on it, and of those on their way to it, whose scripts it
loads before their events come. Each is named once the stream is open, those without secrets too (who loads a
script waits for that), then again with each change; one that went away is released. Nothing is
remembered from one stream to the next.

While Postgres is away the stream stays open and says nothing new: the pod goes on with what it has.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Coroutine
from typing import Any, Final, Protocol

from aiohttp import web

from flora_api.secrets.changes import SecretChanges
from flora_api.secrets.store import SecretStore
from flora_core.errors import DatabaseError
from flora_core.identity import Identities, Role, require
from flora_core.ids import GuildId, PodName
from flora_core.serving import pod_in_path, start_stream
from flora_core.telemetry import logger
from flora_core.wire.control import AllSecrets, Beat, PodSecrets, Release, Secrets, pod_secrets
from flora_core.wire.gateway import BEAT_SECONDS

GUILDS_AT_ONCE: Final = 200
WRITE_SECONDS: Final = 30.0
RETRY_SECONDS: Final = 1.0

_log = logger(__name__)


class Placement(Protocol):
    """Which guilds a pod has: what is needed of the route table here."""

    @property
    def revision(self) -> int:
        """Grows with each change."""
        ...

    def guilds_of(self, pod: PodName) -> Collection[GuildId] | None:
        """Those the pod has, and those on their way to it; None while nothing is known."""
        ...

    async def wait_beyond(self, revision: int) -> None:
        """Return when there is a later revision."""
        ...


class SecretDelivery:
    """Adds its route to ``app``."""

    def __init__(
        self,
        app: web.Application,
        store: SecretStore,
        changes: SecretChanges,
        placement: Placement,
        identities: Identities,
    ) -> None:
        self._store = store
        self._changes = changes
        self._placement = placement
        self._identities = identities
        app.router.add_get("/v1/pods/{pod}/secrets", self._serve)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        pod = pod_in_path(request)
        await require(request, self._identities, role=Role.RUNTIME, pod=pod)
        response = await start_stream(request)
        try:
            await self._tell(pod, response)
        except (ConnectionError, TimeoutError) as error:
            _log.info("secret_stream_broken", pod=pod, error=str(error) or type(error).__name__)
        return response

    async def _tell(self, pod: PodName, response: web.StreamResponse) -> None:
        told: set[GuildId] = set()
        position, named_all = self._changes.position, False
        while True:
            placed_at, changed_at = self._placement.revision, self._changes.position
            here = self._placement.guilds_of(pod)
            try:
                if here is not None:
                    await self._catch_up(response, set(here), told, position)
                    position = changed_at
            except DatabaseError:  # SecretChanges says so in the log
                await _write(response, [Beat(0)])
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if here is None or named_all:
                await _write(response, [Beat(0)])
            else:
                await _write(response, [AllSecrets(0)])
                named_all = True
            await _first_of(
                self._placement.wait_beyond(placed_at),
                self._changes.wait_beyond(changed_at),
                seconds=BEAT_SECONDS,
            )

    async def _catch_up(
        self, response: web.StreamResponse, here: set[GuildId], told: set[GuildId], position: int
    ) -> None:
        """Name what is new ``here`` or changed behind ``position``, and what is here no more."""
        gone = told - here
        if gone:
            told -= gone
            await _write(response, [Release(0, guild) for guild in sorted(gone)])
        changed = self._changes.since(position)
        again = told if changed is None else told.intersection(changed)
        due = sorted((here - told) | again)
        for start in range(0, len(due), GUILDS_AT_ONCE):
            guilds = due[start : start + GUILDS_AT_ONCE]
            found = await self._store.opened(guilds)
            await _write(response, [Secrets(0, guild, found.get(guild, [])) for guild in guilds])
            told.update(guilds)


async def _write(response: web.StreamResponse, frames: list[PodSecrets]) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(b"".join(map(pod_secrets.encode, frames)))


async def _first_of(*waits: Coroutine[Any, Any, None], seconds: float) -> None:
    """Return when one of ``waits`` is over, or after ``seconds``."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
