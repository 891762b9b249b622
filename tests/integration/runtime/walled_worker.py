"""A worker that, once its walls are up, tries what a script that broke out of V8 would try.

``python walled_worker.py PIPE_FD RECORDER_FD`` starts as a worker starts. When it is told its configuration it first
lists its open files, then does what a worker does, then makes every attempt and sends the outcomes in a LOG frame of
guild 999: the errno's name, or ``done``. Nothing of this is in a worker that runs guilds.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from flora_core.wire.pipe import Configure, Kind, LogIn
from flora_runtime.worker import main as worker_main
from flora_runtime.worker.worker import Worker

GUILD = "999"
libc = ctypes.CDLL(None, use_errno=True)
ARM = platform.machine() in ("aarch64", "arm64")
AF_UNIX, AF_INET, STREAM = 1, 2, 1
AT_FDCWD, O_CREAT_WRONLY, O_DIRECTORY = -100, 0o101, 0o200000
CLONE_NEWUSER, SIGCHLD = 0x10000000, 17


def number(x86_64: int, aarch64: int) -> int:
    return aarch64 if ARM else x86_64


def syscall(x86_64: int, aarch64: int, *arguments: object) -> int:
    return libc.syscall(number(x86_64, aarch64), *arguments)


class Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def process_vm_readv() -> int:
    buffer = ctypes.create_string_buffer(8)
    mine = Iovec(ctypes.addressof(buffer), 8)
    return libc.process_vm_readv(os.getppid(), ctypes.byref(mine), 1, ctypes.byref(mine), 1, 0)


def opened(path: str, flags: int = 0) -> int:
    return libc.open(path.encode(), flags, 0o600)


def execve(path: bytes) -> int:
    arguments = (ctypes.c_char_p * 2)(path, None)
    return libc.execve(path, arguments, None)


def address(port: int) -> ctypes.Array[ctypes.c_char]:
    text = AF_INET.to_bytes(2, "little") + port.to_bytes(2, "big") + bytes((127, 0, 0, 1)) + bytes(8)
    return ctypes.create_string_buffer(text, 16)


def raw_clone3() -> int:
    arguments = ctypes.create_string_buffer(88)
    return libc.syscall(435, arguments, 88)


ATTEMPTS: dict[str, Callable[[], int]] = {
    # the network
    "socket inet": lambda: libc.socket(AF_INET, STREAM, 0),
    "socket unix": lambda: libc.socket(AF_UNIX, STREAM, 0),
    "socket netlink": lambda: libc.socket(16, 3, 0),
    "socketpair": lambda: libc.socketpair(AF_UNIX, STREAM, 0, ctypes.create_string_buffer(8)),
    "connect": lambda: libc.connect(3, address(80), 16),
    "bind": lambda: libc.bind(3, address(0), 16),
    "listen": lambda: libc.listen(3, 1),
    "accept": lambda: libc.accept(3, None, None),
    "sendmsg": lambda: libc.sendmsg(3, ctypes.create_string_buffer(64), 0),
    "recvmsg": lambda: libc.recvmsg(3, ctypes.create_string_buffer(64), 0),
    # the file system
    "open /etc/passwd": lambda: opened("/etc/passwd"),
    "open /": lambda: opened("/", O_DIRECTORY),
    "open the parent's environment": lambda: opened(f"/proc/{PARENT}/environ"),
    "open the parent's memory": lambda: opened(f"/proc/{PARENT}/mem", 2),
    "open its own memory": lambda: opened("/proc/self/mem", 2),
    "open the service account's token": lambda: opened("/var/run/secrets/kubernetes.io/serviceaccount/token"),
    "create a file": lambda: opened("/tmp/walled", O_CREAT_WRONLY),
    "openat2": lambda: libc.syscall(437, AT_FDCWD, b"/etc/passwd", ctypes.create_string_buffer(24), 24),
    "stat": lambda: syscall(262, 79, AT_FDCWD, b"/etc/passwd", ctypes.create_string_buffer(256), 0),
    "readlink": lambda: syscall(267, 78, AT_FDCWD, b"/proc/self/exe", ctypes.create_string_buffer(256), 256),
    "unlink": lambda: syscall(263, 35, AT_FDCWD, b"/tmp/walled", 0),
    "mkdir": lambda: syscall(258, 34, AT_FDCWD, b"/tmp/walled", 0o700),
    "mount": lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
    "chroot": lambda: libc.chroot(b"/"),
    "ftruncate of the flight recorder": lambda: libc.ftruncate(RECORDER, 0),
    "name_to_handle_at": lambda: syscall(303, 264, AT_FDCWD, b"/", ctypes.create_string_buffer(64), None, 0),
    # other programs
    "execve": lambda: execve(b"/bin/true"),
    "execveat": lambda: syscall(322, 281, AT_FDCWD, b"/bin/true", None, None, 0),
    "memfd_create": lambda: syscall(319, 279, b"x", 0),
    "fork": lambda: syscall(56, 220, SIGCHLD, 0, 0, 0, 0),
    "vfork": lambda: syscall(56, 220, 0x4000 | 0x100 | SIGCHLD, 0, 0, 0, 0),
    "clone3": raw_clone3,
    "unshare": lambda: libc.unshare(CLONE_NEWUSER),
    "setns": lambda: libc.setns(0, 0),
    # other processes
    "ptrace": lambda: libc.ptrace(16, PARENT, None, None),
    "kill the parent": lambda: libc.kill(PARENT, 0),
    "tgkill the parent": lambda: syscall(234, 131, PARENT, PARENT, 0),
    "tkill the parent": lambda: syscall(200, 130, PARENT, 0),
    "pidfd_open": lambda: libc.syscall(434, PARENT, 0),
    "process_vm_readv": process_vm_readv,
    "kcmp": lambda: syscall(312, 272, PARENT, PARENT, 0, 0, 0),
    "setpriority": lambda: libc.setpriority(0, PARENT, 19),
    "sched_setaffinity": lambda: syscall(203, 122, PARENT, 8, ctypes.create_string_buffer(8)),
    "prlimit": lambda: syscall(302, 261, PARENT, 7, None, ctypes.create_string_buffer(16)),
    # ways into the kernel
    "io_uring_setup": lambda: libc.syscall(425, 8, ctypes.create_string_buffer(120)),
    "bpf": lambda: syscall(321, 280, 0, None, 0),
    "userfaultfd": lambda: syscall(323, 282, 0),
    "perf_event_open": lambda: syscall(298, 241, None, 0, -1, -1, 0),
    "keyctl": lambda: syscall(250, 219, 0, 0, 0),
    "init_module": lambda: syscall(175, 105, None, 0, b""),
    "personality": lambda: libc.personality(0x0400000),
    "ioctl that pushes input": lambda: libc.ioctl(2, 0x5412, b"x"),
    "prctl that allows dumps": lambda: libc.prctl(4, 1, 0, 0, 0),
    "shmget": lambda: libc.shmget(0, 4096, 0o1600),
    "ptrace by x32": lambda: libc.syscall(0x40000000 + 521, 16, PARENT, 0, 0),
}
PARENT = os.getppid()
RECORDER = -1


def attempt(do: Callable[[], int]) -> str:
    ctypes.set_errno(0)
    if do() >= 0:
        return "done"
    return errno.errorcode.get(ctypes.get_errno(), "?")


def open_files() -> dict[str, str]:
    found: dict[str, str] = {}
    for file in sorted(Path("/proc/self/fd").iterdir(), key=lambda file: int(file.name)):
        try:
            found[file.name] = str(file.readlink()).partition(":[")[0]
        except OSError:
            continue  # the listing itself
    return found


class Walled(Worker):
    """Ordinary, until it is configured."""

    def _configure(self, config: Configure) -> None:
        files = open_files()
        global RECORDER  # noqa: PLW0603  the attempts have no arguments
        RECORDER = next(int(fd) for fd, name in files.items() if "flora-flight" in name)
        super()._configure(config)
        outcomes = {name: attempt(do) for name, do in ATTEMPTS.items()}
        on_a_thread: dict[str, str] = {}
        thread = threading.Thread(
            target=lambda: on_a_thread.update((name, attempt(do)) for name, do in ATTEMPTS.items())
        )
        thread.start()
        thread.join()
        found = {
            "files": files,
            "outcomes": outcomes,
            "on a thread": on_a_thread,
            "environment": dict(os.environ),
        }
        self.send(Kind.LOG, GUILD, msgspec.json.encode(LogIn("info", msgspec.json.encode(found).decode())))


if __name__ == "__main__":
    worker_main.main(Walled)
