"""The processes of a cluster, written down in its folder.

Each start is recorded in ``processes.json`` before anything waits for it, so whoever has the folder can stop
them: the one that started them, or ``down`` an hour later. A pid alone would not do, for pids come again; the
time of birth tells them apart. On Linux a process that is ``bound`` dies with the one that started it, even
when that is killed; it is in a session of its own, so that Ctrl-C in a terminal reaches its owner alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import psutil
from msgspec import Struct

from cluster.errors import CannotStart
from flora_core.files import read_kept, write_whole

STOP_SECONDS: Final = 3.0
"""From SIGTERM to SIGKILL. Nothing needs more: what a cluster stores goes with it."""

LAST_LINES: Final = 15
POLL_SECONDS: Final = 0.05


class Record(Struct, frozen=True):
    """One process as it was started."""

    name: str
    pid: int
    born: float
    """Seconds since 1970."""
    command: list[str] = []

    def process(self) -> psutil.Process | None:
        """The process, while it lives."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            if process.create_time() == self.born and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


class Processes:
    """Those of the cluster in ``folder``; ``bound`` ones do not outlive this process."""

    def __init__(self, folder: Path, *, bound: bool, prefix: Sequence[str] = ()) -> None:
        self._file = folder / "processes.json"
        self._logs = folder / "logs"
        self._bound = bound
        self._prefix = prefix
        """What goes before each command: the way into a network namespace."""

    @property
    def records(self) -> list[Record]:
        """In the order they were started."""
        return read_kept(self._file, list[Record]) or []

    @property
    def alive(self) -> list[Record]:
        return [record for record in self.records if record.process() is not None]

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def start(self, name: str, command: Sequence[str]) -> None:
        """Raises CannotStart when ``command`` is no program."""
        self._logs.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as log:
            try:
                process = subprocess.Popen(
                    [*self._leash(), *self._prefix, *command],
                    cwd=self._file.parent,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise CannotStart(f"{name}: {error}") from None
        process.returncode = 0  # not Popen's to wait for: whoever stops it does, and knows its pid alone
        record = Record(name, process.pid, psutil.Process(process.pid).create_time(), list(command))
        write_whole(self._file, msgspec.json.encode([*self.records, record]))

    def wait(self, name: str, ready: Callable[[], bool], *, seconds: float) -> None:
        """Until ``name`` is ``ready``, for at most ``seconds``. Blocks.

        Raises CannotStart with a log: that of the first process that ended, or that of ``name``.
        """
        records = self.records
        deadline = time.monotonic() + seconds
        while not ready():
            for record in records:
                if record.process() is None:
                    raise CannotStart(f"{record.name} ended as it started:\n{self.last_lines(record.name)}")
            if time.monotonic() > deadline:
                raise CannotStart(f"{name} was not ready within {seconds:g} s:\n{self.last_lines(name)}")
            time.sleep(POLL_SECONDS)

    def last_lines(self, name: str) -> str:
        """The end of its log."""
        try:
            lines = self.log(name).read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return "(it wrote nothing)"
        return "\n".join(line[:400] for line in lines[-LAST_LINES:])

    def end(self, name: str) -> list[str]:
        """End ``name`` alone, and give the command that starts it again. Raises KeyError. Blocks."""
        records = {record.name: record for record in self.records}
        record = records.pop(name)
        if (process := record.process()) is not None:
            _end(process)
        _bury(record.pid)
        write_whole(self._file, msgspec.json.encode(list(records.values())))
        return record.command

    def stop(self) -> None:
        """The last one first, and each with its children; what does not end is killed. Blocks."""
        for record in reversed(self.records):
            if (process := record.process()) is not None:
                _end(process)
            _bury(record.pid)
        self._file.unlink(missing_ok=True)

    def _leash(self) -> list[str]:
        leash = shutil.which("setpriv") if self._bound else None  # util-linux
        return [leash, "--pdeathsig", "KILL", "--"] if leash else []


def _end(process: psutil.Process) -> None:
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    _signal([process], psutil.Process.terminate)
    wait_for_end([process])
    _signal(family, psutil.Process.kill)  # children that it did not take along
    wait_for_end(family)


def wait_for_end(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those that still run after three seconds; one that waits for init to bury it has ended. Blocks."""
    deadline = time.monotonic() + STOP_SECONDS
    while left := [process for process in processes if not _has_ended(process)]:
        if time.monotonic() > deadline:
            return left
        time.sleep(POLL_SECONDS)
    return []


def _bury(pid: int) -> None:
    """Take the exit status of a child that has ended, so that it does not stay as a zombie."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _has_ended(process: psutil.Process) -> bool:
    with contextlib.suppress(ChildProcessError):  # somebody else's
        return os.waitpid(process.pid, os.WNOHANG)[0] == process.pid
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _signal(processes: Sequence[psutil.Process], send: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            send(process)


def processes_in(folder: Path) -> list[psutil.Process]:
    """Every process that works in ``folder`` or has it on its command line, whoever started it."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if Path(process.cwd()).is_relative_to(folder) or str(folder) in " ".join(process.cmdline()):
                found.append(process)
    return found
