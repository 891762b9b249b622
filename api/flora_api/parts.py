"""The API's parts put together: the one place that knows all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from fastapi import APIRouter

from flora_api import installation
from flora_api.auth.guard import AuthGuard
from flora_api.auth.open import open_auth
from flora_api.edge.limits import Limits
from flora_api.redis_store import Store
from flora_api.settings import ApiSettings
from flora_core.database import Database
from flora_core.identity import Identities
from flora_core.streams import Token


@dataclass(frozen=True, slots=True)
class Common:
    """What parts are made of."""

    settings: ApiSettings
    database: Database
    redis: Store
    http: aiohttp.ClientSession
    """Without cookies; each call has its own deadline."""
    limits: Limits
    token: Token
    """Opens operator, gateway and runtime pods."""
    identities: Identities
    """Who may dial the internal port."""
    internal: web.Application
    """Served on the internal port; parts add their routes."""
    stopping: asyncio.Event
    """Set when no more requests should come: streams end then."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is made of."""

    guard: AuthGuard
    routers: list[APIRouter]
    larger_bodies: dict[str, int] = field(default_factory=dict)
    """See ``edge.with_edge``."""


@asynccontextmanager
async def open_parts(common: Common) -> AsyncGenerator[Parts]:
    """Each part in its line: opened in this order, closed in the other."""
    async with AsyncExitStack() as stack:
        auth = await stack.enter_async_context(
            open_auth(
                common.settings,
                database=common.database,
                redis=common.redis,
                http=common.http,
                limits=common.limits,
                token=common.token,
            )
        )
        parts = Parts(auth.guard, [*auth.routers, installation.router()])
        # Here the other parts join: enter what runs, and append their routers.
        yield parts
