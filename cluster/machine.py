"""What a node needs of the machine: root on Linux, containerd, runc, CNI plugins and iptables.

Debian's packages are installed where they are missing and we may; anybody else's will do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cluster.errors import Unavailable

PROGRAMS: Final = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "umount": "mount",
}
"""Each with the Debian package it is in."""

PLUGINS: Final = ("/usr/lib/cni", "/opt/cni/bin")
PLUGINS_PACKAGE: Final = "containernetworking-plugins"
BUILDERS: Final = {"buildah": "buildah", "debootstrap": "debootstrap"}
"""What images are built with where there is a node; each with its Debian package."""

OTHERS: Final = Path("/var/lib/kubelet/config.yaml")
"""A machine with this is a node already."""

SECONDS: Final = 600.0


def plugins() -> Path | None:
    """The folder of the CNI plugins."""
    return next((Path(folder) for folder in PLUGINS if Path(folder, "bridge").exists()), None)


def missing() -> list[str]:
    """The packages of what is not there."""
    return sorted([*_lacking(PROGRAMS), *([] if plugins() else [PLUGINS_PACKAGE])])


def why_no_node() -> str:
    """Why this machine can be no node; empty when it can, maybe after an installation."""
    if sys.platform != "linux":
        return f"a kubelet needs Linux, and this is {sys.platform}"
    if os.geteuid() != 0:
        return "a kubelet needs root, for namespaces, mounts and control groups"
    if OTHERS.exists():
        return f"{OTHERS} is of another kubelet, and two get in each other's way"
    if missing() and shutil.which("apt-get") is None:
        return f"there is no apt-get; install what Debian has as {' '.join(missing())}"
    return ""


def prepare(*, say: Callable[[str], object]) -> None:
    """Install what a node lacks; raises Unavailable. Blocks."""
    if why := why_no_node():
        raise Unavailable(why)
    _install(missing, say)


def prepare_building(*, say: Callable[[str], object]) -> None:
    """Install what it takes to build images; raises Unavailable. Blocks."""
    if _lacking(BUILDERS) and (os.geteuid() != 0 or shutil.which("apt-get") is None):
        raise Unavailable(
            f"images need what Debian has as {' '.join(_lacking(BUILDERS))}; install it as root"
        )
    _install(lambda: _lacking(BUILDERS), say)


def _lacking(programs: Mapping[str, str]) -> list[str]:
    return sorted({package for program, package in programs.items() if shutil.which(program) is None})


def _install(lacking: Callable[[], list[str]], say: Callable[[str], object]) -> None:
    packages = lacking()
    if not packages:
        return
    say(f"installing {' '.join(packages)}")
    _apt("update")
    _apt("install", "--yes", "--no-install-recommends", *packages)
    if left := lacking():
        raise Unavailable(f"{' '.join(left)} was installed, and its programs are not there")


def _apt(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            ["apt-get", "--quiet=2", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"apt-get {arguments[0]} was not done within {SECONDS:g} s") from None
    if done.returncode:
        raise Unavailable(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-400:]}")
