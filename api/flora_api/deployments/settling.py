"""Brings revisions to their end, and finds those that did not come through the API.

Every replica does all of it, for all guilds. What a replica decides it writes with a condition ("if it is
still pending", "unless a revision explains it"), so that of several the first counts and the rest find it
done. Three tasks share no state but ``Observed``, the set of guilds to look at, and an event:

``_follow``   takes what the store tells
``_settle``   judges pending revisions, when something changed that they wait for and each second
``_observe``  asks of each object whose source changed whether there is a revision for it
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from itertools import islice
from typing import Final, NoReturn

from prometheus_client import Counter

from flora_api.deployments.applying import Applying
from flora_api.deployments.history import APPLY_SECONDS, History
from flora_api.deployments.observed import Observed
from flora_api.deployments.revisions import NewRevision, Revision, Source
from flora_api.deployments.store import Deployment, DeploymentStore, Put, StoreError
from flora_api.deployments.told import ended
from flora_api.deployments.verdict import Live, Lost, Waiting, judge, overdue
from flora_api.errors import ApiError
from flora_api.logs.notes import Note
from flora_api.principal import ActorType, Principal
from flora_core.errors import DatabaseError, DatabaseGone
from flora_core.ids import GuildId, Sha256
from flora_core.manifest import DEV_MANAGER
from flora_core.telemetry import logger

LOOK_SECONDS: Final = 1.0
AWAY_SECONDS: Final = 2.0
"""Pause after the database or the cluster did not answer."""

VANISHED_SECONDS: Final = 15.0
"""An object that was applied so long ago and that the watch does not know is asked for."""

OBSERVERS: Final = 4
OBSERVED_TOGETHER: Final = 50
"""A replica that starts asks about all objects there are; nearly all of them are known."""

_ended = Counter("flora_api_deploys_total", "Deploys that ended, by how", ["outcome"])
_log = logger(__name__)


class Settling:
    """``run`` works until cancelled."""

    def __init__(
        self,
        store: DeploymentStore,
        history: History,
        observed: Observed,
        applying: Applying,
        *,
        seconds: float,
        note: Note,
    ) -> None:
        """``seconds``: after so long a revision that is not live has failed."""
        self._store = store
        self._history = history
        self._observed = observed
        self._applying = applying
        self._seconds = seconds
        self._note_down = note
        self._pending: set[GuildId] = set()
        self._look = asyncio.Event()
        self._known: dict[GuildId, tuple[str, int, bool]] = {}
        self._ask: dict[GuildId, None] = {}
        """Guilds to be asked about, first come first served, each once."""
        self._asked = asyncio.Event()

    def begun(self, guild: GuildId) -> None:
        """A revision of the guild is pending from now on."""
        self._pending.add(guild)

    async def run(self) -> NoReturn:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._settle(tasks))
            for _ in range(OBSERVERS):
                tasks.create_task(self._observe())
        raise AssertionError("its tasks end by cancellation alone")

    # ---------------------------------------------------------------- what the store tells

    async def _follow(self) -> None:
        async with aclosing(self._store.watch()) as changes:  # pyright: ignore[reportArgumentType]
            async for change in changes:
                for guild in self._observed.take(change):
                    if guild in self._pending:
                        self._look.set()
                if isinstance(change, Put):
                    self._note(change.deployment)

    def _note(self, found: Deployment) -> None:
        """Have it asked about when its source may be another, or has become live."""
        state = (found.uid, found.generation, found.ready)
        if self._known.get(found.guild) != state and not found.leaving:
            self._known[found.guild] = state
            self._ask[found.guild] = None
            self._asked.set()

    # ---------------------------------------------------------------- pending revisions

    async def _settle(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._look.wait()
            except TimeoutError:
                pass
            self._look.clear()
            if not self._observed.synced.is_set():
                continue
            try:
                pending = await self._history.pending()
                self._pending = {revision.guild for revision, _ in pending}
                for revision, age in pending:
                    await self._settle_one(revision, age, tasks)
            except (DatabaseError, StoreError) as error:
                _log.warning("revisions_not_settled", error=str(error))
                await asyncio.sleep(AWAY_SECONDS)

    async def _settle_one(self, revision: Revision, age: float, tasks: asyncio.TaskGroup) -> None:
        try:
            if revision.generation is not None:
                await self._judge(revision, age)
            elif age > APPLY_SECONDS and await self._history.take_over(revision.id):
                tasks.create_task(self._finish_applying(revision))
        except DatabaseGone:
            raise
        except DatabaseError as error:  # one that cannot be ended must not keep the others from it
            _log.error("revision_not_settled", revision=str(revision.id), error=str(error))

    async def _judge(self, revision: Revision, age: float) -> None:
        assert revision.uid is not None
        found = self._observed.get(revision.guild)
        gone = self._observed.is_gone(revision.uid)
        if found is None and not gone and age > VANISHED_SECONDS:
            gone = await self._store.get(revision.guild) is None
        verdict = judge(revision, found, gone=gone)
        if isinstance(verdict, Waiting):
            if age < self._seconds:
                return
            verdict = overdue(revision, verdict, seconds=self._seconds)
        await self.end(revision, verdict)

    async def end(self, revision: Revision, verdict: Live | Lost) -> None:
        """Write down what became of it, and tell who waits."""
        if isinstance(verdict, Live):
            ours = await self._history.finish(revision, pod=verdict.pod, bundle=verdict.bundle)
        else:
            ours = await self._history.finish(
                revision, code=verdict.code, error=verdict.message, stack=verdict.stack
            )
        if ours:
            outcome = "live" if isinstance(verdict, Live) else verdict.code.lower()
            _ended.labels(outcome).inc()
            self._note_down(ended(revision, verdict))
            _log.info("deploy_ended", guild_id=revision.guild, revision=str(revision.id), outcome=outcome)
        self._observed.changed(revision.guild)

    async def _finish_applying(self, revision: Revision) -> None:
        """Whoever began it did not get to it."""
        _log.info("deploy_taken_over", guild_id=revision.guild, revision=str(revision.id))
        try:
            await self._applying.apply(revision)
        except (ApiError, DatabaseError) as error:
            _log.warning("deploy_not_finished", revision=str(revision.id), error=str(error))

    # ---------------------------------------------------------------- what others changed

    async def _observe(self) -> None:
        while True:
            while not self._ask:
                self._asked.clear()
                await self._asked.wait()
            guilds = list(islice(self._ask, OBSERVED_TOGETHER))
            for guild in guilds:
                del self._ask[guild]
            found = [one for guild in guilds if (one := self._observed.get(guild)) is not None]
            for guild in {*guilds} - {one.guild for one in found}:
                self._known.pop(guild, None)
            try:
                plain = await self._history.plainly_explains(found)
            except DatabaseError as error:
                _log.warning("changes_not_looked_at", error=str(error))
                self._ask |= dict.fromkeys(guilds)
                await asyncio.sleep(AWAY_SECONDS)
                continue
            for one in found:
                if one.guild not in plain:
                    await self._explain(one)
                elif one.ready:
                    self._observed.changed(one.guild)

    async def _explain(self, found: Deployment) -> None:
        """Find the revision that ``found`` is of, or write one down."""
        try:
            if not await self._history.explains(found):
                await self._write_down(found.guild)
            elif found.ready:
                self._observed.changed(found.guild)
        except (DatabaseError, StoreError) as error:
            _log.warning("change_not_written_down", guild_id=found.guild, error=str(error))
            self._ask[found.guild] = None
            await asyncio.sleep(AWAY_SECONDS)

    async def _write_down(self, guild: GuildId) -> None:
        whole = await self._store.get(guild)  # newer than what the watch told, perhaps
        if whole is None or whole[0].leaving:
            return
        found, files = whole
        revision = await self._history.observe(observed_revision(found, files), found)
        if revision is not None:
            self.begun(guild)
            self._look.set()
            if revision.status == "success":
                self._note_down(ended(revision, Live(revision.pod, "")))
            _log.info("change_written_down", guild_id=guild, revision=str(revision.id), manager=found.manager)


def observed_revision(found: Deployment, files: dict[str, str] | None) -> NewRevision:
    """A revision of what somebody has put into the cluster."""
    source, message = _origin(found, starter=found.starter and not files)
    return NewRevision(
        guild=found.guild,
        entry=found.entry,
        source=source,
        message=message[:500],
        actor=Principal(ActorType.SYSTEM, "", found.manager),
        digest=found.digest,
        files=files,
        bundle=found.bundle or (Sha256(found.status.bundle.sha256) if found.ready else None) or None,
        inline=found.inline,
        observed=True,
    )


def _origin(found: Deployment, *, starter: bool) -> tuple[Source, str]:
    """Through what it came, and what to say of it."""
    if starter:
        return Source.BOOTSTRAP, "the starter script"
    if found.manager == DEV_MANAGER:
        return Source.DEV, "saved in the watched folder"
    return (
        Source.KUBECTL,
        f"changed in the cluster by {found.manager}" if found.manager else "changed in the cluster",
    )
