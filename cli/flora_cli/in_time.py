"""An answer within some seconds, from what has no deadline of its own: a keyring, a server at a TAB."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def answer_within(seconds: float, act: Callable[[], T], *, otherwise: T) -> T:
    """What ``act`` returns; ``otherwise`` when it raises, whatever it is, or is not done in time.

    It runs in a thread of its own, which is left behind when it hangs and keeps no process from ending.
    """
    answers: list[T] = []

    def run() -> None:
        try:
            answers.append(act())
        except BaseException:  # noqa: BLE001  a thread has nobody to tell
            return

    thread = threading.Thread(target=run, daemon=True, name="in_time")
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else otherwise
