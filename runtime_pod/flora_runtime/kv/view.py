"""What is stored and what is about to be, as one. Pure but for the reader it is given."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Protocol


class Reader(Protocol):
    """Keys and values in the order of the keys."""

    def get(self, key: bytes) -> bytes | None: ...

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """From ``start`` up to, not including, ``stop``."""
        ...


class View:
    """Changes on top of a reader, which may be another view: then they are taken over with ``merge``."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.changes: dict[bytes, bytes | None] = {}
        """None for a key that is deleted."""

    def get(self, key: bytes) -> bytes | None:
        if key in self.changes:
            return self.changes[key]
        return self._reader.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self.changes[key] = value

    def delete(self, key: bytes) -> None:
        self.changes[key] = None

    def merge(self, other: View) -> None:
        """Take over what another view changed."""
        self.changes.update(other.changes)

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        changed = sorted(key for key in self.changes if start <= key < stop)
        for key, value in self._reader.scan(start, stop):
            while changed and changed[0] < key:
                yield from self._changed(changed.pop(0))
            if key in self.changes:
                del changed[bisect_left(changed, key)]
                yield from self._changed(key)
            else:
                yield key, value
        for key in changed:
            yield from self._changed(key)

    def _changed(self, key: bytes) -> Iterator[tuple[bytes, bytes]]:
        value = self.changes[key]
        if value is not None:
            yield key, value


def after(prefix: bytes) -> bytes:
    """The first key behind all that begin with ``prefix``; the prefix is not all 0xff."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1])
