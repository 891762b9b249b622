"""Which guilds' secrets changed, whichever replica of the API changed them.

Each replica asks Postgres every two seconds, and at once after a change of its own: one look at an index.
LISTEN would tell some hundred milliseconds sooner, for a connection of its own that has to be watched, and
what is told while it is being made anew is lost, so that somebody has to ask all the same; behind a pooler
that shares connections it says nothing at all.

Positions are this process's own numbers. They only grow, also when the database is set back to a backup:
then everything counts as changed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from flora_api.secrets.store import Changes
from flora_core.errors import DatabaseError
from flora_core.ids import GuildId
from flora_core.telemetry import logger

ASK_SECONDS: Final = 2.0

_log = logger(__name__)


class SecretChanges:
    """``run`` asks until it is cancelled. Belongs to the loop it is used in."""

    def __init__(self, ask: Callable[[int], Awaitable[Changes]], *, seconds: float = ASK_SECONDS) -> None:
        self.position = 0
        """Of the last change; what was read after looking at it holds that change."""
        self._ask = ask
        self._seconds = seconds
        self._version: int | None = None
        self._changed_at: dict[GuildId, int] = {}
        self._all_changed_at = 0
        self._poked = asyncio.Event()
        self._told = asyncio.Event()
        self._away = False

    def poke(self) -> None:
        """Something changed here: ask now."""
        self._poked.set()

    def since(self, position: int) -> list[GuildId] | None:
        """The guilds that changed behind ``position``; None for all."""
        if position < self._all_changed_at:
            return None
        return [guild for guild, at in self._changed_at.items() if at > position]

    async def wait_beyond(self, position: int) -> None:
        """Return when there is a later position."""
        while self.position <= position:
            await self._told.wait()

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            self._poked.clear()
            try:
                self._take(await self._ask(self._version or 0))
                self._say(None)
            except DatabaseError as error:
                self._say(error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await self._poked.wait()

    def _take(self, changes: Changes) -> None:
        before, self._version = self._version, changes.newest
        set_back = before is not None and changes.newest < before
        if before is not None and not set_back and not changes.guilds:
            return
        self.position += 1
        if set_back:
            _log.warning("secrets_set_back", version=changes.newest)
        if set_back or before is None:  # who read before the first answer may have missed a change
            self._all_changed_at = self.position
        else:
            self._changed_at |= dict.fromkeys(changes.guilds, self.position)
        told, self._told = self._told, asyncio.Event()
        told.set()

    def _say(self, error: DatabaseError | None) -> None:
        """Tell that Postgres is gone, or back: once."""
        if (error is not None) == self._away:
            return
        self._away = error is not None
        if error is not None:
            _log.warning("secret_changes_not_known", error=str(error))
        else:
            _log.info("secret_changes_known_again")
