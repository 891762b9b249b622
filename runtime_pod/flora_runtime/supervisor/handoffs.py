"""Guilds that leave this pod, come to it, or are forgotten by it.

What should be the case comes with the desired state and may change at any time: a guild has at most one task
here, which works towards what was asked of it last, and goes on trying while that is asked. A task that is no
longer wanted is stopped, and has ended before the next one of its guild begins. Nothing here decides that a
guild has moved: until the other pod is said to have it, its data stays where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import aiohttp

from flora_core.control.handoffs import SHA256_HEADER
from flora_core.errors import FloraError
from flora_core.ids import GuildId, Sha256
from flora_core.streams import BROKEN, Backoff, Token
from flora_core.telemetry import logger
from flora_core.wire.control import Adopted, Assignment, Exported, Forget, Forgotten
from flora_runtime.kv import transfer
from flora_runtime.kv.database import Database
from flora_runtime.kv.service import KvService
from flora_runtime.supervisor import metrics
from flora_runtime.supervisor.crons import CronClock
from flora_runtime.supervisor.exports import (
    BadImport,
    Besides,
    Retention,
    Stopped,
    Written,
    import_file,
    write_export,
)

POLL_SECONDS: Final = 0.01
PIECE_BYTES: Final = 1 << 20
"""Of a file at a time; a thread's turn each, because a disk may hang."""

SETTLE_SECONDS: Final = 5.0
"""How long KV calls that were made get to be answered before the guild's values are read."""

SILENCE_SECONDS: Final = 30.0
"""A transfer of which nothing comes for this long is begun anew."""

RETENTION_POLL_SECONDS: Final = 600.0
_TRANSFER: Final = aiohttp.ClientTimeout(total=None, connect=5.0, sock_read=SILENCE_SECONDS)

T = TypeVar("T")
_log = logger(__name__)


class Refused(FloraError):
    """The other side will not have it, now or ever."""


class Host(Protocol):
    """What the pod does to its guilds."""

    def parked(self, guild: str) -> bool:
        """Whether events of it came while it was not loaded."""
        ...

    def occupied(self, guild: str) -> bool:
        """Whether something of it waits, is handled, or is asked of Discord."""
        ...

    def pause(self, guild: str) -> None:
        """Start none of its jobs any more; what they are planned for is kept."""
        ...

    def let_go(self, guild: str) -> Besides:
        """Unload it and keep its data; what it has besides its values and its jobs' plans."""
        ...

    def load(self, assignment: Assignment, *, handoff: str, besides: Besides) -> None:
        """Run it, but none of its jobs."""
        ...

    def report(self, report: Exported | Adopted | Forgotten) -> None: ...

    def erase(self, guild: str) -> None:
        """Forget what is kept of it besides its values."""
        ...


