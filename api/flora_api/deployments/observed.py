"""All objects as they are, in short: what the watch told last.

Written by the one task that follows the store, read by everybody in the same event loop. ``changed`` wakes
who waits for a guild; waiting is for news, not for truth: whoever is woken looks.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Final

from flora_api.deployments.store import Change, Complete, Deployment, Gone, Put
from flora_core.ids import GuildId

REMEMBERED: Final = 10_000
"""Objects that are gone, so that a deploy which waits for one learns of it."""


class Observed:
    """What there is."""

    def __init__(self) -> None:
        self._deployments: dict[GuildId, Deployment] = {}
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._waiting: dict[GuildId, set[asyncio.Event]] = {}
        self.synced = asyncio.Event()
        """Set once all objects are known."""

    def get(self, guild: GuildId) -> Deployment | None:
        return self._deployments.get(guild)

    def is_deployed(self, guild: GuildId) -> bool:
        """Whether the guild has an object that stays; before all are known, any may have one."""
        found = self._deployments.get(guild)
        return not found.leaving if found is not None else not self.synced.is_set()

    def created(self, guild: GuildId) -> str:
        """When its object was made; empty when that is not known."""
        found = self._deployments.get(guild)
        return found.created if found is not None else ""

    def all(self) -> Iterable[Deployment]:
        return self._deployments.values()

    def guilds(self) -> list[GuildId]:
        return list(self._deployments)

    def __len__(self) -> int:
        return len(self._deployments)

    def is_gone(self, uid: str) -> bool:
        """Whether the object of that uid was there and is not any more."""
        return uid in self._gone

    def take(self, change: Change) -> list[GuildId]:
        """Note it; the guilds that it is about."""
        match change:
            case Put(deployment):
                self._deployments[deployment.guild] = deployment
                changed = [deployment.guild]
            case Gone(guild, uid):
                changed = [guild] if self._drop(guild, uid) else []
            case Complete(guilds):
                changed = [guild for guild in self._deployments if guild not in guilds]
                for guild in changed:
                    self._drop(guild, self._deployments[guild].uid)
                self.synced.set()
        for guild in changed:
            self.changed(guild)
        return changed

    def changed(self, guild: GuildId) -> None:
        """There is news of the guild."""
        for event in self._waiting.get(guild, ()):
            event.set()

    @contextmanager
    def news(self, guild: GuildId) -> Generator[asyncio.Event]:
        """An event that is set at news of the guild, for as long as the block lasts; clear it, then look."""
        event = asyncio.Event()
        self._waiting.setdefault(guild, set()).add(event)
        try:
            yield event
        finally:
            waiting = self._waiting[guild]
            waiting.discard(event)
            if not waiting:
                del self._waiting[guild]

    def _drop(self, guild: GuildId, uid: str) -> bool:
        """Unless another object has taken its place already."""
        found = self._deployments.get(guild)
        self._gone[uid] = None
        while len(self._gone) > REMEMBERED:
            self._gone.popitem(last=False)
        if found is None or found.uid != uid:
            return False
        del self._deployments[guild]
        return True
