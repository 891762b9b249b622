"""Who follows logs here, and the one reader of Redis that serves them all.

A guild that anybody follows has a ``Room``: its newest lines, in order, and where Redis was read up to. The
reader blocks on the streams of all rooms at once; what it reads goes into the rooms and wakes who follows.
Followers have no queue of their own: each knows how far it is in its room, and takes what is new when it has
sent what it took before. One that is slower than its room is long has missed lines, and is told how many.

Everything belongs to one event loop. A new room makes the reader return early from its blocking call, by an
entry in a stream of this process's own, because a call that blocks cannot be told of another stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from prometheus_client import Counter, Gauge
from pydantic import SecretStr
from redis.asyncio import Redis

from flora_api.errors import TooMany
from flora_api.logs.lines import Line, Place, show
from flora_api.logs.store import AWAY, CONNECT_SECONDS, LogStore, place_of, read_line, stream_of
from flora_core.ids import GuildId
from flora_core.streams import Backoff
from flora_core.telemetry import logger

ROOM_LINES: Final = 2000
ROOM_BYTES: Final = 4 << 20
LINES_AT_ONCE: Final = 500
"""Lines of a guild in one read, and in one piece for a follower."""

FOLLOWERS_A_GUILD: Final = 250
FOLLOWERS: Final = 2000
"""Of one replica."""

BLOCK_SECONDS: Final = 5.0
GATHER_SECONDS: Final = 0.04
"""Between reads: a line that comes alone is sent at once, many come together, and all who follow are woken
for them together."""

_following = Gauge("flora_api_log_followers", "Who follows logs")
_missed = Counter("flora_api_log_lines_missed_total", "Lines that came too fast for a follower")

_log = logger(__name__)


class Room:
    """The newest lines of a guild, numbered from the room's first."""

    def __init__(self, read_up_to: Place) -> None:
        self.read_up_to = read_up_to
        self.followers = 0
        self.first = 0
        """Number of the oldest line that is here."""
        self.lines: list[Line] = []
        self._size = 0
        self._added = asyncio.Event()

    @property
    def end(self) -> int:
        """Number of the next line to come."""
        return self.first + len(self.lines)

    def add(self, lines: Sequence[Line]) -> None:
        """What came; the oldest go when there are too many."""
        if not lines:
            return
        self.read_up_to = lines[-1].place
        self.lines.extend(lines)
        self._size += sum(len(line.event) for line in lines)
        self._trim()
        self.wake()

    def _trim(self) -> None:
        gone = max(0, len(self.lines) - ROOM_LINES)
        self._size -= sum(len(line.event) for line in self.lines[:gone])
        while self._size > ROOM_BYTES and gone < len(self.lines) - 1:
            self._size -= len(self.lines[gone].event)
            gone += 1
        del self.lines[:gone]
        self.first += gone

    def wake(self) -> None:
        """Have everybody look."""
        added, self._added = self._added, asyncio.Event()
        added.set()

    async def wait(self) -> None:
        """Return when there may be something new."""
        await self._added.wait()


class Follower:
    """One who follows, and how far he is."""

    def __init__(self, room: Room, closing: asyncio.Event) -> None:
        self._room = room
        self._next = room.end
        self._closing = closing

    @property
    def closing(self) -> bool:
        """Whether this process stops: nothing more comes."""
        return self._closing.is_set()

    def take(self) -> tuple[int, list[Line]]:
        """How many lines were missed, and what comes then; no more than are sent at once."""
        room = self._room
        missed = max(0, room.first - self._next)
        if missed:
            _missed.inc(missed)
            self._next = room.first
        begin = self._next - room.first
        lines = room.lines[begin : begin + LINES_AT_ONCE]
        self._next += len(lines)
        return missed, lines

    async def wait(self, *, seconds: float) -> None:
        """Return when there is something to take, or after ``seconds``."""
        if self._next < self._room.end or self.closing:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._room.wait()


class Followers:
    """``run`` reads until cancelled; ``stop`` before that ends every stream."""

    def __init__(self, url: SecretStr, store: LogStore) -> None:
        self._redis = Redis.from_url(
            url.get_secret_value(),
            socket_timeout=BLOCK_SECONDS + CONNECT_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
            protocol=2,
        )
        self._store = store
        self._rooms: dict[GuildId, Room] = {}
        self._count = 0
        self._wanted = asyncio.Event()
        self._closing = asyncio.Event()
        self._nudge_key = f"flora:logs:nudge:{secrets.token_hex(8)}"
        self._nudged: Place = (0, 0)
        self._away = False

    def check_room(self, guild: GuildId) -> None:
        """Raises TooMany when there is no room for one more."""
        room = self._rooms.get(guild)
        if self._count >= FOLLOWERS or (room is not None and room.followers >= FOLLOWERS_A_GUILD):
            raise TooMany(
                "too many follow this log already; end one, or ask for its lines without following",
                code="TOO_MANY_FOLLOWERS",
                retry_after=30,
            )

    @asynccontextmanager
    async def follow(self, guild: GuildId) -> AsyncGenerator[Follower]:
        """Follow from now on. Raises LogsUnavailable."""
        room = self._rooms.get(guild) or await self._open(guild)
        room.followers += 1
        self._count += 1
        _following.set(self._count)
        try:
            yield Follower(room, self._closing)
        finally:
            room.followers -= 1
            self._count -= 1
            _following.set(self._count)
            if not room.followers and self._rooms.get(guild) is room:
                del self._rooms[guild]

    def stop(self) -> None:
        """End every stream: whoever follows comes back to another replica."""
        self._closing.set()
        for room in self._rooms.values():
            room.wake()

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()

    async def run(self) -> None:
        """Read until cancelled."""
        backoff = Backoff()
        while True:
            await self._wanted.wait()
            try:
                await self._read()
            except AWAY as error:
                self._say(error)
                await backoff.pause()
            else:
                self._say(None)
                backoff.reset()
                await asyncio.sleep(GATHER_SECONDS)

    async def _open(self, guild: GuildId) -> Room:
        top = await self._store.top(guild)
        room = self._rooms.get(guild)
        if room is None:
            room = self._rooms[guild] = Room(top)
            room.followers += 1  # so that it is still there when the reader was nudged
            try:
                self._wanted.set()
                await self._store.nudge(self._nudge_key)
            finally:
                room.followers -= 1
                if not room.followers and self._rooms.get(guild) is room:
                    del self._rooms[guild]
            self._rooms[guild] = room
        return room

    async def _read(self) -> None:
        """What came in any room, as soon as there is something."""
        if not self._rooms:
            self._wanted.clear()
            return
        rooms = {stream_of(guild).encode(): room for guild, room in self._rooms.items()}
        streams: dict[Any, Any] = {key: show(room.read_up_to) for key, room in rooms.items()}
        streams[self._nudge_key.encode()] = show(self._nudged)
        reply: Any = await self._redis.xread(streams, count=LINES_AT_ONCE, block=int(BLOCK_SECONDS * 1000))
        for key, entries in reply or []:
            room = rooms.get(key)
            if room is not None:
                room.add([read_line(id_, fields) for id_, fields in entries])
            elif entries:
                self._nudged = place_of(entries[-1][0])

    def _say(self, error: Exception | None) -> None:
        if (error is not None) == self._away:
            return
        self._away = error is not None
        if error is not None:
            _log.warning("followers_without_redis", error=type(error).__name__)
        else:
            _log.info("followers_with_redis_again")
