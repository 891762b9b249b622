"""Who people are, as Discord said when they last logged in: for tokens, which have nobody to ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from flora_api.auth.discord import User


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has logged in once."""

    user: User
    guilds: tuple[str, ...] = ()
    """Where he managed a guild then: what a token may be looked for in, and no right to anything."""


async def remember(connection: asyncpg.Connection, user: User, guilds: Sequence[str] | None) -> None:
    """What Discord says now; ``guilds`` stay as they are when they are None."""
    await connection.execute(
        """
        INSERT INTO people (user_id, username, global_name, avatar, guilds)
        VALUES ($1, $2, $3, $4, coalesce($5::text[], '{}'))
        ON CONFLICT (user_id) DO UPDATE SET
            username = excluded.username,
            global_name = excluded.global_name,
            avatar = excluded.avatar,
            guilds = coalesce($5::text[], people.guilds),
            seen_at = now()
        """,
        user.id,
        user.username,
        user.global_name,
        user.avatar,
        None if guilds is None else list(guilds),
    )


async def find(connection: asyncpg.Connection, user_id: str) -> Person | None:
    """Who that is."""
    row = await connection.fetchrow(
        "SELECT username, global_name, avatar, guilds FROM people WHERE user_id = $1", user_id
    )
    if row is None:
        return None
    user = User(user_id, row["username"], row["global_name"], row["avatar"])
    return Person(user, tuple(row["guilds"]))