class Handoffs:
    """``tasks`` owns what goes on; belongs to its loop."""

    def __init__(
        self,
        url: str,
        folder: Path,
        host: Host,
        crons: CronClock,
        kv: KvService,
        *,
        token: Token,
        patience: float,
    ) -> None:
        """``patience``: seconds that a guild's running handlers get before it leaves."""
        self._url = f"{url}/v1/handoffs"
        self._folder = folder / "handoffs"
        self._retention = Retention(folder / "retained")
        self._host = host
        self._crons = crons
        self._kv = kv
        self._token = token
        self._patience = patience
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._leaving: dict[str, str] = {}
        self._adopting: dict[str, tuple[str, Assignment]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._session: aiohttp.ClientSession | None = None

    def start(self, tasks: asyncio.TaskGroup, session: aiohttp.ClientSession) -> None:
        """Begin to work, in ``tasks``."""
        self._group, self._session = tasks, session
        for left in self._folder.glob("*.ndjson*"):
            left.unlink(missing_ok=True)
        tasks.create_task(self._keep_house())

    @property
    def guilds(self) -> set[str]:
        """Those that leave or come, or have left or come and wait to be told that it was for good."""
        return {*self._leaving, *self._adopting}

    def moving(self, guild: str) -> bool:
        """Whether ``guild``'s data may not be changed by anybody but its script."""
        return guild in self._leaving or guild in self._adopting

    def handoff_of(self, guild: str) -> str:
        """The handoff by which ``guild`` came, as long as that may be undone; else empty."""
        return self._adopting[guild][0] if guild in self._adopting else ""

    # ---------------------------------------------------------------- asked by the desired state

    def leave(self, assignment: Assignment, handoff: str) -> None:
        """Stop it, hand over its data, and wait."""
        guild = assignment.guild
        if self._leaving.get(guild) == handoff:
            return
        self._adopting.pop(guild, None)
        self._leaving[guild] = handoff
        self._begin(guild, lambda: self._leave(assignment, handoff))

    def adopt(self, assignment: Assignment, handoff: str) -> None:
        """Fetch its data and load it, and wait."""
        guild = assignment.guild
        known = self._adopting.get(guild)
        if known == (handoff, assignment):
            return
        self._leaving.pop(guild, None)
        self._adopting[guild] = (handoff, assignment)
        self._begin(guild, lambda: self._adopt(GuildId(guild), handoff))

    def stop(self, guild: str) -> None:
        """It neither leaves nor comes: it is here, or it is not."""
        if self.moving(guild) or guild in self._tasks:
            self._leaving.pop(guild, None)
            self._adopting.pop(guild, None)
            self._begin(guild, lambda: self._tidy(guild))

    def forget(self, forget: Forget) -> None:
        """Delete its data."""
        self._begin(forget.guild, lambda: self._forget(forget))

    # ---------------------------------------------------------------- tasks

    def _begin(self, guild: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        earlier = self._tasks.get(guild)
        if earlier is not None:
            earlier.cancel()

        async def run() -> None:
            if earlier is not None:
                await asyncio.wait({earlier})
            try:
                await work()
            finally:
                if self._tasks.get(guild) is asyncio.current_task():
                    del self._tasks[guild]

        assert self._group is not None
        self._tasks[guild] = self._group.create_task(run())

    async def _leave(self, assignment: Assignment, handoff: str) -> None:
        began, guild = time.monotonic(), GuildId(assignment.guild)
        if assignment.bundle and self._host.parked(guild):
            # It was to come back from an earlier handoff, and has not yet.
            self._host.load(assignment, handoff="", besides=Besides())
        self._host.pause(guild)
        while self._host.occupied(guild) and time.monotonic() - began < self._patience:
            await asyncio.sleep(POLL_SECONDS)
        besides = self._host.let_go(guild)
        try:
            async with self._kv.alone(guild):
                written = await self._export(guild, self._file(guild, handoff), besides)
            await self._until_it_works(lambda: self._put(handoff, written))
        except (FloraError, OSError) as error:
            _log.error("export_failed", guild_id=guild, handoff=handoff, error=str(error))
            self._host.report(Exported(guild, handoff, error=str(error) or type(error).__name__))
            return
        metrics.guilds_moved.labels("exported").inc()
        seconds = round(time.monotonic() - began, 3)
        _log.info("guild_exported", guild_id=guild, handoff=handoff, bytes=written.bytes, seconds=seconds)
        self._host.report(Exported(guild, handoff, written.bytes))

    async def _export(self, guild: GuildId, path: Path, besides: Besides) -> Written:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._kv.settled(guild)
        database = self._kv.database

        def work(stop: threading.Event) -> Written:
            besides.crons = self._crons.kept(guild)
            return write_export(path, database, guild, besides, stop=stop)

        return await in_thread(work)

    async def _adopt(self, guild: GuildId, handoff: str) -> None:
        began = time.monotonic()
        try:
            besides = await self._import(guild, handoff)
        except (FloraError, OSError) as error:
            _log.error("import_failed", guild_id=guild, handoff=handoff, error=str(error))
            self._host.report(Adopted(guild, handoff, error=str(error) or type(error).__name__))
            return
        metrics.guilds_moved.labels("imported").inc()
        _log.info(
            "guild_imported", guild_id=guild, handoff=handoff, seconds=round(time.monotonic() - began, 3)
        )
        assignment = self._adopting[guild][1]
        if assignment.bundle:
            self._host.load(assignment, handoff=handoff, besides=besides)
        else:
            self._host.report(Adopted(guild, handoff))

    async def _import(self, guild: GuildId, handoff: str) -> Besides:
        database = await self._until_it_works(self._database)
        if await asyncio.to_thread(transfer.imported, database, guild) == handoff:
            return Besides()
        path = self._file(guild, handoff)

        def work(stop: threading.Event) -> Besides:
            return import_file(
                path,
                database,
                guild,
                tag=handoff,
                keep=lambda besides: self._crons.keep(guild, besides.crons),
                stop=stop,
            )

        try:
            await self._until_it_works(lambda: self._get(handoff, path))
            async with self._kv.alone(guild):
                return await in_thread(work)
        finally:
            path.unlink(missing_ok=True)

    async def _database(self) -> Database:
        return self._kv.database

    async def _forget(self, forget: Forget) -> None:
        guild = GuildId(forget.guild)
        await self._until_it_works(lambda: self._erase(guild, forget.retain_hours))
        self._host.report(Forgotten(guild))
        metrics.guilds_moved.labels("forgotten").inc()
        _log.info("guild_forgotten", guild_id=guild, retained_hours=forget.retain_hours)

    async def _erase(self, guild: GuildId, retain_hours: float) -> None:
        await self._tidy(guild)
        database = self._kv.database
        async with self._kv.alone(guild):
            if retain_hours:
                await self._export(guild, self._retention.file(guild, hours=retain_hours), Besides())
            await in_thread(lambda _stop: transfer.wipe(database, guild))
        self._host.erase(guild)

    async def _tidy(self, guild: str) -> None:
        for left in self._folder.glob(f"{guild}.*"):
            left.unlink(missing_ok=True)

    async def _keep_house(self) -> None:
        while True:
            await asyncio.to_thread(self._retention.expire, time.time())
            await asyncio.sleep(RETENTION_POLL_SECONDS)

    # ---------------------------------------------------------------- transfers

    async def _until_it_works(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Try again whatever may pass; Refused and BadImport do not."""
        backoff = Backoff()
        while True:
            try:
                return await work()
            except (Refused, BadImport):
                raise
            except BROKEN as error:
                _log.info("handoff_waits", error=str(error) or type(error).__name__)
            await backoff.pause()

    async def _put(self, handoff: str, written: Written) -> None:
        assert self._session is not None
        headers = {SHA256_HEADER: written.sha256, **self._token.headers()}
        async with self._session.put(
            f"{self._url}/{handoff}", data=_pieces(written.path), headers=headers, timeout=_TRANSFER
        ) as response:
            await _check(response)

    async def _get(self, handoff: str, path: Path) -> None:
        assert self._session is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        async with self._session.get(
            f"{self._url}/{handoff}", headers=self._token.headers(), timeout=_TRANSFER
        ) as response:
            await _check(response)
            expected = Sha256(response.headers.get(SHA256_HEADER, ""))
            hashed = hashlib.sha256()
            with path.open("wb") as file:
                async for chunk in response.content.iter_chunked(PIECE_BYTES):
                    hashed.update(chunk)
                    file.write(chunk)
        if hashed.hexdigest() != expected:
            raise FloraError("what came has another SHA-256")

    def _file(self, guild: str, handoff: str) -> Path:
        return self._folder / f"{guild}.{handoff}.ndjson"


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece


async def _check(response: aiohttp.ClientResponse) -> None:
    """Raises Refused for an answer that stays the same, FloraError for one that may not."""
    if response.status < 300:
        return
    text = f"the operator answered {response.status}: {(await response.text())[:200].strip()}"
    raise Refused(text) if response.status in (413, 422, 507) else FloraError(text)


async def in_thread(work: Callable[[threading.Event], T]) -> T:
    """Do ``work`` beside the loop; a cancellation asks it to stop, and waits until it has."""
    stop = threading.Event()
    running = asyncio.ensure_future(asyncio.to_thread(work, stop))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        with contextlib.suppress(Stopped, FloraError, OSError):
            await running
        raise
