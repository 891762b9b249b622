"""Routes for a guild's jobs by the clock, and for what it uses."""

from __future__ import annotations

from typing import Final

import msgspec
from fastapi import APIRouter

from flora_api.answers import of_a_guild
from flora_api.guilds.journal import Journal
from flora_api.guilds.models import Cron, GuildUsage, JobRan, KvSize, RunJob, rfc3339
from flora_api.guilds.pods import Pods
from flora_api.logs.notes import Note
from flora_api.principal import GuildAccess, MayDeploy, MayRead
from flora_core.ids import GuildId
from flora_core.wire.control import LogLine, Outcome
from flora_core.wire.guilds import CronJob, CronRan, RunCron, UsageRow

RUN_SECONDS: Final = 70.0
"""Longer than a pod waits for a run's end."""


def job_router(pods: Pods, journal: Journal, note: Note | None = None) -> APIRouter:
    """``/crons`` and ``/usage``; ``note`` writes into guilds' logs who had a job run."""
    router = APIRouter(tags=["jobs"])

    @router.get("/crons/{guild_id}", response_model=list[Cron], responses=of_a_guild())
    async def list_crons(access: MayRead) -> list[Cron]:
        """The jobs that the running script has."""
        jobs = await pods.ask_for(access.guild, list[CronJob], "GET", "/crons", repeatable=True)
        return [
            Cron(
                name=job.name,
                expression=job.expression,
                next=job.next,
                last=job.last,
                skip_if_running=job.skip,
            )
            for job in jobs
        ]

    @router.post("/crons/{guild_id}/run", response_model=JobRan, responses=of_a_guild(409))
    async def run_cron(access: MayDeploy, body: RunJob) -> JobRan:
        """Run a job now, by the way it would come by itself, and wait for its end."""
        asked = msgspec.json.encode(RunCron(body.name))
        ran = await pods.ask_for(access.guild, CronRan, "POST", "/crons/run", body=asked, seconds=RUN_SECONDS)
        await journal.record(access, "cron.run", name=body.name, outcome=str(ran.outcome))
        if note is not None:
            note(run_note(access, ran))
        return JobRan(name=ran.name, outcome=ran.outcome, milliseconds=ran.milliseconds)

    @router.get("/usage/{guild_id}", response_model=GuildUsage, responses=of_a_guild())
    async def usage(access: MayRead) -> GuildUsage:
        """What the guild has used since its pod has it."""
        row = await pods.ask_for(access.guild, UsageRow, "GET", "/usage", repeatable=True)
        return told(access.guild, row)

    return router


def run_note(access: GuildAccess, ran: CronRan) -> LogLine:
    """A line for the guild's log."""
    who = access.principal.shown
    return LogLine(
        access.guild,
        0,
        "info" if ran.outcome is Outcome.OK else "error",
        f"{who} had the job {ran.name} run: {ran.outcome} after {ran.milliseconds:,.0f} ms",
        source="runtime",
        outcome=ran.outcome,
        event=f"cron {ran.name}",
    )


def told(guild: GuildId, row: UsageRow) -> GuildUsage:
    """A pod's row as the API tells it."""
    kv = row.kv
    return GuildUsage(
        guild_id=guild,
        since=rfc3339(row.since),
        events=row.events,
        outcomes=row.outcomes,
        cpu_milliseconds=row.cpu_milliseconds,
        discord_calls=row.discord_calls,
        fetches=row.fetches,
        log_lines=row.log_lines,
        kv=KvSize(keys=kv.keys, bytes=kv.bytes, limit_bytes=kv.limit_bytes) if kv is not None else None,
        awake=row.awake,
        quarantined=row.quarantined,
        quarantine_reason=row.quarantine_reason or None,
        suspended_calls_until=rfc3339(row.suspended_until) if row.suspended_until else None,
    )
