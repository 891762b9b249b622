"""The revisions of all guilds, in Postgres.

A pending revision is also the lock of its guild: a unique index admits one at a time, whichever replica of
the API began it. What becomes of it is written by ``finish``, which only the first of several gets to do. So
every replica may look after every pending revision, and none of them has to be alive for it to end.

Changes that came by kubectl are told by the generation of the object: ``observe`` writes one down unless
some revision explains it, and a second unique index has it written once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from flora_api.audit import record
from flora_api.deployments.pages import NEWEST, SHOWN_PAGES
from flora_api.deployments.revisions import (
    COLUMNS,
    KEPT,
    NewRevision,
    Revision,
    as_text,
    changes_between,
    from_row,
    pack,
    unpack,
)
from flora_api.deployments.store import Deployment
from flora_api.errors import Conflict
from flora_api.principal import Principal
from flora_core.database import Database
from flora_core.ids import GuildId

APPLY_SECONDS: Final = 30.0
"""After that another replica applies a revision that nobody is known to have applied."""

LOOKED_AFTER: Final = 1000
"""Pending revisions that are looked at in one go."""


class Good(NamedTuple):
    """A revision that went live, in short."""

    id: UUID
    entry: str
    created: datetime


class Busy(Conflict):
    """Another deploy of the guild is under way."""

    default_code = "DEPLOY_IN_PROGRESS"


class History:
    """Every method raises a DatabaseError where Postgres does not manage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ---------------------------------------------------------------- one deploy

    async def begin(self, new: NewRevision, *, action: str, expected: str | None = None) -> Revision:
        """A pending revision, recorded in the audit log as ``action``.

        ``expected`` is the id of the revision that should be the last good one, ``none`` for that there is
        none. Raises Busy, which names the other, or Conflict when another is the last good one.
        """

        async def work(connection: asyncpg.Connection) -> Revision:
            async with connection.transaction():
                revision = await _insert(connection, new)
                if revision is None:
                    other = await _deploying(connection, new.guild)
                    if other is not None and other.id == new.id:
                        return other  # an earlier try of ours, whose answer was lost
                    raise busy_with(other)
                if expected is not None:
                    _check_expected(await _last_good(connection, new.guild), expected)
                await record(
                    connection,
                    new.guild,
                    new.actor,
                    action,
                    revision=str(revision.id),
                    source=new.source,
                    message=new.message,
                )
            return revision

        return await self._database.run(work)

    async def keep_failed(self, new: NewRevision, *, code: str, error: str) -> None:
        """A revision that never got as far as the cluster."""

        async def work(connection: asyncpg.Connection) -> None:
            async with connection.transaction():
                revision = await _insert(connection, new, status="failed", code=code, error=error)
                if revision is not None:  # an earlier try of ours, whose answer was lost
                    await record(
                        connection,
                        new.guild,
                        new.actor,
                        "deployment.deploy",
                        revision=str(new.id),
                        failed=code,
                    )
                    await _prune(connection, new.guild)

        await self._database.run(work)

    async def applied(self, revision: UUID, *, uid: str, generation: int) -> None:
        """The object has it."""

        async def work(connection: asyncpg.Connection) -> None:
            await connection.execute(
                "UPDATE revisions SET object_uid = $2, generation = $3 WHERE id = $1",
                revision,
                uid,
                generation,
            )

        await self._database.run(work)

    async def take_over(self, revision: UUID) -> bool:
        """Whether it is for the caller to apply it now, because whoever began it did not get to it."""

        async def work(connection: asyncpg.Connection) -> bool:
            done = await connection.execute(
                """
                UPDATE revisions SET apply_until = now() + $2 * interval '1 second'
                WHERE id = $1 AND status = 'pending' AND generation IS NULL AND apply_until < now()
                """,
                revision,
                APPLY_SECONDS,
            )
            return done != "UPDATE 0"

        return await self._database.run(work)

    async def finish(
        self,
        revision: Revision,
        *,
        pod: str = "",
        code: str = "",
        error: str = "",
        stack: str = "",
        bundle: str = "",
    ) -> bool:
        """End it, well unless ``code`` says otherwise; False when it had ended already."""

        async def work(connection: asyncpg.Connection) -> bool:
            async with connection.transaction():
                done = await connection.execute(
                    """
                    UPDATE revisions SET status = $2, pod = $3, error_code = $4, error = $5, error_stack = $6,
                        bundle = COALESCE(bundle, NULLIF($7, '')), finished_at = clock_timestamp()
                    WHERE id = $1 AND status = 'pending'
                    """,
                    revision.id,
                    "failed" if code else "success",
                    pod,
                    code,
                    as_text(error),
                    as_text(stack),
                    bundle,
                )
                await _prune(connection, revision.guild)
            return done != "UPDATE 0"

        return await self._database.run(work)

    async def pending(self) -> list[tuple[Revision, float]]:
        """All that have not ended, each with its age in seconds; deploys first, at most a thousand."""

        async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                f"""
                SELECT {COLUMNS}, extract(epoch FROM clock_timestamp() - created_at)::float8 AS age
                FROM revisions WHERE status = 'pending' ORDER BY observed, created_at LIMIT $1
                """,  # noqa: S608  names of columns
                LOOKED_AFTER,
            )

        return [(from_row(row), row["age"]) for row in await self._database.run(work)]

    async def deploying(self, guild: GuildId) -> Revision | None:
        """The deploy of the guild that is under way through the API."""

        async def work(connection: asyncpg.Connection) -> Revision | None:
            return await _deploying(connection, guild)

        return await self._database.run(work)

    # ---------------------------------------------------------------- what others did

    async def explains(self, found: Deployment) -> bool:
        """Whether some revision is why the object has the source that it has.

        A revision that was given up as failed, and runs after all, becomes a good one.
        """

        async def work(connection: asyncpg.Connection) -> bool:
            async with connection.transaction():
                if not await _is_explained(connection, found):
                    return False
                if found.ready:
                    await _revive(connection, found)
                return True

        return await self._database.run(work)

    async def plainly_explains(self, found: Sequence[Deployment]) -> set[GuildId]:
        """Those of ``found`` for which ``explains`` would say so and change nothing, asked together."""

        async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                """
                SELECT of_guild
                FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::boolean[])
                    AS asked (of_guild, of_uid, of_generation, of_digest, ready)
                CROSS JOIN LATERAL (
                    SELECT digest, status FROM revisions
                    WHERE object_uid = of_uid AND generation <= of_generation
                    ORDER BY generation DESC, created_at DESC LIMIT 1
                ) AS newest
                WHERE digest = of_digest AND NOT (ready AND status = 'failed')
                """,
                [one.guild for one in found],
                [one.uid for one in found],
                [one.generation for one in found],
                [one.digest for one in found],
                [one.ready for one in found],
            )

        return {row[0] for row in await self._database.run(work)}

    async def observe(self, new: NewRevision, found: Deployment) -> Revision | None:
        """Write down what ``found`` has, unless there is a revision for it by now; None, then."""

        async def work(connection: asyncpg.Connection) -> Revision | None:
            async with connection.transaction():
                if await _is_explained(connection, found):
                    if found.ready:  # it may be another look at the same object that has just explained it
                        await _revive(connection, found)
                    return None
                revision = await _insert(
                    connection,
                    new,
                    status="success" if found.ready else "pending",
                    uid=found.uid,
                    generation=found.generation,
                    pod=found.status.assignment.pod if found.ready else "",
                )
                if revision is not None:
                    await _prune(connection, new.guild)
                    await record(
                        connection, new.guild, new.actor, "deployment.observe", revision=str(revision.id)
                    )
                return revision

        return await self._database.run(work)

    # ---------------------------------------------------------------- looking back

    async def get(self, guild: GuildId, revision: UUID) -> Revision | None:
        found = await self._fetch("WHERE id = $1 AND guild = $2", revision, guild)
        return found[0] if found else None

    async def files(self, revision: UUID) -> dict[str, str] | None:
        """Its sources; None when they are not known."""

        async def work(connection: asyncpg.Connection) -> bytes | None:
            return await connection.fetchval("SELECT files FROM revisions WHERE id = $1", revision)

        return unpack(await self._database.run(work))

    async def page(
        self, guild: GuildId, *, limit: int, after: tuple[datetime, UUID] | None = None
    ) -> list[Revision]:
        """Newest first, from behind ``after``."""
        if after is None:
            return await self._fetch(
                "WHERE guild = $1 ORDER BY created_at DESC, id DESC LIMIT $2", guild, limit
            )
        return await self._fetch(
            "WHERE guild = $1 AND (created_at, id) < ($3, $4) ORDER BY created_at DESC, id DESC LIMIT $2",
            guild,
            limit,
            *after,
        )

    async def last_good(self, guild: GuildId) -> Revision | None:
        """The newest one that went live."""
        return _first(
            await self._fetch(
                "WHERE guild = $1 AND status = 'success' ORDER BY created_at DESC, id DESC LIMIT 1", guild
            )
        )

    async def good_before(self, revision: Revision) -> Revision | None:
        """The last good one before ``revision`` that runs something else."""
        return _first(
            await self._fetch(
                """
                WHERE guild = $1 AND status = 'success' AND (created_at, id) < ($2, $3) AND digest <> $4
                ORDER BY created_at DESC, id DESC LIMIT 1
                """,
                revision.guild,
                revision.created,
                revision.id,
                revision.digest,
            )
        )

    async def last_applied(self, guild: GuildId) -> Revision | None:
        """The newest that the cluster was given, whatever became of it."""
        return _first(
            await self._fetch(
                """
                WHERE guild = $1 AND (generation IS NOT NULL OR status = 'pending')
                ORDER BY created_at DESC, id DESC LIMIT 1
                """,
                guild,
            )
        )

    async def good_ones(self, guilds: Sequence[GuildId]) -> list[Good | None]:
        """The newest good one of each, in their order."""

        async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                """
                SELECT id, entry, created_at
                FROM unnest($1::text[]) WITH ORDINALITY AS asked (of_guild, place) LEFT JOIN LATERAL (
                    SELECT id, entry, created_at FROM revisions WHERE guild = of_guild AND status = 'success'
                    ORDER BY created_at DESC, id DESC LIMIT 1
                ) AS newest ON true
                ORDER BY place
                """,
                guilds,
            )

        rows = await self._database.run(work)
        return [Good(row[0], row[1], row[2]) if row[0] is not None else None for row in rows]

    async def shown_pages(
        self, asked: Sequence[tuple[GuildId, int, tuple[datetime, UUID] | None]]
    ) -> list[bytes]:
        """For each guild so many, newest first, from behind a place: as the JSON that is shown."""
        behind = [after or NEWEST for _, _, after in asked]

        async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                SHOWN_PAGES,
                [guild for guild, _, _ in asked],
                [limit for _, limit, _ in asked],
                [created for created, _ in behind],
                [revision for _, revision in behind],
            )

        return [row[0].encode() for row in await self._database.run(work)]

    async def last_good_of(self, guilds: Collection[GuildId]) -> dict[GuildId, tuple[UUID, datetime]]:
        """The newest good one of each, by id and time: for thousands at once, from the index alone."""

        async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                """
                SELECT of_guild, id, created_at FROM unnest($1::text[]) AS asked (of_guild)
                CROSS JOIN LATERAL (
                    SELECT id, created_at FROM revisions WHERE guild = of_guild AND status = 'success'
                    ORDER BY created_at DESC, id DESC LIMIT 1
                ) AS newest
                """,
                list(guilds),
            )

        return {row[0]: (row[1], row[2]) for row in await self._database.run(work)}

    async def audit(self, guild: GuildId, actor: Principal, action: str, **details: Any) -> None:
        """Record what changed no revision."""

        async def work(connection: asyncpg.Connection) -> None:
            await record(connection, guild, actor, action, **details)

        await self._database.run(work)

    async def _fetch(self, rest: str, *arguments: object) -> list[Revision]:
        async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return await connection.fetch(f"SELECT {COLUMNS} FROM revisions {rest}", *arguments)  # noqa: S608

        return [from_row(row) for row in await self._database.run(work)]


