"""An operator at work on the tests' cluster: in this process, with a bundler of the test's and played pods."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import yaml

from cluster.api import Api, Document
from cluster.control_plane import Cluster
from cluster.errors import Refused
from flora_core.errors import BundleFailed
from flora_core.hashing import owner
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.ids import GuildId, PodName, Sha256
from flora_core.toolchain import Project
from flora_operator.errors import Unavailable
from flora_operator.kube import access
from flora_operator.kube.access import Access
from flora_operator.operator import Operator, Parts
from flora_operator.ports import BundleInfo, NoMoves, NoRetention
from flora_operator.settings import OperatorSettings
from tests.cluster.played_pods import PlayedPod
from tests.integration.loopback import listening
from tests.waiting import until

STATEFULSET = "flora-runtime"
PODS = [PodName(f"{STATEFULSET}-{ordinal}") for ordinal in range(4)]
API_VERSION = "flora.uwu.network/v1alpha1"


class BundlerOfTests:
    """Outlives operators, as a database does. Scripts with ``syntax error`` in them are refused."""

    def __init__(self) -> None:
        self.bundles: dict[str, str] = {}
        self.asked = 0
        self.down = False

    async def bundle(self, project: Project) -> BundleInfo:
        self._check()
        self.asked += 1
        text = "\n".join(project.files.values())
        if "syntax error" in text:
            raise BundleFailed("src/main.ts:1:7: error: Expected identifier but found end of file")
        return BundleInfo(self.keep(text), len(text))

    def keep(self, text: str) -> Sha256:
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        self.bundles[sha256] = text
        return Sha256(sha256)

    async def stored(self, sha256: Sha256) -> BundleInfo | None:
        self._check()
        return BundleInfo(sha256, len(self.bundles[sha256])) if sha256 in self.bundles else None

    async def get(self, sha256: Sha256) -> bytes | None:
        self._check()
        return self.bundles[sha256].encode() if sha256 in self.bundles else None

    def _check(self) -> None:
        if self.down:
            raise Unavailable("Postgres does not answer")


class Stage:
    """A namespace with a StatefulSet, and operators and pods in it."""

    def __init__(self, cluster: Cluster, api: Api, namespace: str, *others: str) -> None:
        self.cluster = cluster
        self.api = api
        self.namespace = namespace
        self.namespaces = [namespace, *others]
        self.bundler = BundlerOfTests()
        self.url = ""
        self.access: Access | None = None
        """Another way to the API server than the cluster's own."""
        self.retention: Any = NoRetention()
        self.moves: Any = lambda _state, _persist: NoMoves()
        self.operator: Operator | None = None

    @asynccontextmanager
    async def operating(self, port: int = 0, **settings: Any) -> AsyncIterator[Operator]:
        """An operator, synced; its URL is ``url``."""
        async with self.starting(port, **settings) as operator:
            await until(lambda: operator.unsynced() is None)
            yield operator

    async def settled(self, *, seconds: float = 1.0) -> None:
        """Until the operator has had nothing to do for so long."""
        assert self.operator is not None
        quiet = 0.0
        async with asyncio.timeout(30):
            while quiet < seconds:
                await asyncio.sleep(0.05)
                quiet = quiet + 0.05 if self.operator.queue.idle else 0.0

    @asynccontextmanager
    async def starting(self, port: int = 0, **settings: Any) -> AsyncIterator[Operator]:
        """One that has only begun."""
        tokens = {pod: Identity(Role.RUNTIME, pod) for pod in PODS}
        identities = StaticIdentities({**tokens, "gateway": Identity(Role.GATEWAY)})
        parts = Parts(
            bundler=self.bundler,
            identities=identities,
            retention=lambda _state: self.retention,
            moves=self.moves,
        )
        given = {"namespace": self.namespace, "watch_namespaces": ",".join(self.namespaces), **settings}
        with kubeconfig_of(self.cluster):
            way = self.access or await access.find()
        operator = Operator(OperatorSettings(**given), way, parts, take_signals=give_signals_back)
        async with AsyncExitStack() as stack:
            self.url = await stack.enter_async_context(listening(operator.app, port=port))
            running = asyncio.create_task(operator.run())
            stack.push_async_callback(_end, running)
            self.operator, self._leave = operator, stack.aclose
            yield operator
            assert running.cancelled() or not running.done(), running.exception()

    async def leave(self) -> None:
        """End the operator that there is, before its block does."""
        await self._leave()

    @asynccontextmanager
    async def pods(self, count: int = 3, **given: Any) -> AsyncIterator[list[PlayedPod]]:
        """So many pods, that dial the operator there is."""
        async with AsyncExitStack() as stack:
            pods = [PlayedPod(self.url, pod, token=pod, **given) for pod in PODS[:count]]
            for pod in pods:
                pod.scripts = self.bundler.bundles
                await stack.enter_async_context(pod)
            yield pods

    def statefulset(self, replicas: int) -> None:
        labels = {"app": STATEFULSET}
        container = {"name": "runtime", "image": "flora-runtime:none", "imagePullPolicy": "Never"}
        self.api.apply(
            {
                "apiVersion": "apps/v1",
                "kind": "StatefulSet",
                "metadata": {"name": STATEFULSET, "namespace": self.namespace},
                "spec": {
                    "replicas": replicas,
                    "serviceName": STATEFULSET,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
                },
            }
        )

    def apply(self, guild: str, script: str | None = None, namespace: str = "", **spec: Any) -> Document:
        """As kubectl apply --server-side would."""
        source = spec.pop("source", None) or {"files": {"src/main.ts": script}}
        document = {
            **self.named(guild, namespace),
            "spec": {"guildId": guild, "source": source, **spec},
        }
        return self.api.apply(document, force=True)

    def config_map(self, name: str, **files: str) -> Document:
        document: Document = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self.namespace},
            "data": files,
        }
        self.api.apply(document, force=True)
        return document

    def secret(self, name: str, *, labelled: bool = True, **values: str) -> Document:
        labels = {"flora.uwu.network/guild-secret": "true"} if labelled else {}
        document: Document = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": self.namespace, "labels": labels},
            "stringData": values,
        }
        self.api.apply(document, force=True)
        return document

    def named(self, guild: str, namespace: str = "") -> Document:
        return {
            "apiVersion": API_VERSION,
            "kind": "GuildDeployment",
            "metadata": {"name": f"guild-{guild}", "namespace": namespace or self.namespace},
        }

    def tidy(self) -> None:
        """Let all go that an operator would have; a namespace with it would never end."""
        for namespace in self.namespaces:
            path = f"/apis/{API_VERSION}/namespaces/{namespace}/guilddeployments"
            for document in self.api.call("GET", path)["items"]:
                if document["metadata"].get("finalizers"):
                    with contextlib.suppress(Refused):
                        self.api.call(
                            "PATCH",
                            f"{path}/{document['metadata']['name']}",
                            {"metadata": {"finalizers": None}},
                            content="application/merge-patch+json",
                        )

    def get(self, guild: str, namespace: str = "") -> Document:
        return self.api.get(self.named(guild, namespace))

    def exists(self, guild: str, namespace: str = "") -> bool:
        try:
            self.get(guild, namespace)
        except Refused:
            return False
        return True

    def events(self, guild: str) -> list[Document]:
        uid = self.get(guild)["metadata"]["uid"]
        path = f"/api/v1/namespaces/{self.namespace}/events"
        return self.api.call("GET", path, query={"fieldSelector": f"involvedObject.uid={uid}"})["items"]

    async def ready(self, guild: str, reason: str = "Loaded", namespace: str = "") -> Document:
        """Wait as ``kubectl wait`` does, for this reason."""

        def is_so() -> bool:
            document = self.get(guild, namespace)
            condition = current(document, "Ready")
            return condition is not None and condition["reason"] == reason

        try:
            await until(is_so)
        except TimeoutError:
            raise AssertionError(yaml.safe_dump(self.get(guild, namespace).get("status"))) from None
        return self.get(guild, namespace)


async def _end(running: asyncio.Task[None]) -> None:
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def current(document: Document, kind: str) -> Document | None:
    """A condition, unless it speaks of an older generation: those do not count for kubectl wait."""
    for condition in document.get("status", {}).get("conditions", []):
        if (
            condition["type"] == kind
            and condition["observedGeneration"] >= document["metadata"]["generation"]
        ):
            return condition
    return None


def home(guild: str, pods: Iterable[PodName] = PODS[:3]) -> PodName:
    """Where a guild belongs."""
    return owner(GuildId(guild), list(pods))


def give_signals_back() -> None:
    """To pytest."""
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(name)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def kubeconfig_of(cluster: Cluster) -> Any:
    before = os.environ.get("KUBECONFIG")
    os.environ["KUBECONFIG"] = str(cluster.kubeconfig)
    try:
        yield
    finally:
        if before is None:
            del os.environ["KUBECONFIG"]
        else:
            os.environ["KUBECONFIG"] = before
