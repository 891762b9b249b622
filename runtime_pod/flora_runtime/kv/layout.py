"""Keys and records of the database as bytes. Pure.

``d`` guild store 0 key     a value: expiration, metadata, text
``u`` guild store           how many keys and bytes a store has
``e`` when guild store 0 key    empty; finds what has expired
``i`` guild                 the last import: ``?`` while it goes on, then ``=`` and its tag;
                            ``!`` and a file's name: all values are being replaced by what is in the file

A guild is 8 bytes big-endian, a store its name (which has no U+0000), ``when`` milliseconds, so that
everything of a guild, of a store, and everything that is due lies together, in the order of its keys.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from flora_core.ids import GuildId

_GUILD: Final = struct.Struct(">Q")
_RECORD: Final = struct.Struct("<QI")
_USAGE: Final = struct.Struct("<QQ")
DATA, USAGE, EXPIRY, IMPORT = b"d", b"u", b"e", b"i"
UNFINISHED, FINISHED, RESTORING = b"?", b"=", b"!"


class Place(NamedTuple):
    """Where a value lies."""

    guild: GuildId
    store: str
    key: str


class Entry(NamedTuple):
    """A value with what is known about it."""

    value: str
    expires: int = 0
    """Unix milliseconds; 0 for never."""
    metadata: bytes = b""
    """JSON; empty for none."""

    def gone(self, now: int) -> bool:
        """Whether it has expired at ``now``, in Unix milliseconds."""
        return 0 < self.expires <= now


class Usage(NamedTuple):
    keys: int = 0
    bytes: int = 0


def store_prefix(guild: GuildId, store: str, kind: bytes = DATA) -> bytes:
    """What all keys of a store begin with."""
    return kind + _GUILD.pack(int(guild)) + store.encode() + b"\0"


def data_key(place: Place) -> bytes:
    return store_prefix(place.guild, place.store) + place.key.encode()


def usage_key(guild: GuildId, store: str) -> bytes:
    return USAGE + _GUILD.pack(int(guild)) + store.encode()


def guild_prefix(guild: GuildId, kind: bytes) -> bytes:
    return kind + _GUILD.pack(int(guild))


def expiry_key(when: int, place: Place) -> bytes:
    return expiry_key_of(when, data_key(place))


def expiry_key_of(when: int, data_key: bytes) -> bytes:
    """The same, of what lies at ``data_key``."""
    return EXPIRY + _GUILD.pack(when) + data_key[1:]


def import_key(guild: GuildId) -> bytes:
    return guild_prefix(guild, IMPORT)


def read_import_key(key: bytes) -> GuildId:
    return GuildId(str(_GUILD.unpack_from(key, 1)[0]))


def due_before(now: int) -> bytes:
    """Expiry keys below this are of what is gone at ``now``."""
    return EXPIRY + _GUILD.pack(now + 1)


def read_expiry_key(key: bytes) -> tuple[int, Place]:
    """When, and what."""
    (when,) = _GUILD.unpack_from(key, 1)
    (guild,) = _GUILD.unpack_from(key, 9)
    store, _, name = key[17:].partition(b"\0")
    return when, Place(GuildId(str(guild)), store.decode(), name.decode())


def pack_entry(entry: Entry) -> bytes:
    return _RECORD.pack(entry.expires, len(entry.metadata)) + entry.metadata + entry.value.encode()


def unpack_entry(data: bytes) -> Entry:
    expires, size = _RECORD.unpack_from(data)
    text = _RECORD.size + size
    return Entry(data[text:].decode(), expires, data[_RECORD.size : text])


def pack_usage(usage: Usage) -> bytes:
    return _USAGE.pack(*usage)


def unpack_usage(data: bytes) -> Usage:
    return Usage(*_USAGE.unpack(data))


def size_of(key: str, entry: Entry) -> int:
    """Bytes that count towards quotas."""
    return _length(key) + _length(entry.value) + len(entry.metadata)


def _length(text: str) -> int:
    """Of its UTF-8; without making it where that is the same."""
    return len(text) if text.isascii() else len(text.encode())
