"""Interactions whose answer would die with their isolate.

A script answers its interactions itself, errors included. When its isolate goes over a limit, or its worker
dies, nobody is left to: the user would read "the application did not respond". So the supervisor remembers
the interactions whose handlers run and how far their answering is, and says sorry in the script's place.
Pure: it makes calls, its guild has them carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from flora_core.events import InteractionType
from flora_core.wire import UNREADABLE

APOLOGY: Final = "Something went wrong. The people who run the bot can read why in its log."
"""Unless the script has a text of its own; the SDK says the same."""

CONTENT_LIMIT: Final = 2000
"""Characters of a message (Discord: resources/message)."""
EPHEMERAL: Final = 64

OPEN_LIMIT: Final = 1000
"""Interactions of one guild to remember; a script that keeps more open than that answers none of them."""


class _Progress(Enum):
    OPEN = "open"
    THINKING = "thinking"
    """Deferred; the message that says so is to be filled."""
    UPDATING = "updating"
    """Deferred without anything to see."""


class ApologyCall(NamedTuple):
    """An op, as a script would make it."""

    name: str
    args: bytes


@dataclass(slots=True)
class _Interaction:
    id: str
    token: str
    progress: _Progress = _Progress.OPEN


class _Data(Struct):
    id: str
    token: str
    type: int


class _Event(Struct):
    d: _Data


class _Path(Struct, frozen=True):
    token: str = ""


class _Body(Struct, frozen=True):
    type: int = 0


class _Args(Struct):
    path: _Path = _Path()
    body: _Body = _Body()


_event: Final = msgspec.json.Decoder(_Event).decode
_args: Final = msgspec.json.Decoder(_Args).decode

_DEFERRED_UPDATE: Final = 6
_DEFER: Final = "deferInteractionResponse"
_ANSWERS: Final = frozenset(
    (
        *("sendInteractionResponse", "updateInteractionResponse", "openModal", "createFollowupMessage"),
        *("editOriginalInteractionResponse", "deleteOriginalInteractionResponse"),
    )
)
"""Calls after which the user has seen something, or has been meant to."""


class Unanswered:
    """The interactions of one guild whose handlers run and that have seen no answer."""

    __slots__ = ("_numbers", "_open", "text")

    def __init__(self) -> None:
        self.text: str = APOLOGY
        """What to say; empty for nothing."""
        self._open: dict[int, _Interaction] = {}
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._open)

    def started(self, number: int, body: bytes) -> None:
        """Handlers of an INTERACTION_CREATE have started; ``body`` has its ``d``."""
        try:
            found = _event(body).d
        except UNREADABLE:
            return  # nothing of Discord's, and nothing that could be answered
        if found.type == InteractionType.AUTOCOMPLETE or len(self._open) >= OPEN_LIMIT:
            return
        self._open[number] = _Interaction(found.id, found.token)
        self._numbers[found.token] = number

    def called(self, name: str, args: Raw) -> None:
        """The script made a call."""
        if name != _DEFER and name not in _ANSWERS:
            return
        try:
            call = _args(args)
        except UNREADABLE:
            return  # the gateway refuses it
        number = self._numbers.get(call.path.token)
        if number is None:
            return
        if name == _DEFER:
            updating = call.body.type == _DEFERRED_UPDATE
            self._open[number].progress = _Progress.UPDATING if updating else _Progress.THINKING
        else:
            self.settled(number)

    def settled(self, number: int) -> None:
        """All handlers of an event have settled, or it was answered."""
        interaction = self._open.pop(number, None)
        if interaction is not None:
            self._numbers.pop(interaction.token, None)

    def give_up(self, number: int) -> ApologyCall | None:
        """The handlers of an event were cut off; the call that tells the user, if there is need of one."""
        interaction = self._open.get(number)
        self.settled(number)
        return _apology(interaction, self.text) if interaction is not None and self.text else None


def _apology(interaction: _Interaction, text: str) -> ApologyCall:
    path = {"token": interaction.token}
    content = {"content": text[:CONTENT_LIMIT]}
    hidden = {**content, "flags": EPHEMERAL}
    if interaction.progress is _Progress.THINKING:
        return _call("editOriginalInteractionResponse", path, content)
    if interaction.progress is _Progress.UPDATING:
        return _call("createFollowupMessage", path, hidden)
    path["interaction"] = interaction.id
    return _call("sendInteractionResponse", path, {"type": 4, "data": hidden})


def _call(name: str, path: dict[str, str], body: Mapping[str, object]) -> ApologyCall:
    return ApologyCall(name, msgspec.json.encode({"path": path, "body": body}))
