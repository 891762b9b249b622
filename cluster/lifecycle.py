"""A whole cluster: a control plane, and a node beside it where one is wanted and can be had.

What a cluster consists of is written in its folder or named after it, so that anybody can take it down. One
whose owner was killed, node and all, is taken down by the next that starts.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from cluster import control_plane, kubeconfig, leftovers, node, place
from cluster.binaries import Binaries, NodeBinaries
from cluster.control_plane import Cluster
from cluster.errors import CannotStop
from cluster.processes import Processes

GIVEN: Final = "FLORA_TEST_KUBECONFIG"
PREFIX: Final = "flora-cluster-"
OWNER: Final = "owner.lock"
"""Locked by whoever has the cluster, for as long as it lives."""


def given(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """Somebody else's cluster that ``FLORA_TEST_KUBECONFIG`` names; raises InvalidInput."""
    path = environment.get(GIVEN)
    return Cluster(Path(path), kubeconfig.read(Path(path))) if path else None


@contextlib.contextmanager
def running(binaries: Binaries, with_node: NodeBinaries | None = None) -> Iterator[Cluster]:
    """One in a temporary folder, gone with the block whatever ends it; raises CannotStart."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    with (folder / OWNER).open("w") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        try:
            yield start(folder, binaries, with_node, bound=True)
        finally:
            remove(folder)


def start(folder: Path, binaries: Binaries, with_node: NodeBinaries | None = None, *, bound: bool) -> Cluster:
    """In ``folder``, which should be empty; ``bound`` to the life of this process. Blocks.

    Raises CannotStart; what was started until then is for ``remove``.
    """
    if with_node is None:
        return control_plane.start(folder, binaries, bound=bound)
    where = place.make(folder)
    cluster = control_plane.start(folder, binaries, bound=bound, place=where)
    node.start(cluster, where, with_node, bound=bound)
    return cluster


@contextlib.contextmanager
def without_api_server(cluster: Cluster) -> Iterator[None]:
    """The API server of a cluster of ours is down for the block, and answers again after it.

    Not from a thread that ends before the cluster does: the system ends what a thread has ``bound`` with it.
    Raises CannotStart. Blocks.
    """
    folder = cluster.kubeconfig.parent
    prefix = place.way_in(folder) if place.exists(folder) else ()
    processes = Processes(folder, bound=(folder / OWNER).exists(), prefix=prefix)
    command = processes.end(control_plane.API_SERVER)
    try:
        yield
    finally:
        processes.start(control_plane.API_SERVER, command)
        control_plane.wait_for_api(processes, cluster.access)


def stop(folder: Path) -> None:
    """Whatever runs in ``folder``; the folder stays. Raises CannotStop. Blocks."""
    if node.exists(folder):
        node.stop(folder)
    else:
        Processes(folder, bound=False).stop()


def remove(folder: Path) -> None:
    """Whatever runs in ``folder``, and the folder. Raises CannotStop. Blocks."""
    stop(folder)
    if left := leftovers.mounts(folder):
        raise CannotStop(f"{left[0]} is mounted; unmount it, then delete {folder}")  # it may be your data
    shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Take down the temporary clusters whose owner was killed. Raises CannotStop. Blocks."""
    for lock in Path(tempfile.gettempdir()).resolve().glob(f"{PREFIX}*/{OWNER}"):
        with contextlib.ExitStack() as stack:
            try:
                if not _is_ours(lock.parent):
                    continue
                fcntl.flock(stack.enter_context(lock.open()), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, FileNotFoundError):
                continue  # it has an owner, or is just going
            remove(lock.parent)


def _is_ours(folder: Path) -> bool:
    """In a folder for everybody, others may put what looks like a cluster."""
    return not folder.is_symlink() and folder.stat().st_uid == os.getuid()
