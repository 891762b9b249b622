"""Secrets in Postgres.

Whoever changes a guild's secrets holds a lock until the end of the transaction. So quotas are exact, and
versions appear in the order of their numbers: who has read up to one misses none below it. Secrets are
changed by people, a few times a day; that they do it one after the other is felt by nobody.
"""

from __future__ import annotations

import secrets as tokens
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg
from prometheus_client import Counter

from flora_api.audit import record
from flora_api.errors import QuotaExceeded
from flora_api.principal import GuildAccess
from flora_api.secrets.keys import CannotOpen, KeyRing, Sealed
from flora_api.secrets.rules import BYTES_A_GUILD, SECRETS_A_GUILD, NewSecret
from flora_core.database.pool import Database
from flora_core.ids import GuildId
from flora_core.telemetry import logger
from flora_core.wire.control import SECRET_PREFIX, Secret

LOCK: Final = 0x666C_6F72_61_53
"""Key of the advisory lock of those who change secrets: "floraS" in ASCII."""

TAG_BYTES: Final = 16
"""What a ciphertext has more than its value."""

_unreadable = Counter("flora_api_secrets_unreadable_total", "Stored secrets that no key opened")

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class SecretRow:
    """A secret as it may be shown."""

    name: str
    allowed_hosts: list[str]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Changes:
    """Which guilds' secrets changed behind a version."""

    newest: int
    """The version of the last change of all; 0 for none ever."""
    guilds: list[GuildId]


class SecretStore:
    """One a process."""

    def __init__(
        self, database: Database, keys: KeyRing, *, changed: Callable[[], None] = lambda: None
    ) -> None:
        """``changed`` is called after each change that was made here."""
        self._database = database
        self._keys = keys
        self._changed = changed
        self._told: set[str] = set()
        """What was said already of values that do not open."""

    async def rows(self, guild: GuildId) -> list[SecretRow]:
        """The guild's secrets, by name."""

        async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                "SELECT name, allowed_hosts, created_at, updated_at FROM guild_secrets WHERE guild = $1 "
                "ORDER BY name",
                guild,
            )

        return [SecretRow(**dict(row)) for row in await self._database.run(work)]

    async def put(self, access: GuildAccess, new: Sequence[NewSecret]) -> None:
        """Store all of ``new``, in place of those with the same names, or none. Raises QuotaExceeded."""
        guild = access.guild
        sealed = [self._keys.seal(guild, secret.name, secret.value) for secret in new]

        async def work(connection: asyncpg.Connection) -> str:
            async with connection.transaction():
                await _lock(connection)
                over = await _over_quota(connection, guild, new, sealed)
                if not over:
                    await _write(connection, guild, new, sealed)
                    await _note_change(connection, guild)
                    await _record_put(connection, access, new)
                return over

        over = await self._database.run(work)
        if over:
            raise QuotaExceeded(over, code="SECRETS_QUOTA_EXCEEDED")
        self._changed()

    async def delete(self, access: GuildAccess, name: str) -> bool:
        """Whether there was such a secret, which is no more."""
        guild = access.guild

        async def work(connection: asyncpg.Connection) -> bool:
            async with connection.transaction():
                await _lock(connection)
                status = await connection.execute(
                    "DELETE FROM guild_secrets WHERE guild = $1 AND name = $2", guild, name
                )
                if status == "DELETE 0":
                    return False
                await _note_change(connection, guild)
                await record(connection, guild, access.principal, "secret.delete", name=name)
                return True

        deleted = await self._database.run(work)
        if deleted:
            self._changed()
        return deleted

    async def opened(self, guilds: Sequence[GuildId]) -> dict[GuildId, list[Secret]]:
        """The secrets of these guilds, with values, for their pod; guilds without any are left out.

        One whose value does not open has none, and a request with it is refused in so many words.
        """

        async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                "SELECT guild, name, key_id, nonce, ciphertext, placeholder, allowed_hosts "
                "FROM guild_secrets WHERE guild = ANY($1::text[]) ORDER BY guild, name",
                list(guilds),
            )

        found: dict[GuildId, list[Secret]] = {}
        for row in await self._database.run(work):
            guild = GuildId(row["guild"])
            secret = Secret(row["name"], row["placeholder"], self._open(guild, row), row["allowed_hosts"])
            found.setdefault(guild, []).append(secret)
        return found

    async def changes(self, after: int) -> Changes:
        """What changed behind the version ``after``."""

        async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return await connection.fetch(
                "SELECT guild, version FROM guild_secret_changes WHERE version > $1 "
                "UNION ALL SELECT NULL, max(version) FROM guild_secret_changes",
                after,
            )

        rows = await self._database.run(work)
        newest = max((row["version"] or 0 for row in rows), default=0)
        return Changes(newest, [GuildId(row["guild"]) for row in rows if row["guild"] is not None])

    async def key_ids(self) -> list[str]:
        """Ids of the keys that sealed anything that is stored."""

        async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return await connection.fetch("SELECT DISTINCT key_id FROM guild_secrets")

        return [row["key_id"] for row in await self._database.run(work)]

    def _open(self, guild: GuildId, row: asyncpg.Record) -> str | None:
        try:
            return self._keys.open(guild, row["name"], sealed_in(row))
        except CannotOpen as error:
            _unreadable.inc()
            if str(error) not in self._told:
                self._told.add(str(error))
                _log.error("secret_not_readable", guild_id=guild, name=row["name"], error=str(error))
            return None


