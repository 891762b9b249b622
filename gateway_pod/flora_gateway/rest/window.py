"""Counting in a sliding window, with the caller's clock."""

from __future__ import annotations

from collections import deque


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

    def opens_at(self, now: float) -> float:
        """When one more mark fits: ``now`` or a moment after it."""
        marks = self._marks
        if len(marks) < self._limit:
            return now
        return max(now, marks[0] + self._seconds)

    def mark(self, now: float) -> None:
        """Count one; over the limit the oldest is forgotten, so that the window stays full for longer."""
        self._marks.append(now)

    def count(self, now: float) -> int:
        """How many marks, at most ``limit``, lie in the window."""
        marks = self._marks
        while marks and marks[0] + self._seconds <= now:
            marks.popleft()
        return len(marks)
