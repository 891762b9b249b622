"""A store in this process: for tests, and wherever there is no cluster."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from flora_api.deployments.store import (
    Change,
    Complete,
    Deployment,
    Gone,
    Put,
    from_document,
    manifest,
)
from flora_core.ids import GuildId

WATCHED: Final = 10_000
"""Changes that a watcher may be behind; one that is further behind begins anew."""


class MemoryDeployments:
    """Objects as an API server has them: a generation that grows with the spec, statuses set by others."""

    def __init__(self) -> None:
        self._objects: dict[GuildId, dict[str, Any]] = {}
        self._watchers: set[asyncio.Queue[Change | None]] = set()
        self._uids = itertools.count(1)

    async def apply(
        self, guild: GuildId, source: Mapping[str, Any], *, revision: str, force: bool = False
    ) -> Deployment:
        """See DeploymentStore; nobody else manages anything here, so ``force`` is of no use."""
        del force
        return self.put(guild, source, revision=revision)

    def put(self, guild: GuildId, source: Mapping[str, Any], *, revision: str = "") -> Deployment:
        """The same, from outside: what kubectl would do, when no revision is named."""
        found = self._objects.get(guild)
        document = manifest(guild, source, revision=revision)
        if found is None:
            created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            uid = f"{next(self._uids)}-{uuid4().hex}"
            document["metadata"] |= {"uid": uid, "generation": 1, "creationTimestamp": created}
        else:
            annotations = document["metadata"]["annotations"] if revision else {}
            same = found["spec"]["source"] == document["spec"]["source"]
            kept = found["metadata"]
            document["metadata"] = {
                **kept,
                "generation": kept["generation"] + (not same),
                "annotations": {**kept["annotations"], **annotations},
            }
            document["status"] = found.get("status", {})
        return self._set(guild, document)

    async def get(self, guild: GuildId) -> tuple[Deployment, dict[str, str] | None] | None:
        found = self._objects.get(guild)
        return from_document(found) if found is not None else None

    async def delete(self, guild: GuildId) -> bool:
        found = self._objects.pop(guild, None)
        if found is not None:
            self._tell(Gone(guild, found["metadata"]["uid"]))
        return found is not None

    def report(self, guild: GuildId, status: Mapping[str, Any]) -> None:
        """Set its status, as an operator does."""
        self._set(guild, {**self._objects[guild], "status": dict(status)})

    async def watch(self) -> AsyncIterator[Change]:
        while True:
            queue = asyncio.Queue[Change | None](WATCHED)
            self._watchers.add(queue)  # first, so that it has what changes while the rest is taken
            try:
                documents = list(self._objects.values())
                for document in documents:
                    yield Put(from_document(document)[0])
                yield Complete(frozenset(from_document(document)[0].guild for document in documents))
                while (change := await queue.get()) is not None:
                    yield change
            finally:
                self._watchers.discard(queue)

    def _set(self, guild: GuildId, document: dict[str, Any]) -> Deployment:
        self._objects[guild] = document
        deployment, _ = from_document(document)
        self._tell(Put(deployment))
        return deployment

    def _tell(self, change: Change) -> None:
        for queue in self._watchers:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)
            else:
                queue.put_nowait(change)
