"""Whose token this is, as the operator says: for processes that cannot ask the API server.

A runtime pod runs scripts of strangers, so it mounts no token for the Kubernetes API; yet the API dials it,
with a ServiceAccount token like everybody. The pod sends a token that it does not know to the operator
(``POST /v1/identities``), which reviews it, and keeps the answer as the operator does (``identity_cache``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

import aiohttp
import msgspec
from msgspec import Struct

from flora_core.errors import FloraError
from flora_core.identity import CannotIdentify, Identity, Role
from flora_core.identity_cache import TOKEN_LIMIT, CachedIdentities, ReviewLimits
from flora_core.streams import Token
from flora_core.wire import UNREADABLE


class WhoseToken(Struct, frozen=True):
    """The question."""

    token: str

    def __repr__(self) -> str:
        return "WhoseToken(…)"


class TokenIs(Struct, frozen=True):
    """The answer; without a role it is nobody's."""

    role: Role | None = None
    pod: str = ""


class RemoteIdentities:
    """Identities that the operator at ``url`` knows. Use as an async context manager."""

    def __init__(
        self,
        url: str,
        *,
        token: Token,
        limits: ReviewLimits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``token`` is our own; ``clock`` as in CachedIdentities."""
        self._url = f"{url}/v1/identities"
        self._token = token
        self._cache = CachedIdentities(self._ask, who="the operator", limits=limits, clock=clock)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
        )
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._cache.close()
        if self._session is not None:
            await self._session.close()

    async def identify(self, token: str) -> Identity | None:
        """Whose token this is; None for nobody's. Raises CannotIdentify when that cannot be known now."""
        if not token.isascii() or not token.isprintable() or len(token) > TOKEN_LIMIT:
            return None
        return await self._cache.identify(token)

    async def _ask(self, token: str) -> Identity | None:
        assert self._session is not None, "use as an async context manager"
        try:
            async with self._session.post(
                self._url,
                data=msgspec.json.encode(WhoseToken(token)),
                headers={"Content-Type": "application/json", **self._token.headers()},
                allow_redirects=False,
            ) as response:
                body = await response.content.read(TOKEN_LIMIT)
        except (aiohttp.ClientError, OSError, FloraError) as error:
            raise CannotIdentify(f"the operator cannot be asked: {type(error).__name__}") from None
        if response.status in {401, 403}:
            raise CannotIdentify(
                f"the operator answered {response.status}: it does not know us; "
                "look at our ServiceAccount in its FLORA_SERVICE_ACCOUNTS"
            )
        if response.status != 200:
            raise CannotIdentify(f"the operator answered {response.status}")
        try:
            answer = msgspec.json.decode(body, type=TokenIs)
        except UNREADABLE:
            raise CannotIdentify("the operator's answer cannot be read") from None
        return Identity(answer.role, answer.pod) if answer.role is not None else None
