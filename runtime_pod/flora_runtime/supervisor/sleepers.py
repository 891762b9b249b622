"""What is kept of a guild that sleeps, so that the next process of this pod lets it sleep on.

A pod that starts would otherwise have to load thousands of scripts only to hear what they handle. A guild
that slept when the last process ended has a small file with what its script said of itself; it is taken when
the guild should still run the same bundle with the same SDK. A guild that wakes loses its file.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from flora_core.assets import PRELUDE, asset
from flora_core.files import CannotRead, read_kept, write_whole
from flora_core.telemetry import logger
from flora_core.wire.control import Assignment
from flora_core.wire.pipe import LoadedIn

WRITE_SECONDS: Final = 0.2

_log = logger(__name__)


class Kept(Struct, frozen=True):
    """One file."""

    bundle: str
    sdk: str
    """SHA-256 of the prelude: another one may hear something else in the same script."""
    declared: LoadedIn


class Sleepers:
    """One file a guild. Belongs to the loop it runs in; only ``run`` and what is told by name touches the
    disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sdk = hashlib.sha256(asset(PRELUDE).read_bytes()).hexdigest()
        self._kept: dict[str, Kept] = {}
        self._unwritten: dict[str, Kept | None] = {}
        self._files: set[str] = set()

    def recall(self) -> None:
        """Read what an earlier process left. Blocks."""
        for file in self._folder.glob("*.json"):
            self._files.add(file.stem)
            try:
                kept = read_kept(file, Kept)
            except CannotRead as error:
                _log.warning("sleeper_unreadable", guild_id=file.stem, error=str(error))
                continue
            if kept is not None and kept.sdk == self._sdk:
                self._kept[file.stem] = kept

    def take(self, assignment: Assignment) -> LoadedIn | None:
        """What the script of a guild that still sleeps said; None when it has to be loaded. Told once."""
        kept = self._kept.pop(assignment.guild, None)
        if kept is None or kept.bundle != assignment.bundle or not assignment.hibernates:
            self.woke(assignment.guild)
            return None
        return kept.declared

    def slept(self, guild: str, bundle: str, declared: LoadedIn) -> None:
        """``guild`` has given its isolate back."""
        self._unwritten[guild] = Kept(bundle, self._sdk, declared)

    def woke(self, guild: str) -> None:
        """``guild`` has an isolate, or is not here any more."""
        if guild in self._files or guild in self._unwritten:
            self._unwritten[guild] = None

    async def run(self) -> None:
        """Write until cancelled, and then what is left."""
        try:
            while True:
                await asyncio.sleep(WRITE_SECONDS)
                while self._unwritten:
                    guild, kept = self._unwritten.popitem()
                    await asyncio.to_thread(self._write, guild, kept)
        finally:
            for guild, kept in self._unwritten.items():
                self._write(guild, kept)

    def _write(self, guild: str, kept: Kept | None) -> None:
        file = self._folder / f"{guild}.json"
        try:
            if kept is None:
                file.unlink(missing_ok=True)
                self._files.discard(guild)
            else:
                write_whole(file, msgspec.json.encode(kept))
                self._files.add(guild)
        except OSError as error:
            _log.warning("sleeper_not_kept", guild_id=guild, error=str(error))
