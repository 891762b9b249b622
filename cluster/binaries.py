"""Where the programs of a cluster and of its users are.

The control plane's, in this order: the folder that ``KUBEBUILDER_ASSETS`` names (etcd and kube-apiserver, as
envtest has them), a build of ours in the cache, a build made now. The cache is
``$XDG_CACHE_HOME/flora/kubernetes``. Of the clients only ours are used: a chart means one version of Helm.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster.build import build, go
from cluster.errors import Unavailable
from cluster.versions import DNS, HELM_CLIENT, KUBE, KUBECTL, PROBE, Module

ASSETS: Final = "KUBEBUILDER_ASSETS"

Command = tuple[str, ...]
"""A program with its first arguments."""

Say = Callable[[str], object]


@dataclass(slots=True, frozen=True)
class Binaries:
    etcd: Command
    apiserver: Command
    controller_manager: Command | None
    """None where only envtest's assets are given: namespaces then stay Terminating, and nothing is made of a
    StatefulSet."""


@dataclass(slots=True, frozen=True)
class NodeBinaries:
    """What a node has besides what the machine brings (containerd, runc, CNI plugins)."""

    scheduler: Command
    kubelet: Command
    proxy: Command
    dns: Path
    """CoreDNS; it becomes an image."""
    probe: Path
    """The sandbox of pods; it becomes an image."""


def find(environment: Mapping[str, str] = os.environ, *, say: Say) -> Binaries:
    """The programs, built when there are none: seven minutes on two idle cores.

    Raises Unavailable and CannotBuild. Blocks.
    """
    if assets := environment.get(ASSETS):
        return _given(Path(assets))
    return _linked(_program(KUBE, environment, say))


def find_node(environment: Mapping[str, str] = os.environ, *, say: Say) -> NodeBinaries:
    """The programs of a node; raises Unavailable and CannotBuild. Blocks."""
    program = str(_program(KUBE, environment, say))
    return NodeBinaries(
        scheduler=(program, "kube-scheduler"),
        kubelet=(program, "kubelet"),
        proxy=(program, "kube-proxy"),
        dns=_program(DNS, environment, say),
        probe=_program(PROBE, environment, say),
    )


def helm(environment: Mapping[str, str] = os.environ, *, say: Say) -> Path:
    """The pinned version, built when there is none: two minutes. Raises Unavailable, CannotBuild. Blocks."""
    return _program(HELM_CLIENT, environment, say)


def kubectl(environment: Mapping[str, str] = os.environ, *, say: Say) -> Path:
    """The one of the cluster's version, built when there is none: a minute.

    Raises Unavailable and CannotBuild. Blocks.
    """
    return _program(KUBECTL, environment, say)


def cached(module: Module = KUBE, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the build of ``module`` for this checkout is, or will be."""
    base = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or Path.home()) / ".cache"
    return Path(base) / "flora" / "kubernetes" / module.fingerprint() / module.name


def _program(module: Module, environment: Mapping[str, str], say: Say) -> Path:
    program = cached(module, environment)
    if not program.exists():
        build(module, program, go(environment), say=say)
    return program


def _given(folder: Path) -> Binaries:
    for name in ("etcd", "kube-apiserver"):
        if not os.access(folder / name, os.X_OK):
            raise Unavailable(
                f"{ASSETS} is {folder}, and there is no {name}; unset it, or name a folder of envtest's"
            )
    manager = folder / "kube-controller-manager"
    return Binaries(
        etcd=(str(folder / "etcd"),),
        apiserver=(str(folder / "kube-apiserver"),),
        controller_manager=(str(manager),) if os.access(manager, os.X_OK) else None,
    )


def _linked(program: Path) -> Binaries:
    return Binaries(
        etcd=(str(program), "etcd"),
        apiserver=(str(program), "kube-apiserver"),
        controller_manager=(str(program), "kube-controller-manager"),
    )
