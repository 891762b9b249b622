"""Which guilds the bot is in, as the shards' events tell.

A new session begins with READY, which names all guilds of its shard. A resumed one does not: what an earlier
process was told of that shard's guilds is asked for over REST (``unlisted``, ``listed``), and what its events
say in the meantime is held against that answer. Nothing is known before all shards are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from msgspec import Raw

from flora_core.telemetry import logger
from flora_core.wire import UNREADABLE
from flora_core.wire.control import Guilds, Joined, Left, guilds_in_parts

READY, RESUMED, CREATED, DELETED = "READY", "RESUMED", "GUILD_CREATE", "GUILD_DELETE"
TYPES: Final = frozenset((READY, RESUMED, CREATED, DELETED))
"""Events to ``observe``."""

_SHARD_BITS: Final = 22
"""Bits of an id below its timestamp, which decides the shard (Discord: events/gateway, "Sharding")."""

_log = logger(__name__)


class _Guild(msgspec.Struct):
    id: str
    unavailable: bool = False


class _Ready(msgspec.Struct):
    guilds: list[_Guild] = []


class Membership:
    """``tell`` hears of the whole list once it is known, and of what changes in it."""

    def __init__(self, *, shards: Callable[[], int], tell: Callable[[Guilds | Joined | Left], None]) -> None:
        """``shards``: how many there are, 0 as long as that is not known."""
        self._shards = shards
        self._tell = tell
        self._guilds: dict[int, set[str]] = {}
        self._meanwhile: dict[int, dict[str, bool]] = {}
        """Of shards that are not known: guilds that were joined, or left."""
        self._resumed: set[int] = set()
        self.unlisted = asyncio.Event()
        """Set while there are shards whose guilds only REST can tell."""

    @property
    def known(self) -> bool:
        """Whether the guilds of all shards are."""
        return bool(self._guilds) and len(self._guilds) == self._shards()

    def has(self, guild: str) -> bool | None:
        """Whether the bot is in ``guild``; None as long as its shard's guilds are not known."""
        shards = self._shards()
        guilds = self._guilds.get(shard_of(guild, shards)) if shards else None
        return None if guilds is None else guild in guilds

    def frames(self) -> list[Guilds]:
        """The whole list; none as long as it is not known."""
        if not self.known:
            return []
        return guilds_in_parts(sorted(guild for guilds in self._guilds.values() for guild in guilds))

    def observe(self, shard: int, type_: str, data: Raw) -> None:
        """Learn from an event of one of ``TYPES``."""
        try:
            if type_ == READY:
                ready = msgspec.json.decode(data, type=_Ready)
                self._learn(shard, {guild.id for guild in ready.guilds})
            elif type_ == RESUMED:
                self._has_resumed(shard)
            else:
                self._changed(shard, msgspec.json.decode(data, type=_Guild), joined=type_ == CREATED)
        except UNREADABLE as error:
            _log.warning("event_not_understood", type=type_, error=str(error))

    def listed(self, guilds: Iterable[str]) -> None:
        """Discord said over REST that the bot is in these; asked after ``unlisted`` was set."""
        by_shard: dict[int, set[str]] = {shard: set() for shard in self._resumed}
        for guild in guilds:
            by_shard.get(shard_of(guild, self._shards()), set()).add(guild)
        self.unlisted.clear()
        for shard, found in by_shard.items():
            for guild, joined in self._meanwhile.get(shard, {}).items():
                (found.add if joined else found.discard)(guild)
            self._learn(shard, found)

    def _has_resumed(self, shard: int) -> None:
        if shard not in self._guilds:
            self._resumed.add(shard)
            self.unlisted.set()

    def _learn(self, shard: int, guilds: set[str]) -> None:
        self._guilds[shard] = guilds
        self._resumed.discard(shard)
        self._meanwhile.pop(shard, None)
        for frame in self.frames():
            self._tell(frame)

    def _changed(self, shard: int, guild: _Guild, *, joined: bool) -> None:
        if guild.unavailable and not joined:  # an outage of Discord's: the bot is in it all the same
            return
        guilds = self._guilds.get(shard)
        if guilds is None:
            self._meanwhile.setdefault(shard, {})[guild.id] = joined
        elif joined != (guild.id in guilds):
            (guilds.add if joined else guilds.discard)(guild.id)
            if self.known:
                self._tell(Joined(guild.id) if joined else Left(guild.id))


def shard_of(guild: str, shards: int) -> int:
    """The shard that has ``guild``'s events, of so many."""
    return (int(guild) >> _SHARD_BITS) % shards
