"""List and watch of the kinds of objects that GuildDeployments name.

Not by kopf, which fetches objects whole and does not say what vanished while nobody watched. Here metadata
will do where it does, labels and names are selected by the server, and ``replace`` gets all there is
whenever it was listed; ``put`` and ``drop`` what changed since.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final, Protocol

from flora_core.streams import Backoff
from flora_core.telemetry import logger
from flora_operator import metrics
from flora_operator.errors import Expired, KubeError
from flora_operator.kube.client import JSON, METADATA, METADATA_LIST, Document, Kube, resource_of

STEADY_SECONDS: Final = 5.0

_log = logger(__name__)


class Sink(Protocol):
    """Who wants to know of the objects."""

    def replace(self, objects: list[Document]) -> None:
        """These are all there are."""
        ...

    def put(self, document: Document) -> None: ...

    def drop(self, document: Document) -> None: ...


class Reflector:
    """``run`` keeps ``sink`` up to date until it is cancelled."""

    def __init__(
        self, kube: Kube, path: str, sink: Sink, *, query: Mapping[str, str] | None = None, bare: bool = False
    ) -> None:
        """``bare``: metadata will do."""
        self._kube = kube
        self._path = path
        self._sink = sink
        self._query = dict(query or {})
        self._bare = bare
        self._version = ""
        self.synced = asyncio.Event()
        """Set once the objects are known."""

    async def run(self) -> None:
        """List, watch, and again."""
        backoff = Backoff(first=0.2, longest=2.0)
        while True:
            began = time.monotonic()
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except Expired:
                self._version = ""
                metrics.watch_restarts[resource_of(self._path), "expired"].inc()
            except KubeError as error:
                metrics.watch_restarts[resource_of(self._path), "error"].inc()
                _log.warning("watch_broken", path=self._path, error=str(error))
            if time.monotonic() - began > STEADY_SECONDS:
                backoff.reset()
            await backoff.pause()

    async def _list(self) -> None:
        objects: list[Document] = []
        version = ""
        pages = self._kube.list(self._path, query=self._query, accept=METADATA_LIST if self._bare else JSON)
        async for page in pages:
            objects += page["items"]
            version = page["metadata"]["resourceVersion"]
        self._sink.replace(objects)
        self._version = version
        self.synced.set()

    async def _watch(self) -> None:
        query = {**self._query, "resourceVersion": self._version}
        async for kind, document in self._kube.watch(
            self._path, query=query, accept=METADATA if self._bare else JSON
        ):
            if kind == "DELETED":
                self._sink.drop(document)
            elif kind != "BOOKMARK":
                self._sink.put(document)
            self._version = document["metadata"]["resourceVersion"]
