"""Logs in Redis: a stream a guild, trimmed to a number of lines and an age.

A pod's batch is written by a script, whole or not at all, together with the batch's number: one that comes
again because its answer was lost is recognised, through whichever replica it comes.

A line's id is when Redis got it, its ``timestamp`` when the pod logged it; pods hold lines back while Redis
is away. So ids order lines, and times select them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from prometheus_client import Counter
from pydantic import SecretStr
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from flora_api.errors import Unavailable
from flora_api.logs.lines import EMPTY, FIRST, Line, Place, Wanted, parse_place, show, to_keep
from flora_core.errors import InvalidSettings
from flora_core.ids import GuildId, PodName
from flora_core.telemetry import logger
from flora_core.wire.control import LogLine

T = TypeVar("T")

PAGE: Final = 500
"""Lines of one read: a millisecond of Redis's time."""

LOOKED_AT: Final = 20_000
"""Lines that one question may have looked at, however few are found."""

CONNECTIONS: Final = 16
CALL_SECONDS: Final = 5.0
CONNECT_SECONDS: Final = 2.0

EARLY_MS: Final = 60_000
"""How much a pod's clock may be ahead of Redis's."""

LATE_MS: Final = 3_600_000
"""How much later than it was logged a line may come and still be found by ``until``."""

NUDGE_SECONDS: Final = 60

FIELD: Final = b"l"
AWAY: Final = (RedisError, OSError, TimeoutError)

# KEYS: the mark of the pod's last batch, then streams. ARGV: the batch's mark, lines to keep, the oldest id
# to keep, seconds to live; then the index of a stream and a line, for each line.
_WRITE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return 0 end
for i = 5, #ARGV, 2 do
  redis.call('XADD', KEYS[tonumber(ARGV[i])], 'MAXLEN', '~', ARGV[2], '*', 'l', ARGV[i + 1])
end
for i = 2, #KEYS do
  redis.call('XTRIM', KEYS[i], 'MINID', '~', ARGV[3])
  redis.call('EXPIRE', KEYS[i], ARGV[4])
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', 3600) -- a batch is sent again within seconds
return 1
"""

_written = Counter("flora_api_log_lines_total", "Log lines that were kept")
_repeated = Counter("flora_api_log_batches_repeated_total", "Batches of log lines that had come before")

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of a guild's log is kept."""

    lines: int = 2000
    days: float = 3.0

    @property
    def milliseconds(self) -> int:
        return int(self.days * 86_400_000)


class LogsUnavailable(Unavailable):
    """Redis is away."""

    default_code = "LOGS_UNAVAILABLE"


