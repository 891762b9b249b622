"""Limits that a tool process puts on itself before it touches anybody's code.

It needs little: no new privileges, no core dumps, bounded memory, and an end when its parent ends. Time is
the parent's business, which kills. What the kernel does not offer (macOS, Windows) is left out; end of
input on stdin still ends the process there.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

MEMORY: Final = 1536 << 20
"""Bytes of data, of which a process at rest counts 650 MiB (and uses 140). Of address space, the usual
measure, V8 reserves terabytes."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38


def enter(parent: int) -> None:
    """Put this process under its limits; ends it when ``parent`` is gone already."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on Windows

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # when the thread ends that started this process
        with suppress(OSError):  # when memory runs out, better this process than another of the pod
            Path("/proc/self/oom_score_adj").write_text("1000")
    if os.getppid() != parent:
        sys.exit(0)


def resident_bytes() -> int:
    """Memory that this process holds; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
