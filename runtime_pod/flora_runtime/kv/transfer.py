"""A guild's values out of the database as ``flora_core.wire.export`` has them, and into it. Blocks.

Both go in chunks, so that neither a large guild's memory nor its time is everybody's: other guilds read and
write in between. The guild itself should not run meanwhile, unless it is read from a snapshot.

An import (``replace``) takes the place of whatever was there. It is whole or it is nothing, though it is many
writes: while it goes on the guild is marked as unfinished, and what is marked so when the database is opened
is deleted. A restore (``restore``) is whole or changes nothing: from its first write on the guild is marked
with the file that has all that it is to have, and what is marked so is done again, from that file, until it
came through.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from msgspec import Raw

from flora_core.errors import FloraError, InvalidInput
from flora_core.ids import GuildId
from flora_core.wire.export import NO_METADATA, ExportedEntry
from flora_core.wire.ndjson import flat
from flora_runtime.kv import layout, limits
from flora_runtime.kv.calls import check_key, check_store
from flora_runtime.kv.database import Committed, Database, Snapshot
from flora_runtime.kv.layout import Entry, Place, Usage
from flora_runtime.kv.view import after

CHUNK_BYTES: Final = 2 << 20
CHUNK_KEYS: Final = 5000


class BadImport(FloraError):
    """What should be imported is not as an export is, or more than a guild may have."""


class Stopped(FloraError):
    """Whoever wanted it does not any more."""


class OverQuota(BadImport):
    """It is an export, and has more in it than a guild may store."""


def entries(
    database: Database | Snapshot, guild: GuildId, *, stop: threading.Event
) -> Iterator[ExportedEntry]:
    """All of a guild's values, in order, but those that have expired."""
    prefix = layout.guild_prefix(guild, layout.DATA)
    start, end = prefix, after(prefix)
    while True:
        if stop.is_set():
            raise Stopped
        chunk = _read(database, start, end)
        now = int(time.time() * 1000)
        for key, data in chunk:
            entry = layout.unpack_entry(data)
            if entry.gone(now):
                continue
            store, _, name = key[len(prefix) :].partition(b"\0")
            metadata = Raw(flat(entry.metadata)) if entry.metadata else NO_METADATA
            yield ExportedEntry(store.decode(), name.decode(), entry.value, entry.expires, metadata)
        if not chunk:
            return
        start = chunk[-1][0] + b"\0"


def replace(
    database: Database, guild: GuildId, new: Iterable[ExportedEntry], *, tag: str, stop: threading.Event
) -> int:
    """Make ``new`` all that ``guild`` has, and remember it as ``tag``; how many there were.

    Raises BadImport, KvUnavailable or Stopped, and then the guild has nothing.
    """
    _clear(database, guild, during=layout.UNFINISHED, then=layout.UNFINISHED)
    try:
        count = _fill(database, guild, new, stop)
    except BaseException:
        wipe(database, guild)
        raise
    _finish(database, guild, tag)
    return count


def restore(
    database: Database, guild: GuildId, new: Iterable[ExportedEntry], *, file: str, stop: threading.Event
) -> None:
    """Make ``new``, which ``file`` has, all that ``guild`` has; when it raises, it is to be done again.

    Raises KvUnavailable or Stopped, and BadImport for what was not put through ``checked``.
    """
    mark = layout.RESTORING + file.encode()
    _clear(database, guild, during=mark, then=mark)
    _fill(database, guild, new, stop)
    _finish(database, guild, file)


def unfinished_restores(database: Database) -> dict[GuildId, str]:
    """The guilds whose restore did not come through, each with the file that has its values."""
    return {
        guild: mark.removeprefix(layout.RESTORING).decode()
        for guild, mark in _marks(database).items()
        if mark.startswith(layout.RESTORING)
    }


def abandon_restore(database: Database, guild: GuildId) -> None:
    """What is there stays, whatever it is: the file is gone."""
    _finish(database, guild, "")


def _fill(database: Database, guild: GuildId, new: Iterable[ExportedEntry], stop: threading.Event) -> int:
    count = 0
    for changes, usage in _chunks(guild, new, stop):
        database.exclusively(lambda c, changes=changes, usage=usage: _add(c, guild, changes, usage))
        count += sum(more.keys for more in usage.values())
    return count


def _finish(database: Database, guild: GuildId, tag: str) -> None:
    database.exclusively(lambda c: c.write({layout.import_key(guild): layout.FINISHED + tag.encode()}))


def size(database: Database | Snapshot, guild: GuildId) -> int:
    """Bytes of keys, values and metadata that ``guild`` has."""
    with database.reading() as committed:
        data = committed.get(layout.usage_key(guild, ""))
    return layout.unpack_usage(data).bytes if data is not None else 0


def imported(database: Database, guild: GuildId) -> str:
    """The tag of the last import, when it was finished; empty without one."""
    with database.reading() as committed:
        mark = committed.get(layout.import_key(guild)) or b""
    return mark[1:].decode() if mark.startswith(layout.FINISHED) else ""


def wipe(database: Database, guild: GuildId) -> None:
    """Delete all that ``guild`` has."""
    _clear(database, guild, during=layout.UNFINISHED, then=None)


