"""The one cluster of ``make cluster-up``: it stays until ``make cluster-down``.

Its folder is ``$XDG_STATE_HOME/flora/cluster``. What a machine that went down left there is cleared away.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster import binaries, buildah, control_plane, images, kubeconfig, lifecycle, loading, machine, wheel
from cluster.api import Api
from cluster.binaries import Say
from cluster.errors import Unavailable
from cluster.processes import Processes


def folder(environment: Mapping[str, str] = os.environ) -> Path:
    base = environment.get("XDG_STATE_HOME") or Path(environment.get("HOME") or Path.home()) / ".local/state"
    return Path(base) / "flora" / "cluster"


def up(where: Path, *, with_node: bool, say: Say) -> Path:
    """The kubeconfig of the cluster in ``where``, which is started when it does not run.

    Raises Unavailable, CannotBuild and CannotStart; what was started is stopped then. Blocks.
    """
    kept = where / control_plane.KUBECONFIG
    if kept.exists() and _answers(kept):
        say(f"the cluster runs already: {', '.join(parts(where))}")
        return kept
    down(where)
    programs = binaries.find(say=say)
    node = None
    if with_node:
        machine.prepare(say=say)
        node = binaries.find_node(say=say)
    where.mkdir(parents=True, mode=0o700)
    try:
        return lifecycle.start(where, programs, node, bound=False).kubeconfig
    except BaseException:  # Ctrl-C too
        lifecycle.stop(where)  # the logs stay, to be read
        raise


def clients(*, say: Say) -> list[Path]:
    """The folders of kubectl and Helm, of those that this machine has none of.

    Raises Unavailable and CannotBuild. Blocks.
    """
    found = {"kubectl": binaries.kubectl, "helm": binaries.helm}
    return [build(say=say).parent for name, build in found.items() if shutil.which(name) is None]


def load(where: Path, names: Sequence[str], *, say: Say) -> None:
    """Build the images of the components ``names`` and of the stores, and give the node what it lacks.

    Raises Unavailable, CannotBuild and CannotStart. Blocks.
    """
    if "kubelet" not in parts(where):
        raise Unavailable("there is no node to load images into; run `make cluster-up` first, as root")
    recipes = [*images.components(wheel.build(), names), *images.stores()]
    given = loading.load(where, buildah.build(recipes, say=say), say=say)
    say(f"the node has all {len(recipes)} images, {len(given)} of them new")


def down(where: Path) -> bool:
    """Whether there was one. Raises CannotStop. Blocks."""
    there = where.exists()
    if there:
        lifecycle.remove(where)
    return there


def parts(where: Path) -> list[str]:
    """The names of what runs."""
    return [record.name for record in Processes(where, bound=False).alive]


def _answers(path: Path) -> bool:
    with Api(kubeconfig.read(path)) as api:
        return api.ready()
