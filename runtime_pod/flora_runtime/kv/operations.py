"""What each call of a script does to its guild's part of the database. Pure decisions on a ``View``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import msgspec
from msgspec import Raw

from flora_core.errors import FloraError
from flora_core.ids import GuildId
from flora_runtime.kv import calls, layout, limits
from flora_runtime.kv.calls import Options
from flora_runtime.kv.layout import Entry, Place, Usage
from flora_runtime.kv.view import View, after

_INTEGER_DIGITS: Final = 17
SECONDS_MOST: Final = 1e15
"""Some thirty million years; more may not even be a number of milliseconds."""


class KvRefused(FloraError):
    """A call that its script should not have made, or not now; ``code`` is what the script sees."""

    def __init__(self, code: str, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after


class GuildKeys:
    """One guild's stores in a view, at one moment."""

    def __init__(self, view: View, guild: GuildId, now: int) -> None:
        self.view = view
        self.guild = guild
        self.now = now

    def entry(self, store: str, key: str) -> Entry | None:
        """What lies at a key; None when nothing does, or no longer."""
        data = self.view.get(layout.data_key(Place(self.guild, store, key)))
        if data is None:
            return None
        entry = layout.unpack_entry(data)
        return None if entry.gone(self.now) else entry

    def entries(self, store: str, prefix: str, cursor: str = "") -> Iterator[tuple[str, Entry]]:
        """Keys that begin with ``prefix``, behind ``cursor``, in the order of their UTF-8."""
        base = layout.store_prefix(self.guild, store)
        first = base + prefix.encode()
        start = max(first, base + cursor.encode() + b"\0") if cursor else first
        for key, data in self.view.scan(start, after(first)):
            entry = layout.unpack_entry(data)
            if not entry.gone(self.now):
                yield key[len(base) :].decode(), entry

    def usage(self, store: str = "") -> Usage:
        """Of a store; of the whole guild without one."""
        return self._usage_at(layout.usage_key(self.guild, store))

    def _usage_at(self, at: bytes) -> Usage:
        data = self.view.get(at)
        return layout.unpack_usage(data) if data is not None else Usage()

    def stores(self) -> Iterator[tuple[str, Usage]]:
        """Names and sizes of the stores that hold something."""
        prefix = layout.guild_prefix(self.guild, layout.USAGE)
        for key, data in self.view.scan(prefix + b"\0", after(prefix)):
            yield key[len(prefix) :].decode(), layout.unpack_usage(data)

    def write(self, store: str, key: str, entry: Entry | None) -> None:
        """Put ``entry`` at a key, or delete what is there.

        Raises KvRefused beyond a quota, with nothing changed.
        """
        place = Place(self.guild, store, key)
        at = layout.data_key(place)
        old_data = self.view.get(at)
        old = layout.unpack_entry(old_data) if old_data is not None else None
        old_size = layout.size_of(key, old) if old is not None else 0
        new_size = layout.size_of(key, entry) if entry is not None else 0
        packed = layout.pack_entry(entry) if entry is not None else b""
        more = Usage((entry is not None) - (old is not None), new_size - old_size)
        self._charge(store, more)
        if old is not None and old.expires:
            self.view.delete(layout.expiry_key(old.expires, place))
        if entry is None:
            if old is not None:
                self.view.delete(at)
            return
        self.view.put(at, packed)
        if entry.expires:
            self.view.put(layout.expiry_key(entry.expires, place), b"")

    def _charge(self, store: str, more: Usage) -> None:
        at_store, at_guild = layout.usage_key(self.guild, store), layout.usage_key(self.guild, "")
        before, total = self._usage_at(at_store), self._usage_at(at_guild)
        if more.bytes > 0:
            if before.bytes + more.bytes > limits.STORE_TOTAL_BYTES:
                raise _quota(f"kv store storage quota exceeded: {store} may hold", limits.STORE_TOTAL_BYTES)
            if total.bytes + more.bytes > limits.GUILD_TOTAL_BYTES:
                raise _quota("kv guild storage quota exceeded: its stores may hold", limits.GUILD_TOTAL_BYTES)
            if not before.keys and sum(1 for _ in islice(self.stores(), limits.STORES)) == limits.STORES:
                raise KvRefused("KV_QUOTA_EXCEEDED", f"a guild may have {limits.STORES} stores")
        self._set_usage(at_store, Usage(before.keys + more.keys, before.bytes + more.bytes))
        self._set_usage(at_guild, Usage(total.keys + more.keys, total.bytes + more.bytes))

    def _set_usage(self, at: bytes, usage: Usage) -> None:
        if usage.keys:
            self.view.put(at, layout.pack_usage(usage))
        else:
            self.view.delete(at)


