"""Brings the schema up to date, forwards only.

The steps are alembic's, in ``migrations/versions``. All that are missing are done in one transaction, which
first takes an advisory lock: of several that start at once one migrates, and the others find it done. A
process that dies in the middle leaves nothing behind but the schema as it was.

A release must leave the schema usable for the release before it. So a database that is newer than this
program is none of its business, and is left as it is (``Migration.newer``).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import asyncpg
from pydantic import SecretStr

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

HEAD: Final = "0007"
"""The newest step, so that a database which has it is recognised without alembic, which takes 25 MB."""

LOCK: Final = 0x666C_6F72_61
"""Key of the advisory lock: "flora" in ASCII."""

CONNECT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Migration:
    """What was done."""

    before: str | None
    """The step the database was at; None for one that had nothing of flora's."""
    after: str
    newer: bool = False
    """It has steps of a later release, and was left alone."""

    @property
    def changed(self) -> bool:
        return self.before != self.after

    def __str__(self) -> str:
        if self.newer:
            return f"the database is at {self.after}, of a later flora than this one; it was left as it is"
        if not self.changed:
            return f"the database is at {self.after}; there was nothing to do"
        return f"the database went from {self.before or 'nothing'} to {self.after}"


async def is_current(connection: asyncpg.Connection) -> Migration | None:
    """Nothing to do, when that is so; None when there is, or it needs a closer look."""
    if not await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL"):
        return None
    at = await connection.fetchval("SELECT version_num FROM alembic_version")
    return Migration(HEAD, HEAD) if at == HEAD else None


async def migrate(url: SecretStr) -> Migration:
    """Do what is missing. Raises what asyncpg raises. Takes as long as the lock and the steps take."""
    from sqlalchemy import text  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(
            url.get_secret_value(),
            timeout=CONNECT_SECONDS,
            server_settings={"application_name": "flora-migrate"},
        )

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
            return await connection.run_sync(upgrade)
    except DBAPIError as error:
        raise _cause(error) from None
    finally:
        await engine.dispose()


def upgrade(connection: Connection, *, to: str = "head") -> Migration:
    """Do the steps up to ``to``, in the transaction that ``connection`` has open."""
    from alembic.command import upgrade as run_steps  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", "flora_core.database:migrations")
    config.attributes["connection"] = connection
    before = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if before is not None and before not in known:
        return Migration(before, before, newer=True)
    run_steps(config, to)
    return Migration(before, MigrationContext.configure(connection).get_current_revision() or "nothing")


def _cause(error: BaseException) -> BaseException:
    """Asyncpg's own error, which SQLAlchemy has wrapped twice."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, asyncpg.PostgresError | asyncpg.InterfaceError | OSError):
            return cause
        cause = getattr(cause, "orig", None) or cause.__cause__
    return error