class LogStore:
    """One a process; ``close`` it."""

    def __init__(self, url: SecretStr, keep: Keep) -> None:
        """Raises InvalidSettings when ``url`` is none."""
        try:
            pool = BlockingConnectionPool.from_url(
                url.get_secret_value(),
                max_connections=CONNECTIONS,
                timeout=CONNECT_SECONDS,
                socket_timeout=CALL_SECONDS,
                socket_connect_timeout=CONNECT_SECONDS,
            )
        except ValueError:
            raise InvalidSettings("API_REDIS_URL should be redis://:password@host:6379/0") from None
        self._redis = Redis(connection_pool=pool)
        self._script = self._redis.register_script(_WRITE)
        self._keep = keep
        self._away = False

    def __repr__(self) -> str:
        return "LogStore(…)"

    async def nudge(self, key: str) -> None:
        """Have whoever blocks on the stream ``key`` return. Raises LogsUnavailable."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.xadd(key, {"n": ""}, maxlen=1, approximate=False)
            pipe.expire(key, NUDGE_SECONDS)
            await self._call(pipe.execute())

    async def close(self) -> None:
        """Close its connections."""
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    @property
    def trouble(self) -> str | None:
        """What is wrong, as far as is known."""
        return "logs: Redis does not answer" if self._away else None

    # ---------------------------------------------------------------- writing

    async def add(self, pod: PodName, lines: Sequence[LogLine], *, mark: str) -> bool:
        """Keep ``lines``, all or none; False when the batch ``mark`` of this pod was kept before.

        Raises LogsUnavailable.
        """
        if not lines:
            return True
        keys = [f"flora:logs:batch:{pod}"]
        index: dict[str, int] = {}
        arguments: list[Any] = [
            mark,
            self._keep.lines,
            self._oldest_id(),
            max(1, self._keep.milliseconds // 1000),
        ]
        for line in lines:
            if line.guild not in index:
                keys.append(stream_of(GuildId(line.guild)))
                index[line.guild] = len(keys)
            arguments += (index[line.guild], to_keep(line))
        new = await self._call(self._script(keys=keys, args=arguments))
        if not new:
            _repeated.inc()
            return False
        _written.inc(len(lines))
        return True

    # ---------------------------------------------------------------- reading

    async def newest(self, guild: GuildId, wanted: Wanted, limit: int) -> list[Line]:
        """The newest ``limit`` lines that are asked for, oldest first. Raises LogsUnavailable."""
        found: list[Line] = []
        async for page in self._backwards(guild, wanted):
            found += filter(wanted.takes, page)
            if len(found) >= limit:
                break
        return found[:limit][::-1]

    async def behind(self, guild: GuildId, after: Place, wanted: Wanted, limit: int) -> list[Line]:
        """The first ``limit`` lines that are asked for behind ``after``. Raises LogsUnavailable."""
        found: list[Line] = []
        for _ in range(LOOKED_AT // PAGE):
            page = await self._range(guild, f"({show(after)}", "+", backwards=False)
            found += filter(wanted.takes, page)
            if len(found) >= limit or len(page) < PAGE:
                break
            after = page[-1].place
        return found[:limit]

    async def top(self, guild: GuildId) -> Place:
        """Where the guild's log ends now. Raises LogsUnavailable."""
        reply: Any = await self._call(self._redis.xrevrange(stream_of(guild), count=1))
        return place_of(reply[0][0]) if reply else FIRST

    async def _backwards(self, guild: GuildId, wanted: Wanted) -> AsyncGenerator[list[Line]]:
        oldest = max(wanted.since - EARLY_MS, self._oldest_id(), 0)
        newest = str(wanted.until + LATE_MS) if wanted.until is not None else "+"
        for _ in range(LOOKED_AT // PAGE):
            page = await self._range(guild, newest, str(oldest), backwards=True)
            yield page
            if len(page) < PAGE:
                return
            newest = f"({show(page[-1].place)}"

    async def _range(self, guild: GuildId, start: str, end: str, *, backwards: bool) -> list[Line]:
        read = self._redis.xrevrange if backwards else self._redis.xrange
        reply: Any = await self._call(read(stream_of(guild), start, end, count=PAGE))
        return [read_line(id_, fields) for id_, fields in reply]

    def _oldest_id(self) -> int:
        """Milliseconds; older lines count as gone, whether Redis has them still or not."""
        return max(0, time.time_ns() // 1_000_000 - self._keep.milliseconds)

    async def _call(self, call: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                answer = await call
        except AWAY as error:
            self._say(error)
            raise LogsUnavailable("logs cannot be read now; try again in a moment", retry_after=2) from None
        self._say(None)
        return answer

    def _say(self, error: Exception | None) -> None:
        """Tell that Redis is gone, or back: once, however many calls notice."""
        if (error is not None) == self._away:
            return
        self._away = error is not None
        if error is not None:
            _log.warning("logs_without_redis", error=type(error).__name__)
        else:
            _log.info("logs_in_redis_again")


def stream_of(guild: GuildId) -> str:
    """The key of a guild's log."""
    return f"flora:logs:{guild}"


def place_of(id_: bytes) -> Place:
    """An id of Redis's."""
    return parse_place(id_.decode(), field="id")


def read_line(id_: bytes, fields: dict[bytes, bytes]) -> Line:
    """An entry of a stream."""
    return Line(place_of(id_), fields.get(FIELD, EMPTY))
