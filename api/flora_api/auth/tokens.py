"""API tokens: ``flora_<id>_<secret>``, of which Postgres has the secret's SHA-256 alone.

A secret of 256 random bits needs no slow hash. The table is asked at most once in ``FRESH_SECONDS`` for a
token, so a token that is revoked on another replica is good for as long at most; on this one it ends at once.
When it was last used is written down once a minute.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import asyncpg

from flora_api.audit import NO_GUILD, record
from flora_api.errors import Conflict, NotFound
from flora_api.principal import Principal, Right
from flora_api.together import Together
from flora_core.database import Database
from flora_core.ids import GuildId

FRESH_SECONDS: Final = 3.0
KEPT: Final = 4096
MOST_OF_A_PERSON: Final = 50
GUILDS_MOST: Final = 100
LABEL_MOST: Final = 100
LABEL: Final = r"^[^\x00-\x1f\x7f]*$"
"""What a label may hold: Postgres keeps no NUL, and a table no newline."""
DAYS_USUAL: Final = 90
DAYS_MOST: Final = 365
PREFIX: Final = "flora_"

_ID_BYTES, _SECRET_BYTES = 10, 32
_ID: Final = re.compile(r"[a-z2-7]{16}")
_TOKEN: Final = re.compile(r"flora_([a-z2-7]{16})_([a-z2-7]{52})")


class TokenParts(NamedTuple):
    """A token as it is shown."""

    id: str
    secret: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.id}_{self.secret}"

    def __repr__(self) -> str:
        return f"TokenParts({self.id!r}, …)"

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.secret.encode()).digest()


def make_token() -> TokenParts:
    """A new one: 80 bits of id, 256 of secret."""
    return TokenParts(_base32(_ID_BYTES), _base32(_SECRET_BYTES))


def parse_token(text: str) -> TokenParts | None:
    """The parts of ``text`` when it has a token's form."""
    match = _TOKEN.fullmatch(text)
    return TokenParts(match[1], match[2]) if match is not None else None


def _base32(length: int) -> str:
    return base64.b32encode(secrets.token_bytes(length)).decode().rstrip("=").lower()


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A row; never the secret."""

    token_id: str
    user_id: str
    label: str
    login: bool
    """A CLI got it by its person's login; it manages other tokens."""
    guilds: frozenset[str] | None
    """None for all guilds of its person."""
    scopes: frozenset[Right]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime

    def allows(self, guild: GuildId, right: Right) -> bool:
        """Whether its limits let ``right`` in ``guild`` through."""
        return right in self.scopes and (self.guilds is None or guild in self.guilds)


@dataclass(frozen=True, slots=True)
class Known:
    """A token that was good when it was looked up, and whose it is."""

    token: ApiToken
    sha256: bytes
    username: str