def _clear(database: Database, guild: GuildId, *, during: bytes, then: bytes | None) -> None:
    """Delete all that ``guild`` has; it is marked so ``during`` that, and ``then`` so."""
    mark = layout.import_key(guild)
    database.exclusively(lambda c: c.write({mark: during}))
    prefix = layout.guild_prefix(guild, layout.DATA)
    while chunk := _read(database, prefix, after(prefix)):
        gone: dict[bytes, bytes | None] = {}
        for key, data in chunk:
            gone[key] = None
            expires = layout.unpack_entry(data).expires
            if expires:
                gone[layout.expiry_key_of(expires, key)] = None
        database.exclusively(lambda c, gone=gone: c.write(gone))

    def finish(committed: Committed) -> None:
        usage = layout.guild_prefix(guild, layout.USAGE)
        last: dict[bytes, bytes | None] = {key: None for key, _ in committed.scan(usage, after(usage))}
        last[mark] = then
        committed.write(last)

    database.exclusively(finish)


def clean_up(database: Database) -> list[GuildId]:
    """Delete what imports left that did not end; the guilds."""
    guilds = [guild for guild, mark in _marks(database).items() if mark == layout.UNFINISHED]
    for guild in guilds:
        wipe(database, guild)
    return guilds


def _marks(database: Database) -> dict[GuildId, bytes]:
    with database.reading() as committed:
        found = list(committed.scan(layout.IMPORT, after(layout.IMPORT)))
    return {layout.read_import_key(key): mark for key, mark in found}


def merged(old: Iterable[ExportedEntry], new: Iterable[ExportedEntry]) -> Iterator[ExportedEntry]:
    """Both, each in order; where both have a key, the new one."""
    last = b""
    both = heapq.merge(
        ((_order(entry), 0, entry) for entry in new),
        ((_order(entry), 1, entry) for entry in old),
        key=lambda found: found[:2],
    )
    for order, age, entry in both:
        if age and order == last:
            continue
        last = order
        yield entry


def _order(entry: ExportedEntry) -> bytes:
    return f"{entry.store}\0{entry.key}".encode(errors="surrogatepass")


def checked(guild: GuildId, new: Iterable[ExportedEntry]) -> Iterator[ExportedEntry]:
    """The same, each once ``guild`` may have it; raises BadImport or OverQuota at what is wrong."""
    for exported, _ in _checked_all(guild, new):
        yield exported


def _read(database: Database | Snapshot, start: bytes, end: bytes) -> list[tuple[bytes, bytes]]:
    chunk: list[tuple[bytes, bytes]] = []
    size = 0
    with database.reading() as committed:
        for key, data in islice(committed.scan(start, end), CHUNK_KEYS):
            chunk.append((key, data))
            size += len(data)
            if size > CHUNK_BYTES:
                break
    return chunk


_Chunk = tuple[dict[bytes, bytes | None], dict[str, Usage]]


def _chunks(guild: GuildId, new: Iterable[ExportedEntry], stop: threading.Event) -> Iterator[_Chunk]:
    """Changes to the database, and what they add to the stores' usage; raises BadImport or Stopped."""
    changes: dict[bytes, bytes | None] = {}
    usage: dict[str, Usage] = {}
    size = 0
    for _, (key, place, entry) in _checked_all(guild, new):
        bytes_ = layout.size_of(place.key, entry)
        before = usage.get(place.store, Usage())
        usage[place.store] = Usage(before.keys + 1, before.bytes + bytes_)
        changes[key] = layout.pack_entry(entry)
        if entry.expires:
            changes[layout.expiry_key(entry.expires, place)] = b""
        size += bytes_
        if size > CHUNK_BYTES or len(changes) > CHUNK_KEYS:
            yield changes, usage
            changes, usage, size = {}, {}, 0
            if stop.is_set():
                raise Stopped
    if changes:
        yield changes, usage


_Keyed = tuple[bytes, Place, Entry]


def _checked_all(guild: GuildId, new: Iterable[ExportedEntry]) -> Iterator[tuple[ExportedEntry, _Keyed]]:
    last, total = b"", 0
    of_store: dict[str, int] = {}
    for exported in new:
        place, entry = _checked(guild, exported)
        key = layout.data_key(place)
        if key <= last:
            raise BadImport(f"{place.key!r} of store {place.store!r} is not in its order")
        last = key
        size = layout.size_of(place.key, entry)
        of_store[place.store] = of_store.get(place.store, 0) + size
        total += size
        if of_store[place.store] > limits.STORE_TOTAL_BYTES or total > limits.GUILD_TOTAL_BYTES:
            raise OverQuota("there is more in it than a guild may store")
        if len(of_store) > limits.STORES:
            raise OverQuota(f"a guild may have {limits.STORES} stores")
        yield exported, (key, place, entry)


def _checked(guild: GuildId, exported: ExportedEntry) -> tuple[Place, Entry]:
    try:
        check_store(exported.store)
        check_key(exported.key)
    except InvalidInput as error:
        raise BadImport(str(error)) from None
    entry = Entry(exported.value, exported.expires, bytes(exported.metadata))
    if not 0 <= entry.expires < 1 << 63:
        raise BadImport(f"{exported.key!r} expires at no time")
    if layout.size_of(exported.key, entry) > limits.ENTRY_BYTES:
        raise BadImport(f"{exported.key!r} is over the size of an entry")
    return Place(guild, exported.store, exported.key), entry


def _add(
    committed: Committed, guild: GuildId, changes: dict[bytes, bytes | None], usage: dict[str, Usage]
) -> None:
    total = Usage(sum(more.keys for more in usage.values()), sum(more.bytes for more in usage.values()))
    for store, more in [*usage.items(), ("", total)]:
        at = layout.usage_key(guild, store)
        data = committed.get(at)
        before = layout.unpack_usage(data) if data is not None else Usage()
        changes[at] = layout.pack_usage(Usage(before.keys + more.keys, before.bytes + more.bytes))
    committed.write(changes)
