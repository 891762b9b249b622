"""Answers about tokens, kept for a while: whoever knows them (API server, operator) is asked rarely.

An answer is kept by the token's hash: a yes for a minute, and never longer than the token itself is good; a
no for ten seconds. Calls with the same token wait for the same answer, and few questions are under way at
once.

While whoever knows does not answer, a yes that has grown old still counts until shortly before the token's
own end: its bearer was let in before, and streams must be able to come back. Whoever was never seen is
told to try again (CannotIdentify, 503), never let in.

``_known``, ``_refused`` and ``_asking`` belong to the event loop, and are only touched between awaits.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import msgspec
from prometheus_client import Counter

from flora_core.identity import CannotIdentify, Identity
from flora_core.telemetry import logger

TOKEN_LIMIT: Final = 16 << 10
"""Characters; a ServiceAccount's token has some 1,200."""

_reviews = Counter(
    "flora_identity_reviews_total", "Tokens that the API server or the operator was asked about", ["answer"]
)
_old = Counter("flora_identity_old_answers_total", "Old answers that counted, for want of a new one")

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class ReviewLimits:
    """What checking tokens may take."""

    fresh_seconds: float = 60.0
    """How long a yes counts before it is asked for again."""
    refused_seconds: float = 10.0
    """How long a no counts."""
    early_seconds: float = 10.0
    """So long before its end a token is as good as ended, for clocks differ."""
    known: int = 4096
    """Tokens that are kept; those least used go first. Kept apart from the refused, so that guessing evicts
    none."""
    refused: int = 1024
    at_once: int = 8
    """Reviews under way."""
    waiting: int = 256
    """Tokens that wait for a review; more are told to try again."""
    seconds: float = 3.0
    """For one review, waiting included."""
    pause_seconds: float = 2.0
    """After a review that failed, old answers count without another try for so long."""


@dataclass(slots=True, frozen=True)
class _Known:
    identity: Identity
    fresh_until: float
    usable_until: float


class CachedIdentities:
    """Asks with ``ask`` and remembers. ``close`` it before whatever ``ask`` needs."""

    def __init__(
        self,
        ask: Callable[[str], Awaitable[Identity | None]],
        *,
        who: str,
        limits: ReviewLimits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``ask`` gets a token and raises CannotIdentify; ``who`` names whom it asks, for messages.

        ``clock`` tells the time in seconds since 1970, by which tokens end.
        """
        self._ask_for = ask
        self._who = who
        self._limits = limits or ReviewLimits()
        self._clock = clock
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._refused: OrderedDict[bytes, float] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Identity | None]] = {}
        self._turns = asyncio.Semaphore(self._limits.at_once)
        self._failed_at = float("-inf")

    async def close(self) -> None:
        """Ask no more; whoever still waits is cancelled."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def identify(self, token: str) -> Identity | None:
        """Whose token this is; None for nobody's. Raises CannotIdentify when that cannot be known now."""
        key = sha256(token.encode(errors="surrogateescape")).digest()
        now = self._clock()
        known = self._known.get(key)
        if known is not None and now < known.fresh_until:
            self._known.move_to_end(key)
            return known.identity
        if now < self._refused.get(key, 0.0):
            return None
        usable = known if known is not None and now < known.usable_until else None
        if usable is not None and now < self._failed_at + self._limits.pause_seconds:
            _old.inc()
            return usable.identity
        try:
            return await self._ask(key, token)
        except CannotIdentify:
            if usable is None:
                raise
            _old.inc()
            return usable.identity

    async def _ask(self, key: bytes, token: str) -> Identity | None:
        """The answer, shared by all who ask for this token now."""
        task = self._asking.get(key)
        if task is None:
            if len(self._asking) >= self._limits.waiting:
                raise CannotIdentify("too many tokens wait for a review")
            task = self._asking[key] = asyncio.create_task(self._review(key, token))
            task.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(task)  # others wait for it too

    def _answered(self, key: bytes, task: asyncio.Task[Identity | None]) -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # all who waited may be gone

    async def _review(self, key: bytes, token: str) -> Identity | None:
        try:
            async with asyncio.timeout(self._limits.seconds), self._turns:
                identity = await self._ask_for(token)
        except (CannotIdentify, TimeoutError) as error:
            self._failed_at = self._clock()
            _reviews.labels("none").inc()
            _log.warning("token_review_failed", error=str(error) or f"{self._who} did not answer in time")
            if isinstance(error, CannotIdentify):
                raise
            raise CannotIdentify(f"{self._who} did not answer in time") from None
        self._failed_at = float("-inf")
        if identity is None:
            _reviews.labels("refused").inc()
            self._refuse(key)
            return None
        _reviews.labels("accepted").inc()
        self._keep(key, identity, token)
        return identity

    def _keep(self, key: bytes, identity: Identity, token: str) -> None:
        now = self._clock()
        usable = expiry(token, otherwise=now + self._limits.fresh_seconds) - self._limits.early_seconds
        self._refused.pop(key, None)
        self._known[key] = _Known(identity, min(now + self._limits.fresh_seconds, usable), usable)
        self._known.move_to_end(key)
        while len(self._known) > self._limits.known:
            self._known.popitem(last=False)

    def _refuse(self, key: bytes) -> None:
        self._known.pop(key, None)
        self._refused[key] = self._clock() + self._limits.refused_seconds
        self._refused.move_to_end(key)
        while len(self._refused) > self._limits.refused:
            self._refused.popitem(last=False)


def expiry(token: str, *, otherwise: float) -> float:
    """When a token ends, in seconds since 1970, by its own words: for those that were accepted."""
    try:
        part = token.split(".")[1]
        claims: Any = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return float(claims["exp"])
    except (binascii.Error, ValueError, LookupError, TypeError, OverflowError):
        return otherwise
