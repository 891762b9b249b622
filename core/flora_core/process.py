"""What every long-running process of flora does at its start."""

from __future__ import annotations

import gc


def freeze_startup_objects() -> None:
    """Keep the garbage collector off everything made so far.

    Modules, classes and settings live as long as the process; walking them again and again is the larger
    part of a full collection. The thresholds are raised because streams make many short-lived objects that
    reference counting frees by itself.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
