"""Builds under way in this replica: a bounded queue and a few workers.

An archive waits in memory, so few may wait; more are told to come back. Where a build stands is in Postgres,
written by the worker alone; whoever follows it is woken by ``_changed`` when it is one of this replica's,
and looks once a second when it is another's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from flora_api.builds.archive import read_project
from flora_api.builds.table import Build, BuildTable
from flora_api.deployments.progress import BEAT, BEAT_SECONDS
from flora_api.deployments.request import build
from flora_api.errors import ApiError, Conflict, NotFound, TooMany
from flora_api.event_stream import encode
from flora_api.principal import GuildAccess
from flora_core.database import Bundles, Database
from flora_core.errors import DatabaseError, InvalidBundle
from flora_core.ids import GuildId, Sha256
from flora_core.telemetry import logger
from flora_core.toolchain import Bundle, Diagnostic, Toolchain, content_address, render

LOOK_SECONDS: Final = 1.0
HOUSE_SECONDS: Final = 15.0
BUILD_SECONDS: Final = 120.0
STREAM_SECONDS: Final = 300.0
LOG_LINES: Final = 200
LINE_LIMIT: Final = 2_000

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """Bounds of builds in one replica."""

    workers: int = 2
    waiting: int = 6
    """Archives in memory, each of up to 8 MiB; with the workers' own eight in all."""


@dataclass(frozen=True, slots=True)
class _Job:
    id: UUID
    entry: str
    archive: bytes


