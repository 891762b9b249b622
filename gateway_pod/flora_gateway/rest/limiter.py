"""Which call may go out now: one limiter for the whole bot, because Discord counts by its token.

A call waits for four things, in this order: its bucket, one of its guild's few places in flight, its
guild's rate, and the bot's global limit. The last two are not for calls with an interaction's own token.
Calls of one guild with the same route and major parameter form a ``Line`` and start in the order in which
they came, repeats included. The lines of a guild form a ``Lane``; interactions have a lane of their own, so
that they wait behind nothing else. A line is in exactly one place:

    ready     in its lane; lanes that have ready lines, a free place and room in their rate go round in a
              ring, and each start takes the next lane, so that no guild takes another's share of the
              global limit
    parked    at its bucket, which is exhausted; moved to ready when the bucket may have opened
    paused    in the timers, because its first call is to be repeated later

Readiness is checked again when a line's turn comes, so moving too many to ready does no harm. This is a
state machine without I/O: ``admit``, ``answered`` and ``requeue`` change it, ``next`` hands out what may
start, ``expired`` what waited for too long, and ``wake_at`` says when to ask again. Whoever changed it
asks ``next`` until there is nothing.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import Final

from flora_core.window import SlidingWindow
from flora_gateway.rest.buckets import NEVER, Bucket, BucketTable, Key, RateLimits
from flora_gateway.rest.calls import Call, Refused, Why

QUEUE_BYTES: Final = 16 << 20
"""Bodies of one guild's waiting calls, together: bounded, because a body may have files in it."""
BYTES_A_CALL: Final = 256 << 10
"""Each so many bytes of a body count as one call more in its guild's rate."""
GUILD_SECONDS: Final = 10.0
GLOBAL_SECONDS: Final = 1.05
"""The global limit is per second; the rest is for calls that leave evenly and arrive in a bunch."""


class Line:
    """Calls of one guild, route and major parameter, in order."""

    __slots__ = ("calls", "key", "lane", "not_before")

    def __init__(self, lane: Lane, key: Key) -> None:
        self.lane = lane
        self.key = key
        self.calls: deque[Call] = deque()
        self.not_before = 0.0


class Lane:
    """One guild's lines; or those of its interactions."""

    __slots__ = (
        "in_flight",
        "in_ring",
        "lines",
        "queued",
        "queued_bytes",
        "ready",
        "ring",
        "waits",
        "window",
    )

    def __init__(self, ring: deque[Lane], window: SlidingWindow | None) -> None:
        self.ring = ring
        self.window = window
        """The guild's rate; None for none."""
        self.waits = False
        """A timer will see to it when the rate allows more."""
        self.in_ring = False
        self.in_flight = 0
        self.queued = 0
        self.queued_bytes = 0
        self.lines: dict[Key, Line] = {}
        self.ready: deque[Line] = deque()


