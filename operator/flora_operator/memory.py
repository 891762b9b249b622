"""Bundles kept in memory: for trying things out without a database. They are made again after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import NoReturn

from flora_core.database import BundleInfo
from flora_core.ids import Sha256
from flora_core.toolchain import Project, Toolchain


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

    async def retain(
        self, in_use: Callable[[], Collection[Sha256] | None], *, older_than: timedelta
    ) -> NoReturn:
        """Nothing is deleted before the process ends."""
        del in_use, older_than
        while True:
            await asyncio.sleep(3600)
