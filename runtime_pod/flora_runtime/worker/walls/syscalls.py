"""Numbers of the system calls that a worker may make, for the two machines flora runs on.

Sources: Linux ``arch/x86/entry/syscalls/syscall_64.tbl`` and ``include/uapi/asm-generic/unistd.h``. A call
that one of the two does not have is left out there: aarch64 has ``ppoll`` and ``epoll_pwait`` only.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Final

PLAIN: Final = {
    # name: (x86_64, aarch64); what happens for every event comes first, the filter looks in this order
    "read": (0, 63),
    "write": (1, 64),
    "futex": (202, 98),
    "epoll_wait": (232, None),
    "epoll_pwait": (281, 22),
    "sendto": (44, 206),
    "recvfrom": (45, 207),
    "mprotect": (10, 226),
    "madvise": (28, 233),
    "clock_gettime": (228, 113),
    "getpid": (39, 172),
    "gettid": (186, 178),
    # memory
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "brk": (12, 214),
    "mincore": (27, 232),
    "membarrier": (324, 283),
    "pkey_alloc": (330, 289),
    "pkey_free": (331, 290),
    "pkey_mprotect": (329, 288),
    # an isolate's thread, from its first call to its last
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "sched_getaffinity": (204, 123),
    "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120),
    "sched_yield": (24, 124),
    "getcpu": (309, 168),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "pause": (34, None),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "restart_syscall": (219, 128),
    # waiting and the time
    "poll": (7, None),
    "ppoll": (271, 73),
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    "clock_getres": (229, 114),
    "gettimeofday": (96, 169),
    "getrandom": (318, 278),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    # descriptors that are open already
    "close": (3, 57),
    "lseek": (8, 62),
    "fstat": (5, 80),
    "getdents64": (217, 61),
    "eventfd2": (290, 19),
    "epoll_ctl": (233, 21),
}

WITH_CONDITIONS: Final = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "ioctl": (16, 29),
    "prctl": (157, 167),
    "sched_setscheduler": (144, 119),
    "tgkill": (234, 131),
}

_SECCOMP: Final = (317, 277)


@dataclass(slots=True, frozen=True)
class Machine:
    """The numbers of one architecture."""

    audit_arch: int
    """``AUDIT_ARCH_…`` of ``<linux/audit.h>``: what the kernel tells a filter."""
    plain: dict[str, int]
    conditional: dict[str, int]
    seccomp: int
    foreign_from: int | None = None
    """Numbers from here on are calls of another ABI of the same architecture (x32)."""


def _table(column: int, calls: dict[str, tuple[int | None, int | None]]) -> dict[str, int]:
    numbers = ((name, pair[column]) for name, pair in calls.items())
    return {name: number for name, number in numbers if number is not None}


X86_64: Final = Machine(
    0xC000_003E, _table(0, {**PLAIN}), _table(0, {**WITH_CONDITIONS}), _SECCOMP[0], foreign_from=0x4000_0000
)
AARCH64: Final = Machine(0xC000_00B7, _table(1, {**PLAIN}), _table(1, {**WITH_CONDITIONS}), _SECCOMP[1])

_MACHINES: Final = {"x86_64": X86_64, "amd64": X86_64, "aarch64": AARCH64, "arm64": AARCH64}


def this_machine() -> Machine | None:
    """The machine this process runs on; None when its numbers are not known here."""
    return _MACHINES.get(platform.machine().lower())
