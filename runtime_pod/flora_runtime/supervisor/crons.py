"""Which job of which guild is due (``Crons``, pure), where that is kept, and the clock that looks.

A job's next run is planned when it is first seen, and then always from the moment the last one was due: what
was missed meanwhile (the pod was away, the loop was late) is made up for by one run, which still says when it
was planned. A clock that was set back by more than a moment has all runs planned anew: else a job would wait
for the time that it had already reached. The plan is kept on the pod's volume, so that a restart neither
forgets a run nor repeats one.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from croniter import croniter
from croniter.croniter import CroniterError
from msgspec import Struct

from flora_core.files import CannotRead, read_kept, write_whole
from flora_core.ids import GuildId
from flora_core.telemetry import logger
from flora_core.wire.pipe import CRON_PREFIX, CronIn
from flora_runtime.supervisor import metrics

TICK_SECONDS: Final = 1.0
JOBS_MOST: Final = 32
NAME_MOST: Final = 64
EXPRESSION_MOST: Final = 200
SET_BACK_SECONDS: Final = 60.0
"""A clock that goes back by less repeats no run; one that goes back by more was wrong before."""

_log = logger(__name__)


class Plan(Struct):
    """One job, and when it runs; Unix seconds."""

    expression: str
    next: float
    last: float = 0.0
    """When the last run was due; 0 before the first."""
    skip: bool = False


class Run(NamedTuple):
    """A job that is due."""

    guild: GuildId
    name: str
    planned: float
    skip: bool

    @property
    def type(self) -> str:
        """The event's."""
        return CRON_PREFIX + self.name

    def body(self) -> bytes:
        """The event as an isolate gets it."""
        at = datetime.fromtimestamp(self.planned, UTC).isoformat().replace("+00:00", "Z")
        return msgspec.json.encode({"t": self.type, "d": {"name": self.name, "scheduledAt": at}})


class NoSuchTime(Exception):
    """An expression that means no time to come, or nothing at all."""


def next_time(expression: str, after: float) -> float:
    """The first time behind ``after`` that ``expression`` means, in UTC; raises NoSuchTime."""
    try:
        return croniter(expression, after, second_at_beginning=True).get_next(float)
    except (CroniterError, ValueError, KeyError, IndexError, OverflowError) as error:
        raise NoSuchTime(str(error)) from None


class Crons:
    """All jobs of a pod."""

    def __init__(self) -> None:
        self._plans: dict[GuildId, dict[str, Plan]] = {}
        self._due: list[tuple[float, GuildId, str]] = []

    def __len__(self) -> int:
        return sum(map(len, self._plans.values()))

    def plans(self, guild: GuildId) -> dict[str, Plan]:
        """The jobs of a guild by name."""
        return self._plans.get(guild, {})

    def declare(
        self, guild: GuildId, jobs: Iterable[CronIn], now: float, *, kept: dict[str, Plan] | None = None
    ) -> list[str]:
        """Replace a guild's jobs by what its script declared; what is wrong with some of them.

        A job that was there before, here or in ``kept`` from an earlier process, goes on as planned.
        """
        known = {**(kept or {}), **self._plans.get(guild, {})}
        plans: dict[str, Plan] = {}
        problems: list[str] = []
        for job in jobs:
            if len(plans) == JOBS_MOST or len(job.name) > NAME_MOST or len(job.expression) > EXPRESSION_MOST:
                problems.append(f"cron {job.name[:NAME_MOST]!r} is over the limits and does not run")
                continue
            before = known.get(job.name)
            try:
                if before is not None and before.expression == job.expression and not _astray(before, now):
                    plan = Plan(job.expression, before.next, before.last, job.skip)
                else:
                    plan = Plan(job.expression, next_time(job.expression, now), skip=job.skip)
            except NoSuchTime as error:
                problems.append(f"cron {job.name!r} ({job.expression}) has no future occurrences: {error}")
                continue
            plans[job.name] = plan
            heapq.heappush(self._due, (plan.next, guild, job.name))
        if plans:
            self._plans[guild] = plans
        else:
            self._plans.pop(guild, None)
        return problems

    def forget(self, guild: GuildId) -> None:
        """The guild is no longer this pod's."""
        self._plans.pop(guild, None)

    def plan_anew(self, now: float) -> set[GuildId]:
        """The clock was set back to ``now``; the guilds whose plans have changed."""
        self._due.clear()
        changed: set[GuildId] = set()
        for guild, plans in self._plans.items():
            for name, plan in plans.items():
                with contextlib.suppress(NoSuchTime):
                    planned = next_time(plan.expression, now)
                    if planned < plan.next:
                        plan.next, plan.last = planned, min(plan.last, now)
                        changed.add(guild)
                self._due.append((plan.next, guild, name))
        heapq.heapify(self._due)
        return changed

    def due(self, now: float) -> list[Run]:
        """The jobs whose time has come, each planned anew; a job that was missed several times comes once."""
        runs: list[Run] = []
        while self._due and self._due[0][0] <= now:
            at, guild, name = heapq.heappop(self._due)
            plan = self._plans.get(guild, {}).get(name)
            if plan is None or plan.next != at:
                continue  # replaced or forgotten since
            runs.append(Run(guild, name, at, plan.skip))
            plan.last = at
            try:
                plan.next = next_time(plan.expression, now)
            except NoSuchTime:
                del self._plans[guild][name]
                continue
            heapq.heappush(self._due, (plan.next, guild, name))
        return runs


