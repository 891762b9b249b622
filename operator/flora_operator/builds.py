"""From sources to bundles, beside the reconciler: what takes long has workers of its own.

The reconciler asks for the outcome of a deployment's sources; where there is none yet a build is queued,
and the deployment is dirty again when it is done. What the author got wrong is an outcome like any other,
and is not tried again before the sources change. What is nobody's fault (the database is gone) is tried
until it works, and is an outcome meanwhile.

Sources that came with the watch are kept, compressed, until they are built; beyond ``KEPT_BYTES`` they are
read from the API server again instead.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from flora_core.errors import BundleFailed, FloraError, InvalidProject
from flora_core.ids import Sha256
from flora_core.telemetry import logger
from flora_core.toolchain import Project
from flora_operator import metrics
from flora_operator.deployment import Deployment, Key, digest, from_document
from flora_operator.errors import Missing, Refused
from flora_operator.kube.client import Kube
from flora_operator.kube.paths import config_map_path, deployment_path
from flora_operator.plan import Built, Unbuilt
from flora_operator.ports import Bundler
from flora_operator.workqueue import WorkQueue

KEPT_BYTES: Final = 64 << 20
BUILD_SECONDS: Final = 120.0
UNAVAILABLE: Final = Unbuilt(
    "BundlerUnavailable",
    "the bundler or its database cannot be had now; it will be tried again by itself",  # why is in the log
    "Unknown",
)

_log = logger(__name__)


@dataclass(slots=True, frozen=True)
class _Outcome:
    uid: str
    token: str
    build: Built | Unbuilt


class Builds:
    """Outcomes by deployment, and the workers that bring them about."""

    def __init__(
        self,
        kube: Kube,
        bundler: Bundler,
        *,
        deployment: Callable[[Key], Deployment | None],
        version_of: Callable[[Key], str | None],
        done: Callable[[Key], None],
    ) -> None:
        """``version_of`` knows ConfigMaps' versions; ``done`` hears that there is an outcome."""
        self._kube = kube
        self._bundler = bundler
        self._deployment = deployment
        self._version_of = version_of
        self._done = done
        self._queue = WorkQueue[Key](metrics.queue_depth.labels("builds"))
        self._outcomes: dict[Key, _Outcome] = {}
        self._lost: set[Key] = set()
        self._kept: dict[Key, tuple[str, bytes]] = {}
        self._kept_bytes = 0

    def keep_sources(self, deployment: Deployment, files: dict[str, str]) -> None:
        """The watch brought these; unless they are built already they are needed soon."""
        self._drop_sources(deployment.key)
        bundle = deployment.status.bundle
        if bundle is not None and bundle.sources == deployment.source.digest:
            return
        packed = zlib.compress(msgspec.msgpack.encode(files), 1)
        if self._kept_bytes + len(packed) <= KEPT_BYTES:
            self._kept[deployment.key] = (deployment.source.digest, packed)
            self._kept_bytes += len(packed)

    def outcome(self, deployment: Deployment) -> Built | Unbuilt | None:
        """What became of its sources; None: it will be known later, and has been set going."""
        token = self._token(deployment)
        bundle = deployment.status.bundle
        if bundle is not None and bundle.sha256 and bundle.sources and token == bundle.sources:
            return Built(bundle.sha256, bundle.bytes, bundle.sources)
        known = self._outcomes.get(deployment.key)
        if known is not None and (known.uid, known.token) == (deployment.uid, token):
            return known.build
        self._queue.add(deployment.key)
        return None

    def forget(self, key: Key) -> None:
        """The object is gone."""
        self._outcomes.pop(key, None)
        self._lost.discard(key)
        self._drop_sources(key)

    def rebuild(self, key: Key) -> None:
        """Its bundle is lost; its sources have not changed."""
        self._lost.add(key)
        self._queue.add(key)

    async def run(self, workers: int) -> None:
        """Build until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(workers):
                tasks.create_task(self._queue.work(self._build, self._failed))

    # ---------------------------------------------------------------- one build

    async def _build(self, key: Key) -> None:
        deployment = self._deployment(key)
        if deployment is None or deployment.deleted:
            return
        token = self._token(deployment)
        began = time.perf_counter()
        try:
            async with asyncio.timeout(BUILD_SECONDS):
                build = await self._outcome_of(deployment)
        except (FloraError, TimeoutError):
            self._settle(deployment, token, UNAVAILABLE)
            raise
        metrics.bundle_seconds.observe(time.perf_counter() - began)
        self._lost.discard(key)
        if build is not None:
            self._settle(deployment, token, build)

    def _settle(self, deployment: Deployment, token: str, build: Built | Unbuilt) -> None:
        before = self._outcomes.get(deployment.key)
        self._outcomes[deployment.key] = outcome = _Outcome(deployment.uid, token, build)
        if outcome != before:
            self._done(deployment.key)

    def _failed(self, key: Key, error: Exception) -> float | None:
        metrics.reconcile_errors["build"].inc()
        _log.warning("build_put_off", deployment="/".join(key), error=str(error) or type(error).__name__)
        return None

    async def _outcome_of(self, deployment: Deployment) -> Built | Unbuilt | None:
        """None: the object is gone, or has changed since."""
        source = deployment.source
        if source.bundle:
            return await self._stored(source.bundle)
        if source.config_map:
            try:
                files = await self._config_map(deployment)
            except Missing:
                text = f"there is no ConfigMap {source.config_map} in {deployment.key[0]}; create it"
                return Unbuilt("ConfigMapMissing", text)
            taken = digest(files, source.entrypoint)
            bundle = deployment.status.bundle
            if bundle is not None and bundle.sources == taken and deployment.key not in self._lost:
                return Built(bundle.sha256, bundle.bytes, taken)
            return await self._bundle(files, source.entrypoint, taken)
        files = await self._files(deployment)
        if files is None:
            return None
        return await self._bundle(files, source.entrypoint, source.digest)

    async def _bundle(self, files: dict[str, str], entrypoint: str, taken: str) -> Built | Unbuilt:
        try:
            info = await self._bundler.bundle(Project(files, entrypoint))
        except BundleFailed as error:
            return Unbuilt("BundleFailed", str(error))
        except InvalidProject as error:
            return Unbuilt("InvalidSources", str(error))
        return Built(info.sha256, info.size, taken)

    async def _stored(self, sha256: str) -> Built | Unbuilt:
        info = await self._bundler.stored(Sha256(sha256))
        if info is None:
            return Unbuilt("BundleMissing", f"no bundle {sha256} is stored; deploy it again: flora deploy")
        return Built(info.sha256, info.size, sha256)

    async def _config_map(self, deployment: Deployment) -> dict[str, str]:
        """Its data as files; raises Missing."""
        path = config_map_path((deployment.key[0], deployment.source.config_map))
        document = await self._kube.call("GET", path)
        written: dict[str, str] = document.get("data") or {}
        return {name.replace("__", "/"): text for name, text in written.items()}

    async def _files(self, deployment: Deployment) -> dict[str, str] | None:
        kept = self._kept.get(deployment.key)
        self._drop_sources(deployment.key)
        if kept is not None and kept[0] == deployment.source.digest:
            return msgspec.msgpack.decode(zlib.decompress(kept[1]), type=dict[str, str])
        try:
            document = await self._kube.call("GET", deployment_path(deployment.key))
        except (Missing, Refused):
            return None
        current, files = from_document(document)
        return files if current.source.digest == deployment.source.digest else None

    def _token(self, deployment: Deployment) -> str:
        """Names the sources as they are now, without their text."""
        source = deployment.source
        if source.config_map:
            version = self._version_of((deployment.key[0], source.config_map))
            return f"{source.config_map}@{version}#{source.entrypoint}"
        return source.bundle or source.digest

    def _drop_sources(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._kept_bytes -= len(kept[1])
