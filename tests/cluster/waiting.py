"""Waiting for what a cluster does by and by."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(true: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """Until ``true``; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.05)
