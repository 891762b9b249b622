"""Where a cluster's processes run: beside everything else, or in a network of their own.

A kubelet sets up bridges, routes and packet filters, and a node's address may not be loopback. So a
cluster with a node gets a network namespace, and one pair of interfaces between it and the machine: the
node's address is reachable from the machine and from nowhere else, and what the kubelet does to the network
stays inside.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster.errors import CannotStart

NETWORKS: Final = ipaddress.ip_network("10.203.0.0/16")
"""Each cluster takes four addresses of it."""

SECONDS: Final = 20.0


@dataclass(slots=True, frozen=True)
class Place:
    """``address`` is where the API server listens; ``prefix`` goes before each command."""

    address: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()


LOOPBACK: Final = Place()


def name_of(folder: Path) -> str:
    """Of the network namespace of the cluster in ``folder``: always the same."""
    return f"flora-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]}"


def make(folder: Path) -> Place:
    """A network namespace for ``folder``; root only. Raises CannotStart. Blocks."""
    name = name_of(folder)
    inner, outer = _free_addresses(name)
    outside = _interface(name)
    ip("netns", "add", name)
    ip("-n", name, "link", "set", "lo", "up")
    ip("link", "add", outside, "type", "veth", "peer", "name", "node0", "netns", name)
    ip("addr", "add", f"{outer}/30", "dev", outside)
    ip("link", "set", outside, "up")
    ip("-n", name, "addr", "add", f"{inner}/30", "dev", "node0")
    ip("-n", name, "link", "set", "node0", "up")
    ip("-n", name, "route", "add", "default", "via", outer)
    return Place(inner, way_in(folder))


def way_in(folder: Path) -> tuple[str, ...]:
    """What goes before a command that is to run in the network of the cluster in ``folder``.

    Not ``ip netns exec``: it mounts /sys anew, and hides the control groups from the kubelet.
    """
    return ("nsenter", f"--net=/run/netns/{name_of(folder)}", "--")


def remove(folder: Path) -> None:
    """What ``make`` made, if it did. Blocks."""
    name = name_of(folder)
    if exists(folder):
        with contextlib.suppress(CannotStart):  # the interface may be gone already
            ip("link", "del", _interface(name))
        ip("netns", "del", name)


def exists(folder: Path) -> bool:
    return Path("/run/netns", name_of(folder)).exists()


def ip(*arguments: str) -> str:
    """What ``ip`` prints; raises CannotStart with what it complains of."""
    return run("ip", *arguments)


def run(
    *command: str, prefix: Sequence[str] = (), folder: Path | None = None, seconds: float = SECONDS
) -> str:
    """What a short command prints; raises CannotStart with what it complains of. Blocks."""
    try:
        done = subprocess.run(
            [*prefix, *command], cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotStart(f"{command[0]}: {error}") from None
    if done.returncode:
        raise CannotStart(f"{' '.join(command)}: {done.stderr.strip()[:400]}")
    return done.stdout


def outside(address: str) -> str:
    """The machine's end of the line to the node at ``address``: what pods may call the machine by."""
    network = ipaddress.ip_network(f"{address}/30", strict=False)
    (other,) = [str(host) for host in network.hosts() if str(host) != address]
    return other


def _interface(name: str) -> str:
    """The outer end's: at most 15 characters."""
    return f"veth{name.removeprefix('flora-')}"


def _free_addresses(name: str) -> tuple[str, str]:
    """For the node, and for the machine's end of the line; two that start at once look in other places."""
    taken = ip("-o", "-4", "addr")
    networks = list(NETWORKS.subnets(new_prefix=30))
    first = int(name.removeprefix("flora-"), 16) % len(networks)
    for network in networks[first:] + networks[:first]:
        inner, outer = (str(address) for address in network.hosts())
        if f" {outer}/" not in taken and f" {inner}/" not in taken:
            return inner, outer
    raise CannotStart(f"all of {NETWORKS} is taken; `ip netns` shows what earlier clusters left")
