"""What the cluster is made of.

The ``go.mod`` and ``go.sum`` beside each program pin every module; these are the names people know them by.
Kubernetes 1.34 is the last release whose kubelet runs on cgroup v1.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

KUBERNETES: Final = "1.34.4"
ETCD: Final = "3.6.4"
GO: Final = (1, 24)
"""The oldest Go that can build them."""

COREDNS: Final = "1.12.4"


@dataclass(slots=True, frozen=True)
class Module:
    """One Go program of ours, and the folder it is built from."""

    name: str
    what: str
    """For people who wait for it."""
    version: str
    sources: Path

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
KUBE: Final = Module("kube", f"Kubernetes {KUBERNETES} and etcd {ETCD}", KUBERNETES, _HERE / "kube")
DNS: Final = Module("dns", f"CoreDNS {COREDNS}", COREDNS, _HERE / "dns")
PROBE: Final = Module("probe", "the sandbox of pods", "1", _HERE / "probe")
