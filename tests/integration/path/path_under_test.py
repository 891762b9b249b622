"""The path without Discord: a real hub and stream server, a real runtime pod with real workers.

Events are put in where a shard would; ops come out where the REST proxy would carry them out.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec
from aiohttp import web
from msgspec import Raw

from flora_core.control.server import ControlServer
from flora_core.control.state import DesiredState
from flora_core.hashing import worker_of
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.ids import GuildId, PodName, Sha256
from flora_core.toolchain import Bundle
from flora_core.wire.control import (
    DEFAULT_LIMITS,
    Assignment,
    Draining,
    GatewayNews,
    Limits,
    Loaded,
    LogLine,
    PodReport,
)
from flora_core.wire.gateway import Op, OpError
from flora_gateway.fanout.hub import Hub
from flora_gateway.rest import ScopeMap
from flora_gateway.server import GatewayServer
from flora_gateway.shards.sessions import LowWater
from flora_gateway.shards.shard import Dispatch
from flora_runtime.supervisor.pod import RuntimePod
from flora_runtime.supervisor.settings import RuntimeSettings
from tests.waiting import until

POD = PodName("flora-runtime-0")
TOKEN = "runtime-token"
PATIENCE = 60.0


def bundled(code: str) -> Bundle:
    """``code`` as the bundler would leave it, without the bundler."""
    return Bundle("src/main.ts", f"(async () => {{\n{code}\n}})();\n//# sourceURL=bundle.js\n")


class Operator:
    """Decides what the pod runs; hears what became of it."""

    def __init__(self) -> None:
        self.state = DesiredState()
        self.bundles: dict[str, bytes] = {}
        self.reports: list[PodReport] = []
        self.gateway_reports: list[GatewayNews] = []
        self.draining: list[Draining] = []
        self.lets_go = True
        """Whether a pod that is told to stop may."""
        self.logs: list[LogLine] = []
        self._revision = 0

    def deploy(
        self, guild: str, code: str, *, limits: Limits = DEFAULT_LIMITS, hibernates: bool = True
    ) -> int:
        data = bundled(code).to_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        self.bundles[sha256] = data
        self._revision += 1
        self.state.assign(POD, Assignment(guild, self._revision, sha256, limits, hibernates))
        return self._revision

    async def bundle(self, sha256: Sha256) -> bytes | None:
        return self.bundles.get(sha256)

    def on_report(self, pod: PodName, report: PodReport) -> None:
        if not isinstance(report, Draining):
            self.reports.append(report)
            return
        self.draining.append(report)
        if self.lets_go:
            self.state.retire(pod)

    def on_gateway_report(self, report: GatewayNews) -> None:
        self.gateway_reports.append(report)

    def on_log(self, pod: PodName, line: LogLine) -> None:
        self.logs.append(line)


class DiscordProxy:
    """Carries out ops at once, or when the test says so; remembers them."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.waiting: list[Callable[[bool, bytes], None]] = []
        self.answering = True

    def execute(self, op: Op, done: Callable[[bool, bytes], None]) -> None:
        self.ops.append(op)
        if self.answering:
            self.answer(done)
        else:
            self.waiting.append(done)

    def answer(self, done: Callable[[bool, bytes], None]) -> None:
        done(True, b'{"id":"1","channel_id":"77"}')

    def answer_all(self) -> None:
        waiting, self.waiting = self.waiting, []
        for done in waiting:
            self.answer(done)

    def refuse_all(self, error: OpError) -> None:
        waiting, self.waiting = self.waiting, []
        for done in waiting:
            done(False, msgspec.json.encode(error))

    @property
    def contents(self) -> list[str]:
        """What was written into channels, in order."""
        return [body["content"] for body in self.bodies("sendMessage")]

    def bodies(self, name: str) -> list[Any]:
        return [msgspec.json.decode(op.args)["body"] for op in self.ops if op.name == name]


