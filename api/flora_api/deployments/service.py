"""Deploy, roll back, undeploy: what the routes ask for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, NoReturn
from uuid import UUID

from flora_api.deployments.applying import Applying, refusal
from flora_api.deployments.history import History, busy_with
from flora_api.deployments.observed import Observed
from flora_api.deployments.progress import progress
from flora_api.deployments.reads import Reads, nothing_deployed
from flora_api.deployments.request import BundlingFailed, Prebuilt, Sources, Wanted, build, bundled
from flora_api.deployments.revisions import NewRevision, Revision, Source, source_digest, source_of
from flora_api.deployments.settling import Settling
from flora_api.deployments.store import INLINE_LIMIT, DeploymentStore, StoreError
from flora_api.deployments.told import failed, undeployed
from flora_api.deployments.verdict import Lost
from flora_api.errors import ApiError, BadRequest, Conflict, NotFound, TooMany, Unavailable
from flora_api.logs.notes import Note
from flora_api.principal import GuildAccess
from flora_core.database import Bundles, Database
from flora_core.errors import BundleTooLarge, DatabaseError, InvalidBundle
from flora_core.ids import GuildId, Sha256
from flora_core.manifest import SecretSpec
from flora_core.telemetry import logger
from flora_core.toolchain import Bundle, Diagnostic, Project, Toolchain

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class DeploySettings:
    """Bounds of deploys."""

    seconds: float = 120.0
    """After so long a revision that is not live has failed: a pod that starts anew takes less."""
    watchers: int = 500
    """Progress streams at once; each costs a small query every two seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody wants, besides the script itself."""

    source: Source
    message: str = ""
    expected: str | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """What a deploy would do."""

    bytes: int
    """Of the bundle, with its source map."""
    warnings: list[Diagnostic]


class Deployments:
    """Use ``open_deployments``."""

    def __init__(
        self,
        database: Database,
        store: DeploymentStore,
        toolchain: Toolchain,
        settings: DeploySettings,
        note: Note,
    ) -> None:
        self.history: Final = History(database)
        self.bundles: Final = Bundles(database)
        self.observed: Final = Observed()
        self.reads: Final = Reads(self.history, self.observed)
        self.toolchain: Final = toolchain
        self._store = store
        self._settings = settings
        self._note = note
        self._applying = Applying(store, self.history, self.observed, note)
        self._settling = Settling(
            store, self.history, self.observed, self._applying, seconds=settings.seconds, note=note
        )
        self._begun = set[asyncio.Task[None]]()
        self._watchers = 0
        self._running: asyncio.Task[NoReturn] | None = None

    def start(self) -> None:
        """Look after revisions until ``close``."""
        self._running = asyncio.create_task(self._settling.run())
        self._running.add_done_callback(_must_not_end)

    def trouble(self) -> str | None:
        """Why this is not ready to serve; None when it is."""
        if self._running is None or self._running.done():
            return "nobody looks after deploys any more; restart the API"
        return None if self.observed.synced.is_set() else "the GuildDeployments are not known yet"

    def secrets_of(self, guild: GuildId) -> tuple[SecretSpec, ...]:
        """Those that the guild's object takes from Kubernetes; raises Unavailable."""
        self.check_synced()
        found = self.observed.get(guild)
        return found.secrets if found is not None else ()

    def check_synced(self) -> None:
        """Raises Unavailable until all objects are known."""
        if not self.observed.synced.is_set():
            raise Unavailable("the API has just started and does not know the cluster yet", retry_after=1)

    # ---------------------------------------------------------------- changing something

    async def check(self, wanted: Wanted) -> Checked:
        """What would be deployed; raises ApiError."""
        if isinstance(wanted, Prebuilt):
            return Checked(len(wanted.bundle.to_bytes()), [])
        bundle, warnings = await build(wanted.project, self.toolchain)
        return Checked(len(bundle.to_bytes()), warnings)

    async def deploy(self, access: GuildAccess, wanted: Wanted, order: Order, *, wait: bool) -> Revision:
        """A revision that the cluster has, or, when ``wait`` is set, that it is being given.

        Raises ApiError. What does not bundle is kept as a failed revision.
        """
        await self._check_free(access.guild)
        if isinstance(wanted, Sources):
            new = await self._from_sources(access, wanted.project, order)
        else:
            await self.bundles.put(wanted.bundle)
            new = self._new(
                access, wanted.bundle.entrypoint, order, files=wanted.files, bundle=wanted.bundle.sha256
            )
            new = replace(new, client_bundle=True)
        return await self._begin(new, order, action="deployment.deploy", wait=wait)

    async def deploy_built(
        self,
        access: GuildAccess,
        entry: str,
        files: dict[str, str] | None,
        bundle: Sha256,
        order: Order,
        *,
        wait: bool,
    ) -> Revision:
        """The same with a bundle that was made here before; raises ApiError."""
        await self._check_free(access.guild)
        if await self.bundles.get(bundle) is None:
            raise Conflict("this build's bundle is not kept any more; build it again", code="BUILD_EXPIRED")
        new = self._new(access, entry, order, files=files, bundle=bundle)
        return await self._begin(new, order, action="deployment.deploy", wait=wait)

    async def roll_back(
        self, access: GuildAccess, target: UUID | None, order: Order, *, wait: bool
    ) -> Revision:
        """Deploy ``target`` again, or the last good one before what is deployed; raises ApiError."""
        to = await self._target(access.guild, target)
        files = await self.history.files(to.id)
        new = self._new(
            access, to.entry, order, files=files, bundle=to.bundle, inline=to.inline and files is not None
        )
        new = replace(new, client_bundle=to.client_bundle, message=order.message or f"rolled back to {to.id}")
        if not new.inline:
            new = await self._with_bundle(new, to)
        return await self._begin(new, order, action="deployment.rollback", wait=wait)

    async def undeploy(self, access: GuildAccess) -> None:
        """Have nothing run; the guild's history stays. Raises ApiError."""
        try:
            there = await self._store.delete(access.guild)
        except StoreError as error:
            raise refusal(error) from None
        if not there:
            raise nothing_deployed(access.guild)
        await self.history.audit(access.guild, access.principal, "deployment.undeploy")
        self._note(undeployed(access.guild, access.principal))

    # ---------------------------------------------------------------- watching it

    async def progress(self, guild: GuildId, revision: UUID) -> AsyncIterator[bytes]:
        """The stream of a deploy; raises NotFound, or TooMany when too many are watched already."""
        if await self.history.get(guild, revision) is None:
            raise no_such_revision(revision)
        self.check_watchers()
        return self._watched(guild, revision)

    def check_watchers(self) -> None:
        """Raises TooMany when there is no stream to be had."""
        if self._watchers >= self._settings.watchers:
            raise TooMany("too many deploys are being watched; ask for the status instead", retry_after=10)

    async def _watched(self, guild: GuildId, revision: UUID) -> AsyncGenerator[bytes]:
        self._watchers += 1
        try:
            events = progress(
                self.history, self.observed, guild, revision, seconds=self._settings.seconds + 60
            )
            async with contextlib.aclosing(events) as told:  # pyright: ignore[reportArgumentType]
                async for event in told:
                    yield event
        finally:
            self._watchers -= 1

    async def size_of(self, bundle: Sha256) -> int:
        """Bytes of a bundle that is kept; 0 for none."""
        return len(await self.bundles.get(bundle) or b"")

    async def bundle_of(self, revision: Revision) -> Bundle | None:
        """What it runs; None when that is not known, or not kept."""
        data = await self.bundles.get(revision.bundle) if revision.bundle else None
        try:
            return Bundle.from_bytes(data) if data is not None else None
        except (InvalidBundle, BundleTooLarge):
            return None

    # ---------------------------------------------------------------- one deploy

    async def _check_free(self, guild: GuildId) -> None:
        """Before anything takes long; ``begin`` asks again."""
        found = self.observed.get(guild)
        if found is not None and found.leaving:
            raise Conflict(
                "it is being undeployed; try again when it is gone, in half a minute at most",
                code="UNDEPLOYING",
                retry_after=5,
            )
        other = await self.history.deploying(guild)
        if other is not None:
            raise busy_with(other)

    async def _from_sources(self, access: GuildAccess, project: Project, order: Order) -> NewRevision:
        files = dict(project.files)
        try:
            bundle = await bundled(project, self.toolchain, self.bundles)
        except ApiError as error:
            if isinstance(error, BundlingFailed) or error.code == "BUNDLE_TOO_LARGE":
                new = self._new(access, project.entrypoint, order, files=files, bundle=None)
                await self.history.keep_failed(new, code=error.code, error=str(error)[:16_384])
                self._note(failed(new.guild, new.id, new.actor, Lost(error.code, str(error))))
                error.details["revision_id"] = str(new.id)
            raise
        inline = sum(len(text.encode()) for text in files.values()) <= INLINE_LIMIT
        return self._new(access, project.entrypoint, order, files=files, bundle=bundle, inline=inline)

    def _new(
        self,
        access: GuildAccess,
        entry: str,
        order: Order,
        *,
        files: Mapping[str, str] | None,
        bundle: Sha256 | None,
        inline: bool = False,
    ) -> NewRevision:
        by_files = files if inline or bundle is None else None
        return NewRevision(
            guild=access.guild,
            entry=entry,
            source=order.source,
            message=order.message,
            actor=access.principal,
            digest=source_digest(source_of(entry, files=by_files, bundle=bundle)),
            files=files,
            bundle=bundle,
            inline=inline,
            forced=order.force,
        )

    async def _begin(self, new: NewRevision, order: Order, *, action: str, wait: bool) -> Revision:
        revision = await self.history.begin(new, action=action, expected=order.expected)
        self._settling.begun(revision.guild)
        # It goes on though whoever asked for it has left.
        task = asyncio.create_task(self._applying.apply(revision))
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        task.add_done_callback(_told_by_the_stream)
        if not wait:
            await asyncio.shield(task)
        return revision

    async def close(self) -> None:
        """Let go of deploys that are being given to the cluster; another replica finishes them."""
        tasks = [*self._begun, *([self._running] if self._running is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---------------------------------------------------------------- rolling back

    async def _target(self, guild: GuildId, target: UUID | None) -> Revision:
        if target is not None:
            found = await self.history.get(guild, target)
            if found is None:
                raise no_such_revision(target)
            if found.status != "success":
                raise BadRequest(
                    f"revision {target} never went live ({found.error_code or found.status}); "
                    "roll back to one that did",
                    code="NOT_A_GOOD_REVISION",
                )
            return found
        current = await self.history.last_applied(guild)
        if current is None:
            raise nothing_deployed(guild)
        before = await self.history.good_before(current)
        if before is None:
            raise Conflict("there is no good revision before this one", code="NOTHING_TO_ROLL_BACK_TO")
        return before

    async def _with_bundle(self, new: NewRevision, to: Revision) -> NewRevision:
        """What the rollback will run by reference: its bundle, made again when it is not kept and can be."""
        if to.bundle is not None and await self.bundles.get(to.bundle) is not None:
            return new
        if to.client_bundle or new.files is None:
            raise Conflict(
                f"the bundle of revision {to.id} is not kept any more; deploy its sources again",
                code="BUNDLE_GONE",
            )
        bundle, _ = await build(Project(new.files, to.entry), self.toolchain)
        await self.bundles.put(bundle)
        digest = source_digest(source_of(to.entry, files=None, bundle=bundle.sha256))
        return replace(new, bundle=bundle.sha256, digest=digest)


def _must_not_end(task: asyncio.Task[NoReturn]) -> None:
    if not task.cancelled():
        _log.error("settling_ended", exc_info=task.exception())


def _told_by_the_stream(task: asyncio.Task[None]) -> None:
    """A refusal is written down with the revision, and told by its stream or to who waits for it."""
    if (
        not task.cancelled()
        and isinstance(error := task.exception(), Exception)
        and not isinstance(error, ApiError)
    ):
        if isinstance(error, DatabaseError):
            _log.warning("deploy_not_given", error=str(error))
        else:
            _log.error("deploy_not_given", exc_info=error)


def no_such_revision(revision: object) -> NotFound:
    """The guild has none of that id."""
    return NotFound(f"there is no revision {revision}; flora history lists them", code="REVISION_NOT_FOUND")


@asynccontextmanager
async def open_deployments(
    database: Database,
    store: DeploymentStore,
    toolchain: Toolchain,
    settings: DeploySettings | None = None,
    *,
    note: Note | None = None,
) -> AsyncGenerator[Deployments]:
    """A Deployments that looks after revisions for as long as the block lasts.

    ``note`` writes into guilds' logs; without it nothing is written there.
    """
    deployments = Deployments(
        database, store, toolchain, settings or DeploySettings(), note or (lambda _line: None)
    )
    deployments.start()
    try:
        yield deployments
    finally:
        await deployments.close()
