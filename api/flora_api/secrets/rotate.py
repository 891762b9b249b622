"""``flora-api rotate-secrets``: re-encrypts with the first key what other keys sealed.

In batches, each a transaction of its own: one that is cut short goes on where it was when it is started
again, and values are readable all the time. Values do not change, so pods hear nothing of it.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Final, NoReturn

import asyncpg

from flora_api.secrets.keys import CannotOpen, KeyRing
from flora_api.secrets.store import sealed_in
from flora_api.settings import ApiSettings
from flora_core.database.pool import Database
from flora_core.errors import DatabaseError, InvalidSettings
from flora_core.ids import GuildId
from flora_core.settings import load

BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Rotation:
    """What was done."""

    key_id: str
    rotated: int
    unreadable: int
    """Values that no key of the ring opens; they stay as they are."""

    def __str__(self) -> str:
        done = f"{self.rotated} secrets were re-encrypted with the key {self.key_id}"
        if not self.unreadable:
            return f"{done}; no other key is needed any more"
        return f"{done}; {self.unreadable} could not be read: their keys are not in API_SECRET_KEYS"


async def rotate(database: Database, keys: KeyRing, *, batch: int = BATCH) -> Rotation:
    """Do so. Raises DatabaseError."""
    rotated = unreadable = 0
    last = ("", "")
    while True:

        async def work(
            connection: asyncpg.Connection, last: tuple[str, str] = last
        ) -> tuple[int, int, tuple[str, str] | None]:
            async with connection.transaction():
                return await _batch(connection, keys, last, batch)

        done, failed, reached = await database.run(work)
        rotated, unreadable = rotated + done, unreadable + failed
        if reached is None:
            return Rotation(keys.current, rotated, unreadable)
        last = reached


async def _batch(
    connection: asyncpg.Connection, keys: KeyRing, last: tuple[str, str], size: int
) -> tuple[int, int, tuple[str, str] | None]:
    """How many were done, how many could not be, and the last one; None when there are no more."""
    rows = await connection.fetch(
        "SELECT guild, name, key_id, nonce, ciphertext FROM guild_secrets "
        "WHERE key_id <> $1 AND (guild, name) > ($2, $3) ORDER BY guild, name LIMIT $4 FOR UPDATE",
        keys.current,
        *last,
        size,
    )
    done: list[tuple[str, str, str, bytes, bytes]] = []
    for row in rows:
        guild, name = GuildId(row["guild"]), row["name"]
        try:
            sealed = keys.seal(guild, name, keys.open(guild, name, sealed_in(row)))
        except CannotOpen:
            continue
        done.append((guild, name, sealed.key_id, sealed.nonce, sealed.ciphertext))
    await connection.executemany(
        "UPDATE guild_secrets SET key_id = $3, nonce = $4, ciphertext = $5 WHERE guild = $1 AND name = $2",
        done,
    )
    reached = (rows[-1]["guild"], rows[-1]["name"]) if len(rows) == size else None
    return len(done), len(rows) - len(done), reached


def main() -> None:
    """Rotate. Exit codes: 0 done, 1 not, or not all, 2 a wrong setting."""
    try:
        settings = load(ApiSettings)
        keys = KeyRing.parse(settings.secret_keys.get_secret_value())
        done = asyncio.run(_rotate(settings, keys))
    except InvalidSettings as error:
        _leave(2, str(error))
    except DatabaseError as error:
        _leave(1, str(error))
    except KeyboardInterrupt:
        _leave(130, "interrupted; start it again to go on")
    if done.unreadable:
        _leave(1, str(done))
    print(f"flora-api rotate-secrets: {done}")  # noqa: T201  a command's output


async def _rotate(settings: ApiSettings, keys: KeyRing) -> Rotation:
    async with await Database.open(settings.database_url, name="flora-api-rotate") as database:
        return await rotate(database, keys)


def _leave(code: int, why: str) -> NoReturn:
    print(f"flora-api rotate-secrets: {why}", file=sys.stderr)  # noqa: T201
    raise SystemExit(code)


if __name__ == "__main__":
    main()
