"""The runtime pod: guilds between the gateway's stream and the workers.

``RuntimePod`` owns all state; everything runs on one event loop, so nothing here needs a lock. It is the
``Port`` of its guilds, the ``Owner`` of its workers and the ``Sink`` of its streams: each of those knows
only the few methods it needs.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from typing import Final

import aiohttp
import msgspec
from msgspec import Raw

from flora_core.errors import BundleTooLarge, FloraError
from flora_core.hashing import worker_of
from flora_core.ids import GuildId, Sha256
from flora_core.process import outlive_no_parent
from flora_core.streams import Token, make_session
from flora_core.telemetry import logger
from flora_core.toolchain.bundle import Bundle
from flora_core.wire import UNREADABLE, pipe
from flora_core.wire.control import (
    Adopted,
    Assignment,
    Exported,
    Failed,
    Forget,
    Forgotten,
    Loaded,
    LogLine,
    Outcome,
    Retire,
    ScriptError,
    Secret,
)
from flora_core.wire.export import ExportedConduct
from flora_core.wire.gateway import Event, OpError, Result, Subscribe
from flora_core.wire.guilds import NOT_RUNNING, CronRan, KvUsage, UsageRow
from flora_core.wire.pipe import (
    CRON_PREFIX,
    Configure,
    CronIn,
    Done,
    FailedIn,
    Frame,
    Kind,
    LoadedIn,
    LogIn,
    OverBudget,
    Recycled,
    Turn,
)
from flora_runtime.fetch import calls as fetch_calls
from flora_runtime.fetch.address import AddressRules, parse_networks
from flora_runtime.fetch.attachments import names_urls
from flora_runtime.fetch.service import FetchService
from flora_runtime.flight import Entry
from flora_runtime.kv import calls as kv_calls
from flora_runtime.kv.service import KvService
from flora_runtime.supervisor import metrics
from flora_runtime.supervisor.asked_runs import AskedRuns
from flora_runtime.supervisor.backlog import Waiting
from flora_runtime.supervisor.backups import Backups
from flora_runtime.supervisor.commands import CommandPushes
from flora_runtime.supervisor.control import BundleMissing, BundleStore, ControlLink
from flora_runtime.supervisor.crons import CronClock, Plan, Run
from flora_runtime.supervisor.exports import Besides
from flora_runtime.supervisor.guild import Guild, Script
from flora_runtime.supervisor.guild_routes import Refused
from flora_runtime.supervisor.handoffs import Handoffs
from flora_runtime.supervisor.hibernation import PRESSURE_IDLE_SECONDS, Bedtime, longest_idle
from flora_runtime.supervisor.link import GatewayLink
from flora_runtime.supervisor.logs import Logs
from flora_runtime.supervisor.readiness import Parts, Readiness, unhealthy
from flora_runtime.supervisor.reporting import Reports
from flora_runtime.supervisor.retirement import Retirement
from flora_runtime.supervisor.secret_link import SecretLayers, SecretLink
from flora_runtime.supervisor.settings import RuntimeSettings
from flora_runtime.supervisor.sleepers import Sleepers
from flora_runtime.supervisor.upstream import Upstream
from flora_runtime.supervisor.usage import Usage
from flora_runtime.supervisor.workers import Worker, WorkerLimits

BUNDLE_RETRY_SECONDS: Final = 1.0
GUILDS_AT_ONCE: Final = 500
"""Guilds looked at in one go, once a second: a fraction of a millisecond."""
COMMANDS_OP: Final = "upsertGuildCommands"
RUN_SECONDS: Final = 60.0
"""How long somebody who asked for a job's run waits for its end, where jobs have no limit of their own."""

QUEUE_SECONDS: Final = 5.0
"""How much longer they wait: the run may have to wait for its turn."""

FLUSH_SECONDS: Final = 1.0
"""For the last log lines, when the pod stops."""

HOST_OP: Final = 0
"""Ids of ops that no promise waits for, those the supervisor makes itself: this one for commands, those below
it for apologies, of whose answers nobody wants to hear."""

_log = logger(__name__)


