"""The operator as a process, and the bare loop as another: started alike, watched from outside."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import asyncpg

from bench.cluster_world import ENTRYPOINT, NAMESPACE, STATEFULSET, World, script
from bench.machine import Meter
from bench.processes import Child, python, running, start
from flora_core.database import Bundles, Database
from flora_core.toolchain import Bundle, Project, content_address
from tests.cluster.played_pods import PlayedPod
from tests.integration.postgres_server import PostgresServer

READY_SECONDS: Final = 120.0
PODS: Final = [f"{STATEFULSET}-{ordinal}" for ordinal in range(4)]
_BUNDLE: Final = Bundle(ENTRYPOINT, "console.log(1)", "")


@dataclass(slots=True)
class Running:
    """A process under test that knows the cluster as it was at its start."""

    child: Child
    meter: Meter
    seconds: float
    """From its start until it knew."""

    @property
    def peak_bytes(self) -> int:
        """The most memory it ever had in RAM."""
        for line in Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0


@asynccontextmanager
async def bare_loop(world: World, logs: Path) -> AsyncGenerator[Running]:
    """``bench.cluster_bare``."""
    began = time.monotonic()
    environment = {"KUBECONFIG": str(world.kubeconfig)}
    child = await start(
        "bare", python("bench.cluster_bare", NAMESPACE), core=None, logs=logs, environment=environment
    )
    async with running(child):
        yield Running(child, Meter([child.pid]), time.monotonic() - began)


@asynccontextmanager
async def operator(
    world: World, logs: Path, database_url: str, *, pods: Sequence[str] = (), quiet: bool = True
) -> AsyncGenerator[Running]:
    """``flora-operator``, and ``pods`` on its streams; ``quiet`` ones never say that they have loaded."""
    began = time.monotonic()
    environment = {
        "KUBECONFIG": str(world.kubeconfig),
        "OPERATOR_HOST": "127.0.0.1",
        "OPERATOR_PORT": "0",
        "OPERATOR_NAMESPACE": NAMESPACE,
        "OPERATOR_WATCH_NAMESPACES": NAMESPACE,
        "OPERATOR_STATEFULSET": STATEFULSET,
        "OPERATOR_DATABASE_URL": database_url,
        "OPERATOR_ACCEPT_TOKENS": ",".join(f"{pod}=runtime/{pod}" for pod in PODS),
        "OPERATOR_LOG_LEVEL": "WARNING",
    }
    child = await start(
        "operator", python("flora_operator.main"), core=None, logs=logs, environment=environment
    )
    async with running(child), AsyncExitStack() as stack:
        meter = Meter([child.pid])
        await _ready(child)
        seconds = time.monotonic() - began
        for name in pods:
            pod = PlayedPod(child.url, name, token=name, quiet=quiet)
            pod.scripts = {}
            await stack.enter_async_context(pod)
        yield Running(child, meter, seconds)


@asynccontextmanager
async def postgres(count: int) -> AsyncGenerator[str]:
    """A Postgres that knows a bundle for each of ``count`` scripts, as it does when they ran before."""
    folder, server = await asyncio.to_thread(_make_postgres)
    try:
        await asyncio.to_thread(server.start)
        url = server.url()
        async with await Database.open(url) as database:
            await database.migrate()
            await Bundles(database).put(_BUNDLE)
            addresses = [
                content_address(Project({ENTRYPOINT: script(number)}, ENTRYPOINT)) for number in range(count)
            ]

            async def fill(connection: asyncpg.Connection) -> None:
                await connection.execute(
                    "INSERT INTO bundle_sources (sources, bundle) SELECT unnest($1::text[]), $2",
                    addresses,
                    _BUNDLE.sha256,
                )

            await database.run(fill)
        yield url
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _make_postgres() -> tuple[Path, PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="flora-bench-postgres-"))
    folder.chmod(0o755)
    return folder, PostgresServer(folder / "server")


async def _ready(child: Child) -> None:
    async with asyncio.timeout(READY_SECONDS), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{child.url}/readyz") as response:
                if response.status == 200:
                    return
            await asyncio.sleep(0.02)
