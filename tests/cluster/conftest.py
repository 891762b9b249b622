"""The cluster that the tests of this folder share: given by ``FLORA_TEST_KUBECONFIG``, or started here.

Where there is none to be had the tests are skipped and say why; ``--no-skips`` makes that a failure.
"""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cluster import binaries, control_plane
from cluster.api import Api, Document
from cluster.binaries import Binaries
from cluster.control_plane import Cluster
from cluster.errors import Refused
from tests.cluster.waiting import eventually

ROOT = Path(__file__).parents[2]
CRD = ROOT / "crds" / "guilddeployments.flora.uwu.network.yaml"


@pytest.fixture(scope="session")
def programs(request: pytest.FixtureRequest) -> Binaries:
    if why := binaries.why_not():
        pytest.skip(f"no control plane: {why}")
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():  # a build takes minutes: show that it goes on
        return binaries.find(say=lambda line: sys.stderr.write(line + "\n"))


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """One with RBAC and controllers, and no nodes when it is ours."""
    if (other := control_plane.given()) is not None:
        yield other
        return
    with control_plane.running(request.getfixturevalue("programs")) as own:
        yield own


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


def _has(api: Api, document: Document) -> bool:
    with contextlib.suppress(Refused):
        return bool(api.get(document))
    return False


def condition(document: Document, kind: str) -> str | None:
    """The status of its condition ``kind``."""
    conditions = document.get("status", {}).get("conditions") or []
    return next((one["status"] for one in conditions if one["type"] == kind), None)
