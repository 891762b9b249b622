"""The API's parts put together: the one place that knows all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp import web
from fastapi import APIRouter

from flora_api import builds, deployments, guilds, installation
from flora_api.auth.guard import AuthGuard
from flora_api.auth.open import open_auth
from flora_api.builds.service import open_builds
from flora_api.deployments import Deployments, DeploySettings, open_deployments
from flora_api.deployments.kube import open_kube_deployments
from flora_api.deployments.store import DeploymentStore
from flora_api.edge.edge import Allowance
from flora_api.edge.limits import Limits
from flora_api.guilds import DeploymentCounts, RouteFollower, open_guilds
from flora_api.guilds.backups import MAKE_SECONDS, RESTORE_SECONDS
from flora_api.guilds.jobs import RUN_SECONDS
from flora_api.logs import routes as log_routes
from flora_api.logs.service import LogService, open_logs
from flora_api.logs.store import Keep
from flora_api.principal import Right
from flora_api.quick import QuickRead
from flora_api.redis_store import Store
from flora_api.secrets import routes as secret_routes
from flora_api.secrets.service import open_secrets
from flora_api.settings import ApiSettings
from flora_core.database import Database
from flora_core.identity import Identities
from flora_core.ids import GuildId, PodName
from flora_core.streams import Token
from flora_core.toolchain import Toolchain, ToolLimits

RESTORE_BYTES: Final = 256 << 20
"""A backup of a guild at its quota, with room; the pod counts exactly."""

AFTERWARDS: Final = 5.0
"""Seconds by which an answer may come later than what it waits for."""

ALLOWANCES: Final = (
    Allowance("/api/kv/restore/[0-9]+", RESTORE_BYTES, RESTORE_SECONDS + AFTERWARDS),
    Allowance("/api/kv/export/[0-9]+", seconds=MAKE_SECONDS + AFTERWARDS),
    Allowance("/api/crons/[0-9]+/run", seconds=RUN_SECONDS + AFTERWARDS),
)


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
    quick: list[QuickRead]
    allowances: tuple[Allowance, ...] = ALLOWANCES


OpenStore = Callable[[Common], AbstractAsyncContextManager[DeploymentStore]]


def in_the_cluster(common: Common) -> AbstractAsyncContextManager[DeploymentStore]:
    """GuildDeployments on the API server."""
    return open_kube_deployments(common.settings.namespace)


@asynccontextmanager
async def open_parts(
    common: Common, open_store: OpenStore = in_the_cluster, *, owners: Collection[str] = ()
) -> AsyncGenerator[Parts]:
    """Each part in its line: opened in this order, closed in the other.

    ``owners`` are people who may do everything wherever the bot is: on one's own machine, its developer.
    """
    settings, database = common.settings, common.database
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        auth = await enter(
            open_auth(
                settings,
                database=database,
                redis=common.redis,
                http=common.http,
                limits=common.limits,
                token=common.token,
                owners=owners,
            )
        )
        fleet = await enter(open_guilds(settings))
        tools = await enter(Toolchain(ToolLimits(children=settings.bundlers)))
        store = await enter(open_store(common))
        logs = await enter(open_logs(settings.redis_url, Keep(settings.logs_kept, settings.logs_days)))
        limits = DeploySettings(seconds=settings.deploy_seconds)
        deployed = await enter(open_deployments(database, store, tools, limits, note=logs.note))
        built = await enter(open_builds(database, tools))
        secrets = await enter(open_secrets(database, settings.secret_keys))
        secrets.add_routes(common.internal, Placement(fleet.routes), common.identities)
        logs.add_routes(common.internal, common.identities)
        ending = asyncio.create_task(_end_streams(common.stopping, logs))
        stack.callback(ending.cancel)
        yield Parts(
            auth.guard,
            [
                *auth.routers,
                deployments.router(deployed, built),
                builds.router(built),
                guilds.router(fleet, database, count=_counting(deployed), note=logs.note),
                secret_routes.router(secrets, in_manifest=deployed.secrets_of),
                log_routes.router(logs),
                installation.router(),
            ],
            [
                QuickRead("/deployments/{guild_id}", Right.READ, deployed.reads.deployment),
                QuickRead("/deployments/{guild_id}/history", Right.READ, deployed.reads.page),
            ],
        )


class Placement:
    """The route table as the delivery of secrets wants it: a guild on its way is both pods'."""

    def __init__(self, routes: RouteFollower) -> None:
        self._routes = routes

    @property
    def revision(self) -> int:
        return self._routes.version

    def guilds_of(self, pod: PodName) -> Collection[GuildId] | None:
        if not self._routes.known.is_set():
            return None
        return self._routes.guilds_of(pod) | self._routes.table.coming_to(pod)

    async def wait_beyond(self, revision: int) -> None:
        while not await self._routes.wait_beyond(revision, seconds=60):
            pass


def _counting(deployed: Deployments) -> Callable[[], Awaitable[DeploymentCounts]]:
    async def count() -> DeploymentCounts:
        found = list(deployed.observed.all())
        return DeploymentCounts(len(found), sum(one.ready for one in found))

    return count


async def _end_streams(stopping: asyncio.Event, logs: LogService) -> None:
    await stopping.wait()
    logs.stop()
