"""Postgres as the rest of flora uses it: a few connections, a deadline for each call, and typed errors.

A database that restarts or moves breaks connections in the middle of anything. So work is given to ``run``
as a function that may be done twice: while the connection breaks, or Postgres says that it is starting or
stopping, it is tried again on another, until the call's deadline. Whatever was under way on a connection
when a call ended early is not waited for: the connection is thrown away.

The URL has a password in it. It is kept by the pool alone, and no error, log or ``repr`` shows any of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Self, TypeVar
from urllib.parse import urlsplit

import asyncpg
from prometheus_client import Counter, Histogram
from pydantic import SecretStr

from flora_core.database.migrate import Migration, is_current, migrate
from flora_core.errors import DatabaseError, DatabaseGone, DatabaseRefused, InvalidSettings, NotMigrated
from flora_core.streams import Backoff

T = TypeVar("T")
Connection = asyncpg.Connection

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 1.0
CLOSE_SECONDS: Final = 2.0

_PASSING: Final = ("08", "53", "57P01", "57P02", "57P03", "57P05", "40001", "40P01", "25006")
"""SQLSTATEs, or their classes, that another try may not meet: connections, resources, shutdown and start,
serialization and deadlock, and a standby that is still read-only (Postgres, appendix A)."""

_REFUSED: Final = {
    "28": "it refuses the user or the password; look at the database's URL",
    "3D000": "it has no such database; make it, or look at the database's URL",
    "42501": "the user has no right to do this; give it the database",
}
_NOT_MIGRATED: Final = ("42P01", "42703", "3F000")

_tries = Counter("flora_database_tries_failed_total", "Tries on Postgres that met a broken connection")
_failures = Counter("flora_database_calls_failed_total", "Calls to Postgres that failed", ["error"])
_seconds = Histogram(
    "flora_database_call_seconds",
    "How long calls to Postgres took, all tries included",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


@dataclass(frozen=True, slots=True)
class DatabaseLimits:
    """What one process may use of Postgres."""

    connections: int = 5
    """At most; Postgres has 100 for everybody by default."""
    seconds: float = 10.0
    """For one call with all its tries."""
    try_seconds: float = 5.0
    """For making a connection, and for one statement."""
    idle_seconds: float = 300.0
    """After which an unused connection is closed."""


class Database:
    """A pool of connections; use it as an async context manager, or ``close`` it."""

    def __init__(self, pool: asyncpg.Pool, url: SecretStr, limits: DatabaseLimits) -> None:
        self._pool = pool
        self._url = url
        self._limits = limits
        self._closed = False

    def __repr__(self) -> str:
        return "Database(…)"

    @classmethod
    async def open(
        cls, url: str | SecretStr, *, limits: DatabaseLimits | None = None, name: str = "flora"
    ) -> Database:
        """The database at ``url`` (``postgresql://user:password@host:5432/name``); ``name`` is for its logs.

        Connects with the first call, so that Postgres need not be there yet. Raises InvalidSettings when
        this is no URL of a Postgres.
        """
        secret = checked_url(url)
        given = limits or DatabaseLimits()
        pool = await asyncpg.create_pool(
            secret.get_secret_value(),
            min_size=0,
            max_size=given.connections,
            max_inactive_connection_lifetime=given.idle_seconds,
            timeout=given.try_seconds,
            command_timeout=given.try_seconds,
            reset=_leave_as_it_is,
            server_settings={"application_name": name},
        )
        return cls(pool, secret, given)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection, after at most two seconds however busy they are."""
        self._closed = True
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What ``work`` returns. It may be called several times, each on another connection.

        Raises DatabaseGone when no try came through in time, DatabaseRefused, NotMigrated, or another
        DatabaseError.
        """
        if self._closed:
            raise DatabaseGone("the connections to Postgres are closed already")
        with _seconds.time():
            try:
                return await self._try(work)
            except DatabaseError as error:
                _failures.labels(type(error).__name__).inc()
                raise

    async def migrate(self, *, seconds: float = 120.0) -> Migration:
        """Bring the schema up to date; does nothing but look where it is. See ``migrate.migrate``."""
        current = await self.run(is_current)
        if current is not None:
            return current
        return await migrate_at(self._url, seconds=seconds)

    async def _try(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        backoff = Backoff(first=FIRST_PAUSE, longest=LONGEST_PAUSE)
        why = "no connection was free"
        try:
            async with asyncio.timeout(self._limits.seconds):
                while True:
                    try:
                        return await self._once(work)
                    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                        if self._closed:
                            raise DatabaseGone("the connections to Postgres were closed meanwhile") from None
                        if not is_passing(error):
                            raise translated(error) from None
                        why = told(error)
                        _tries.inc()
                    await backoff.pause()
        except TimeoutError:
            raise gone(self._limits.seconds, why) from None

    async def _once(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        connection = await self._pool.acquire(timeout=self._limits.seconds)
        try:
            return await work(connection)
        except asyncpg.PostgresError:
            raise  # an answer: the connection is as good as before
        except BaseException:
            connection.terminate()
            raise
        finally:
            await self._pool.release(connection, timeout=self._limits.try_seconds)


async def _leave_as_it_is(_connection: asyncpg.Connection) -> None:
    """Asyncpg would ask Postgres to reset the session whenever ``work`` is done, which is as long a way as
    the work itself. Nothing here changes a session: settings and locks are those of a transaction, and
    asyncpg rolls back one that was left open before it comes here."""


async def migrate_at(url: str | SecretStr, *, seconds: float) -> Migration:
    """Migrate the database at ``url``, waiting for Postgres and for other starters up to ``seconds``.

    Raises InvalidSettings, DatabaseGone, DatabaseRefused, or another DatabaseError.
    """
    secret = checked_url(url)
    backoff = Backoff(first=FIRST_PAUSE, longest=LONGEST_PAUSE)
    why = "another process holds the lock for migrations"
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    return await migrate(secret)
                except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                    if not is_passing(error):
                        raise translated(error) from None
                    why = told(error)
                await backoff.pause()
    except TimeoutError:
        raise gone(seconds, why) from None


def checked_url(url: str | SecretStr) -> SecretStr:
    """``url`` when it could be a Postgres'; raises InvalidSettings, which shows nothing of it."""
    secret = url if isinstance(url, SecretStr) else SecretStr(url)
    try:
        parts = urlsplit(secret.get_secret_value())
        usable = parts.scheme in {"postgres", "postgresql"} and parts.port != 0
    except ValueError:  # a port that is no number, most likely of a password with characters left as they are
        usable = False
    if not usable:
        raise InvalidSettings(
            "the database's URL should be postgresql://user:password@host:5432/name, "
            "with any of :/?#[]@ in the password percent-encoded"
        )
    return secret


def is_passing(error: Exception) -> bool:
    """Whether another try, on another connection, may go better."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_PASSING)
    if isinstance(error, asyncpg.InterfaceError):
        return "clos" in str(error)  # "connection is closed", "… is closing": the rest is our own mistake
    return True


def translated(error: Exception) -> DatabaseError:
    """Flora's error for one of asyncpg's that is not passing."""
    state = getattr(error, "sqlstate", None) or ""
    for prefix, meaning in _REFUSED.items():
        if state.startswith(prefix):
            return DatabaseRefused(f"Postgres: {meaning} ({told(error)})")
    if state in _NOT_MIGRATED:
        return NotMigrated(f"the database lacks something; run flora-migrate ({told(error)})")
    return DatabaseError(f"Postgres: {told(error)}")


def told(error: Exception) -> str:
    """An error in a few words that hold nothing of the URL but, from Postgres itself, the user's name."""
    if isinstance(error, asyncpg.PostgresError):
        return f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else error.sqlstate}"
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror[:200]}"
    return type(error).__name__


def gone(seconds: float, why: str) -> DatabaseGone:
    """Nothing came through in ``seconds``; ``why`` is what the last try met."""
    return DatabaseGone(f"Postgres did not answer within {seconds:g} s; the last try met: {why}")
