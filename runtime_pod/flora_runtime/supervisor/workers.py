"""The pod's worker processes: started, fed with deploys, watched, replaced.

Each place keeps its number for the pod's life, because guilds are hashed to it; the process in
it may change. A process is replaced when it dies, breaks the protocol of its pipe, falls silent, grows over
its memory budget, or says that a guild's turn cannot be stopped. Its guilds are told what it had started;
they come back on the new process one by one, as their next events arrive.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from flora_core.telemetry import logger
from flora_core.wire import pipe
from flora_core.wire.pipe import Configure, Frame, Kind, Pong, Ready
from flora_runtime.flight import CAPACITY, Entry
from flora_runtime.supervisor import metrics
from flora_runtime.supervisor.deploys import DeployQueue
from flora_runtime.supervisor.memory import ContainerMemory
from flora_runtime.supervisor.process import Ended, WorkerProcess

PING_SECONDS: Final = 1.0
LONGEST_LOOK_SECONDS: Final = 2 * PING_SECONDS
"""What a look that comes late counts for: if this process stood still, its workers have been no more silent
than it was deaf."""
START_SECONDS: Final = 15.0
"""A process that has not said it is ready by then is replaced."""

WALLS: Final = ("landlock", "seccomp")

ISOLATE_BYTES: Final = 1 << 20
"""About what a sleeping guild gives back."""
ISOLATES_MOST: Final = 3000
"""Isolates of a process above which guilds are sent to sleep: near 3,600 its memory mappings end."""

DRAIN_SECONDS: Final = 1.0
GENERATIONS_A_PROCESS: Final = 1 << 12
"""Isolates one process may number before its numbers could meet those of its successor; wraps at 2**23."""

QUICK_DEATH_SECONDS: Final = 5.0
SLOWEST_RESTART_SECONDS: Final = 5.0

_log = logger(__name__)


class Owner(Protocol):
    """Whose worker this is."""

    def on_frame(self, worker: int, frame: Frame) -> None:
        """A frame about one guild."""
        ...

    def on_worker_gone(self, worker: int, read: Callable[[int], Entry]) -> None:
        """The process died; ``read`` tells what it had started, by flight recorder slot."""
        ...

    def on_stuck(self, worker: int, guilds: list[str]) -> None:
        """These guilds have turns that nothing can stop; the worker is about to be replaced."""
        ...

    def on_pressure(self, worker: int, isolates: int) -> None:
        """The worker should hold so many isolates fewer."""
        ...

    def busy(self, worker: int, *, besides: list[str]) -> bool:
        """Whether handlers of other guilds are under way on ``worker``."""
        ...

    async def deploy(self, worker: int, guild: str) -> bool:
        """Bring ``guild``'s bundle to ``worker``; False when there is nothing to wait for."""
        ...


@dataclass(slots=True, frozen=True)
class WorkerLimits:
    """When a process is replaced."""

    silence_seconds: float
    rss_bytes: int
    soft_rss_bytes: int = 1 << 62
    """Above this, guilds are sent to sleep."""


