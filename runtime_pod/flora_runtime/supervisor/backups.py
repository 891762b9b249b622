"""Backups of a guild's values, as its admins make them, and the way back.

A backup is an export (``flora_core.wire.export``) of a snapshot: the script goes on meanwhile, and what it
writes from then on is not in it. It lies on the pod's volume, and goes with the guild's data: not to another
pod, and not beyond the guild's deletion. The newest ``KEPT`` of each guild are kept.

A restore goes in three steps. What came up is kept as a file, and from it (and from what there is, when
both are to be merged) another is made that has all the guild will have: what is wrong is found by then, and
nothing has changed. Then the values are replaced by what that file has, and from the first write on there is
no way back: the database remembers the file, the guild's calls wait, and the work is done again until it came
through, by this process or the next (``transfer.restore``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from flora_core.control.handoffs import EXPORT_LIMIT
from flora_core.errors import FloraError
from flora_core.ids import GuildId, Sha256
from flora_core.serving import Body, read_upload
from flora_core.telemetry import logger
from flora_core.window import SlidingWindow
from flora_core.wire.export import ExportedEntry
from flora_core.wire.guilds import BackupRow, Restored
from flora_runtime.kv import transfer
from flora_runtime.kv.database import Database, KvUnavailable
from flora_runtime.kv.service import KvService
from flora_runtime.kv.transfer import BadImport, OverQuota, Stopped
from flora_runtime.supervisor.exports import Besides, encode_lines, read_entries, write_export
from flora_runtime.supervisor.handoffs import in_thread

Mode = Literal["merge", "replace"]

KEPT: Final = 10
"""Backups of one guild; the oldest goes when there is one more."""

EVERY_SECONDS: Final = 10.0
"""A guild may have one made so often, and be restored so often."""

ROOM_BYTES: Final = 256 << 20
"""What has to be free on the volume afterwards, for everybody's values."""

SETTLE_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 5.0
WRITE_BYTES: Final = 1 << 20

_NAME: Final = re.compile(r"([0-9]{1,16}-[0-9a-f]{8})\.([0-9]{1,12})\.([0-9a-f]{64})\.ndjson")

_log = logger(__name__)


class Busy(FloraError):
    """Too soon after the last time; or another is under way."""

    def __init__(self, text: str, *, retry_after: float) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Elsewhere(FloraError):
    """The guild has left this pod, or is about to."""


class NoRoom(FloraError):
    """The volume has no room for it."""


class TooLong(FloraError):
    """What came up is more than an export can be."""


@dataclass(slots=True, frozen=True)
class Backup:
    """One that is kept."""

    path: Path
    id: str
    keys: int
    sha256: Sha256
    bytes: int

    @property
    def row(self) -> BackupRow:
        """As it is told."""
        return BackupRow(self.id, self.bytes, self.keys, int(self.id.partition("-")[0]))


