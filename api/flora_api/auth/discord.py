"""Discord's OAuth2 (topics/oauth2): where people log in, and what they let us see.

    DiscordError
    ├── DiscordRefused   the code, token or client is not good (any more)
    └── DiscordGone      no answer, or none that can be used, in time

No text of these holds a code, a token or the secret.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import msgspec
from aiohttp import ClientTimeout
from msgspec import Struct
from prometheus_client import Counter
from pydantic import SecretStr

from flora_core.errors import FloraError
from flora_core.wire import UNREADABLE

SCOPES: Final = "identify guilds"
CALL_SECONDS: Final = 5.0
ANSWER_LIMIT: Final = 2 << 20
"""Bytes; 200 guilds have some 100 kB."""
API: Final = "/api/v10"

_calls = Counter("flora_api_discord_calls_total", "Calls to Discord for people", ["call", "outcome"])


class DiscordError(FloraError):
    """Discord does not tell."""


class DiscordRefused(DiscordError):
    """Discord will not have the code, the token or the client."""


class DiscordGone(DiscordError):
    """Discord does not answer, or says that it cannot."""

    def __init__(self, text: str, *, retry_after: float = 2.0) -> None:
        super().__init__(text)
        self.retry_after = retry_after
        """Seconds."""


class User(Struct, frozen=True):
    """A person."""

    id: str
    username: str = ""
    global_name: str | None = None
    avatar: str | None = None


class DiscordTokens(Struct, frozen=True):
    """What acts for a person at Discord."""

    access: str
    refresh: str
    ends_at: float
    """Unix seconds, by which the access token is too old."""

    def __repr__(self) -> str:
        return f"DiscordTokens(…, ends_at={self.ends_at:.0f})"


class TheirGuild(Struct, frozen=True):
    """A guild that a person is in, as Discord told them."""

    id: str
    name: str = ""
    icon: str | None = None
    owner: bool = False
    permissions: str = "0"


class _TokenAnswer(Struct):
    access_token: str
    refresh_token: str = ""
    expires_in: float = 0.0


class DiscordOAuth:
    """One application at Discord."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        *,
        url: str,
        browser_url: str = "",
        client_id: str,
        client_secret: SecretStr,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``url``: ``https://discord.com``, or a simulated one; ``browser_url``: the same for browsers."""
        self._http = http
        self._url = url.rstrip("/")
        self._browser_url = browser_url.rstrip("/") or self._url
        self._client_id = client_id
        self._secret = client_secret
        self._clock = clock

    @property
    def configured(self) -> bool:
        return bool(self._client_id and self._secret.get_secret_value())

    def authorize_url(self, *, redirect: str, state: str, challenge: str, ask_again: bool) -> str:
        """Where to send a browser. ``ask_again``: also those who have agreed before."""
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect,
            "scope": SCOPES,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "prompt": "consent" if ask_again else "none",
        }
        return f"{self._browser_url}/oauth2/authorize?{urlencode(query)}"

    async def exchange(self, code: str, *, redirect: str, verifier: str) -> DiscordTokens:
        """Tokens for the code that the browser brought back."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
        }
        return self._tokens(await self._post("exchange", f"{API}/oauth2/token", form))

    async def refresh(self, tokens: DiscordTokens) -> DiscordTokens:
        """New tokens for old; the old ones are spent."""
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh}
        return self._tokens(await self._post("refresh", f"{API}/oauth2/token", form))

    async def revoke(self, tokens: DiscordTokens) -> None:
        """Take back what the person allowed."""
        form = {"token": tokens.access, "token_type_hint": "access_token"}
        await self._post("revoke", f"{API}/oauth2/token/revoke", form)

    async def user(self, tokens: DiscordTokens) -> User:
        """Whose tokens these are."""
        return _decoded(await self._get("user", "/users/@me", tokens), User)

    async def guilds(self, tokens: DiscordTokens) -> list[TheirGuild]:
        """Where the person is; Discord has at most 200."""
        return _decoded(await self._get("guilds", "/users/@me/guilds", tokens), list[TheirGuild])

    def _tokens(self, answer: bytes) -> DiscordTokens:
        said = _decoded(answer, _TokenAnswer)
        return DiscordTokens(said.access_token, said.refresh_token, self._clock() + said.expires_in)

    async def _post(self, call: str, path: str, form: Mapping[str, str]) -> bytes:
        client = {"client_id": self._client_id, "client_secret": self._secret.get_secret_value()}
        return await self._call(call, "POST", path, form={**client, **form})

    async def _get(self, call: str, path: str, tokens: DiscordTokens) -> bytes:
        headers = {"Authorization": f"Bearer {tokens.access}"}
        return await self._call(call, "GET", API + path, headers=headers)

    async def _call(
        self,
        call: str,
        method: str,
        path: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        try:
            async with self._http.request(
                method,
                self._url + path,
                data=form,
                headers=headers,
                timeout=ClientTimeout(total=CALL_SECONDS),
                allow_redirects=False,
            ) as response:
                body = await response.content.read(ANSWER_LIMIT)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            _calls.labels(call, "gone").inc()
            raise DiscordGone(f"Discord does not answer ({type(error).__name__})") from None
        if response.status in {200, 204}:
            _calls.labels(call, "ok").inc()
            return body
        if response.status in {400, 401, 403}:
            _calls.labels(call, "refused").inc()
            raise DiscordRefused(f"Discord answered {response.status}{_named(body)}")
        _calls.labels(call, "gone").inc()
        raise DiscordGone(f"Discord answered {response.status}", retry_after=_retry_after(response))


class _Refusal(Struct):
    error: str = ""


def _named(body: bytes) -> str:
    """The error's name, of those that OAuth2 knows."""
    try:
        error = msgspec.json.decode(body, type=_Refusal).error
    except UNREADABLE:
        return ""
    return f": {error}" if error.replace("_", "").isalpha() and len(error) < 40 else ""


def _retry_after(response: aiohttp.ClientResponse) -> float:
    try:
        return min(max(float(response.headers.get("Retry-After", "2")), 1.0), 60.0)
    except ValueError:
        return 2.0


def _decoded(body: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE:
        raise DiscordGone("Discord's answer cannot be read") from None
