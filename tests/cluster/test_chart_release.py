"""Releases on a cluster without nodes: what helm installs, changes and leaves behind. Pods stay Pending."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.api import Api, Document
from cluster.control_plane import Cluster
from cluster.errors import Refused
from tests.cluster.charts import CHART, MINIMAL, SIMULATED, Helm, HelmFailed, Values
from tests.waiting import eventually

STORES: Values = {**SIMULATED, "database": {"inCluster": {"enabled": True}}, "crds": {"install": False}}


class Release:
    """The release ``flora`` in a namespace of its own."""

    def __init__(self, helm: Helm, api: Api, namespace: str) -> None:
        self._helm, self._api, self.namespace = helm, api, namespace

    def do(self, verb: str, values: Values, *words: str, chart: Path = CHART) -> str:
        about = (str(chart), "--namespace", self.namespace)
        return self._helm.run(verb, "flora", *about, *words, values=values)

    def helm(self, verb: str, *words: str) -> str:
        return self._helm.run(verb, "flora", "--namespace", self.namespace, *words)

    def get(self, version: str, kind: str, name: str) -> Document:
        return self._api.get(
            {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": self.namespace}}
        )

    def scale(self, replicas: int) -> None:
        path = f"/apis/apps/v1/namespaces/{self.namespace}/statefulsets/flora-runtime"
        change = {"spec": {"replicas": replicas}}
        self._api.call("PATCH", path, change, content="application/merge-patch+json")

    def pod_annotations(self, kind: str, name: str) -> Document:
        return self.get("apps/v1", kind, name)["spec"]["template"]["metadata"]["annotations"]

    def secret(self, name: str, key: str) -> str:
        return base64.b64decode(self.get("v1", "Secret", name)["data"][key]).decode()

    def has(self, version: str, kind: str, name: str) -> bool:
        try:
            self.get(version, kind, name)
        except Refused:
            return False
        return True


@pytest.fixture
def release(helm: Path, tmp_path: Path, cluster: Cluster, api: Api, namespace: str) -> Iterator[Release]:
    one = Release(Helm(helm, tmp_path, cluster.kubeconfig), api, namespace)
    yield one
    one.helm("uninstall", "--ignore-not-found")  # cluster roles are in no namespace


@pytest.mark.usefixtures("crd")
def test_an_install_says_what_to_do_next(release: Release) -> None:
    said = release.do("install", STORES)
    assert f"helm -n {release.namespace} test flora" in said
    assert f"kubectl -n {release.namespace} apply --server-side -f guild.yaml" in said
    assert "The stores in the cluster are for trying things out" in said
    assert "kubectl apply --server-side -f crds/ before each upgrade" in said


@pytest.mark.usefixtures("crd")
def test_a_new_value_replaces_the_pods_it_is_about(release: Release) -> None:
    release.do("install", STORES)
    gateway = release.pod_annotations("Deployment", "flora-gateway")
    runtime = release.pod_annotations("StatefulSet", "flora-runtime")
    release.do("upgrade", {**STORES, "runtime": {"config": {"RUNTIME_MAX_WORKERS": 2}}})
    assert release.pod_annotations("Deployment", "flora-gateway") == gateway
    assert release.pod_annotations("StatefulSet", "flora-runtime") != runtime
    assert release.get("v1", "ConfigMap", "flora-runtime")["data"]["RUNTIME_MAX_WORKERS"] == "2"


@pytest.mark.usefixtures("crd")
def test_a_made_up_password_stays(release: Release) -> None:
    """Over upgrades, and over the release: the volume stays too, and knows no other."""
    release.do("install", STORES)
    password = release.secret("flora-database", "password")
    assert len(password) == 32
    assert password in release.secret("flora-database", "url")
    release.do("upgrade", {**STORES, "runtime": {"replicas": 3}})
    assert release.secret("flora-database", "password") == password
    release.helm("uninstall")
    release.do("install", STORES)
    assert release.secret("flora-database", "password") == password


@pytest.mark.usefixtures("crd")
def test_an_upgrade_does_not_undo_what_an_autoscaler_decided(release: Release) -> None:
    scaled = {**STORES, "runtime": {"autoscaling": {"type": "hpa"}}}
    release.do("install", scaled)
    release.scale(4)
    release.do("upgrade", {**scaled, "gateway": {"config": {"GATEWAY_BUFFER_MIB": 32}}})
    assert release.get("apps/v1", "StatefulSet", "flora-runtime")["spec"]["replicas"] == 4


@pytest.mark.usefixtures("crd")
def test_nothing_of_it_stays_but_what_must(release: Release, api: Api) -> None:
    release.do("install", STORES)
    release.helm("uninstall")
    eventually(lambda: not release.has("apps/v1", "StatefulSet", "flora-runtime"))
    assert not release.has("v1", "Secret", "flora-discord")
    assert release.has("v1", "Secret", "flora-database")
    roles = api.call("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles")["items"]
    assert [role["metadata"]["name"] for role in roles if release.namespace in role["metadata"]["name"]] == []


def test_the_crd_comes_with_the_first_release_and_stays(release: Release, api: Api, crd: Document) -> None:
    """It is there already, without a release: helm says so, and takes it over when it is told to."""
    with pytest.raises(HelmFailed, match="cannot be imported into the current release"):
        release.do("install", MINIMAL)
    release.helm("uninstall", "--ignore-not-found")
    release.do("install", MINIMAL, "--take-ownership")
    assert api.get(crd)["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    release.helm("uninstall")
    assert api.get(crd)["spec"]["names"]["kind"] == "GuildDeployment"


def test_an_upgrade_of_the_chart_upgrades_the_crd(
    release: Release, api: Api, crd: Document, tmp_path: Path
) -> None:
    older = tmp_path / "older"
    shutil.copytree(CHART, older)
    file = older / "files" / "crds" / f"{crd['metadata']['name']}.yaml"
    file.write_text(file.read_text().replace("shortNames: [gd]", "shortNames: [old]"))
    release.do("install", MINIMAL, "--take-ownership", chart=older)
    assert api.get(crd)["spec"]["names"]["shortNames"] == ["old"]
    release.do("upgrade", MINIMAL)
    assert api.get(crd)["spec"]["names"]["shortNames"] == ["gd"]
