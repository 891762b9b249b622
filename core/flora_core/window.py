"""Counting in a sliding window, with the caller's clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class SlidingWindow:
    """Marks in the last ``seconds``, and when there are fewer than ``limit`` of them.

    A token bucket that holds as many tokens as it gains in a second lets twice that pass within one
    second; this lets exactly ``limit`` pass in any. It remembers the last ``limit`` marks and no more.
    """

    __slots__ = ("_limit", "_marks", "_seconds")

    def __init__(self, limit: int, *, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._marks: deque[float] = deque(maxlen=limit)

    def opens_at(self, now: float, *, count: int = 1) -> float:
        """When ``count`` more marks fit: ``now`` or a moment after it. More than the limit never do."""
        marks = self._marks
        over = len(marks) + count - self._limit
        if over <= 0:
            return now
        if over > len(marks):
            return now + self._seconds
        return max(now, marks[over - 1] + self._seconds)

    def mark(self, now: float, *, count: int = 1) -> None:
        """Count some; over the limit the oldest are forgotten, so that the window stays full for longer."""
        self._marks.extend([now] * count)

    def count(self, now: float) -> int:
        """How many marks, at most ``limit``, lie in the window."""
        return len(self.marks(now))

    def marks(self, now: float) -> Sequence[float]:
        """The marks in the window, at most ``limit``, oldest first."""
        marks = self._marks
        while marks and marks[0] + self._seconds <= now:
            marks.popleft()
        return marks
