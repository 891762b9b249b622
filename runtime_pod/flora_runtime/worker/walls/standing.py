"""Puts up the walls of this process, in the order in which they depend on each other.

Called once, when V8 is up, an isolate has been made and closed, and everything that is ever opened is open;
what is missing on this kernel is said and not fatal, because ``flora dev`` runs on laptops too.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass, field
from typing import Final

from flora_runtime.worker.walls import landlock, seccomp
from flora_runtime.worker.walls.syscalls import this_machine

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38

KEPT_VARIABLES: Final = ("TZ",)
"""ICU asks for it with the first date; without it, it looks for files."""


@dataclass(slots=True)
class Standing:
    """What is up, and what could not be put up."""

    walls: list[str] = field(default_factory=list[str])
    """``landlock`` and ``seccomp``."""
    warnings: list[str] = field(default_factory=list[str])


def put_up() -> Standing:
    """Give up everything that this process does not need; there is no way back."""
    standing = Standing()
    for name in [name for name in os.environ if name not in KEPT_VARIABLES]:
        del os.environ[name]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        standing.warnings.append(f"no walls around worker processes on {sys.platform}: for development only")
        return standing
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)  # the pipe's end tells us, too
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _landlock(standing)
    _seccomp(standing)
    return standing


def _landlock(standing: Standing) -> None:
    known = landlock.abi()
    if not known:
        standing.warnings.append("this kernel has no landlock: files are closed to scripts by seccomp alone")
        return
    try:
        landlock.restrict(known)
    except OSError as error:
        standing.warnings.append(str(error))
        return
    standing.walls.append("landlock")
    if known < landlock.NETWORK_ABI:
        standing.warnings.append(f"landlock of this kernel (ABI {known}) does not know the network")


def _seccomp(standing: Standing) -> None:
    machine = this_machine()
    if machine is None:
        name = os.uname().machine
        standing.warnings.append(f"no seccomp filter for {name}: its system calls are not known to flora")
        return
    try:
        seccomp.install(machine)
    except OSError as error:
        standing.warnings.append(str(error))
    else:
        standing.walls.append("seccomp")
