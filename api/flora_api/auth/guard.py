"""The ``Guard`` of the running API: recognises who asks, once a request, and asks what he may do.

An Authorization header counts before a cookie, and a bad one is not made good by a cookie. Tries with bad
tokens are counted by address, and when they are too many nothing is looked up for that address for a while.
"""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from pydantic import SecretStr

from flora_api.auth import csrf, people, sealing
from flora_api.auth.discord import DiscordError, DiscordOAuth, TheirGuild, User
from flora_api.auth.here import SESSION_COOKIE, Here
from flora_api.auth.sessions import Session, Sessions
from flora_api.auth.standing import Standings
from flora_api.auth.tokens import ApiToken, Tokens, parse_token
from flora_api.edge.addresses import client_address
from flora_api.edge.limits import Limits, Rate, seconds_to_wait
from flora_api.errors import Forbidden, NotFound, TooMany, Unauthorized
from flora_api.principal import ActorType, GuildAccess, Principal, Right
from flora_core.database import Database
from flora_core.ids import GuildId
from flora_core.telemetry import logger
from flora_core.wire.standing import ADMINISTRATOR, MANAGE_GUILD, Standing

THEIR_GUILDS_SECONDS: Final = 30.0
THEIR_GUILDS_KEPT: Final = 1_000
FEW: Final = 20
"""Guilds that are asked about one by one, without looking first where somebody is."""

_CALLER: Final = "flora.caller"
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and how he showed it."""

    principal: Principal
    token: ApiToken | None = None
    session_id: str = ""
    session: Session | None = None

    def __repr__(self) -> str:
        return f"Caller({self.principal!r})"


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """What of the API's settings the guard needs."""

    operator_secret: SecretStr
    here: Here
    per_caller: Rate
    failures: Rate


