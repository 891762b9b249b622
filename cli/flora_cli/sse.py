"""Server-sent events, from bytes (WHATWG HTML, 9.2). No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flora_core.errors import FrameTooLarge

EVENT_LIMIT: Final = 1 << 20
"""Bytes of one event: far above anything that the API sends."""


@dataclass(slots=True, frozen=True)
class Event:
    """One event of a stream."""

    data: str
    name: str = "message"
    id: str = ""
    """The newest id of the stream, its own or that of an event before it."""


class EventParser:
    """Takes a stream in any pieces."""

    def __init__(self) -> None:
        self._rest = b""
        self._held = 0
        self._last_id = ""
        self._begun = False
        self._forget()

    def feed(self, data: bytes) -> list[Event]:
        """The events that ``data`` completes; raises FrameTooLarge for one above EVENT_LIMIT."""
        found: list[Event] = []
        for line in self._lines(data):
            if line.startswith(b":"):  # a comment: the stream lives
                continue
            self._held += len(line)
            self._check_size(self._held)
            if line:
                self._take(line.decode(errors="replace"))
            elif (event := self._end()) is not None:
                found.append(event)
        return found

    def _lines(self, data: bytes) -> list[bytes]:
        """Whole lines; they end with LF, CR or CR LF, and the two of the last may come apart."""
        text = self._rest + data
        if not self._begun and len(text) >= 3:
            self._begun, text = True, text.removeprefix(b"\xef\xbb\xbf")
        held_back = b"\r" if text.endswith(b"\r") else b""
        text = text.removesuffix(held_back).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = text.split(b"\n")
        self._rest = rest + held_back
        self._check_size(len(rest))
        return lines

    def _take(self, line: str) -> None:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
        elif field == "id" and "\0" not in value:
            self._last_id = value

    def _end(self) -> Event | None:
        data, name = self._data, self._name
        self._forget()
        return Event("\n".join(data), name or "message", self._last_id) if data else None

    def _forget(self) -> None:
        self._data: list[str] = []
        self._name = ""
        self._held = 0

    def _check_size(self, size: int) -> None:
        if size > EVENT_LIMIT:
            raise FrameTooLarge(size, limit=EVENT_LIMIT)
