"""Cores and CPU time: who runs where, and what it used.

What is measured runs on one core, everything that feeds it (the stub, this process) on the other. CPU time
is the kernel's account of a process with all of its threads; it is what "per core" means in the rows,
because a core that is shared with somebody else's work loses wall time, not CPU time.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import psutil


class Cores(NamedTuple):
    """Where processes go; the same core twice on a machine that has only one."""

    tested: int
    feeding: int


def cores() -> Cores:
    """Two cores of those this process may use."""
    allowed = sorted(_ALLOWED)
    return Cores(allowed[0], allowed[-1])


_ALLOWED: Final = frozenset(os.sched_getaffinity(0))


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Keep this thread, and with it what it starts, on ``core``; None for any."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, _ALLOWED if core is None else {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes up to now, all threads."""
    total = 0.0
    for pid in pids:
        times = psutil.Process(pid).cpu_times()
        total += times.user + times.system
    return total


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in RAM now."""
    return psutil.Process(pid).memory_info().rss


class Meter:
    """CPU and wall time since it was made."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._cpu = cpu_seconds(pids)
        self._wall = time.monotonic()

    @property
    def cpu(self) -> float:
        return cpu_seconds(self._pids) - self._cpu

    @property
    def wall(self) -> float:
        return time.monotonic() - self._wall


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which ``part`` (0 to 1) of ``values`` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def description() -> str:
    """The machine in one line."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = psutil.virtual_memory().total / (1 << 30)
    return (
        f"{os.cpu_count()} x {model}, {memory:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}"
    )
