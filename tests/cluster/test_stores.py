"""Volumes of the cluster, and Postgres and Redis on them, as the chart has them."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.api import Api, Document
from cluster.control_plane import Cluster
from cluster.errors import Refused
from cluster.execute import execute
from cluster.node import condition
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("images")

POSTGRES_ENV = {
    "POSTGRES_USER": "flora",
    "POSTGRES_DB": "guilds",
    "POSTGRES_PASSWORD": "se'cret",
    "PGDATA": "/var/lib/postgresql/data/pgdata",
}


def stateful(name: str, namespace: str, port: int, at: str, env: dict[str, str], args: list[str]) -> Document:
    container: dict[str, Any] = {
        "name": name,
        "image": f"flora-test-{name}:1",
        "imagePullPolicy": "Never",
        "args": args,
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "data", "mountPath": at},
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "run", "mountPath": "/var/run/postgresql"},
        ],
    }
    pod = {
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 999,
            "runAsGroup": 999,
            "fsGroup": 999,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "run", "emptyDir": {}}],
    }
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "8Gi"}}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "serviceName": name,
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
            "volumeClaimTemplates": [claim],
        },
    }


def start(api: Api, document: Document) -> Document:
    """Its Pod, ready."""
    api.create(document)
    meta = document["metadata"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{meta['name']}-0", "namespace": meta["namespace"]},
    }
    eventually(lambda: is_ready(api, pod), seconds=90)
    return pod


def is_ready(api: Api, pod: Document, *, but: str = "") -> bool:
    try:
        found = api.get(pod)
    except Refused:
        return False
    return condition(found, "Ready") == "True" and found["metadata"]["uid"] != but


def replace(api: Api, pod: Document) -> None:
    """Delete it, and wait for its successor."""
    uid = api.get(pod)["metadata"]["uid"]
    api.delete(pod)
    eventually(lambda: is_ready(api, pod, but=uid), seconds=90)


def test_postgres_takes_the_official_image_s_variables_and_keeps_its_data(
    whole: Cluster, whole_api: Api, place: str
) -> None:
    at = "/var/lib/postgresql/data"
    pod = start(whole_api, stateful("postgres", place, 5432, at, POSTGRES_ENV, []))

    def ask(statement: str) -> str:
        url = "postgresql://flora:se%27cret@127.0.0.1/guilds"
        return execute(whole, "postgres-0", "psql", "-qAt", url, "-c", statement, namespace=place).strip()

    ask("create table kept as select 42 as answer")
    replace(whole_api, pod)
    assert ask("select answer from kept") == "42"
    with pytest.raises(Refused, match="password authentication failed"):
        execute(
            whole, "postgres-0", "psql", "postgresql://flora:x@127.0.0.1/guilds", "-c", "", namespace=place
        )


def test_redis_keeps_its_data(whole: Cluster, whole_api: Api, place: str) -> None:
    args = ["--dir", "/data", "--appendonly", "yes", "--protected-mode", "no"]
    pod = start(whole_api, stateful("redis", place, 6379, "/data", {}, args))

    def ask(*command: str) -> str:
        return execute(whole, "redis-0", "redis-cli", *command, namespace=place).strip()

    assert ask("set", "kept", "42") == "OK"
    replace(whole_api, pod)
    assert ask("get", "kept") == "42"
