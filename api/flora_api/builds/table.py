"""Builds in Postgres, so that every replica can tell of them; kept for an hour.

A build belongs to the replica that took it on. That replica says again and again that it is alive; of one
that is not heard of any more the builds have failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from flora_api.audit import record
from flora_api.deployments.revisions import as_text, pack, unpack
from flora_api.errors import TooMany
from flora_api.principal import GuildAccess
from flora_core.database import Database
from flora_core.ids import GuildId, Sha256

A_GUILD: Final = 2
"""Builds of one guild under way at once."""

KEPT_SECONDS: Final = 3600.0
ALIVE_SECONDS: Final = 60.0

_COLUMNS: Final = "id, guild, entry, status, logs, error, bundle, created_at, started_at, finished_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One build as it is."""

    id: UUID
    guild: GuildId
    entry: str
    status: str
    logs: Sequence[str]
    error: str
    bundle: Sha256 | None
    started: datetime | None
    finished: datetime | None

    @property
    def ended(self) -> bool:
        return self.status in {"done", "failed"}


class BuildTable:
    """Every method raises a DatabaseError where Postgres does not manage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, access: GuildAccess, build: UUID, entry: str) -> None:
        """A queued build; raises TooMany when the guild has two under way."""

        async def work(connection: asyncpg.Connection) -> None:
            async with connection.transaction():
                await connection.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended($1, 5))", access.guild
                )
                under_way = await connection.fetchval(
                    """
                    SELECT count(*) FROM builds
                    WHERE guild = $1 AND status IN ('queued', 'running') AND id <> $2 AND alive_until > now()
                    """,
                    access.guild,
                    build,
                )
                if under_way >= A_GUILD:
                    raise TooMany(
                        f"{under_way} builds of this guild are under way; wait for one", retry_after=5
                    )
                added = await connection.execute(
                    """
                    INSERT INTO builds (id, guild, entry, status, alive_until)
                    VALUES ($1, $2, $3, 'queued', now() + $4 * interval '1 second') ON CONFLICT DO NOTHING
                    """,
                    build,
                    access.guild,
                    entry,
                    ALIVE_SECONDS,
                )
                if added != "INSERT 0 0":
                    await record(
                        connection,
                        access.guild,
                        access.principal,
                        "build.create",
                        build=str(build),
                        entry=entry,
                    )

        await self._database.run(work)

    async def log(self, build: UUID, *lines: str, started: bool = False) -> None:
        """Add lines; the build runs from now on when it has ``started``."""

        async def work(connection: asyncpg.Connection) -> None:
            await connection.execute(
                """
                UPDATE builds SET logs = logs || $2::text[],
                    status = CASE WHEN $3 THEN 'running' ELSE status END,
                    started_at = CASE WHEN $3 THEN COALESCE(started_at, now()) ELSE started_at END
                WHERE id = $1 AND status IN ('queued', 'running')
                """,
                build,
                [as_text(line) for line in lines],
                started,
            )

        await self._database.run(work)

    async def finish(
        self,
        build: UUID,
        *lines: str,
        error: str = "",
        bundle: Sha256 | None = None,
        files: Mapping[str, str] | None = None,
    ) -> None:
        """Its end: done, unless there is an ``error``."""

        async def work(connection: asyncpg.Connection) -> None:
            await connection.execute(
                """
                UPDATE builds SET logs = logs || $2::text[], status = $3, error = $4, bundle = $5, files = $6,
                    finished_at = now()
                WHERE id = $1 AND status IN ('queued', 'running')
                """,
                build,
                [as_text(line) for line in lines],
                "failed" if error else "done",
                as_text(error),
                bundle,
                pack(files),
            )

        await self._database.run(work)

    async def get(self, build: UUID) -> Build | None:
        async def work(connection: asyncpg.Connection) -> asyncpg.Record | None:
            return await connection.fetchrow(f"SELECT {_COLUMNS} FROM builds WHERE id = $1", build)  # noqa: S608

        row = await self._database.run(work)
        return _from_row(row) if row is not None else None

    async def files(self, build: UUID) -> dict[str, str] | None:
        """The project's own sources."""

        async def work(connection: asyncpg.Connection) -> bytes | None:
            return await connection.fetchval("SELECT files FROM builds WHERE id = $1", build)

        return unpack(await self._database.run(work))

    async def keep_house(self, alive: Sequence[UUID]) -> None:
        """Ours live on; those of a replica that is gone have failed; old ones are deleted."""

        async def work(connection: asyncpg.Connection) -> None:
            async with connection.transaction():
                await connection.execute(
                    """
                    UPDATE builds SET alive_until = now() + $2 * interval '1 second'
                    WHERE id = ANY ($1::uuid[])
                    """,
                    list(alive),
                    ALIVE_SECONDS,
                )
                await connection.execute(
                    """
                    UPDATE builds SET status = 'failed', finished_at = now(),
                        error = 'the API was started anew while it was built; build it again'
                    WHERE status IN ('queued', 'running') AND alive_until < now()
                    """
                )
                await connection.execute(
                    """
                    DELETE FROM builds WHERE created_at < now() - $1 * interval '1 second'
                        AND status IN ('done', 'failed')
                    """,
                    KEPT_SECONDS,
                )

        await self._database.run(work)


def _from_row(row: Mapping[str, Any]) -> Build:
    return Build(
        id=row["id"],
        guild=row["guild"],
        entry=row["entry"],
        status=row["status"],
        logs=row["logs"],
        error=row["error"],
        bundle=row["bundle"],
        started=row["started_at"],
        finished=row["finished_at"],
    )
