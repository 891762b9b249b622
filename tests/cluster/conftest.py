"""The cluster that the tests of this folder share: given by ``FLORA_TEST_KUBECONFIG``, by kind, or our own.

Where there is none to be had the tests are skipped and say why; ``--no-skips`` makes that a failure.
"""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import yaml

from cluster import binaries, buildah, kind, lifecycle, loading, machine, wheel
from cluster.api import Api, Document
from cluster.binaries import Binaries, NodeBinaries
from cluster.control_plane import Cluster
from cluster.errors import Refused, Unavailable
from cluster.images import components, stores
from cluster.node import condition
from tests.cluster.faulty_api import FaultyApi, faulty_api
from tests.cluster.installed import Installed, install
from tests.cluster.operating import Stage
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
CRD = ROOT / "crds" / "guilddeployments.flora.uwu.network.yaml"


@pytest.fixture(scope="session")
def programs(request: pytest.FixtureRequest) -> Binaries:
    try:
        with shown(request):
            return binaries.find(say=say)
    except Unavailable as why:
        pytest.skip(f"no control plane: {why}")


@pytest.fixture(scope="session")
def node_programs(request: pytest.FixtureRequest, programs: Binaries) -> NodeBinaries:
    try:
        with shown(request):
            machine.prepare(say=say)
            return binaries.find_node(say=say)
    except Unavailable as why:
        pytest.skip(f"no node: {why}")


@pytest.fixture(scope="session")
def helm(request: pytest.FixtureRequest) -> Path:
    """The command."""
    return _client(request, binaries.helm)


@pytest.fixture(scope="session")
def kubectl(request: pytest.FixtureRequest) -> Path:
    """The command."""
    return _client(request, binaries.kubectl)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """One with RBAC and controllers, and no nodes when it is ours."""
    if (other := lifecycle.given()) is not None:
        yield other
        return
    if (program := kind.find()) is not None:
        with shown(request):
            say(f"a cluster by {program}; {kind.CHOSEN}=own for one of our own")
        with kind.running(program) as theirs:
            yield theirs
        return
    with lifecycle.running(request.getfixturevalue("programs")) as own:
        yield own


@pytest.fixture(scope="session")
def whole(programs: Binaries, node_programs: NodeBinaries) -> Iterator[Cluster]:
    """One with a node, ours, which its tests share."""
    with lifecycle.running(programs, node_programs) as own:
        yield own


@pytest.fixture(scope="session")
def whole_api(whole: Cluster) -> Iterator[Api]:
    """As somebody who may do everything in it."""
    with whole.api() as api:
        yield api


@pytest.fixture
def place(whole_api: Api) -> Iterator[str]:
    """A fresh namespace of it, in which Pods have to be as locked up as Kubernetes knows."""
    name = f"flora-test-{secrets.token_hex(4)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    whole_api.create(document)
    # Its controller may have met an API server that was away, and waits before it looks again.
    eventually(lambda: _has(whole_api, account_of(name)), seconds=120)
    yield name
    whole_api.delete(document)


def account_of(namespace: str) -> Document:
    """That of Pods which name none."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": namespace},
    }


@pytest.fixture(scope="session")
def images(request: pytest.FixtureRequest, whole: Cluster) -> None:
    """Those of flora and of its stores are on the node."""
    try:
        with shown(request):
            recipes = [*components(wheel.build()), *stores()]
            loading.load(whole.kubeconfig.parent, buildah.build(recipes, say=say), say=say)
    except Unavailable as why:
        pytest.skip(f"no images: {why}")


@pytest.fixture(scope="session")
def fleet(
    whole: Cluster, images: None, helm: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    """The chart, installed with a simulated Discord, and nine guilds with scripts."""
    with whole.api() as api:
        yield install(whole, api, helm, tmp_path_factory.mktemp("helm"))


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[object], None]:
    """Shows a figure although the test passes."""

    def write(line: object) -> None:
        with shown(request):
            say(f"\n{line}")

    return write


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Iterator[Api]:
    """As somebody who may do everything."""
    with cluster.api() as api:
        yield api


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    """A fresh one."""
    name = f"flora-test-{secrets.token_hex(4)}"
    document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    api.create(document)
    yield name
    api.delete(document)


@pytest.fixture(scope="session")
def crd(api: Api) -> Iterator[Document]:
    """GuildDeployment, served; taken away again from a cluster that did not have it."""
    document = yaml.safe_load(CRD.read_text())
    had = _has(api, document)
    api.apply(document, force=True)
    eventually(lambda: condition(api.get(document), "Established") == "True")
    yield document
    if not had:
        api.delete(document)


@pytest.fixture
async def faults(cluster: Cluster) -> AsyncIterator[FaultyApi]:
    """The API server, reached by a way that can be broken."""
    async with faulty_api(cluster) as api:
        yield api


@pytest.fixture
def stage(cluster: Cluster, api: Api, namespace: str, crd: Document) -> Iterator[Stage]:
    """A namespace for operators, with a StatefulSet of three."""
    stage = Stage(cluster, api, namespace)
    stage.statefulset(3)
    yield stage
    stage.tidy()


def shown(request: pytest.FixtureRequest) -> contextlib.AbstractContextManager[None]:
    """Output is not captured: a build takes minutes, and should be seen to go on."""
    return request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled()


def say(line: str) -> None:
    sys.stderr.write(line + "\n")


def _client(request: pytest.FixtureRequest, find: Callable[..., Path]) -> Path:
    try:
        with shown(request):
            return find(say=say)
    except Unavailable as why:
        pytest.skip(f"no clients: {why}")


def _has(api: Api, document: Document) -> bool:
    with contextlib.suppress(Refused):
        return bool(api.get(document))
    return False
