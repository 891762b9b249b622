"""A bundle: one script that an isolate can run, and the map back to the author's lines.

Bundles are known by their hash. ``to_bytes`` is what is hashed, stored and sent, so it is one exact text
for one bundle, and ``from_bytes`` takes no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct

from flora_core.errors import BundleTooLarge, InvalidBundle
from flora_core.ids import Sha256
from flora_core.toolchain.diagnostics import Diagnostic
from flora_core.wire import UNREADABLE

CODE_LIMIT: Final = 8 << 20
"""UTF-8 bytes of a bundle's code."""
MAP_LIMIT: Final = 16 << 20
"""UTF-8 bytes of its source map."""

FORMAT: Final = 1
_STORED_LIMIT: Final = 64 << 20


class _Stored(Struct, frozen=True):
    format: int
    entrypoint: str
    code: str
    source_map: str


@dataclass(frozen=True)
class Bundle:
    """Code and source map; raises BundleTooLarge over 8 MiB of code or 16 MiB of map, or InvalidBundle."""

    entrypoint: str
    """The author's file that it was made from."""
    code: str
    """A script whose completion value is a promise; it settles when the script's top level has run."""
    source_map: str = ""
    """JSON (ECMA-426); empty when there is none. Its sources are the author's paths."""

    def __post_init__(self) -> None:
        _check_size(self.code, limit=CODE_LIMIT, what="bundle")
        _check_size(self.source_map, limit=MAP_LIMIT, what="bundle's source map")
        if not 0 < len(self.entrypoint) <= 255 or not self.entrypoint.isprintable():
            raise InvalidBundle(f"the bundle's entrypoint {self.entrypoint[:80]!r} is no path")

    def to_bytes(self) -> bytes:
        """The bundle as JSON, always the same for the same bundle."""
        return msgspec.json.encode(_Stored(FORMAT, self.entrypoint, self.code, self.source_map))

    @cached_property
    def sha256(self) -> Sha256:
        """Hash of ``to_bytes()``: the bundle's name everywhere."""
        return Sha256(sha256(self.to_bytes()).hexdigest())

    @classmethod
    def from_bytes(cls, data: bytes) -> Bundle:
        """What ``to_bytes`` made; raises InvalidBundle or BundleTooLarge for anything else."""
        if len(data) > _STORED_LIMIT:
            raise BundleTooLarge(len(data), limit=_STORED_LIMIT)
        try:
            stored = msgspec.json.decode(data, type=_Stored)
        except UNREADABLE as error:
            raise InvalidBundle(f"these {len(data):,} bytes are no bundle: {error}") from None
        if stored.format != FORMAT:
            raise InvalidBundle(
                f"the bundle has format {stored.format}, this flora reads {FORMAT}; deploy again"
            )
        bundle = cls(stored.entrypoint, stored.code, stored.source_map)
        if bundle.to_bytes() != data:
            raise InvalidBundle("the bundle is not written as flora writes it, so its hash would not hold")
        return bundle


@dataclass(frozen=True, slots=True)
class Built:
    """What the bundler made of a project."""

    bundle: Bundle
    warnings: list[Diagnostic]


def _check_size(text: str, *, limit: int, what: str) -> None:
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise InvalidBundle(f"the {what} is not valid text; it holds half a surrogate pair") from None
    if size > limit:
        raise BundleTooLarge(size, limit=limit, what=what)
