"""A log line as people see it, its place, and which lines somebody asks for. Pure.

A line is kept as the JSON that is shown, without its id: that is Redis's (``ms-seq``), and is put in front
when it is read. So a line is encoded once, however many follow.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final

import msgspec
from msgspec import Struct

from flora_api.errors import BadRequest
from flora_api.event_stream import one_line
from flora_core.wire import UNREADABLE
from flora_core.wire.control import LogLine, Outcome

LEVELS: Final = ("debug", "info", "warn", "error")
TEXT_LENGTH: Final = 16 << 10
"""Characters of a message, and of a stack; what is longer is cut."""

LONGEST_GREP: Final = 200

_ID: Final = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")

Place = tuple[int, int]
"""An id as it is compared: milliseconds, and a number within them."""

FIRST: Final[Place] = (0, 0)


class Kept(Struct, frozen=True, omit_defaults=True):
    """What Redis holds of a line."""

    timestamp: int
    """Milliseconds since 1970, by the pod's clock."""
    level: str
    target: str
    guild_id: str
    message: str
    outcome: Outcome | None = None
    stack: str = ""
    event: str = ""
    revision: int = 0


_decode: Final = msgspec.json.Decoder(Kept).decode
_EMPTY: Final = Kept(0, "info", "runtime", "", "")
EMPTY: Final = msgspec.json.encode(_EMPTY)


class Line:
    """One line that was kept. Its parts are decoded when somebody asks for them."""

    def __init__(self, place: Place, kept: bytes) -> None:
        self.place = place
        self.json: Final = b'{"id":"%d-%d",%b' % (*place, kept[1:])
        """As it is shown."""
        self.event: Final = b"id: %d-%d\ndata: %b\n\n" % (*place, self.json)
        """As it is sent to who follows."""
        self._kept = kept

    @cached_property
    def parts(self) -> Kept:
        """What it holds; an empty line when that cannot be read."""
        try:
            return _decode(self._kept)
        except UNREADABLE:
            return _EMPTY

    @cached_property
    def lower(self) -> str:
        """What is searched."""
        return f"{self.parts.message}\n{self.parts.stack}".lower()


class Wanted(Struct, frozen=True):
    """Which lines."""

    level: str = "debug"
    """This one and the more serious ones."""
    grep: str = ""
    """Part of the message or the stack, in any case."""
    since: int = 0
    """Milliseconds since 1970."""
    until: int | None = None

    def __post_init__(self) -> None:
        """Raises BadRequest naming the field."""
        if self.level not in LEVELS:
            raise BadRequest(f"level: {self.level[:20]!r} is none of {', '.join(LEVELS)}")
        if len(self.grep) > LONGEST_GREP:
            raise BadRequest(f"grep: has {len(self.grep)} characters and may have {LONGEST_GREP}")

    @property
    def everything(self) -> bool:
        """Whether every line is."""
        return self.level == "debug" and not self.grep and not self.since and self.until is None

    def takes(self, line: Line) -> bool:
        """Whether ``line`` is asked for."""
        if self.everything:
            return True
        parts = line.parts
        if parts.timestamp < self.since or (self.until is not None and parts.timestamp > self.until):
            return False
        return _rank(parts.level) >= _rank(self.level) and self.grep.lower() in line.lower


def to_keep(line: LogLine) -> bytes:
    """A pod's line as Redis holds it."""
    level = line.level if line.level in LEVELS else "info"
    kept = Kept(
        timestamp=line.at,
        level=level,
        target="script" if line.source == "script" else "runtime",
        guild_id=line.guild,
        message=_cut(line.text),
        outcome=line.outcome,
        stack=_cut(line.stack),
        event=line.event[:100],
        revision=line.revision,
    )
    return one_line(kept)


def parse_place(text: str, *, field: str) -> Place:
    """An id of a line; raises BadRequest naming ``field``."""
    match = _ID.fullmatch(text)
    if match is None:
        raise BadRequest(f"{field}: {text[:40]!r} is no id of a line; give one as it was shown")
    return int(match[1]), int(match[2])


def show(place: Place) -> str:
    """``place`` as an id."""
    return f"{place[0]}-{place[1]}"


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_LENGTH else f"{text[:TEXT_LENGTH]}…"


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else LEVELS.index("info")
