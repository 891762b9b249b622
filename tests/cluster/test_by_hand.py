"""``python -m cluster`` as its user runs it, and what is left of it afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cluster import by_hand, lifecycle
from cluster.api import Api
from cluster.binaries import Binaries
from cluster.errors import CannotStart
from cluster.kubeconfig import read
from cluster.processes import Processes, processes_in
from cluster.versions import KUBERNETES
from tests.cluster.conftest import ROOT
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("programs")

PARTS = ["etcd", "kube-apiserver", "kube-controller-manager"]
SECONDS = 150
"""Of a start, on a machine that is busy with other things."""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """Where the cluster of this test is, instead of the user's own."""
    where = by_hand.folder({"XDG_STATE_HOME": str(tmp_path)})
    yield where
    by_hand.down(where)


def environment(state: Path) -> dict[str, str]:
    return {**os.environ, "XDG_STATE_HOME": str(state.parents[1])}


def command(state: Path, *what: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cluster", *what],
        cwd=ROOT,
        env=environment(state),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_up_and_down_again(state: Path) -> None:
    up = command(state, "up", "--no-node")
    kubeconfig = state / "admin.kubeconfig"
    assert (up.returncode, up.stdout) == (0, f"export KUBECONFIG={kubeconfig}\n"), up.stderr
    with Api(read(kubeconfig)) as api:
        assert api.call("GET", "/version")["gitVersion"] == f"v{KUBERNETES}"
    assert ", ".join(PARTS) in command(state, "status").stderr

    again = command(state, "up", "--no-node")
    assert again.stdout == up.stdout
    assert "the cluster runs already" in again.stderr

    down = command(state, "down")
    assert (down.returncode, down.stderr) == (0, "the cluster is gone\n")
    assert not state.exists()
    assert processes_in(state) == []
    assert command(state, "status").returncode == 3
    assert command(state, "down").stderr == "there was no cluster\n"


def test_images_need_a_node_to_go_to(state: Path) -> None:
    refused = command(state, "images")
    assert refused.returncode == 1
    assert "there is no node to load images into; run `make cluster-up` first" in refused.stderr


def test_what_a_crash_left_is_cleared_away(state: Path) -> None:
    assert command(state, "up", "--no-node").returncode == 0
    for record in Processes(state, bound=False).alive:
        os.kill(record.pid, signal.SIGKILL)
    assert command(state, "up", "--no-node").returncode == 0
    assert by_hand.parts(state) == PARTS


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_start_leaves_nothing_running(state: Path, stop: signal.Signals) -> None:
    up = subprocess.Popen(
        [sys.executable, "-m", "cluster", "up", "--no-node"], cwd=ROOT, env=environment(state)
    )
    eventually(lambda: "kube-apiserver" in by_hand.parts(state), seconds=SECONDS)
    up.send_signal(stop)
    assert up.wait(SECONDS) == 130
    assert processes_in(state) == []


def test_a_part_that_does_not_start_is_shown_with_its_log(programs: Binaries, tmp_path: Path) -> None:
    broken = Binaries((*programs.etcd, "--no-such-flag"), programs.apiserver, None)
    with pytest.raises(CannotStart, match=r"etcd ended as it started:\n"):
        lifecycle.start(tmp_path, broken, bound=True)
    lifecycle.stop(tmp_path)
    assert processes_in(tmp_path) == []


def test_a_block_that_fails_takes_its_cluster_along(programs: Binaries) -> None:
    folders: list[Path] = []
    with pytest.raises(ZeroDivisionError):
        fail_with(programs, folders)
    (folder,) = folders
    assert not folder.exists()
    assert processes_in(folder) == []


def fail_with(programs: Binaries, folders: list[Path]) -> None:
    with lifecycle.running(programs) as cluster:
        folders.append(cluster.kubeconfig.parent)
        raise ZeroDivisionError


def test_a_killed_owner_takes_its_cluster_along(programs: Binaries, tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from cluster import binaries, lifecycle\n"
        "lifecycle.start(Path(sys.argv[1]), binaries.find(say=print), bound=True)\n"
        "print('up', flush=True); time.sleep(600)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "up\n"
    running = [psutil.Process(record.pid) for record in Processes(tmp_path, bound=False).alive]
    assert len(running) == len(PARTS)
    owner.kill()
    owner.communicate()
    assert psutil.wait_procs(running, timeout=20)[1] == []


def test_a_cluster_that_has_an_owner_is_not_swept_away(programs: Binaries) -> None:
    with lifecycle.running(programs) as cluster:
        lifecycle.sweep()
        with cluster.api() as api:
            assert api.ready()


def test_a_link_that_looks_like_a_cluster_is_not_swept_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / lifecycle.OWNER).touch()
    (tmp_path / f"{lifecycle.PREFIX}link").symlink_to(theirs)
    lifecycle.sweep()
    assert theirs.exists()


def test_a_cluster_without_an_owner_is_swept_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    abandoned = tmp_path / f"{lifecycle.PREFIX}abandoned"
    abandoned.mkdir()
    (abandoned / lifecycle.OWNER).touch()
    Processes(abandoned, bound=True).start("etcd", ["sleep", "600"])
    lifecycle.sweep()
    assert not abandoned.exists()
    assert processes_in(abandoned) == []
