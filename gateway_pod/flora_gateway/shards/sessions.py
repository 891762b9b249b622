"""Discord sessions that outlive the process: what a shard needs to RESUME.

The sequence number that is kept is not the last one received but the *low-water mark*: everything up to it
is safe with the runtime pods. After a crash Discord sends the rest again; pods recognise what they have.
Kept in a file, and in a cluster in Redis as well, where the next pod finds it wherever it runs. The file is
what a restarted process has when Redis is gone, or came back empty.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final, Protocol

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from flora_core.files import CannotRead, read_kept, write_whole
from flora_core.telemetry import logger
from flora_core.wire import UNREADABLE
from flora_gateway import metrics

WRITE_SECONDS: Final = 2.0
_AWAY: Final = (RedisError, TimeoutError, OSError)

_log = logger(__name__)


class Session(msgspec.Struct, frozen=True):
    """One shard's session with Discord."""

    session_id: str
    resume_url: str
    sequence: int
    shard_count: int
    """A session belongs to its (shard, count) pair; with another count it cannot be resumed."""


class SessionStore(Protocol):
    """Keeps sessions by shard. Neither method raises: a lost session costs an IDENTIFY, no more."""

    async def load(self, shard: int) -> Session | None: ...

    async def save(self, shard: int, session: Session | None) -> None: ...

    async def close(self) -> None: ...


class FileSessionStore:
    """One small file a shard, replaced by renaming."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def load(self, shard: int) -> Session | None:
        try:
            return read_kept(self._path(shard), Session)
        except CannotRead as error:
            _log.warning("session_not_read", shard=shard, error=str(error))
            return None

    async def save(self, shard: int, session: Session | None) -> None:
        path = self._path(shard)
        try:
            if session is None:
                path.unlink(missing_ok=True)
                return
            write_whole(path, msgspec.json.encode(session))
        except OSError as error:
            _log.warning("session_not_kept", shard=shard, error=str(error))

    async def close(self) -> None:
        pass

    def _path(self, shard: int) -> Path:
        return self._folder / f"session-{shard}.json"


class RedisSessionStore:
    """One key a shard, with an expiry: Discord itself forgets a session within minutes."""

    EXPIRY_SECONDS: Final = 3600

    def __init__(self, url: str, *, application: str) -> None:
        self._redis = Redis.from_url(url, socket_timeout=WRITE_SECONDS, socket_connect_timeout=WRITE_SECONDS)
        self._prefix = f"flora:gateway:{application}:session:"
        self._away = False

    async def load(self, shard: int) -> Session | None:
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                kept = await self._redis.get(f"{self._prefix}{shard}")
            return msgspec.json.decode(kept, type=Session) if kept else None
        except (*_AWAY, *UNREADABLE) as error:
            self._say(error)
            return None

    async def save(self, shard: int, session: Session | None) -> None:
        key = f"{self._prefix}{shard}"
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                if session is None:
                    await self._redis.delete(key)
                else:
                    await self._redis.set(key, msgspec.json.encode(session), ex=self.EXPIRY_SECONDS)
        except _AWAY as error:
            self._say(error)
        else:
            self._say(None)

    async def close(self) -> None:
        await self._redis.aclose()

    def _say(self, error: Exception | None) -> None:
        """Tell that Redis is gone, or back: once, however many calls notice."""
        if error is not None:
            metrics.session_errors.inc()
        if (error is not None) == self._away:
            return
        self._away = error is not None
        if error is not None:
            _log.warning("sessions_without_redis", error=str(error) or type(error).__name__)
        else:
            _log.info("sessions_in_redis_again")


class TwofoldSessionStore:
    """A store for all pods, and a file beside it for the time that store is away."""

    def __init__(self, shared: SessionStore, file: SessionStore) -> None:
        self._shared = shared
        self._file = file

    async def load(self, shard: int) -> Session | None:
        shared, file = await self._shared.load(shard), await self._file.load(shard)
        if shared is None or file is None or shared.session_id != file.session_id:
            return shared or file
        return max(shared, file, key=lambda session: session.sequence)

    async def save(self, shard: int, session: Session | None) -> None:
        await self._file.save(shard, session)
        await self._shared.save(shard, session)

    async def close(self) -> None:
        await self._shared.close()
        await self._file.close()


class LowWater:
    """Up to which sequence number everything of one session is safe. Pure.

    Sequence numbers are opened in ascending order and closed in any; one that was opened n times (an event
    for several pods) is closed n times.
    """

    __slots__ = ("_highest", "_open")

    def __init__(self, sequence: int = 0) -> None:
        self._highest = sequence
        self._open: dict[int, int] = {}

    def passed(self, sequence: int) -> None:
        """An event needs nothing more."""
        self._highest = max(self._highest, sequence)

    def opened(self, sequence: int) -> None:
        """An event waits for a pod's acknowledgement."""
        self._highest = max(self._highest, sequence)
        self._open[sequence] = self._open.get(sequence, 0) + 1

    def closed(self, sequence: int) -> None:
        """A pod has it, or it was given up."""
        left = self._open.get(sequence, 0) - 1
        if left > 0:
            self._open[sequence] = left
        else:
            self._open.pop(sequence, None)

    @property
    def mark(self) -> int:
        """Everything up to and including this is safe."""
        for oldest in self._open:
            return oldest - 1
        return self._highest
