"""The worker: takes frames from its supervisor and lets its guilds' scripts take turns.

One thread runs this loop; each isolate has a thread of its own inside V8. The loop posts turns, waits for
results, timers and frames, and watches the clock. Turns are given round-robin to the scripts that want
one, a few dozen at a time: this loop and the isolates then work in runs of their own instead of taking
the core from each other for every turn (measured with 100 isolates: half as much again as with four at a
time). A turn that takes longer than a moment no longer counts, so that slow guilds cannot hold the others
up: the kernel shares the core among their threads.
"""

from __future__ import annotations

import heapq
import itertools
import math
import os
import secrets
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from flora_core.assets import PRELUDE, asset
from flora_core.wire import pipe
from flora_core.wire.control import Outcome, ScriptError
from flora_core.wire.pipe import (
    Configure,
    Deploy,
    FailedIn,
    Frame,
    Hibernate,
    Kind,
    OverBudget,
    Pong,
    Ready,
    SecretsIn,
)
from flora_runtime.errors import BootFailed, EngineHangs
from flora_runtime.flight import FlightRecorder
from flora_runtime.worker.booting import Booter
from flora_runtime.worker.budget import LINE_NS, OP_NS, CpuBudget
from flora_runtime.worker.guild import Guild
from flora_runtime.worker.isolate import Engine, Isolate, Program
from flora_runtime.worker.script import QUIET_SECONDS, Script, configuration, generation_of
from flora_runtime.worker.stacks import SourceMap, StackMapper
from flora_runtime.worker.walls import put_up

TURNS_POSTED: Final = 32
MOMENT_SECONDS: Final = 0.002
STUCK_SECONDS: Final = 0.5
"""A turn that was told to stop and did not within this time cannot be stopped from inside."""
HANGING_SECONDS: Final = 10.0
"""A boot that took this much longer than it may never ends: the worker does, and another takes its place."""
HOUSEKEEPING_SECONDS: Final = 0.25
DRAINING_SECONDS: Final = 0.02
LEAVING_SECONDS: Final = 15.0
"""The same while draining: others wait for what still runs."""
NOTED_TIMERS: Final = 1000
"""Times noted beyond two a script, after which those that mean nothing any more are swept out."""
READ_BYTES: Final = 1 << 18
SEND_SECONDS: Final = 30.0

EVENT_NUMBER: Final = struct.Struct("<Q")


@dataclass(slots=True)
class _Booting:
    """The deploy whose isolate is coming up."""

    guild: Guild
    deploy: Deploy
    generation: int
    since: float
    placeholders: dict[str, str] | None = None
    """Those of its secrets, when they changed meanwhile."""


