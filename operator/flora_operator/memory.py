"""Bundles kept in memory: for trying things out without a database. They are made again after a restart."""

from __future__ import annotations

from flora_core.ids import Sha256
from flora_core.toolchain import Project, Toolchain
from flora_operator.ports import BundleInfo


class MemoryBundler:
    """Implements ``Bundler``."""

    def __init__(self, toolchain: Toolchain) -> None:
        self._toolchain = toolchain
        self._bundles: dict[Sha256, bytes] = {}

    async def bundle(self, project: Project) -> BundleInfo:
        built = await self._toolchain.bundle(project)
        data = built.bundle.to_bytes()
        self._bundles[built.bundle.sha256] = data
        return BundleInfo(built.bundle.sha256, len(data))

    async def stored(self, sha256: Sha256) -> BundleInfo | None:
        data = self._bundles.get(sha256)
        return BundleInfo(sha256, len(data)) if data is not None else None

    async def get(self, sha256: Sha256) -> bytes | None:
        return self._bundles.get(sha256)
