"""Waiting for what comes by and by, with a deadline that a machine that stands still does not use up.

A look that takes long (a virtual machine that is paused, a disk that does not answer) counts for
``LONGEST_LOOK_SECONDS`` only, so that what waits for the same machine has its time too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

LONGEST_LOOK_SECONDS: Final = 1.0


async def until(true: Callable[[], T], *, seconds: float = 20.0, pause: float = 0.01) -> T:
    """What ``true`` answers, once that counts as true; raises TimeoutError after ``seconds``."""
    patience = _Patience(seconds)
    while not (answer := true()):
        patience.look()
        await asyncio.sleep(pause)
    return answer


def eventually(true: Callable[[], T], *, seconds: float = 30.0, pause: float = 0.05) -> T:
    """The same, where there is no event loop that has to go on."""
    patience = _Patience(seconds)
    while not (answer := true()):
        patience.look()
        time.sleep(pause)
    return answer


class _Patience:
    """``look`` is called each time that it is not so yet."""

    def __init__(self, seconds: float) -> None:
        self._seconds = self._left = seconds
        self._looked_at = time.monotonic()

    def look(self) -> None:
        now = time.monotonic()
        self._left -= min(now - self._looked_at, LONGEST_LOOK_SECONDS)
        self._looked_at = now
        if self._left <= 0:
            raise TimeoutError(f"not within {self._seconds:g} s")