class Worker:
    """One place among the pod's workers."""

    def __init__(
        self, index: int, owner: Owner, configure: Configure, limits: WorkerLimits, *, share: int = 1
    ) -> None:
        """``share`` workers have one container's memory between them."""
        self.index: Final = index
        self._owner = owner
        self._configure = configure
        self._limits = limits
        self._memory = ContainerMemory()
        self._share = share
        self._spawned = 0
        self._process: WorkerProcess | None = None
        self._ready = asyncio.Event()
        self._down_since = time.monotonic()
        self._gone = asyncio.Event()
        self._ended = Ended.BY_ITSELF
        self._detail = ""
        self._stuck: list[str] = []
        self._deploys = DeployQueue()
        self._deploys_changed = asyncio.Event()
        self._free_slots = deque(range(CAPACITY))
        self.isolates = 0

    @property
    def ready(self) -> bool:
        return self._ready.is_set()

    def down_seconds(self, now: float) -> float:
        """For how long there has been no process to send to; 0 when there is one. ``now`` is monotonic."""
        return 0.0 if self.ready else now - self._down_since

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def take_slot(self) -> int | None:
        """A place in the flight recorder; None when this worker holds all it can."""
        if not self._free_slots:
            return None
        slot = self._free_slots.popleft()
        if self._process is not None:
            self._process.recorder.reset(slot)
        return slot

    def forget(self, guild: str, slot: int) -> None:
        """``guild`` is not this worker's any more: neither its deploys nor its ``slot`` are taken."""
        self._free_slots.append(slot)
        self._deploys.forget(guild)
        self._deploys_changed.set()

    def send(self, kind: Kind, body: bytes = b"", *, guild: str = "") -> None:
        if self._process is not None and self.ready:
            self._process.send(kind, body, guild=guild)

    def want_deploy(self, guild: str, *, urgent: bool = False) -> None:
        """Deploy ``guild`` when it is its turn, before all that are not urgent."""
        self._deploys.want(guild, urgent=urgent)
        self._deploys_changed.set()

    def deploy_ended(self, guild: str) -> None:
        """The worker has said how a deploy went."""
        self._deploys.ended(guild)
        self._deploys_changed.set()

    def kill(self, reason: Ended, detail: str) -> None:
        """Replace the process now."""
        if self._process is not None:
            self._process.kill(reason, detail)

    async def run(self) -> None:
        """Keep a process in this place until cancelled, and leave none behind."""
        pause = 0.0
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await self._serve()
            finally:
                await self._end()
            metrics.worker_restarts.labels(self._ended).inc()
            _log.warning("worker_replaced", worker=self.index, reason=self._ended, detail=self._detail)
            lived = asyncio.get_running_loop().time() - started
            pause = min(max(0.1, pause * 2), SLOWEST_RESTART_SECONDS) if lived < QUICK_DEATH_SECONDS else 0.0
            await asyncio.sleep(pause)

    async def _serve(self) -> None:
        """One process, from its start until it is gone."""
        self._gone.clear()
        self._stuck = []
        self._spawned += 1
        first = self._spawned * GENERATIONS_A_PROCESS % (1 << 23)
        self._process = WorkerProcess(on_frame=self._on_frame, on_gone=self._on_gone)
        await self._process.connect()
        configure = msgspec.structs.replace(self._configure, first_generation=first)
        self._process.send(Kind.CONFIGURE, msgspec.json.encode(configure))
        async with asyncio.TaskGroup() as tasks:
            helpers = [tasks.create_task(self._watch()), tasks.create_task(self._deploy_all())]
            await self._gone.wait()
            for helper in helpers:
                helper.cancel()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        self._not_ready()
        self._deploys.interrupted()
        process.kill(Ended.STOPPED, "the pod stops")
        self._owner.on_worker_gone(self.index, process.recorder.read)
        status = await process.reap()
        if self._ended is Ended.BY_ITSELF:
            self._detail += f": exit status {status}" if status >= 0 else f": signal {-status}"

    async def shut_down(self) -> None:
        """Ask the process to end by itself, now that nothing runs on it."""
        self.send(Kind.SHUTDOWN)
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._gone.wait()
        except TimeoutError:
            self.kill(Ended.STOPPED, "it did not shut down in time")

    # ---------------------------------------------------------------- frames

    def _on_frame(self, frame: Frame) -> None:
        if frame.kind is Kind.READY:
            ready = pipe.decode(frame.body, Ready)
            _log.info("worker_ready", worker=self.index, pid=ready.pid, engine=ready.engine)
            for warning in ready.warnings:
                _log.warning("worker_wall_missing", worker=self.index, warning=warning)
            for wall in WALLS:
                metrics.walls.labels(wall).set(wall in ready.walls)
            if not self._configure.walls:
                _log.warning("worker_walls_off", worker=self.index, setting="RUNTIME_WALLS")
            self._ready.set()
        elif frame.kind is Kind.PONG:
            pong = pipe.decode(frame.body, Pong)
            self.isolates = pong.isolates
            if pong.stuck and not self._stuck:
                self._stuck = pong.stuck
                self._owner.on_stuck(self.index, pong.stuck)
        else:
            if frame.kind in (Kind.LOADED, Kind.FAILED):
                self.deploy_ended(frame.guild)
            self._owner.on_frame(self.index, frame)

    def _on_gone(self, reason: Ended, detail: str) -> None:
        self._ended, self._detail = reason, detail
        self._not_ready()
        self._gone.set()

    def _not_ready(self) -> None:
        if self.ready:
            self._down_since = time.monotonic()
        self._ready.clear()

    # ---------------------------------------------------------------- watching

    async def _watch(self) -> None:
        process, loop = self._process, asyncio.get_running_loop()
        assert process is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._ready.wait()
        except TimeoutError:
            process.kill(Ended.SILENT, f"it was not ready within {START_SECONDS:g} s")
            return
        silence, looked_at = 0.0, loop.time()
        while True:
            await asyncio.sleep(PING_SECONDS)
            now = loop.time()
            silence = 0.0 if process.lived() else silence + min(now - looked_at, LONGEST_LOOK_SECONDS)
            looked_at = now
            if silence > self._limits.silence_seconds:
                process.kill(Ended.SILENT, f"it was silent for {silence:.1f} s")
            elif self._stuck:
                await self._drain(process)
                process.kill(Ended.STUCK, f"a turn of guild {self._stuck[0]} cannot be stopped")
            elif (rss := process.rss_bytes()) > self._limits.rss_bytes:
                process.kill(Ended.MEMORY, f"it uses {rss >> 20} MiB")
            else:
                metrics.worker_rss.labels(str(self.index)).set(rss)
                process.send(Kind.PING)
                self._relieve(rss)

    def _relieve(self, rss: int) -> None:
        excess = max(rss - self._limits.soft_rss_bytes, self._memory.excess() // self._share)
        too_many = max(-(-excess // ISOLATE_BYTES), self.isolates - ISOLATES_MOST)
        if too_many > 0:
            self._owner.on_pressure(self.index, too_many)

    async def _drain(self, process: WorkerProcess) -> None:
        """Let the other guilds' handlers finish, for a moment; start nothing new meanwhile."""
        process.send(Kind.DRAIN)
        deadline = asyncio.get_running_loop().time() + DRAIN_SECONDS
        while self._owner.busy(self.index, besides=self._stuck):
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.02)

    async def _deploy_all(self) -> None:
        """Bring bundles over, a few at a time."""
        await self._ready.wait()
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            while True:
                while (guild := self._deploys.next(loop.time())) is not None:
                    tasks.create_task(self._deploy(guild))
                self._deploys_changed.clear()
                until = self._deploys.busy_until(loop.time()) if self._deploys else None
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(until):
                        await self._deploys_changed.wait()

    async def _deploy(self, guild: str) -> None:
        try:
            begun = await self._owner.deploy(self.index, guild)
        except asyncio.CancelledError:  # the process died: for the next one
            self._deploys.want(guild, urgent=True)
            raise
        if not begun:
            self.deploy_ended(guild)
