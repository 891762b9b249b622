"""A guild's backups, made, told, handed out and put back when the API asks; on a pod's HTTP server.

POST   /v1/guilds/{guild}/backups             make one
GET    /v1/guilds/{guild}/backups             those there are, newest first
GET    /v1/guilds/{guild}/backups/{id}        its bytes, with their SHA-256
DELETE /v1/guilds/{guild}/backups/{id}
POST   /v1/guilds/{guild}/restore?mode=merge  with the bytes of one
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, get_args

import msgspec
from aiohttp import web

from flora_core.control.handoffs import SHA256_HEADER
from flora_core.errors import FloraError
from flora_core.ids import GuildId
from flora_core.streams import CONTENT_TYPE
from flora_core.telemetry import logger
from flora_core.wire.guilds import (
    BACKUP_NOT_FOUND,
    GUILD_MOVING,
    INVALID_BACKUP,
    NO_ROOM,
    TOO_LARGE,
    status_of,
)
from flora_runtime.kv.database import KvUnavailable
from flora_runtime.supervisor.backups import (
    Backup,
    Backups,
    BadImport,
    Busy,
    Elsewhere,
    Mode,
    NoRoom,
    OverQuota,
    TooLong,
)
from flora_runtime.supervisor.guild_routes import Refused, answering

DELETED: Final = b"true"
EXPECTED: Final = (FloraError, TimeoutError, OSError)
_MODES: Final[dict[str, Mode]] = {mode: mode for mode in get_args(Mode)}

_log = logger(__name__)


class BackupRoutes:
    """Adds its routes to ``app``."""

    def __init__(
        self,
        app: web.Application,
        backups: Backups,
        guild_of: Callable[[web.Request], Awaitable[GuildId]],
    ) -> None:
        """``guild_of`` gives the guild of a path to those who may ask, and raises Refused."""
        self._backups = backups
        self._guild_of = guild_of
        app.router.add_post("/v1/guilds/{guild}/backups", answering(self._create))
        app.router.add_get("/v1/guilds/{guild}/backups", answering(self._list))
        app.router.add_get("/v1/guilds/{guild}/backups/{id}", self._get)
        app.router.add_delete("/v1/guilds/{guild}/backups/{id}", answering(self._delete))
        app.router.add_post("/v1/guilds/{guild}/restore", answering(self._restore))

    async def _create(self, request: web.Request) -> bytes:
        guild = await self._guild_of(request)
        try:
            backup = await self._backups.create(guild)
        except EXPECTED as error:
            raise _refused(error) from None
        return msgspec.json.encode(backup.row)

    async def _list(self, request: web.Request) -> bytes:
        guild = await self._guild_of(request)
        kept = await asyncio.to_thread(self._backups.kept, guild)
        return msgspec.json.encode([backup.row for backup in kept])

    async def _get(self, request: web.Request) -> web.StreamResponse:
        try:
            backup = await self._find(request)
        except Refused as refused:
            body = msgspec.json.encode(refused.error)
            return web.Response(body=body, status=status_of(refused.error), content_type="application/json")
        headers = {"Content-Type": CONTENT_TYPE, SHA256_HEADER: backup.sha256, "Cache-Control": "no-store"}
        return web.FileResponse(backup.path, headers=headers)

    async def _delete(self, request: web.Request) -> bytes:
        guild, id_ = await self._guild_of(request), request.match_info["id"]
        if not await asyncio.to_thread(self._backups.delete, guild, id_):
            raise _no_such(id_)
        return DELETED

    async def _restore(self, request: web.Request) -> bytes:
        guild = await self._guild_of(request)
        mode = _MODES.get(request.query.get("mode", ""))
        if mode is None:
            raise Refused("INVALID_INPUT", f"mode: should be {' or '.join(_MODES)}")
        try:
            restored = await self._backups.restore(guild, request.content, mode)
        except EXPECTED as error:
            raise _refused(error) from None
        return msgspec.json.encode(restored)

    async def _find(self, request: web.Request) -> Backup:
        guild, id_ = await self._guild_of(request), request.match_info["id"]
        backup = await asyncio.to_thread(self._backups.find, guild, id_)
        if backup is None:
            raise _no_such(id_)
        return backup


def _no_such(id_: str) -> Refused:
    return Refused(BACKUP_NOT_FOUND, f"there is no backup {id_[:40]!r} here")


def _refused(error: Exception) -> Exception:
    """What to answer; ``error`` itself when it is none of those that may be expected."""
    match error:
        case OverQuota():
            return Refused("KV_QUOTA_EXCEEDED", f"nothing was changed: {error}")
        case BadImport():
            return Refused(INVALID_BACKUP, f"nothing was changed: {error}")
        case Busy():
            return Refused("KV_RATE_LIMITED", str(error), retry_after=error.retry_after)
        case Elsewhere():
            return Refused(GUILD_MOVING, str(error), retry_after=1.0)
        case NoRoom():
            return Refused(NO_ROOM, str(error))
        case TooLong():
            return Refused(TOO_LARGE, str(error))
        case KvUnavailable():
            return Refused("KV_UNAVAILABLE", str(error), retry_after=2.0)
        case TimeoutError():
            return Refused("INVALID_INPUT", "the backup did not come to its end in time")
        case ConnectionError():
            return error
        case OSError():
            _log.error("backup_failed", error=str(error))
            return Refused(
                "KV_UNAVAILABLE", "the pod's volume cannot be written or read now", retry_after=5.0
            )
        case _:
            return error