class Builds:
    """Use ``open_builds``."""

    def __init__(self, database: Database, toolchain: Toolchain, settings: BuildSettings) -> None:
        self.table: Final = BuildTable(database)
        self.bundles: Final = Bundles(database)
        self._toolchain = toolchain
        self._settings = settings
        self._queue = asyncio.Queue[_Job](settings.waiting)
        self._ours: set[UUID] = set()
        self._changed = asyncio.Condition()

    async def submit(self, access: GuildAccess, entry: str, archive: bytes) -> UUID:
        """A build that is queued; raises TooMany."""
        if self._queue.full():
            raise TooMany("there are too many builds just now; try again in a moment", retry_after=5)
        job = _Job(uuid4(), entry, archive)
        await self.table.add(access, job.id, entry)
        self._ours.add(job.id)
        try:
            self._queue.put_nowait(job)
        except asyncio.QueueFull:
            await self._end(job.id, error="there were too many builds; try again in a moment")
            raise TooMany(
                "there are too many builds just now; try again in a moment", retry_after=5
            ) from None
        return job.id

    async def get(self, build_id: UUID) -> Build:
        """Raises NotFound."""
        found = await self.table.get(build_id)
        if found is None:
            raise no_such_build(build_id)
        return found

    async def artifact(self, found: Build) -> Bundle | None:
        """What it made; None when that is not kept any more."""
        data = await self.bundles.get(found.bundle) if found.bundle else None
        try:
            return Bundle.from_bytes(data) if data is not None else None
        except InvalidBundle:
            return None

    async def finished(self, guild: GuildId, build_id: str) -> tuple[str, dict[str, str] | None, Sha256]:
        """Entrypoint, sources and bundle of a build that is done; raises NotFound or Conflict."""
        try:
            found = await self.get(UUID(build_id))
        except ValueError:
            raise no_such_build(build_id) from None
        if found.guild != guild:
            raise no_such_build(build_id)
        if found.status != "done" or found.bundle is None:
            raise Conflict(
                f"build {build_id} is {found.status}; deploy one that is done", code="BUILD_NOT_DONE"
            )
        return found.entry, await self.table.files(found.id), found.bundle

    async def logs(self, build_id: UUID) -> AsyncIterator[bytes]:
        """Its lines as events, from the first, and ``done``."""
        loop = asyncio.get_running_loop()
        until, beat_at = loop.time() + STREAM_SECONDS, loop.time() + BEAT_SECONDS
        told = 0
        while loop.time() < until:
            found = await self.table.get(build_id)
            if found is None:
                return
            for line in found.logs[told:]:
                yield encode("log", {"line": line})
            told = len(found.logs)
            if found.ended:
                yield encode("done", {"status": found.status})
                return
            if loop.time() >= beat_at:
                yield BEAT
                beat_at = loop.time() + BEAT_SECONDS
            await self._wait()

    async def run(self) -> None:
        """Build until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_house())
            for _ in range(self._settings.workers):
                tasks.create_task(self._work())

    # ---------------------------------------------------------------- one build

    async def _work(self) -> None:
        while True:
            job = await self._queue.get()
            try:
                async with asyncio.timeout(BUILD_SECONDS):
                    await self._build(job)
            except ApiError as error:
                await self._end(job.id, *str(error).split("\n"), error=str(error))
            except TimeoutError:
                await self._end(
                    job.id, error=f"it took longer than {BUILD_SECONDS:g} s; make the project smaller"
                )
            except DatabaseError as error:
                _log.warning("build_lost", build=str(job.id), error=str(error))
                self._ours.discard(job.id)
            except Exception as error:  # noqa: BLE001  one build must not take the others along
                _log.error("build_failed", build=str(job.id), exc_info=error)
                await self._end(
                    job.id, error="something went wrong here that should not; the API's log says what"
                )

    async def _build(self, job: _Job) -> None:
        await self.table.log(job.id, "reading the archive", started=True)
        await self._tell()
        unpacked = await asyncio.to_thread(read_project, job.archive, job.entry)
        project = unpacked.project
        count, others = len(project.files), len(project.dependencies)
        await self.table.log(
            job.id,
            f"{count} source files, {others} files of npm packages, {unpacked.ignored} others passed over",
            *([] if others else ["there is no node_modules in the archive; packages are not installed here"]),
            f"bundling {job.entry}",
        )
        await self._tell()
        bundle, warnings = await build(project, self._toolchain)
        address = await asyncio.to_thread(content_address, project)
        await self.bundles.put(bundle, sources=address)
        lines = [*_lines(warnings), f"done: {len(bundle.code.encode()):,} bytes"]
        await self._end(job.id, *lines, bundle=bundle.sha256, files=dict(project.files))

    async def _end(
        self,
        build_id: UUID,
        *lines: str,
        error: str = "",
        bundle: Sha256 | None = None,
        files: dict[str, str] | None = None,
    ) -> None:
        shown = [line[:LINE_LIMIT] for line in lines[:LOG_LINES]]
        try:
            await self.table.finish(build_id, *shown, error=error[:16_384], bundle=bundle, files=files)
        except DatabaseError as gone:
            _log.warning("build_lost", build=str(build_id), error=str(gone))  # it will have failed
        self._ours.discard(build_id)
        await self._tell()

    async def _keep_house(self) -> None:
        while True:
            try:
                await self.table.keep_house(list(self._ours))
            except DatabaseError as error:
                _log.warning("builds_not_looked_after", error=str(error))
            await asyncio.sleep(HOUSE_SECONDS)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS), self._changed:
                await self._changed.wait()
        except TimeoutError:
            return


def no_such_build(build_id: object) -> NotFound:
    """There is none of that id, or it was an hour ago."""
    return NotFound(f"there is no build {build_id}; builds are kept for an hour", code="BUILD_NOT_FOUND")


def _lines(warnings: list[Diagnostic]) -> list[str]:
    return [line for warning in warnings for line in render(warning).split("\n")]


@asynccontextmanager
async def open_builds(
    database: Database, toolchain: Toolchain, settings: BuildSettings | None = None
) -> AsyncGenerator[Builds]:
    """Builds that are worked on for as long as the block lasts."""
    builds = Builds(database, toolchain, settings or BuildSettings())
    running = asyncio.create_task(builds.run())
    try:
        yield builds
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
