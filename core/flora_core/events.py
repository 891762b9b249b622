"""Which of Discord's gateway events reach scripts, and under what name.

The one table that gateway, supervisor and documentation are made from. An event that is not in it is used
by the gateway itself (channels, threads, guilds) or dropped there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


@dataclass(slots=True, frozen=True)
class EventKind:
    """One of Discord's events that scripts may handle."""

    names: tuple[str, ...]
    """flora's names; several where one of Discord's events is more than one of ours."""
    droppable: bool = False
    """High rate, and a guild that cannot keep up can live without some of them."""


READY: Final = "READY"
INTERACTION: Final = "INTERACTION_CREATE"
MESSAGE: Final = "MESSAGE_CREATE"

EVENTS: Final = {
    READY: EventKind(("ready",)),
    MESSAGE: EventKind(("messageCreate",), droppable=True),
    "MESSAGE_UPDATE": EventKind(("messageUpdate",), droppable=True),
    "MESSAGE_DELETE": EventKind(("messageDelete",)),
    "MESSAGE_DELETE_BULK": EventKind(("messageDeleteBulk",)),
    INTERACTION: EventKind(("interactionCreate", "componentInteraction", "modalSubmit")),
    "MESSAGE_REACTION_ADD": EventKind(("reactionAdd",)),
    "MESSAGE_REACTION_REMOVE": EventKind(("reactionRemove",)),
    "MESSAGE_REACTION_REMOVE_EMOJI": EventKind(("reactionRemoveEmoji",)),
    "MESSAGE_REACTION_REMOVE_ALL": EventKind(("reactionRemoveAll",)),
}
"""By Discord's name."""

DROPPABLE: Final = frozenset(type_ for type_, kind in EVENTS.items() if kind.droppable)


class InteractionType(IntEnum):
    """Discord: interactions/receiving-and-responding, "Interaction Type"."""

    PING = 1
    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL = 5


_INTERACTIONS: Final = {
    InteractionType.COMMAND: "interactionCreate",
    InteractionType.COMPONENT: "componentInteraction",
    InteractionType.MODAL: "modalSubmit",
}


def name_of(type_: str, *, interaction: int = 0) -> str | None:
    """The name scripts know an event by; None for one that scripts cannot handle.

    ``interaction`` is the ``type`` of an INTERACTION_CREATE.
    """
    if type_ == INTERACTION:
        return _INTERACTIONS.get(interaction)  # pyright: ignore[reportArgumentType, reportCallIssue]
    kind = EVENTS.get(type_)
    return kind.names[0] if kind is not None else None