class Backups:
    """One a pod. ``run`` finishes restores that did not come through."""

    def __init__(
        self,
        folder: Path,
        kv: KvService,
        *,
        here: Callable[[GuildId], bool],
        every: float = EVERY_SECONDS,
        kept: int = KEPT,
    ) -> None:
        """``here`` says whether a guild is this pod's, and does not leave."""
        self._folder = folder
        self._here = here
        self._kv = kv
        self._every = every
        self._kept = kept
        self._paces: dict[tuple[GuildId, str], SlidingWindow] = {}
        self._working: set[GuildId] = set()

    async def run(self) -> None:
        """Work until cancelled."""
        await asyncio.to_thread(self._tidy)
        while True:
            for guild in list(self._kv.unfinished):
                async with self._kv.alone(guild, finishing=True):
                    await self._finish(guild)
            await asyncio.sleep(AGAIN_SECONDS)
            now = time.monotonic()
            for key in [key for key, pace in self._paces.items() if not pace.count(now)]:
                del self._paces[key]

    # ---------------------------------------------------------------- kept

    async def create(self, guild: GuildId) -> Backup:
        """Make one. Raises Busy, Elsewhere, NoRoom, KvUnavailable or OSError."""
        with self._one_of(guild, "backup"):
            async with self._kv.alone(guild):
                self._check_here(guild)
                with contextlib.suppress(TimeoutError):  # what was asked before is in it
                    async with asyncio.timeout(SETTLE_SECONDS):
                        await self._kv.settled(guild)
                backup = await in_thread(lambda stop: self._write(guild, stop))
        _log.info("backup_made", guild_id=guild, backup=backup.id, bytes=backup.bytes, keys=backup.keys)
        return backup

    def kept(self, guild: GuildId) -> list[Backup]:
        """Those there are, newest first. Blocks."""
        found: list[Backup] = []
        for path in self._of(guild).glob("*.ndjson"):
            name = _NAME.fullmatch(path.name)
            if name is not None:
                with contextlib.suppress(FileNotFoundError):  # the oldest may go meanwhile
                    size = path.stat().st_size
                    found.append(Backup(path, name[1], int(name[2]), Sha256(name[3]), size))
        return sorted(found, key=lambda backup: backup.row.at, reverse=True)

    def find(self, guild: GuildId, id_: str) -> Backup | None:
        """That one; None when there is none. Blocks."""
        return next((backup for backup in self.kept(guild) if backup.id == id_), None)

    def delete(self, guild: GuildId, id_: str) -> bool:
        """Whether there was such a one to delete. Blocks."""
        backup = self.find(guild, id_)
        if backup is not None:
            backup.path.unlink(missing_ok=True)
        return backup is not None

    def forget(self, guild: GuildId) -> None:
        """Delete all that is kept of ``guild``; its data is gone. Blocks."""
        shutil.rmtree(self._of(guild), ignore_errors=True)

    def _write(self, guild: GuildId, stop: threading.Event) -> Backup:
        database = self._kv.database
        with database.snapshot() as snapshot:
            self._check_room(transfer.size(snapshot, guild))
            id_ = f"{time.time_ns() // 1_000_000}-{secrets.token_hex(4)}"
            written = write_export(self._of(guild) / f"{id_}.new", snapshot, guild, Besides(), stop=stop)
        path = written.path.with_name(f"{id_}.{written.entries}.{written.sha256}.ndjson")
        written.path.replace(path)
        for old in self.kept(guild)[self._kept :]:
            old.path.unlink(missing_ok=True)
        return Backup(path, id_, written.entries, written.sha256, written.bytes)

    # ---------------------------------------------------------------- back

    async def restore(self, guild: GuildId, body: Body, mode: Mode) -> Restored:
        """Give ``guild`` the values that ``body`` brings, beside those it has or in their place.

        Raises BadImport, OverQuota, Busy, Elsewhere, NoRoom, TooLong, TimeoutError or OSError, and then
        nothing has changed; KvUnavailable, and then it is finished as soon as it can be, once it began.
        """
        with self._one_of(guild, "restore"):
            folder = self._of(guild)
            name = f"restore-{secrets.token_hex(4)}"
            came, result = folder / f"{name}.came", folder / f"{name}.result"
            try:
                await self._take(body, came)
                async with self._kv.alone(guild):  # a move that begins now waits
                    self._check_here(guild)
                    return await self._restore(guild, came, result, mode)
            finally:
                came.unlink(missing_ok=True)
                if self._kv.unfinished.get(guild) != result.name:
                    result.unlink(missing_ok=True)

    async def _restore(self, guild: GuildId, came: Path, result: Path, mode: Mode) -> Restored:
        self._kv.hold(guild)
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._kv.settled(guild)
            database = self._kv.database
            keys = await in_thread(lambda stop: self._prepare(database, guild, came, result, mode, stop))
        except TimeoutError:
            raise KvUnavailable("kv does not answer now; nothing was changed") from None
        else:
            self._kv.unfinished[guild] = result.name  # from here on it goes through
            if not await self._finish(guild):
                text = "kv cannot be written now; the restore is finished as soon as it can be"
                raise KvUnavailable(text)
        finally:
            if guild not in self._kv.unfinished:
                self._kv.let_go(guild)
        _log.info("guild_restored", guild_id=guild, keys=keys, mode=mode)
        return Restored(keys)

    def _prepare(
        self,
        database: Database,
        guild: GuildId,
        came: Path,
        result: Path,
        mode: Mode,
        stop: threading.Event,
    ) -> int:
        """Write the file that has all the guild will have; how many keys of it came."""
        now = int(time.time() * 1000)
        count = 0

        def new() -> Iterable[ExportedEntry]:
            nonlocal count
            for entry in read_entries(file, guild):
                if not 0 < entry.expires <= now:
                    count += 1
                    yield entry
                if stop.is_set():
                    raise Stopped

        with came.open("rb") as file, database.snapshot() as snapshot:
            self._check_room(came.stat().st_size + transfer.size(snapshot, guild))
            entries = new()
            if mode == "merge":
                entries = transfer.merged(transfer.entries(snapshot, guild, stop=stop), entries)
            with result.open("wb", buffering=WRITE_BYTES) as out:
                out.writelines(encode_lines(guild, transfer.checked(guild, entries)))
                out.flush()
                os.fsync(out.fileno())
        _sync_folder(result.parent)
        return count

    async def _finish(self, guild: GuildId) -> bool:
        """Do what ``unfinished`` says of ``guild``; whether it is through."""
        name = self._kv.unfinished.get(guild)
        if name is None:
            return True
        path = self._of(guild) / name

        def work(stop: threading.Event) -> None:
            try:
                file = path.open("rb")
            except FileNotFoundError:
                _log.error("restore_lost", guild_id=guild, file=name)
                transfer.abandon_restore(self._kv.database, guild)
                return
            with file:
                transfer.restore(self._kv.database, guild, read_entries(file, guild), file=name, stop=stop)

        try:
            await in_thread(work)
        except (KvUnavailable, BadImport, Stopped, OSError) as error:
            _log.error("restore_unfinished", guild_id=guild, error=str(error) or type(error).__name__)
            return False
        self._kv.let_go(guild)
        path.unlink(missing_ok=True)
        return True

    async def _take(self, body: Body, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        size = 0
        with path.open("wb") as file:
            async for data in read_upload(body):
                size += len(data)
                if size > EXPORT_LIMIT:
                    raise TooLong(f"an export has at most {EXPORT_LIMIT >> 20} MiB")
                self._check_room(len(data))
                await asyncio.to_thread(file.write, data)

    # ---------------------------------------------------------------- rules

    @contextlib.contextmanager
    def _one_of(self, guild: GuildId, what: str) -> Generator[None]:
        if guild in self._working:
            raise Busy("another backup or restore of this guild goes on; wait for it", retry_after=1.0)
        now = time.monotonic()
        pace = self._paces.setdefault((guild, what), SlidingWindow(1, seconds=self._every))
        wait = pace.opens_at(now) - now
        if wait > 0:
            raise Busy(f"one {what} of a guild in {self._every:g} s; retry later", retry_after=round(wait, 3))
        pace.mark(now)
        self._working.add(guild)
        try:
            yield
        finally:
            self._working.discard(guild)

    def _check_here(self, guild: GuildId) -> None:
        if not self._here(guild):
            raise Elsewhere(f"guild {guild} is moving to another pod; try again in a moment")

    def _check_room(self, needed: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self._folder).free < needed + ROOM_BYTES:
            raise NoRoom("the pod's volume has no room for it; delete backups, or have the volume enlarged")

    def _of(self, guild: GuildId) -> Path:
        return self._folder / guild

    def _tidy(self) -> None:
        """Delete what an earlier process left half done. Blocks."""
        wanted = {self._of(guild) / name for guild, name in self._kv.unfinished.items()}
        for pattern in ("*/*.new", "*/*.part", "*/*.came", "*/*.result"):
            for left in self._folder.glob(pattern):
                if left not in wanted:
                    left.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Have the names in ``folder`` on disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


__all__ = ["Backup", "Backups", "BadImport", "Busy", "Elsewhere", "Mode", "NoRoom", "OverQuota", "TooLong"]
