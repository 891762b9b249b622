"""Entry point ``flora-api``: serves people on one port, and flora's own pods on another."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import uvicorn
import uvloop
from aiohttp import web
from starlette.types import ASGIApp

from flora_api import readiness
from flora_api.app import make_app
from flora_api.edge.edge import with_edge
from flora_api.edge.limits import Rate, RedisLimits
from flora_api.edge.protocol import BoundedHttp
from flora_api.parts import Common, OpenStore, in_the_cluster, open_parts
from flora_api.quick import QuickReads
from flora_api.readiness import Readiness
from flora_api.redis_store import open_redis
from flora_api.secrets import rotate
from flora_api.settings import ApiSettings
from flora_core.database import Database, DatabaseLimits
from flora_core.errors import FloraError, InvalidInput, InvalidSettings
from flora_core.identity import StaticIdentities
from flora_core.process import announce, outlive_no_parent
from flora_core.settings import load
from flora_core.streams import DIAL_SECONDS, Token
from flora_core.telemetry import add_telemetry_routes, logger, setup_logging
from flora_core.throughput import freeze_startup_objects
from flora_core.token_review import IdentitySettings, identities

BACKLOG: Final = 1024
KEEP_ALIVE_SECONDS: Final = 75
"""Longer than load balancers keep a connection that is idle (60 s), so that they are who closes it."""
CONNECTIONS: Final = 10
"""To Postgres, of this replica."""

_log = logger(__name__)


def main() -> None:
    """Run until SIGTERM or SIGINT. Exit codes: 2 for a wrong setting, 1 when it cannot go on."""
    if sys.argv[1:] == ["rotate-secrets"]:
        rotate.main()
    if len(sys.argv) > 1:
        text = "flora-api [rotate-secrets]; its settings are API_… in the environment"
        print(text, file=sys.stderr)  # noqa: T201
        raise SystemExit(2)
    try:
        settings, accounts = load(ApiSettings), load(IdentitySettings)
    except InvalidSettings as error:
        print(error, file=sys.stderr)  # noqa: T201  logging is not set up yet
        raise SystemExit(2) from None
    setup_logging("api", level=settings.log_level, style=settings.log_format)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings, accounts))
    except FloraError as error:
        _log.error("api_ended", error=str(error))
        raise SystemExit(2 if isinstance(error, InvalidInput) else 1) from None


async def _nothing_more(common: Common) -> None:
    """There is nothing to be done before requests come."""
    del common


async def serve(
    settings: ApiSettings,
    accounts: IdentitySettings,
    *,
    open_store: OpenStore = in_the_cluster,
    owners: Collection[str] = (),
    prepare: Callable[[Common], Awaitable[None]] = _nothing_more,
) -> None:
    """Serve until told to stop; raises InvalidSettings, DatabaseError.

    Without a cluster there is another store, ``owners`` who may do everything (``open_parts``), and
    something to ``prepare`` before requests come.
    """
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with _common(settings, accounts) as common:
        ready = _readiness(common)
        add_telemetry_routes(common.internal, healthy=lambda: None, ready=ready.not_ready)
        async with open_parts(common, open_store, owners=owners) as parts:
            await prepare(common)
            app = make_app(parts.guard, parts.routers)
            edge = with_edge(
                app,
                limits=common.limits,
                per_address=Rate("address", settings.rate_address),
                trusted_proxies=settings.trusted_proxies,
                body_bytes=round(settings.body_mib * (1 << 20)),
                allowances=parts.allowances,
                seconds=settings.request_seconds,
                https=settings.public_url.startswith("https://"),
                before=lambda app: QuickReads(app, parts.guard, parts.quick),
            )
            async with _internal(settings, common.internal) as internal_url:
                await _serve(settings, edge, common.stopping, ready, stop, internal_url=internal_url)


async def _serve(
    settings: ApiSettings,
    app: ASGIApp,
    stopping: asyncio.Event,
    ready: Readiness,
    stop: asyncio.Event,
    *,
    internal_url: str,
) -> None:
    """Serve ``app`` until ``stop``, then leave in order: tell, end streams, let requests finish."""
    listener = _listen(settings.host, settings.port, "API_PORT")
    server = _Server(
        uvicorn.Config(
            app,
            http=BoundedHttp,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # who called is the edge's business
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(settings.stop_seconds)),
        )
    )
    looking = asyncio.create_task(ready.run())
    parent = asyncio.create_task(outlive_no_parent())
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopped = asyncio.create_task(stop.wait())
    try:
        freeze_startup_objects()
        announce("api", _url_of(listener), internal=internal_url)
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        _log.info("api_leaving")
        ready.stopping = True
        if not serving.done():
            await asyncio.sleep(settings.drain_seconds)
        stopping.set()
        server.should_exit = True
        await serving
    finally:
        for task in (looking, parent, stopped, serving):
            task.cancel()
        await asyncio.gather(looking, parent, stopped, serving, return_exceptions=True)
        listener.close()
        _log.info("api_stopped")


class _Server(uvicorn.Server):
    """Leaves signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def _common(settings: ApiSettings, accounts: IdentitySettings) -> AsyncGenerator[Common]:
    fixed = StaticIdentities.parse(settings.accept_tokens.get_secret_value(), variable="API_ACCEPT_TOKENS")
    for variable, value in (
        ("API_DATABASE_URL", settings.database_url),
        ("API_REDIS_URL", settings.redis_url),
    ):
        if not value.get_secret_value():
            raise InvalidSettings(f"{variable}: is not set")
    redis = open_redis(settings.redis_url)
    limits = DatabaseLimits(connections=CONNECTIONS)
    try:
        async with (
            await Database.open(settings.database_url, limits=limits, name="flora-api") as database,
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, use_dns_cache=False),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, connect=DIAL_SECONDS),
            ) as http,
            identities(accounts, fixed) as known,
        ):
            migrated = await database.migrate()
            _log.info("database_ready", migration=str(migrated))
            yield Common(
                settings=settings,
                database=database,
                redis=redis,
                http=http,
                limits=RedisLimits(redis),
                token=Token(settings.token.get_secret_value(), file=settings.token_file),
                identities=known,
                internal=web.Application(),
                stopping=asyncio.Event(),
            )
    finally:
        await redis.aclose()


def _readiness(common: Common) -> Readiness:
    return Readiness(
        {
            "postgres": readiness.postgres(common.database),
            "redis": readiness.redis(common.redis),
            "operator": readiness.component(common.http, common.settings.control_url),
            "gateway": readiness.component(common.http, common.settings.gateway_url),
        }
    )


@asynccontextmanager
async def _internal(settings: ApiSettings, app: web.Application) -> AsyncGenerator[str]:
    """The internal port's URL, for as long as the block lasts."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        listener = _listen(settings.host, settings.internal_port, "API_INTERNAL_PORT")
        await web.SockSite(runner, listener).start()
        yield _url_of(listener)
    finally:
        await runner.cleanup()


def _listen(host: str, port: int, variable: str) -> socket.socket:
    """A socket that takes connections; raises InvalidSettings."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidSettings(f"{variable}: cannot listen on {port}: {reason}") from None
    return listener


def _url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


if __name__ == "__main__":
    main()
