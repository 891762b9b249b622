"""`flora cluster doctor` against an API server that is played over real sockets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from cluster.kubeconfig import Access, write
from flora_cli.cluster.facts import CRD, open_cluster
from flora_core.errors import InvalidInput

TOKEN = "sesame-sesame"
APPS = "/apis/apps/v1"
GUILDS = "/apis/flora.uwu.network/v1alpha1"


def part(component: str, ready: int = 1) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/version": "0.1.0",
        "app.kubernetes.io/part-of": "flora",
    }
    variable = {"operator": "OPERATOR_DATABASE_URL", "gateway": "GATEWAY_REDIS_URL"}.get(component, "X")
    containers = [{"name": component, "env": [{"name": variable, "valueFrom": {}}]}]
    return {
        "metadata": {"name": f"flora-{component}", "namespace": "flora", "labels": labels, "generation": 1},
        "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}},
        "status": {"observedGeneration": 1, "readyReplicas": ready, "updatedReplicas": 1},
    }


def guild(number: int, status: str = "True") -> dict[str, Any]:
    ready = {
        "type": "Ready",
        "status": status,
        "reason": "LoadFailed",
        "message": "x",
        "observedGeneration": 1,
    }
    return {
        "metadata": {"name": f"guild-{number}", "namespace": "flora", "generation": 1},
        "spec": {"guildId": str(number)},
        "status": {"conditions": [ready]},
    }


class PlayedCluster(ThreadingHTTPServer):
    """Answers what the doctor asks; ``lists`` by path, ``statuses`` in place of an answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        crd = {
            "metadata": {"name": CRD},
            "spec": {"versions": [{"name": "v1alpha1", "served": True}]},
            "status": {"conditions": [{"type": "Established", "status": "True"}]},
        }
        self.objects: dict[str, Any] = {
            "/version": {"gitVersion": "v1.33.1"},
            f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD}": crd,
        }
        self.lists: dict[str, list[Any]] = {
            f"{APPS}/deployments": [part("operator"), part("gateway")],
            f"{APPS}/statefulsets": [part("runtime")],
            "/api/v1/pods": [],
            "/apis/batch/v1/jobs": [],
            f"{GUILDS}/guilddeployments": [guild(number) for number in range(1, 1203)],
        }
        self.statuses: dict[str, int] = {}
        self.asked: list[str] = []

    def answer(self, target: str, token: str) -> tuple[int, Any]:
        parts = urlsplit(target)
        path = parts.path.replace("/namespaces/flora", "")
        self.asked.append(parts.path)
        if token != f"Bearer {TOKEN}":
            return 401, {"message": "Unauthorized"}
        if path in self.statuses:
            return self.statuses[path], {"message": f"you cannot list {path}"}
        if path in self.objects:
            return 200, self.objects[path]
        if path not in self.lists:
            return 404, {"message": "not found"}
        query = parse_qs(parts.query)
        start, limit = int(query.get("continue", ["0"])[0]), int(query["limit"][0])
        rows = self.lists[path]
        after = str(start + limit) if start + limit < len(rows) else ""
        return 200, {"items": rows[start : start + limit], "metadata": {"continue": after}}


class _Handler(BaseHTTPRequestHandler):
    server: PlayedCluster

    def do_GET(self) -> None:
        status, body = self.server.answer(self.path, self.headers.get("Authorization", ""))
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: Any) -> None:
        """Nobody reads it."""


@pytest.fixture
def cluster() -> Iterator[PlayedCluster]:
    with PlayedCluster() as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        yield server
        server.shutdown()
        serving.join()


def kubeconfig(folder: Path, server: str, token: str = TOKEN) -> Path:
    return write(folder / "kubeconfig", Access(server=server, token=token))


