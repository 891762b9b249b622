"""What scripts logged lately: the newest lines of each guild, for the prompt and for the API. No I/O.

Each line has an id, so that one who waits for lines of a run can ask for those behind the last one before.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from flora_core.ids import GuildId
from flora_core.wire.control import LogLine
from flora_core.wire.ndjson import KIND

LINES_KEPT: Final = 1000
"""Of each guild; older ones are forgotten."""


class KeptLine(LogLine, frozen=True, omit_defaults=True, tag_field=KIND, tag="log"):
    """A log line that is kept, and its place: ids grow, over restarts too."""

    id: int = 0


class LogQuery(Struct, frozen=True):
    """Which lines; without anything, all that are kept."""

    limit: int = LINES_KEPT
    """The newest so many."""
    after: int = 0
    """An id: only what came later."""


class LogBook:
    """Belongs to the loop it is used in."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.received = 0
        """Lines so far, of all guilds."""
        self._clock = clock
        self._kept: dict[GuildId, deque[KeptLine]] = {}
        self._last = 0
        self._added = asyncio.Event()
        self._readers: list[Callable[[LogLine], None]] = []

    def pass_on(self, reader: Callable[[LogLine], None]) -> None:
        """Give ``reader`` all lines that are kept, and each that comes, with the time it was written."""
        for kept in sorted(
            (line for lines in self._kept.values() for line in lines), key=lambda line: line.id
        ):
            reader(_plain(kept))
        self._readers.append(reader)

    def add(self, line: LogLine) -> None:
        """Keep a line that a pod sent."""
        self.received += 1
        self.note(line)

    def note(self, line: LogLine) -> None:
        """Keep a line of our own about a guild."""
        now = self._clock()
        self._last = max(self._last + 1, int(now * 1_000_000))
        fields = {**msgspec.structs.asdict(line), "at": line.at or int(now * 1000), "id": self._last}
        kept = KeptLine(**fields)
        self._kept.setdefault(GuildId(line.guild), deque(maxlen=LINES_KEPT)).append(kept)
        for reader in self._readers:
            reader(_plain(kept))
        added, self._added = self._added, asyncio.Event()
        added.set()

    def forget(self, guild: GuildId) -> None:
        """The guild is no longer served."""
        self._kept.pop(guild, None)

    def lines(self, guild: GuildId, query: LogQuery) -> list[KeptLine]:
        """What is kept and asked for, oldest first."""
        found = [line for line in self._kept.get(guild, ()) if line.id > query.after]
        return found[-query.limit :] if query.limit else []

    async def wait(self, ready: Callable[[], bool], *, seconds: float) -> bool:
        """Whether ``ready`` came true within ``seconds``; looked at whenever a line is added."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not ready():
                    await self._added.wait()
        return ready()

    @property
    def newest(self) -> int:
        """Id of the last line, of any guild."""
        return self._last


def _plain(kept: KeptLine) -> LogLine:
    """Without its number."""
    return LogLine(**{name: getattr(kept, name) for name in LogLine.__struct_fields__})
