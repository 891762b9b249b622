"""A guild's waiting events, and which of them are given up when there are too many. Pure: no clock, no I/O.

An event is *waiting* until it was sent to the worker, *sent* until a turn has started it, *open* until its
handlers have settled. Numbers are given in the order of sending and name an event towards the worker. After a
worker died the flight recorder tells how far it had started: what it had not is waiting again.

Interactions are sent before anything else that waits: somebody looks at a spinner, and Discord gives up on it
after three seconds. Within the two classes the order of arrival is kept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flora_core.events import DROPPABLE

FIRST: Final = "INTERACTION_CREATE"
"""The type that goes before all others."""

SENT_AHEAD: Final = 32
"""Events a worker may hold of one guild beyond those its turns have started: two turns' worth."""

KEPT_FACTOR: Final = 10
"""Events that are not droppable are kept up to this many times the limit."""


class Drop(StrEnum):
    """Why an event was not queued."""

    BACKLOG = "backlog"
    OVERFLOW = "overflow"


@dataclass(slots=True)
class Waiting:
    """An event on its way to a script."""

    number: int
    """Its name towards the worker; 0 until it is sent."""
    offset: int
    """Its place in the gateway's stream, for the acknowledgement; 0 for the pod's own events."""
    type: str
    body: bytes
    """JSON with Discord's ``t`` and ``d``."""


class Backlog:
    """The events of one guild between the gateway's stream and its script."""

    __slots__ = ("_first", "_last", "_limit", "_sent", "_waiting", "open")

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._last = 0
        self._first: deque[Waiting] | None = None
        """Interactions that wait; made with the first, for most guilds never have two at once."""
        self._waiting: deque[Waiting] = deque()
        self._sent: deque[Waiting] = deque()
        self.open: dict[int, str] = {}
        """Started and not settled: number -> type."""

    def __len__(self) -> int:
        return len(self._waiting) + len(self._sent) + (len(self._first) if self._first else 0)

    @property
    def urgent(self) -> bool:
        """Whether an interaction waits."""
        return bool(self._first)

    def add(self, type_: str, offset: int, body: bytes) -> Drop | None:
        """Queue an event; the reason when it was dropped instead."""
        pending = len(self)
        if pending >= self._limit:
            if type_ in DROPPABLE:
                return Drop.BACKLOG
            if pending >= self._limit * KEPT_FACTOR:
                return Drop.OVERFLOW
        self._queue(type_).append(Waiting(0, offset, type_, body))
        return None

    def _queue(self, type_: str) -> deque[Waiting]:
        if type_ != FIRST:
            return self._waiting
        if self._first is None:
            self._first = deque()
        return self._first

    def holds(self, type_: str) -> bool:
        """Whether an event of this type waits or has not settled; looks at all of them."""
        return type_ in self.open.values() or any(
            event.type == type_ for event in (*self._sent, *(self._first or ()), *self._waiting)
        )

    def newest(self, type_: str) -> Waiting | None:
        """The last of a type that was queued, while it has not started."""
        queues = (self._first or (), self._waiting, self._sent)
        return next((event for queue in queues for event in reversed(queue) if event.type == type_), None)

    def to_send(self, most: int = SENT_AHEAD) -> list[Waiting]:
        """The events that may go to the worker now, ``most`` besides interactions; they count as sent."""
        room = SENT_AHEAD - len(self._sent)
        events = self._take(self._first, room) if self._first else []
        events += self._take(self._waiting, min(most, room - len(events)))
        self._sent.extend(events)
        return events

    def _take(self, queue: deque[Waiting], most: int) -> list[Waiting]:
        events = [queue.popleft() for _ in range(min(most, len(queue)))]
        for event in events:
            self._last = event.number = self._last + 1
        return events

    def started(self, number: int) -> list[Waiting]:
        """A turn has started everything up to ``number``; returns what that settles for the gateway."""
        events: list[Waiting] = []
        while self._sent and self._sent[0].number <= number:
            event = self._sent.popleft()
            self.open[event.number] = event.type
            events.append(event)
        return events

    def type_of(self, number: int) -> str | None:
        """The type of an event that the worker has; None for one that is settled."""
        in_worker = (event.type for event in self._sent if event.number == number)
        return self.open.get(number) or next(in_worker, None)

    def settled(self, number: int) -> str | None:
        """All handlers of an event have settled; returns its type, None for one that is not open."""
        return self.open.pop(number, None)

    def unsend(self, started: int) -> list[Waiting]:
        """The worker is gone, and had started everything up to ``started``.

        What it had not started waits again, in order; returns what it had, which is lost or unknown.
        """
        lost = self.started(started)
        while self._sent:
            event = self._sent.pop()
            event.number = 0
            self._queue(event.type).appendleft(event)
        return lost

    def forget(self) -> list[Waiting]:
        """Give up everything that has not started; returns it."""
        events = [*self._sent, *(self._first or ()), *self._waiting]
        self._sent.clear()
        self._waiting.clear()
        self._first = None
        return events
