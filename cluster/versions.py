"""What the cluster is made of.

``kube/go.mod`` and ``kube/go.sum`` pin every module; these are the names people know them by. 1.34 is the
last release whose kubelet runs on cgroup v1.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

KUBERNETES: Final = "1.34.4"
ETCD: Final = "3.6.4"
GO: Final = (1, 24)
"""The oldest Go that can build them."""

SOURCES: Final = Path(__file__).parent / "kube"


def fingerprint() -> str:
    """Names one build: the version, and a digest of what it is built from."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update((SOURCES / name).read_bytes())
    return f"v{KUBERNETES}-{digest.hexdigest()[:8]}"
