"""The one HTTP server of ``flora dev`` itself, on loopback: assignments for its pod, deployments for its API.

Whoever wants something has a random token of its role. Other commands of flora speak to the API.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from flora_core.control.server import ControlServer
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.telemetry import add_telemetry_routes
from flora_core.wire.guilds import BODY_LIMIT
from flora_dev.controller import POD, LocalController
from flora_dev.deployment_routes import DeploymentRoutes
from flora_dev.deployments import Deployments
from flora_dev.say_route import SayRoute

LOCALHOST: Final = "127.0.0.1"


def _token() -> str:
    return secrets.token_urlsafe(24)


@dataclass(slots=True, frozen=True)
class Tokens:
    """One a role, new for each session."""

    gateway: str = field(default_factory=_token, repr=False)
    runtime: str = field(default_factory=_token, repr=False)
    api: str = field(default_factory=_token, repr=False)

    def identities(self) -> StaticIdentities:
        """Whose they are."""
        return StaticIdentities(
            {
                self.gateway: Identity(Role.GATEWAY),
                self.runtime: Identity(Role.RUNTIME, POD),
                self.api: Identity(Role.API),
            }
        )


@dataclass(slots=True, frozen=True)
class ControlApp:
    """The server while it listens."""

    url: str
    saying: SayRoute

    @classmethod
    async def start(
        cls,
        stack: contextlib.AsyncExitStack,
        controller: LocalController,
        deployments: Deployments,
        tokens: Tokens,
    ) -> ControlApp:
        """Listen until ``stack`` is left."""
        app = web.Application(client_max_size=BODY_LIMIT)
        identities = tokens.identities()
        ControlServer(app, controller.state, controller, identities)
        DeploymentRoutes(app, deployments, identities)
        saying = SayRoute(app, identities)
        add_telemetry_routes(app, healthy=lambda: None, ready=lambda: None)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, LOCALHOST, 0).start()
        return cls(f"http://{LOCALHOST}:{runner.addresses[0][1]}", saying)
