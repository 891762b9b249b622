"""Pods of flora's images without a chart: as locked up as the chart has them, and their settings in plain sight."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from cluster.api import Api, Document
from cluster.images import version
from cluster.node import condition

PORTS = {"gateway": 8401, "operator": 8402, "runtime": 8403, "api": 8405, "simulator": 8410}
USER = 65532


def image_of(component: str) -> str:
    return f"flora-{component}:{version()}"


def pod(
    component: str,
    *,
    namespace: str,
    settings: Mapping[str, str] | None = None,
    name: str = "",
    probe: Mapping[str, Any] | None = None,
    command: Sequence[str] = (),
) -> Document:
    """A Pod of one component that is not started again when it ends."""
    port = PORTS[component]
    container = {
        "name": component,
        "image": image_of(component),
        "imagePullPolicy": "Never",
        "env": [{"name": key, "value": value} for key, value in (settings or {}).items()],
        "readinessProbe": {**(probe or {"httpGet": {"path": "/readyz", "port": port}}), "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "data", "mountPath": "/var/lib/flora"},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    if command:
        container["command"] = list(command)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name or f"flora-{component}",
            "namespace": namespace,
            "labels": {"component": component},
        },
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 5,
            "securityContext": {
                "runAsNonRoot": True,  # of itself: no user is given, so the image's is
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
        },
    }


def service(component: str, *, namespace: str, kind: str = "ClusterIP") -> Document:
    """What makes the component known as ``flora-<component>``."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"flora-{component}", "namespace": namespace},
        "spec": {
            "type": kind,
            "selector": {"component": component},
            "ports": [{"port": PORTS[component], "protocol": "TCP"}],
        },
    }


def wait_ready(api: Api, *documents: Document, seconds: float = 60.0) -> None:
    """Until all of these Pods are ready; shows what their containers wrote when they are not. Blocks."""
    deadline = time.monotonic() + seconds
    waiting = list(documents)
    while waiting := [one for one in waiting if condition(api.get(one), "Ready") != "True"]:
        dead = [one for one in waiting if api.get(one)["status"]["phase"] in {"Failed", "Succeeded"}]
        if dead or time.monotonic() > deadline:
            raise AssertionError("\n".join(told(api, one) for one in dead or waiting))
        time.sleep(0.2)


def wait_ended(api: Api, document: Document, *, seconds: float = 60.0) -> int:
    """The exit code of its container. Blocks."""
    deadline = time.monotonic() + seconds
    while (phase := api.get(document)["status"]["phase"]) not in {"Failed", "Succeeded"}:
        assert time.monotonic() < deadline, f"it is {phase} still\n{told(api, document)}"
        time.sleep(0.2)
    (container,) = api.get(document)["status"]["containerStatuses"]
    return container["state"]["terminated"]["exitCode"]


def told(api: Api, document: Document) -> str:
    """State and log of a Pod, for whoever reads a failure."""
    name = document["metadata"]["name"]
    status = api.get(document)["status"]
    state = [container.get("state") for container in status.get("containerStatuses", [])]
    return f"{name} is {status['phase']}: {state}\n{log(api, document)}"


def log(api: Api, document: Document) -> str:
    """What its container wrote."""
    meta = document["metadata"]
    path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/log"
    return api.call("GET", path, accept="text/plain, application/json")
