"""A cluster with a node: containers run, find each other, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster import archives, by_hand, cgroups, kubeconfig, leftovers, lifecycle, node, place
from cluster.api import Api, Document
from cluster.binaries import Binaries, NodeBinaries
from cluster.control_plane import Cluster
from cluster.errors import CannotStart, Refused
from cluster.execute import execute
from cluster.kubeconfig import Access
from cluster.node import PROBE_IMAGE, condition
from cluster.place import Place, name_of
from cluster.processes import Processes, processes_in
from tests.cluster.conftest import ROOT
from tests.waiting import eventually

PARTS = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "containerd",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
]
SHIM_SOCKETS = Path("/run/containerd/s")


@pytest.fixture(scope="module")
def web(whole: Cluster, node_programs: NodeBinaries) -> None:
    """Two Pods behind a Service, as locked up as flora's own."""
    with whole.api() as api:
        for document in (DEPLOYMENT, SERVICE):
            api.apply(document)
        eventually(lambda: api.get(DEPLOYMENT)["status"].get("readyReplicas") == 2, seconds=90)
        address = api.get(SERVICE)["spec"]["clusterIP"]
    way_in = place.way_in(whole.kubeconfig.parent)
    eventually(lambda: answers(*way_in, str(node_programs.probe), "get", f"http://{address}"))


