"""What the operator is compared with: one list, one watch, sixteen writers, and nothing else.

``python -m bench.cluster_bare NAMESPACE`` with KUBECONFIG set. No kopf, no client library: plain aiohttp. It
writes the status that the operator writes for a guild whose pod has not reported yet, by the same request,
and says so on standard output once everything that was there at its start is as it should be.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from typing import Any, Final

import aiohttp
import msgspec

from flora_core.hashing import owner
from flora_core.ids import GuildId, PodName
from flora_core.kube_access import find_cluster
from flora_core.manifest import API_VERSION, KIND
from flora_core.process import announce, outlive_no_parent

WRITERS: Final = 16
CHUNK: Final = 500
PODS: Final = [PodName(f"flora-runtime-{ordinal}") for ordinal in range(3)]
TIME: Final = "2026-01-01T00:00:00Z"

Document = dict[str, Any]


class Bare:
    """Knows of each object its generation, a digest of its sources, and its status."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base
        self._wanted: dict[str, Document] = {}
        self._status: dict[str, Document] = {}
        self._dirty: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._working = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(outlive_no_parent())
            version = await self._list()
            for _ in range(WRITERS):
                tasks.create_task(self._write_all())
            tasks.create_task(self._watch(version))
            while self._dirty or self._working:
                await asyncio.sleep(0.01)
            announce("bare", "http://127.0.0.1:0")

    async def _list(self) -> str:
        go_on = ""
        while True:
            query = {"limit": str(CHUNK), **({"continue": go_on} if go_on else {})}
            async with self._session.get(self._base, params=query) as response:
                page = msgspec.json.decode(await response.read())
            for item in page["items"]:
                self._take(item)
            go_on = page["metadata"].get("continue", "")
            if not go_on:
                return page["metadata"]["resourceVersion"]

    async def _watch(self, version: str) -> None:
        while True:  # the API server ends watches now and then
            query = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true"}
            async with self._session.get(self._base, params=query) as response:
                async for line in response.content:
                    event = msgspec.json.decode(line)
                    if event["type"] == "ERROR":
                        raise SystemExit(f"the watch failed: {event['object']}")
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] in {"ADDED", "MODIFIED"}:
                        self._take(event["object"])

    def _take(self, item: Document) -> None:
        metadata, spec = item["metadata"], item["spec"]
        name = metadata["name"]
        before = self._wanted.get(name)
        if before is None or before["observedGeneration"] != metadata["generation"]:
            self._wanted[name] = wanted_status(spec, metadata["generation"])
        self._status[name] = item.get("status") or {}
        if self._status[name] != self._wanted[name]:
            self._dirty[name] = None
            self._wake.set()

    async def _write_all(self) -> None:
        while True:
            while not self._dirty:
                self._wake.clear()
                await self._wake.wait()
            name = next(iter(self._dirty))
            del self._dirty[name]
            self._working += 1
            await self._write(name)
            self._working -= 1

    async def _write(self, name: str) -> None:
        wanted = self._wanted[name]
        if self._status.get(name) == wanted:
            return
        body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "status": wanted}
        async with self._session.patch(
            f"{self._base}/{name}/status",
            data=msgspec.json.encode(body),
            params={"fieldManager": "bare", "force": "true"},
            headers={
                "Content-Type": "application/apply-patch+yaml",
                "Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
            },
        ) as response:
            text = await response.text()
            if response.status != 200:
                raise SystemExit(f"{response.status}: {text[:500]}")
        self._status[name] = wanted


def wanted_status(spec: Document, generation: int) -> Document:
    """As the operator writes it, field for field."""
    guild = GuildId(spec["guildId"])
    digest = hashlib.sha256()
    for path, text in sorted(spec["source"]["files"].items()):
        digest.update(f"{len(path)} {path} {len(text)} {text}".encode())
    pod = owner(guild, PODS)
    sources = digest.hexdigest()

    def condition(kind: str, status: str, reason: str, message: str) -> Document:
        return {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": TIME,
            "observedGeneration": generation,
        }

    return {
        "observedGeneration": generation,
        "conditions": [
            condition("Assigned", "True", "Assigned", f"revision {generation} is {pod}'s"),
            condition("Bundled", "True", "Bundled", f"1,042 bytes, {sources[:12]}"),
            condition("Ready", "False", "Loading", f"{pod} is to load revision {generation}"),
        ],
        "assignment": {
            "pod": pod,
            "revision": generation,
            "bundle": sources,
            "limits": spec.get("limits") or {"cpuMilliseconds": 200, "memoryMebibytes": 64},
            "hibernation": spec.get("hibernation", "Auto"),
        },
        "bundle": {"sha256": sources, "bytes": 1042, "sources": sources},
    }


async def main(namespace: str) -> None:
    cluster = find_cluster()
    connector = aiohttp.TCPConnector(limit=WRITERS + 2, ssl=cluster.tls())
    base = f"{cluster.server}/apis/{API_VERSION}/namespaces/{namespace}/guilddeployments"
    async with aiohttp.ClientSession(
        connector=connector,
        headers=cluster.headers(),
        read_bufsize=2 << 20,
        timeout=aiohttp.ClientTimeout(total=None),
    ) as session:
        await Bare(session, base).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