class RuntimePod:
    """``run`` serves until cancelled; ``retire`` and ``drain`` come before that, for an end without loss."""

    def __init__(self, settings: RuntimeSettings) -> None:
        self._settings = settings
        pod = settings.pod_name
        token = Token(settings.token.get_secret_value(), file=settings.token_file)
        self._guilds: dict[str, Guild] = {}
        self._reports = Reports(settings.control_url, pod, token=token)
        self._logs = Logs(settings.api_url or settings.logs_url, pod, token=token)
        self._secrets = SecretLayers()
        self._secret_link = SecretLink(settings.api_url, pod, settings.data_dir, token=token, sink=self)
        self._bundles = BundleStore(settings.control_url, settings.data_dir / "bundles", token=token)
        self._control = ControlLink(settings.control_url, pod, settings.data_dir, token=token, sink=self)
        self._link = GatewayLink(
            settings.gateway_url,
            pod,
            token=token,
            sink=self,
            make_upstream=lambda writer: Upstream(writer, self._refuse),
        )
        self._workers = [
            Worker(index, self, _configure(settings, index), _limits(settings), share=settings.max_workers)
            for index in range(settings.max_workers)
        ]
        self._commands = CommandPushes(self._push_commands)
        self._draining = False
        self._last_apology = HOST_OP
        self._session: aiohttp.ClientSession | None = None
        self._kv = KvService(settings.data_dir / "kv")
        self._fetches = FetchService(
            AddressRules(parse_networks(settings.fetch_allow), parse_networks(settings.fetch_deny)),
            at_once=settings.fetch_at_once,
            a_minute=settings.fetch_per_minute,
        )
        self.backups = Backups(
            settings.data_dir / "backups",
            self._kv,
            here=lambda guild: guild in self._guilds and not self._handoffs.moving(guild),
        )
        self._crons = CronClock(settings.data_dir / "crons", start=self._start_cron)
        self._handoffs = Handoffs(
            settings.control_url,
            settings.data_dir,
            self,
            self._crons,
            self._kv,
            token=token,
            patience=settings.drain_secs,
        )
        self._asked_runs = AskedRuns()
        self._bedtime = Bedtime[Guild](settings.hibernate_after_secs)
        self._sleepers = Sleepers(settings.data_dir / "asleep")
        self._asleep: set[str] = set()
        self._retirement = Retirement(longest=settings.retire_secs)
        self._readiness = Readiness(self.now())
        self._parked: dict[str, list[Event]] = {}
        """Events of guilds that are about to be here, or here again: the gateway may know it first."""
        self._conducts: dict[str, ExportedConduct] = {}
        """How the scripts of such guilds behaved, here or where they come from."""

    # ---------------------------------------------------------------- life

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            await self._serve()
        finally:
            self._fetches.close()
            await self._kv.close()

    async def _serve(self) -> None:
        await asyncio.to_thread(self._sleepers.recall)
        async with make_session() as self._session, asyncio.TaskGroup() as tasks:
            self._handoffs.start(tasks, self._session)
            for worker in self._workers:
                tasks.create_task(worker.run())
            tasks.create_task(self._control.run(self._session))
            tasks.create_task(self._secret_link.run(self._session))
            tasks.create_task(self._reports.run(self._session))
            tasks.create_task(self._logs.run(self._session))
            tasks.create_task(self._follow_gateway(self._session))
            tasks.create_task(self._measure())
            tasks.create_task(self._kv.run())
            tasks.create_task(self.backups.run())
            tasks.create_task(self._fetches.run())
            tasks.create_task(self._crons.run())
            tasks.create_task(self._sleepers.run())
            tasks.create_task(outlive_no_parent())

    async def _follow_gateway(self, session: aiohttp.ClientSession) -> None:
        # Without assignments every event would be dropped as nobody's.
        await self._control.known.wait()
        await self._link.run(session)

    async def drain(self) -> None:
        """Start nothing new, let what runs finish within its time; events that wait stay un-acknowledged,
        so that the gateway gives them to the next process."""
        self._draining = True
        for worker in self._workers:
            worker.send(Kind.DRAIN)
        deadline = self.now() + self._settings.drain_secs
        while any(guild.open for guild in self._guilds.values()):
            if self.now() > deadline:
                _log.warning("drain_cut_short", open=sum(guild.open for guild in self._guilds.values()))
                break
            await asyncio.sleep(0.02)
        await asyncio.sleep(2 * 0.1)  # the last acknowledgements go with the next tick of the link
        await self._logs.flush(seconds=FLUSH_SECONDS)

    async def retire(self) -> None:
        """Serve on until the operator says that the pod may leave, for as long as is right."""
        if self._settings.retire_secs:
            self._reports.drains(self._retirement.process)
            reason = await self._retirement.wait()
            _log.info("runtime_retired", reason=reason)

    def ready(self) -> str | None:
        """None when events can be served, else what is missing."""
        if self._draining:
            return "draining"
        parts = Parts(
            assignments=self._control.known.is_set(),
            control=self._control.heard,
            gateway=self._link.connected,
            workers_down=[worker.index for worker in self._workers if not worker.ready],
        )
        return self._readiness.missing(
            self.now(), parts, lambda: [guild.id for guild in self._guilds.values() if not guild.settled]
        )

    def healthy(self) -> str | None:
        """None as long as it makes sense to let the pod run, else why it should be restarted."""
        now = self.now()
        return unhealthy([worker.down_seconds(now) for worker in self._workers])

    async def _measure(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            metrics.isolates.set(sum(worker.isolates for worker in self._workers))
            metrics.ops_waiting.set(len(self._link.upstream))
            metrics.hibernated.set(len(self._asleep))
            await self._look_at_guilds()
            for guild in self._bedtime.tick(self.now()):
                self._send_to_sleep(guild, timers_within=self._settings.hibernate_after_secs)

    async def _look_at_guilds(self) -> None:
        pending, now = 0, self.now()
        for count, guild in enumerate(list(self._guilds.values())):
            pending += guild.pending
            guild.look(now)
            if count % GUILDS_AT_ONCE == GUILDS_AT_ONCE - 1:
                await asyncio.sleep(0)  # events come first
        metrics.pending.set(pending)

    def _send_to_sleep(self, guild: Guild, *, timers_within: float) -> None:
        if not self._link.upstream.waits(guild.id):  # else its script may wait for the answer
            guild.hibernate(timers_within)

    # ---------------------------------------------------------------- Desired

    def assign(self, assignment: Assignment) -> None:
        if assignment.leaves:
            plain = msgspec.structs.replace(assignment, leaves="")
            self._handoffs.leave(plain, assignment.leaves)
        elif assignment.adopts:
            plain = msgspec.structs.replace(assignment, adopts="")
            self._handoffs.adopt(plain, assignment.adopts)
        else:
            self._handoffs.stop(assignment.guild)
            self._reports.stays(assignment.guild)
            self._run(assignment)

    def _run(self, assignment: Assignment, *, handoff: str = "") -> None:
        guild = self._guilds.get(assignment.guild)
        if guild is not None:
            if not handoff:
                guild.settle()
            if guild.assignment != assignment:
                guild.assign(assignment)
            return
        worker = self._workers[worker_of(GuildId(assignment.guild), len(self._workers))]
        slot = worker.take_slot()
        if slot is None:
            self.report(
                Failed(
                    assignment.guild,
                    assignment.revision,
                    assignment.bundle,
                    Outcome.KILLED,
                    ScriptError("this pod's worker holds as many guilds as it can; add workers or pods"),
                )
            )
            return
        guild = Guild(assignment, self, worker=worker.index, slot=slot, backlog=self._settings.backlog_limit)
        guild.usage = Usage(time.time())
        self._guilds[assignment.guild] = guild
        guild.handoff, guild.paused = handoff, bool(handoff)
        guild.placeholders = self._fetches.know(GuildId(guild.id), self._secrets.of(guild.id))
        declared = self._sleepers.take(assignment)
        conduct = self._conducts.pop(guild.id, None)
        if conduct is not None:
            guild.answer_for(conduct, wall=time.time())
        if declared is None or conduct is not None:
            guild.start()
        else:
            self._asleep.add(guild.id)
            guild.remember(declared)
        for event in self._parked.pop(guild.id, []):
            self._give(guild, event)

    def know_secrets(self, guild: str, secrets: list[Secret]) -> None:
        self._secrets.from_operator(guild, secrets)
        self._apply_secrets(guild)

    def know_api_secrets(self, guild: str, secrets: list[Secret]) -> None:
        self._secrets.from_api(guild, secrets)
        self._apply_secrets(guild)

    def has_guild(self, guild: str) -> bool:
        return guild in self._guilds or self._handoffs.moving(guild)

    def _apply_secrets(self, guild: str) -> None:
        placeholders = self._fetches.know(GuildId(guild), self._secrets.of(guild))
        found = self._guilds.get(guild)
        if found is not None:
            found.know_secrets(placeholders)

    def release(self, guild: str) -> None:
        self._handoffs.stop(guild)
        self._fetches.forget(GuildId(guild))
        self._conducts.pop(guild, None)
        self._secrets.release(guild)
        self._secret_link.release(guild)
        for event in self._parked.pop(guild, []):
            self._drop_unknown(event)
        if self._unload(guild) is not None:
            self._crons.forget(GuildId(guild))

    def _unload(self, guild: str) -> Guild | None:
        found = self._guilds.pop(guild, None)
        if found is None:
            return None
        found.unload()
        self._workers[found.worker].forget(guild, found.slot)
        self._link.upstream.forget(guild)
        self._reports.forget(guild)
        self._commands.forget(guild)
        self._asleep.discard(guild)
        self._sleepers.woke(guild)
        return found

    def replace_all(self, assignments: list[Assignment]) -> None:
        wanted = {assignment.guild for assignment in assignments}
        for guild in {*self._guilds, *self._handoffs.guilds} - wanted:
            self.release(guild)
        for assignment in assignments:
            known = self._guilds.get(assignment.guild)
            moving = self._handoffs.moving(assignment.guild)
            if known is None or known.assignment != assignment or moving:
                self.assign(assignment)

    def on_retire(self, retire: Retire) -> None:
        self._retirement.answer(retire)

    def forget(self, forget: Forget) -> None:
        self._handoffs.forget(forget)

    # ---------------------------------------------------------------- Handoffs' host

    def parked(self, guild: str) -> bool:
        return guild in self._parked

    def occupied(self, guild: str) -> bool:
        found = self._guilds.get(guild)
        return found is not None and (found.pending > 0 or self._link.upstream.waits(guild))

    def pause(self, guild: str) -> None:
        found = self._guilds.get(guild)
        if found is not None:
            found.paused = True
            self.to_worker(found, Kind.LEAVE, b"")
        self._crons.pause(GuildId(guild))

    def let_go(self, guild: str) -> Besides:
        found = self._unload(guild)
        conduct = found.conduct(wall=time.time()) if found is not None else self._conducts.get(guild)
        if conduct is not None:
            self._conducts[guild] = conduct  # for when it comes back
        return Besides(seen=self._link.seen.of(guild), conduct=conduct)

    def load(self, assignment: Assignment, *, handoff: str, besides: Besides) -> None:
        self._link.seen.know(assignment.guild, besides.seen)
        if besides.conduct is not None:
            self._conducts[assignment.guild] = besides.conduct
        self._run(assignment, handoff=handoff)

    def erase(self, guild: str) -> None:
        self._conducts.pop(guild, None)
        self._crons.forget(GuildId(guild))
        self._sleepers.woke(guild)
        self.backups.forget(GuildId(guild))

    # ---------------------------------------------------------------- Sink

    def on_event(self, event: Event) -> None:
        metrics.events[event.type].inc()
        if not event.guild:
            body = _body(event)
            for guild in self._guilds.values():
                guild.add_broadcast(body)
            self.safe(event.offset)
            return
        guild = self._guilds.get(event.guild)
        if guild is not None:
            self._give(guild, event)
        elif self._handoffs.moving(event.guild) and self._has_room_for(event.guild):
            self._parked.setdefault(event.guild, []).append(event)
        else:
            self._drop_unknown(event)

    def _has_room_for(self, guild: str) -> bool:
        return len(self._parked.get(guild, ())) < self._settings.backlog_limit

    def _drop_unknown(self, event: Event) -> None:
        metrics.dropped[event.type, "unknown_guild"].inc()
        self.safe(event.offset)

    def _give(self, guild: Guild, event: Event) -> None:
        guild.add_event(event.type, event.offset, _body(event))

    def on_result(self, result: Result) -> None:
        if result.op == HOST_OP:
            self._host_result(result)
        elif self._link.upstream.answered(result.guild, result.op) and result.op > HOST_OP:
            self._give_result(result.guild, result.op, ok=result.ok, value=bytes(result.value))

    def _give_result(self, guild_id: str, op: int, *, ok: bool, value: bytes) -> None:
        guild = self._guilds.get(guild_id)
        if not ok:
            error = _read_error(value)
            if error.suspended and guild is not None:
                guild.usage.suspended_until = time.time() + error.suspended
            if error.notice and guild is not None:
                guild.log("error", error.notice, source="runtime")
            value = msgspec.json.encode(msgspec.structs.replace(error, notice="", suspended=0.0))
            metrics.ops_failed.labels(error.code).inc()
        if guild is not None:
            guild.add_result(op, ok, value)

    def _host_result(self, result: Result) -> None:
        if self._link.upstream.answered(result.guild, HOST_OP):
            self._pushed(result.guild, None if result.ok else _read_error(bytes(result.value)))

    def _refuse(self, guild: str, op: int, error: OpError) -> None:
        if op == HOST_OP:
            self._pushed(guild, error)
        elif op > HOST_OP:
            self._give_result(guild, op, ok=False, value=msgspec.json.encode(error))

    # ---------------------------------------------------------------- Port

    def now(self) -> float:
        return time.monotonic()

    def to_worker(self, guild: Guild, kind: Kind, body: bytes) -> None:
        self._workers[guild.worker].send(kind, body, guild=guild.id)

    def want_deploy(self, guild: Guild, *, urgent: bool) -> None:
        self._workers[guild.worker].want_deploy(guild.id, urgent=urgent)

    def woke(self, guild: Guild) -> None:
        self._asleep.discard(guild.id)
        self._sleepers.woke(guild.id)
        self._bedtime.woke(guild)

    def slept(self, guild: Guild) -> None:
        metrics.hibernations.inc()
        self._asleep.add(guild.id)
        if guild.loaded is not None and guild.declared is not None:
            self._sleepers.slept(guild.id, guild.loaded.bundle, guild.declared)

    def safe(self, offset: int) -> None:
        self._link.acks.safe(offset)

    def dropped(self, guild: Guild, reason: str, events: list[Waiting]) -> None:
        if self._asked_runs:
            self._asked_runs.dropped(guild.id, events)
        for event in events:
            metrics.dropped[event.type, reason].inc()
            self.safe(event.offset)

    def call(self, guild: Guild, id_: int, name: str, args: Raw) -> None:
        metrics.ops.inc()
        if name in kv_calls.NAMES:
            self._kv.call(GuildId(guild.id), name, args, self._answer_to(guild.id, id_))
        elif name in fetch_calls.NAMES:
            guild.usage.fetches += 1
            self._fetches.call(GuildId(guild.id), id_, name, args, self._answer_to(guild.id, id_))
        elif names_urls(args):
            guild.usage.discord_calls += 1
            self._fetches.fill(GuildId(guild.id), id_, args, self._send_filled(guild.id, id_, name))
        else:
            guild.usage.discord_calls += 1
            self._link.upstream.call(guild.id, id_, name, args, now=self.now())

    def calls_waiting(self, guild: Guild) -> int:
        return self._link.upstream.waiting_of(guild.id)

    def _send_filled(self, guild: str, id_: int, name: str) -> Callable[[bool, bytes], None]:
        def send(ok: bool, value: bytes) -> None:
            if not ok:
                self._give_result(guild, id_, ok=False, value=value)
            elif guild in self._guilds:
                self._link.upstream.call(guild, id_, name, Raw(value), now=self.now())

        return send

    def apologise(self, guild: Guild, name: str, args: Raw) -> None:
        metrics.apologies.inc()
        self._last_apology -= 1
        self._link.upstream.call(guild.id, self._last_apology, name, args, now=self.now())

    def _answer_to(self, guild: str, op: int) -> Callable[[bool, bytes], None]:
        return lambda ok, value: self._give_result(guild, op, ok=ok, value=value)

    def subscribe(self, guild: Guild, events: list[str], *, own: bool) -> None:
        self._link.upstream.subscribe(Subscribe(guild.id, events, own=own))

    def commands(self, guild: Guild, commands: Raw) -> None:
        """Push the slash commands after a load."""
        self._commands.want(guild.id, bytes(commands))

    def _push_commands(self, guild: str, commands: bytes) -> None:
        args = Raw(b'{"body":%b}' % commands)
        self._link.upstream.call(guild, HOST_OP, COMMANDS_OP, args, now=self.now())

    def _pushed(self, guild: str, error: OpError | None) -> None:
        failed = self._commands.pushed(guild, ok=error is None)
        found = self._guilds.get(guild)
        if failed and error is not None and found is not None:
            found.log("error", f"slash commands were not registered: {error.message}", source="runtime")

    def crons(self, guild: Guild, jobs: list[CronIn]) -> None:
        """Take the jobs of a script that was loaded, in place of those of the one before."""
        for problem in self._crons.declare(GuildId(guild.id), jobs):
            guild.log("error", problem, source="runtime")

    def _start_cron(self, run: Run) -> bool:
        guild = self._guilds.get(run.guild)
        if guild is None or self._draining or (run.skip and guild.holds(run.type)):
            return False
        guild.add_event(run.type, 0, run.body())
        return True

    # ---------------------------------------------------------------- GuildRoutes

    def holds(self, guild: GuildId) -> bool:
        return guild in self._guilds

    def moving(self, guild: GuildId) -> bool:
        return self._handoffs.moving(guild)

    def kv_call(self, guild: GuildId, name: str, args: bytes, answer: Callable[[bool, bytes], None]) -> None:
        self._kv.call(guild, name, args, answer)

    def cron_plans(self, guild: GuildId) -> Mapping[str, Plan]:
        return self._crons.plans(guild)

    def usage(self, guild: GuildId, kv: KvUsage | None) -> UsageRow:
        found = self._guilds[guild]
        reason = found.quarantine_reason
        return found.usage.row(
            kv=kv, awake=found.awake, quarantined=bool(reason), quarantine_reason=reason, now=time.time()
        )

    async def run_cron(self, guild: GuildId, name: str) -> CronRan:
        found = self._guilds.get(guild)
        run = Run(guild, name, time.time() // 1, skip=False)
        before = found.newest(run.type) if found is not None else None
        if found is None or not self._start_cron(run):
            raise Refused(NOT_RUNNING, "this pod stops, or no longer has the guild")
        event = found.newest(run.type)
        if event is None or event is before:
            raise Refused(NOT_RUNNING, "the script does not run: it did not load, or is quarantined")
        limit = self._settings.cron_timeout_secs or RUN_SECONDS
        done = await self._asked_runs.wait(guild, event, seconds=limit + QUEUE_SECONDS)
        return CronRan(name, done.outcome, done.milliseconds, self._logs.written)

    def report(self, report: Loaded | Failed | Exported | Adopted | Forgotten) -> None:
        if isinstance(report, Loaded):
            metrics.loads.labels(Outcome.OK).inc()
            metrics.load_seconds.observe(report.milliseconds / 1000)
        elif isinstance(report, Failed):
            metrics.loads.labels(report.outcome).inc()
        self._reports.report(report)

    def log(self, line: LogLine) -> None:
        self._logs.log(line)

    def settled(self, guild: Guild, type_: str, done: Done) -> None:
        guild.usage.outcomes[done.outcome] += 1
        asked_for = self._asked_runs.settled(guild.id, done)
        is_job = type_.startswith(CRON_PREFIX)
        metrics.dispatched["cron" if is_job else type_, done.outcome].inc()
        if is_job and not asked_for:  # who asked tells how it ended
            guild.job_ended(type_.removeprefix(CRON_PREFIX), done)
        if done.outcome is Outcome.OK:
            metrics.dispatch_seconds.observe(done.milliseconds / 1000)
            return
        metrics.dispatch_errors.inc()
        if done.outcome in (Outcome.KILLED, Outcome.CANCELED):
            metrics.lost.labels(done.outcome).inc()

    # ---------------------------------------------------------------- Owner

    def on_frame(self, worker: int, frame: Frame) -> None:
        guild = self._guilds.get(frame.guild)
        if guild is None or guild.worker != worker:
            return  # released meanwhile
        if frame.kind is Kind.TURN:
            guild.on_turn(pipe.decode(frame.body, Turn))
        elif frame.kind is Kind.LOG:
            guild.on_log(pipe.decode(frame.body, LogIn))
        elif frame.kind is Kind.LOADED:
            guild.on_loaded(pipe.decode(frame.body, LoadedIn))
        elif frame.kind is Kind.FAILED:
            guild.on_failed(pipe.decode(frame.body, FailedIn))
        elif frame.kind is Kind.RECYCLED:
            recycled = pipe.decode(frame.body, Recycled)
            metrics.isolate_restarts.inc()
            self._fetches.cancel(GuildId(guild.id))
            if recycled.outcome is Outcome.EXCEEDED_MEMORY:
                metrics.oom_errors.inc()
            elif recycled.outcome is Outcome.EXCEEDED_CPU:
                metrics.timeout_errors.inc()
            guild.on_recycled(recycled)
        elif frame.kind is Kind.HIBERNATED:
            guild.on_hibernated()
        elif frame.kind is Kind.OVER_BUDGET:
            over = pipe.decode(frame.body, OverBudget)
            guild.on_over_budget(over, seconds=self._settings.cpu_secs_per_minute)

    def on_worker_gone(self, worker: int, read: Callable[[int], Entry]) -> None:
        for guild in self._guilds.values():
            if guild.worker == worker:
                self._fetches.cancel(GuildId(guild.id))
                guild.on_worker_gone(read(guild.slot).started)

    def on_stuck(self, worker: int, guilds: list[str]) -> None:
        for name in guilds:
            guild = self._guilds.get(name)
            if guild is not None and guild.worker == worker:
                guild.on_stuck()

    def on_pressure(self, worker: int, isolates: int) -> None:
        here = (guild for guild in self._guilds.values() if guild.worker == worker)
        for guild in longest_idle(here, isolates, now=self.now()):
            self._send_to_sleep(guild, timers_within=PRESSURE_IDLE_SECONDS)

    def busy(self, worker: int, *, besides: list[str]) -> bool:
        return any(
            guild.open
            for guild in self._guilds.values()
            if guild.worker == worker and guild.id not in besides
        )

    async def deploy(self, worker: int, guild: str) -> bool:
        found = self._guilds.get(guild)
        if found is None or found.worker != worker or self._session is None:
            return False
        await self._secret_link.heard_of(guild)  # the script may ask for one while it loads
        if self._guilds.get(guild) is not found:
            return False
        target = found.target
        try:
            data = await self._bundles.get(self._session, Sha256(target.bundle))
            if self._guilds.get(guild) is not found:
                return False  # released meanwhile
            if found.target != target:
                found.want_deploy()  # assigned anew meanwhile
                return False
            bundle = Bundle.from_bytes(data)
            size = len(bundle.code.encode())
            if size > self._settings.max_script_bytes:
                raise BundleTooLarge(size, limit=self._settings.max_script_bytes)
        except BundleMissing as error:
            _log.warning("bundle_missing", guild_id=guild, error=str(error))
            asyncio.get_running_loop().call_later(BUNDLE_RETRY_SECONDS, found.want_deploy)
            return False
        except FloraError as error:
            found.cannot_deploy(Outcome.EXCEPTION, ScriptError(str(error)))
            return False
        found.deploying(Script(bundle.code, bundle.source_map, self._link.bot))
        return True


def _body(event: Event) -> bytes:
    return b'{"t":"%b","d":%b}' % (event.type.encode(), bytes(event.data))


def _read_error(value: bytes) -> OpError:
    try:
        return msgspec.json.decode(value, type=OpError)
    except UNREADABLE as error:
        metrics.bad_frames.labels("gateway", "malformed").inc()
        return OpError("DISCORD_HTTP_ERROR", f"the gateway's answer cannot be read: {error}")


def _configure(settings: RuntimeSettings, index: int) -> Configure:
    return Configure(
        index=index,
        cores=_core(index) if settings.pin_workers else [],
        boot_seconds=settings.boot_timeout_secs,
        load_seconds=settings.load_timeout_secs,
        handler_seconds=settings.dispatch_timeout_secs,
        wall_seconds=settings.dispatch_wall_timeout_secs,
        cron_seconds=settings.cron_timeout_secs,
        show_internal_frames=settings.show_internal_stack_frames,
        cpu_seconds=settings.cpu_secs_per_minute,
        walls=settings.walls == "full",
    )


def _core(index: int) -> list[int]:
    if not hasattr(os, "sched_getaffinity"):
        return []
    cores = sorted(os.sched_getaffinity(0))
    return [cores[index % len(cores)]] if len(cores) > 1 else []


def _limits(settings: RuntimeSettings) -> WorkerLimits:
    return WorkerLimits(
        silence_seconds=settings.worker_silence_secs,
        rss_bytes=settings.worker_rss_mib << 20,
        soft_rss_bytes=settings.worker_soft_rss_mib << 20,
    )
