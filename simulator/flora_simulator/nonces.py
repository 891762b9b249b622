"""Discord's ``enforce_nonce``: a message sent again with the same nonce is not posted twice.

Every message's nonce is remembered for a few minutes; a create with ``enforce_nonce: true`` whose author
used that nonce in that time gets the earlier message back. (Discord: resources/message, Create Message.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Remembered:
    channel: int
    message: int
    until: float


class Nonces:
    """The nonces of the last ``window`` seconds, at most 10,000."""

    def __init__(self, window: float, *, now: Callable[[], float]) -> None:
        self._window = window
        self._now = now
        self._seen: dict[tuple[int, str], _Remembered] = {}

    def find(self, author: int, nonce: str | int) -> tuple[int, int] | None:
        """The (channel, message) that ``author`` sent with ``nonce``, when that is not too long ago."""
        seen = self._seen.get((author, str(nonce)))
        return (seen.channel, seen.message) if seen is not None and seen.until > self._now() else None

    def remember(self, author: int, nonce: str | int, *, channel: int, message: int) -> None:
        """Note that ``author`` sent ``message`` with ``nonce``."""
        key = author, str(nonce)
        self._seen.pop(key, None)
        self._seen[key] = _Remembered(channel, message, self._now() + self._window)
        while self._seen and (len(self._seen) > _MOST or self._oldest().until <= self._now()):
            del self._seen[next(iter(self._seen))]

    def _oldest(self) -> _Remembered:
        return next(iter(self._seen.values()))
