"""The route table followed and pods to ask, for as long as a block lasts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from flora_api.guilds.pods import PodLimits, Pods
from flora_api.guilds.route_table import RouteFollower
from flora_api.settings import ApiSettings
from flora_core.ids import PodName
from flora_core.streams import Token, make_session


@dataclass(frozen=True, slots=True)
class Guilds:
    """What routes, and other parts of the API, need of the fleet."""

    routes: RouteFollower
    pods: Pods

    def ready(self) -> str | None:
        """None once it is known which pod has which guild, else what is missing."""
        return None if self.routes.known.is_set() else "the operator has not told the routes yet"


@asynccontextmanager
async def open_guilds(
    settings: ApiSettings,
    *,
    limits: PodLimits | None = None,
    url_of: Callable[[PodName], str] | None = None,
) -> AsyncGenerator[Guilds]:
    """Dial the operator, and keep the table true until the end of the block.

    ``url_of`` says where a pod serves, when ``API_RUNTIME_URL`` does not.
    """
    file = Path(settings.token_file) if settings.token_file else None
    token = Token(settings.token.get_secret_value(), file=file)
    routes = RouteFollower(settings.control_url.rstrip("/"), token=token)
    async with make_session() as session:
        following = asyncio.create_task(routes.run(session))
        try:
            where = url_of or (lambda pod: settings.runtime_url.replace("{pod}", pod).rstrip("/"))
            yield Guilds(routes, Pods(routes, session, where, token=token, limits=limits))
        finally:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following
