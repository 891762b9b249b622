"""A cluster with a node: containers run, find each other, and leave nothing behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import cgroups, leftovers, lifecycle, place
from cluster.api import Api
from cluster.binaries import Binaries, NodeBinaries
from cluster.control_plane import Cluster
from cluster.errors import Refused
from cluster.execute import execute
from cluster.node import PROBE_IMAGE, condition
from cluster.place import name_of
from cluster.processes import Processes, processes_in
from tests.cluster.conftest import ROOT
from tests.cluster.waiting import eventually

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
def whole(programs: Binaries, node_programs: NodeBinaries) -> Iterator[Cluster]:
    with lifecycle.running(programs, node_programs) as cluster:
        yield cluster


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
        (node,) = api.call("GET", "/api/v1/nodes")["items"]
    assert condition(node, "Ready") == "True"
    assert [record.name for record in Processes(whole.kubeconfig.parent, bound=False).alive] == PARTS


@pytest.mark.usefixtures("web")
async def test_a_service_is_found_by_name_and_leads_to_each_of_its_pods(whole: Cluster) -> None:
    with whole.api() as api:
        names = pods(api)
    answers = {(await execute(whole, names[0], "/probe", "get", "http://web")).strip() for _ in range(30)}
    assert answers == set(names)


@pytest.mark.usefixtures("web")
async def test_a_whole_name_resolves(whole: Cluster) -> None:
    with whole.api() as api:
        (name, *_) = pods(api)
    assert await execute(whole, name, "/probe", "get", "http://web.default.svc.cluster.local")


@pytest.mark.usefixtures("web")
async def test_a_command_that_fails_says_so(whole: Cluster) -> None:
    with whole.api() as api:
        (name, *_) = pods(api)
    with pytest.raises(Refused, match=r"exit code 1.*lookup nobody"):
        await execute(whole, name, "/probe", "get", "http://nobody")


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


def test_nothing_is_left_of_it(programs: Binaries, node_programs: NodeBinaries) -> None:
    sockets = set(leftovers.entries(SHIM_SOCKETS))
    networks = set(leftovers.entries(leftovers.NETWORK_RESULTS))
    with lifecycle.running(programs, node_programs) as cluster:
        folder = cluster.kubeconfig.parent
        assert len(left_of(folder)) > len(PARTS)
        assert set(leftovers.entries(SHIM_SOCKETS)) > sockets
    assert left_of(folder) == []
    assert set(leftovers.entries(SHIM_SOCKETS)) <= sockets
    assert set(leftovers.entries(leftovers.NETWORK_RESULTS)) <= networks


OWNER = """
import time
from cluster import binaries, lifecycle
with lifecycle.running(binaries.find(say=print), binaries.find_node(say=print)) as cluster:
    print(cluster.kubeconfig.parent, flush=True)
    time.sleep(600)
"""


@pytest.mark.usefixtures("node_programs")
def test_the_next_one_clears_away_what_a_killed_one_left() -> None:
    """containerd's shims outlive everybody, and mounts have no owner."""
    owner = subprocess.Popen([sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    folder = Path(owner.stdout.readline().strip())
    owner.kill()
    owner.communicate()
    eventually(lambda: Processes(folder, bound=False).alive == [])
    assert leftovers.mounts(folder)
    lifecycle.sweep()
    assert left_of(folder) == []
