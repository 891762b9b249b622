"""What a script may ask of its stores. Made from the arguments of an op; nothing in them is trusted."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from flora_core.errors import InvalidInput
from flora_core.wire import UNREADABLE
from flora_runtime.kv.limits import KEY_BYTES, LIST_DEFAULT, STORE_BYTES

NO_METADATA = Raw()


class Options(Struct, frozen=True, rename="camel"):
    """How a value is kept."""

    expiration: float | None = None
    """Unix seconds; in the past means gone at once."""
    ttl: float | None = None
    """Seconds from now, instead."""
    metadata: Raw = NO_METADATA
    if_exists: bool = False
    if_not_exists: bool = False


class Get(Struct, frozen=True, tag_field="op", tag="kvGet"):
    store: str
    key: str


class Set(Struct, frozen=True, tag_field="op", tag="kvSet"):
    """Answers whether the value was written: not when a condition in the options was not met."""

    store: str
    key: str
    value: str
    options: Options = Options()


class UpdateMetadata(Struct, frozen=True, tag_field="op", tag="kvUpdateMetadata"):
    store: str
    key: str
    metadata: Raw = NO_METADATA


class Delete(Struct, frozen=True, tag_field="op", tag="kvDelete"):
    """Answers whether there was something to delete."""

    store: str
    key: str


class Incr(Struct, frozen=True, tag_field="op", tag="kvIncr"):
    """Adds ``by`` to the whole number at ``key``, 0 when there is none; answers the sum."""

    store: str
    key: str
    by: int = 1
    options: Options = Options()


class CompareAndSet(Struct, frozen=True, tag_field="op", tag="kvCompareAndSet"):
    """Writes ``value`` (null: deletes) if the present one is ``expected`` (null: none); whether it did."""

    store: str
    key: str
    expected: str | None
    value: str | None
    options: Options = Options()


class Check(Struct, frozen=True, tag_field="op", tag="kvCheck"):
    """A step that only looks: whether the present value is ``expected`` (null: none)."""

    store: str
    key: str
    expected: str | None


class List(Struct, frozen=True, tag_field="op", tag="kvList"):
    store: str
    prefix: str = ""
    cursor: str = ""
    """The last key of the page before."""
    limit: int = LIST_DEFAULT


class Count(Struct, frozen=True, tag_field="op", tag="kvCount"):
    store: str
    prefix: str = ""


class Clear(Struct, frozen=True, tag_field="op", tag="kvClear"):
    """Answers how many keys were removed and whether that was all."""

    store: str
    prefix: str = ""


class Stores(Struct, frozen=True, tag_field="op", tag="kvStores"):
    """The guild's stores with their size."""


class BulkPut(Struct, frozen=True):
    """One value of a bulk change."""

    key: str
    value: str
    options: Options = Options()


class Bulk(Struct, frozen=True, tag_field="op", tag="kvBulk"):
    """Many changes to one store, all or none, for tools. Answers how many: ``written`` and ``deleted``."""

    store: str
    put: list[BulkPut] = []
    delete: list[str] = []


Step = Set | Delete | Incr | CompareAndSet | UpdateMetadata | Check
"""What a transaction is made of. A condition that is not met undoes all of it."""


class Transact(Struct, frozen=True, tag_field="op", tag="kvTransact"):
    steps: list[Step]


Read = Get | List | Count | Stores
Write = Set | UpdateMetadata | Delete | Incr | CompareAndSet | Clear | Transact | Bulk
KvCall = Read | Write

_KINDS: dict[str, type[KvCall]] = {kind.__struct_config__.tag: kind for kind in get_args(KvCall)}
TOOL_NAMES = frozenset(_KINDS)
"""Names of the ops that are answered here."""
NAMES = TOOL_NAMES - {Bulk.__struct_config__.tag}
"""Those that scripts may make."""

_decoders = {name: msgspec.json.Decoder(kind) for name, kind in _KINDS.items()}


def parse_call(name: str, args: Raw | bytes) -> KvCall:
    """The call ``name`` with JSON ``args``; raises InvalidInput naming the argument that is wrong."""
    try:
        call: Any = _decoders[name].decode(args)
    except UNREADABLE as error:
        raise InvalidInput(f"{name}: {error}") from None
    for step in call.steps if isinstance(call, Transact) else [call]:
        _check(step)
    if isinstance(call, Bulk):
        for key in (*(put.key for put in call.put), *call.delete):
            check_key(key)
    return call


def weight(call: KvCall) -> int:
    """Characters of the values that ``call`` brings along."""
    if isinstance(call, Bulk):
        return sum(len(put.value) for put in call.put)
    return len(getattr(call, "value", "") or "")


def _check(call: KvCall | Step) -> None:
    store: str | UnsetType = getattr(call, "store", UNSET)
    if store is not UNSET:
        check_store(store)
    key: str | UnsetType = getattr(call, "key", UNSET)
    if key is not UNSET:
        check_key(key)


def check_store(name: str) -> None:
    """Raises InvalidInput for what cannot be a store's name."""
    size = len(name.encode(errors="replace"))
    if not 1 <= size <= STORE_BYTES or not name.isprintable() or "/" in name or "." in name:
        raise InvalidInput(f"store: {name[:80]!r} should be 1 to {STORE_BYTES} bytes of text without / and .")


def check_key(key: str) -> None:
    """Raises InvalidInput for what cannot be a key."""
    size = len(key.encode(errors="replace"))
    if not 1 <= size <= KEY_BYTES:
        raise InvalidInput(f"key: has {size} bytes; should have 1 to {KEY_BYTES}")
    if "\0" in key:
        raise InvalidInput("key: should not contain the character U+0000")
