"""Newline-delimited JSON: cutting bytes into lines, and lines into typed frames.

A frame is one line. The size limit comes before any parsing: a line that grows over it is dropped to
its end and never held in memory, and the lines around it are read as usual. Every frame is an object
whose field ``k`` names its kind; fields that a reader does not know are ignored, so that a newer writer
can add some, and a kind that it does not know is an ``UnknownFrame``, which the reader counts and skips.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

import msgspec

from flora_core.errors import FrameTooLarge, MalformedFrame, TruncatedStream, UnknownFrame, WireError
from flora_core.wire import UNREADABLE

LINE_LIMIT: Final = 16 << 20
"""Bytes in one line of any stream: a call with 10 MiB of files in base64, with room."""

KIND: Final = "k"

F = TypeVar("F", bound=msgspec.Struct)


class LineSplitter:
    """Cuts a byte stream into lines without their newline; empty lines are skipped.

    ``on_error`` is called with a FrameTooLarge for every line over ``limit`` bytes, when it passes it.
    """

    __slots__ = ("_limit", "_on_error", "_rest", "_size", "_skipping")

    def __init__(self, on_error: Callable[[WireError], None], *, limit: int = LINE_LIMIT) -> None:
        self._on_error = on_error
        self._limit = limit
        self._rest: list[bytes] = []
        self._size = 0
        self._skipping = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that ``chunk`` completes, in order."""
        lines = chunk.split(b"\n")
        rest = lines.pop()
        if lines:
            if self._rest:
                lines[0] = b"".join((*self._rest, lines[0]))
                self._rest, self._size = [], 0
            if self._skipping:
                del lines[0]
                self._skipping = False
        if rest:  # parts of a long line are joined once, when it ends
            self._rest.append(rest)
            self._size += len(rest)
        if self._size > self._limit or self._skipping:
            self._refuse_rest()
        return [line for line in lines if line and self._fits(line)]

    def close(self) -> None:
        """The stream ended; raises TruncatedStream when that was inside a line."""
        if self._rest or self._skipping:
            raise TruncatedStream(f"the stream ended inside a frame ({self._size} bytes of it)")

    def _fits(self, line: bytes) -> bool:
        if len(line) <= self._limit:
            return True
        self._on_error(FrameTooLarge(len(line), limit=self._limit))
        return False

    def _refuse_rest(self) -> None:
        if not self._skipping:
            self._on_error(FrameTooLarge(self._size, limit=self._limit))
        self._rest, self._size = [], 0
        self._skipping = True


class _KindOnly(msgspec.Struct):
    k: msgspec.Raw = msgspec.Raw(b"null")


class FrameCodec(Generic[F]):
    """Lines to frames and back, for one set of frame kinds (structs tagged in ``k``)."""

    __slots__ = ("_decode", "_encode", "_kind", "_kinds")

    def __init__(self, *kinds: type[F]) -> None:
        union = kinds[0]
        for kind in kinds[1:]:
            union = union | kind  # pyright: ignore[reportOperatorIssue]
        self._decode = msgspec.json.Decoder(union).decode
        self._encode = msgspec.json.Encoder().encode
        self._kind = msgspec.json.Decoder(_KindOnly).decode
        self._kinds = {kind.__struct_config__.tag for kind in kinds}

    def decode(self, line: bytes) -> F:
        """The frame in ``line``; raises UnknownFrame or MalformedFrame."""
        try:
            return self._decode(line)
        except UNREADABLE as error:
            raise self._explain(line, error) from None

    def encode(self, frame: F) -> bytes:
        """``frame`` as one line with its newline. ``Raw`` fields must hold no newline (see ``flat``)."""
        return self._encode(frame) + b"\n"

    def _explain(self, line: bytes, error: Exception) -> WireError:
        try:
            kind = msgspec.json.decode(self._kind(line).k)
        except UNREADABLE:
            return MalformedFrame(f"not a JSON object: {error}")
        if not isinstance(kind, str) or kind not in self._kinds:
            return UnknownFrame(kind)
        return MalformedFrame(f"frame of kind {kind!r}: {error}")


def flat(raw: bytes) -> bytes:
    """``raw`` JSON without newlines between its tokens, so that it fits in a line.

    JSON strings cannot contain a newline, so valid text that has one has it between tokens. Raises
    MalformedFrame when ``raw`` has one and is not JSON: it could forge a frame.
    """
    if b"\n" not in raw:
        return raw
    try:
        return msgspec.json.format(raw, indent=-1)
    except msgspec.DecodeError as error:
        raise MalformedFrame(f"not JSON: {error}") from None
