"""A world for the limiter: a clock, a network with delays, and a Discord that counts in fixed windows."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from flora_gateway.rest.buckets import NEVER, RateLimits
from flora_gateway.rest.calls import Call, Refused
from flora_gateway.rest.limiter import Limiter


def make_call(guild: str = "1", route: str = "sendMessage", major: str = "10", **more: object) -> Call:
    return Call(b"POST", b"/", guild=guild, key=(route, major), **more)  # type: ignore[arg-type]


def make_limiter(
    *, global_limit: int = 0, guild_limit: int = 0, guild_concurrency: int = 4, guild_queue: int = 256
) -> Limiter:
    return Limiter(
        global_limit=global_limit,
        guild_limit=guild_limit,
        guild_concurrency=guild_concurrency,
        guild_queue=guild_queue,
    )


def limits(
    *, remaining: int, limit: int = 5, reset_after: float = 5.0, bucket: bytes = b"hash"
) -> RateLimits:
    return RateLimits(bucket, limit, remaining, reset_after)


@dataclass
class Window:
    limit: int
    seconds: float
    ends: float = 0.0
    used: int = 0


@dataclass
class World:
    """Runs ``limiter`` against simulated windows; ``latency(call)`` gives the way there and back."""

    limiter: Limiter
    latency: Callable[[], tuple[float, float]]
    buckets: dict[str, str] = field(default_factory=dict)
    """Bucket of each route; a route that is not here has no limits."""
    limit: int = 5
    seconds: float = 5.0

    now: float = 1000.0
    started: list[tuple[float, Call]] = field(default_factory=list)
    finished: list[Call] = field(default_factory=list)
    refused: list[tuple[Call, Refused]] = field(default_factory=list)
    expired: list[Call] = field(default_factory=list)
    over_limit: int = 0
    """Calls that Discord would have answered with 429."""
    most_in_flight: dict[tuple[str, bool], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._windows: dict[tuple[str, str], Window] = {}
        self._in_flight: dict[tuple[str, bool], int] = {}

    def at(self, when: float, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, act))

    def submit(self, call: Call, *, after: float = 0.0) -> None:
        self.at(self.now + after, lambda: self._admit(call))

    def run(self, *, until: float = NEVER) -> None:
        """Until nothing is left to happen, or the clock says ``until``."""
        for _ in range(200_000):
            wake = self.limiter.wake_at(self.now)
            event = self._events[0][0] if self._events else NEVER
            when = max(self.now, min(wake, event))
            if when == NEVER or when > until:
                return
            self.now = when
            if event <= when:
                heapq.heappop(self._events)[2]()
            self._pump()
        raise AssertionError("the limiter never comes to rest")

    def _admit(self, call: Call) -> None:
        verdict = self.limiter.admit(call, self.now)
        if verdict is True:
            self._go(call)
        elif isinstance(verdict, Refused):
            self.refused.append((call, verdict))

    def _pump(self) -> None:
        while (call := self.limiter.next(self.now)) is not None:
            self._go(call)
        self.expired += self.limiter.expired(self.now)

    def _go(self, call: Call) -> None:
        self.started.append((self.now, call))
        lane = (call.guild, call.tokenised)
        self._in_flight[lane] = self._in_flight.get(lane, 0) + 1
        self.most_in_flight[lane] = max(self.most_in_flight.get(lane, 0), self._in_flight[lane])
        there, back = self.latency()
        self.at(self.now + there, lambda: self._arrive(call, back))

    def _arrive(self, call: Call, back: float) -> None:
        route, major = call.key
        told = None
        if route in self.buckets:
            bucket = self.buckets[route]
            window = self._windows.setdefault((bucket, major), Window(self.limit, self.seconds))
            if self.now >= window.ends:
                window.ends, window.used = self.now + window.seconds, 0
            window.used += 1
            self.over_limit += window.used > window.limit
            told = RateLimits(
                bucket.encode(), window.limit, max(window.limit - window.used, 0), window.ends - self.now
            )
        self.at(self.now + back, lambda: self._answer(call, told))

    def _answer(self, call: Call, told: RateLimits | None) -> None:
        self._in_flight[call.guild, call.tokenised] -= 1
        self.finished.append(call)
        self.limiter.answered(call, told, self.now)
