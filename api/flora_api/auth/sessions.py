"""People who are logged in: one record a session in Redis, sealed with its id.

A session lives as long as it is used, and at most ``longest`` seconds. Its Discord tokens are renewed by one
of the replicas while the others wait for it: Discord takes a refresh token once.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from flora_api.auth import sealing
from flora_api.auth.discord import DiscordOAuth, DiscordRefused, DiscordTokens, User
from flora_api.errors import Unauthorized, Unavailable
from flora_api.redis_store import AWAY, Store
from flora_core.wire import UNREADABLE

EARLY_SECONDS: Final = 60.0
"""So long before its end an access token is renewed."""
RENEW_SECONDS: Final = 15.0
"""How long one replica may take to renew tokens, while the others wait."""
LOOK_SECONDS: Final = 0.1

_PURPOSE: Final = "session"
T = TypeVar("T")


class Session(Struct, frozen=True):
    """Somebody who is logged in."""

    user: User
    discord: DiscordTokens
    created_at: float
    """Unix seconds."""


class Sessions:
    """All methods raise Unavailable while Redis is away."""

    def __init__(
        self,
        redis: Store,
        discord: DiscordOAuth,
        *,
        seconds: int,
        longest: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``seconds`` without use end a session, ``longest`` end it in any case."""
        self._redis = redis
        self._discord = discord
        self._seconds = seconds
        self._longest = longest
        self._clock = clock

    @property
    def seconds(self) -> int:
        return self._seconds

    async def create(self, user: User, tokens: DiscordTokens) -> str:
        """The new session's id, which nobody has seen before."""
        secret = sealing.make_id()
        session = Session(user, tokens, self._clock())
        await _asked(self._redis.set(_key(secret), _sealed(secret, session), ex=self._seconds))
        return secret

    async def find(self, secret: str) -> Session | None:
        """The session of that id; it is in use then."""
        if not sealing.could_be_id(secret):
            return None
        session = _unsealed(secret, await _asked(self._redis.getex(_key(secret), ex=self._seconds)))
        if session is not None and session.created_at + self._longest < self._clock():
            await self.delete(secret)
            return None
        return session

    async def delete(self, secret: str) -> None:
        """Nobody is logged in with it any more."""
        if sealing.could_be_id(secret):
            await _asked(self._redis.delete(_key(secret)))

    async def with_discord(
        self, secret: str, session: Session, call: Callable[[DiscordTokens], Awaitable[T]]
    ) -> T:
        """``call`` with tokens that are good; they are renewed before, or when Discord refuses them.

        Raises Unauthorized when the person has taken back what he allowed, and then the session has ended;
        DiscordGone.
        """
        tokens = session.discord
        if tokens.ends_at - EARLY_SECONDS < self._clock():
            tokens = await self._renewed(secret, tokens)
        try:
            return await call(tokens)
        except DiscordRefused:
            tokens = await self._renewed(secret, tokens)
        try:
            return await call(tokens)
        except DiscordRefused:
            raise await self._ended(secret) from None

    async def _renewed(self, secret: str, spent: DiscordTokens) -> DiscordTokens:
        """Tokens newer than ``spent``, from here or from another replica."""
        lock = f"{_key(secret)}:renewing"
        milliseconds = round(RENEW_SECONDS * 1000)
        mine = sealing.make_id()
        try:
            async with asyncio.timeout(RENEW_SECONDS):
                while not await _asked(self._redis.set(lock, mine, nx=True, px=milliseconds)):
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise Unavailable("your login at Discord is being renewed; try again", retry_after=2) from None
        try:
            session = _unsealed(secret, await _asked(self._redis.get(_key(secret))))
            if session is None:
                raise _not_logged_in()
            if session.discord != spent:
                return session.discord
            try:
                tokens = await self._discord.refresh(spent)
            except DiscordRefused:
                raise await self._ended(secret) from None
            renewed = msgspec.structs.replace(session, discord=tokens)
            sealed = _sealed(secret, renewed)
            # Only where it still is: somebody may have logged out meanwhile.
            await _asked(self._redis.set(_key(secret), sealed, xx=True, keepttl=True))
            return tokens
        finally:
            with contextlib.suppress(Unavailable):  # it ends by itself
                if await _asked(self._redis.get(lock)) == mine.encode():
                    await _asked(self._redis.delete(lock))

    async def _ended(self, secret: str) -> Unauthorized:
        await self.delete(secret)
        return _not_logged_in()


def _not_logged_in() -> Unauthorized:
    return Unauthorized("your login has ended; log in at /api/auth/login", code="LOGIN_ENDED")


def _key(secret: str) -> str:
    return f"flora:api:session:{sealing.place_of(secret, _PURPOSE)}"


def _sealed(secret: str, session: Session) -> bytes:
    return sealing.seal(secret, _PURPOSE, msgspec.json.encode(session))


def _unsealed(secret: str, sealed: Any) -> Session | None:
    record = sealing.unseal(secret, _PURPOSE, sealed) if sealed else None
    try:
        return msgspec.json.decode(record, type=Session) if record is not None else None
    except UNREADABLE:  # of another version
        return None


async def _asked(call: Awaitable[T]) -> T:
    try:
        return await call
    except AWAY:
        text = "who is logged in cannot be looked up just now, because Redis does not answer"
        raise Unavailable(text, code="SESSIONS_UNAVAILABLE", retry_after=2) from None
