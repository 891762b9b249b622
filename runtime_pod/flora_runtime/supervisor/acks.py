"""Which of the gateway's frames are safe here, so that it may forget them. Pure: the clock is an argument.

A frame is safe when its event has started, or when it was a result and went to its worker. The gateway is
told one number: everything up to it is safe. So that one guild's long backlog cannot hold back that number
for all others (and fill the gateway's buffer), an event that has waited ``PATIENCE_SECONDS`` counts as safe
too; it is then lost if this very process dies before its turn comes.
"""

from __future__ import annotations

from typing import Final

PATIENCE_SECONDS: Final = 5.0


class AckTracker:
    """Offsets come in ascending order; they become safe in any."""

    __slots__ = ("_open", "_told", "highest")

    def __init__(self) -> None:
        self.highest = 0
        """Highest offset received."""
        self._told = 0
        self._open: dict[int, float] = {}

    def received(self, offset: int, now: float) -> None:
        """A frame arrived that is not safe yet."""
        self._open[offset] = now
        self.highest = offset

    def received_safe(self, offset: int) -> None:
        """A frame arrived that needs nothing more."""
        self.highest = offset

    def safe(self, offset: int) -> None:
        """A frame that was received has become safe; one that is unknown changes nothing."""
        self._open.pop(offset, None)

    @property
    def low_water(self) -> int:
        """Highest offset up to which everything is safe."""
        for oldest in self._open:
            return oldest - 1
        return self.highest

    def expire(self, now: float) -> None:
        """Count as safe what has waited too long."""
        while self._open:
            oldest = next(iter(self._open))
            if now - self._open[oldest] < PATIENCE_SECONDS:
                return
            del self._open[oldest]

    def to_tell(self) -> int | None:
        """The low-water mark when the gateway does not know it yet."""
        mark = self.low_water
        if mark <= self._told:
            return None
        self._told = mark
        return mark

    def restart(self, highest: int = 0) -> None:
        """The gateway numbers anew: nothing of the old numbering matters any more."""
        self._open.clear()
        self.highest = self._told = highest


class Seen:
    """Recognises events that were delivered before: Discord replays after a RESUME.

    Within one Discord session the events of a guild come in the order of their sequence numbers, also over a
    replay, so the highest number seen tells. Not so those of several guilds: events of one that moves here
    have waited in the gateway while later ones of others went on.
    """

    GUILDS: Final = 100_000

    __slots__ = ("_highest",)

    def __init__(self) -> None:
        self._highest: dict[str, tuple[str, int]] = {}

    def is_new(self, guild: str, session: str, sequence: int) -> bool:
        """Whether this event was not seen before; from now on it was."""
        known = self._highest.get(guild)
        if known is not None and known[0] == session and sequence <= known[1]:
            return False
        self._highest[guild] = (session, sequence)
        if len(self._highest) > self.GUILDS:
            del self._highest[next(iter(self._highest))]
        return True

    def of(self, guild: str) -> dict[str, int]:
        """Discord session -> sequence number of the guild's last event."""
        known = self._highest.get(guild)
        return {known[0]: known[1]} if known is not None else {}

    def know(self, guild: str, seen: dict[str, int]) -> None:
        """What the pod that had ``guild`` before has handled."""
        for session, sequence in seen.items():
            self.is_new(guild, session, sequence)
