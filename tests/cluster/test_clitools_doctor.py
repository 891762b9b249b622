"""`flora cluster doctor` against a real API server: the chart's own resources, whose pods find no node."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cluster.api import Api
from cluster.control_plane import Cluster
from tests.cluster.charts import SIMULATED, Helm
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("crd")


@pytest.fixture
def config(cluster: Cluster) -> Path:
    return cluster.kubeconfig


def doctor(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flora_cli.main", "cluster", "doctor", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "KUBECONFIG": str(config), "NO_COLOR": "1", "COLUMNS": "200"},
    )


def findings(ended: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert ended.returncode in (0, 1), ended.stderr
    return {finding["subject"]: finding for finding in msgspec.json.decode(ended.stdout)["findings"]}


def test_a_namespace_without_flora_says_what_is_missing(config: Path, namespace: str) -> None:
    ended = doctor(config, "-n", namespace, "--json")
    found = findings(ended)
    assert ended.returncode == 1
    assert found["CRD"] == {"level": "ok", "subject": "CRD", "text": "v1alpha1 is served"}
    assert {name for name, finding in found.items() if finding["level"] == "problem"} == {
        "operator",
        "gateway",
        "runtime",
    }


def test_the_charts_resources_are_known_and_a_pod_without_a_node_says_so(
    config: Path, api: Api, namespace: str, helm: Path, tmp_path: Path
) -> None:
    chart = Helm(helm, tmp_path)
    kinds = {"Deployment", "StatefulSet", "ConfigMap", "ServiceAccount"}
    for document in chart.template(SIMULATED):
        if document["kind"] in kinds and document["metadata"].get("namespace"):
            document["metadata"]["namespace"] = namespace
            api.apply(document, force=True)

    def seen() -> dict[str, Any] | None:
        found = findings(doctor(config, "-n", namespace, "--json"))
        return found if "; " in found["flora-operator"]["text"] else None

    found = eventually(seen, seconds=30, pause=1.0)  # where there is no scheduler nobody says "Unschedulable"
    assert found["flora-operator"]["text"].startswith("0 of 1 pods are ready; flora-operator-")
    assert "kubectl describe pod" in found["flora-operator"]["advice"]
    assert found["Postgres"]["level"] == "ok"
    assert found["Redis"]["level"] == "ok"
    assert found["versions"]["level"] == "ok"


def test_guilds_are_judged_by_their_conditions(config: Path, api: Api, namespace: str) -> None:
    guild = {
        "apiVersion": "flora.uwu.network/v1alpha1",
        "kind": "GuildDeployment",
        "metadata": {"name": "guild-123456789012345678", "namespace": namespace},
        "spec": {"guildId": "123456789012345678", "source": {"files": {"src/main.ts": ""}}},
    }
    api.apply(guild)
    name = f"{namespace}/guild-123456789012345678"
    assert findings(doctor(config, "-n", namespace, "--json"))[name]["text"].startswith(
        "the operator has not"
    )
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Loaded",
        "message": "",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    api.apply_status({**guild, "status": {"conditions": [ready]}})
    assert findings(doctor(config, "-n", namespace, "--json"))["guilds"]["text"] == "1 of 1 are ready"


def test_who_may_not_look_is_told_so(cluster: Cluster, tmp_path: Path) -> None:
    path = tmp_path / "nobody.kubeconfig"
    document = msgspec.yaml.decode(cluster.kubeconfig.read_bytes())
    document["users"][0]["user"] = {"token": "no-such-token"}
    path.write_bytes(msgspec.yaml.encode(document))
    ended = doctor(path)
    assert ended.returncode == 3
    assert "renew the credentials" in ended.stderr
    assert "no-such-token" not in ended.stderr + ended.stdout


def test_a_certificate_that_is_not_to_be_trusted_is_said(cluster: Cluster, tmp_path: Path) -> None:
    document = msgspec.yaml.decode(cluster.kubeconfig.read_bytes())
    for name in ("certificate-authority", "certificate-authority-data"):
        document["clusters"][0]["cluster"].pop(name, None)
    path = tmp_path / "other.kubeconfig"
    path.write_bytes(msgspec.yaml.encode(document))
    ended = doctor(path)
    assert ended.returncode == 5
    assert "its certificate is not to be trusted" in ended.stderr
