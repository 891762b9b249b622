"""charts/flora, rendered and installed as people do it, with the sets of values that the tests share."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from cluster.api import Document
from cluster.images import ROOT

CHART: Final = ROOT / "charts" / "flora"
SECONDS: Final = 120.0

Values = dict[str, Any]

MINIMAL: Final[Values] = {
    "discord": {"token": "a-discord-token"},
    "database": {"url": "postgresql://flora:a-password@db.example.com:5432/flora"},
}
SIMULATED: Final[Values] = {
    "discord": {"simulated": True},
    "database": {"inCluster": {"enabled": True, "password": "a-password"}},
    "redis": {"inCluster": {"enabled": True}},
}
WITH_API: Final[Values] = {**SIMULATED, "api": {"enabled": True}}
EXISTING: Final[Values] = {
    "api": {"enabled": True, "existingSecret": "mine"},
    "discord": {"existingSecret": "mine", "existingSecretKey": "bot-token"},
    "database": {"existingSecret": "mine", "existingSecretKey": "postgres"},
    "redis": {"existingSecret": "mine", "existingSecretKey": "redis"},
}
EVERYTHING: Final[Values] = {
    **SIMULATED,
    "commonLabels": {"team": "bots"},
    "image": {
        "registry": "registry.example.com/team",
        "tag": "1.2.3",
        "pullPolicy": "Always",
        "pullSecrets": [{"name": "registry"}],
    },
    "gateway": {
        "config": {
            "GATEWAY_BUFFER_MIB": 128,
            "DISCORD_PRIVILEGED_INTENTS": False,
            "GATEWAY_LOG_LEVEL": "DEBUG",
        },
        "serviceAccountAnnotations": {"example.com/a": "b"},
        "podAnnotations": {"example.com/c": "d"},
        "podLabels": {"example.com/e": "f"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "bots", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
        ],
        "priorityClassName": "system-cluster-critical",
        "podDisruptionBudget": {"enabled": True},
    },
    "operator": {
        "starter": {"files": {"src/main.ts": 'on("ready", () => {});'}},
        "podDisruptionBudget": {"enabled": True, "maxUnavailable": 0},
    },
    "runtime": {
        "config": {"RUNTIME_MAX_WORKERS": 8, "RUNTIME_DRAIN_SECS": 0.5, "RUNTIME_FETCH_DENY": "192.0.2.0/24"},
        "autoscaling": {"type": "keda"},
        "persistence": {"storageClassName": "fast", "whenDeleted": "Delete", "whenScaled": "Delete"},
        "podDisruptionBudget": {"maxUnavailable": "25%"},
    },
    "api": {
        "enabled": True,
        "publicUrl": "https://bots.example.com",
        "discord": {"clientId": "123456789012345678", "clientSecret": "a-client-secret"},
        "secretKeys": f"k1:{'A' * 43}=",
        "operatorSecret": "an-operator-secret",
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "host": "bots.example.com",
            "tlsSecret": "bots-tls",
            "annotations": {"example.com/g": "h"},
        },
        "autoscaling": {"enabled": True},
        "config": {"API_LOG_LEVEL": "DEBUG"},
    },
    "simulator": {"world": '[[guilds]]\nname = "one"\n', "config": {"SIMULATOR_RATE_LIMITS": False}},
    "metrics": {
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "alerts": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboard": {"enabled": True, "annotations": {"folder": "flora"}},
    },
}
SETS: Final[dict[str, Values]] = {
    "minimal": MINIMAL,
    "simulated, with stores": SIMULATED,
    "existing Secrets": EXISTING,
    "an autoscaler, service monitors": {
        **MINIMAL,
        "runtime": {"autoscaling": {"type": "hpa"}},
        "metrics": {"serviceMonitor": {"enabled": True}},
    },
    "no policies, no CRD": {**MINIMAL, "networkPolicy": {"enabled": False}, "crds": {"install": False}},
    "everything": EVERYTHING,
}


class HelmFailed(Exception):
    """What helm has to say about it."""


@dataclass(slots=True, frozen=True)
class Helm:
    """The program, and whom it speaks to."""

    program: Path
    folder: Path
    """For files with values."""
    kubeconfig: Path | None = None

    def run(self, *words: str, values: Values | None = None) -> str:
        """What it prints; raises HelmFailed. Blocks."""
        command = [str(self.program), *words]
        if values is not None:
            file = self.folder / "values.yaml"
            file.write_text(yaml.safe_dump(values))
            command += ["--values", str(file)]
        environment = {"HOME": str(self.folder), "KUBECONFIG": str(self.kubeconfig or "/dev/null")}
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False, env=environment
        )
        if done.returncode:
            raise HelmFailed(done.stderr or done.stdout)
        return done.stdout

    def template(self, values: Values, *, namespace: str = "bots", release: str = "flora") -> list[Document]:
        """What would be installed, and the hooks."""
        printed = self.run("template", release, str(CHART), "--namespace", namespace, values=values)
        return [document for document in yaml.safe_load_all(printed) if document]


def named(documents: list[Document], kind: str, name: str) -> Document:
    """The only one of them."""
    (one,) = [d for d in documents if d["kind"] == kind and d["metadata"]["name"] == name]
    return one


def pod_specs(documents: list[Document]) -> Iterator[tuple[str, Document]]:
    """Name and pod spec of whatever makes pods."""
    for document in documents:
        if document["kind"] == "Pod":
            yield document["metadata"]["name"], document["spec"]
        elif "template" in document.get("spec", {}):
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]
