"""Bundles in Postgres: kept by their hash, and found again by the sources they were made from.

A bundle that is asked for is marked as used, at most once an hour, so that reading costs no writes. What
nobody used for the time of ``delete_unused``, and nobody names, may go; somebody who finds a bundle just
then either keeps it by that mark, or is told that there is none. Revisions and builds name theirs: what a
guild can be rolled back to stays, however long nobody asked for it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import asyncpg

from flora_core.database.pool import Database
from flora_core.ids import Sha256
from flora_core.toolchain.bundle import Bundle

MARK_EVERY: Final = timedelta(hours=1)
SHORTEST_RETENTION: Final = timedelta(hours=2)
"""Longer than a mark may be missing."""

DELETE_BATCH: Final = 500
"""Bundles that one transaction deletes, so that none takes long."""


@dataclass(frozen=True, slots=True)
class BundleInfo:
    """A bundle that is kept, without its bytes."""

    sha256: Sha256
    size: int
    """Bytes of ``Bundle.to_bytes()``."""


class Bundles:
    """The bundles of all guilds. Every method raises a DatabaseError where Postgres does not manage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, sha256: Sha256) -> bytes | None:
        """``Bundle.to_bytes()`` of the bundle; None when there is none of that hash."""

        async def work(connection: asyncpg.Connection) -> bytes | None:
            row = await connection.fetchrow(
                "SELECT data, last_used_at < now() - $2::interval AS unmarked FROM bundles WHERE sha256 = $1",
                sha256,
                MARK_EVERY,
            )
            if row is None or (row["unmarked"] and not await _mark(connection, sha256)):
                return None
            return row["data"]

        return await self._database.run(work)

    async def put(self, bundle: Bundle, *, sources: Sha256 | None = None) -> BundleInfo:
        """Keep ``bundle``, and that it is what the sources of that content address become."""
        data = bundle.to_bytes()

        async def work(connection: asyncpg.Connection) -> None:
            async with connection.transaction():
                await connection.execute(
                    """
                    INSERT INTO bundles (sha256, data) VALUES ($1, $2)
                    ON CONFLICT (sha256) DO UPDATE SET last_used_at = now()
                    """,
                    bundle.sha256,
                    data,
                )
                if sources is not None:
                    await connection.execute(
                        """
                        INSERT INTO bundle_sources (sources, bundle) VALUES ($1, $2)
                        ON CONFLICT (sources) DO UPDATE SET bundle = excluded.bundle
                        """,
                        sources,
                        bundle.sha256,
                    )

        await self._database.run(work)
        return BundleInfo(bundle.sha256, len(data))

    async def built_from(self, sources: Sha256) -> BundleInfo | None:
        """The bundle that was made from the sources of that content address; None when none is known."""

        async def work(connection: asyncpg.Connection) -> BundleInfo | None:
            row = await connection.fetchrow(
                """
                SELECT sha256, octet_length(data) AS size, last_used_at < now() - $2::interval AS unmarked
                FROM bundle_sources JOIN bundles ON sha256 = bundle WHERE sources = $1
                """,
                sources,
                MARK_EVERY,
            )
            if row is None or (row["unmarked"] and not await _mark(connection, row["sha256"])):
                return None
            return BundleInfo(row["sha256"], row["size"])

        return await self._database.run(work)

    async def delete_unused(self, *, older_than: timedelta, keep: Collection[Sha256]) -> int:
        """Delete what nobody names and nobody used for ``older_than``, at least two hours; how many.

        Named are those in ``keep``, and those of revisions and builds.
        """
        if older_than < SHORTEST_RETENTION:
            raise ValueError(f"bundles are kept for at least {SHORTEST_RETENTION}, not {older_than}")
        kept = list(keep)

        async def work(connection: asyncpg.Connection) -> int:
            return await connection.fetchval(
                """
                WITH old AS (
                    SELECT sha256 FROM bundles
                    WHERE last_used_at < now() - $1::interval AND NOT sha256 = ANY ($2::text[])
                        AND NOT EXISTS (SELECT FROM revisions WHERE bundle = sha256)
                        AND NOT EXISTS (SELECT FROM builds WHERE bundle = sha256)
                    ORDER BY last_used_at LIMIT $3 FOR UPDATE SKIP LOCKED
                ), deleted AS (DELETE FROM bundles USING old WHERE bundles.sha256 = old.sha256 RETURNING 1)
                SELECT count(*) FROM deleted
                """,
                older_than,
                kept,
                DELETE_BATCH,
            )

        total = 0
        while deleted := await self._database.run(work):
            total += deleted
        return total


async def _mark(connection: asyncpg.Connection, sha256: str) -> bool:
    """Mark a bundle as used; False when it was deleted meanwhile."""
    done = await connection.execute("UPDATE bundles SET last_used_at = now() WHERE sha256 = $1", sha256)
    return done != "UPDATE 0"
