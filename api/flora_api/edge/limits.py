"""How often somebody may ask: the generic cell rate algorithm, which needs one number for each who asks.

The number is the time by which everything that was asked would have been, at the allowed rate. It lies in
Redis, so that all replicas count together. While Redis is away each counts for itself, and does not wait for
Redis with every request: requests go on.

Who is far from his limit does not wait for Redis either: of what he had left a moment ago, each replica lets
``AHEAD`` through at once, and has it counted afterwards.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

from prometheus_client import Counter

from flora_api.redis_store import AWAY, Store
from flora_api.together import Together
from flora_core.telemetry import logger

AWAY_SECONDS: Final = 2.0
"""After Redis has failed it is not asked for so long."""
KEPT: Final = 20_000
AHEAD: Final = 0.25
AHEAD_SECONDS: Final = 1.0
"""For so long what was left counts."""

_refused = Counter("flora_api_rate_limited_total", "Requests over a limit", ["limit"])
_local = Counter("flora_api_rate_counted_here_total", "Requests counted by this replica alone")
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Rate:
    """``name`` is for keys and metrics."""

    name: str
    per_minute: int

    @property
    def interval(self) -> float:
        """Seconds between two at a steady pace."""
        return 60.0 / self.per_minute

    @property
    def burst(self) -> int:
        """How many may come at once."""
        return max(1, self.per_minute // 5)


def gcra(until: float, now: float, rate: Rate) -> tuple[float, float]:
    """The new number after one more, and 0; or the old one, and how many seconds to wait.

    ``until`` is the number so far, 0 for none.
    """
    until = max(until, now)
    wait = until - now - rate.interval * (rate.burst - 1)
    return (until, wait) if wait > 1e-6 else (until + rate.interval, 0.0)


# KEYS: who asks. ARGV[1]: for each of them the interval, the burst and whether to count, with spaces between.
# Answers for each how long to wait and how many more may come now, with spaces between: single numbers would
# cost their reader more.
_SCRIPT: Final = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local answers = {}
local each = string.gmatch(ARGV[1], '[^ ]+')
for i, key in ipairs(KEYS) do
  local interval, burst, counts = tonumber(each()), tonumber(each()), each() == '1'
  local before = tonumber(redis.call('GET', key) or '0')
  if before < now then before = now end
  local wait = before - now - interval * (burst - 1)
  if wait > 0.000001 then
    answers[i] = string.format('%.6f 0', wait)
  else
    if counts then
      before = before + interval
      redis.call('SET', key, string.format('%.6f', before), 'PX', math.ceil((before - now) * 1000) + 1)
    end
    answers[i] = string.format('0 %d', math.max(0, math.floor(burst - (before - now) / interval)))
  end
end
return table.concat(answers, ' ')
"""


class Limits(Protocol):
    """How long to wait before the next one, in seconds; 0 when it may come now."""

    async def take(self, rate: Rate, who: str) -> float:
        """Count one, unless it is over the limit."""
        ...

    async def look(self, rate: Rate, who: str) -> float:
        """Whether one would be let through; counts nothing."""
        ...


class LocalLimits:
    """Counts here; who has not asked for longest is forgotten first."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def take(self, rate: Rate, who: str) -> float:
        key = rate.name, who
        until, wait = gcra(self._until.get(key, 0.0), self._clock(), rate)
        self._until[key] = until
        self._until.move_to_end(key)
        while len(self._until) > KEPT:
            self._until.popitem(last=False)
        return _told(rate, wait)

    async def look(self, rate: Rate, who: str) -> float:
        return _told(rate, gcra(self._until.get((rate.name, who), 0.0), self._clock(), rate)[1])


class _Question(NamedTuple):
    key: str
    rate: Rate
    counts: bool


@dataclass(slots=True)
class _Left:
    """What one may have at once, until he is counted anew."""

    number: int
    until: float


class RedisLimits:
    """Counts in Redis, or here. Those who ask at the same moment are counted by one call."""

    def __init__(self, redis: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._script: Any = redis.register_script(_SCRIPT)
        self._clock = clock
        self._here = LocalLimits(clock=clock)
        self._away_until = float("-inf")
        self._together = Together[_Question, float | None](self._count)
        self._left: OrderedDict[str, _Left] = OrderedDict()

    async def take(self, rate: Rate, who: str) -> float:
        key = _key(rate, who)
        left = self._left.get(key)
        if left is not None and left.number > 0 and self._clock() < left.until:
            left.number -= 1
            self._together.tell(_Question(key, rate, True))
            return 0.0
        wait = await self._ask(_Question(key, rate, True))
        return _told(rate, await self._here.take(rate, who) if wait is None else wait)

    async def look(self, rate: Rate, who: str) -> float:
        wait = await self._ask(_Question(_key(rate, who), rate, False))
        return _told(rate, await self._here.look(rate, who) if wait is None else wait)

    async def _ask(self, question: _Question) -> float | None:
        """None while Redis is away."""
        wait = await self._together.ask(question) if self._clock() >= self._away_until else None
        if wait is None:
            _local.inc()
        return wait

    async def _count(self, asked: Sequence[_Question]) -> Sequence[float | None]:
        """How long each has to wait; None for all of them while Redis is away."""
        try:
            how = " ".join([_how(rate, count=counts) for _, rate, counts in asked])
            reply = (await self._script(keys=[key for key, _, _ in asked], args=[how])).split()
        except AWAY as error:
            if self._clock() >= self._away_until:
                _log.warning("rates_counted_here", error=type(error).__name__)
            self._away_until = self._clock() + AWAY_SECONDS
            return [None] * len(asked)
        until = self._clock() + AHEAD_SECONDS
        for (key, _, _), left in zip(asked, reply[1::2], strict=True):
            self._left[key] = _Left(int(int(left) * AHEAD), until)
            self._left.move_to_end(key)
        while len(self._left) > KEPT:
            self._left.popitem(last=False)
        return [float(wait) for wait in reply[::2]]


def _key(rate: Rate, who: str) -> str:
    return f"flora:api:rate:{rate.name}:{who}"


@lru_cache(maxsize=64)
def _how(rate: Rate, *, count: bool) -> str:
    """What the script is told of each."""
    return f"{rate.interval:.9f} {rate.burst} {count:d}"


def _told(rate: Rate, wait: float) -> float:
    if wait > 0:
        _refused.labels(rate.name).inc()
    return wait


def seconds_to_wait(wait: float) -> int:
    """For Retry-After."""
    return max(1, math.ceil(wait))
