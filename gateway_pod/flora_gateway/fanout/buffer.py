"""One runtime pod's frames: numbered, bounded, kept until the pod acknowledges them. Pure: no I/O.

A frame is *unsent* until the pod's stream took it, then *sent* until it is acknowledged. When the pod comes
back it says up to where it has everything; what lies behind that is sent again. Two bounds keep one guild
from harming the others of its pod: above a number of unacknowledged events its droppable ones are dropped,
and above the byte bound of the whole buffer every new event is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flora_core.events import DROPPABLE, INTERACTION
from flora_core.wire.ndjson import LINE_LIMIT

INTERACTION_SECONDS: Final = 3.0
"""Discord waits this long for an answer (interactions/receiving-and-responding)."""

EVENT_LIMIT: Final = LINE_LIMIT - 1024
"""Bytes of an event's data that still fit into a line with their frame. Discord's own are far smaller."""

FRAME_OVERHEAD: Final = 200
"""Bytes a frame costs besides its line."""


class Drop(StrEnum):
    """Why an event is not in the buffer, or was taken out of it."""

    BACKLOG = "backlog"
    OVERFLOW = "overflow"
    TOO_LARGE = "too_large"
    EXPIRED = "expired"


@dataclass(slots=True)
class Frame:
    """A numbered line, and whom to tell when it is no longer needed."""

    offset: int
    line: bytes
    guild: str
    type: str
    """Discord's name of an event; empty for a result."""
    at: float
    """When it was taken off the socket, monotonic seconds."""
    done: Callable[[], None] | None


class PodBuffer:
    """See the module's text."""

    def __init__(self, *, byte_limit: int, guild_limit: int) -> None:
        self._byte_limit = byte_limit
        self._guild_limit = guild_limit
        self._sent: deque[Frame] = deque()
        self._unsent: deque[Frame] = deque()
        self._of_guild: dict[str, int] = {}
        self.next_offset = 1
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._sent) + len(self._unsent)

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    @property
    def first_offset(self) -> int:
        """Offset of the oldest frame that is still here, or of the next one."""
        for frames in (self._sent, self._unsent):
            if frames:
                return frames[0].offset
        return self.next_offset

    def waits(self, guild: str) -> bool:
        """Whether an event of ``guild`` is here that the pod has not acknowledged."""
        return guild in self._of_guild

    def refuses(self, type_: str, guild: str, size: int) -> Drop | None:
        """Why an event of this size would not be taken; None when it would."""
        if size > EVENT_LIMIT:
            return Drop.TOO_LARGE
        if self.bytes + size > self._byte_limit:
            return Drop.OVERFLOW
        if type_ in DROPPABLE and self._of_guild.get(guild, 0) >= self._guild_limit:
            return Drop.BACKLOG
        return None

    def append(
        self,
        line: Callable[[int], bytes],
        *,
        guild: str,
        type_: str = "",
        at: float = 0.0,
        done: Callable[[], None] | None = None,
    ) -> int:
        """Add a frame; ``line`` makes it from its offset. Returns the offset."""
        offset = self.next_offset
        self.next_offset += 1
        frame = Frame(offset, line(offset), guild, type_, at, done)
        self._unsent.append(frame)
        self.bytes += len(frame.line) + FRAME_OVERHEAD
        if type_:
            self._of_guild[guild] = self._of_guild.get(guild, 0) + 1
        return offset

    def take_unsent(self, *, limit: int, now: float) -> tuple[list[Frame], list[Frame]]:
        """The next frames for the stream, up to about ``limit`` bytes, and those that are too old to send."""
        frames: list[Frame] = []
        expired: list[Frame] = []
        size = 0
        while self._unsent and size < limit:
            frame = self._unsent.popleft()
            if frame.type == INTERACTION and now - frame.at > INTERACTION_SECONDS:
                self._forget(frame)
                expired.append(frame)
                continue
            self._sent.append(frame)
            frames.append(frame)
            size += len(frame.line)
        return frames, expired

    def acknowledge(self, offset: int) -> None:
        """The pod has everything up to ``offset``."""
        while self._sent and self._sent[0].offset <= offset:
            self._forget(self._sent.popleft())

    def rewind(self, after: int) -> None:
        """The pod is back and has everything up to ``after``: all behind that is unsent again."""
        self.acknowledge(after)
        self._unsent.extendleft(reversed(self._sent))
        self._sent.clear()

    def _forget(self, frame: Frame) -> None:
        self.bytes -= len(frame.line) + FRAME_OVERHEAD
        if frame.type:
            left = self._of_guild[frame.guild] - 1
            if left:
                self._of_guild[frame.guild] = left
            else:
                del self._of_guild[frame.guild]
        if frame.done is not None:
            frame.done()
