"""A control plane of the benchmark's own, GuildDeployments in it, and a watch that counts what is written.

The watch is of metadata alone: each write of a status is one event of some hundred bytes, whoever wrote it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import msgspec
import yaml
from msgspec import Struct

from cluster import binaries, lifecycle
from cluster.control_plane import Cluster
from flora_core.ids import GuildId
from flora_core.kube_access import read_kubeconfig
from flora_core.manifest import API_VERSION, KIND

NAMESPACE: Final = "bench"
STATEFULSET: Final = "flora-runtime"
APPLIERS: Final = 16
SCRIPT_BYTES: Final = 10_240
LONGEST_SECONDS: Final = 600.0
"""For 10,000 on a machine that is busy with something else as well."""

ENTRYPOINT: Final = "src/main.ts"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
CRD: Final = Path(__file__).parents[1] / "crds" / "guilddeployments.flora.uwu.network.yaml"

Document = dict[str, Any]


class _Metadata(Struct, rename="camel"):
    name: str = ""
    resource_version: str = ""


class _Object(Struct):
    metadata: _Metadata


class _Event(Struct):
    type: str
    object: _Object


def guild_of(number: int) -> GuildId:
    return GuildId(str(10**17 + number * 7919))


def name_of(number: int) -> str:
    return f"guild-{guild_of(number)}"


def script(number: int, size: int = SCRIPT_BYTES) -> str:
    """TypeScript of about ``size`` bytes that is no other guild's."""
    line = f'console.log("guild {number}: a line of somebody\'s script, to be counted");\n'
    return (line * (size // len(line) + 1))[: size // len(line) * len(line)]


def document(number: int, *, size: int = SCRIPT_BYTES, **spec: Any) -> Document:
    files = {ENTRYPOINT: script(number, size)}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name_of(number)},
        "spec": {
            "guildId": guild_of(number),
            "source": {"entrypoint": ENTRYPOINT, "files": files},
            **spec,
        },
    }


