"""Discord's REST rate limits, as a server applies them (topics/rate-limits).

A bucket is a group of routes together with their top-level resource: five messages in five seconds to one
channel say nothing about another channel. A bucket's window opens with its first call and holds a fixed
number of calls. Besides there are 50 calls a second for the whole bot, which interaction and webhook
tokens do not count against, and 10,000 invalid answers in ten minutes, after which Cloudflare bans the
address: a 429 in HTML and without ``Via``.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple


class Limit(NamedTuple):
    """``calls`` in ``seconds``, shared by all routes with the same ``bucket`` name."""

    bucket: str
    calls: int
    seconds: float


_MESSAGES: Final = "/channels/{channel_id}/messages"
_MESSAGE: Final = f"{_MESSAGES}/{{message_id}}"
_REACTION: Final = Limit("reactions", 1, 0.25)
_MEMBER_ROLE: Final = "/guilds/{guild_id}/members/{user_id}/roles/{role_id}"

LIMITS: Final[Mapping[tuple[str, str], Limit]] = {
    ("POST", _MESSAGES): Limit("message-create", 5, 5),
    ("PATCH", _MESSAGE): Limit("message-edit", 5, 5),
    ("DELETE", _MESSAGE): Limit("message-delete", 5, 1),
    ("POST", f"{_MESSAGES}/bulk-delete"): Limit("message-bulk-delete", 1, 1),
    ("PUT", f"{_MESSAGE}/reactions/{{emoji}}/@me"): _REACTION,
    ("DELETE", f"{_MESSAGE}/reactions/{{emoji}}/@me"): _REACTION,
    ("DELETE", f"{_MESSAGE}/reactions/{{emoji}}/{{user_id}}"): _REACTION,
    ("POST", "/channels/{channel_id}/typing"): Limit("typing", 5, 5),
    ("PATCH", "/guilds/{guild_id}/members/{user_id}"): Limit("member-edit", 10, 10),
    ("PUT", _MEMBER_ROLE): Limit("member-role", 10, 10),
    ("DELETE", _MEMBER_ROLE): Limit("member-role", 10, 10),
    ("POST", "/webhooks/{webhook_id}/{token}"): Limit("webhook-execute", 5, 2),
    ("PATCH", "/webhooks/{webhook_id}/{token}/messages/{message_id}"): Limit("webhook-edit", 5, 2),
    ("PATCH", "/webhooks/{webhook_id}/{token}/messages/@original"): Limit("webhook-edit", 5, 2),
}
"""Routes whose limits are widely known; every other route has a bucket of its own with ``DEFAULT``."""
DEFAULT: Final = Limit("", 50, 1)
GLOBAL_CALLS: Final = 50
CALLBACK: Final = ("POST", "/interactions/{interaction_id}/{token}/callback")
INVALID_WINDOW: Final = 600.0
_BAN_SECONDS: Final = 3600.0
_MANY_BUCKETS: Final = 10_000
_MAJOR: Final = ("channel_id", "guild_id", "webhook_id", "token")


@dataclass(slots=True)
class _Window:
    ends: float
    used: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a call may pass, and the headers that its answer carries either way."""

    headers: dict[str, str]
    retry_after: float | None = None
    scope: str = "user"

    def body(self) -> dict[str, Any]:
        """Discord's 429 body."""
        return refusal(self.retry_after or 0.0, scope=self.scope)[1]


def refusal(retry_after: float, *, scope: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Headers and body of a 429 with ``scope`` user, global or shared."""
    headers = {
        "Retry-After": str(max(1, math.ceil(retry_after))),
        "X-RateLimit-Scope": scope,
        "Via": "1.1 simulator",
    }
    if scope == "global":
        headers["X-RateLimit-Global"] = "true"
    text = "The resource is being rate limited." if scope == "shared" else "You are being rate limited."
    return headers, {"message": text, "retry_after": round(retry_after, 3), "global": scope == "global"}


class RateLimits:
    """All buckets of one bot. ``now`` is the wall clock, in seconds."""

    def __init__(self, *, enabled: bool, factor: float, now: Callable[[], float]) -> None:
        self.enabled = enabled
        self.factor = factor
        self._now = now
        self._buckets: dict[tuple[str, str], _Window] = {}
        self._global = _Window(0.0, 0)

    def take(self, method: str, template: str, args: Mapping[str, str]) -> Verdict:
        """Count one call of the route, and say whether it may pass."""
        if not self.enabled or (method, template) == CALLBACK:
            return Verdict({})
        now = self._now()
        if "{token}" not in template and (wait := self._take_global(now)) is not None:
            return Verdict(refusal(wait, scope="global")[0], wait, "global")
        limit = LIMITS.get((method, template)) or DEFAULT._replace(bucket=f"{method} {template}")
        return self._take_bucket(limit, ":".join(args[name] for name in _MAJOR if name in args), now)

    def _take_global(self, now: float) -> float | None:
        if now >= self._global.ends:
            self._global = _Window(now + 1.0, 0)
        if self._global.used >= self._calls(GLOBAL_CALLS):
            return self._global.ends - now
        self._global.used += 1
        return None

    def _take_bucket(self, limit: Limit, major: str, now: float) -> Verdict:
        key = limit.bucket, major
        window = self._buckets.get(key)
        if window is None or now >= window.ends:
            self._sweep(now)
            window = self._buckets[key] = _Window(now + limit.seconds, 0)
        calls, left = self._calls(limit.calls), window.ends - now
        allowed = window.used < calls
        window.used += allowed
        headers = {
            "X-RateLimit-Limit": str(calls),
            "X-RateLimit-Remaining": str(calls - window.used),
            "X-RateLimit-Reset": f"{window.ends:.3f}",
            "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": hashlib.sha256(limit.bucket.encode()).hexdigest()[:32],
        }
        if allowed:
            return Verdict(headers)
        return Verdict(headers | refusal(left, scope="user")[0], left)

    def _calls(self, calls: int) -> int:
        return max(1, round(calls * self.factor))

    def _sweep(self, now: float) -> None:
        if len(self._buckets) > _MANY_BUCKETS:
            self._buckets = {key: window for key, window in self._buckets.items() if window.ends > now}


class InvalidRequests:
    """Counts 401, 403 and 429 answers of the last ten minutes; too many of them ban the address."""

    def __init__(self, limit: int, *, now: Callable[[], float]) -> None:
        self._limit = limit
        self._now = now
        self._times: deque[float] = deque(maxlen=limit)
        self._banned_until = 0.0
        self.total = 0

    def count(self, status: int, *, scope: str | None = None) -> None:
        """Note an answer; 429s with scope shared do not count."""
        if status not in {401, 403, 429} or scope == "shared":
            return
        self.total += 1
        self._times.append(self._now())
        if self.recent >= self._limit:
            self._banned_until = self._now() + _BAN_SECONDS

    @property
    def recent(self) -> int:
        """How many there were in the last ten minutes."""
        horizon = self._now() - INVALID_WINDOW
        while self._times and self._times[0] <= horizon:
            self._times.popleft()
        return len(self._times)

    @property
    def banned(self) -> bool:
        """Whether Cloudflare stands in front."""
        return self._now() < self._banned_until
