"""The one cluster of ``make cluster-up``: it stays until ``make cluster-down``.

Its folder is ``$XDG_STATE_HOME/flora/cluster``. What a machine that went down left there is cleared away.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from cluster import binaries, control_plane, kubeconfig
from cluster.api import Api
from cluster.binaries import Say
from cluster.processes import Processes


def folder(environment: Mapping[str, str] = os.environ) -> Path:
    base = environment.get("XDG_STATE_HOME") or Path(environment.get("HOME") or Path.home()) / ".local/state"
    return Path(base) / "flora" / "cluster"


def up(where: Path, *, say: Say) -> Path:
    """The kubeconfig of the cluster in ``where``, which is started when it does not run.

    Raises Unavailable, CannotBuild and CannotStart; what was started is stopped then. Blocks.
    """
    kept = where / control_plane.KUBECONFIG
    if kept.exists() and _answers(kept):
        say("the cluster runs already")
        return kept
    down(where)
    programs = binaries.find(say=say)
    where.mkdir(parents=True, mode=0o700)
    try:
        return control_plane.start(where, programs, bound=False).kubeconfig
    except BaseException:  # Ctrl-C too
        control_plane.stop(where)  # the logs stay, to be read
        raise


def down(where: Path) -> bool:
    """Whether there was one. Blocks."""
    there = where.exists()
    if there:
        control_plane.stop(where)
        shutil.rmtree(where)
    return there


def parts(where: Path) -> list[str]:
    """The names of what runs."""
    return [record.name for record in Processes(where, bound=False).alive]


def _answers(path: Path) -> bool:
    with Api(kubeconfig.read(path)) as api:
        return api.ready()
