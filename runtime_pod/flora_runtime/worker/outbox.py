"""What an isolate's prelude hands over after a turn, as typed values.

The text is made by our own prelude, but inside an isolate that a guild's script may have turned upside
down: it is decoded strictly and anything unexpected ends the isolate.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct, field

from flora_core.errors import MalformedFrame
from flora_core.wire import UNREADABLE
from flora_core.wire.pipe import Call, CronIn


class TimerSet(Struct, frozen=True, array_like=True):
    id: int
    milliseconds: float


class Settled(Struct, frozen=True, array_like=True):
    """All handlers of one event have settled."""

    event: int
    milliseconds: float
    error: str | None = None
    """Text of what was thrown; None when all went well."""


class Line(Struct, frozen=True, array_like=True):
    level: str
    text: str


class Declaration(Struct, frozen=True):
    """What the script wants from the host, by flora's names."""

    events: list[str]
    own: bool = False
    """Whether a handler asked for the bot's own messages."""
    commands: list[Raw] | None = None
    """Discord's JSON list of slash commands; null when the script registered none."""
    crons: list[CronIn] = field(default_factory=list[CronIn])
    apology: str | None = None
    """What users are told when a handler fails; None for the usual text."""


class Outbox(Struct, frozen=True):
    ops: list[Call] = field(default_factory=list[Call], name="o")
    timers_set: list[TimerSet] = field(default_factory=list[TimerSet], name="t")
    timers_cleared: list[int] = field(default_factory=list[int], name="c")
    lines: list[Line] = field(default_factory=list[Line], name="l")
    settled: list[Settled] = field(default_factory=list[Settled], name="d")
    declaration: Declaration | None = field(default=None, name="u")
    load: bool | str | None = field(default=None, name="b")
    """True once the bundle's promise is fulfilled, the error's text when it was rejected."""


_decode = msgspec.json.Decoder(Outbox).decode


def read_outbox(text: bytes) -> Outbox:
    """The outbox in ``text``; raises MalformedFrame."""
    try:
        return _decode(text)
    except UNREADABLE as error:
        raise MalformedFrame(f"outbox: {error}") from None
