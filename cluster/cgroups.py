"""The control group that holds all containers of one cluster, in each hierarchy there is.

Its name tells the cluster's containers from everybody else's, so that they can be ended and cleared away even
when kubelet and containerd are gone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cluster.errors import CannotStart, CannotStop

ROOT: Final = Path("/sys/fs/cgroup")
SECONDS: Final = 15.0


def make(name: str) -> None:
    """Raises CannotStart."""
    try:
        for hierarchy in _hierarchies():
            (hierarchy / name).mkdir(exist_ok=True)
            _inherit(hierarchy, hierarchy / name)
    except OSError as error:
        raise CannotStart(f"cannot make a control group: {error}; it takes a writable {ROOT}") from None


def kill(name: str) -> None:
    """Every process in it, until there is none. Raises CannotStop after 15 s. Blocks."""
    deadline = time.monotonic() + SECONDS
    while pids := _pids(name):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise CannotStop(f"processes of {name} do not end: {sorted(pids)}")
        time.sleep(0.05)


def remove(name: str) -> None:
    """With what is below; one whose last process is just ending takes a moment. Raises CannotStop. Blocks."""
    for hierarchy in _hierarchies():
        top = hierarchy / name
        if top.is_dir():
            for folder, _, _ in os.walk(top, topdown=False):
                _remove(Path(folder))


def exists(name: str) -> bool:
    return any((hierarchy / name).is_dir() for hierarchy in _hierarchies())


def _remove(group: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return group.rmdir()
        except FileNotFoundError:
            return None
        except OSError as error:
            if time.monotonic() > deadline:
                raise CannotStop(f"the control group {group} is in use: {error}") from None
            time.sleep(0.05)


def _pids(name: str) -> set[int]:
    found: set[int] = set()
    for hierarchy in _hierarchies():
        for folder, _, _ in os.walk(hierarchy / name):
            with contextlib.suppress(OSError):
                found |= {int(pid) for pid in (Path(folder) / "cgroup.procs").read_text().split()}
    return found


def _inherit(parent: Path, group: Path) -> None:
    """Version 1: a group of ``cpuset`` takes no process before it has CPUs. Version 2: controllers."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (parent / name).exists() and (group / name).exists() and not (group / name).read_text().strip():
            (group / name).write_text((parent / name).read_text())
    for giving in (parent, group) if (group / "cgroup.subtree_control").exists() else ():
        given = (giving / "cgroup.subtree_control").read_text().split()
        wanted = set((giving / "cgroup.controllers").read_text().split()).difference(given)
        (giving / "cgroup.subtree_control").write_text(" ".join(f"+{one}" for one in sorted(wanted)))


def _hierarchies() -> Iterator[Path]:
    if (ROOT / "cgroup.controllers").exists():  # version 2 alone
        yield ROOT
        return
    for folder in ROOT.iterdir():
        if folder.is_dir() and not folder.is_symlink() and (folder / "cgroup.procs").exists():
            yield folder
