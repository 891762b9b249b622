"""A gateway session: its numbered events, kept for replay, and who may see what.

A session belongs to the hub, not to a connection. Events are encoded once, numbered here, and stay until
``keep`` newer ones have pushed them out; a connection is only a position in that row. So a client that
was away, or slow, or is on its second connection, gets the same events in the same order.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from flora_simulator.gateway.connection import Connection

ENTITLEMENTS: Final = "ENTITLEMENT_"
_GUILD_EVENTS: Final = frozenset(("GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE"))


class EventsLost(Exception):
    """What is asked for has been pushed out by newer events."""


@dataclass(slots=True, eq=False)
class Session:
    """One IDENTIFY. ``last`` is the sequence number of its newest event."""

    shard: tuple[int, int]
    intents: int
    keep: int
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    last: int = 0
    connection: Connection | None = None
    left_at: float = 0.0
    """When its last connection ended, on the monotonic clock."""
    _frames: dict[int, bytes] = field(default_factory=dict)

    def append(self, event: str, data: bytes) -> None:
        """Number an event whose ``d`` is the JSON ``data``, and wake the connection."""
        self.last += 1
        self._frames[self.last] = frame(0, data, event=event, sequence=self.last)
        if len(self._frames) > self.keep:
            del self._frames[self.last - self.keep]
        if self.connection is not None:
            self.connection.wake()

    def after(self, sequence: int, most: int) -> list[bytes]:
        """Up to ``most`` events after ``sequence``; raises EventsLost when the next one is gone."""
        if sequence < self.last and sequence + 1 not in self._frames:
            raise EventsLost
        end = min(self.last, sequence + most)
        return [self._frames[number] for number in range(sequence + 1, end + 1)]

    def can_replay(self, sequence: int) -> bool:
        """Whether every event after ``sequence`` is still there."""
        return sequence == self.last or sequence + 1 in self._frames

    def sees_shard(self, guild: int | None) -> bool:
        """Whether events of ``guild`` come on this shard; those without a guild come on shard 0."""
        number, count = self.shard
        return number == (0 if guild is None else (guild >> 22) % count)


def frame(op: int, data: bytes, *, event: str | None = None, sequence: int | None = None) -> bytes:
    """A gateway payload around already encoded ``data``, with the keys in Discord's order."""
    name = b'"%s"' % event.encode() if event is not None else b"null"
    number = b"%d" % sequence if sequence is not None else b"null"
    return b'{"t":%s,"s":%s,"op":%d,"d":%s}' % (name, number, op, data)


def guild_of(event: str, payload: object) -> int | None:
    """The guild that ``event`` is about, None when it has none (DMs, monetization)."""
    if not isinstance(payload, dict) or event.startswith(ENTITLEMENTS):
        return None
    guild = payload.get("id") if event in _GUILD_EVENTS else payload.get("guild_id")
    return int(guild) if guild is not None else None


encode: Final = msgspec.json.Encoder().encode
