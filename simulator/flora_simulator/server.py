"""The simulated Discord as one object: listens when entered, is gone when left.

    async with Simulator(SimulatorSettings(port=0)) as discord:
        print(discord.api_url, discord.gateway_url, discord.token)

Everything runs on the loop that entered it and in its order: a REST call, a gateway frame and a control
call each change the world in one step.
"""

from __future__ import annotations

import asyncio
import errno
from types import TracebackType
from typing import Self

from aiohttp import web

from flora_core.telemetry import add_telemetry_routes, logger
from flora_simulator.control import (
    CONTROL_PREFIX,
    GuildsControl,
    NetworkControl,
    PeopleControl,
    PlacesControl,
    control_handler,
)
from flora_simulator.errors import AddressInUse
from flora_simulator.firehose import Firehose
from flora_simulator.gateway import Hub, serve
from flora_simulator.interactions import Interactions
from flora_simulator.journal import Journal
from flora_simulator.live_backend import LiveBackend
from flora_simulator.oauth import OAuth
from flora_simulator.observer import Observer
from flora_simulator.rest import PREFIXES, Rest
from flora_simulator.settings import SimulatorSettings
from flora_simulator.simcord_check import self_test
from flora_simulator.simcord_port import Interaction
from flora_simulator.world import World
from flora_simulator.world_spec import DEV_WORLD, WorldSpec, load_world, world_of

_log = logger("flora_simulator.server")

ANY_HOST = "0.0.0.0"  # noqa: S104  only named here, the default is this machine
_CDN = "/_cdn"
_GOING_AWAY = 1001
_SECONDS_TO_STOP = 2.0


class Simulator:
    """A Discord on this machine. ``settings`` default to the environment, ``world`` to their file."""

    def __init__(self, settings: SimulatorSettings | None = None, *, world: WorldSpec | None = None) -> None:
        self.settings = settings or SimulatorSettings()
        self._spec = world or chosen_world(self.settings)
        self._runner: web.AppRunner | None = None
        self._watches: set[asyncio.TimerHandle] = set()
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        return f"http://{self._address}"

    @property
    def api_url(self) -> str:
        """Base of the REST API, as in discord.py's ``Route.BASE``."""
        return f"{self.url}{PREFIXES[0]}"

    @property
    def gateway_url(self) -> str:
        """What ``GET /gateway`` answers."""
        return f"ws://{self._address}/gateway"

    @property
    def _address(self) -> str:
        host = self.settings.host
        return f"{'127.0.0.1' if host == ANY_HOST else host}:{self.port}"

    @property
    def token(self) -> str:
        """The bot token that it accepts."""
        return self.settings.token or self._spec.token

    async def __aenter__(self) -> Self:
        self_test()
        self._build()
        await self._listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Say good-bye to the clients (1001: this process goes away, and its sessions with it) and stop."""
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        self._journal.close()
        await self._firehose.stop()
        for watch in self._watches:
            watch.cancel()
        connections = [s.connection for s in self._hub.sessions if s.connection is not None]
        self._hub.accept_connections = False
        async with asyncio.TaskGroup() as group:
            for connection in connections:
                group.create_task(connection.close(_GOING_AWAY, "simulator stopped"))
        await runner.cleanup()

    def _build(self) -> None:
        settings = self.settings
        backend = LiveBackend(
            messages_per_channel=settings.messages_per_channel,
            interaction_window=settings.interaction_window_secs,
        )
        world = World(self._spec, backend, token=settings.token)
        journal = Journal(settings.journal_entries)
        observer = Observer(backend, journal)
        hub = Hub(world, settings)
        rest = Rest(world, hub, settings, observer)
        interactions = Interactions(world, lambda record: self._watch(record, observer))
        self._hub, self._backend, self._rest, self._journal = hub, backend, rest, journal
        self._oauth = OAuth(world, settings, rest.faults)
        self._firehose = Firehose(world, hub, most_behind=settings.replay_events // 2)
        self._controls = [
            *PlacesControl(world).endpoints(),
            *PeopleControl(world, hub, interactions, journal).endpoints(),
            *GuildsControl(world, hub, journal).endpoints(),
            *NetworkControl(backend, hub, rest, self._firehose, journal).endpoints(),
            *self._oauth.endpoints(),
        ]

    async def _listen(self) -> None:
        app = web.Application(client_max_size=self.settings.upload_bytes)
        for path in ("/", "/gateway", "/gateway/resume"):
            app.router.add_get(path, self._gateway)
        self._oauth.add_routes(app, PREFIXES, self._rest.handle)
        for prefix in PREFIXES:
            app.router.add_route("*", prefix + "/{path:.+}", self._rest.handle)
        for control in self._controls:
            handler = control_handler(control, for_all=self.settings.control == "open")
            app.router.add_route(control.method, CONTROL_PREFIX + control.path, handler)
        add_telemetry_routes(app, healthy=lambda: None, ready=lambda: None)
        app.router.add_get(_CDN + "/{path:.+}", self._file)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SECONDS_TO_STOP)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.settings.host, self.settings.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            if error.errno == errno.EADDRINUSE:
                raise AddressInUse(self.settings.host, self.settings.port) from None
            raise
        self.port = self._runner.addresses[0][1]
        self._backend.files.base = f"{self.url}{_CDN}"

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        return await serve(request, self._hub, self.settings)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        found = self._backend.files.file(request.match_info["path"])
        if found is None:
            return web.Response(status=404)
        return web.Response(body=found[0], headers={"Content-Type": found[1]})

    def _watch(self, record: Interaction, observer: Observer) -> None:
        """Note in the journal when nobody answers the interaction in its time."""

        def look() -> None:
            self._watches.discard(watch)
            observer.unanswered(record.id)

        watch = asyncio.get_running_loop().call_later(self.settings.interaction_window_secs, look)
        self._watches.add(watch)


def chosen_world(settings: SimulatorSettings) -> WorldSpec:
    """The world that ``settings`` describe; raises BadWorld."""
    if settings.world is not None:
        return load_world(settings.world)
    return world_of(settings.guilds.replace(",", " ").split()) if settings.guilds else DEV_WORLD