def sealed_in(row: asyncpg.Record) -> Sealed:
    """What a row of ``guild_secrets`` holds."""
    return Sealed(row["key_id"], row["nonce"], row["ciphertext"])


async def _lock(connection: asyncpg.Connection) -> None:
    await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)


async def _over_quota(
    connection: asyncpg.Connection, guild: GuildId, new: Sequence[NewSecret], sealed: Sequence[Sealed]
) -> str:
    """What would be too much; empty when nothing is."""
    others = await connection.fetchrow(
        "SELECT count(*) AS count, coalesce(sum(length(ciphertext)), 0) AS bytes "
        "FROM guild_secrets WHERE guild = $1 AND name <> ALL($2::text[])",
        guild,
        [secret.name for secret in new],
    )
    assert others is not None
    count = others["count"] + len(new)
    size = others["bytes"] - TAG_BYTES * others["count"]
    size += sum(len(each.ciphertext) - TAG_BYTES for each in sealed)
    if count > SECRETS_A_GUILD:
        return f"the guild would have {count} secrets and may have {SECRETS_A_GUILD}; delete some first"
    if size > BYTES_A_GUILD:
        return (
            f"the guild's secrets would have {size:,} bytes and may have {BYTES_A_GUILD:,}; delete some first"
        )
    return ""


async def _write(
    connection: asyncpg.Connection, guild: GuildId, new: Sequence[NewSecret], sealed: Sequence[Sealed]
) -> None:
    """A secret that is there keeps its placeholder: what scripts hold stays good."""
    await connection.executemany(
        """
        INSERT INTO guild_secrets (guild, name, key_id, nonce, ciphertext, placeholder, allowed_hosts)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (guild, name) DO UPDATE SET
            key_id = excluded.key_id, nonce = excluded.nonce, ciphertext = excluded.ciphertext,
            allowed_hosts = excluded.allowed_hosts, updated_at = now()
        """,
        [
            (guild, secret.name, s.key_id, s.nonce, s.ciphertext, _placeholder(), list(secret.allowed_hosts))
            for secret, s in zip(new, sealed, strict=True)
        ],
    )


def _placeholder() -> str:
    return SECRET_PREFIX + tokens.token_hex(16)


async def _note_change(connection: asyncpg.Connection, guild: GuildId) -> None:
    await connection.execute(
        """
        INSERT INTO guild_secret_changes (guild, version)
        SELECT $1, coalesce(max(version), 0) + 1 FROM guild_secret_changes
        ON CONFLICT (guild) DO UPDATE SET version = excluded.version
        """,
        guild,
    )


async def _record_put(connection: asyncpg.Connection, access: GuildAccess, new: Sequence[NewSecret]) -> None:
    for secret in new:
        await record(
            connection,
            access.guild,
            access.principal,
            "secret.put",
            name=secret.name,
            allowed_hosts=list(secret.allowed_hosts),
        )