async def _insert(
    connection: asyncpg.Connection,
    new: NewRevision,
    *,
    status: str = "pending",
    code: str = "",
    error: str = "",
    uid: str | None = None,
    generation: int | None = None,
    pod: str = "",
) -> Revision | None:
    """None when a unique index is in the way."""
    base = await _last_good(connection, new.guild)
    before = None
    if base is not None and base.has_files:
        before = unpack(await connection.fetchval("SELECT files FROM revisions WHERE id = $1", base.id))
    changes = changes_between(before, new.files)
    row = await connection.fetchrow(
        f"""
        INSERT INTO revisions (id, guild, status, entry, source, message, actor_type, actor_id, actor_name,
            digest, files, bundle, inline, client_bundle, forced, base_revision, change_summary, error_code,
            error, object_uid, generation, apply_until, finished_at, observed, pod)
        VALUES ($22, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
            $20, now() + $21 * interval '1 second',
            CASE WHEN $2 = 'pending' THEN NULL ELSE clock_timestamp() END, $23, $24)
        ON CONFLICT DO NOTHING RETURNING {COLUMNS}
        """,  # noqa: S608  names of columns
        new.guild,
        status,
        as_text(new.entry),
        new.source.value,
        as_text(new.message),
        new.actor.type.value,
        new.actor.user_id,
        as_text(new.actor.username),
        new.digest,
        pack(new.files),
        new.bundle,
        new.inline,
        new.client_bundle,
        new.forced,
        base.id if base is not None else None,
        msgspec.json.encode(changes).decode() if changes is not None else None,
        code,
        as_text(error),
        uid,
        generation,
        APPLY_SECONDS,
        new.id,
        new.observed,
        pod,
    )
    return from_row(row) if row is not None else None