def _quota(what: str, size: int) -> KvRefused:
    return KvRefused("KV_QUOTA_EXCEEDED", f"{what} {size >> 20} MiB; delete keys, or give them an expiration")


# -------------------------------------------------------------------- calls


def apply(call: calls.KvCall, keys: GuildKeys) -> Any:
    """Do ``call``; what its script is answered, as JSON-able values.

    Raises KvRefused, and then the view is as it was: each call changes it last of all.
    """
    match call:
        case calls.Get():
            return _told(keys.entry(call.store, call.key))
        case calls.List():
            return _list(call, keys)
        case calls.Count():
            return _count(call, keys)
        case calls.Stores():
            return [{"name": name, "keys": usage.keys, "bytes": usage.bytes} for name, usage in keys.stores()]
        case calls.Clear():
            return _clear(call, keys)
        case calls.Transact():
            return _transact(call, keys)
        case calls.Bulk():
            return _bulk(call, keys)
        case _:
            return _step(call, keys)


def _step(call: calls.Step, keys: GuildKeys) -> Any:
    match call:
        case calls.Set():
            return _set(call, keys)
        case calls.Delete():
            found = keys.entry(call.store, call.key) is not None
            keys.write(call.store, call.key, None)
            return found
        case calls.Incr():
            return _incr(call, keys)
        case calls.CompareAndSet():
            return _compare_and_set(call, keys)
        case calls.UpdateMetadata():
            return _update_metadata(call, keys)
        case calls.Check():
            return _value(keys, call) == call.expected


def _set(call: calls.Set, keys: GuildKeys) -> bool:
    options = call.options
    if options.if_exists or options.if_not_exists:
        there = keys.entry(call.store, call.key) is not None
        if (options.if_exists and not there) or (options.if_not_exists and there):
            return False
    keys.write(call.store, call.key, _entry(call.key, call.value, options, keys.now))
    return True


def _incr(call: calls.Incr, keys: GuildKeys) -> int:
    old = keys.entry(call.store, call.key)
    total = (_whole_number(call.key, old.value) if old is not None else 0) + call.by
    if abs(total) > limits.SAFE_INTEGER:
        raise KvRefused("INVALID_INPUT", f"{call.key}: the sum {total} is beyond JavaScript's exact integers")
    entry = _entry(call.key, str(total), call.options, keys.now)
    if old is not None and call.options == Options():  # a counter keeps what it was given at first
        entry = Entry(entry.value, old.expires, old.metadata)
    keys.write(call.store, call.key, entry)
    return total


def _compare_and_set(call: calls.CompareAndSet, keys: GuildKeys) -> bool:
    if _value(keys, call) != call.expected:
        return False
    new = None if call.value is None else _entry(call.key, call.value, call.options, keys.now)
    keys.write(call.store, call.key, new)
    return True


def _value(keys: GuildKeys, call: calls.CompareAndSet | calls.Check) -> str | None:
    entry = keys.entry(call.store, call.key)
    return None if entry is None else entry.value


def _update_metadata(call: calls.UpdateMetadata, keys: GuildKeys) -> None:
    old = keys.entry(call.store, call.key)
    if old is None:
        raise KvRefused("KV_KEY_NOT_FOUND", f"key not found: {call.key!r} in store {call.store!r}")
    entry = Entry(old.value, old.expires, _metadata(call.metadata))
    _check_entry(call.key, entry)
    keys.write(call.store, call.key, entry)


