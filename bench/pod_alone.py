"""A runtime pod without Discord: its gateway and its control plane are this process.

Events are put in where a shard would; an op is answered the moment it arrives. So what is measured is the
pod, and any number of guilds costs nothing outside of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import psutil
from aiohttp import web
from msgspec import Raw

from bench import payloads
from bench.flora import LOCALHOST, POD, Control, control_plane
from bench.machine import resident_bytes
from bench.processes import Child, ProcessFailed, python, running, start
from bench.script import pong_bundle
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.toolchain import Bundle
from flora_core.wire.control import Assignment
from flora_core.wire.gateway import Op
from flora_gateway.fanout.hub import Hub
from flora_gateway.rest import ScopeMap
from flora_gateway.server import GatewayServer
from flora_gateway.shards.sessions import LowWater
from flora_gateway.shards.shard import Dispatch

ANSWER_SECONDS: Final = 60.0

_ANSWER: Final = payloads.sent_answer()


class PodAlone:
    """The pod, and what stands around it."""

    def __init__(self, control: Control) -> None:
        self.control: Final = control
        self.runtime: Child
        self._low_water = LowWater()
        self._sequence = 0
        self._answers: dict[str, asyncio.Future[float]] = {}
        self.hub: Final = Hub(
            pod_of=lambda guild: control.state.routes().pods.get(guild),  # noqa: PLW0108
            all_pods=lambda: {POD},
            scope=ScopeMap(),
            byte_limit=64 << 20,
            guild_limit=2000,
        )
        self.hub.know_bot("3")
        identities = StaticIdentities({control.tokens[Role.RUNTIME]: Identity(Role.RUNTIME, POD)})
        self.server: Final = GatewayServer(self.hub, lambda: self, identities, ready=lambda: None)

    def execute(self, op: Op, done: Callable[[bool, bytes], None]) -> None:
        """Answer a call; the first of a guild's handler ends what ``ask`` waits for."""
        if op.name == "upsertGuildCommands":
            done(True, b"[]")
            return
        done(True, _ANSWER)
        waiting = self._answers.pop(op.guild, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(time.perf_counter())

    async def place(self, guilds: int, *, seconds: float, bundle: Bundle | None = None) -> None:
        """Assign so many guilds, and wait until all have loaded; raises ProcessFailed."""
        bundle = bundle or await pong_bundle()
        self.control.add_bundle(bundle)
        for index in range(guilds):
            self.control.state.assign(POD, Assignment(payloads.guild_id(index), 1, bundle.sha256))
        deadline = time.monotonic() + seconds
        while len(self.control.loaded) < guilds:
            if self.control.problems or time.monotonic() > deadline or not self.runtime.alive:
                what = "; ".join(self.control.problems[:2]) or self.runtime.last_words()
                raise ProcessFailed(f"{len(self.control.loaded)} of {guilds} guilds loaded; {what}")
            await asyncio.sleep(0.05)

    async def ask(self, guild: int) -> float:
        """Send a guild one message; seconds until its reply is here. Raises ProcessFailed."""
        self._sequence += 1
        answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._answers[payloads.guild_id(guild)] = answer
        body = Raw(payloads.event(guild, self._sequence))
        begun = time.perf_counter()
        self.hub.on_dispatch(Dispatch(0, "bench", self._low_water, "MESSAGE_CREATE", self._sequence, body))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer - begun
        except TimeoutError:
            raise ProcessFailed(f"guild {guild} did not answer within {ANSWER_SECONDS:g} s") from None

    def resident(self) -> dict[str, int]:
        """Resident bytes of the supervisor and of all workers."""
        workers = psutil.Process(self.runtime.pid).children()
        return {
            "supervisor": resident_bytes(self.runtime.pid),
            "workers": sum(resident_bytes(worker.pid) for worker in workers),
        }


@asynccontextmanager
async def pod_alone(
    folder: Path, *, workers: int, settings: Mapping[str, str], runtime_token: str = ""
) -> AsyncIterator[PodAlone]:
    """A pod that is up and has no guild yet; ``runtime_token`` is one that others know it by."""
    async with control_plane(runtime_token=runtime_token) as control:
        pod = PodAlone(control)
        runner = web.AppRunner(pod.server.app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        try:
            await web.TCPSite(runner, LOCALHOST, 0).start()
            child = await start(
                "runtime",
                python("flora_runtime.supervisor.main"),
                core=None,
                logs=folder,
                environment={
                    "RUNTIME_HOST": LOCALHOST,
                    "RUNTIME_PORT": "0",
                    "RUNTIME_LOG_FORMAT": "json",
                    "RUNTIME_POD_NAME": POD,
                    "RUNTIME_GATEWAY_URL": f"http://{LOCALHOST}:{runner.addresses[0][1]}",
                    "RUNTIME_CONTROL_URL": control.url,
                    "RUNTIME_LOGS_URL": control.url,
                    "RUNTIME_TOKEN": control.tokens[Role.RUNTIME],
                    "RUNTIME_DATA_DIR": str(folder / "runtime"),
                    "RUNTIME_MAX_WORKERS": str(workers),
                    **settings,
                },
            )
            async with running(child) as pod.runtime:
                yield pod
        finally:
            pod.server.stop()
            await runner.cleanup()
