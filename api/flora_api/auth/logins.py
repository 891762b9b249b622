"""A login under way, from the way to Discord until the way back.

What a login needs on its way back lies in Redis for ten minutes under its ``state``, which is good once. It
also names the browser that began it by a cookie, so that nobody can be made to end somebody else's login.
A CLI's login ends with a code for the CLI, good once and for a minute, and only with the verifier of the
challenge that the CLI began with.
"""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from msgspec import Struct

from flora_api.auth import sealing
from flora_api.auth.discord import User
from flora_api.errors import BadRequest, Unavailable
from flora_api.redis_store import AWAY, Store
from flora_core.wire import UNREADABLE

LOGIN_SECONDS: Final = 600
CODE_SECONDS: Final = 60
LONGEST: Final = 2_000
"""Characters of an address to go back to."""
LONGEST_STATE: Final = 500

T = TypeVar("T")
_LOGIN, _CODE = "login", "cli-code"
_LOOPBACK: Final = frozenset(("127.0.0.1", "::1", "localhost"))
_LOCAL_PATH: Final = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")


class CliLogin(Struct, frozen=True):
    """The CLI that waits for it."""

    redirect: str
    state: str
    challenge: str


class Login(Struct, frozen=True):
    """What is known of a login when it begins."""

    browser: str
    """The cookie of the browser that began it."""
    verifier: str
    redirect: str
    """Ours, as Discord was told."""
    next: str = "/"
    cli: CliLogin | None = None


class CliCode(Struct, frozen=True):
    """Who a CLI's code is for."""

    user: User
    challenge: str


class Logins:
    """All methods raise Unavailable while Redis is away."""

    def __init__(self, redis: Store) -> None:
        self._redis = redis

    async def begin(self, login: Login) -> str:
        """The ``state`` to give to Discord."""
        return await self._keep(_LOGIN, login, LOGIN_SECONDS)

    async def end(self, state: str) -> Login | None:
        """What began with ``state``, once."""
        return await self._take(_LOGIN, state, Login)

    async def make_code(self, code: CliCode) -> str:
        """The code to give to a CLI."""
        return await self._keep(_CODE, code, CODE_SECONDS)

    async def take_code(self, code: str) -> CliCode | None:
        """Whose it is, once."""
        return await self._take(_CODE, code, CliCode)

    async def _keep(self, purpose: str, record: Struct, seconds: int) -> str:
        secret = sealing.make_id()
        sealed = sealing.seal(secret, purpose, msgspec.json.encode(record))
        try:
            await self._redis.set(_key(purpose, secret), sealed, ex=seconds)
        except AWAY:
            raise _cannot() from None
        return secret

    async def _take(self, purpose: str, secret: str, kind: type[T]) -> T | None:
        if not sealing.could_be_id(secret):
            return None
        try:
            sealed: Any = await self._redis.getdel(_key(purpose, secret))
        except AWAY:
            raise _cannot() from None
        record = sealing.unseal(secret, purpose, sealed) if sealed else None
        try:
            return msgspec.json.decode(record, type=kind) if record is not None else None
        except UNREADABLE:  # of another version
            return None


def _key(purpose: str, secret: str) -> str:
    return f"flora:api:{purpose}:{sealing.place_of(secret, purpose)}"


def _cannot() -> Unavailable:
    text = "nobody can log in just now, because Redis does not answer; API tokens work"
    return Unavailable(text, code="LOGIN_UNAVAILABLE", retry_after=2)


def local_path(text: str) -> str:
    """Where to go after the login, when it is a path of this host; else ``/``."""
    return text if len(text) <= LONGEST and _LOCAL_PATH.fullmatch(text) else "/"


def cli_login(redirect: str, state: str, challenge: str, *, is_challenge: bool) -> CliLogin:
    """Checks what a CLI begins with; raises BadRequest. Only a program on the person's own machine may wait
    for the code (RFC 8252, 7.3)."""
    try:
        parts = urlsplit(redirect)
        usable = (
            parts.scheme == "http"
            and parts.hostname in _LOOPBACK
            and parts.port is not None
            and not parts.username
            and not parts.password
            and not parts.fragment
            and len(redirect) <= LONGEST
            and redirect.isascii()
            and redirect.isprintable()
            and not set(redirect) & set(" \\<>\"'`")
        )
    except ValueError:
        usable = False
    if not usable:
        raise BadRequest("redirect: should be http://127.0.0.1:PORT/…", code="INVALID_REDIRECT")
    if not state or len(state) > LONGEST_STATE or not state.isascii() or not state.isprintable():
        raise BadRequest(f"state: should be up to {LONGEST_STATE} characters of ASCII", code="INVALID_STATE")
    if not is_challenge:
        raise BadRequest(
            "challenge: should be the S256 of a verifier, 43 characters (RFC 7636)", code="INVALID_CHALLENGE"
        )
    return CliLogin(redirect, state, challenge)


def with_query(url: str, **more: str) -> str:
    """``url`` with ``more`` in its query."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True)]
    return urlunsplit(parts._replace(query=urlencode([*query, *more.items()])))
