"""Server-sent events (HTML, 9.2): JSON in a line."""

from __future__ import annotations

from typing import Any, Final

import msgspec

_SEPARATORS: Final = {mark.encode(): b"\\u%04x" % ord(mark) for mark in "\x85\u2028\u2029"}
"""No ends of a line to JSON or to a stream of events; to some of their readers they are."""


def one_line(value: Any) -> bytes:
    """``value`` as JSON in which nobody finds the end of a line. It reads as the same value."""
    text = msgspec.json.encode(value)
    for mark, escaped in _SEPARATORS.items():
        text = text.replace(mark, escaped)
    return text


def encode(event: str, data: dict[str, Any]) -> bytes:
    """One event."""
    return b"event: %b\ndata: %b\n\n" % (event.encode(), one_line(data))
