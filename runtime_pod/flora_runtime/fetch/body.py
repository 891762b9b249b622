"""A response's bytes: inflated piece by piece, within a limit, and in the form they travel in."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final, Self

from flora_runtime.fetch import limits
from flora_runtime.fetch.errors import FetchRefused

PIECE: Final = 256 << 10
"""Bytes that are inflated at once; others have the loop in between."""
LARGE: Final = 128 << 10
TEXT_LIMIT: Final = 4 << 20
"""Bytes of a text beyond ASCII: V8 keeps two bytes a character of it, several times over while it is read."""

_CONTROL: Final = bytes(range(32)).translate(None, b"\n\r\t")


class BodyBudget:
    """Bytes of bodies that a pod holds at a time."""

    def __init__(self, limit: int = limits.POD_BODY_BYTES) -> None:
        self._free = limit

    def take(self, size: int) -> None:
        """Raises FetchRefused when there is no room."""
        if size > self._free:
            raise FetchRefused("FETCH_TOO_MANY", "this pod receives too much at once; try again")
        self._free -= size

    def give_back(self, size: int) -> None:
        self._free += size

    @property
    def free(self) -> int:
        return self._free


class Held:
    """What one fetch has of a budget; given back at the end of ``with``."""

    def __init__(self, budget: BodyBudget, *, limit: int = limits.RESPONSE_BYTES) -> None:
        self._budget = budget
        self._limit = limit
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.give_back(self.size)

    def grow(self, size: int) -> None:
        """Raises FetchRefused over the limit."""
        if self.size + size > self._limit:
            raise FetchRefused("FETCH_TOO_LARGE", f"the response has more than {self._limit >> 20} MiB")
        self._budget.take(size)
        self.size += size


async def read_body(chunks: AsyncIterator[bytes], encoding: str, held: Held) -> bytes:
    """All of ``chunks``, inflated as ``encoding`` (Content-Encoding) says; raises FetchRefused."""
    inflate = _Inflater(encoding)
    parts: list[bytes] = []
    raw = 0
    async for chunk in chunks:
        raw += len(chunk)
        if raw > limits.RESPONSE_BYTES:  # even of what inflates to nothing
            held.grow(limits.RESPONSE_BYTES + 1)
        for piece in inflate.feed(chunk):
            held.grow(len(piece))
            parts.append(piece)
            await asyncio.sleep(0)
    inflate.close()
    return b"".join(parts)


async def travelling(body: bytes) -> tuple[str | None, bytes | None]:
    """``body`` as text where that is the smaller form of it, else as bytes. Large ones on a thread."""
    return await asyncio.to_thread(_form, body) if len(body) > LARGE else _form(body)


def _form(body: bytes) -> tuple[str | None, bytes | None]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None, body
    if not text.isascii() and len(body) > TEXT_LIMIT:
        return None, body
    as_base64 = 4 * (len(body) // 3 + 1)
    return (text, None) if _escaped(body) <= as_base64 else (None, body)


def _escaped(body: bytes) -> int:
    """Bytes of ``body`` as the inside of a JSON string, at most: control characters take six."""
    control = len(body) - len(body.translate(None, _CONTROL))
    short = sum(body.count(character) for character in (b"\n", b"\r", b"\t", b'"', b"\\"))
    return len(body) + 5 * control + short


class _Inflater:
    """gzip, deflate (with and without zlib's header) and identity; raises FetchRefused for others."""

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().lower()
        if name in ("", "identity"):
            self._inflate = None
        elif name in ("gzip", "x-gzip"):
            self._inflate = zlib.decompressobj(wbits=31)
        elif name == "deflate":
            self._inflate = zlib.decompressobj()
        else:
            raise FetchRefused(
                "FETCH_FAILED", f"the response is encoded as {name[:40]!r}, which was not asked for"
            )
        self._may_be_raw = name == "deflate"

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        if self._inflate is None:
            yield chunk
            return
        while chunk and not self._inflate.eof:
            piece = self._step(chunk)
            chunk = self._inflate.unconsumed_tail
            if piece:
                yield piece

    def close(self) -> None:
        if self._inflate is not None and not self._inflate.eof and not self._untouched:
            raise FetchRefused("FETCH_FAILED", "the response's compressed body ends in the middle")

    _untouched = True

    def _step(self, chunk: bytes) -> bytes:
        assert self._inflate is not None
        first, self._untouched = self._untouched, False
        try:
            return self._inflate.decompress(chunk, PIECE)
        except zlib.error:
            if not (first and self._may_be_raw):
                raise FetchRefused("FETCH_FAILED", "the response's compressed body is broken") from None
        self._may_be_raw = False
        self._untouched = True
        self._inflate = zlib.decompressobj(wbits=-15)
        return self._step(chunk)
