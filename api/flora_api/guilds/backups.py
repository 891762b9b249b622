"""Routes for backups of what scripts keep: made and kept by the guild's pod, handed out and put back here."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Annotated, Final, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from flora_api.answers import of_a_guild
from flora_api.guilds.journal import Journal
from flora_api.guilds.models import BackupInfo, RestoredKeys, rfc3339
from flora_api.guilds.pods import Pods, Stream
from flora_api.principal import MayUseKv
from flora_core.control.handoffs import SHA256_HEADER
from flora_core.streams import CONTENT_TYPE
from flora_core.wire.guilds import BackupRow, Restored

MAKE_SECONDS: Final = 25.0
"""For making one: half a gigabyte takes some seconds."""

RESTORE_SECONDS: Final = 300.0
"""For putting one back once all of it has come up."""

BackupId = Annotated[str, Path(pattern=r"^[0-9a-f-]{1,40}$", description="As POST and GET told it.")]
_BYTES: Final = {200: {"content": {CONTENT_TYPE: {}}, "description": "The backup"}}


def backup_router(pods: Pods, journal: Journal) -> APIRouter:
    """Before ``kv.key_router``, whose paths are more general."""
    router = APIRouter(prefix="/kv", tags=["kv"])

    @router.post("/export/{guild_id}", response_model=BackupInfo, responses=of_a_guild(507))
    async def make_backup(access: MayUseKv) -> BackupInfo:
        """Keep all that the guild's script stored, as it is at this moment. The newest ten are kept."""
        row = await pods.ask_for(access.guild, BackupRow, "POST", "/backups", seconds=MAKE_SECONDS)
        await journal.record(access, "kv.export", backup=row.id, keys=row.keys)
        return _told(row)

    @router.get("/export/{guild_id}", response_model=list[BackupInfo], responses=of_a_guild())
    async def list_backups(access: MayUseKv) -> list[BackupInfo]:
        """Those there are, newest first. They lie where the guild is, and do not move with it."""
        rows = await pods.ask_for(access.guild, list[BackupRow], "GET", "/backups", repeatable=True)
        return [_told(row) for row in rows]

    @router.get("/export/{guild_id}/{backup_id}", responses=of_a_guild() | _BYTES, response_class=Response)
    async def get_backup(access: MayUseKv, backup_id: BackupId) -> StreamingResponse:
        """One's bytes: NDJSON, with its SHA-256 in X-Flora-SHA256."""
        stack = contextlib.AsyncExitStack()
        stream = await stack.enter_async_context(
            pods.download(access.guild, f"/backups/{quote(backup_id, safe='')}")
        )
        headers = {
            SHA256_HEADER: stream.headers.get(SHA256_HEADER, ""),
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{access.guild}-{backup_id}.ndjson"',
        }
        if stream.size is not None:
            headers["Content-Length"] = str(stream.size)
        return StreamingResponse(_passed_on(stream, stack), media_type=CONTENT_TYPE, headers=headers)

    @router.delete("/export/{guild_id}/{backup_id}", status_code=204, responses=of_a_guild())
    async def delete_backup(access: MayUseKv, backup_id: BackupId) -> None:
        """Delete one."""
        await pods.ask(access.guild, "DELETE", f"/backups/{quote(backup_id, safe='')}")
        await journal.record(access, "kv.export.delete", backup=backup_id)

    @router.post(
        "/restore/{guild_id}",
        response_model=RestoredKeys,
        responses=of_a_guild(413, 507),
        openapi_extra={"requestBody": {"content": {CONTENT_TYPE: {"schema": {"type": "string"}}}}},
    )
    async def restore(
        request: Request, access: MayUseKv, mode: Annotated[Literal["merge", "replace"], Query()] = "merge"
    ) -> RestoredKeys:
        """Put a backup of this guild back: beside what there is (its keys win), or in its place.

        All of it, or none; the script's own calls wait meanwhile.
        """
        restored = await pods.upload(
            access.guild, Restored, f"/restore?mode={mode}", request.stream(), seconds=RESTORE_SECONDS
        )
        await journal.record(access, "kv.restore", mode=mode, keys=restored.keys)
        return RestoredKeys(keys=restored.keys)

    return router


async def _passed_on(stream: Stream, stack: contextlib.AsyncExitStack) -> AsyncGenerator[bytes]:
    async with stack:
        async for chunk in stream.chunks:
            yield chunk


def _told(row: BackupRow) -> BackupInfo:
    return BackupInfo(backup_id=row.id, bytes=row.bytes, keys=row.keys, created_at=rfc3339(row.at / 1000))
