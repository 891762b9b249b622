"""Events of guilds that are between two pods: kept out of the pods' buffers, under the same bounds. Pure.

While a guild moves, its route names the handoff that its events wait for. They wait here, in order, until the
route says where they go. Discord's low-water mark stays below them, so that a gateway that dies is sent them
again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from flora_core.events import DROPPABLE
from flora_gateway.fanout.buffer import EVENT_LIMIT, FRAME_OVERHEAD, Drop

LINE_OVERHEAD: Final = 150
"""Bytes of a frame's line besides the event's data, at most: what waits costs as much as in a buffer."""


@dataclass(slots=True, frozen=True)
class Event:
    """One event, ready to become a frame of whichever pod gets it."""

    type: str
    name: str
    """flora's."""
    line: Callable[[int], bytes]
    """The frame from its offset."""
    size: int
    """Bytes of its data."""
    at: float
    """When it was taken off the socket, monotonic seconds."""
    done: Callable[[], None]


@dataclass(slots=True)
class Waiting:
    """One guild's."""

    handoff: str
    since: float
    """Monotonic seconds."""
    said: bool = False
    """Whether the control plane was told that nothing of the guild is on its way any more."""
    events: list[Event] = field(default_factory=list)


class Holds:
    """See the module's text."""

    def __init__(self, *, byte_limit: int, guild_limit: int) -> None:
        self._byte_limit = byte_limit
        self._guild_limit = guild_limit
        self._holds: dict[str, Waiting] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return sum(len(hold.events) for hold in self._holds.values())

    @property
    def guilds(self) -> list[str]:
        """Those whose events wait."""
        return list(self._holds)

    def of(self, guild: str) -> Waiting | None:
        """What is held of ``guild``; None when its events go to its pod."""
        return self._holds.get(guild)

    def begin(self, guild: str, handoff: str, now: float) -> Waiting:
        """From now on ``guild`` waits for ``handoff``; what waited for another one waits on."""
        hold = self._holds.get(guild)
        if hold is None:
            hold = self._holds[guild] = Waiting(handoff, now)
        elif hold.handoff != handoff:
            hold.handoff, hold.said = handoff, False
        return hold

    def refuses(self, type_: str, guild: str, size: int) -> Drop | None:
        """Why an event of this size would not be kept; None when it would."""
        if size > EVENT_LIMIT:
            return Drop.TOO_LARGE
        if self.bytes + size > self._byte_limit:
            return Drop.OVERFLOW
        if type_ in DROPPABLE and len(self._holds[guild].events) >= self._guild_limit:
            return Drop.BACKLOG
        return None

    def add(self, guild: str, event: Event) -> None:
        """Keep ``event``; ``guild`` is held."""
        self._holds[guild].events.append(event)
        self.bytes += _cost(event)

    def end(self, guild: str) -> Waiting:
        """Nothing of ``guild`` is held any more; what was."""
        hold = self._holds.pop(guild)
        self.bytes -= sum(map(_cost, hold.events))
        return hold


def _cost(event: Event) -> int:
    return event.size + LINE_OVERHEAD + FRAME_OVERHEAD
