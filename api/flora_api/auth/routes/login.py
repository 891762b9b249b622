"""``/auth``: logging in and out, and who I am."""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from flora_api.answers import EVERYWHERE, refusals
from flora_api.auth import pkce, sealing
from flora_api.auth.discord import (
    DiscordError,
    DiscordGone,
    DiscordOAuth,
    DiscordRefused,
    DiscordTokens,
    User,
)
from flora_api.auth.guard import AuthGuard, Caller, manageable
from flora_api.auth.here import LOGIN_COOKIE, LOGIN_PATH, SESSION_COOKIE, Here
from flora_api.auth.logins import (
    LOGIN_SECONDS,
    CliCode,
    CliLogin,
    Login,
    Logins,
    cli_login,
    local_path,
    with_query,
)
from flora_api.auth.sessions import Sessions
from flora_api.auth.tokens import LABEL, LABEL_MOST, Tokens
from flora_api.errors import Forbidden, Unauthorized, Unavailable
from flora_api.principal import ActorType, Principal
from flora_core.telemetry import logger

CALLBACK = "/api/auth/callback"
_log = logger(__name__)


class UserModel(BaseModel):
    """A person, as Discord has them."""

    id: str
    username: str
    global_name: str | None = None
    avatar: str | None = None

    @classmethod
    def of(cls, user: User) -> UserModel:
        return cls(id=user.id, username=user.username, global_name=user.global_name, avatar=user.avatar)


class MyToken(BaseModel):
    """The token that was shown."""

    token_id: str
    label: str
    guilds: list[str] | None = Field(description="null: all guilds of its person.")
    scopes: list[str]
    expires_at: datetime


class Me(BaseModel):
    """Who asks."""

    user: UserModel
    type: Literal["session", "token", "operator"]
    csrf: str | None = Field(None, description="For the header X-Flora-CSRF; of sessions alone.")
    token: MyToken | None = None


class CliTokenWish(BaseModel):
    """What a CLI shows in the end."""

    code: str = Field(max_length=200)
    verifier: str = Field(max_length=200)
    label: str = Field("flora login", max_length=LABEL_MOST, pattern=LABEL)


class CliToken(BaseModel):
    """Shown this once."""

    token: str
    token_id: str
    user: UserModel