async def _last_good(connection: asyncpg.Connection, guild: GuildId) -> Revision | None:
    row = await connection.fetchrow(
        f"""
        SELECT {COLUMNS} FROM revisions WHERE guild = $1 AND status = 'success'
        ORDER BY created_at DESC, id DESC LIMIT 1
        """,  # noqa: S608  names of columns
        guild,
    )
    return from_row(row) if row is not None else None


async def _deploying(connection: asyncpg.Connection, guild: GuildId) -> Revision | None:
    row = await connection.fetchrow(
        f"""
        SELECT {COLUMNS} FROM revisions WHERE guild = $1 AND status = 'pending' AND NOT observed
        """,  # noqa: S608  names of columns
        guild,
    )
    return from_row(row) if row is not None else None


def busy_with(other: Revision | None) -> Busy:
    """What is told who wants to deploy beside ``other``."""
    if other is None:
        return Busy("another deploy of this guild has just ended; try again", retry_after=1)
    who = other.actor.username or other.actor.user_id or "somebody"
    return Busy(
        f"{who} deploys to this guild since {other.created:%H:%M:%S} UTC (revision {other.id}); "
        "wait until that has ended",
        details={
            "revision_id": str(other.id),
            "actor": {"user_id": other.actor.user_id, "username": other.actor.username},
            "since": other.created.isoformat().replace("+00:00", "Z"),
        },
        retry_after=5,
    )


