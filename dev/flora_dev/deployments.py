"""What runs in each guild of a session: the watched folder's script, or what came through the API.

Both become a document as a cluster has them (GuildDeployment), with a generation that grows with its script
and a status; the newer counts. They are written down, so that a session that keeps its state goes on where
the last one ended: what was deployed or undeployed by a command stays so until the folder's script is saved
with something new in it.

State: ``_entries``, touched by this loop alone. A guild's lock is held while its document is carried out, so
that what the controller says meanwhile is about the generation in ``running``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import msgspec
from msgspec import Struct

from flora_core.errors import BundleFailed, FloraError, InvalidBundle, InvalidInput, InvalidProject
from flora_core.files import CannotRead, read_kept, write_whole
from flora_core.ids import GuildId
from flora_core.manifest import API_MANAGER, API_VERSION, DEV_MANAGER, KIND, REVISION
from flora_core.toolchain import Bundle, Project, Toolchain, content_address
from flora_core.wire.control import DEFAULT_LIMITS, Limits
from flora_dev.controller import POD, Condition, GuildStatus, LocalController
from flora_dev.deployment_wire import All, Is, News, Was
from flora_dev.sources import Wanted

NEWS_KEPT: Final = 1000
"""That a follower may be behind; one that is further behind begins anew."""


class _Kept(Struct, frozen=True):
    """What is written down of a guild."""

    document: dict[str, Any] | None
    watched: str
    uid: str
    generation: int


@dataclass(slots=True)
class _Entry:
    """One guild."""

    guild: GuildId
    name: str
    document: dict[str, Any] | None = None
    """None: nothing should run."""
    watched: str = ""
    """What the folder had when it was deployed last; empty when it must be deployed in any case."""
    uid: str = field(default_factory=lambda: uuid4().hex)
    generation: int = 0
    running: int = 0
    """The generation that is carried out, or was last."""
    due: bool = True
    """The document is to be carried out."""
    bundle: Bundle | None = None
    """What the document names, when it has no files."""
    sources: Project | None = None
    """What that was made from, when it is the folder's."""
    limits: Limits = DEFAULT_LIMITS
    hibernates: bool = True
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Deployments:
    """Belongs to its loop; ``close`` it."""

    def __init__(
        self,
        controller: LocalController,
        toolchain: Toolchain,
        folder: Path,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._controller = controller
        self._toolchain = toolchain
        self._folder = folder
        self._now = now
        self._entries: dict[GuildId, _Entry] = {}
        self._followers: set[asyncio.Queue[News | None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_undeployed: Callable[[str], None] = lambda _name: None
        """Is told a guild's name when a command has taken its script away."""
        controller.listen(self._on_status)
        self._remember()

    async def close(self) -> None:
        """Leave what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def guilds(self) -> list[GuildId]:
        """Those that something should run in."""
        return [guild for guild, entry in self._entries.items() if entry.document is not None]

    # ---------------------------------------------------------------- from the folder

    async def save(self, wanted: Wanted) -> None:
        """Deploy what the folder has, when it has something new; what cannot be is told."""
        assert wanted.read is not None
        entry = self._entry(wanted.guild, wanted.name)
        entry.limits, entry.hibernates = wanted.limits, wanted.hibernates
        try:
            project = await asyncio.to_thread(wanted.read)
            address = await asyncio.to_thread(content_address, project)
            watched = f"{address} {wanted.limits} {wanted.hibernates}"
            if watched != entry.watched:
                await self._put_project(entry, project)
                entry.watched = watched
                self._write_down(entry)
        except (InvalidProject, BundleFailed) as error:
            self._refuse(entry, str(error))
        except FloraError as error:
            self._refuse(entry, f"the bundler failed: {error}")
        else:
            if entry.document is None:
                self.on_undeployed(entry.name)
            await self._carry_out(entry)

    def refuse(self, guild: GuildId, name: str, text: str) -> None:
        """What the folder has cannot be deployed, and says why."""
        self._refuse(self._entry(guild, name), text)

    def suspend(self, guild: GuildId, name: str) -> None:
        """Run nothing, though there is a document for the guild."""
        self._take_away(self._entry(guild, name))
        self._controller.suspend(guild, name)

    def drop(self, guild: GuildId) -> None:
        """The folder has nothing for the guild any more."""
        entry = self._entries.pop(guild, None)
        if entry is not None:
            self._take_away(entry)
            self._file(guild).unlink(missing_ok=True)
        self._controller.remove(guild)

    async def go_on(self) -> None:
        """Run what commands have deployed in guilds that the folder says nothing of."""
        await asyncio.gather(*(self._carry_out(entry) for entry in list(self._entries.values())))

    async def _put_project(self, entry: _Entry, project: Project) -> None:
        if not project.dependencies:
            entry.bundle = entry.sources = None
            source = {"entrypoint": project.entrypoint, "files": dict(project.files)}
        else:  # nobody else has its npm packages
            built = await self._toolchain.bundle(project)
            entry.bundle, entry.sources = built.bundle, project
            source = {"entrypoint": project.entrypoint, "bundleRef": {"sha256": built.bundle.sha256}}
        self._put(entry, source, manager=DEV_MANAGER)

    def _refuse(self, entry: _Entry, text: str) -> None:
        entry.watched = ""
        entry.running = entry.generation
        self._controller.refuse(entry.guild, entry.name, text)

    # ---------------------------------------------------------------- from the API

    def get(self, guild: GuildId) -> dict[str, Any] | None:
        """The document as it is."""
        entry = self._entries.get(guild)
        return entry.document if entry is not None else None

    def bundle_of(self, guild: GuildId) -> bytes | None:
        """The bundle that the guild's document names."""
        entry = self._entries.get(guild)
        return entry.bundle.to_bytes() if entry is not None and entry.bundle is not None else None

    def apply(
        self, guild: GuildId, source: Mapping[str, Any], *, revision: str, bundle: bytes | None = None
    ) -> dict[str, Any]:
        """Have the guild run ``source`` from now on; its document. Raises InvalidInput."""
        named = (source.get("bundleRef") or {}).get("sha256")
        try:
            given = Bundle.from_bytes(bundle) if bundle is not None else None
            if named is None:
                Project(source["files"], source["entrypoint"])
            elif given is None or given.sha256 != named:
                raise InvalidInput("bundleRef: the bundle that it names is missing")
        except (KeyError, TypeError):
            raise InvalidInput("source: should have an entrypoint, and files or a bundleRef") from None
        except (InvalidProject, InvalidBundle) as error:
            raise InvalidInput(f"source: {error}") from None
        entry = self._entry(guild)
        entry.bundle, entry.sources = given, None
        document = self._put(entry, source, manager=API_MANAGER, revision=revision)
        self._write_down(entry)
        self._begin(self._carry_out(entry))
        return document

    def delete(self, guild: GuildId) -> bool:
        """Have nothing run in the guild; whether something did."""
        entry = self._entries.get(guild)
        if entry is None or entry.document is None:
            return False
        self._take_away(entry)
        self._write_down(entry)
        self._begin(self._remove(entry))
        self.on_undeployed(entry.name)
        return True

    @contextlib.contextmanager
    def followed(self) -> Generator[asyncio.Queue[News | None]]:
        """What is, then what changes, for as long as the block lasts; None: too far behind, begin anew."""
        queue = asyncio.Queue[News | None](NEWS_KEPT + len(self._entries) + 1)
        for entry in self._entries.values():
            if entry.document is not None:
                queue.put_nowait(Is(entry.document))
        queue.put_nowait(All(list(self.guilds)))
        self._followers.add(queue)
        try:
            yield queue
        finally:
            self._followers.discard(queue)

    # ---------------------------------------------------------------- documents

    def _entry(self, guild: GuildId, name: str = "") -> _Entry:
        entry = self._entries.setdefault(guild, _Entry(guild, f"guild {guild}"))
        entry.name = name or entry.name
        return entry

    def _put(
        self, entry: _Entry, source: Mapping[str, Any], *, manager: str, revision: str = ""
    ) -> dict[str, Any]:
        """The document with another source; the same one is no new generation."""
        found = entry.document
        metadata: dict[str, Any] = found["metadata"] if found is not None else {}
        if found is None:
            entry.uid, entry.generation = uuid4().hex, 0
        if found is None or found["spec"]["source"] != source:
            entry.generation += 1
        entry.due = True
        entry.document = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {
                "name": f"guild-{entry.guild}",
                "uid": entry.uid,
                "generation": entry.generation,
                "creationTimestamp": metadata.get("creationTimestamp") or self._stamp(),
                "annotations": {REVISION: revision} if revision else {},
                "managedFields": [{"manager": manager, "fieldsV1": {"f:spec": {"f:source": {}}}}],
            },
            "spec": {"guildId": entry.guild, "source": dict(source)},
            "status": found["status"] if found is not None else {},
        }
        self._tell(Is(entry.document))
        return entry.document

    def _take_away(self, entry: _Entry) -> None:
        if entry.document is not None:
            entry.document = None
            self._tell(Was(entry.guild, entry.uid))

    def _tell(self, frame: News) -> None:
        for queue in self._followers:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)
            else:
                queue.put_nowait(frame)

    # ---------------------------------------------------------------- carried out

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, entry: _Entry) -> None:
        """Have the controller run the document as it is, unless it does."""
        async with entry.lock:
            if entry.document is None or not entry.due:
                return
            entry.running, entry.due = entry.generation, False
            source = entry.document["spec"]["source"]
            script = entry.bundle or Project(source["files"], source["entrypoint"])
            await self._controller.deploy(
                entry.guild,
                entry.name,
                script,
                limits=entry.limits,
                hibernates=entry.hibernates,
                sources=entry.sources,
            )

    async def _remove(self, entry: _Entry) -> None:
        async with entry.lock:
            if entry.document is None:
                self._controller.remove(entry.guild)

    def _on_status(self, status: GuildStatus) -> None:
        entry = self._entries.get(status.guild)
        if entry is None or entry.document is None:
            return
        bundle = self._controller.state.assignment(status.guild)
        told = status_of(status, entry.running, bundle.bundle if bundle else "", now=self._stamp())
        entry.document = {**entry.document, "status": told}
        self._tell(Is(entry.document))

    def _stamp(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")

    # ---------------------------------------------------------------- on disk

    def _file(self, guild: GuildId) -> Path:
        return self._folder / f"{guild}.json"

    def _write_down(self, entry: _Entry) -> None:
        document = {**entry.document, "status": {}} if entry.document is not None else None
        kept = _Kept(document, entry.watched, entry.uid, entry.generation)
        write_whole(self._file(entry.guild), msgspec.json.encode(kept))
        if entry.bundle is not None:
            write_whole(self._folder / f"{entry.guild}.bundle", entry.bundle.to_bytes())

    def _remember(self) -> None:
        """What an earlier session wrote down. What cannot be read is as good as none."""
        for file in sorted(self._folder.glob("*.json")):
            guild = GuildId(file.stem)
            with contextlib.suppress(CannotRead, OSError, InvalidBundle):
                kept = read_kept(file, _Kept)
                if kept is None:
                    continue
                entry = _Entry(
                    guild, f"guild {guild}", kept.document, kept.watched, kept.uid, kept.generation
                )
                if kept.document is not None and "bundleRef" in kept.document["spec"]["source"]:
                    entry.bundle = Bundle.from_bytes((self._folder / f"{guild}.bundle").read_bytes())
                self._entries[guild] = entry


_NOT_BUNDLED: Final = frozenset({Condition.BUNDLING, Condition.BUNDLE_FAILED})


def status_of(status: GuildStatus, generation: int, bundle: str, *, now: str) -> dict[str, Any]:
    """A GuildDeployment's status, as the operator would write it (docs/crd.md). Pure."""

    def condition(kind: str, *, true: bool, reason: str, message: str = "") -> dict[str, Any]:
        return {
            "type": kind,
            "status": "True" if true else "False",
            "reason": reason,
            "message": message,
            "lastTransitionTime": now,
            "observedGeneration": generation,
        }

    bundled = status.reason not in _NOT_BUNDLED
    conditions = [condition("Bundled", true=bundled, reason="Bundled" if bundled else status.reason.value)]
    if bundled:
        conditions.append(condition("Assigned", true=True, reason="Assigned", message=f"to {POD}"))
    if status.reason is not Condition.BUNDLING:
        reason, message = status.reason.value, status.message
        if status.reason is Condition.LOADING:
            message = f"{POD} loads it"
        conditions.append(condition("Ready", true=status.ready, reason=reason, message=message))
    told: dict[str, Any] = {"observedGeneration": generation, "conditions": conditions}
    if bundled:
        told |= {"assignment": {"pod": POD}, "bundle": {"sha256": bundle}}
    if status.loaded is not None:
        told |= {"subscribedEvents": status.loaded.events, "cronJobs": status.loaded.crons}
    if status.ready:
        told["loadedAt"] = now
    if status.error is not None:
        told["lastError"] = {"message": status.error.message, "stack": status.error.stack, "at": now}
    return told