def _list(call: calls.List, keys: GuildKeys) -> dict[str, Any]:
    limit = min(max(call.limit, 0), limits.LIST_MOST)
    found = list(islice(keys.entries(call.store, call.prefix, call.cursor), limit + 1))
    page = found[:limit]
    answer: dict[str, Any] = {
        "keys": [{"name": key, **_about(entry)} for key, entry in page],
        "listComplete": len(found) <= limit or not limit,
    }
    if page and not answer["listComplete"]:
        answer["cursor"] = page[-1][0]
    return answer


def _count(call: calls.Count, keys: GuildKeys) -> int:
    return sum(1 for _ in keys.entries(call.store, call.prefix))


def _clear(call: calls.Clear, keys: GuildKeys) -> dict[str, Any]:
    found = [key for key, _ in islice(keys.entries(call.store, call.prefix), limits.CLEAR_MOST + 1)]
    for key in found[: limits.CLEAR_MOST]:
        keys.write(call.store, key, None)
    return {"removed": min(len(found), limits.CLEAR_MOST), "complete": len(found) <= limits.CLEAR_MOST}


def _transact(call: calls.Transact, keys: GuildKeys) -> dict[str, Any]:
    if len(call.steps) > limits.TRANSACTION_MOST:
        raise KvRefused("INVALID_INPUT", f"a transaction has at most {limits.TRANSACTION_MOST} steps")
    trial = GuildKeys(View(keys.view), keys.guild, keys.now)
    results: list[Any] = []
    for step in call.steps:
        result = _step(step, trial)
        results.append(result)
        if result is False and not isinstance(step, calls.Delete):
            return {"committed": False, "results": results}
    keys.view.merge(trial.view)
    return {"committed": True, "results": results}


def _bulk(call: calls.Bulk, keys: GuildKeys) -> dict[str, int]:
    if len(call.put) + len(call.delete) > limits.BULK_MOST:
        raise KvRefused("INVALID_INPUT", f"a bulk change has at most {limits.BULK_MOST} keys")
    trial = GuildKeys(View(keys.view), keys.guild, keys.now)
    deleted = 0
    for key in call.delete:
        deleted += trial.entry(call.store, key) is not None
        trial.write(call.store, key, None)
    for put in call.put:
        trial.write(call.store, put.key, _entry(put.key, put.value, put.options, keys.now))
    keys.view.merge(trial.view)
    return {"written": len(call.put), "deleted": deleted}


# -------------------------------------------------------------------- values


def _entry(key: str, value: str, options: Options, now: int) -> Entry:
    expires = 0
    if not abs(options.ttl or options.expiration or 0.0) < SECONDS_MOST:
        raise KvRefused("INVALID_INPUT", f"{key}: expiration and ttl should be seconds in reasonable numbers")
    if options.ttl is not None:
        expires = now + max(1, int(options.ttl * 1000))
    elif options.expiration is not None:
        expires = max(1, int(options.expiration * 1000))
    if not 0 <= expires < 1 << 63:
        raise KvRefused("INVALID_INPUT", f"{key}: expiration and ttl should be seconds in reasonable numbers")
    if len(value) * 4 > limits.VALUE_BYTES and len(value.encode()) > limits.VALUE_BYTES:
        raise KvRefused("INVALID_INPUT", f"{key}: value exceeds maximum size of 1 MiB")
    entry = Entry(value, expires, _metadata(options.metadata))
    _check_entry(key, entry)
    return entry


def _check_entry(key: str, entry: Entry) -> None:
    if layout.size_of(key, entry) > limits.ENTRY_BYTES:
        raise KvRefused("INVALID_INPUT", f"{key}: kv entry exceeds maximum size of 2 MiB")


def _metadata(raw: Raw) -> bytes:
    return b"" if bytes(raw) == b"null" else bytes(raw)


def _whole_number(key: str, text: str) -> int:
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > _INTEGER_DIGITS:
        raise KvRefused("INVALID_INPUT", f"{key}: incr needs a whole number there, not {text[:40]!r}")
    return int(text)


def _told(entry: Entry | None) -> dict[str, Any] | None:
    return None if entry is None else {"value": entry.value, **_about(entry)}


def _about(entry: Entry) -> dict[str, Any]:
    about: dict[str, Any] = {}
    if entry.expires:
        about["expiration"] = entry.expires / 1000
    if entry.metadata:
        about["metadata"] = msgspec.Raw(entry.metadata)
    return about