class Limiter:
    """The state machine. ``global_limit``, a second, and ``guild_limit``, in ten, of 0 mean none."""

    def __init__(
        self, *, global_limit: int, guild_limit: int, guild_concurrency: int, guild_queue: int
    ) -> None:
        self._guild_limit = guild_limit
        self._concurrency = guild_concurrency
        self._most_queued = guild_queue
        self._window = SlidingWindow(global_limit, seconds=GLOBAL_SECONDS) if global_limit else None
        self._paused_until = 0.0
        self._stopped_until = 0.0
        self._buckets = BucketTable()
        self._ring: deque[Lane] = deque()
        self._tokenised_ring: deque[Lane] = deque()
        self._lanes: dict[str, Lane] = {}
        self._tokenised_lanes: dict[str, Lane] = {}
        self._timers: list[tuple[float, int, Line | Bucket | Lane | Call]] = []
        self._expired: list[Call] = []
        self._numbers = 0
        self.queued = 0
        self.in_flight = 0

    def admit(self, call: Call, now: float) -> Refused | bool:
        """Take a new call: True when it has started, False when it waits."""
        self._numbers = call.number = self._numbers + 1
        lane = call.lane = self._lane(call)
        key = call.key
        bucket = self._buckets.find(key, now)
        opens_at = max(bucket.opens_at(now), _rate_opens_at(lane, now))
        if (
            opens_at <= now
            and key not in lane.lines
            and lane.in_flight < self._concurrency
            and not lane.ring
            and self._gate_opens_at(now, tokenised=call.tokenised) <= now
        ):
            self._start(call, lane, bucket, now)
            return True
        if NEVER > opens_at > call.give_up_at:
            return Refused(Why.TOO_LATE, opens_at - now)
        if lane.queued >= self._most_queued or lane.queued_bytes + _size(call) > QUEUE_BYTES:
            return Refused(Why.QUEUE_FULL, opens_at - now if opens_at < NEVER else 0.0)
        self._enqueue(call, lane, now)
        return False

    def next(self, now: float) -> Call | None:
        """A call that starts now, counted as started; None when none may."""
        self._run_timers(now)
        for ring, tokenised in ((self._tokenised_ring, True), (self._ring, False)):
            while ring and self._gate_opens_at(now, tokenised=tokenised) <= now:
                lane = ring.popleft()
                lane.in_ring = False
                call = self._take(lane, now)
                self._enter_ring(lane, now)
                if call is not None:
                    return call
        return None

    def expired(self, now: float) -> list[Call]:
        """The calls that waited until their deadline; they are not queued any more."""
        self._run_timers(now)
        expired, self._expired = self._expired, []
        return expired

    def answered(self, call: Call, limits: RateLimits | None, now: float, *, telling: bool = True) -> None:
        """A started call came back; see ``Bucket.answered`` for ``telling``."""
        before, lane = call.bucket, call.lane
        if before is None or lane is None:
            return
        call.bucket = None
        self.in_flight -= 1
        lane.in_flight -= 1
        after = self._buckets.answered(call.key, before, limits, now, telling=telling)
        if after is not before:
            self._unpark(before, now)
        if after.parked:
            self._wake(after, now)
        if lane.ready:
            self._enter_ring(lane, now)

    def requeue(self, call: Call, now: float, *, delay: float) -> None:
        """Queue a call that came back and is to be made again, not sooner than after ``delay`` seconds."""
        self._enqueue(call, call.lane or self._lane(call), now, delay=delay)

    def block(self, call: Call, until: float, now: float) -> None:
        """Discord refused ``call`` on account of its bucket."""
        self._buckets.find(call.key, now).block(until)

    def pause(self, until: float, *, everything: bool = False) -> None:
        """Discord refused a call on account of the bot; or, with ``everything``, of this address."""
        self._paused_until = max(self._paused_until, until)
        if everything:
            self._stopped_until = max(self._stopped_until, until)

    def opens_in(self, call: Call, now: float) -> float:
        """Seconds until a call like ``call`` may start; 0 where only an answer can tell."""
        opens_at = max(self._buckets.find(call.key, now).opens_at(now), _rate_opens_at(self._lane(call), now))
        return opens_at - now if opens_at < NEVER else 0.0

    def wake_at(self, now: float) -> float:
        """When ``next`` or ``expired`` may have something that it does not have at ``now``."""
        at = self._timers[0][0] if self._timers else NEVER
        if self._ring:
            at = min(at, self._gate_opens_at(now, tokenised=False))
        if self._tokenised_ring:
            at = min(at, self._gate_opens_at(now, tokenised=True))
        return at

    def drain(self) -> list[Call]:
        """Everything that waits, taken out of the queues."""
        lanes = [*self._lanes.values(), *self._tokenised_lanes.values()]
        calls = [call for lane in lanes for line in lane.lines.values() for call in line.calls]
        for call in calls:
            self._withdraw(call)
        return calls

    # Starting.

    def _lane(self, call: Call) -> Lane:
        lanes = self._tokenised_lanes if call.tokenised else self._lanes
        lane = lanes.get(call.guild)
        if lane is None:
            ring = self._tokenised_ring if call.tokenised else self._ring
            limited = self._guild_limit and not call.tokenised
            window = SlidingWindow(self._guild_limit, seconds=GUILD_SECONDS) if limited else None
            lane = lanes[call.guild] = Lane(ring, window)
        return lane

    def _gate_opens_at(self, now: float, *, tokenised: bool) -> float:
        if tokenised:
            return self._stopped_until
        if self._window is None:
            return self._paused_until
        return max(self._paused_until, self._window.opens_at(now))

    def _start(self, call: Call, lane: Lane, bucket: Bucket, now: float) -> None:
        bucket.start()
        lane.in_flight += 1
        self.in_flight += 1
        call.bucket = bucket
        call.attempts += 1
        if self._window is not None and not call.tokenised:
            self._window.mark(now)
        if lane.window is not None:
            lane.window.mark(now, count=1 + _size(call) // BYTES_A_CALL)

    def _take(self, lane: Lane, now: float) -> Call | None:
        """Start the first call of the lane's next line whose bucket is open."""
        while lane.ready:
            line = lane.ready.popleft()
            if not line.calls or line.not_before > now:
                self._place(line, now)
                continue
            bucket = self._buckets.find(line.key, now)
            if bucket.opens_at(now) > now:
                self._park(line, bucket, now)
                continue
            call = line.calls[0]
            self._withdraw(call)
            if line.calls:
                # To the end without looking at the bucket: when that opens again, another guild's line
                # that waits for it must come first.
                lane.ready.append(line)
            else:
                del lane.lines[line.key]
            self._start(call, lane, bucket, now)
            return call
        return None

    # Waiting.

    def _enqueue(self, call: Call, lane: Lane, now: float, *, delay: float = 0.0) -> None:
        line = lane.lines.get(call.key)
        new = line is None
        if line is None:
            line = lane.lines[call.key] = Line(lane, call.key)
        if call.attempts:  # before those that came after it, but not before another repeat
            line.calls.insert(sum(other.number < call.number for other in line.calls), call)
            line.not_before = max(line.not_before, now + delay)
        else:
            line.calls.append(call)
        call.queued = True
        lane.queued += 1
        lane.queued_bytes += _size(call)
        self.queued += 1
        if call.give_up_at < NEVER:
            self._set_timer(call.give_up_at, call)
        if new:
            self._place(line, now)

    def _withdraw(self, call: Call) -> None:
        lane = call.lane
        if lane is not None:
            lane.lines[call.key].calls.remove(call)
            lane.queued -= 1
            lane.queued_bytes -= _size(call)
        self.queued -= 1
        call.queued = False

    def _place(self, line: Line, now: float) -> None:
        """Put a line that is nowhere where it belongs."""
        if not line.calls:
            del line.lane.lines[line.key]
        elif line.not_before > now:
            self._set_timer(line.not_before, line)
        else:
            line.lane.ready.append(line)
            self._enter_ring(line.lane, now)

    def _enter_ring(self, lane: Lane, now: float) -> None:
        if not lane.ready or lane.in_ring or lane.waits or lane.in_flight >= self._concurrency:
            return
        opens_at = _rate_opens_at(lane, now)
        if opens_at > now:
            lane.waits = True
            self._set_timer(opens_at, lane)
        else:
            lane.in_ring = True
            lane.ring.append(lane)

    def _park(self, line: Line, bucket: Bucket, now: float) -> None:
        bucket.parked.append(line)
        self._wake(bucket, now)

    def _wake(self, bucket: Bucket, now: float) -> None:
        """Move what is parked at ``bucket`` on, or see to it that this happens in time."""
        opens_at = bucket.opens_at(now)
        if opens_at <= now:
            self._unpark(bucket, now)
        elif opens_at < bucket.woken_at:
            bucket.woken_at = opens_at
            self._set_timer(opens_at, bucket)

    def _unpark(self, bucket: Bucket, now: float) -> None:
        parked, bucket.parked = bucket.parked, deque[Line]()
        for line in parked:
            self._place(line, now)

    def _set_timer(self, at: float, what: Line | Bucket | Lane | Call) -> None:
        self._numbers += 1
        heapq.heappush(self._timers, (at, self._numbers, what))

    def _run_timers(self, now: float) -> None:
        timers = self._timers
        while timers and timers[0][0] <= now:
            what = heapq.heappop(timers)[2]
            if isinstance(what, Line):
                self._place(what, now)
            elif isinstance(what, Bucket):
                what.woken_at = NEVER
                self._wake(what, now)
            elif isinstance(what, Lane):
                what.waits = False
                self._enter_ring(what, now)
            elif what.queued:
                self._withdraw(what)
                self._expired.append(what)


def _rate_opens_at(lane: Lane, now: float) -> float:
    return now if lane.window is None else lane.window.opens_at(now)


def _size(call: Call) -> int:
    return len(call.body) if call.body is not None else 0
