"""From sources to a bundle that Postgres keeps; what was made once is not made again.

``bundle`` looks in three places: here (what this process made or found lately), in Postgres by the content
address of the sources, and only then asks esbuild, in one of few child processes. Calls for the same
sources wait for the same answer: a guild's starter script is one build for all guilds that get it. An
author's mistake is an answer too, and is remembered here.

Nothing is told before Postgres has it: a pod that is told of a bundle will ask for it. So while Postgres is
gone new sources are told Unavailable, and what is here is served from here.

``_asking`` and ``_migrated`` belong to the event loop. A build goes on though everybody who waited for it
has left.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Collection, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any, Final, Generic, NoReturn, Self, TypeVar

from prometheus_client import Counter, Histogram
from pydantic import SecretStr

from flora_core.database import BundleInfo, Bundles, Database
from flora_core.database.bundles import SHORTEST_RETENTION
from flora_core.errors import BundleFailed, DatabaseError, ToolBusy
from flora_core.ids import Sha256
from flora_core.telemetry import logger
from flora_core.toolchain import Bundle, Project, Toolchain, ToolLimits, content_address
from flora_core.toolchain.address import toolchain_version
from flora_operator.errors import Unavailable

WAITING: Final = 256
"""Different sources that may wait for a child process, each with its text in memory."""

KNOWN: Final = 4096
"""Sources whose bundle is known here; 300 bytes each."""

FAILED: Final = 256
"""Sources whose author made a mistake, with what the bundler said."""

SERVED_BYTES: Final = 32 << 20
"""Bundles kept here to be served; what 1,000 pods ask for at once is mostly the same."""

HASHED_HERE: Final = 100_000
"""Characters of sources that take less time to hash than to hand to a thread, well below a millisecond."""

MIGRATE_SECONDS: Final = 60.0
RETAIN_SECONDS: Final = 3600.0
SETTLE_SECONDS: Final = 10.0

_bundles = Counter("flora_operator_bundles_total", "Bundles asked for, and where they came from", ["source"])
_seconds = Histogram(
    "flora_operator_build_seconds",
    "How long builds took that had to be done, waiting for a child process included",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)

_log = logger(__name__)

V = TypeVar("V")


class Bundling:
    """The operator's bundler; use it as an async context manager."""

    def __init__(self, toolchain: Toolchain, database: Database) -> None:
        self._toolchain = toolchain
        self._database = database
        self._bundles = Bundles(database)
        self._builders = asyncio.Semaphore(toolchain.limits.children)
        self._migrated: asyncio.Task[None] | None = None
        self._known = _Recent[BundleInfo](KNOWN)
        self._failed = _Recent[BundleFailed](FAILED)
        self._served = _Recent[bytes](SERVED_BYTES)
        self._asking: dict[Sha256, asyncio.Task[BundleInfo]] = {}

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(toolchain_version)  # remembered; it reads 12 MB
        return self

    async def __aexit__(self, *_error: object) -> None:
        tasks: list[asyncio.Task[Any]] = list(self._asking.values())
        if self._migrated is not None:
            tasks.append(self._migrated)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def bundle(self, project: Project) -> BundleInfo:
        """What ``project`` became, now or earlier; Postgres has it.

        Raises BundleFailed, with diagnostics, or BundleTooLarge when the author is at fault; ToolError when
        the tools did not manage, and Unavailable when Postgres did not: both may go better later.
        """
        sources = await _address(project)
        if (failed := self._failed.get(sources)) is not None:
            _bundles.labels("memory").inc()
            raise failed.with_traceback(None)
        if (known := self._known.get(sources)) is not None:
            _bundles.labels("memory").inc()
            return known
        task = self._asking.get(sources)
        if task is None:
            if len(self._asking) >= WAITING:
                raise ToolBusy(f"{WAITING} other scripts wait to be bundled; try again in a moment")
            task = self._asking[sources] = asyncio.create_task(self._find(project, sources))
            task.add_done_callback(lambda done: self._answered(sources, done))
        with _may_be_gone():
            return await asyncio.shield(task)

    async def stored(self, sha256: Sha256) -> BundleInfo | None:
        """A bundle that was made before; None when there is none of that hash. Raises Unavailable."""
        data = await self.get(sha256)
        return BundleInfo(sha256, len(data)) if data is not None else None

    async def get(self, sha256: Sha256) -> bytes | None:
        """A bundle's bytes; None when there is none of that hash. Raises Unavailable."""
        if (served := self._served.get(sha256)) is not None:
            return served
        with _may_be_gone():
            await self._migrate()
            data = await self._bundles.get(sha256)
        if data is not None:
            self._served.put(sha256, data, weight=len(data))
        else:  # perhaps Postgres was restored from a backup, and what is known here is not so
            self._known.clear()
        return data

    async def delete_unused(self, *, older_than: timedelta, keep: Collection[Sha256]) -> int:
        """Delete the bundles that nobody used for ``older_than`` and that are not in ``keep``; how many.

        At least two hours. Raises Unavailable.
        """
        with _may_be_gone():
            await self._migrate()
            deleted = await self._bundles.delete_unused(older_than=older_than, keep=keep)
        if deleted:  # which, only Postgres knows
            self._known.clear()
            self._served.clear()
        return deleted

    async def retain(
        self, in_use: Callable[[], Collection[Sha256] | None], *, older_than: timedelta
    ) -> NoReturn:
        """``delete_unused`` once an hour, for ever. ``in_use`` None: not known yet, so nothing is deleted."""
        while True:
            keep = in_use()
            if keep is not None:
                try:
                    deleted = await self.delete_unused(
                        older_than=max(older_than, SHORTEST_RETENTION), keep=keep
                    )
                    _log.info("unused_bundles_deleted", count=deleted)
                except Unavailable as error:
                    _log.warning("unused_bundles_kept", error=str(error))
            await asyncio.sleep(RETAIN_SECONDS if keep is not None else SETTLE_SECONDS)

    # ---------------------------------------------------------------- one bundle

    async def _find(self, project: Project, sources: Sha256) -> BundleInfo:
        await self._migrate()
        info = await self._bundles.built_from(sources)
        if info is not None:
            _bundles.labels("postgres").inc()
        else:
            info = await self._bundles.put(await self._build(project, sources), sources=sources)
            _bundles.labels("build").inc()
        self._known.put(sources, info)
        return info

    async def _build(self, project: Project, sources: Sha256) -> Bundle:
        began = time.monotonic()
        async with self._builders:
            try:
                built = await self._toolchain.bundle(project)
            except BundleFailed as error:
                _bundles.labels("refused").inc()
                self._failed.put(sources, error)
                raise
            finally:
                _seconds.observe(time.monotonic() - began)
        data = built.bundle.to_bytes()
        self._served.put(built.bundle.sha256, data, weight=len(data))
        return built.bundle

    async def _migrate(self) -> None:
        """Once, before anything else is asked of Postgres; while that fails, all who ask share a try."""
        task = self._migrated
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._migrated = asyncio.create_task(self._try_migrate())
        if not task.done():
            await asyncio.shield(task)

    async def _try_migrate(self) -> None:
        done = await self._database.migrate(seconds=MIGRATE_SECONDS)
        _log.info("database_migrated", before=done.before, after=done.after, newer=done.newer)

    def _answered(self, sources: Sha256, task: asyncio.Task[BundleInfo]) -> None:
        del self._asking[sources]
        if not task.cancelled():
            task.exception()  # everybody who waited may have left


