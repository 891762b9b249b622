"""Times as people type them: ``90s``, ``10m``, ``2h``, ``7d``, or a date with its time."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from flora_core.errors import InvalidInput

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART: Final = re.compile(r"([0-9]{1,9})([smhdw]?)")
_LONGEST: Final = 100 * 365 * 86_400


def parse_seconds(text: str, *, option: str) -> int:
    """``text`` in seconds: a whole number of them, or ``1h30m``; raises InvalidInput naming ``option``."""
    parts = list(_PART.finditer(text))
    whole = "".join(part.group() for part in parts) == text
    if not parts or not whole or (len(parts) > 1 and not all(part[2] for part in parts)):
        raise InvalidInput(f"{option}: {text[:40]!r} is no duration; write seconds, or 90s, 10m, 1h30m, 7d")
    seconds = sum(int(part[1]) * _UNITS[part[2] or "s"] for part in parts)
    if not 0 < seconds <= _LONGEST:
        raise InvalidInput(f"{option}: {text[:40]!r} should be more than nothing and at most 100 years")
    return seconds


def parse_moment(text: str, *, now: float, option: str) -> float:
    """Unix seconds of a time that lies ``text`` ago, or of a date; raises InvalidInput naming ``option``."""
    if _PART.match(text) and "-" not in text and ":" not in text:
        return now - parse_seconds(text, option=option)
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise InvalidInput(
            f"{option}: {text[:40]!r} is no time; write 10m, 2h, or 2026-01-31T09:00"
        ) from None
