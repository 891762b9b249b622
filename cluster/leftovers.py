"""What kubelet and containerd leave on a machine when they are not there to clear it away themselves.

Mounts, and files in folders that neither can be told to have elsewhere. Anybody else's stays.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Final

from cluster.errors import CannotStart, CannotStop
from cluster.place import run

SECONDS: Final = 15.0
CONTAINER_LOGS: Final = Path("/var/log/containers")
"""Links of the kubelet's to logs."""

NETWORK_RESULTS: Final = Path("/var/lib/cni/results")
"""What the CNI plugins made for a pod."""

SANDBOXES: Final = "containerd/io.containerd.grpc.v1.cri/sandboxes/*"
"""Folders with the ids that those are named after."""

DEVICE_PLUGINS: Final = Path("/var/lib/kubelet/device-plugins")
"""Where the kubelet listens for them, wherever its own folder is."""

SHIMS: Final = "containerd-state/io.containerd.runtime.v2.task/*/*/address"
"""Files with the addresses of shims: sockets in /run/containerd/s."""


def clear(folder: Path) -> None:
    """All of the cluster in ``folder``, of which nothing may run any more. Raises CannotStop. Blocks."""
    for address in folder.glob(SHIMS):
        Path(address.read_text().strip().removeprefix("unix://")).unlink(missing_ok=True)
    sandboxes = {sandbox.name for sandbox in folder.glob(SANDBOXES)}
    for target in reversed(mounts(folder)):
        _unmount(target)
    for link in entries(CONTAINER_LOGS):
        if link.is_symlink() and link.readlink().is_relative_to(folder):
            link.unlink()
    for result in entries(NETWORK_RESULTS):
        if sandboxes.intersection(result.name.split("-")):
            result.unlink(missing_ok=True)
    (DEVICE_PLUGINS / "kubelet.sock").unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # there is more in it
        DEVICE_PLUGINS.rmdir()
        DEVICE_PLUGINS.parent.rmdir()


def mounts(folder: Path) -> list[Path]:
    """What is mounted below ``folder``, in the order it was."""
    table = Path("/proc/self/mounts")
    lines = table.read_text().splitlines() if table.exists() else []  # other systems have no nodes of ours
    targets = [line.split()[1] for line in lines]
    paths = [Path(target.encode().decode("unicode_escape")) for target in targets]  # a space is \\040
    return [path for path in paths if path.is_relative_to(folder.resolve())]


def _unmount(target: Path) -> None:
    """A process that is just ending may hold it for a moment."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            run("umount", str(target))
        except CannotStart as error:
            if time.monotonic() > deadline:
                raise CannotStop(str(error)) from None
            time.sleep(0.1)
        else:
            return


def entries(folder: Path) -> list[Path]:
    """What is in ``folder``, if there is one."""
    return list(folder.iterdir()) if folder.is_dir() else []