def _astray(plan: Plan, now: float) -> bool:
    """Whether ``plan`` was made by a clock that was far ahead of the one that says ``now``."""
    return plan.last > now + SET_BACK_SECONDS


class CronFolder:
    """One small file a guild; methods block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def guilds(self) -> set[GuildId]:
        """Those that have a file."""
        return {GuildId(file.stem) for file in self._folder.glob("*.json")}

    def load(self, guild: GuildId) -> dict[str, Plan]:
        """What was kept for ``guild``; nothing when there is no file, or one that cannot be read."""
        try:
            return read_kept(self._file(guild), dict[str, Plan]) or {}
        except CannotRead as error:
            _log.warning("cron_plan_unreadable", guild_id=guild, error=str(error))
            return {}

    def save(self, guild: GuildId, plans: dict[str, Plan]) -> None:
        """Keep ``plans``; whole or not at all."""
        file = self._file(guild)
        try:
            if not plans:
                file.unlink(missing_ok=True)
                return
            write_whole(file, msgspec.json.encode(plans))
        except OSError as error:
            _log.warning("cron_plan_not_kept", guild_id=guild, error=str(error))

    def _file(self, guild: GuildId) -> Path:
        return self._folder / f"{guild}.json"


class CronClock:
    """Ticks once a second and starts what is due. Belongs to the loop it runs in."""

    def __init__(
        self, folder: Path, *, start: Callable[[Run], bool], clock: Callable[[], float] = time.time
    ) -> None:
        """``start`` begins a run; False when it was left out."""
        self._folder = CronFolder(folder)
        self._crons = Crons()
        self._start = start
        self._clock = clock
        self._unkept: set[GuildId] = set()
        self._left = self._folder.guilds()
        self._last_tick = clock()

    def declare(self, guild: GuildId, jobs: Iterable[CronIn]) -> list[str]:
        """A script was loaded and says its jobs; what is wrong with some of them."""
        before = self._crons.plans(guild)
        if guild in self._left:  # by an earlier process, and not looked at yet
            self._left.discard(guild)
            before = self._folder.load(guild)
        problems = self._crons.declare(guild, jobs, self._clock(), kept=before)
        if self._crons.plans(guild) != before:
            self._unkept.add(guild)
        return problems

    def plans(self, guild: GuildId) -> dict[str, Plan]:
        """The jobs of a guild by name."""
        return self._crons.plans(guild)

    def forget(self, guild: GuildId) -> None:
        """The guild is no longer this pod's."""
        self._crons.forget(guild)
        self._left.discard(guild)
        self._unkept.add(guild)

    def pause(self, guild: GuildId) -> None:
        """Run none of a guild's jobs until it declares them again; they go on as planned then."""
        plans = self._crons.plans(guild)
        if plans:
            self._folder.save(guild, plans)
            self._left.add(guild)
        self._unkept.discard(guild)
        self._crons.forget(guild)

    def kept(self, guild: GuildId) -> dict[str, Plan]:
        """The plans of a guild that is paused. Blocks."""
        return self._folder.load(guild)

    def keep(self, guild: GuildId, plans: dict[str, Plan]) -> None:
        """Have these plans for a guild that declares its jobs later. Blocks."""
        self._folder.save(guild, plans)
        self._left.add(guild)

    async def run(self) -> None:
        """Tick until cancelled; what is planned then is kept."""
        try:
            while True:
                await asyncio.sleep(TICK_SECONDS)
                self._tick()
                await self._keep()
        finally:
            for guild in self._unkept:
                self._folder.save(guild, self._crons.plans(guild))

    def _tick(self) -> None:
        metrics.cron_jobs.set(len(self._crons))
        now = self._clock()
        if now < self._last_tick - SET_BACK_SECONDS:
            _log.warning("clock_set_back", seconds=round(self._last_tick - now))
            self._unkept |= self._crons.plan_anew(now)
        self._last_tick = now
        for run in self._crons.due(now):
            started = self._start(run)
            metrics.cron_runs["started" if started else "skipped"].inc()
            self._unkept.add(run.guild)

    async def _keep(self) -> None:
        while self._unkept:
            guild = self._unkept.pop()
            plans = {name: msgspec.structs.replace(plan) for name, plan in self._crons.plans(guild).items()}
            await asyncio.to_thread(self._folder.save, guild, plans)
