"""Images of one program each, made without a builder and without a registry.

An archive as ``docker save`` writes them, which containerd imports: one layer with the program in it, as user
65534. For images of flora's own see ``docker save`` and ``buildah push … docker-archive:``.
"""

from __future__ import annotations

import hashlib
import io
import platform
import tarfile
from pathlib import Path
from typing import Final

import msgspec

NOBODY: Final = 65534
ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def write_archive(archive: Path, program: Path, *, image: str) -> None:
    """``image`` with ``program``, which must need nothing else, as its entrypoint. Blocks."""
    layer = _tar({program.name: program.read_bytes()}, mode=0o755)
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": [f"/{program.name}"], "User": f"{NOBODY}:{NOBODY}"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [image], "Layers": ["layer.tar"]}]
    files = {
        "manifest.json": msgspec.json.encode(manifest),
        "config.json": msgspec.json.encode(config),
        "layer.tar": layer,
    }
    archive.write_bytes(_tar(files, mode=0o644))


def _tar(files: dict[str, bytes], *, mode: int) -> bytes:
    """The same bytes whenever it is made."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
