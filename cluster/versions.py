"""What the cluster is made of, and the clients that people and tests use.

The ``go.mod`` and ``go.sum`` beside each program pin every module; these are the names people know them by.
Kubernetes 1.34 is the last release whose kubelet runs on cgroup v1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

KUBERNETES: Final = "1.34.4"
ETCD: Final = "3.6.4"
GO: Final = (1, 24)
"""The oldest Go that can build them."""

COREDNS: Final = "1.12.4"
HELM: Final = "3.19.2"


@dataclass(slots=True, frozen=True)
class Module:
    """One Go program of ours, and the folder it is built from."""

    name: str
    what: str
    """For people who wait for it."""
    version: str
    sources: Path
    package: str = "."
    """What is built there: its own, or one that ``go.mod`` requires."""
    stamps: Mapping[str, str] = field(default_factory=dict[str, str])
    """Variables that the linker sets: what a program says of itself."""

    def fingerprint(self) -> str:
        """Names one build: the version, and a digest of what it is built from."""
        digest = hashlib.sha256()
        for name in ("go.mod", "go.sum", "main.go"):
            path = self.sources / name
            digest.update(
                path.read_bytes() if path.exists() else b""
            )  # no go.sum: the standard library alone
        return f"v{self.version}-{digest.hexdigest()[:8]}"


_HERE: Final = Path(__file__).parent
_MAJOR, _MINOR, _ = KUBERNETES.split(".")
_STAMPS: Final = {
    "k8s.io/component-base/version.gitVersion": f"v{KUBERNETES}",
    "k8s.io/component-base/version.gitMajor": _MAJOR,
    "k8s.io/component-base/version.gitMinor": _MINOR,
    "k8s.io/component-base/version.gitTreeState": "clean",
}
_HELM_STAMPS: Final = {
    "helm.sh/helm/v3/internal/version.version": f"v{HELM}",
    # The Kubernetes that a chart is told of where no cluster is asked: helm template, helm lint.
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": _MAJOR,
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": _MINOR,
    "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": _MAJOR,
    "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": _MINOR,
}

KUBE: Final = Module(
    "kube", f"Kubernetes {KUBERNETES} and etcd {ETCD}", KUBERNETES, _HERE / "kube", stamps=_STAMPS
)
DNS: Final = Module("dns", f"CoreDNS {COREDNS}", COREDNS, _HERE / "dns")
PROBE: Final = Module("probe", "the sandbox of pods", "1", _HERE / "probe")
KUBECTL: Final = Module("kubectl", f"kubectl {KUBERNETES}", KUBERNETES, _HERE / "kubectl", stamps=_STAMPS)
HELM_CLIENT: Final = Module(
    "helm", f"Helm {HELM}", HELM, _HERE / "helm", package="helm.sh/helm/v3/cmd/helm", stamps=_HELM_STAMPS
)
