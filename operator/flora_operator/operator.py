"""The operator put together: watches tell the fleet, the fleet the queue, its workers the reconciler.

All of it is one event loop. It begins by getting to know the cluster as it is; only then are guilds
reconciled and streams served (``unsynced``), because what is decided from half of it would be wrong: a
newer of two objects would serve, a secret would be missing, a pod would unload what it should run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from prometheus_client import REGISTRY

from flora_core.control.state import DesiredState
from flora_core.identity import Identities
from flora_core.ids import GuildId, PodName, Sha256
from flora_core.manifest import API_VERSION
from flora_core.telemetry import logger
from flora_core.throughput import Freezer
from flora_core.wire.control import Draining, GatewayNews, LogLine, PodReport
from flora_operator import metrics
from flora_operator.absences import Absences
from flora_operator.builds import Builds
from flora_operator.census import Census
from flora_operator.deployment import Deployment, Key, from_document, key_of
from flora_operator.errors import KubeError, Unavailable
from flora_operator.fleet import Fleet
from flora_operator.kube.access import Access
from flora_operator.kube.client import Document, Kube
from flora_operator.kube.deployments import PLURAL, Deployments
from flora_operator.kube.echoes import Version
from flora_operator.kube.once import statefulsets
from flora_operator.kube.paths import all_of
from flora_operator.kube.recorder import Recorder
from flora_operator.kube.reflector import Reflector
from flora_operator.membership import Membership
from flora_operator.ports import Bundler, Moves, Persist, Retention
from flora_operator.reconciler import Reconciler
from flora_operator.retirement import Retirements
from flora_operator.secret_values import SELECTOR
from flora_operator.server import make_app
from flora_operator.settings import OperatorSettings
from flora_operator.sinks import RuntimePods, config_maps, pods_of_statefulset, secrets
from flora_operator.starter import Starter
from flora_operator.status import READY, Status
from flora_operator.workqueue import WorkQueue
from flora_operator.writer import Writer

LOOK_SECONDS: Final = 5.0
"""How often pods are looked for that have guilds and should not be there; and what has grown."""

_log = logger(__name__)


@dataclass(slots=True, frozen=True, kw_only=True)
class Parts:
    """What the operator leaves to others."""

    bundler: Bundler
    identities: Identities
    retention: Callable[[DesiredState], Retention]
    moves: Callable[[DesiredState, Persist], Moves]


class Operator:
    """``app`` is to be served while ``run`` runs. Implements ``flora_core.control.server.Controller``."""

    def __init__(
        self, settings: OperatorSettings, access: Access, parts: Parts, *, take_signals: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._access = access
        self._parts = parts
        self._take_signals = take_signals
        self._synced = False
        self._freezer = Freezer()
        self.state = DesiredState()
        self.kube = Kube(access, limit=settings.writers + settings.bundlers + 4)
        self.queue = WorkQueue[Key](metrics.queue_depth.labels("guilds"))
        self.fleet = Fleet(self.queue.add)
        self._retention = parts.retention(self.state)
        self._builds = Builds(
            self.kube,
            parts.bundler,
            deployment=self._trusted,
            version_of=self.fleet.config_maps.get,
            done=self.queue.add,
        )
        self._recorder = Recorder(self.kube)
        self.app, self.streams = make_app(
            self.state, self, parts.identities, unsynced=self.unsynced, healthy=lambda: None
        )
        self._absences = Absences(self.streams.listens)
        self._reconciler = Reconciler(
            fleet=self.fleet,
            queue=self.queue,
            builds=self._builds,
            writer=Writer(self.kube),
            recorder=self._recorder,
            state=self.state,
            retention=self._retention,
            moves=lambda persist: parts.moves(self.state, persist),
            retention_hours=settings.retention_hours,
            absences=self._absences,
        )
        self._membership = Membership(self._on_members)
        self._retirements = Retirements(self.state, self.wanted_pods)
        self._starter = self._make_starter()

    @property
    def moves(self) -> Moves:
        """Whoever brings guilds from pod to pod."""
        return self._reconciler.moves

    @property
    def members(self) -> frozenset[GuildId] | None:
        """The guilds that the bot is in; None: not known."""
        return self._membership.guilds

    def unsynced(self) -> str | None:
        """What is not known yet."""
        return None if self._synced else "the cluster is not known yet"

    async def run(self) -> None:
        """Until cancelled; raises WatchEnded."""
        collector = metrics.GuildsByCondition(self._ready_conditions)
        REGISTRY.register(collector)
        try:
            async with self.kube, asyncio.TaskGroup() as tasks:
                await self._run(tasks)
        finally:
            REGISTRY.unregister(collector)
            self.queue.close()

    async def _run(self, tasks: asyncio.TaskGroup) -> None:
        settings = self._settings
        reflectors = self._reflectors()
        for reflector in reflectors:
            tasks.create_task(reflector.run())
        base = f"/apis/{API_VERSION}"
        census = Census(self.kube, all_of(base, PLURAL, settings.namespaces), self.fleet, self._put)
        keys = await census.first()
        watch = Deployments(
            self._access,
            settings.namespaces,
            self._on_event,
            is_known=self._is_known,
            take_signals=self._take_signals,
        )
        tasks.create_task(watch.run())
        for reflector in reflectors:
            await reflector.synced.wait()
        await census.caught_up(keys)
        self._reconciler.seed()
        self._freezer.look(len(self.fleet))
        self._synced = True
        _log.info("synced", guild_deployments=len(self.fleet), pods=len(self.fleet.pods))
        for _ in range(settings.writers):
            tasks.create_task(self.queue.work(self._reconciler.reconcile, self._reconciler.on_error))
        tasks.create_task(self._builds.run(settings.bundlers))
        tasks.create_task(self._reconciler.moves.run())
        tasks.create_task(self._recorder.run())
        tasks.create_task(self._retirements.run())
        tasks.create_task(self._look_around())
        if self._starter is not None:
            tasks.create_task(self._starter.run())
        tasks.create_task(census.run(settings.resync_seconds))

    def _make_starter(self) -> Starter | None:
        if (config_map := self._settings.starter) is None:
            return None
        return Starter(self.kube, self.fleet, config_map, members=lambda: self.members)

    def _on_members(self, guilds: frozenset[GuildId]) -> None:
        self._reconciler.on_members(guilds)
        if self._starter is not None:
            self._starter.look()

    @property
    def _statefulsets(self) -> str:
        return f"/apis/apps/v1/namespaces/{self._settings.namespace}/statefulsets"

    @property
    def _of_our_name(self) -> dict[str, str]:
        return {"fieldSelector": f"metadata.name={self._settings.statefulset}"}

    async def wanted_pods(self) -> Sequence[PodName]:
        """As of now: a pod that is ended because it is one too many asks before the watch tells why."""
        try:
            found = await statefulsets(self._access, self._settings.namespace, self._settings.statefulset)
        except KubeError as error:
            _log.warning("statefulset_not_read", error=str(error))
            return self.fleet.pods
        return [pod for document in found for pod in pods_of_statefulset(document)]

    async def _look_around(self) -> None:
        """For what nobody tells: pods that are gone, and how many guilds there are by now."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._freezer.look(len(self.fleet))
            news = self._absences.look(time.monotonic(), holders=self.fleet.holders(), wanted=self.fleet.pods)
            if news:
                self._reconciler.on_absences(news)

    def _reflectors(self) -> list[Reflector]:
        settings = self._settings
        sources = [
            Reflector(self.kube, path, config_maps(self.fleet), bare=True)
            for path in all_of("/api/v1", "configmaps", settings.namespaces)
        ]
        values = [
            Reflector(self.kube, path, secrets(self.fleet), query={"labelSelector": SELECTOR})
            for path in all_of("/api/v1", "secrets", settings.namespaces)
        ]
        pods = Reflector(
            self.kube,
            self._statefulsets,
            RuntimePods(settings.statefulset, self._reconciler.on_pods),
            query=self._of_our_name,
        )
        return [*sources, *values, pods]

    # ---------------------------------------------------------------- what is told

    def _on_event(self, kind: str | None, document: Document) -> None:
        if kind == "DELETED":
            self.fleet.drop(key_of(document), uid=document["metadata"]["uid"])
        else:
            self._put(document)

    def _is_known(self, key: Key, version: Version, status: Status) -> bool:
        """Whether an event is the echo of a write whose answer has been here."""
        known = self.fleet.get(key)
        return (
            known is not None
            and (known.uid, known.resource_version) == (version.uid, version.resource_version)
            and known.status == status
        )

    def _put(self, document: Document) -> None:
        deployment, files = from_document(document)
        if self.fleet.put(deployment) and files is not None:
            trusted = self._reconciler.trusted(deployment.key)
            if trusted is not None:
                self._builds.keep_sources(trusted, files)

    def _trusted(self, key: Key) -> Deployment | None:
        return self._reconciler.trusted(key)

    # ---------------------------------------------------------------- Controller

    async def bundle(self, sha256: Sha256) -> bytes | None:
        """A bundle for a pod; one that is lost is made again for whoever runs it."""
        try:
            data = await self._parts.bundler.get(sha256)
        except Unavailable as error:
            raise web.HTTPServiceUnavailable(text=f"{error}\n") from None
        if data is None:
            for deployment in self.fleet:
                bundle = deployment.status.bundle
                if bundle is not None and bundle.sha256 == sha256:
                    self._builds.rebuild(deployment.key)
        return data

    def on_report(self, pod: PodName, report: PodReport) -> None:
        if isinstance(report, Draining):
            self._retirements.on_draining(pod)
            return
        self._retention.on_report(pod, report)
        self._reconciler.on_report(pod, report)

    def on_gateway_report(self, report: GatewayNews) -> None:
        self._membership.on_news(report)
        self._reconciler.moves.on_gateway_report(report)

    def on_log(self, pod: PodName, line: LogLine) -> None:
        """Logs go to the log service, where there is one."""

    def _ready_conditions(self) -> Iterable[tuple[str, str]]:
        for deployment in self.fleet:
            ready = deployment.status.condition(READY)
            yield (ready.status, ready.reason) if ready is not None else ("Unknown", "NotReconciled")