def answers(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0


LABELS = {"app": "web"}
POD = {
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
    "containers": [
        {
            "name": "web",
            "image": PROBE_IMAGE,
            "imagePullPolicy": "Never",
            "args": ["serve", ":8080"],
            "ports": [{"containerPort": 8080, "protocol": "TCP"}],
            "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
            "resources": {"limits": {"cpu": "200m", "memory": "64Mi"}},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [{"name": "token", "mountPath": "/var/run/flora"}],
        }
    ],
    "volumes": [
        {
            "name": "token",
            "projected": {
                "sources": [
                    {"serviceAccountToken": {"audience": "flora", "path": "token", "expirationSeconds": 600}}
                ]
            },
        }
    ],
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": LABELS},
        "template": {"metadata": {"labels": LABELS}, "spec": POD},
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"selector": LABELS, "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}]},
}


def pods(api: Api) -> list[str]:
    listed = api.call("GET", "/api/v1/namespaces/default/pods", query={"labelSelector": "app=web"})
    return [pod["metadata"]["name"] for pod in listed["items"]]


def test_the_node_is_ready(whole: Cluster) -> None:
    with whole.api() as api:
        (one,) = api.call("GET", "/api/v1/nodes")["items"]
    assert condition(one, "Ready") == "True"
    alive = Processes(whole.kubeconfig.parent, bound=False).alive
    assert sorted(record.name for record in alive) == sorted(PARTS)


@pytest.mark.usefixtures("web")
def test_a_service_is_found_by_name_and_leads_to_each_of_its_pods(whole: Cluster) -> None:
    with whole.api() as api:
        names = pods(api)
    answers = {execute(whole, names[0], "/probe", "get", "http://web").strip() for _ in range(30)}
    assert answers == set(names)


@pytest.mark.usefixtures("web")
def test_a_whole_name_resolves(whole: Cluster) -> None:
    with whole.api() as api:
        (name, *_) = pods(api)
    assert execute(whole, name, "/probe", "get", "http://web.default.svc.cluster.local")


@pytest.mark.usefixtures("web")
def test_long_output_comes_whole(whole: Cluster) -> None:
    with whole.api() as api:
        (name, *_) = pods(api)
    addresses = ["127.0.0.1:8080"] * 40
    printed = execute(whole, name, "/probe", "get", *[f"http://{address}/" for address in addresses])
    assert printed == f"{name}\n" * 40


def test_a_pod_that_is_not_there_is_told(whole: Cluster) -> None:
    with pytest.raises(Refused, match='404 NotFound: pods "nobody" not found'):
        execute(whole, "nobody", "/probe")


@pytest.mark.usefixtures("web")
def test_a_command_that_fails_says_so(whole: Cluster) -> None:
    with whole.api() as api:
        (name, *_) = pods(api)
    with pytest.raises(Refused, match=r"exit code 1.*lookup nobody"):
        execute(whole, name, "/probe", "get", "http://nobody")


@pytest.mark.usefixtures("web")
def test_a_pod_that_is_deleted_comes_again(whole: Cluster) -> None:
    with whole.api() as api:
        (before, *_) = pods(api)
        api.delete({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": before}})
        eventually(lambda: before not in pods(api), seconds=60)
        eventually(lambda: api.get(DEPLOYMENT)["status"].get("readyReplicas") == 2, seconds=60)


def left_of(folder: Path) -> list[object]:
    """Everything that a cluster in ``folder`` could leave."""
    left: list[object] = [*processes_in(folder), *leftovers.mounts(folder)]
    left += [folder] if folder.exists() else []
    left += ["network namespace"] if place.exists(folder) else []
    left += ["control group"] if cgroups.exists(name_of(folder)) else []
    left += [
        link for link in leftovers.entries(leftovers.CONTAINER_LOGS) if str(folder) in str(link.readlink())
    ]
    return left


OWNER = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests may run in a shell's background
from cluster import binaries, lifecycle
with lifecycle.running(binaries.find(say=print), binaries.find_node(say=print)) as cluster:
    print(cluster.kubeconfig.parent, flush=True)
    time.sleep(600)
"""


@dataclass
class Owner:
    """Another process that has a cluster with a node."""

    process: subprocess.Popen[str]
    folder: Path

    def end(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        self.process.communicate(timeout=120)


@pytest.fixture
def owner(node_programs: NodeBinaries) -> Iterator[Owner]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    owner = Owner(process, Path(process.stdout.readline().strip()))
    assert len(left_of(owner.folder)) > len(PARTS)
    yield owner
    owner.end(signal.SIGKILL)
    lifecycle.sweep()


def test_nothing_is_left_after_ctrl_c(owner: Owner) -> None:
    sockets = set(leftovers.entries(SHIM_SOCKETS))
    networks = set(leftovers.entries(leftovers.NETWORK_RESULTS))
    owner.end(signal.SIGINT)
    assert left_of(owner.folder) == []
    assert set(leftovers.entries(SHIM_SOCKETS)) < sockets  # those of another cluster stay
    assert set(leftovers.entries(leftovers.NETWORK_RESULTS)) < networks


def test_the_next_one_clears_away_what_a_killed_one_left(owner: Owner) -> None:
    """containerd's shims outlive everybody, and mounts have no owner."""
    owner.end(signal.SIGKILL)
    eventually(lambda: Processes(owner.folder, bound=False).alive == [])
    assert leftovers.mounts(owner.folder)
    lifecycle.sweep()
    assert left_of(owner.folder) == []


def test_a_folder_whose_sockets_would_have_no_names_is_refused(
    programs: Binaries, node_programs: NodeBinaries, tmp_path: Path
) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    cluster = Cluster(deep / "admin.kubeconfig", Access(server="https://127.0.0.1:1"))
    with pytest.raises(CannotStart, match="too long a path for a node; 70 characters"):
        node.start(cluster, Place(), node_programs, bound=True)


@pytest.mark.usefixtures("programs")
def test_an_image_is_loaded_and_runs(node_programs: NodeBinaries, tmp_path: Path, short_folder: str) -> None:
    """By hand: up, load, down."""
    image = "localhost/mine:1"
    archives.write_archive(tmp_path / "mine.tar", node_programs.probe, image=image)
    environment = {**os.environ, "XDG_STATE_HOME": short_folder}
    folder = by_hand.folder(environment)
    try:
        up = by_hand_command("up", env=environment)
        assert up.returncode == 0, up.stderr
        load = by_hand_command("load", str(tmp_path / "mine.tar"), env=environment)
        assert load.returncode == 0, load.stderr
        with Api(kubeconfig.read(folder / "admin.kubeconfig")) as api:
            api.create(pod_that_ends(image))
            eventually(lambda: api.get(pod_that_ends(image))["status"]["phase"] == "Succeeded", seconds=60)
        wrong = by_hand_command("load", str(tmp_path / "nothing.tar"), env=environment)
        assert (wrong.returncode, "nothing.tar" in wrong.stderr) == (1, True)
    finally:
        down = by_hand_command("down", env=environment)
    assert down.stderr == "the cluster is gone\n"
    assert left_of(folder) == []


@pytest.fixture
def short_folder() -> Iterator[str]:
    """Sockets below it have names; pytest's own folders leave no room for them."""
    with tempfile.TemporaryDirectory() as folder:
        yield folder


def pod_that_ends(image: str) -> Document:
    container = {
        "name": "mine",
        "image": image,
        "imagePullPolicy": "Never",
        "args": ["lookup", "10.96.0.10", "kubernetes.default.svc.cluster.local"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "mine", "namespace": "default"},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }


def by_hand_command(*what: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cluster", *what]
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=180, check=False
    )
