"""What somebody who follows a log is sent: ``text/event-stream`` (HTML, server-sent events).

First what was there, then what comes, each line once and in order. Lines that came while the first part was
read are in both; ids tell. A stream ends by itself after a while: whoever comes back with ``Last-Event-ID``
goes on where he was, and is asked anew who he is and whether he still may.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final

from flora_api.logs.followers import Follower, Followers
from flora_api.logs.lines import FIRST, Line, Place, Wanted
from flora_api.logs.store import PAGE, LogStore, LogsUnavailable
from flora_core.ids import GuildId

BEAT_SECONDS: Final = 10.0
"""Proxies end what is silent for a minute, some for half of one."""

STREAM_SECONDS: Final = 600.0

RETRY: Final = b"retry: 1000\n\n"
BEAT: Final = b": beat\n\n"


@dataclass(frozen=True, slots=True)
class Following:
    """What somebody wants to follow."""

    guild: GuildId
    wanted: Wanted
    backfill: int = 0
    """The newest so many lines come first."""
    after: Place | None = None
    """Or all behind this one."""


async def events(
    followers: Followers, store: LogStore, what: Following, *, seconds: float = STREAM_SECONDS
) -> AsyncGenerator[bytes]:
    """The stream's pieces. Ends after ``seconds``, when this process stops, or when Redis is away."""
    yield RETRY
    ends = time.monotonic() + seconds
    try:
        async with followers.follow(what.guild) as follower:
            last = what.after or FIRST
            async for lines in _before(store, what):
                last = lines[-1].place
                if sent := _join(lines, what.wanted):
                    yield sent
            async for piece in _live(follower, what.wanted, last, ends):
                yield piece
    except LogsUnavailable:
        return


async def _before(store: LogStore, what: Following) -> AsyncGenerator[list[Line]]:
    """Pages of what is there already; none is empty."""
    if what.after is None:
        lines = await store.newest(what.guild, what.wanted, what.backfill) if what.backfill else []
        if lines:
            yield lines
        return
    after = what.after
    while page := await store.behind(what.guild, after, Wanted(), PAGE):
        yield page
        after = page[-1].place


async def _live(follower: Follower, wanted: Wanted, last: Place, ends: float) -> AsyncGenerator[bytes]:
    beat_at = time.monotonic() + BEAT_SECONDS
    while not follower.closing and time.monotonic() < ends:
        missed, lines = follower.take()
        piece = b'event: missed\ndata: {"missed":%d}\n\n' % missed if missed else b""
        if lines and lines[0].place <= last:  # they were among those that were there
            lines = [line for line in lines if line.place > last]
        piece += _join(lines, wanted)
        if not piece and time.monotonic() >= beat_at:
            piece = BEAT
        if piece:
            yield piece
            beat_at = time.monotonic() + BEAT_SECONDS
        await follower.wait(seconds=max(0.0, min(beat_at, ends) - time.monotonic()))


def _join(lines: Sequence[Line], wanted: Wanted) -> bytes:
    if wanted.everything:  # the same bytes for many
        return b"".join([line.event for line in lines])
    return b"".join([line.event for line in lines if wanted.takes(line)])
