"""Entry point ``flora-gateway``: the gateway pod's process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterable
from typing import Final

from aiohttp import web

from flora_core.errors import FloraError, InvalidInput, InvalidSettings
from flora_core.identity import StaticIdentities
from flora_core.process import announce, outlive_no_parent
from flora_core.settings import load
from flora_core.streams import Token, make_session
from flora_core.telemetry import logger, setup_logging
from flora_core.throughput import freeze_startup_objects, schedule_in_batches
from flora_core.token_review import IdentitySettings, identities
from flora_core.wire.control import GatewayReport
from flora_gateway.fanout.hub import Hub
from flora_gateway.fanout.routes import RouteTable
from flora_gateway.guild_routes import GuildRoutes
from flora_gateway.reporting import GatewayReports
from flora_gateway.rest import Proxy, RestSettings, ScopeMap
from flora_gateway.rest.settings import API_PATH
from flora_gateway.rest.transport import parse_base
from flora_gateway.server import GatewayServer
from flora_gateway.settings import DiscordSettings, GatewaySettings
from flora_gateway.shards.launch import Shards
from flora_gateway.shards.membership import TYPES, Membership
from flora_gateway.shards.sessions import (
    FileSessionStore,
    RedisSessionStore,
    SessionStore,
    TwofoldSessionStore,
)
from flora_gateway.shards.shard import Dispatch
from flora_gateway.standings import TYPES as STANDING_TYPES
from flora_gateway.standings import Standings

INTERACTION_TOKEN_SECONDS: Final = 15 * 60.0
FLUSH_SECONDS: Final = 2.0
"""How long pods get to acknowledge the last events at SIGTERM, so that Discord need not send them again."""

_log = logger(__name__)


def main() -> None:
    """Run until SIGTERM or SIGINT. Exit codes: 2 for a wrong setting, 1 when Discord will not have us."""
    try:
        settings, discord, rest = load(GatewaySettings), load(DiscordSettings), load(RestSettings)
        accounts = load(IdentitySettings)
    except InvalidSettings as error:
        print(error, file=sys.stderr)  # noqa: T201  logging is not set up yet
        raise SystemExit(2) from None
    schedule_in_batches()
    setup_logging("gateway", level=settings.log_level, style=settings.log_format)
    try:
        asyncio.run(Gateway(settings, discord, rest, accounts).run())
    except FloraError as error:
        _log.error("gateway_ended", error=str(error))
        raise SystemExit(2 if isinstance(error, InvalidInput) else 1) from None


class Gateway:
    """The parts of the gateway pod, started and stopped in order."""

    def __init__(
        self,
        settings: GatewaySettings,
        discord: DiscordSettings,
        rest: RestSettings,
        accounts: IdentitySettings,
    ) -> None:
        self._settings = settings
        self._accounts = accounts
        self._discord = discord
        self._rest = rest
        origin, path = parse_base(rest.api_url, default_path=API_PATH)
        scheme = "https" if origin.tls else "http"
        token = Token(settings.token.get_secret_value(), file=settings.token_file)
        self._routes = RouteTable(settings.control_url, settings.state_dir, token=token)
        self._scope = ScopeMap(
            channels=rest.scope_channels,
            lenient_seconds=INTERACTION_TOKEN_SECONDS,
            on_guild_gone=self._guild_gone,
        )
        self._hub = Hub(
            pod_of=self._routes.pod_of,
            all_pods=lambda: self._routes.pods,
            scope=self._scope,
            byte_limit=settings.buffer_mib << 20,
            guild_limit=settings.guild_backlog,
            held=lambda: self._routes.held,
        )
        self._routes.on_change = self._hub.routes_changed
        self._shards = Shards(
            discord, api_url=f"{scheme}://{origin.netloc}{path}", on_dispatch=self._on_dispatch
        )
        self._reports = GatewayReports(settings.control_url, token=token, truths=self._truths)
        self._hub.on_held = self._reports.report
        self._membership = Membership(shards=lambda: self._shards.count, tell=self._reports.report)
        self._proxy: Proxy | None = None
        self._standings: Standings | None = None
        self._stopping = False

    async def run(self) -> None:
        """Serve until told to stop; raises InvalidSettings or ShardRefused."""
        fixed = StaticIdentities.parse(
            self._settings.accept_tokens.get_secret_value(), variable="GATEWAY_ACCEPT_TOKENS"
        )
        async with identities(self._accounts, fixed) as known:
            server = GatewayServer(self._hub, self._the_proxy, known, ready=self._not_ready)
            GuildRoutes(server.app, lambda: self._standings, known)
            await self._run(server)

    async def _run(self, server: GatewayServer) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        runner = await self._listen(server)
        serving = asyncio.create_task(self._serve())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        self._stopping = True
        _log.info("gateway_leaving")
        await self._shards.leave()
        serving.cancel()
        stopping.cancel()
        served, _ = await asyncio.gather(serving, stopping, return_exceptions=True)
        await self._drain(server, runner)
        if isinstance(served, BaseExceptionGroup):
            raise served.exceptions[0]
        if isinstance(served, Exception):
            raise served

    def _on_dispatch(self, event: Dispatch) -> None:
        if event.type in TYPES:
            self._membership.observe(event.shard, event.type, event.data)
        if self._standings is not None and event.type in STANDING_TYPES:
            self._standings.observe(event.type, event.data)
        self._hub.on_dispatch(event)

    def _truths(self) -> Iterable[GatewayReport]:
        """All that the control plane should know of this gateway."""
        yield from self._membership.frames()
        yield from self._hub.all_held

    async def _list_guilds(self) -> None:
        """Ask Discord for the guilds of sessions that an earlier process began; until cancelled."""
        while True:
            await self._membership.unlisted.wait()
            self._membership.listed(await self._shards.list_guilds())

    def _guild_gone(self, guild: str) -> None:
        if self._proxy is not None:
            self._proxy.forget(guild)

    async def _listen(self, server: GatewayServer) -> web.AppRunner:
        runner = web.AppRunner(server.app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._settings.host, self._settings.port).start()
        except OSError as error:
            await runner.cleanup()
            reason = error.strerror or str(error)
            raise InvalidSettings(f"GATEWAY_PORT: cannot listen on {self._settings.port}: {reason}") from None
        announce("gateway", f"http://127.0.0.1:{runner.addresses[0][1]}")
        return runner

    async def _serve(self) -> None:
        async with make_session() as session, asyncio.TaskGroup() as tasks:
            tasks.create_task(outlive_no_parent())
            tasks.create_task(self._routes.run(session))
            tasks.create_task(self._reports.run(session))
            tasks.create_task(self._list_guilds())
            bot = await self._shards.log_in()
            self._hub.know_bot(bot.user_id)
            self._proxy = Proxy(
                self._rest,
                token=self._discord.token,
                application=bot.application_id,
                scope=self._scope,
            )
            self._standings = Standings(self._proxy.look_up, has=self._membership.has)
            store = self._session_store(bot.application_id)
            freeze_startup_objects()
            # Without a route table every event would be dropped as nobody's.
            await self._routes.known.wait()
            await self._shards.run(store)

    async def _drain(self, server: GatewayServer, runner: web.AppRunner) -> None:
        """Let calls in flight finish, and pods take what is theirs."""
        if self._proxy is not None:
            await self._proxy.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._hub.all_acknowledged()
        await self._shards.end()
        server.stop()
        await runner.cleanup()
        _log.info("gateway_stopped")

    def _session_store(self, application: str) -> SessionStore:
        file = FileSessionStore(self._settings.state_dir)
        if not self._settings.redis_url:
            return file
        return TwofoldSessionStore(RedisSessionStore(self._settings.redis_url, application=application), file)

    def _the_proxy(self) -> Proxy | None:
        return self._proxy if self._routes.known.is_set() else None

    def _not_ready(self) -> str | None:
        if self._stopping:
            return "stopping"
        if not self._routes.known.is_set():
            return "no route table yet: the control plane has not answered, and none is kept on disk"
        return self._shards.not_serving()


if __name__ == "__main__":
    main()
