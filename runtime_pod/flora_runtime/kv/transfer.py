"""A guild's values out of the database as ``flora_core.wire.export`` has them, and into it. Blocks.

Both go in chunks, so that neither a large guild's memory nor its time is everybody's: other guilds read and
write in between. The guild itself should not run meanwhile. An import takes the place of whatever was there.
It is whole or it is nothing, though it is many writes: while it goes on the guild is marked as unfinished,
and what is marked so when the database is opened is deleted.
"""

from __future__ import annotations

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
from flora_runtime.kv.database import Committed, Database
from flora_runtime.kv.layout import Entry, Place, Usage
from flora_runtime.kv.view import after

CHUNK_BYTES: Final = 2 << 20
CHUNK_KEYS: Final = 5000


class BadImport(FloraError):
    """What should be imported is not as an export is, or more than a guild may have."""


class Stopped(FloraError):
    """Whoever wanted it does not any more."""


def entries(database: Database, guild: GuildId, *, stop: threading.Event) -> Iterator[ExportedEntry]:
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
    wipe(database, guild, unfinished=True)
    count = 0
    try:
        for changes, usage in _chunks(guild, new, stop):
            database.exclusively(lambda c, changes=changes, usage=usage: _add(c, guild, changes, usage))
            count += sum(more.keys for more in usage.values())
    except BaseException:
        wipe(database, guild)
        raise
    database.exclusively(lambda c: c.write({layout.import_key(guild): layout.FINISHED + tag.encode()}))
    return count


def imported(database: Database, guild: GuildId) -> str:
    """The tag of the last import, when it was finished; empty without one."""
    with database.reading() as committed:
        mark = committed.get(layout.import_key(guild)) or b""
    return mark[1:].decode() if mark.startswith(layout.FINISHED) else ""


def wipe(database: Database, guild: GuildId, *, unfinished: bool = False) -> None:
    """Delete all that ``guild`` has; ``unfinished``: leave the mark of an import that begins."""
    mark = layout.import_key(guild)
    database.exclusively(lambda c: c.write({mark: layout.UNFINISHED}))
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
        if not unfinished:
            last[mark] = None
        committed.write(last)

    database.exclusively(finish)


def clean_up(database: Database) -> list[GuildId]:
    """Delete what imports left that did not end; the guilds."""
    with database.reading() as committed:
        marks = list(committed.scan(layout.IMPORT, after(layout.IMPORT)))
    guilds = [layout.read_import_key(key) for key, mark in marks if mark == layout.UNFINISHED]
    for guild in guilds:
        wipe(database, guild)
    return guilds


def _read(database: Database, start: bytes, end: bytes) -> list[tuple[bytes, bytes]]:
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
    size, last = 0, b""
    of_store: dict[str, int] = {}
    total = 0
    for exported in new:
        place, entry = _checked(guild, exported)
        key = layout.data_key(place)
        if key <= last:
            raise BadImport(f"{place.key!r} of store {place.store!r} is not in its order")
        last = key
        bytes_ = layout.size_of(place.key, entry)
        of_store[place.store] = of_store.get(place.store, 0) + bytes_
        total += bytes_
        if of_store[place.store] > limits.STORE_TOTAL_BYTES or total > limits.GUILD_TOTAL_BYTES:
            raise BadImport("there is more in it than a guild may store")
        if len(of_store) > limits.STORES:
            raise BadImport(f"a guild may have {limits.STORES} stores")
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
