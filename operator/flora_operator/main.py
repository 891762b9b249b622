"""Entry point ``flora-operator``; says who does what the operator leaves to others (``ports``)."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import cast

import uvloop
from aiohttp import web

from flora_core.control.handoffs import HandoffServer, Spool
from flora_core.control.state import DesiredState
from flora_core.errors import FloraError, InvalidInput, InvalidSettings
from flora_core.identity import StaticIdentities
from flora_core.ids import PodName, Sha256
from flora_core.process import announce, outlive_no_parent
from flora_core.settings import load
from flora_core.telemetry import logger, setup_logging
from flora_core.throughput import freeze_startup_objects
from flora_core.token_review import IdentitySettings, identities
from flora_core.toolchain import Toolchain, ToolLimits
from flora_operator.bundling import open_bundling
from flora_operator.handoff.moves import Moves
from flora_operator.handoff.retention import PodRetention
from flora_operator.kube.access import Access, find
from flora_operator.memory import MemoryBundler
from flora_operator.operator import Operator, Parts
from flora_operator.ports import Bundler, Persist
from flora_operator.settings import OperatorSettings

_log = logger(__name__)


def main() -> None:
    """Run until SIGTERM or SIGINT. Exit codes: 2 for a wrong setting, 1 when it cannot go on."""
    try:
        settings, identity = load(OperatorSettings), load(IdentitySettings)
        access = asyncio.run(find())
    except InvalidSettings as error:
        print(error, file=sys.stderr)  # noqa: T201  logging is not set up yet
        raise SystemExit(2) from None
    setup_logging("operator", level=settings.log_level, style=settings.log_format)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(settings, identity, access))
    except FloraError as error:
        _log.error("operator_ended", error=str(error))
        raise SystemExit(2 if isinstance(error, InvalidInput) else 1) from None


async def run(settings: OperatorSettings, identity: IdentitySettings, access: Access) -> None:
    """Serve until told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def take_signals() -> None:
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)

    take_signals()
    fixed = StaticIdentities.parse(
        settings.accept_tokens.get_secret_value(), variable="OPERATOR_ACCEPT_TOKENS"
    )
    async with _bundler(settings) as bundler, identities(identity, fixed) as known, _spool() as spool:

        def listens(pod: PodName) -> bool:
            return operator.streams.listens(pod)

        def moves(state: DesiredState, persist: Persist) -> Moves:
            return Moves(state, spool, persist, at_once=settings.handoffs, reachable=listens)

        parts = Parts(
            bundler=bundler,
            identities=known,
            retention=lambda state: PodRetention(state, hours=settings.retention_hours),
            moves=moves,
        )
        operator = Operator(settings, access, parts, take_signals=take_signals)
        HandoffServer(operator.app, operator.state, spool, known, on_spooled=operator.moves.on_spooled)
        runner = await _listen(settings, operator)
        running = asyncio.create_task(operator.run())
        older_than = timedelta(hours=settings.retention_hours)
        others = [
            asyncio.create_task(stop.wait()),
            asyncio.create_task(outlive_no_parent()),
            asyncio.create_task(bundler.retain(lambda: _in_use(operator), older_than=older_than)),
        ]
        freeze_startup_objects()
        try:
            await asyncio.wait({running, others[0]}, return_when=asyncio.FIRST_COMPLETED)
            _log.info("operator_leaving")
        finally:
            # Streams end first: kopf takes its time, and pods need not wait for it.
            await runner.cleanup()
            for task in (running, *others):
                task.cancel()
            ended = await asyncio.gather(running, *others, return_exceptions=True)
        _raise(ended[0])


def _raise(ended: BaseException | None) -> None:
    """What it ended of, unless it was told to."""
    if isinstance(ended, BaseExceptionGroup):
        _raise(cast("BaseExceptionGroup[BaseException]", ended).exceptions[0])
    elif isinstance(ended, Exception):
        raise ended


@asynccontextmanager
async def _bundler(settings: OperatorSettings) -> AsyncGenerator[Bundler]:
    if settings.database_url.get_secret_value():
        async with open_bundling(settings.database_url, builders=settings.bundlers) as bundling:
            yield bundling
        return
    _log.warning(
        "no_database", text="OPERATOR_DATABASE_URL is not set; bundles are built anew after a restart"
    )
    async with Toolchain(ToolLimits(children=settings.bundlers)) as toolchain:
        yield MemoryBundler(toolchain)


@asynccontextmanager
async def _spool() -> AsyncGenerator[Spool]:
    with tempfile.TemporaryDirectory(prefix="flora-handoffs-") as folder:
        yield Spool(Path(folder))


def _in_use(operator: Operator) -> set[Sha256] | None:
    """Bundles that deployments name; None while not all of them are known."""
    if operator.unsynced() is not None:
        return None
    named: set[str] = set()
    for deployment in operator.fleet:
        status = deployment.status
        named.add(deployment.source.bundle)
        named.add(status.bundle.sha256 if status.bundle is not None else "")
        named.add(status.assignment.bundle if status.assignment is not None else "")
    return {Sha256(sha256) for sha256 in named if sha256}


async def _listen(settings: OperatorSettings, operator: Operator) -> web.AppRunner:
    runner = web.AppRunner(operator.app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
    except OSError as error:
        await runner.cleanup()
        reason = error.strerror or str(error)
        raise InvalidSettings(f"OPERATOR_PORT: cannot listen on {settings.port}: {reason}") from None
    announce("operator", f"http://127.0.0.1:{runner.addresses[0][1]}")
    return runner


if __name__ == "__main__":
    main()
