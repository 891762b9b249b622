"""The operator's one HTTP server: control streams, /metrics, /healthz and /readyz.

Until the operator knows the cluster its streams are not served: a pod that was told of an empty fleet would
unload its guilds. It is answered 503, dials again, and runs on with what it has meanwhile. Whose token
somebody has is known without the cluster's objects, and is answered from the start.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from flora_core.control.server import IDENTITIES, Controller, ControlServer
from flora_core.control.state import DesiredState
from flora_core.identity import Identities
from flora_core.telemetry import Health, add_telemetry_routes

BODY_LIMIT = 1 << 20


def make_app(
    state: DesiredState,
    controller: Controller,
    identities: Identities,
    *,
    unsynced: Callable[[], str | None],
    healthy: Health,
) -> tuple[web.Application, ControlServer]:
    """The application, and its streams. ``unsynced`` says what is not known yet; None when all is."""

    @web.middleware
    async def hold(request: web.Request, handler: Handler) -> web.StreamResponse:
        knows_already = request.path == IDENTITIES
        if request.path.startswith("/v1/") and not knows_already and (why := unsynced()) is not None:
            return web.Response(status=503, text=f"{why}\n", headers={"Retry-After": "1"})
        return await handler(request)

    app = web.Application(middlewares=[hold], client_max_size=BODY_LIMIT)
    streams = ControlServer(app, state, controller, identities)
    add_telemetry_routes(app, healthy=healthy, ready=unsynced)
    return app, streams
