"""A gateway and two runtime pods as processes, and in this one the simulated Discord and who moves guilds.

The part of the operator that moves guilds can be killed like any process: what it had in memory is gone, and
the next one knows the statuses alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp import web

from flora_core.control.handoffs import HandoffServer, Spool
from flora_core.control.server import ControlServer
from flora_core.control.state import DesiredState
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.ids import GuildId, PodName
from flora_core.wire.control import Assignment, GatewayNews, PodReport
from flora_dev.processes import Component
from flora_operator.errors import Missing, Unreachable
from flora_operator.handoff.machine import Step
from flora_operator.handoff.moves import Moves
from flora_operator.status import HandoffStatus
from flora_simulator.world_spec import DEV_GUILD
from tests.integration.fleet.fleet import GATEWAY_TOKEN, PATIENCE, Fleet, _is_ready
from tests.integration.path.path_under_test import Operator

A, B = PodName("flora-runtime-0"), PodName("flora-runtime-1")
TOKENS: Final = {A: "token-of-a", B: "token-of-b"}
API_TOKEN: Final = "token-of-api"
GUILD: Final = GuildId(DEV_GUILD)

ECHO: Final = (
    "on('messageCreate', async (ctx) => { await ctx.reply('re: ' + ctx.msg.content); });"
    "cron('yearly', '@yearly', () => {}); cron('tick', '* * * * * *', () => console.log('tick'));"
)


class Coordinator(Operator):
    """The operator as far as moves go. ``statuses`` are what outlives it."""

    def __init__(self) -> None:
        super().__init__()
        self.pods: dict[GuildId, PodName] = {}
        self.statuses: dict[GuildId, HandoffStatus | None] = {}
        self.assignments: dict[GuildId, Assignment] = {}
        self.wanted: dict[GuildId, PodName] = {}
        self.writes: list[tuple[GuildId, PodName | None, HandoffStatus | None]] = []
        self.api_is_up = True
        self.write_seconds = 0.0
        self.owners: list[tuple[float, PodName]] = []

    def begin(self, spool: Spool, **options: Any) -> None:
        """A process that knows the statuses."""
        self.state = DesiredState()
        self.moves = Moves(self.state, spool, self, at_once=8, **{"pause": 0.2, **options})
        for guild, pod in self.pods.items():
            self.state.assign(pod, self.assignments[guild])
        self.reconcile()

    def reconcile(self) -> None:
        """Ask for what is wanted; as the reconciler does, again and again."""
        for guild, pod in self.pods.items():
            known, wanted = self.statuses.get(guild), self.wanted.get(guild, pod)
            if wanted != pod:
                self.moves.want(guild, from_=pod, to=wanted, known=known)
            elif known is not None:
                self.moves.drop(guild, known=known)

    async def persist(self, guild: GuildId, *, pod: PodName | None, handoff: HandoffStatus | None) -> None:
        await asyncio.sleep(self.write_seconds)
        if not self.api_is_up:
            raise Unreachable("the API server is gone")
        if guild not in self.pods:
            raise Missing("no such guild")
        self.writes.append((guild, pod, handoff))
        self.statuses[guild] = handoff
        if pod is not None:
            self.pods[guild] = pod
        self.reconcile()

    def place(self, guild: GuildId, code: str, pod: PodName) -> int:
        """Run ``code`` on ``pod``, or wherever the guild is."""
        revision = self.deploy(guild, code)
        deployed = self.state.assignment(guild)
        assert deployed is not None
        self.assignments[guild] = deployed
        self.state.assign(self.pods.setdefault(guild, pod), deployed)
        return revision

    def on_report(self, pod: PodName, report: PodReport) -> None:
        super().on_report(pod, report)
        self.moves.on_report(pod, report)

    def on_gateway_report(self, report: GatewayNews) -> None:
        super().on_gateway_report(report)
        self.moves.on_gateway_report(report)


class MovingFleet(Fleet):
    """See the module's text."""

    def __init__(self, folder: Path, **moves: Any) -> None:
        super().__init__(folder)
        self.coordinator = Coordinator()
        self.operator = self.coordinator
        self.runtimes: dict[PodName, Component] = {}
        self._moving: asyncio.Task[None] | None = None
        self._options = moves
        self.gateway_settings = {
            "GATEWAY_ACCEPT_TOKENS": ",".join(f"{token}=runtime/{pod}" for pod, token in TOKENS.items())
        }

    # ---------------------------------------------------------------- parts

    async def start_control(self) -> None:
        """A new process of the operator, at the address of the one before."""
        app = web.Application()
        identities = StaticIdentities(
            {token: Identity(Role.RUNTIME, pod) for pod, token in TOKENS.items()}
            | {GATEWAY_TOKEN: Identity(Role.GATEWAY)}
        )
        spool = Spool(self.folder / "spool")
        self.coordinator.begin(spool, **self._options)
        moves = self.coordinator.moves
        ControlServer(app, self.coordinator.state, self.coordinator, identities)
        HandoffServer(app, self.coordinator.state, spool, identities, on_spooled=moves.on_spooled)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._control_port, reuse_address=True).start()
        self._control_port = self._runner.addresses[0][1]
        self.control_url = f"http://127.0.0.1:{self._control_port}"
        self._moving = asyncio.create_task(moves.run())

    async def stop_control(self) -> None:
        if self._moving is not None:
            self._moving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._moving
            self._moving = None
        await super().stop_control()

    async def start_runtime(self, **extra: str) -> None:
        for pod in (A, B):
            await self.start_pod(pod, **extra)

    async def start_pod(self, pod: PodName, **extra: str) -> None:
        assert self.gateway is not None
        logs = self.folder / "logs" / pod
        logs.mkdir(parents=True, exist_ok=True)
        self.runtimes[pod] = await Component.start(
            "runtime",
            {
                "RUNTIME_POD_NAME": pod,
                "RUNTIME_HOST": "127.0.0.1",
                "RUNTIME_PORT": "0",
                "RUNTIME_GATEWAY_URL": self.gateway.url,
                "RUNTIME_CONTROL_URL": self.control_url,
                "RUNTIME_LOGS_URL": self.control_url,
                "RUNTIME_TOKEN": TOKENS[pod],
                "RUNTIME_ACCEPT_TOKENS": f"{API_TOKEN}=api",
                "RUNTIME_DATA_DIR": str(self.folder / "data" / pod),
                "RUNTIME_MAX_WORKERS": "1",
                **extra,
            },
            logs=logs,
        )

    async def stop(self) -> None:
        for runtime in self.runtimes.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(runtime.pid, signal.SIGKILL)
            await runtime.stop()
        await super().stop()

    async def ready(self) -> None:
        async with aiohttp.ClientSession() as session:
            assert self.gateway is not None
            for component in (self.gateway, *self.runtimes.values()):
                async with asyncio.timeout(PATIENCE):
                    while not await _is_ready(session, component.url):
                        await asyncio.sleep(0.03)

    async def kill_and_restart(self, who: str) -> None:
        """kill -9 of ``a``, ``b``, ``gateway`` or ``operator``, and a successor at once."""
        if who == "operator":
            await self.stop_control()
            await self.start_control()
        elif who == "gateway":
            self.kill(self.gateway)
            await self.start_gateway()
        else:
            pod = {"a": A, "b": B}[who]
            self.kill(self.runtimes[pod])
            await self.start_pod(pod)

    # ---------------------------------------------------------------- acting

    async def place(self, code: str = ECHO, *, guild: GuildId = GUILD, pod: PodName = A) -> None:
        """Run ``code`` in ``guild``, and wait until it is live."""
        revision = self.coordinator.place(guild, code, pod)
        await self.wait(lambda: any(getattr(r, "revision", 0) == revision for r in self.coordinator.reports))

    def want(self, pod: PodName, *, guild: GuildId = GUILD) -> None:
        """``guild`` should be on ``pod``."""
        self.coordinator.wanted[guild] = pod
        self.coordinator.reconcile()

    async def arrived(self, pod: PodName, *, guild: GuildId = GUILD, seconds: float = 60.0) -> None:
        """Wait until ``guild`` is on ``pod``, and nothing is left to do."""
        c = self.coordinator
        await self.wait(
            lambda: c.pods[guild] == pod and c.statuses.get(guild) is None and c.moves.of(guild) is None,
            seconds=seconds,
        )

    async def reaches(self, step: Step, *, guild: GuildId = GUILD) -> None:
        """Wait until the guild's move is at ``step``, or beyond."""
        order = list(Step)
        async with asyncio.timeout(PATIENCE):
            while True:
                move = self.coordinator.moves.of(guild)
                if move is not None and order.index(move.step) >= order.index(step):
                    return
                await asyncio.sleep(0)

    # ---------------------------------------------------------------- KV

    async def ask(self, pod: PodName, call: str, *, guild: GuildId = GUILD, **args: Any) -> Any:
        """A KV call, as a tool makes it."""
        url = f"{self.runtimes[pod].url}/v1/guilds/{guild}/kv/{call}"
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        body = msgspec.json.encode(args)
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers=headers) as response,
        ):
            text = await response.read()
            assert response.status == 200, text
            return msgspec.json.decode(text)

    async def fill(self, pod: PodName = A, *, guild: GuildId = GUILD) -> None:
        """Values with all there is about values."""
        soon, late = time.time() + 3600, time.time() + 86400
        for store in ("plain", "späte"):
            for number in range(10):
                await self.ask(
                    pod,
                    "kvSet",
                    guild=guild,
                    store=store,
                    key=f"k{number}/ü\n",
                    value=f"{number}\u2028" * number,
                    expiration=(None, soon, late)[number % 3],
                    metadata={"n": number, "t": ["ü\n"]} if number % 2 else None,
                )

    async def values(self, pod: PodName, *, guild: GuildId = GUILD) -> dict[str, Any]:
        """Every value of a guild, with its expiration and metadata."""
        found: dict[str, Any] = {}
        for store in await self.ask(pod, "kvStores", guild=guild):
            name = store["name"]
            found[name] = {"usage": store}
            listed = await self.ask(pod, "kvList", guild=guild, store=name, limit=1000)
            for key in listed["keys"]:
                found[name][key["name"]] = await self.ask(
                    pod, "kvGet", guild=guild, store=name, key=key["name"]
                )
        return found

    async def crons(self, pod: PodName, *, guild: GuildId = GUILD) -> dict[str, Any]:
        """When its jobs run, by name."""
        url = f"{self.runtimes[pod].url}/v1/guilds/{guild}/crons"
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
            assert response.status == 200, await response.text()
            return {job["name"]: job for job in await response.json()}


class Chat:
    """Messages one after the other, each with a number, and what became of them."""

    def __init__(self, fleet: MovingFleet, *, pause: float = 0.02, channel: str = "general") -> None:
        self._fleet = fleet
        self._channel = channel
        self._pause = pause
        self.written = 0
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._task = asyncio.create_task(self._talk())

    async def _talk(self) -> None:
        while True:
            await self._fleet.people.post(str(self.written), channel=self._channel)
            self.written += 1
            await asyncio.sleep(self._pause)

    async def end(self) -> tuple[int, int]:
        """Stop; how many messages were lost, and how many answered twice."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        wanted = {f"re: {number}" for number in range(self.written)}
        deadline = time.monotonic() + PATIENCE
        while not wanted <= set(answers := await self._answers()) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        counted = Counter(answer for answer in answers if answer in wanted)
        return len(wanted - set(counted)), sum(counted.values()) - len(counted)

    async def _answers(self) -> list[str]:
        transcript = await self._fleet.people.transcript(self._channel, limit=100_000)
        return [message.content for message in transcript if message.author == "flora"]
