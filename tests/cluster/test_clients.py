"""Helm and kubectl as the cache has them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cluster.control_plane import Cluster
from cluster.versions import HELM, KUBERNETES


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_helm_is_of_its_version(helm: Path) -> None:
    assert run(helm, "version", "--short").strip() == f"v{HELM}"


def test_helm_shows_charts_the_cluster_s_version_of_kubernetes(helm: Path, tmp_path: Path) -> None:
    """Without a cluster to ask, a chart's kubeVersion is held against it."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text('apiVersion: v2\nname: one\nversion: 1.0.0\nkubeVersion: ">=1.34"\n')
    (tmp_path / "templates" / "version.yaml").write_text("version: {{ .Capabilities.KubeVersion.Version }}\n")
    major, minor, _ = KUBERNETES.split(".")
    assert f"version: v{major}.{minor}.0" in run(helm, "template", tmp_path)


def test_kubectl_asks_the_cluster(kubectl: Path, cluster: Cluster) -> None:
    said = run(kubectl, "--kubeconfig", cluster.kubeconfig, "version")
    assert f"Client Version: v{KUBERNETES}" in said
    assert "Server Version: v1." in said
    assert "default" in run(kubectl, "--kubeconfig", cluster.kubeconfig, "get", "namespaces")
