"""What was changed in pods, into the audit log.

The change is made by the time it is recorded, in another process than Postgres: there is no transaction for
both. While Postgres is away, storage can be used all the same, and the entry goes to the API's own log.
"""

from __future__ import annotations

from typing import Any

import asyncpg

from flora_api import audit
from flora_api.principal import GuildAccess
from flora_core.database import Database
from flora_core.errors import DatabaseError
from flora_core.telemetry import logger

_log = logger(__name__)


class Journal:
    """Writes to ``database``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, access: GuildAccess, action: str, **details: Any) -> None:
        """``access.principal`` did this; ``details`` as in ``audit.record``."""

        async def write(connection: asyncpg.Connection) -> None:
            await audit.record(connection, access.guild, access.principal, action, **details)

        try:
            await self._database.run(write)
        except DatabaseError as error:
            who = access.principal
            _log.error(
                "audit_not_written",
                guild_id=access.guild,
                action=action,
                actor=who.type,
                user_id=who.user_id,
                token_id=who.token_id,
                details=details,
                error=str(error),
            )
