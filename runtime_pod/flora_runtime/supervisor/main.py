"""Entry point ``flora-runtime``: the supervisor process of one runtime pod."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

from aiohttp import web

from flora_core.errors import FloraError, InvalidSettings
from flora_core.identity import EitherIdentities, Identities, StaticIdentities
from flora_core.ids import parse_pod_name
from flora_core.process import announce
from flora_core.remote_identities import RemoteIdentities
from flora_core.settings import load
from flora_core.streams import Token
from flora_core.telemetry import add_telemetry_routes, logger, setup_logging
from flora_core.throughput import freeze_startup_objects, schedule_in_batches
from flora_core.wire.guilds import BODY_LIMIT
from flora_runtime.supervisor.backup_routes import BackupRoutes
from flora_runtime.supervisor.guild_routes import GuildRoutes
from flora_runtime.supervisor.pod import RuntimePod
from flora_runtime.supervisor.settings import RuntimeSettings

_log = logger(__name__)


def main() -> None:
    """Run until SIGTERM or SIGINT; exit code 2 when a setting is wrong."""
    try:
        settings = load(RuntimeSettings)
        parse_pod_name(settings.pod_name, field="RUNTIME_POD_NAME")
    except FloraError as error:
        print(error, file=sys.stderr)  # noqa: T201  logging is not set up yet
        raise SystemExit(2) from None
    schedule_in_batches()
    setup_logging("runtime", level=settings.log_level, style=settings.log_format)
    try:
        asyncio.run(serve(settings))
    except InvalidSettings as error:
        _log.error("cannot_start", error=str(error))
        raise SystemExit(2) from None


async def serve(settings: RuntimeSettings) -> None:
    """Serve until told to stop; then ask to leave, and drain. Told a second time, it does not ask."""
    async with _identities(settings) as known:
        await _serve(settings, known)


@contextlib.asynccontextmanager
async def _identities(settings: RuntimeSettings) -> AsyncGenerator[Identities]:
    """Who may ask about our guilds: fixed tokens, and in a cluster whomever the operator knows as the API."""
    accepted = settings.accept_tokens.get_secret_value()
    fixed = StaticIdentities.parse(accepted, variable="RUNTIME_ACCEPT_TOKENS")
    if settings.token_file is None:
        yield fixed
        return
    async with RemoteIdentities(settings.control_url, token=Token(file=settings.token_file)) as remote:
        yield EitherIdentities(fixed, remote)


async def _serve(settings: RuntimeSettings, known: Identities) -> None:
    pod = RuntimePod(settings)
    app = web.Application(client_max_size=BODY_LIMIT)
    BackupRoutes(app, pod.backups, GuildRoutes(app, pod, known).guild)
    add_telemetry_routes(app, healthy=pod.healthy, ready=pod.ready)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
    except OSError as error:
        await runner.cleanup()
        raise InvalidSettings(f"RUNTIME_PORT: cannot listen on {settings.port}: {error.strerror}") from None
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    freeze_startup_objects()
    announce("runtime", f"http://127.0.0.1:{runner.addresses[0][1]}")
    serving = asyncio.create_task(pod.run())
    _log.info("runtime_started", pod=settings.pod_name, workers=settings.max_workers)
    await _first(serving, stop.wait())
    if stop.is_set():
        _log.info("runtime_retiring")
        stop.clear()
        await _first(serving, stop.wait(), pod.retire())
        _log.info("runtime_draining")
        await pod.drain()
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    await runner.cleanup()
    _log.info("runtime_stopped")


async def _first(serving: asyncio.Task[None], *others: Coroutine[Any, Any, Any]) -> None:
    """Return when one of these is over; ``serving`` goes on, the others do not."""
    tasks = [asyncio.create_task(other) for other in others]
    try:
        await asyncio.wait({serving, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    main()
