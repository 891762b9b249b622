"""What is read most, as the bytes that are sent: what is deployed, and pages of the history.

Postgres is asked for all who ask at the same moment together, and writes the JSON of a page itself. The files
of a revision never change, so they are kept as they are shown, the newest asked for, up to ``FILES_BYTES``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from flora_api.deployments.history import Good, History
from flora_api.deployments.models import shown_files, shown_time
from flora_api.deployments.observed import Observed
from flora_api.errors import NotFound
from flora_api.together import Together
from flora_core.ids import GuildId

FILES_BYTES: Final = 16 << 20
PAGE: Final = 25
AT_ONCE: Final = 2
"""Connections that reads of one kind take at most."""

After = tuple[datetime, UUID]


class _Asked(NamedTuple):
    guild: GuildId
    limit: int
    after: After | None


class Reads:
    """All methods raise ApiError or DatabaseError."""

    def __init__(self, history: History, observed: Observed) -> None:
        self._history = history
        self._observed = observed
        self._good = Together[GuildId, Good | None](history.good_ones, at_once=AT_ONCE)
        self._pages = Together[_Asked, bytes](self._ask_pages, most=20, at_once=AT_ONCE)
        self._files = OrderedDict[UUID, bytes]()
        self._size = 0

    async def deployment(self, guild: GuildId) -> bytes:
        """The last successful revision, with its sources."""
        good = await self._good.ask(guild)
        if good is None or not self._observed.is_deployed(guild):
            raise nothing_deployed(guild)
        files = self._files.get(good.id)
        if files is None:
            files = self._keep(good.id, _shown(await self._history.files(good.id)))
        else:
            self._files.move_to_end(good.id)
        at = shown_time(good.created)
        return b'{"guild_id":"%b","entry":%b,"revision_id":"%b","created_at":"%b","updated_at":"%b"%b}' % (
            guild.encode(),
            msgspec.json.encode(good.entry),
            str(good.id).encode(),
            (self._observed.created(guild) or at).encode(),
            at.encode(),
            files,
        )

    async def page(self, guild: GuildId, *, limit: int = PAGE, after: After | None = None) -> bytes:
        """Revisions, newest first, from behind ``after``."""
        return await self._pages.ask(_Asked(guild, limit, after))

    async def _ask_pages(self, asked: Sequence[_Asked]) -> Sequence[bytes]:
        return await self._history.shown_pages(asked)

    def _keep(self, revision: UUID, files: bytes) -> bytes:
        if revision not in self._files:
            self._files[revision] = files
            self._size += len(files)
            while self._size > FILES_BYTES:
                _, oldest = self._files.popitem(last=False)
                self._size -= len(oldest)
        return files


def _shown(files: dict[str, str] | None) -> bytes:
    """The field as it stands in the answer; nothing when the sources are not known."""
    if files is None:
        return b""
    return b',"files":%b' % msgspec.json.encode(
        [{"path": file.path, "contents": file.contents} for file in shown_files(files) or []]
    )


def nothing_deployed(guild: GuildId) -> NotFound:
    """No script is the guild's."""
    return NotFound(f"nothing is deployed to guild {guild}; flora deploy does that", code="NOT_DEPLOYED")
