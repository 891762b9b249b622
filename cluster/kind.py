"""A cluster by kind (Kubernetes in Docker), where it is installed with an engine that runs containers.

Its nodes are containers of the engine's, so nothing of ours reaches into them: what needs a node that obeys
us (images given to it, an API server that stops) runs on a cluster of our own.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from cluster import kubeconfig
from cluster.control_plane import Cluster
from cluster.errors import CannotStart, CannotStop

ENGINES: Final = ("docker", "podman", "nerdctl")
CHOSEN: Final = "FLORA_TEST_CLUSTER"
"""``own`` for a cluster of our own although there is kind."""

PREFIX: Final = "flora-test-"
ENGINE_SECONDS: Final = 10.0
START_SECONDS: Final = 300.0
"""With an image of the node that has to be fetched."""

END_SECONDS: Final = 120.0


def find(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The program, when an engine for it answers; None where there is none, or it is not wanted. Blocks."""
    path = environment.get("PATH", "")
    program = shutil.which("kind", path=path)
    if program is None or environment.get(CHOSEN) == "own":
        return None
    engines = (shutil.which(engine, path=path) for engine in ENGINES)
    return Path(program) if any(engine is not None and _answers(engine) for engine in engines) else None


@contextlib.contextmanager
def running(program: Path) -> Iterator[Cluster]:
    """A cluster of its own name, gone with the block. Raises CannotStart, CannotStop. Blocks."""
    name = f"{PREFIX}{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory(prefix=name) as folder:
        path = Path(folder) / "kubeconfig"
        try:
            _run(program, "create", name, "--kubeconfig", str(path), "--wait", "180s")
            yield Cluster(path, kubeconfig.read(path))
        finally:
            _run(program, "delete", name, "--kubeconfig", str(path))


def _run(program: Path, what: str, name: str, *words: str) -> None:
    starts = what == "create"
    failed, seconds = (CannotStart, START_SECONDS) if starts else (CannotStop, END_SECONDS)
    command = [str(program), what, "cluster", "--name", name, *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise failed(f"kind {what} cluster --name {name} took more than {seconds:g} s") from None
    if done.returncode:
        raise failed(f"kind {what} cluster --name {name}:\n{done.stderr.strip()[-2000:]}")


def _answers(engine: str) -> bool:
    try:
        done = subprocess.run([engine, "info"], capture_output=True, timeout=ENGINE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
