"""Long turns give way: a thread that has run for a while runs only when nobody else wants its core.

All of a worker's threads share one core, and the kernel lets each that is busy have it for some milliseconds
at a time. A message passes half a dozen threads on its way, so a few scripts in endless loops would add that
wait to each step. A turn that has taken longer than a moment is therefore demoted (SCHED_IDLE) until it ends.

Linux lets any thread become idle, but it may leave that only with CAP_SYS_NICE or an RLIMIT_NICE of 20. Where
it may not, nothing is demoted: an honest turn of ten milliseconds must not cost its script all later ones.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import Final

DEMOTE_SECONDS: Final = 0.005
"""CPU time of a turn after which it gives way; most turns take a tenth of a millisecond."""


class Priority:
    """Of the threads of this process."""

    def __init__(self) -> None:
        self.can_demote: Final = _may_return_from_idle()

    def demote(self, thread: int) -> None:
        """Let ``thread`` run when no other wants to."""
        with contextlib.suppress(OSError):
            os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))

    def restore(self, thread: int) -> None:
        """Let ``thread`` run as the others do."""
        with contextlib.suppress(OSError):
            os.sched_setscheduler(thread, os.SCHED_BATCH, os.sched_param(0))


def _may_return_from_idle() -> bool:
    """Try it, on a thread that is not needed afterwards."""
    if not hasattr(os, "SCHED_IDLE"):
        return False
    may = False

    def attempt() -> None:
        nonlocal may
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
            may = True

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join()
    return may
