"""A guild's waiting events, and which of them are given up when there are too many. Pure: no clock, no I/O.

Numbers are given in order of arrival and name an event towards the worker. An event is *waiting* until it
was sent to the worker, *sent* until a turn has started it, *open* until its handlers have settled. After
a worker died the flight recorder tells how far it had started: what it had not is waiting again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flora_core.events import DROPPABLE

SENT_AHEAD: Final = 32
"""Events a worker may hold of one guild beyond those its turns have started: two turns' worth."""

KEPT_FACTOR: Final = 10
"""Events that are not droppable are kept up to this many times the limit."""


class Drop(StrEnum):
    """Why an event was not queued."""

    BACKLOG = "backlog"
    OVERFLOW = "overflow"


@dataclass(slots=True, frozen=True)
class Waiting:
    """An event on its way to a script."""

    number: int
    offset: int
    """Its place in the gateway's stream, for the acknowledgement; 0 for the pod's own events."""
    type: str
    body: bytes
    """JSON with Discord's ``t`` and ``d``."""


class Backlog:
    """The events of one guild between the gateway's stream and its script."""

    __slots__ = ("_limit", "_sent", "_waiting", "last", "open")

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self.last = 0
        """Number of the newest event."""
        self._waiting: deque[Waiting] = deque()
        self._sent: deque[Waiting] = deque()
        self.open: dict[int, str] = {}
        """Started and not settled: number -> type."""

    def __len__(self) -> int:
        return len(self._waiting) + len(self._sent)

    def add(self, type_: str, offset: int, body: bytes) -> Drop | None:
        """Queue an event; the reason when it was dropped instead."""
        pending = len(self)
        if pending >= self._limit:
            if type_ in DROPPABLE:
                return Drop.BACKLOG
            if pending >= self._limit * KEPT_FACTOR:
                return Drop.OVERFLOW
        self.last += 1
        self._waiting.append(Waiting(self.last, offset, type_, body))
        return None

    def holds(self, type_: str) -> bool:
        """Whether an event of this type waits or has not settled; looks at all of them."""
        return type_ in self.open.values() or any(
            event.type == type_ for event in (*self._sent, *self._waiting)
        )

    def to_send(self) -> list[Waiting]:
        """The events that may go to the worker now; they count as sent."""
        room = SENT_AHEAD - len(self._sent)
        events = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
        self._sent.extend(events)
        return events

    def started(self, number: int) -> list[Waiting]:
        """A turn has started everything up to ``number``; returns what that settles for the gateway."""
        events: list[Waiting] = []
        while self._sent and self._sent[0].number <= number:
            event = self._sent.popleft()
            self.open[event.number] = event.type
            events.append(event)
        return events

    def settled(self, number: int) -> str | None:
        """All handlers of an event have settled; returns its type, None for one that is not open."""
        return self.open.pop(number, None)

    def unsend(self, started: int) -> list[Waiting]:
        """The worker is gone, and had started everything up to ``started``.

        What it had not started waits again, in order; returns what it had, which is lost or unknown.
        """
        lost = self.started(started)
        self._waiting.extendleft(reversed(self._sent))
        self._sent.clear()
        return lost

    def forget(self) -> list[Waiting]:
        """Give up everything that has not started; returns it."""
        events = [*self._sent, *self._waiting]
        self._sent.clear()
        self._waiting.clear()
        return events
