"""Whether a call that came back without success is made again, and after what pause. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from flora_core.wire import UNREADABLE
from flora_gateway.rest.calls import Call
from flora_gateway.rest.transport import Outcome, Response

MOST_ATTEMPTS: Final = 3
"""Of a call that fails: the original's two repeats."""
MOST_REFUSALS: Final = 6
"""Attempts of a call that Discord answers with 429: waiting longer is all it takes."""
FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 2.0
"""Seconds; the pause is a random share of one that doubles from the first to the longest (full jitter:
Brooker, "Exponential Backoff And Jitter", 2015)."""
UNKNOWN_WAIT: Final = 60.0
"""Seconds to stay away when a 429 does not say for how long: it is from Discord's front, not the API."""


class RateLimited(NamedTuple):
    """What a 429 says."""

    retry_after: float
    scope: str
    """``user``, ``global`` or ``shared`` as Discord says; ``address`` when its front refused us all."""


class _Body(msgspec.Struct):
    retry_after: float
    is_global: bool = msgspec.field(default=False, name="global")


def read_rate_limited(response: Response) -> RateLimited:
    """A 429 as a whole: whom it concerns, and for how long."""
    headers = response.headers
    try:
        body = msgspec.json.decode(response.body, type=_Body)
    except UNREADABLE:
        return RateLimited(_seconds(headers.get(b"retry-after"), default=UNKNOWN_WAIT), "address")
    after = max(body.retry_after, 0.0)
    if body.is_global or b"x-ratelimit-global" in headers:
        return RateLimited(after, "global")
    return RateLimited(after, "shared" if headers.get(b"x-ratelimit-scope") == b"shared" else "user")


def _seconds(header: bytes | None, *, default: float) -> float:
    try:
        return max(float(header or b""), 0.0)
    except ValueError:
        return default


class Reason(StrEnum):
    """Value of the ``reason`` label where repeats are counted."""

    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    CONNECTION = "connection"


class Again(NamedTuple):
    """Make the call again, after ``delay`` seconds at least."""

    delay: float
    reason: Reason


def again(
    call: Call, outcome: Outcome, *, left: float, jitter: Callable[[], float] = random.random
) -> Again | None:
    """Whether ``call`` is made again after ``outcome``, with ``left`` seconds to its deadline.

    A 429 was not carried out, and neither was a request that was not sent: those are repeated whatever
    they are. After a 5xx, a time-out or a broken connection only what may be repeated is.
    """
    if isinstance(outcome, Response):
        if outcome.status == 429:
            after = read_rate_limited(outcome).retry_after
            return Again(0.0, Reason.RATE_LIMITED) if call.attempts < MOST_REFUSALS and after < left else None
        if outcome.status < 500 or not call.may_repeat():
            return None
        reason = Reason.SERVER_ERROR
    elif outcome.sent and not call.may_repeat():
        return None
    else:
        reason = Reason.CONNECTION
    delay = jitter() * min(FIRST_PAUSE * 2.0 ** (call.attempts - 1), LONGEST_PAUSE)
    return Again(delay, reason) if call.attempts < MOST_ATTEMPTS and delay < left else None