class AuthGuard:
    """See ``flora_api.principal.Guard``. Belongs to its loop."""

    def __init__(
        self,
        settings: GuardSettings,
        *,
        database: Database,
        sessions: Sessions,
        tokens: Tokens,
        standings: Standings,
        discord: DiscordOAuth,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._database = database
        self._sessions = sessions
        self._tokens = tokens
        self._standings = standings
        self._discord = discord
        self._limits = limits
        self._clock = clock
        self._their_guilds: OrderedDict[str, tuple[float, list[str]]] = OrderedDict()

    # ---------------------------------------------------------------- Guard

    async def principal(self, request: Request) -> Principal:
        caller = await self.caller(request)
        if caller.principal.type is ActorType.OPERATOR:
            raise Forbidden(
                "the operator's secret is for /api/metrics and /api/fleet; use a token or log in",
                code="OPERATOR_ONLY",
            )
        return caller.principal

    async def guild(self, request: Request, guild: GuildId, right: Right) -> GuildAccess:
        principal = await self.principal(request)
        token = (await self.caller(request)).token
        if token is not None and not token.allows(guild, right):
            raise Forbidden(
                f"this token is not for '{right}' in this guild; make one that is: flora token create",
                code="TOKEN_LIMITED",
            )
        standing = await self._standings.of(principal.user_id, guild)
        if standing is None:
            raise NotFound("the bot is not in this guild; invite it first", code="BOT_NOT_IN_GUILD")
        if not standing.manages:
            raise Forbidden(
                "this takes the permission Manage Server or Administrator in the guild, or owning it",
                code="NOT_GUILD_ADMIN",
            )
        return GuildAccess(guild, principal)

    async def guilds(self, request: Request, among: list[GuildId]) -> list[GuildId]:
        managed = {standing.guild for standing in await self._managed(request, among)}
        return [guild for guild in among if guild in managed]

    async def operator(self, request: Request) -> Principal:
        if not self._settings.operator_secret.get_secret_value():
            raise Forbidden(
                "nobody is the operator of this installation: set API_OPERATOR_SECRET",
                code="OPERATOR_NOT_CONFIGURED",
            )
        caller = await self.caller(request)
        if caller.principal.type is not ActorType.OPERATOR:
            raise Forbidden("this takes the operator's secret (API_OPERATOR_SECRET)", code="NOT_OPERATOR")
        return caller.principal

    # ---------------------------------------------------------------- for auth's own routes

    async def caller(self, request: Request) -> Caller:
        """Who asks, in full; looked up once a request."""
        known: Caller | None = request.scope.get(_CALLER)
        if known is None:
            known = request.scope[_CALLER] = await self._recognise(request)
        return known

    async def my_guilds(self, request: Request) -> list[Standing]:
        """Guilds where he who asks may do things, and the bot is."""
        return await self._managed(request, None)

    async def may_try(self, request: Request) -> None:
        """Raises TooMany when this address has shown too much that was not good."""
        wait = await self._limits.look(self._settings.failures, self.address(request))
        if wait > 0:
            raise TooMany(
                "too many failed logins from your address; wait and try again",
                retry_after=seconds_to_wait(wait),
            )

    async def failed(self, request: Request) -> None:
        """What this address has shown was not good."""
        await self._limits.take(self._settings.failures, self.address(request))

    def address(self, request: Request) -> str:
        """The caller's, as it is counted."""
        peer = request.client.host if request.client is not None else ""
        forwarded = request.headers.getlist("x-forwarded-for")
        return client_address(peer, forwarded, trusted=self._settings.here.trusted)

    # ---------------------------------------------------------------- who

    async def _recognise(self, request: Request) -> Caller:
        authorization = request.headers.get("authorization")
        if authorization is not None:
            caller, name = await self._by_token(request, authorization)
        else:
            caller, name = await self._by_cookie(request)
        wait = await self._limits.take(self._settings.per_caller, name)
        if wait > 0:
            raise TooMany("too many requests; wait and try again", retry_after=seconds_to_wait(wait))
        return caller

    async def _by_token(self, request: Request, authorization: str) -> tuple[Caller, str]:
        scheme, _, shown = authorization.partition(" ")
        shown = shown.strip() if scheme.lower() == "bearer" else ""
        parts = parse_token(shown)
        known = self._tokens.remembered(parts) if parts is not None else None
        if known is None:
            await self.may_try(request)
            if self._is_operator(shown):
                return Caller(Principal(ActorType.OPERATOR, "", "operator")), "operator"
            known = await self._tokens.find(parts) if parts is not None else None
        if known is None:
            await self.failed(request)
            raise Unauthorized(
                "this token is not good: mistyped, revoked or expired; log in again: flora login",
                code="TOKEN_INVALID",
            )
        token = known.token
        principal = Principal(ActorType.TOKEN, token.user_id, known.username, token.token_id)
        return Caller(principal, token=token), f"token:{token.token_id}"

    async def _by_cookie(self, request: Request) -> tuple[Caller, str]:
        secret = request.cookies.get(SESSION_COOKIE, "")
        session = await self._sessions.find(secret) if secret else None
        if session is None:
            raise Unauthorized(
                "log in at /api/auth/login, or send a token: Authorization: Bearer …",
                code="LOGIN_ENDED" if secret else "UNAUTHORIZED",
            )
        trouble = csrf.trouble(
            request.method,
            request.headers,
            expected=sealing.csrf_of(secret),
            origin=self._settings.here.origin(request),
        )
        if trouble is not None:
            raise Forbidden(f"this request is refused: {trouble}", code="CSRF")
        principal = Principal(ActorType.SESSION, session.user.id, session.user.username)
        caller = Caller(principal, session_id=secret, session=session)
        return caller, f"session:{sealing.place_of(secret, 'rate')[:32]}"

    def _is_operator(self, shown: str) -> bool:
        secret = self._settings.operator_secret.get_secret_value()
        return bool(secret) and hmac.compare_digest(secret.encode(), shown.encode(errors="replace"))

    # ---------------------------------------------------------------- where

    async def _managed(self, request: Request, among: list[GuildId] | None) -> list[Standing]:
        """Of ``among``, or of all guilds, those that he who asks may read."""
        principal = await self.principal(request)
        caller = await self.caller(request)
        token = caller.token
        if token is not None and Right.READ not in token.scopes:
            raise Forbidden(f"this token is not for '{Right.READ}'", code="TOKEN_LIMITED")
        if among is not None and token is not None and token.guilds is not None:
            among = [guild for guild in among if guild in token.guilds]
        if among is None or len(among) > FEW:
            where = await self._where(caller)
            within = None if among is None else set(among)
            among = [GuildId(guild) for guild in where if within is None or guild in within]
        return await self._standings.managed(principal.user_id, among) if among else []

    async def _where(self, caller: Caller) -> list[str]:
        """Guilds that he may manage, as far as is known without asking about each; no right to anything."""
        if caller.token is not None and caller.token.guilds is not None:
            return sorted(caller.token.guilds, key=int)
        if caller.session is not None:
            try:
                return await self._as_discord_says(caller.session_id, caller.session)
            except DiscordError as error:
                _log.warning("their_guilds_not_known", error=str(error))
        user = caller.principal.user_id
        person = await self._database.run(lambda connection: people.find(connection, user))
        return list(person.guilds) if person is not None else []

    async def _as_discord_says(self, secret: str, session: Session) -> list[str]:
        user = session.user
        until, guilds = self._their_guilds.get(user.id, (0.0, []))
        if self._clock() < until:
            return guilds
        theirs = await self._sessions.with_discord(secret, session, self._discord.guilds)
        guilds = manageable(theirs)
        await self.remember(user, guilds)
        self._their_guilds[user.id] = self._clock() + THEIR_GUILDS_SECONDS, guilds
        self._their_guilds.move_to_end(user.id)
        while len(self._their_guilds) > THEIR_GUILDS_KEPT:
            self._their_guilds.popitem(last=False)
        return guilds

    async def remember(self, user: User, guilds: list[str] | None) -> None:
        """Write down who somebody is; raises DatabaseError."""
        await self._database.run(lambda connection: people.remember(connection, user, guilds))


def manageable(guilds: list[TheirGuild]) -> list[str]:
    """Ids of those where Discord says that he may manage; whatever is no number is none."""
    wanted = ADMINISTRATOR | MANAGE_GUILD
    found: list[str] = []
    for guild in guilds:
        bits = int(guild.permissions) if guild.permissions.isdecimal() else 0
        if guild.id.isdecimal() and (guild.owner or bits & wanted):
            found.append(guild.id)
    return found
