"""Gives a pending revision to the cluster; whoever begins it does, or who takes it over.

The same revision may be applied twice, by two replicas: it is the same object both times.
"""

from __future__ import annotations

import asyncio
from typing import Final

from flora_api.deployments.history import History
from flora_api.deployments.observed import Observed
from flora_api.deployments.revisions import Revision, source_of
from flora_api.deployments.store import (
    DeploymentStore,
    Leaving,
    Rejected,
    StoreError,
    StoreGone,
    Taken,
)
from flora_api.deployments.told import ended
from flora_api.deployments.verdict import Lost
from flora_api.errors import ApiError, BadRequest, Conflict, Unavailable
from flora_api.logs.notes import Note
from flora_core.streams import Backoff
from flora_core.telemetry import logger

TRY_SECONDS: Final = 10.0
"""How long a store that does not answer is tried."""

_log = logger(__name__)


class Applying:
    """From a revision to an object."""

    def __init__(self, store: DeploymentStore, history: History, observed: Observed, note: Note) -> None:
        self._store = store
        self._history = history
        self._observed = observed
        self._note = note

    async def apply(self, revision: Revision) -> None:
        """Raises ApiError when that cannot be; the revision has failed then. Or DatabaseError."""
        try:
            await self._apply(revision)
        except StoreError as error:
            answer = refusal(error)
            if await self._history.finish(revision, code=answer.code, error=str(answer)):
                self._note(ended(revision, Lost(answer.code, str(answer))))
            _log.info("deploy_refused", guild_id=revision.guild, revision=str(revision.id), error=str(error))
            raise answer from None
        finally:
            self._observed.changed(revision.guild)

    async def _apply(self, revision: Revision) -> None:
        files = await self._history.files(revision.id) if revision.inline else None
        source = source_of(revision.entry, files=files, bundle=revision.bundle)
        backoff = Backoff(first=0.1, longest=2.0)
        loop = asyncio.get_running_loop()
        until = loop.time() + TRY_SECONDS
        while True:
            try:
                found = await self._store.apply(
                    revision.guild, source, revision=str(revision.id), force=revision.forced
                )
                break
            except StoreGone:
                if loop.time() > until:
                    raise
            await backoff.pause()
        await self._history.applied(revision.id, uid=found.uid, generation=found.generation)


def refusal(error: StoreError) -> ApiError:
    """What the deployer is told."""
    if isinstance(error, Rejected):
        return BadRequest(f"the cluster refuses this: {error}", code="REJECTED")
    if isinstance(error, Taken):
        return Conflict(
            f"{error} in the cluster; deploy there (GitOps, kubectl), or take it over with ?force=true",
            code="MANAGED_ELSEWHERE",
            details={"managers": error.managers},
        )
    if isinstance(error, Leaving):
        return Conflict(str(error), code="UNDEPLOYING", retry_after=5)
    return Unavailable(
        "the cluster does not answer now; nothing was deployed, try again in a moment",
        code="CLUSTER_UNAVAILABLE",
        retry_after=5,
    )
