"""All routes of this part, in the order in which they are looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter

from flora_api.guilds.backups import backup_router
from flora_api.guilds.fleet import DeploymentCounts, fleet_router
from flora_api.guilds.jobs import job_router
from flora_api.guilds.journal import Journal
from flora_api.guilds.kv import key_router, store_router
from flora_api.guilds.opened import Guilds
from flora_api.logs.notes import Note
from flora_core.database import Database


def router(
    guilds: Guilds,
    database: Database,
    *,
    count: Callable[[], Awaitable[DeploymentCounts]],
    note: Note | None = None,
) -> APIRouter:
    """``count`` says how many deployments there are, for ``/fleet``; ``note`` writes into guilds' logs."""
    journal = Journal(database)
    whole = APIRouter()
    whole.include_router(store_router(guilds.pods, journal))
    whole.include_router(backup_router(guilds.pods, journal))
    whole.include_router(key_router(guilds.pods, journal))
    whole.include_router(job_router(guilds.pods, journal, note))
    whole.include_router(fleet_router(guilds.routes, count))
    return whole