def _check_expected(last: Revision | None, expected: str) -> None:
    found = str(last.id) if last is not None else "none"
    if found != expected.lower():
        raise Conflict(
            f"revision {found} is live, and you expected {expected}: somebody deployed meanwhile; "
            "look at the diff, and deploy again",
            code="REVISION_CHANGED",
            details={"revision_id": found, "expected": expected[:64]},
        )


async def _explaining(connection: asyncpg.Connection, uid: str, generation: int) -> asyncpg.Record | None:
    return await connection.fetchrow(
        """
        SELECT id, digest, status FROM revisions WHERE object_uid = $1 AND generation <= $2
        ORDER BY generation DESC, created_at DESC LIMIT 1
        """,
        uid,
        generation,
    )


async def _is_explained(connection: asyncpg.Connection, found: Deployment) -> bool:
    row = await _explaining(connection, found.uid, found.generation)
    if row is not None and row["digest"] == found.digest:
        return True
    pending = await _deploying(connection, found.guild)
    if pending is not None and pending.generation is None and pending.digest == found.digest:
        return True  # applied a moment ago, by a replica that has yet to write that down
    try:
        named = UUID(found.revision)
    except ValueError:
        return False
    adopted = await connection.execute(  # it was not known whether applying it had worked: it had
        """
        UPDATE revisions SET object_uid = $2, generation = $3
        WHERE id = $1 AND digest = $4 AND guild = $5 AND generation IS NULL
        """,
        named,
        found.uid,
        found.generation,
        found.digest,
        found.guild,
    )
    return adopted != "UPDATE 0"


async def _revive(connection: asyncpg.Connection, found: Deployment) -> None:
    row = await _explaining(connection, found.uid, found.generation)
    if row is not None and row["status"] == "failed" and row["digest"] == found.digest:
        await connection.execute(
            """
            UPDATE revisions SET status = 'success', error_code = '', error = '', error_stack = '', pod = $2
            WHERE id = $1 AND status = 'failed'
            """,
            row["id"],
            found.status.assignment.pod,
        )


async def _prune(connection: asyncpg.Connection, guild: GuildId) -> None:
    await connection.execute(
        """
        DELETE FROM revisions WHERE id IN (
            SELECT id FROM revisions WHERE guild = $1 ORDER BY created_at DESC, id DESC OFFSET $2
        ) AND status <> 'pending' AND id IS DISTINCT FROM (
            SELECT id FROM revisions WHERE guild = $1 AND status = 'success'
            ORDER BY created_at DESC, id DESC LIMIT 1
        )
        """,
        guild,
        KEPT,
    )


def _first(found: list[Revision]) -> Revision | None:
    return found[0] if found else None
