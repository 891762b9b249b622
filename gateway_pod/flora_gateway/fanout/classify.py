"""What an event is and whom it concerns, read from Discord's raw JSON without parsing all of it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from msgspec import Raw, Struct

from flora_core.errors import MalformedFrame
from flora_core.events import GUILD_UPDATE, INTERACTION, MESSAGE, name_of
from flora_core.wire import UNREADABLE
from flora_core.wire.ndjson import flat


class _Author(Struct, frozen=True):
    id: str = ""


class _Event(Struct):
    """The fields of any event's ``d`` that decide where it goes."""

    guild_id: str | None = None
    channel_id: str | None = None


class _Message(_Event):
    author: _Author = _Author()


class _Interaction(_Event):
    type: int = 0


class _Guild(Struct):
    id: str


_event = msgspec.json.Decoder(_Event).decode
_message = msgspec.json.Decoder(_Message).decode
_interaction = msgspec.json.Decoder(_Interaction).decode
_guild = msgspec.json.Decoder(_Guild).decode


@dataclass(slots=True)
class Classified:
    """An event with what routing needs to know about it."""

    name: str | None
    """flora's name; None when scripts cannot handle it."""
    guild: str
    """Empty for events without a guild."""
    channel: str
    author: str
    """Who wrote a MESSAGE_CREATE; empty for other events."""
    data: bytes
    """``d`` on one line."""


def classify(type_: str, data: Raw) -> Classified:
    """Read ``data``, Discord's ``d`` of an event of ``type_``; raises MalformedFrame."""
    author, kind = "", 0
    try:
        if type_ == MESSAGE:
            event = _message(data)
            author = event.author.id
        elif type_ == INTERACTION:
            event = _interaction(data)
            kind = event.type
        elif type_ == GUILD_UPDATE:
            event = _Event(guild_id=_guild(data).id)
        else:
            event = _event(data)
    except UNREADABLE as error:
        raise MalformedFrame(f"{type_}: {error}") from None
    return Classified(
        name_of(type_, interaction=kind),
        event.guild_id or "",
        event.channel_id or "",
        author,
        flat(bytes(data)),
    )
