"""Processes of a cluster: written down, waited for, stopped, never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cluster.errors import CannotStart
from cluster.processes import Processes, Record, processes_in

FOR_EVER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
]
WITH_CHILD = [
    sys.executable,
    "-c",
    "import subprocess; p = subprocess.Popen(['sleep', '600']); print('up', flush=True); p.wait()",
]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(tmp_path, bound=True)
    yield processes
    processes.stop()


def is_up(processes: Processes, name: str) -> Callable[[], bool]:
    return lambda: "up" in processes.log(name).read_text()


def test_what_is_started_is_written_down(processes: Processes, tmp_path: Path) -> None:
    processes.start("a", FOR_EVER)
    processes.start("b", FOR_EVER)
    assert [record.name for record in Processes(tmp_path, bound=False).alive] == ["a", "b"]


def test_one_is_ended_alone_and_started_again_by_its_command(processes: Processes, tmp_path: Path) -> None:
    processes.start("a", FOR_EVER)
    processes.start("b", FOR_EVER)
    command = Processes(tmp_path, bound=False).end("a")
    assert [record.name for record in processes.alive] == ["b"]
    assert command == FOR_EVER
    processes.start("a", command)
    assert [record.name for record in processes.alive] == ["b", "a"]


def test_one_that_has_died_is_forgotten_all_the_same(processes: Processes) -> None:
    processes.start("a", FOR_EVER)
    os.kill(processes.records[0].pid, signal.SIGKILL)
    assert processes.end("a") == FOR_EVER
    assert processes.records == []


def test_one_that_was_never_started_cannot_be_ended(processes: Processes) -> None:
    with pytest.raises(KeyError):
        processes.end("a")


def test_whoever_has_the_folder_can_stop_them(processes: Processes, tmp_path: Path) -> None:
    processes.start("a", FOR_EVER)
    processes.wait("a", is_up(processes, "a"), seconds=20)
    Processes(tmp_path, bound=False).stop()
    assert processes.records == []
    assert processes_in(tmp_path) == []


def test_what_does_not_end_is_killed(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.processes.STOP_SECONDS", 0.2)
    processes.start("a", STUBBORN)
    processes.wait("a", is_up(processes, "a"), seconds=20)
    processes.stop()
    assert processes_in(tmp_path) == []


def test_children_go_too(processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.processes.STOP_SECONDS", 0.2)
    processes.start("a", WITH_CHILD)
    processes.wait("a", is_up(processes, "a"), seconds=20)
    processes.stop()
    assert processes_in(tmp_path) == []


def test_a_pid_that_came_again_is_left_alone() -> None:
    own = psutil.Process()
    assert Record("a", own.pid, own.create_time()).process() == own
    assert Record("a", own.pid, own.create_time() - 1).process() is None


def test_stopping_what_ended_by_itself_is_no_error(processes: Processes) -> None:
    processes.start("a", ["true"])
    processes.stop()
    processes.stop()


def test_one_that_ends_as_it_starts_is_told_with_its_log(processes: Processes) -> None:
    processes.start("a", ["sh", "-c", "echo no such flag; exit 1"])
    with pytest.raises(CannotStart, match=r"a ended as it started:\nno such flag"):
        processes.wait("a", lambda: False, seconds=20)


def test_one_that_is_never_ready_is_told_with_its_log(processes: Processes) -> None:
    processes.start("a", FOR_EVER)
    processes.wait("a", is_up(processes, "a"), seconds=20)
    with pytest.raises(CannotStart, match=r"a was not ready within 0\.1 s:\nup"):
        processes.wait("a", lambda: False, seconds=0.1)


def test_no_such_program_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"a: .*nowhere"):
        Processes(tmp_path, bound=False).start("a", ["/nowhere/etcd"])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_bound_ones_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from cluster.processes import Processes\n"
        f"Processes(Path({str(tmp_path)!r}), bound=True).start('a', ['sleep', '600'])\n"
        "print('started', flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "started\n"
    (record,) = Processes(tmp_path, bound=False).alive
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    assert record.process() is None or psutil.wait_procs([psutil.Process(record.pid)], timeout=10)[1] == []
