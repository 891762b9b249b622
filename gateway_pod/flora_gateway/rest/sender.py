"""Makes calls: the limiter says which and when, the transport carries them, this repeats what failed.

All of it is callbacks on one loop. A call is in exactly one of three hands: the limiter's queue, the
transport, or, for the moment of a callback, this; and its ``done`` is called exactly once, after every
state is settled, so that it may send the next call itself. One timer wakes the queue.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from flora_core.telemetry import logger
from flora_gateway.rest import metrics
from flora_gateway.rest.buckets import NEVER, read_limits
from flora_gateway.rest.calls import Call, Refused, Verdict, Why
from flora_gateway.rest.invalid import INVALID, InvalidRequests
from flora_gateway.rest.limiter import Limiter
from flora_gateway.rest.metrics import of_route
from flora_gateway.rest.retry import again, read_rate_limited
from flora_gateway.rest.transport import Outcome, Response, Transport, TransportError

log: Final = logger(__name__)

QUIET_SECONDS: Final = 10.0
"""Between two complaints about Discord: when it is away, every call fails, and each result says so."""


class Sender:
    """Limiter, invalid-request budget and transport as one thing that takes calls."""

    def __init__(
        self,
        transport: Transport,
        limiter: Limiter,
        invalid: InvalidRequests,
        *,
        attempt_seconds: float,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._limiter = limiter
        self._invalid = invalid
        self._attempt_seconds = attempt_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._quiet_until = 0.0
        self._suspended: set[str] = set()
        self._settled = asyncio.Event()
        self._on_outcome = self._came_back
        metrics.QUEUE_DEPTH.set_function(lambda: limiter.queued)

    def submit(self, call: Call) -> None:
        """Make ``call`` as soon as it may be made; ``call.done`` hears of it, perhaps at once."""
        now = self._loop.time()
        if self._closing:
            self._finish(call, Refused(Why.CLOSED))
            return
        if call.give_up_at <= now:
            self._finish(call, Refused(Why.TOO_LATE))
            return
        verdict = self._invalid.refusal(call.guild, now) or self._limiter.admit(call, now)
        if verdict is True:
            self._send(call, now)
        elif verdict is False:
            self._pump(now)
        else:
            self._finish(call, verdict)

    def newly_suspended(self, guild: str) -> bool:
        """Whether ``guild`` was suspended since this was last asked."""
        if guild not in self._suspended:
            return False
        self._suspended.discard(guild)
        return True

    async def close(self, *, seconds: float) -> None:
        """Take no more calls; let those in flight finish for up to ``seconds``, fail the rest."""
        self._closing = True
        for call in self._limiter.drain():
            self._finish(call, Refused(Why.CLOSED))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._limiter.in_flight:
                    self._settled.clear()
                    await self._settled.wait()
        if self._timer is not None:
            self._timer.cancel()
        await self._transport.close()

    def _send(self, call: Call, now: float) -> None:
        call.deadline = min(now + self._attempt_seconds, call.give_up_at)
        self._transport.send(call, self._on_outcome)

    def _came_back(self, call: Call, outcome: Outcome) -> None:
        now = self._loop.time()
        if isinstance(outcome, Response):
            status = outcome.status
            of_route(call.key[0]).count(status)
            self._limiter.answered(call, read_limits(outcome.headers), now, telling=status < 429)
            if status in INVALID:
                self._count_invalid(call, outcome, now)
            if status == 401 and not call.anonymous:
                self._complain(now, "bot_token_refused", route=call.key[0])
        else:
            of_route(call.key[0]).count(outcome.reason)
            self._limiter.answered(call, None, now, telling=False)
        repeat = again(call, outcome, left=call.give_up_at - now) if not _good(outcome) else None
        if repeat is not None and not self._closing:
            metrics.RETRIES.labels(repeat.reason).inc()
            self._limiter.requeue(call, now, delay=repeat.delay)
            self._pump(now)
            return
        if isinstance(outcome, TransportError) and not self._closing:
            self._complain(now, "discord_call_failed", route=call.key[0], error=str(outcome))
        if self._limiter.queued:
            self._pump(now)
        self._settled.set()
        self._finish(call, outcome)

    def _count_invalid(self, call: Call, response: Response, now: float) -> None:
        if response.status == 429:
            hit = read_rate_limited(response)
            until = now + hit.retry_after
            if hit.scope in {"global", "address"}:
                # A global limit that met an interaction's call is not the bot's own.
                self._limiter.pause(until, everything=hit.scope == "address" or call.tokenised)
                log.warning("rest_paused", scope=hit.scope, seconds=hit.retry_after, route=call.key[0])
            else:
                self._limiter.block(call, until, now)
            if hit.scope == "shared":
                return
        metrics.INVALID.labels(response.status).inc()
        if self._invalid.count(call.guild, now):
            metrics.SUSPENSIONS.inc()
            self._suspended.add(call.guild)
            log.warning("guild_suspended", guild_id=call.guild, route=call.key[0], status=response.status)

    def _complain(self, now: float, event: str, **context: str) -> None:
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET_SECONDS
            log.error(event, **context)

    def _pump(self, now: float) -> None:
        """Send what may be sent, give up what waited for too long, and see to being called again."""
        limiter = self._limiter
        gone: list[tuple[Call, Verdict]] = []
        while (call := limiter.next(now)) is not None:
            refusal = self._invalid.refusal(call.guild, now)
            if refusal is None:
                self._send(call, now)
            else:
                limiter.answered(call, None, now, telling=False)
                gone.append((call, refusal))
        gone += [(call, Refused(Why.TOO_LATE, limiter.opens_in(call, now))) for call in limiter.expired(now)]
        self._arm(now)
        for call, verdict in gone:
            self._finish(call, verdict)

    def _arm(self, now: float) -> None:
        at = self._limiter.wake_at(now)
        timer = self._timer
        if timer is not None:
            if timer.when() <= at and not timer.cancelled():
                return
            timer.cancel()
        self._timer = self._loop.call_at(at, self._wake) if at < NEVER else None

    def _wake(self) -> None:
        self._timer = None
        self._pump(self._loop.time())

    def _finish(self, call: Call, verdict: Verdict) -> None:
        call.body = None  # a timer may still hold the call
        if call.done is not None:
            call.done(call, verdict)


def _good(outcome: Outcome) -> bool:
    return isinstance(outcome, Response) and outcome.status < 400
