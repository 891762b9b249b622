"""The route that tells whoever runs the installation how its guilds are spread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from fastapi import APIRouter

from flora_api.answers import of_a_guild
from flora_api.errors import Unavailable
from flora_api.guilds.models import Fleet, FleetPod
from flora_api.guilds.pods import ROUTES_UNKNOWN
from flora_api.guilds.route_table import RouteFollower
from flora_api.principal import IsOperator


class DeploymentCounts(NamedTuple):
    """Of all GuildDeployments."""

    deployments: int
    ready: int


def fleet_router(routes: RouteFollower, count: Callable[[], Awaitable[DeploymentCounts]]) -> APIRouter:
    """``/fleet``; ``count`` may raise ApiError."""
    router = APIRouter(tags=["installation"])

    @router.get("/fleet", response_model=Fleet, responses=of_a_guild())
    async def fleet(_operator: IsOperator) -> Fleet:
        """Pods that have guilds, and how many of the deployments are ready."""
        if not routes.known.is_set():
            text = "the operator has not said yet which pod has which guild; try again in a moment"
            raise Unavailable(text, code=ROUTES_UNKNOWN, retry_after=2)
        counts = await count()
        sizes = sorted(routes.table.sizes.items())
        return Fleet(
            pods=[FleetPod(name=pod, guilds=guilds) for pod, guilds in sizes],
            guilds=len(routes.table),
            deployments=counts.deployments,
            ready=counts.ready,
        )

    return router