@asynccontextmanager
async def open_bundling(database_url: SecretStr, *, builders: int) -> AsyncGenerator[Bundling]:
    """A Bundling with a database and ``builders`` child processes of its own.

    Neither Postgres nor its schema need to be there yet. Raises InvalidSettings for what is no URL.
    """
    async with (
        await Database.open(database_url, name="flora-operator") as database,
        Toolchain(ToolLimits(children=builders)) as toolchain,
        Bundling(toolchain, database) as bundling,
    ):
        yield bundling


class _Recent(Generic[V]):
    """Values by hash, up to a total weight; those least used go first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._total = 0
        self._values: OrderedDict[Sha256, tuple[V, int]] = OrderedDict()

    def get(self, key: Sha256) -> V | None:
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def put(self, key: Sha256, value: V, *, weight: int = 1) -> None:
        _, before = self._values.pop(key, (None, 0))
        self._values[key] = (value, weight)
        self._total += weight - before
        while self._total > self._limit:
            _, (_, least) = self._values.popitem(last=False)
            self._total -= least

    def clear(self) -> None:
        self._values.clear()
        self._total = 0


@contextmanager
def _may_be_gone() -> Generator[None]:
    try:
        yield
    except DatabaseError as error:
        raise Unavailable(str(error)) from None


async def _address(project: Project) -> Sha256:
    """A large project is hashed beside the loop, which would stand still for some milliseconds."""
    size = sum(len(text) for files in (project.files, project.dependencies) for text in files.values())
    if size < HASHED_HERE:
        return content_address(project)
    return await asyncio.to_thread(content_address, project)