class World:
    """A cluster, as its administrator."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        server: str,
        *,
        kubeconfig: Path,
        namespace: str = NAMESPACE,
    ) -> None:
        self.kubeconfig: Final = kubeconfig
        self._session = session
        self._server = server
        self.base: Final = f"{server}/apis/{API_VERSION}/namespaces/{namespace}/guilddeployments"

    async def apply(self, body: Document, url: str = "") -> Document:
        """Server-side, as kubectl does."""
        where = url or f"{self.base}/{body['metadata']['name']}"
        async with self._session.patch(
            where,
            data=msgspec.json.encode(body),
            params={"fieldManager": "bench", "force": "true"},
            headers={"Content-Type": "application/apply-patch+yaml"},
        ) as response:
            answer = await response.read()
            if response.status not in {200, 201}:
                raise RuntimeError(f"{where}: {response.status} {answer.decode(errors='replace')[:500]}")
            return msgspec.json.decode(answer)

    async def apply_all(self, count: int) -> None:
        """``count`` deployments, sixteen at a time."""
        numbers = iter(range(count))

        async def some() -> None:
            for number in numbers:
                await self.apply(document(number))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(APPLIERS):
                tasks.create_task(some())

    async def get(self, name: str) -> Document:
        async with self._session.get(f"{self.base}/{name}") as response:
            return msgspec.json.decode(await response.read())

    async def delete(self, name: str) -> None:
        async with self._session.delete(f"{self.base}/{name}") as response:
            await response.read()

    async def statuses(self) -> AsyncIterator[Document]:
        """Of every deployment."""
        go_on = ""
        while True:
            query = {"limit": "500", **({"continue": go_on} if go_on else {})}
            async with self._session.get(self.base, params=query) as response:
                page = msgspec.json.decode(await response.read())
            for item in page["items"]:
                yield item.get("status") or {}
            go_on = page["metadata"].get("continue", "")
            if not go_on:
                return

    async def scale(self, replicas: int) -> None:
        """The runtime pods' StatefulSet; nothing runs them, for there is no node."""
        labels = {"app": STATEFULSET}
        container = {"name": "runtime", "image": "flora-runtime:none", "imagePullPolicy": "Never"}
        body = {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": STATEFULSET},
            "spec": {
                "replicas": replicas,
                "serviceName": STATEFULSET,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        }
        url = f"{self._server}/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets/{STATEFULSET}"
        await self.apply(body, url)

    @asynccontextmanager
    async def counting(self) -> AsyncGenerator[Writes]:
        """Count every write to a deployment while the block lasts."""
        async with self._session.get(self.base, params={"limit": "1"}) as response:
            version = msgspec.json.decode(await response.read())["metadata"]["resourceVersion"]
        writes = Writes()
        watching = asyncio.create_task(self._count(writes, version))
        try:
            yield writes
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    async def _count(self, writes: Writes, version: str) -> None:
        decoder = msgspec.json.Decoder(_Event)
        while True:  # the API server ends watches now and then
            query = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true"}
            async with self._session.get(self.base, params=query, headers={"Accept": METADATA}) as response:
                async for line in response.content:
                    event = decoder.decode(line)
                    version = event.object.metadata.resource_version
                    writes.take(event)

    @asynccontextmanager
    async def following(
        self, name: str, *, since: Document | None = None
    ) -> AsyncGenerator[asyncio.Queue[tuple[float, Document]]]:
        """One deployment, whole, with when each of its states was seen; from ``since`` or from now on."""
        states: asyncio.Queue[tuple[float, Document]] = asyncio.Queue()
        version = (since or await self.get(name))["metadata"]["resourceVersion"]

        async def watch() -> None:
            after = version
            while True:
                query = {"watch": "1", "resourceVersion": after, "fieldSelector": f"metadata.name={name}"}
                async with self._session.get(self.base, params=query) as response:
                    async for line in response.content:
                        state = msgspec.json.decode(line)["object"]
                        after = state["metadata"]["resourceVersion"]
                        states.put_nowait((time.monotonic(), state))

        watching = asyncio.create_task(watch())
        try:
            yield states
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching


class Writes:
    """What a watch has seen: objects that came, and writes to them after that."""

    def __init__(self) -> None:
        self.to: Counter[str] = Counter()
        self.last = time.monotonic()

    def take(self, event: _Event) -> None:
        if event.type == "MODIFIED":
            self.to[event.object.metadata.name] += 1
            self.last = time.monotonic()

    @property
    def total(self) -> int:
        return self.to.total()

    async def reach(self, count: int, *, quiet: float = 2.0) -> float:
        """When the last one came, once ``count`` objects were written and nothing more is for a while."""
        async with asyncio.timeout(LONGEST_SECONDS):
            while len(self.to) < count or time.monotonic() - self.last < quiet:
                await asyncio.sleep(0.05)
        return self.last

    def clear(self) -> Self:
        self.to.clear()
        return self


@asynccontextmanager
async def world() -> AsyncGenerator[World]:
    """A fresh control plane, with the CRD and three runtime pods that nobody runs."""
    with _control_plane() as cluster:
        async with reached(cluster.kubeconfig) as (session, server):
            made = World(session, server, kubeconfig=cluster.kubeconfig)
            await _prepare(made, server)
            yield made


@asynccontextmanager
async def reached(kubeconfig: Path) -> AsyncGenerator[tuple[aiohttp.ClientSession, str]]:
    """A session as a kubeconfig's user, and the server's URL."""
    access = read_kubeconfig(kubeconfig)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=access.tls()),
        read_bufsize=4 << 20,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
    ) as session:
        yield session, access.server


async def _prepare(made: World, server: str) -> None:
    crd = yaml.safe_load(CRD.read_text())
    definitions = f"{server}/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await made.apply(crd, f"{definitions}/{crd['metadata']['name']}")
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    await made.apply(space, f"{server}/api/v1/namespaces/{NAMESPACE}")
    async with asyncio.timeout(30):
        while True:  # until the new kind is served
            with contextlib.suppress(RuntimeError):
                await made.apply(document(0))
                break
            await asyncio.sleep(0.2)
    await made.scale(3)
    await made.delete(name_of(0))


@contextmanager
def _control_plane() -> Iterator[Cluster]:
    with lifecycle.running(binaries.find(say=lambda line: print(line, file=sys.stderr))) as cluster:
        yield cluster
