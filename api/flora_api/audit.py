"""The audit log of each guild: every change that came through here, and who made it."""

from __future__ import annotations

from typing import Any, Final

import asyncpg
import msgspec

from flora_api.principal import Principal
from flora_core.ids import GuildId

NO_GUILD: Final = GuildId("")
"""Of changes that are no guild's: somebody's tokens."""


async def record(
    connection: asyncpg.Connection, guild: GuildId, actor: Principal, action: str, **details: Any
) -> None:
    """Add a row, in the transaction of the change itself.

    ``action`` is ``noun.verb`` (``secret.put``); ``details`` names what was changed and never holds a
    secret's or a stored value.
    """
    await connection.execute(
        """
        INSERT INTO audit (guild, actor_type, actor_id, actor_name, token_id, action, details)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        guild,
        actor.type,
        actor.user_id,
        actor.username,
        actor.token_id,
        action,
        msgspec.json.encode(details).decode(),
    )
