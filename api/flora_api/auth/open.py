"""``auth`` put together from settings, Postgres, Redis and an HTTP client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from fastapi import APIRouter

from flora_api.auth.discord import DiscordOAuth
from flora_api.auth.guard import AuthGuard, GuardSettings
from flora_api.auth.here import Here
from flora_api.auth.logins import Logins
from flora_api.auth.routes import guilds, login
from flora_api.auth.routes import tokens as token_routes
from flora_api.auth.sessions import Sessions
from flora_api.auth.standing import Standings
from flora_api.auth.tokens import Tokens
from flora_api.edge.limits import Limits, Rate
from flora_api.redis_store import Store
from flora_api.settings import ApiSettings
from flora_core.database import Database
from flora_core.streams import Token

HOUR, DAY = 3600, 86_400


@dataclass(frozen=True, slots=True)
class Auth:
    """What there is once it is open."""

    guard: AuthGuard
    routers: list[APIRouter]
    sessions: Sessions
    tokens: Tokens


@asynccontextmanager
async def open_auth(
    settings: ApiSettings,
    *,
    database: Database,
    redis: Store,
    http: aiohttp.ClientSession,
    limits: Limits,
    token: Token,
    owners: Collection[str] = (),
) -> AsyncGenerator[Auth]:
    """``http`` without cookies; ``token`` opens the gateway; ``owners`` count as every guild's."""
    here = Here(settings.public_url, settings.trusted_proxies)
    discord = DiscordOAuth(
        http,
        url=settings.discord_url,
        browser_url=settings.discord_browser_url,
        client_id=settings.discord_client_id,
        client_secret=settings.discord_client_secret,
    )
    longest = round(settings.session_longest_days * DAY)
    sessions = Sessions(redis, discord, seconds=round(settings.session_hours * HOUR), longest=longest)
    tokens = Tokens(database)
    async with Standings(http, url=settings.gateway_url, token=token, owners=owners) as standings:
        guard = AuthGuard(
            GuardSettings(
                operator_secret=settings.operator_secret,
                here=here,
                per_caller=Rate("caller", settings.rate_caller),
                failures=Rate("failures", settings.rate_failures),
            ),
            database=database,
            sessions=sessions,
            tokens=tokens,
            standings=standings,
            discord=discord,
            limits=limits,
        )
        routers = [
            login.router(
                guard,
                discord=discord,
                logins=Logins(redis),
                sessions=sessions,
                tokens=tokens,
                here=here,
                cookie_seconds=longest,
            ),
            token_routes.router(guard, tokens),
            guilds.router(guard, database),
        ]
        yield Auth(guard, routers, sessions, tokens)
