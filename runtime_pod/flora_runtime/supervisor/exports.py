"""Files with all of a guild's data: what a handoff carries from pod to pod, and what a pod retains.

The format is ``flora_core.wire.export``. A file is written whole or not at all. Everything here blocks.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from flora_core.errors import FrameTooLarge, WireError
from flora_core.ids import GuildId, Sha256
from flora_core.telemetry import logger
from flora_core.wire.export import (
    EXPORT_LINE_LIMIT,
    VERSION,
    Export,
    ExportedConduct,
    ExportedCron,
    ExportedEntry,
    ExportedSeen,
    ExportEnd,
    export,
)
from flora_runtime.kv import transfer
from flora_runtime.kv.database import Database, Snapshot
from flora_runtime.kv.transfer import BadImport, Stopped
from flora_runtime.supervisor.crons import Plan

WRITE_BYTES: Final = 1 << 20
HOUR_SECONDS: Final = 3600.0

_log = logger(__name__)


class Written(NamedTuple):
    """A file that was written."""

    path: Path
    bytes: int
    sha256: Sha256
    entries: int


@dataclass(slots=True)
class Besides:
    """What a guild has besides its values."""

    crons: dict[str, Plan] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    """Discord session -> sequence number of the guild's last event."""
    conduct: ExportedConduct | None = None

    def lines(self) -> Iterator[bytes]:
        """As an export has it."""
        for name, plan in self.crons.items():
            yield export.encode(ExportedCron(name, plan.expression, plan.next, plan.last, plan.skip))
        for session, sequence in self.seen.items():
            yield export.encode(ExportedSeen(session, sequence))
        if self.conduct is not None:
            yield export.encode(self.conduct)


def write_export(
    path: Path, database: Database | Snapshot, guild: GuildId, besides: Besides, *, stop: threading.Event
) -> Written:
    """Write all that ``guild`` has; raises OSError, KvUnavailable or Stopped."""
    part = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    others = list(besides.lines())
    hashed, size, count = hashlib.sha256(), 0, 0
    try:
        with part.open("wb", buffering=WRITE_BYTES) as file:
            entries = transfer.entries(database, guild, stop=stop)
            for line in encode_lines(guild, entries, others):
                hashed.update(line)
                file.write(line)
                size += len(line)
                count += 1
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return Written(path, size, Sha256(hashed.hexdigest()), count - 2 - len(others))


def encode_lines(
    guild: GuildId, entries: Iterable[ExportedEntry], others: Iterable[bytes] = ()
) -> Iterator[bytes]:
    """An export of these ``entries``, line by line; ``others`` are lines of what there is besides."""
    yield export.encode(Export(guild, int(time.time() * 1000)))
    count = 0
    for entry in entries:
        count += 1
        yield export.encode(entry)
    yield from others
    yield export.encode(ExportEnd(count))


def import_file(
    path: Path,
    database: Database,
    guild: GuildId,
    *,
    tag: str,
    keep: Callable[[Besides], None],
    stop: threading.Event,
) -> Besides:
    """Make what the file holds all that ``guild`` has; what there is besides its values.

    ``keep`` gets that too, before the import counts as finished under its ``tag``.
    Raises BadImport, OSError, KvUnavailable or Stopped, and then the guild has nothing.
    """
    besides = Besides()
    with path.open("rb") as file:
        transfer.replace(database, guild, read_entries(file, guild, besides, keep), tag=tag, stop=stop)
    return besides


def read_entries(
    file: BinaryIO,
    guild: GuildId,
    besides: Besides | None = None,
    keep: Callable[[Besides], None] = lambda _besides: None,
) -> Iterator[ExportedEntry]:
    """The entries of an export; what else it has goes into ``besides``, and at the end to ``keep``.

    Raises BadImport for a file that is no export, of another guild, or cut off.
    """
    lines = iter(lambda: file.readline(EXPORT_LINE_LIMIT + 1), b"")
    yield from _entries(lines, guild, besides or Besides(), keep)


def _entries(
    lines: Iterable[bytes], guild: GuildId, besides: Besides, keep: Callable[[Besides], None]
) -> Iterator[ExportedEntry]:
    begun, count = False, 0
    for line in lines:
        if len(line) > EXPORT_LINE_LIMIT:
            raise BadImport(str(FrameTooLarge(len(line), limit=EXPORT_LINE_LIMIT)))
        try:
            frame = export.decode(line)
        except WireError as error:
            raise BadImport(f"line {count + 1}: {error}") from None
        if not begun:
            if not isinstance(frame, Export) or frame.version != VERSION or frame.guild != guild:
                raise BadImport(f"this is no export of guild {guild} in version {VERSION}")
            begun = True
        elif isinstance(frame, ExportedEntry):
            count += 1
            yield frame
        elif isinstance(frame, ExportedCron):
            besides.crons[frame.name] = Plan(frame.expression, frame.next, frame.last, frame.skip)
        elif isinstance(frame, ExportedSeen):
            besides.seen[frame.session] = frame.sequence
        elif isinstance(frame, ExportedConduct):
            besides.conduct = frame
        elif isinstance(frame, ExportEnd):
            if frame.entries != count:
                raise BadImport(f"there are {count} entries instead of {frame.entries}")
            keep(besides)
            return
    raise BadImport("the export was cut off")


class Retention:
    """Exports of guilds that were deleted, each with the time until which it is kept in its name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, guild: GuildId, *, hours: float) -> Path:
        """Where to keep the export of ``guild``."""
        return self._folder / f"{guild}.{int(time.time() + hours * HOUR_SECONDS)}.ndjson"

    def kept(self) -> Mapping[Path, float]:
        """The exports, and until when each is kept; Unix seconds."""
        found: dict[Path, float] = {}
        for path in self._folder.glob("*.*.ndjson"):
            until = path.name.split(".")[1]
            if until.isdigit():
                found[path] = float(until)
        return found

    def expire(self, now: float) -> None:
        """Delete what need not be kept any longer."""
        for path, until in self.kept().items():
            if until < now:
                path.unlink(missing_ok=True)
                _log.info("retained_export_deleted", file=path.name)


__all__ = ["BadImport", "Besides", "Retention", "Stopped", "Written", "import_file", "write_export"]
