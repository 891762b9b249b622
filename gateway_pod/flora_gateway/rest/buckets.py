"""Discord's rate limit buckets, as far as its answers have told.

Discord counts calls in windows, per bucket (named in X-RateLimit-Bucket, shared by some routes) and major
parameter. Which bucket a route belongs to is known only from an answer, so each route and major parameter
starts with a bucket of its own, in which one call at a time probes; routes that turn out to share one
share its counts from then on.

A ``Bucket`` counts down on its own between answers. Its window is taken to end when the *receipt* of an
answer says so, never earlier than Discord's own end, and what is in flight when a window ends counts in
the next one: so that with whatever delay on the way no more calls reach Discord in one of its windows
than it allows. Pure state: the clock is the caller's.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

NEVER: Final = math.inf
KEPT: Final = 4096
"""Buckets that are kept although they are idle, so that a channel that is used again need not be probed."""

Key = tuple[str, str]
"""Route name and major parameter."""


class RateLimits(NamedTuple):
    """What one answer says about its bucket."""

    bucket: bytes
    limit: int
    remaining: int
    reset_after: float
    """Seconds."""


def read_limits(headers: dict[bytes, bytes]) -> RateLimits | None:
    """The limits in a response's headers; None when there are none, or they make no sense."""
    bucket = headers.get(b"x-ratelimit-bucket")
    if bucket is None:
        return None
    try:
        limit = int(headers[b"x-ratelimit-limit"])
        remaining = int(headers[b"x-ratelimit-remaining"])
        reset_after = float(headers[b"x-ratelimit-reset-after"])
    except (KeyError, ValueError):
        return None
    if limit < 1 or remaining < 0 or not 0 <= reset_after < NEVER:
        return None
    return RateLimits(bucket, limit, remaining, reset_after)


class Bucket:
    """One bucket. ``parked`` belongs to the scheduler: what waits for this bucket to open."""

    __slots__ = (
        "__weakref__",
        "_blocked_until",
        "_limit",
        "_remaining",
        "_reset_at",
        "in_flight",
        "name",
        "parked",
        "woken_at",
    )

    def __init__(self) -> None:
        self.name = b""
        self.in_flight = 0
        self.parked: deque[Any] = deque()
        self.woken_at = NEVER
        self._limit: float = 0  # 0: not known yet
        self._remaining: float = 0
        self._reset_at: float | None = None  # None: no window is known to run
        self._blocked_until = 0.0

    def opens_at(self, now: float) -> float:
        """When a call may start: ``now``, a moment after it, or NEVER while only an answer can tell."""
        if self._blocked_until > now:
            return self._blocked_until
        if self._reset_at is not None and self._reset_at <= now:
            self._reset_at = None
            self._remaining = self._limit - self.in_flight
        if self._remaining > 0:
            return now
        if self._reset_at is not None:
            return self._reset_at
        return NEVER if self.in_flight else now  # nothing is known: one call at a time finds out

    def start(self) -> None:
        """A call goes out; only when ``opens_at`` allows it."""
        self.in_flight += 1
        self._remaining -= 1

    def answered(self, limits: RateLimits | None, now: float, *, telling: bool = True) -> None:
        """A call came back. ``telling`` is False when the lack of ``limits`` says nothing about the route:
        the answer was a proxy's, or there was none."""
        self.in_flight -= 1
        if limits is None:
            if telling and not self._limit:
                self._limit = self._remaining = NEVER
            return
        known = 0 < self._limit < NEVER
        self._limit = limits.limit
        # Answers overtake each other: within a window the lowest count is the latest.
        left = limits.remaining
        self._remaining = min(self._remaining, left) if known else left - self.in_flight
        self._reset_at = max(self._reset_at or 0.0, now + limits.reset_after)

    def block(self, until: float) -> None:
        """Discord refused a call: none before ``until``."""
        self._blocked_until = max(self._blocked_until, until)

    def idle(self, now: float) -> bool:
        """Whether a new bucket would do as well as this one."""
        return (
            not self.in_flight
            and not self.parked
            and self._blocked_until <= now
            and (self._reset_at is None or self._reset_at <= now)
        )


class BucketTable:
    """Finds the bucket of a route and major parameter. Idle ones are forgotten as new ones come."""

    __slots__ = ("_buckets", "_names", "_shared")

    def __init__(self) -> None:
        self._buckets: OrderedDict[Key, Bucket] = OrderedDict()
        self._names: dict[str, bytes] = {}
        self._shared: WeakValueDictionary[tuple[bytes, str], Bucket] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._buckets)

    def find(self, key: Key, now: float) -> Bucket:
        """The bucket for ``key``, a new one when none is known."""
        bucket = self._buckets.get(key)
        return bucket if bucket is not None else self._add(key, now)

    def answered(
        self, key: Key, bucket: Bucket, limits: RateLimits | None, now: float, *, telling: bool
    ) -> Bucket:
        """A call of ``key`` that was counted in ``bucket`` came back; the bucket where it counts now."""
        if limits is not None and limits.bucket != bucket.name:
            bucket.in_flight -= 1
            bucket = self._learn(key, bucket, limits.bucket)
            bucket.in_flight += 1
        bucket.answered(limits, now, telling=telling)
        return bucket

    def _learn(self, key: Key, bucket: Bucket, name: bytes) -> Bucket:
        route, major = key
        self._names[route] = name
        shared = self._shared.get((name, major))
        if shared is None:
            shared = bucket if not bucket.name else Bucket()
            shared.name = name
            self._shared[name, major] = shared
        if key in self._buckets:
            self._buckets[key] = shared
        return shared

    def _add(self, key: Key, now: float) -> Bucket:
        self._forget_idle(now)
        route, major = key
        bucket = None
        name = self._names.get(route)
        if name is not None:
            bucket = self._shared.get((name, major))
        if bucket is None:
            bucket = Bucket()
            if name is not None:
                bucket.name = name
                self._shared[name, major] = bucket
        self._buckets[key] = bucket
        return bucket

    def _forget_idle(self, now: float) -> None:
        """Look at the two that were added or looked at longest ago: as each new one pays for two looks,
        the table stays near KEPT or what is in use."""
        for _ in range(2 if len(self._buckets) >= KEPT else 0):
            key, bucket = next(iter(self._buckets.items()))
            if bucket.idle(now):
                del self._buckets[key]
            else:
                self._buckets.move_to_end(key)
