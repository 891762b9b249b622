"""The filter on a worker's system calls: those it needs are allowed, all others fail with EPERM.

It fails and does not kill: whoever got into the process learns nothing by it, and a call that a new release
of libc tries first costs an error and not the guilds of a worker (docs/decisions/0011). ``clone`` makes
threads and nothing else; ``clone3``, whose flags a filter cannot see, does not exist, and libc then takes
``clone``. Signals go to this process only, ``ioctl`` makes descriptors non-blocking, ``prctl`` gives names to
threads and memory, ``sched_setscheduler`` lets a long turn give way (``priority``) and takes no more than its
share.
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Final

from flora_runtime.worker.walls.bpf import Condition, Instruction, Rule, assemble, encode, errno_answer
from flora_runtime.worker.walls.syscalls import Machine

REFUSED: Final = errno_answer(errno.EPERM)

_CLONE_A_THREAD: Final = 0x0000_0100 | 0x0000_0800 | 0x0001_0000  # CLONE_VM, CLONE_SIGHAND, CLONE_THREAD
_CLONE_NAMESPACES: Final = 0x7E02_0000  # CLONE_NEWNS, …CGROUP, …UTS, …IPC, …USER, …PID, …NET
_FIONBIO: Final = 0x5421
_GIVE_WAY: Final = (3, 5)  # SCHED_BATCH, SCHED_IDLE
_PR_SET_NAME: Final = 15
_PR_SET_VMA: Final = 0x53564D41

_SET_MODE_FILTER: Final = 1
_FLAG_TSYNC: Final = 1
"""All threads of the process get the filter, V8's helpers too."""


class _Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def program(machine: Machine, *, pid: int) -> list[Instruction]:
    """The filter for the process ``pid`` on ``machine``."""
    number = machine.conditional
    conditional = [
        Rule(
            number["clone"],
            conditions=(Condition(0, (_CLONE_A_THREAD,), mask=_CLONE_A_THREAD | _CLONE_NAMESPACES),),
        ),
        Rule(number["clone3"], answer=errno_answer(errno.ENOSYS)),
        Rule(number["ioctl"], conditions=(Condition(1, (_FIONBIO,)),)),
        Rule(number["prctl"], conditions=(Condition(0, (_PR_SET_NAME, _PR_SET_VMA)),)),
        Rule(number["sched_setscheduler"], conditions=(Condition(1, _GIVE_WAY),)),
        Rule(number["tgkill"], conditions=(Condition(0, (pid,)),)),
    ]
    rules = [*(Rule(number) for number in machine.plain.values()), *conditional]
    return assemble(rules, arch=machine.audit_arch, otherwise=REFUSED, foreign_from=machine.foreign_from)


def install(machine: Machine) -> None:
    """Filter this process for ever; it must have given up new privileges before.

    Raises OSError when the kernel has no seccomp, or one thread cannot be filtered.
    """
    code = encode(program(machine, pid=os.getpid()))
    held = ctypes.create_string_buffer(code, len(code))
    given = _Program(len(code) // 8, ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    answer = libc.syscall(machine.seccomp, _SET_MODE_FILTER, _FLAG_TSYNC, ctypes.byref(given))
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")
    if answer > 0:
        raise OSError(errno.EBUSY, f"seccomp: thread {answer} cannot be filtered")