class Worker:
    """Runs until its supervisor says so, or closes the pipe."""

    def __init__(self, connection: socket.socket, engine: Engine, recorder: FlightRecorder) -> None:
        self._pipe = connection
        self._engine = engine
        self._reactor = engine.reactor
        self._recorder = recorder
        self._splitter = pipe.FrameSplitter()
        self._buffer = memoryview(bytearray(READ_BYTES))  # recv would map and unmap as much each time
        self._config = Configure(index=0)
        self._guilds: dict[str, Guild] = {}
        self._owners: dict[Script, Guild] = {}
        self._slots: dict[str, int] = {}
        self._slow_until: dict[str, float] = {}
        """Of guilds that are not here any more; they may be back in a moment."""
        self._ready: deque[Script] = deque()
        self._queued: set[Script] = set()
        """Scripts in ``_ready`` or ``_held``."""
        self._budgets: dict[str, CpuBudget] = {}
        self._over_budget: set[str] = set()
        self._held: list[tuple[float, int, Script]] = []
        self._running: dict[Script, str] = {}
        self._look_at = math.inf
        self._deploys: deque[tuple[str, Deploy]] = deque()
        self._booter = Booter(engine.reactor)
        self._booting: _Booting | None = None
        self._timers: list[tuple[float, int, Script]] = []
        self._out: list[bytes] = []
        self._retired: list[Script] = []
        self._generation = 0
        self._order = itertools.count()
        self._closed = 0
        """Isolates given back since memory was last returned to the kernel."""
        self._stopping = False
        self._draining = False
        self._leaving: dict[str, float] = {}
        """Guilds that are about to go, and until when they are taken to be."""
        self._prelude = asset(PRELUDE).read_bytes()
        self._mapper = StackMapper(engine, boot_seconds=5.0, show_internal=False)
        self._housekeeping = time.monotonic()
        self._stuck: set[str] = set()

    def run(self) -> None:
        """Serve until SHUTDOWN, or until the supervisor is gone."""
        self._pipe.setblocking(False)
        self._reactor.add_reader(self._pipe.fileno(), self._readable)
        while not self._stopping:
            self._post_turns()
            self._flush()
            self._reactor.run_once(self._patience())
            self._watch()

    # ---------------------------------------------------------------- turns

    def _post_turns(self) -> None:
        if self._deploys and not self._booter.busy:
            self._deploy(*self._deploys.popleft())
        posted = len(self._running)
        if posted >= TURNS_POSTED:
            moment_ago = time.monotonic() - MOMENT_SECONDS
            posted = sum(script.turn_started > moment_ago for script in self._running)
        while self._ready and posted < TURNS_POSTED:
            script = self._ready.popleft()
            self._queued.discard(script)
            guild = self._owners.get(script)
            if guild is None or script.running or not script.wants_turn:
                continue
            if not script.loading and self._is_held(guild.id, script):
                continue
            started = script.start_turn()
            if started:
                self._recorder.begin(self._slots[guild.id], started)
            posted += 1

    def _is_held(self, guild: str, script: Script) -> bool:
        """Whether the guild has used up its CPU budget; ``script`` is then ready again when some is back."""
        budget = self._budgets.get(guild)
        if budget is None:
            return False
        now = time.monotonic()
        wait = budget.wait(now)
        if not wait:
            return False
        self._over_budget.add(guild)
        heapq.heappush(self._held, (now + wait, next(self._order), script))
        self._queued.add(script)
        return True

    def _patience(self) -> float:
        """How long the loop may sleep, in seconds."""
        if self._deploys and not self._booter.busy:
            return 0.0
        now = time.monotonic()
        wake = min(self._housekeeping + self._housekeeping_pause, self._look_at)
        if self._timers:
            wake = min(wake, self._timers[0][0])
        if self._held:
            wake = min(wake, self._held[0][0])
        if self._ready:
            wake = min(wake, now + MOMENT_SECONDS)
        return max(0.0, wake - now)

    def _watch(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            script = heapq.heappop(self._timers)[2]
            script.noted_timer = None
            if script in self._owners:
                script.fire_timers(now)
                self.note_timer(script)
        while self._held and self._held[0][0] <= now:
            self._ready.append(heapq.heappop(self._held)[2])
        if self._look_at <= now:
            self._look_at = math.inf
            for script in self._running:
                if not script.stopping:
                    if script.turn_deadline <= now:
                        script.stop_if_over()
                    self._look_at = min(self._look_at, script.turn_deadline)
        if now - self._housekeeping >= self._housekeeping_pause:
            self._housekeeping = now
            self._keep_house(now)

    @property
    def _housekeeping_pause(self) -> float:
        return DRAINING_SECONDS if self._draining or self._leaving else HOUSEKEEPING_SECONDS

    def _keep_house(self, now: float) -> None:
        for guild in [guild for guild, until in self._leaving.items() if until < now]:
            del self._leaving[guild]
        for script, guild in list(self._owners.items()):
            hurries = self._draining or guild.id in self._leaving
            script.check(now, quiet=DRAINING_SECONDS if hurries else QUIET_SECONDS)
        self._mapper.check(now)
        self._slow_until = {guild: until for guild, until in self._slow_until.items() if until > now}
        booting = self._booting
        if booting is not None and now - booting.since > self._config.boot_seconds + HANGING_SECONDS:
            raise EngineHangs(f"an isolate for guild {booting.guild.id} neither came up nor failed")
        self._tell_over_budget(now)
        if self._closed:
            self._closed = 0
            self._engine.trim()
        for guild in self._guilds.values():
            guild.let_go()
            guild.tell_suppressed()
        for script in [script for script in self._retired if not script.running]:
            self._retired.remove(script)
            script.close()
        stuck = {
            guild
            for script, guild in self._running.items()
            if script.stopping and now - script.stopped_at > STUCK_SECONDS
        }
        if stuck - self._stuck:
            self._stuck = stuck
            self._pong()

    def _tell_over_budget(self, now: float) -> None:
        for guild in list(self._over_budget):
            budget = self._budgets.get(guild)
            minutes = budget.news(now) if budget is not None else None
            if minutes is not None:
                self.send(Kind.OVER_BUDGET, guild, msgspec.json.encode(OverBudget(minutes)))
            if budget is None or not budget.over:
                self._over_budget.discard(guild)

    # ---------------------------------------------------------------- frames

    def _readable(self) -> None:
        try:
            size = self._pipe.recv_into(self._buffer)
        except BlockingIOError:
            return
        if not size:  # the supervisor is gone: nobody wants what we do
            self._stopping = True
            return
        for frame in self._splitter.feed(bytes(self._buffer[:size])):
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        kind, guild_id, body = frame
        if kind is Kind.EVENT:
            guild = self._guilds.get(guild_id)
            if guild is not None and not self._draining:
                guild.add_event(EVENT_NUMBER.unpack_from(body)[0], body[EVENT_NUMBER.size :])
        elif kind is Kind.RESULT:
            guild = self._guilds.get(guild_id)
            if guild is not None:
                guild.add_result(generation_of(int(body[1 : body.index(b",")])), body)
        elif kind is Kind.BROADCAST:
            for guild in self._guilds.values():
                if guild.live is not None:
                    guild.live.add_event(0, body)
        elif kind is Kind.DEPLOY:
            self._deploys.append((guild_id, pipe.decode(body, Deploy)))
        elif kind is Kind.UNLOAD:
            self._unload(guild_id)
        elif kind is Kind.SECRETS:
            self._know_secrets(guild_id, pipe.decode(body, SecretsIn).placeholders)
        elif kind is Kind.PING:
            self._pong()
        elif kind is Kind.HIBERNATE:
            self._hibernate(guild_id, pipe.decode(body, Hibernate))
        elif kind is Kind.CONFIGURE:
            self._configure(pipe.decode(body, Configure))
        elif kind is Kind.DRAIN:
            self._draining = True
            for script in self._owners:
                script.withdraw_events()
        elif kind is Kind.LEAVE:
            self._leaving[guild_id] = time.monotonic() + LEAVING_SECONDS
        elif kind is Kind.SHUTDOWN:
            self._stopping = True

    def _configure(self, config: Configure) -> None:
        self._config = config
        self._generation = config.first_generation
        warnings: list[str] = []
        if config.cores and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, config.cores)
        if not self._engine.parks_fatal_errors:
            warnings.append("V8's fatal errors end the whole worker here")
        if not self._engine.priority.can_demote:
            warnings.append("long turns do not give way to short ones here: that takes CAP_SYS_NICE")
        self._mapper = StackMapper(
            self._engine, boot_seconds=config.boot_seconds, show_internal=config.show_internal_frames
        )
        walls: list[str] = []
        if config.walls:
            standing = put_up()
            walls = standing.walls
            warnings += standing.warnings
        ready = Ready(pid=os.getpid(), engine=self._engine.library.version, warnings=warnings, walls=walls)
        self.send(Kind.READY, "", msgspec.json.encode(ready))

    def _deploy(self, guild_id: str, deploy: Deploy) -> None:
        """Boot an isolate for ``deploy``; ``_booted`` goes on with it."""
        guild = self._guilds.get(guild_id)
        if guild is None:
            guild = self._guilds[guild_id] = Guild(guild_id, self)
            guild.slow_until = self._slow_until.pop(guild_id, 0.0)
            if self._config.cpu_seconds:
                self._budgets[guild_id] = CpuBudget(self._config.cpu_seconds, now=time.monotonic())
        guild.overtake()
        self._slots[guild_id] = deploy.slot
        self._generation += 1
        booting = self._booting = _Booting(guild, deploy, self._generation, time.monotonic())
        program = Program(
            self._prelude,
            configuration(
                guild=guild_id,
                deploy=deploy,
                crypto_seed=secrets.token_hex(32),
                generation=booting.generation,
            ),
        )

        def boot() -> Isolate:
            return Isolate(
                self._engine,
                memory_bytes=deploy.limits.memory_mebibytes << 20,
                boot_seconds=self._config.boot_seconds,
                program=program,
                gives_way=booting.since < guild.slow_until,
            )

        self._booter.start(boot, self._booted)

    def _booted(self, booted: Isolate | BootFailed) -> None:
        booting, self._booting = self._booting, None
        assert booting is not None
        guild, deploy = booting.guild, booting.deploy
        if self._guilds.get(guild.id) is not guild:  # unloaded meanwhile
            if isinstance(booted, Isolate):
                booted.close()
        elif isinstance(booted, BootFailed):
            failed = FailedIn(deploy.revision, Outcome.KILLED, ScriptError(str(booted)))
            self.send(Kind.FAILED, guild.id, msgspec.json.encode(failed))
        else:
            script = Script(
                booted,
                deploy,
                config=self._config,
                generation=booting.generation,
                listener=guild,
                turns=self,
            )
            self._owners[script] = guild
            guild.deploy(script)
            if booting.placeholders is not None:
                guild.know_secrets(booting.placeholders)

    def _unload(self, guild_id: str) -> None:
        self._deploys = deque(waiting for waiting in self._deploys if waiting[0] != guild_id)
        guild = self._guilds.pop(guild_id, None)
        self._budgets.pop(guild_id, None)
        self._leaving.pop(guild_id, None)
        if guild is not None:
            self._slow_until[guild_id] = guild.slow_until
            guild.close()

    def _know_secrets(self, guild_id: str, placeholders: dict[str, str]) -> None:
        """Placeholders of a guild changed: for what runs, and for what waits to be loaded."""
        self._deploys = deque(
            (id_, msgspec.structs.replace(deploy, secrets=placeholders) if id_ == guild_id else deploy)
            for id_, deploy in self._deploys
        )
        guild = self._guilds.get(guild_id)
        if guild is not None:
            guild.know_secrets(placeholders)
            if self._booting is not None and self._booting.guild is guild:
                self._booting.placeholders = placeholders

    def _hibernate(self, guild_id: str, wish: Hibernate) -> None:
        """Give a guild's isolate back; what the supervisor sends meanwhile it sends again."""
        guild = self._guilds.get(guild_id)
        booting = self._booting is not None and self._booting.guild is guild
        if guild is None or booting or any(waiting[0] == guild_id for waiting in self._deploys):
            return
        if guild.asleep_until(time.monotonic() + wish.timers_within):
            self._unload(guild_id)
            self._closed += 1
            self.send(Kind.HIBERNATED, guild_id, b"")

    def _pong(self) -> None:
        pong = Pong(isolates=len(self._owners), busy=len(self._running), stuck=sorted(self._stuck))
        self.send(Kind.PONG, "", msgspec.json.encode(pong))

    def _flush(self) -> None:
        if not self._out:
            return
        data, self._out = b"".join(self._out), []
        try:
            sent = self._pipe.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self._pipe.settimeout(SEND_SECONDS)
            try:
                self._pipe.sendall(data[sent:])
            finally:
                self._pipe.setblocking(False)

    # ---------------------------------------------------------------- Turns

    def on_turn_begun(self, script: Script) -> None:
        self._running[script] = self._owners[script].id
        self._look_at = min(self._look_at, script.turn_deadline)

    def on_turn_over(self, script: Script, cpu_ns: int, now: float) -> None:
        guild = self._running.pop(script)
        self._recorder.end(self._slots[guild])
        budget = self._budgets.get(guild)
        if budget is not None:
            budget.spend(cpu_ns, now)

    def on_output(self, script: Script, *, ops: int, lines: int) -> None:
        guild = self._owners.get(script)
        budget = self._budgets.get(guild.id) if guild is not None else None
        if budget is not None:
            budget.spend(ops * OP_NS + lines * LINE_NS, time.monotonic())

    # ---------------------------------------------------------------- Surroundings

    def send(self, kind: Kind, guild: str, body: bytes) -> None:
        self._out.append(pipe.encode(kind, body, guild=guild))

    def retire(self, script: Script) -> None:
        if self._owners.pop(script, None) is None:
            return  # it is on its way out already: its last turn has not ended
        if script.running:
            script.stop(Outcome.CANCELED)
            self._retired.append(script)
        else:
            script.close()

    def make_ready(self, script: Script) -> None:
        if script not in self._queued:
            self._queued.add(script)
            self._ready.append(script)

    def note_timer(self, script: Script) -> None:
        when = script.next_timer()
        if when is not None and (script.noted_timer is None or when < script.noted_timer):
            script.noted_timer = when
            heapq.heappush(self._timers, (when, next(self._order), script))
            if len(self._timers) > 2 * len(self._owners) + NOTED_TIMERS:
                self._note_timers_anew()

    def _note_timers_anew(self) -> None:
        """Forget the times of scripts that are gone, or wait for something else by now."""
        self._timers.clear()
        for script in self._owners:
            script.noted_timer = script.next_timer()
            if script.noted_timer is not None:
                self._timers.append((script.noted_timer, next(self._order), script))
        heapq.heapify(self._timers)

    def map_stack(self, text: str, source_map: SourceMap, done: Callable[[ScriptError], None]) -> None:
        self._mapper.map(text, source_map, done)