class PathUnderTest:
    """Gateway side, operator and one runtime pod; each can be stopped and started alone."""

    pod_class: type[RuntimePod] = RuntimePod

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.operator = Operator()
        self.discord = DiscordProxy()
        self.low_water = LowWater()
        self.session = "session-1"
        self._folder = folder
        self._settings = settings
        self._sequence = 0
        self._messages = 0
        self._gateway_runner: web.AppRunner | None = None
        self._control_runner: web.AppRunner | None = None
        self.gateway_port = self.control_port = 0
        self.pod: RuntimePod | None = None
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        await self.start_control()
        await self.start_gateway()
        await self.start_pod()

    async def stop(self) -> None:
        await self.stop_pod()
        await self.stop_gateway()
        await self.stop_control()

    # ---------------------------------------------------------------- parts

    async def start_control(self) -> None:
        app = web.Application()
        identities = StaticIdentities({TOKEN: Identity(Role.RUNTIME, POD)})
        ControlServer(app, self.operator.state, self.operator, identities)
        self._control_runner, self.control_port = await _listen(app, self.control_port)

    async def stop_control(self) -> None:
        if self._control_runner is not None:
            await self._control_runner.cleanup()
            self._control_runner = None

    async def start_gateway(self) -> None:
        """A gateway process, as far as pods can tell: every start is another epoch."""
        self.scope = ScopeMap()
        self.hub = Hub(
            pod_of=lambda guild: self.operator.state.routes().pods.get(guild),  # noqa: PLW0108
            all_pods=lambda: {POD},
            scope=self.scope,
            byte_limit=64 << 20,
            guild_limit=2000,
        )
        self.hub.know_bot("3")
        identities = StaticIdentities({TOKEN: Identity(Role.RUNTIME, POD)})
        self.server = GatewayServer(self.hub, lambda: self.discord, identities, ready=lambda: None)
        self._gateway_runner, self.gateway_port = await _listen(self.server.app, self.gateway_port)

    async def stop_gateway(self) -> None:
        if self._gateway_runner is not None:
            self.server.stop()
            await self._gateway_runner.cleanup()
            self._gateway_runner = None

    async def start_pod(self) -> None:
        settings = RuntimeSettings(
            pod_name=POD,
            gateway_url=f"http://127.0.0.1:{self.gateway_port}",
            control_url=f"http://127.0.0.1:{self.control_port}",
            logs_url=f"http://127.0.0.1:{self.control_port}",
            token=TOKEN,
            data_dir=self._folder,
            **{"max_workers": 2, **self._settings},
        )
        self.pod = self.pod_class(settings)
        self._running = asyncio.create_task(self.pod.run())
        await self.wait(lambda: self.pod is not None and self.pod.ready() is None)

    async def stop_pod(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
            self._running = None

    # ---------------------------------------------------------------- acting

    async def deploy(self, guild: str, code: str, **options: Any) -> None:
        """Deploy and wait until it is live."""
        revision = self.operator.deploy(guild, code, **options)
        await self.wait(
            lambda: any(isinstance(r, Loaded) and r.revision == revision for r in self.operator.reports)
        )

    def dispatch(self, type_: str, data: dict[str, Any], *, sequence: int | None = None) -> int:
        """An event from Discord; its sequence number."""
        if sequence is None:
            self._sequence += 1
            sequence = self._sequence
        raw = Raw(msgspec.json.encode(data))
        self.hub.on_dispatch(Dispatch(0, self.session, self.low_water, type_, sequence, raw))
        return sequence

    def message(
        self, content: str, *, guild: str = "1", author: str = "9", sequence: int | None = None
    ) -> int:
        self._messages += 1
        data = {
            "id": str(5000 + self._messages),
            "channel_id": "77",
            "guild_id": guild,
            "content": content,
            "author": {"id": author, "username": "ann", "discriminator": "0", "bot": author == "3"},
            "timestamp": "2026-01-01T00:00:00+00:00",
            "type": 0,
        }
        return self.dispatch("MESSAGE_CREATE", data, sequence=sequence)

    async def wait(self, ready: Callable[[], Any], *, seconds: float = PATIENCE) -> Any:
        return await until(ready, seconds=seconds, pause=0.005)

    async def wait_contents(self, count: int) -> list[str]:
        await self.wait(lambda: len(self.discord.contents) >= count)
        return self.discord.contents

    async def wait_log(self, text: str) -> LogLine:
        lines = await self.wait(lambda: [line for line in self.operator.logs if text in line.text])
        return lines[0]

    def worker_pids(self) -> list[int]:
        assert self.pod is not None
        return [pid for worker in self.pod._workers if (pid := worker.pid) is not None]


async def _listen(app: web.Application, port: int) -> tuple[web.AppRunner, int]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    return runner, runner.addresses[0][1]


def guild_on_worker(worker: int, *, workers: int = 2, start: int = 1) -> str:
    """A guild whose hash puts it on ``worker``."""
    return next(str(n) for n in range(start, start + 1000) if worker_of(GuildId(str(n)), workers) == worker)