def doctor(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KUBE")}
    return subprocess.run(
        [sys.executable, "-m", "flora_cli.main", "cluster", "doctor", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**environment, "KUBECONFIG": str(config), "NO_COLOR": "1", "COLUMNS": "200"},
    )


def url(cluster: PlayedCluster) -> str:
    return f"http://127.0.0.1:{cluster.server_port}"


def test_a_healthy_cluster_is_exit_code_0_and_all_pages_are_read(
    cluster: PlayedCluster, tmp_path: Path
) -> None:
    ended = doctor(kubeconfig(tmp_path, url(cluster)))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "v1.33.1" in ended.stdout
    assert "✓ guilds: 1202 of 1202 are ready" in ended.stdout
    assert cluster.asked.count(f"{GUILDS}/guilddeployments") == 3
    assert TOKEN not in ended.stdout


def test_what_is_wrong_is_exit_code_1_with_what_to_do(cluster: PlayedCluster, tmp_path: Path) -> None:
    cluster.lists[f"{APPS}/statefulsets"] = [part("runtime", ready=0)]
    ended = doctor(kubeconfig(tmp_path, url(cluster)))
    assert ended.returncode == 1
    assert "✗ flora-runtime: 0 of 1 pods are ready" in ended.stdout
    assert "→ it says what it waits for: kubectl logs -n flora" in ended.stdout


def test_warnings_count_when_asked(cluster: PlayedCluster, tmp_path: Path) -> None:
    cluster.lists[f"{GUILDS}/guilddeployments"] = [guild(7, "False")]
    config = kubeconfig(tmp_path, url(cluster))
    assert doctor(config).returncode == 0
    assert doctor(config, "--strict").returncode == 1


def test_json_has_every_finding(cluster: PlayedCluster, tmp_path: Path) -> None:
    ended = doctor(kubeconfig(tmp_path, url(cluster)), "--json", "-n", "flora")
    told = msgspec.json.decode(ended.stdout)
    assert told["server"] == url(cluster)
    assert {finding["level"] for finding in told["findings"]} == {"ok"}
    assert f"{GUILDS}/namespaces/flora/guilddeployments" in cluster.asked


def test_a_cluster_without_the_crd_is_not_asked_for_guilds(cluster: PlayedCluster, tmp_path: Path) -> None:
    cluster.objects = {"/version": {}}
    ended = doctor(kubeconfig(tmp_path, url(cluster)))
    assert ended.returncode == 1
    assert f"✗ CRD: {CRD} is not there" in ended.stdout
    assert f"{GUILDS}/guilddeployments" not in cluster.asked


def test_who_may_not_look_is_exit_code_3(cluster: PlayedCluster, tmp_path: Path) -> None:
    cluster.statuses[f"{APPS}/deployments"] = 403
    ended = doctor(kubeconfig(tmp_path, url(cluster)))
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "name a namespace with -n" in ended.stderr


def test_who_is_unknown_is_exit_code_3(cluster: PlayedCluster, tmp_path: Path) -> None:
    ended = doctor(kubeconfig(tmp_path, url(cluster), token="other"))
    assert ended.returncode == 3
    assert "renew the credentials" in ended.stderr


def test_what_cannot_be_reached_is_exit_code_5(tmp_path: Path) -> None:
    ended = doctor(kubeconfig(tmp_path, "http://127.0.0.1:1"))
    assert ended.returncode == 5
    assert "http://127.0.0.1:1 cannot be reached" in ended.stderr


def test_what_is_no_kubernetes_is_exit_code_5(cluster: PlayedCluster, tmp_path: Path) -> None:
    cluster.statuses["/version"] = 502
    assert doctor(kubeconfig(tmp_path, url(cluster))).returncode == 5
    cluster.statuses.clear()
    cluster.objects["/version"] = ["no"]
    ended = doctor(kubeconfig(tmp_path, url(cluster)))
    assert ended.returncode == 5
    assert "does not answer as Kubernetes does" in ended.stderr


# ---------------------------------------------------------------- which cluster


def test_the_first_file_of_a_list_that_is_there_counts(tmp_path: Path) -> None:
    config = kubeconfig(tmp_path, "https://one")
    found = open_cluster(None, {"KUBECONFIG": f"{tmp_path}/gone:{config}"})
    assert found.server == "https://one"


def test_the_usual_file_counts_when_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path, "https://usual").rename(tmp_path / ".kube" / "config")
    assert open_cluster(None, {"HOME": str(tmp_path)}).server == "https://usual"
    other = kubeconfig(tmp_path, "https://other")
    assert open_cluster(other, {"HOME": str(tmp_path)}).server == "https://other"


def test_without_any_it_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--kubeconfig or KUBECONFIG"):
        open_cluster(None, {"HOME": str(tmp_path)})


# ---------------------------------------------------------------- the API


def migration(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "flora-migrate", "namespace": "flora"}, "status": status}


def test_an_api_that_is_not_ready_and_migrations_that_failed_are_said(
    cluster: PlayedCluster, tmp_path: Path
) -> None:
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    cluster.lists[f"{APPS}/deployments"].append(part("api", ready=0))
    cluster.lists["/apis/batch/v1/jobs"] = [migration(failed=4, conditions=[failed])]
    ended = doctor(kubeconfig(tmp_path, url(cluster)))
    assert ended.returncode == 1
    assert "✗ flora-api: 0 of 1 pods are ready" in ended.stdout
    assert "✗ migrations: they failed: BackoffLimitExceeded" in ended.stdout
    assert "! secret keys: flora-api has no API_SECRET_KEYS" in ended.stdout


def test_who_may_not_look_at_jobs_is_told_the_rest(cluster: PlayedCluster, tmp_path: Path) -> None:
    cluster.statuses["/apis/batch/v1/jobs"] = 403
    ended = doctor(kubeconfig(tmp_path, url(cluster)))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "✓ api: is not installed" in ended.stdout
