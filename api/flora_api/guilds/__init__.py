"""What the pods have of guilds: storage, backups, jobs, usage; and which pod has which guild.

``route_table``  guild → pod, followed from the operator
``lanes``        how much may be under way at once
``pods``         asking the pod that has a guild, through moves
``opened``       all of that, running, for as long as a block lasts
``kv``, ``backups``, ``jobs``, ``fleet``   the routes; ``routes`` puts them together
"""

from __future__ import annotations

from flora_api.guilds.fleet import DeploymentCounts
from flora_api.guilds.opened import Guilds, open_guilds
from flora_api.guilds.pods import Pods
from flora_api.guilds.route_table import RouteFollower
from flora_api.guilds.routes import router

__all__ = ["DeploymentCounts", "Guilds", "Pods", "RouteFollower", "open_guilds", "router"]