class Tokens:
    """The table, and what of it is remembered for a moment. Belongs to its loop."""

    def __init__(
        self,
        database: Database,
        *,
        fresh_seconds: float = FRESH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._together = Together[TokenParts, Known | None](
            lambda asked: database.run(lambda connection: _look_up(connection, asked)), at_once=2
        )
        self._fresh_seconds = fresh_seconds
        self._clock = clock
        self._today = today
        self._fresh: OrderedDict[str, tuple[float, Known]] = OrderedDict()
        self._revoked: OrderedDict[str, None] = OrderedDict()
        """Revoked here: a look-up that was under way meanwhile may still bring them."""

    async def find(self, parts: TokenParts) -> Known | None:
        """The token, when it is good: its secret right, not revoked, not expired. Raises DatabaseError."""
        known = self._fresh_one(parts.id)
        if known is None:
            known = await self._together.ask(parts)
            if known is not None and parts.id not in self._revoked:
                self._remember(known)
        return known if known is not None and self._is_good(known, parts) else None

    def remembered(self, parts: TokenParts) -> Known | None:
        """The same without asking anybody: None also for what is not known at the moment."""
        known = self._fresh_one(parts.id)
        return known if known is not None and self._is_good(known, parts) else None

    def _is_good(self, known: Known, parts: TokenParts) -> bool:
        return (
            parts.id not in self._revoked
            and hmac.compare_digest(known.sha256, parts.sha256)
            and known.token.expires_at > self._today()
        )

    async def create(
        self,
        actor: Principal,
        *,
        label: str = "",
        guilds: Sequence[GuildId] | None = None,
        scopes: Sequence[Right] = tuple(Right),
        days: int = DAYS_USUAL,
        login: bool = False,
    ) -> tuple[TokenParts, ApiToken]:
        """A new token of ``actor``'s. Raises Conflict when he has too many, DatabaseError."""
        parts = make_token()  # outside of what may be tried twice: the second try must be the same token
        expires_at = self._today() + timedelta(days=days)

        async def insert(connection: asyncpg.Connection) -> Any:
            async with connection.transaction():
                await connection.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended($1, 4))", actor.user_id
                )
                there = "SELECT * FROM api_tokens WHERE token_id = $1"
                if (row := await connection.fetchrow(there, parts.id)) is not None:
                    return row
                await connection.execute(
                    "DELETE FROM api_tokens WHERE user_id = $1 AND expires_at < now() - interval '30 days'",
                    actor.user_id,
                )
                count = await connection.fetchval(
                    "SELECT count(*) FROM api_tokens WHERE user_id = $1", actor.user_id
                )
                if count >= MOST_OF_A_PERSON:
                    raise Conflict(
                        f"you have {count} tokens, and may have {MOST_OF_A_PERSON}: revoke one first",
                        code="TOO_MANY_TOKENS",
                    )
                row = await connection.fetchrow(
                    """
                    INSERT INTO api_tokens
                        (token_id, user_id, label, secret_sha256, guilds, scopes, expires_at, login)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *
                    """,
                    parts.id,
                    actor.user_id,
                    label,
                    parts.sha256,
                    None if guilds is None else list(dict.fromkeys(guilds)),
                    [right.value for right in dict.fromkeys(scopes)],
                    expires_at,
                    login,
                )
                told = {"token_id": parts.id, "label": label, "scopes": sorted(scopes)}
                await record(connection, NO_GUILD, actor, "token.create", **told)
                return row

        return parts, _read(await self._database.run(insert))

    async def list(self, user_id: str) -> list[ApiToken]:
        """Somebody's, newest first; expired ones too, for a month."""
        rows = await self._database.run(
            lambda connection: connection.fetch(
                "SELECT * FROM api_tokens WHERE user_id = $1 ORDER BY created_at DESC, token_id",
                user_id,
            )
        )
        return [_read(row) for row in rows]

    async def revoke(self, actor: Principal, token_id: str) -> None:
        """End it, here at once. Raises NotFound when ``actor`` has none of that id, DatabaseError."""

        async def delete(connection: asyncpg.Connection) -> bool:
            async with connection.transaction():
                gone = await connection.fetchval(
                    "DELETE FROM api_tokens WHERE token_id = $1 AND user_id = $2 RETURNING token_id",
                    token_id,
                    actor.user_id,
                )
                if gone is not None:
                    await record(connection, NO_GUILD, actor, "token.revoke", token_id=token_id)
                return gone is not None

        if _ID.fullmatch(token_id) is None or not await self._database.run(delete):
            raise NotFound("you have no token of this id", code="NO_SUCH_TOKEN")
        self._fresh.pop(token_id, None)
        self._revoked[token_id] = None
        while len(self._revoked) > KEPT:
            self._revoked.popitem(last=False)

    def _fresh_one(self, token_id: str) -> Known | None:
        until, known = self._fresh.get(token_id, (0.0, None))
        return known if self._clock() < until else None

    def _remember(self, known: Known) -> None:
        self._fresh[known.token.token_id] = self._clock() + self._fresh_seconds, known
        self._fresh.move_to_end(known.token.token_id)
        while len(self._fresh) > KEPT:
            self._fresh.popitem(last=False)


async def _look_up(connection: asyncpg.Connection, asked: Sequence[TokenParts]) -> list[Known | None]:
    """The rows of those ids, whose secrets are then to be compared; marked as used where they are right."""
    rows = await connection.fetch(
        """
        SELECT api_tokens.*, username,
            coalesce(last_used_at < now() - interval '1 minute', true) AS unmarked
        FROM api_tokens JOIN people USING (user_id) WHERE token_id = ANY($1)
        """,
        [parts.id for parts in asked],
    )
    known = {row["token_id"]: Known(_read(row), row["secret_sha256"], row["username"]) for row in rows}
    unmarked = {row["token_id"] for row in rows if row["unmarked"]}
    right = [
        parts.id
        for parts in asked
        if parts.id in unmarked and hmac.compare_digest(known[parts.id].sha256, parts.sha256)
    ]
    if right:
        marked = await connection.fetch(
            """
            UPDATE api_tokens SET last_used_at = now()
            WHERE token_id = ANY($1) AND expires_at > now()
                AND coalesce(last_used_at < now() - interval '1 minute', true)
            RETURNING token_id, last_used_at
            """,
            sorted(right),
        )
        for token_id, used in marked:
            found = known[token_id]
            known[token_id] = replace(found, token=replace(found.token, last_used_at=used))
    return [known.get(parts.id) for parts in asked]


def _read(row: Any) -> ApiToken:
    return ApiToken(
        row["token_id"],
        row["user_id"],
        row["label"],
        row["login"],
        None if row["guilds"] is None else frozenset(row["guilds"]),
        frozenset(Right(scope) for scope in row["scopes"]),
        row["created_at"],
        row["last_used_at"],
        row["expires_at"],
    )