def router(
    guard: AuthGuard,
    *,
    discord: DiscordOAuth,
    logins: Logins,
    sessions: Sessions,
    tokens: Tokens,
    here: Here,
    cookie_seconds: int,
) -> APIRouter:
    """``cookie_seconds``: how long a browser keeps the session's cookie, which is good for no longer than
    the session."""
    routes = APIRouter(prefix="/auth", tags=["auth"])
    leaving: dict[int | str, dict[str, Any]] = {303: {"description": "See Location."}}

    async def begin(request: Request, *, path: str = "/", cli: CliLogin | None = None) -> Response:
        if not discord.configured:
            raise Unavailable(
                "nobody can log in here yet: set API_DISCORD_CLIENT_ID and API_DISCORD_CLIENT_SECRET",
                code="LOGIN_NOT_CONFIGURED",
                retry_after=60,
            )
        browser = request.cookies.get(LOGIN_COOKIE, "")
        if not sealing.could_be_id(browser):  # else one login more of the same browser
            browser = sealing.make_id()
        verifier = pkce.make_verifier()
        redirect = here.origin(request) + CALLBACK
        state = await logins.begin(Login(browser, verifier, redirect, path, cli))
        url = discord.authorize_url(
            redirect=redirect,
            state=state,
            challenge=pkce.challenge_of(verifier),
            ask_again=cli is not None,
        )
        answer = RedirectResponse(url, 303)
        here.set_cookie(request, answer, LOGIN_COOKIE, browser, seconds=LOGIN_SECONDS, path=LOGIN_PATH)
        return answer

    @routes.get(
        "/login",
        status_code=303,
        response_class=RedirectResponse,
        responses=leaving | refusals(429, 503),
        summary="Log in",
    )
    async def login(
        request: Request,
        next: Annotated[str, Query(description="A path of this host.")] = "/",  # noqa: A002
    ) -> Response:
        return await begin(request, path=local_path(next))

    @routes.get(
        "/cli",
        status_code=303,
        response_class=RedirectResponse,
        responses=leaving | refusals(400, 429, 503),
        summary="Log in from a CLI",
    )
    async def cli(request: Request, redirect: str, state: str, challenge: str) -> Response:
        waiting = cli_login(redirect, state, challenge, is_challenge=pkce.is_challenge(challenge))
        return await begin(request, cli=waiting)

    @routes.get(
        "/callback",
        status_code=303,
        response_class=RedirectResponse,
        responses=leaving | refusals(401, 403, 429, 503),
        summary="Where Discord sends the browser back to",
    )
    async def callback(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
        await guard.may_try(request)
        begun = await logins.end(state)
        browser = request.cookies.get(LOGIN_COOKIE, "")
        if begun is None or not hmac.compare_digest(begun.browser.encode(), browser.encode()):
            await guard.failed(request)
            raise Unauthorized(
                "this login is over, or was begun in another browser; begin anew at /api/auth/login",
                code="LOGIN_STALE",
            )
        if error or not code:
            if begun.cli is not None:
                return _back(begun.cli, error="access_denied")
            raise Forbidden(
                "Discord let nobody in: the login was cancelled; begin anew at /api/auth/login",
                code="LOGIN_DENIED",
            )
        try:
            granted = await discord.exchange(code, redirect=begun.redirect, verifier=begun.verifier)
            user = await discord.user(granted)
        except DiscordError as trouble:
            raise await _translated(guard, request, trouble) from None
        await guard.remember(user, await _their_guilds(discord, granted))
        if begun.cli is not None:
            await _revoke(discord, granted)  # a CLI gets a token of ours, and needs none of Discord's
            return _back(begun.cli, code=await logins.make_code(CliCode(user, begun.cli.challenge)))
        await sessions.delete(request.cookies.get(SESSION_COOKIE, ""))
        secret = await sessions.create(user, granted)
        answer = RedirectResponse(begun.next, 303)
        here.set_cookie(request, answer, SESSION_COOKIE, secret, seconds=cookie_seconds)
        here.drop_cookie(request, answer, LOGIN_COOKIE, path=LOGIN_PATH)
        return answer

    @routes.post(
        "/cli/token",
        responses=refusals(400, 401, 409, 429, 503),
        summary="Exchange a CLI's code for a token",
    )
    async def cli_token(request: Request, wish: CliTokenWish) -> CliToken:
        await guard.may_try(request)
        code = await logins.take_code(wish.code)
        if code is None or not pkce.proves(wish.verifier, code.challenge):
            await guard.failed(request)
            raise Unauthorized(
                "the code is not good (any more); begin anew: flora login", code="CLI_CODE_INVALID"
            )
        person = Principal(ActorType.SESSION, code.user.id, code.user.username)
        shown, token = await tokens.create(person, label=wish.label, login=True)
        return CliToken(token=str(shown), token_id=token.token_id, user=UserModel.of(code.user))

    @routes.get("/me", responses=EVERYWHERE, summary="Who I am")
    async def me(request: Request) -> Me:
        caller = await guard.caller(request)
        return Me(
            user=_user_of(caller),
            type=_type_of(caller),
            csrf=sealing.csrf_of(caller.session_id) if caller.session_id else None,
            token=_token_of(caller),
        )

    @routes.post(
        "/logout", status_code=204, responses=EVERYWHERE, summary="End this login, or revoke this token"
    )
    async def logout(request: Request) -> Response:
        caller = await guard.caller(request)
        answer = Response(status_code=204)
        if caller.token is not None:
            await tokens.revoke(caller.principal, caller.token.token_id)
        elif caller.session is not None:
            await sessions.delete(caller.session_id)
            await _revoke(discord, caller.session.discord)
            here.drop_cookie(request, answer, SESSION_COOKIE)
        else:
            raise Forbidden("the operator's secret cannot log out: unset it", code="OPERATOR_ONLY")
        return answer

    return routes


def _back(cli: CliLogin, **said: str) -> Response:
    return RedirectResponse(with_query(cli.redirect, **said, state=cli.state), 303)


async def _translated(guard: AuthGuard, request: Request, error: DiscordError) -> Exception:
    if isinstance(error, DiscordGone):
        text = "Discord does not answer just now; try again in a moment"
        return Unavailable(text, code="DISCORD_UNAVAILABLE", retry_after=error.retry_after)
    if isinstance(error, DiscordRefused):
        _log.warning("login_refused", error=str(error))
    await guard.failed(request)
    text = "Discord does not confirm this login; begin anew at /api/auth/login"
    return Unauthorized(text, code="LOGIN_REFUSED")


async def _their_guilds(discord: DiscordOAuth, granted: DiscordTokens) -> list[str] | None:
    """Where they manage a guild; a login does not fail for want of that."""
    try:
        return manageable(await discord.guilds(granted))
    except DiscordError as error:
        _log.warning("their_guilds_not_known", error=str(error))
        return None


async def _revoke(discord: DiscordOAuth, granted: DiscordTokens) -> None:
    try:
        await discord.revoke(granted)
    except DiscordError as error:
        _log.warning("discord_tokens_not_revoked", error=str(error))


def _user_of(caller: Caller) -> UserModel:
    if caller.session is not None:
        return UserModel.of(caller.session.user)
    return UserModel(id=caller.principal.user_id, username=caller.principal.username)


def _type_of(caller: Caller) -> Literal["session", "token", "operator"]:
    if caller.session is not None:
        return "session"
    return "token" if caller.token is not None else "operator"


def _token_of(caller: Caller) -> MyToken | None:
    token = caller.token
    if token is None:
        return None
    return MyToken(
        token_id=token.token_id,
        label=token.label,
        guilds=None if token.guilds is None else sorted(token.guilds, key=int),
        scopes=sorted(token.scopes),
        expires_at=token.expires_at,
    )
