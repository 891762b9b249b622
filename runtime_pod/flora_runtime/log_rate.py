"""How many lines a guild's script may write into its log. Pure: the clock is an argument.

Kept twice: in the worker, where a line over the rate costs least, and in the supervisor, which trusts no
worker.
"""

from __future__ import annotations

from typing import Final

LINES: Final = 100
SECONDS: Final = 10.0


class LogRate:
    """``LINES`` in ``SECONDS`` from the first of them; what comes beyond is counted until that is over."""

    __slots__ = ("_lines", "_suppressed", "_until")

    def __init__(self) -> None:
        self._until = 0.0
        self._lines = 0
        self._suppressed = 0

    def take(self, now: float) -> bool:
        """Whether a line may be written; call ``overdue`` before."""
        self._begin(now)
        if self._lines >= LINES:
            self._suppressed += 1
            return False
        self._lines += 1
        return True

    def left_out(self) -> int:
        """How many lines were suppressed so far; told once."""
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed

    def suppress(self, lines: int, now: float) -> None:
        """Count lines that somebody else left out; call ``overdue`` before."""
        self._begin(now)
        self._suppressed += lines

    def _begin(self, now: float) -> None:
        if now >= self._until:
            self._until = now + SECONDS
            self._lines = 0

    def overdue(self, now: float) -> int:
        """How many lines were suppressed, once their time is over; told once."""
        if not self._suppressed or now < self._until:
            return 0
        return self.left_out()
