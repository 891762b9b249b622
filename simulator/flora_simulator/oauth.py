"""OAuth2 as Discord does it (topics/oauth2): a person lets an application see who they are and where.

``Grants`` knows codes and tokens, without I/O. ``OAuth`` has the pages: ``/oauth2/authorize`` sends the
browser back at once, in the name of whoever ``/control/oauth/person`` or the query's ``login`` names.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from flora_simulator import discord_errors
from flora_simulator.control.http import ControlEndpoint, Order
from flora_simulator.faults import Faults
from flora_simulator.settings import SimulatorSettings
from flora_simulator.simcord_port import BackendError, User, serializers
from flora_simulator.wire import OAuthPerson
from flora_simulator.world import World

CODE_SECONDS: Final = 60.0
KEPT: Final = 10_000
_TOKEN: Final = "/oauth2/token"  # noqa: S105  a path
_REVOKE: Final = "/oauth2/token/revoke"
_ME: Final = "/users/@me"
_GUILDS: Final = "/users/@me/guilds"

Json = dict[str, Any]


class OAuthRefused(Exception):
    """An error as RFC 6749, 5.2 names it."""

    def __init__(self, error: str, description: str = "", *, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


@dataclass(slots=True)
class _Code:
    user: int
    redirect: str
    scope: str
    challenge: str
    ends: float


@dataclass(slots=True)
class _Grant:
    user: int
    scope: str
    access: str
    refresh: str
    ends: float


class Grants:
    """Codes that can be exchanged once, and the tokens that came of them."""

    def __init__(self, *, seconds: float, now: Callable[[], float]) -> None:
        self._seconds = seconds
        self._now = now
        self._codes: dict[str, _Code] = {}
        self._grants: dict[str, _Grant] = {}
        self.issued = 0
        self.revoked = 0

    def authorize(self, user: int, *, redirect: str, scope: str, challenge: str) -> str:
        """A code for ``user``."""
        code = secrets.token_urlsafe(20)
        self._codes[code] = _Code(user, redirect, scope, challenge, self._now() + CODE_SECONDS)
        while len(self._codes) > KEPT:
            del self._codes[next(iter(self._codes))]
        return code

    def exchange(self, code: str, *, redirect: str, verifier: str) -> Json:
        """The tokens for a code; raises OAuthRefused, and then the code is spent all the same."""
        kept = self._codes.pop(code, None)
        if kept is None or kept.ends < self._now():
            raise OAuthRefused("invalid_grant", 'Invalid "code" in request.')
        if kept.redirect != redirect:
            raise OAuthRefused("invalid_grant", 'Invalid "redirect_uri" in request.')
        if kept.challenge and not hmac.compare_digest(kept.challenge, s256(verifier)):
            raise OAuthRefused("invalid_grant", 'Invalid "code_verifier" in request.')
        return self._issue(kept.user, kept.scope)

    def refresh(self, token: str) -> Json:
        """New tokens for a refresh token, which is spent."""
        grant = self._grants.pop(token, None)
        if grant is None:
            raise OAuthRefused("invalid_grant", 'Invalid "refresh_token" in request.')
        return self._issue(grant.user, grant.scope)

    def revoke(self, token: str) -> None:
        """End the grant that ``token``, of either kind, belongs to; nothing for an unknown one."""
        for grant in list(self._grants.values()):
            if token in {grant.access, grant.refresh}:
                del self._grants[grant.refresh]
                self.revoked += 1

    def holder(self, access: str, *, scope: str) -> int | None:
        """Whose access token this is, when it is good and has ``scope``."""
        for grant in self._grants.values():
            if hmac.compare_digest(grant.access.encode(), access.encode()) and grant.ends > self._now():
                return grant.user if scope in grant.scope.split() else None
        return None

    def expire(self) -> None:
        """Let every access token be too old; refresh tokens stay good."""
        for grant in self._grants.values():
            grant.ends = 0.0

    def revoke_all(self) -> None:
        """Everybody takes their permission back."""
        self._grants.clear()

    @property
    def live(self) -> int:
        """Grants that were not revoked."""
        return len(self._grants)

    def _issue(self, user: int, scope: str) -> Json:
        access, refresh = secrets.token_urlsafe(22), secrets.token_urlsafe(22)
        self._grants[refresh] = _Grant(user, scope, access, refresh, self._now() + self._seconds)
        while len(self._grants) > KEPT:
            del self._grants[next(iter(self._grants))]
        self.issued += 1
        return {
            "token_type": "Bearer",
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": round(self._seconds),
            "scope": scope,
        }


def s256(verifier: str) -> str:
    """The challenge of a PKCE verifier (RFC 7636, 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class OAuth:
    """Its pages, its routes of the REST API, and its control."""

    def __init__(self, world: World, settings: SimulatorSettings, faults: Faults) -> None:
        self._world = world
        self._settings = settings
        self._faults = faults
        self._grants = Grants(seconds=settings.oauth_seconds, now=asyncio.get_running_loop().time)
        self._person = OAuthPerson()

    def add_routes(self, app: web.Application, prefixes: tuple[str, ...], otherwise: Handler) -> None:
        """Routes beside the bot's; ``otherwise`` answers what comes without a person's bearer token."""
        app.router.add_get("/oauth2/authorize", self._authorize)
        for prefix in prefixes:
            app.router.add_get(f"{prefix}/oauth2/authorize", self._authorize)
            app.router.add_post(prefix + _TOKEN, self._form(_TOKEN, self._token))
            app.router.add_post(prefix + _REVOKE, self._form(_REVOKE, self._revoke))
            app.router.add_get(prefix + _ME, self._bearer(_ME, "identify", self._me, otherwise))
            app.router.add_get(prefix + _GUILDS, self._bearer(_GUILDS, "guilds", self._guilds, otherwise))

    def endpoints(self) -> list[ControlEndpoint]:
        """Control: who is at the browser, and what becomes of the tokens."""
        return [
            ControlEndpoint("PUT", "/oauth/person", self._set_person, OAuthPerson),
            ControlEndpoint("POST", "/oauth/expire", lambda _order: self._grants.expire()),
            ControlEndpoint("POST", "/oauth/revoke", lambda _order: self._grants.revoke_all()),
            ControlEndpoint("GET", "/oauth", self._state),
        ]

    def _set_person(self, order: Order) -> None:
        wish: OAuthPerson = order.body
        self._world.user(wish.user)  # raises for nobody
        self._person = wish

    def _state(self, _order: Order) -> Json:
        return {"issued": self._grants.issued, "live": self._grants.live, "revoked": self._grants.revoked}

    async def _authorize(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        redirect = query.get("redirect_uri", "")
        if query.get("client_id") != str(self._world.backend.application_id):
            return web.Response(status=400, text="Unknown application")
        if urlsplit(redirect).scheme not in {"http", "https"}:
            return web.Response(status=400, text="Invalid OAuth2 redirect_uri")
        back = {"state": query["state"]} if "state" in query else {}
        if self._person.refuses:
            said = {"error": "access_denied", "error_description": "The resource owner denied the request"}
            return _to(redirect, said | back)
        wrong = query.get("response_type") != "code" or not query.get("scope")
        if wrong or query.get("code_challenge_method", "S256") != "S256":
            return _to(redirect, {"error": "invalid_request"} | back)
        try:
            user = self._world.user(query.get("login", self._person.user))
        except Exception as error:  # noqa: BLE001  whoever is named is nobody
            return web.Response(status=400, text=str(error))
        code = self._grants.authorize(
            user.id, redirect=redirect, scope=query["scope"], challenge=query.get("code_challenge", "")
        )
        return _to(redirect, {"code": code} | back)

    def _token(self, form: Mapping[str, str]) -> Json:
        kind = form.get("grant_type")
        if kind == "authorization_code":
            return self._grants.exchange(
                form.get("code", ""),
                redirect=form.get("redirect_uri", ""),
                verifier=form.get("code_verifier", ""),
            )
        if kind == "refresh_token":
            return self._grants.refresh(form.get("refresh_token", ""))
        raise OAuthRefused("unsupported_grant_type")

    def _revoke(self, form: Mapping[str, str]) -> Json:
        self._grants.revoke(form.get("token", ""))
        return {}

    def _me(self, user: User) -> Json:
        return dict(serializers.user_payload(user))

    def _guilds(self, user: User) -> list[Json]:
        backend = self._world.backend
        return [
            {
                "id": str(guild.id),
                "name": guild.name,
                "icon": None,
                "owner": guild.owner_id == user.id,
                "permissions": str(backend.compute_permissions(guild.id, user.id)),
                "features": [],
            }
            for guild in backend.guilds.values()
            if user.id in guild.members
        ]

    def _form(self, path: str, run: Callable[[Mapping[str, str]], Json]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            if (failed := await self._fault("POST", path, request)) is not None:
                return failed
            form = {name: str(value) for name, value in (await request.post()).items()}
            try:
                self._check_client(form)
                return _json(run(form))
            except OAuthRefused as error:
                body = {"error": error.error, "error_description": error.description}
                return _json(body, status=error.status)

        return handle

    def _bearer(self, path: str, scope: str, run: Callable[[User], Any], otherwise: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme != "Bearer":
                return await otherwise(request)
            if (failed := await self._fault("GET", path, request)) is not None:
                return failed
            user = self._world.backend.users.get(self._grants.holder(token, scope=scope) or 0)
            if user is None:
                status, body = discord_errors.UNAUTHORIZED
                return _json(body, status=status)
            try:
                return _json(run(user))
            except BackendError as error:
                status, body = discord_errors.body_of(error)
                return _json(body, status=status)

        return handle

    async def _fault(self, method: str, path: str, request: web.Request) -> web.Response | None:
        """What a test asked for in place of the answer."""
        fault = self._faults.take(method, path)
        if fault is None:
            return None
        await asyncio.sleep(fault.delay)
        if fault.reset and request.transport is not None:
            request.transport.abort()
        if fault.status is None:
            return None
        headers = {"Retry-After": str(fault.retry_after)} if fault.status == 429 else {}
        return _json({"message": "asked for by a test", "code": 0}, status=fault.status, headers=headers)

    def _check_client(self, form: Mapping[str, str]) -> None:
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
        right = hmac.compare_digest(secret.encode(), self._settings.client_secret.encode())
        if name != str(self._world.backend.application_id) or not right:
            raise OAuthRefused("invalid_client", status=401)


def _to(redirect: str, query: Mapping[str, str]) -> web.Response:
    joint = "&" if urlsplit(redirect).query else "?"
    return web.Response(status=302, headers={"Location": f"{redirect}{joint}{urlencode(query)}"})


def _json(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status,
        body=msgspec.json.encode(body),
        headers={"Content-Type": "application/json", **(headers or {})},
    )
