"""V8's stack texts: taken apart, and put together again in the author's own coordinates.

A bundle calls itself ``bundle.js``, flora's prelude ``flora:prelude``; both names are in every frame that V8
prints. This module is pure: it says which positions of the bundle are of interest
(``bundle_positions``), somebody with the source map looks them up, and ``render`` writes the result. What
V8 prints holds names and messages that a script chose, so any text whatever must pass through here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from flora_core.wire.control import ScriptError

BUNDLE: Final = "bundle.js"
INTERNAL: Final = "flora:"
"""What the names of flora's own sources start with."""

SHOWN_FRAMES: Final = 20
MESSAGE_LIMIT: Final = 4096
"""Characters; with the frames, an error stays below what a log line may have."""
FRAME_LIMIT: Final = 500

_READ_FRAMES: Final = 100
_FRAME: Final = re.compile(r" {4}at (.*)")
# The place at the end of a frame: "ping (bundle.js:12:7)", "async bundle.js:3:1", "Array.map (<anonymous>)".
_PLACE: Final = re.compile(r"(?:^|[ (])([^\s()]+?)(?::(\d{1,9}):(\d{1,9}))?\)?$")
_IN_BUNDLE: Final = re.compile(r"(?<![\w./-])bundle\.js:(\d{1,9}):(\d{1,9})(?!\d)")
# mini-racer: "bundle.js:2: SyntaxError: …", the source line, carets, and where there is one V8's stack.
_HEADER: Final = re.compile(r"(bundle\.js|<anonymous>|flora:\w+):(\d{1,9}): ([^\n]*)")
_CARETS: Final = re.compile(r"\n[^\n]*\n([ \t]*)\^+\n(?:\n|$)")
# What a terminal or an encoder would trip over.
_UNFIT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Position(NamedTuple):
    """A place in the author's sources."""

    source: str
    line: int
    """From 1."""
    column: int
    """From 1."""
    name: str | None = None
    """What the author called the thing there, where the map says."""


_Mapped = dict[tuple[int, int], Position | None]
_ABSENT: Final = Position("", 0, 0)


class Frame(Struct, frozen=True):
    """One frame."""

    text: str
    """As V8 printed it, without ``at``."""
    source: str = ""
    """``bundle.js``, ``flora:prelude``, ``<anonymous>`` …; empty where V8 names none."""
    line: int = 0
    """From 1; 0 for built-ins."""
    column: int = 0

    @property
    def internal(self) -> bool:
        """Whether this is flora's own code."""
        return self.source.startswith(INTERNAL)


class Stack(Struct, frozen=True):
    """A message and the frames below it, innermost first."""

    message: str
    frames: list[Frame]


def parse_stack(text: str) -> Stack:
    """``error.stack`` as V8 writes it, or the text of one of mini-racer's exceptions.

    Frames are the lines at the end that look like frames; all before them is the message. Any text is
    taken: one that is no stack is a message without frames.
    """
    header = _HEADER.match(text)
    if header is None:
        return _split(text)
    carets = _CARETS.search(text, header.end())
    stack = _split(text[carets.end() :] if carets else text)
    if stack.frames or (carets is None and len(text) <= MESSAGE_LIMIT):
        return stack
    return Stack(header[3], [_place_of(header, carets)])


def bundle_positions(stack: Stack) -> list[tuple[int, int]]:
    """The (line, column) pairs to look up in the bundle's source map, each once, from 1."""
    found = (_IN_BUNDLE.finditer(frame.text) for frame in stack.frames if not frame.internal)
    return list(dict.fromkeys((int(match[1]), int(match[2])) for matches in found for match in matches))


def render(stack: Stack, positions: Sequence[Position | None], *, show_internal: bool = False) -> ScriptError:
    """``stack`` for its author, at most 20 frames.

    ``positions`` belong to ``bundle_positions(stack)``, one by one; missing ones leave their frames as V8
    wrote them. Frames of the prelude, and those in code that the bundler added (None), are left out unless
    ``show_internal``.
    """
    keys = bundle_positions(stack)
    mapped = dict(zip(keys, positions, strict=False))
    if not any(mapped.values()):
        mapped = {}
    lines = [
        f"at {_written(frame, mapped)}"
        for frame in stack.frames
        if show_internal or not (frame.internal or _is_glue(frame, mapped))
    ]
    return ScriptError(
        message=_cut(_plain(stack.message), MESSAGE_LIMIT) or "Error",
        stack="\n".join(lines[:SHOWN_FRAMES]),
    )


def describe_parse_error(text: str) -> ScriptError:
    """What mini-racer says of code that does not parse, without the source line, which can be megabytes.

    The position is the bundle's own: a bundle that flora made always parses, and of a foreign one nobody
    knows more.
    """
    return render(parse_stack(text), [])


def _split(text: str) -> Stack:
    """Message and frames of V8's own text."""
    lines = text.rstrip("\n").split("\n")
    start = len(lines)
    while start and _FRAME.fullmatch(lines[start - 1]):
        start -= 1
    frames = [_frame(line[7:]) for line in lines[start : start + _READ_FRAMES]]
    return Stack("\n".join(lines[:start]).rstrip(), frames)


def _frame(text: str) -> Frame:
    match = None if "(eval at " in text else _PLACE.search(text[-FRAME_LIMIT:])
    if match is None or (match[2] is None and match[1] != "<anonymous>"):
        return Frame(text)
    return Frame(text, match[1], int(match[2] or 0), int(match[3] or 0))


def _place_of(header: re.Match[str], carets: re.Match[str] | None) -> Frame:
    """Where mini-racer says that the code is wrong; a parser that gave up early has not seen the name."""
    source = BUNDLE if header[1] == "<anonymous>" else header[1]
    line, column = int(header[2]), len(carets[1]) + 1 if carets else 0
    text = f"{source}:{line}:{column}" if column else f"{source}:{line}"
    return Frame(text, source, line, column)


def _is_glue(frame: Frame, mapped: _Mapped) -> bool:
    """Whether ``frame`` is in the bundle, at a place that no source has."""
    return frame.source == BUNDLE and mapped.get((frame.line, frame.column), _ABSENT) is None


def _written(frame: Frame, mapped: _Mapped) -> str:
    def replaced(match: re.Match[str]) -> str:
        found = mapped.get((int(match[1]), int(match[2])))
        return match[0] if found is None else f"{found.source}:{found.line}:{found.column}"

    return _cut(_plain(_IN_BUNDLE.sub(replaced, frame.text)).replace("\n", " "), FRAME_LIMIT)


def _plain(text: str) -> str:
    return _UNFIT.sub("\ufffd", text)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
