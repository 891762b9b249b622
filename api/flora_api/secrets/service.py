"""Secrets of one process of the API: what its routes and its stream have in common.

Without a usable key everything else of the API serves on: the routes of secrets answer 503 and say what is
wrong with the key, pods are told to come again, and ``trouble`` has it for whoever looks after the
installation.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web
from pydantic import SecretStr

from flora_api.errors import Unavailable
from flora_api.secrets.changes import ASK_SECONDS, SecretChanges
from flora_api.secrets.delivery import Placement, SecretDelivery
from flora_api.secrets.keys import VARIABLE, KeyRing
from flora_api.secrets.store import SecretStore
from flora_core.database.pool import Database
from flora_core.errors import DatabaseError, InvalidSettings
from flora_core.identity import Identities, Role, require
from flora_core.serving import pod_in_path
from flora_core.telemetry import logger

RETRY_SECONDS = 60.0

_log = logger(__name__)


class SecretService:
    """Made by ``open_secrets``."""

    def __init__(self, database: Database, keys: SecretStr, *, ask_seconds: float = ASK_SECONDS) -> None:
        self._trouble: str | None = None
        self._store: SecretStore | None = None
        self._changes: SecretChanges | None = None
        try:
            self._ring = KeyRing.parse(keys.get_secret_value())
        except InvalidSettings as error:
            self._trouble = str(error)
            _log.error("secrets_not_available", error=self._trouble)
            return
        self._store = SecretStore(database, self._ring, changed=self._poke)
        self._changes = SecretChanges(self._store.changes, seconds=ask_seconds)

    def __repr__(self) -> str:
        return "SecretService(…)"

    @property
    def store(self) -> SecretStore:
        """Raises Unavailable when there is no usable key."""
        if self._store is None:
            raise Unavailable(
                f"secrets are not set up in this installation; whoever runs it should look at {VARIABLE}",
                code="SECRETS_NOT_SET_UP",
                retry_after=RETRY_SECONDS,
            )
        return self._store

    def trouble(self) -> str | None:
        """What is wrong with the keys; None when nothing is. No reason to send no requests here."""
        return self._trouble

    def add_routes(self, app: web.Application, placement: Placement, identities: Identities) -> None:
        """The stream to the pods, on the internal port."""
        if self._store is not None and self._changes is not None:
            SecretDelivery(app, self._store, self._changes, placement, identities)
            return

        async def refuse(request: web.Request) -> web.Response:
            await require(request, identities, role=Role.RUNTIME, pod=pod_in_path(request))
            return web.Response(status=503, text=f"there are no secrets here: {self._trouble}\n")

        app.router.add_get("/v1/pods/{pod}/secrets", refuse)

    async def run(self) -> None:
        """Follow changes until cancelled."""
        if self._store is None or self._changes is None:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._changes.run())
            tasks.create_task(self._look_for_missing_keys(self._store))

    def _poke(self) -> None:
        if self._changes is not None:
            self._changes.poke()

    async def _look_for_missing_keys(self, store: SecretStore) -> None:
        """Once, as soon as Postgres answers: one that was taken out too early should be told of now."""
        while True:
            try:
                missing = self._ring.missing(await store.key_ids())
            except DatabaseError:
                await asyncio.sleep(ASK_SECONDS)
                continue
            if missing:
                self._trouble = (
                    f"{VARIABLE} lacks keys that sealed stored secrets: {', '.join(missing)}; put them back "
                    "behind the first, run `flora-api rotate-secrets`, and take them out then"
                )
                _log.error("secret_keys_missing", error=self._trouble)
            return


@asynccontextmanager
async def open_secrets(
    database: Database, keys: SecretStr, *, ask_seconds: float = ASK_SECONDS
) -> AsyncGenerator[SecretService]:
    """The service, following changes for as long as the block lasts."""
    service = SecretService(database, keys, ask_seconds=ask_seconds)
    running = asyncio.create_task(service.run())
    try:
        yield service
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
