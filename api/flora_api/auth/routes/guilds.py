"""``/guilds``: where I may do things. ``/audit``: what was done."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import asyncpg
import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from flora_api.answers import EVERYWHERE, refusals
from flora_api.auth.guard import AuthGuard
from flora_api.errors import BadRequest
from flora_api.principal import MayRead
from flora_core.database import Database

MOST_ROWS = 200
_LARGEST_ID = 2**63 - 1


class MyGuild(BaseModel):
    """A guild where the bot is and I may do things."""

    id: str
    name: str
    icon: str | None
    permissions: str = Field(description="A bit set in decimal, as in Discord's API.")
    owner: bool


class AuditActor(BaseModel):
    """Who it was."""

    type: str
    user_id: str
    username: str
    token_id: str


class AuditEntry(BaseModel):
    """A change."""

    id: str
    at: datetime
    actor: AuditActor
    action: str
    details: dict[str, Any]


class AuditPage(BaseModel):
    """Newest first."""

    entries: list[AuditEntry]
    cursor: str | None = Field(None, description="For the next page; absent on the last one.")


def router(guard: AuthGuard, database: Database) -> APIRouter:
    routes = APIRouter(tags=["guilds"])

    @routes.get("/guilds", responses=EVERYWHERE, summary="My guilds")
    async def mine(request: Request) -> list[MyGuild]:
        return [
            MyGuild(
                id=standing.guild,
                name=standing.name,
                icon=standing.icon,
                permissions=standing.permissions,
                owner=standing.owner,
            )
            for standing in await guard.my_guilds(request)
        ]

    @routes.get(
        "/audit/{guild_id}",
        responses=EVERYWHERE | refusals(404),
        response_model_exclude_none=True,
        summary="Who changed what",
    )
    async def audit(
        access: MayRead,
        limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 50,
        cursor: Annotated[str | None, Query(max_length=20)] = None,
    ) -> AuditPage:
        before = _parse_cursor(cursor)

        async def read(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                """
                SELECT id, at, actor_type, actor_id, actor_name, token_id, action, details
                FROM audit WHERE guild = $1 AND id < $2 ORDER BY id DESC LIMIT $3
                """,
                access.guild,
                before,
                limit + 1,
            )

        rows = await database.run(read)
        entries = [_entry(row) for row in rows[:limit]]
        return AuditPage(entries=entries, cursor=entries[-1].id if len(rows) > limit else None)

    return routes


def _parse_cursor(cursor: str | None) -> int:
    if cursor is None:
        return _LARGEST_ID
    if not (cursor.isascii() and cursor.isdecimal() and int(cursor) <= _LARGEST_ID):
        raise BadRequest("cursor: give the one that the page before ended with", code="INVALID_CURSOR")
    return int(cursor)


def _entry(row: asyncpg.Record) -> AuditEntry:
    actor = AuditActor(
        type=row["actor_type"],
        user_id=row["actor_id"],
        username=row["actor_name"],
        token_id=row["token_id"],
    )
    return AuditEntry(
        id=str(row["id"]),
        at=row["at"],
        actor=actor,
        action=row["action"],
        details=msgspec.json.decode(row["details"]),
    )
