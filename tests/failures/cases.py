"""What dies, and how. Every function is a case: it lets something happen and returns the tally."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec
import psutil

from flora_core.wire.control import Loaded
from flora_simulator.wire import Fault
from tests.failures.counting import ECHO, PATIENCE, Tally, talking
from tests.integration.fleet.fleet import Fleet
from tests.integration.redis_server import RedisServer

Case = Callable[[Path], Awaitable[Tally]]
CONTROL_AWAY_SECONDS: Final = 6.0
"""Longer than a heartbeat of the control stream (5 s). Nothing in gateway or pod counts the time that the
control plane is away, so a minute is no different."""

SEND: Final = {"method": "POST", "path": "/channels/*/messages"}
MOMENT: Final = 0.3


async def worker_killed(folder: Path) -> Tally:
    async with talking("worker, kill -9", folder) as talk:
        await talk.go_on()
        await asyncio.sleep(MOMENT)
        talk.death()
        for worker in workers(talk.fleet):
            worker.kill()
        await talk.answered_since()
        return await talk.count()


async def supervisor_killed(folder: Path) -> Tally:
    async with talking("supervisor, kill -9", folder) as talk:
        talk.tally.may_repeat = True
        await talk.go_on()
        await asyncio.sleep(MOMENT)
        talk.death()
        talk.fleet.kill(talk.fleet.runtime)
        await talk.fleet.start_runtime()
        await talk.answered_since()
        return await talk.count()


async def gateway_killed(folder: Path) -> Tally:
    async with talking("gateway, kill -9", folder) as talk:
        await talk.go_on()
        await asyncio.sleep(MOMENT)
        talk.death()
        talk.fleet.kill(talk.fleet.gateway)
        await talk.fleet.start_gateway()
        await talk.answered_since()
        tally = await talk.count()
        tally.note = await sessions(talk.fleet)
        return tally


async def all_killed(folder: Path) -> Tally:
    async with talking("gateway and supervisor at once, kill -9", folder) as talk:
        talk.tally.may_repeat = True
        await talk.go_on()
        await asyncio.sleep(MOMENT)
        talk.death()
        talk.fleet.kill(talk.fleet.gateway)
        talk.fleet.kill(talk.fleet.runtime)
        await talk.fleet.start_gateway()
        await talk.fleet.start_runtime()
        await talk.answered_since()
        return await talk.count()


async def control_gone(folder: Path) -> Tally:
    """The control plane is away and comes back with a new script, which then runs."""
    async with talking("control plane, away", folder) as talk:
        await talk.go_on()
        talk.death()
        await talk.fleet.stop_control()
        await talk.answered_since()
        await asyncio.sleep(CONTROL_AWAY_SECONDS)
        revision = talk.fleet.operator.deploy("100000000000000001", f"{ECHO} // revision two")
        await talk.fleet.start_control()
        reports = talk.fleet.operator.reports
        await talk.fleet.wait(
            lambda: any(isinstance(report, Loaded) and report.revision == revision for report in reports)
        )
        tally = await talk.count()
        tally.note = f"away for {CONTROL_AWAY_SECONDS:g} s; what was deployed meanwhile ran right after"
        return tally


async def redis_gone(folder: Path) -> Tally:
    """Redis dies, then the gateway; the next gateway resumes from its file, and Redis gets the session back."""
    redis = RedisServer(folder)
    redis.start()
    try:
        async with talking(
            "Redis, and then the gateway, kill -9", folder, GATEWAY_REDIS_URL=redis.url
        ) as talk:
            await talk.go_on()
            await asyncio.sleep(2 * MOMENT)
            talk.death()
            redis.kill()
            await asyncio.sleep(2 * MOMENT)
            talk.fleet.kill(talk.fleet.gateway)
            await talk.fleet.start_gateway()
            await talk.answered_since()
            redis.start()
            await talk.say(20)
            tally = await talk.count()
            tally.note = await sessions(talk.fleet)
            return tally
    finally:
        redis.kill()


async def redis_back_empty(folder: Path) -> Tally:
    """A gateway that finds nothing in Redis, and nothing on its own disk: Redis alone carries the session."""
    redis = RedisServer(folder)
    redis.start()
    try:
        async with talking("gateway's pod and its disk", folder, GATEWAY_REDIS_URL=redis.url) as talk:
            await talk.go_on()
            await asyncio.sleep(2 * MOMENT)
            talk.death()
            talk.fleet.kill(talk.fleet.gateway)
            for file in (folder / "gateway").glob("session-*.json"):
                file.unlink()
            await talk.fleet.start_gateway()
            await talk.answered_since()
            tally = await talk.count()
            tally.note = f"{await sessions(talk.fleet)}, from Redis"
            return tally
    finally:
        redis.kill()


STORING: Final = """
const s = kv.store("s");
on("messageCreate", async (ctx) => {
  const { content } = ctx.msg;
  let note = "";
  if (content.startsWith("w")) {
    note = await s.set("k" + content, "x".repeat(100_000)).then(() => " written", (error) => " " + error.code);
  } else {
    note = " read " + (await s.get("before"));
  }
  await ctx.reply("re: " + content + note);
});
await s.set("before", "it");
"""


FULL_BYTES: Final = 1 << 16
"""What a file may hold when the disk is full: the pod's own log, no write of a value."""


async def disk_full(folder: Path) -> Tally:
    """Files cannot grow any more, which to the pod is a full disk: KV refuses writes, reads go on."""
    async with talking("disk, full", folder) as talk:
        fleet = talk.fleet
        await fleet.deploy(STORING)
        assert fleet.runtime is not None
        hard = resource.prlimit(fleet.runtime.pid, resource.RLIMIT_FSIZE)[1]
        wanted: dict[str, set[str]] = {}

        async def say(kind: str, *answers: str, count: int = 8) -> None:
            for _ in range(count):
                content = f"{kind}{len(wanted)}"
                wanted[content] = {f"re: {content} {answer}" for answer in answers}
                await fleet.people.post(content)

        await say("w", "written")
        await answered(fleet, wanted)
        talk.death()
        resource.prlimit(fleet.runtime.pid, resource.RLIMIT_FSIZE, (FULL_BYTES, hard))
        await say("w", "written", "KV_UNAVAILABLE", count=12)
        await answered(fleet, wanted)
        await say("w", "KV_UNAVAILABLE")
        await say("r", "read it")
        await answered(fleet, wanted)
        resource.prlimit(fleet.runtime.pid, resource.RLIMIT_FSIZE, (hard, hard))
        await say("w", "written")
        await say("r", "read it")
        found = await answered(fleet, wanted)
        tally = await talk.count()
        refused = sum(answer.endswith("KV_UNAVAILABLE") for answer in found)
        tally.sent += len(wanted)
        tally.answered += len(found)
        tally.note = (
            f"{refused} writes refused with KV_UNAVAILABLE, every read served, writes again with room"
        )
        return tally


async def answered(fleet: Fleet, wanted: dict[str, set[str]]) -> set[str]:
    """Wait until every message has one of its right answers; those."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answers = set(await fleet.answers())
            if all(answers & right for right in wanted.values()):
                return {answer for right in wanted.values() for answer in answers & right}
            await asyncio.sleep(0.05)


JUMPING_CLOCK: Final = """
import pathlib, time
_offset = pathlib.Path(__file__).with_name("offset")
_time, _time_ns = time.time, time.time_ns
def _now():
    try:
        return float(_offset.read_text() or 0)
    except (OSError, ValueError):
        return 0.0
time.time = lambda: _time() + _now()
time.time_ns = lambda: _time_ns() + int(_now() * 1e9)
"""
TICKING: Final = (
    ECHO + "let runs = 0; cron('tick', '*/2 * * * * *', () => { console.log(`run ${++runs}`); });"
)


async def clock_jumps(folder: Path) -> Tally:
    """The pod's wall clock goes a day ahead, then two days back; jobs and messages go on."""
    clock = folder / "clock"
    clock.mkdir()
    (clock / "sitecustomize.py").write_text(JUMPING_CLOCK)
    async with talking("the pod's clock, a day ahead and two back", folder) as talk:
        fleet = talk.fleet
        assert fleet.runtime is not None
        await fleet.runtime.stop()
        await fleet.start_runtime(PYTHONPATH=str(clock))
        await fleet.ready()
        await fleet.deploy(TICKING)
        await talk.go_on()
        await ticks(fleet, 2)
        talk.death()
        (clock / "offset").write_text("86400")
        await talk.answered_since()
        await ticks(fleet, runs(fleet) + 2)
        (clock / "offset").write_text("-86400")
        await ticks(fleet, runs(fleet) + 2)
        tally = await talk.count()
        tally.note = f"a job every 2 s ran on: {runs(fleet)} runs, none of them made up for one by one"
        return tally


def runs(fleet: Fleet) -> int:
    return sum(line.text.startswith("run ") for line in fleet.operator.logs)


async def ticks(fleet: Fleet, count: int) -> None:
    await fleet.wait(lambda: runs(fleet) >= count, seconds=PATIENCE)


async def forgotten_session(folder: Path) -> Tally:
    """Discord has forgotten the session of a gateway that was away: one IDENTIFY, no more."""
    async with talking("Discord's memory of the session", folder) as talk:
        await talk.count()
        talk.death()
        talk.fleet.kill(talk.fleet.gateway)
        await talk.fleet.people.invalidate()
        await talk.fleet.start_gateway()
        await talk.fleet.ready()
        await talk.go_on()
        await talk.answered_since()
        await asyncio.sleep(MOMENT)
        tally = await talk.count()
        stats = await talk.fleet.people.stats()
        tally.note = (
            f"{stats.identifies} IDENTIFYs in all, {stats.identifies_refused} refused; what was written "
            "before the new session Discord does not deliver"
        )
        assert (stats.identifies, stats.identifies_refused) == (2, 0)
        return tally


def discord_answers(name: str, **fault: object) -> Case:
    """Discord fails a few sends so."""

    async def case(folder: Path) -> Tally:
        async with talking(f"Discord: {name}", folder) as talk:
            await talk.go_on()
            await asyncio.sleep(MOMENT)
            talk.death()
            await talk.fleet.people.add_fault(msgspec.convert({**SEND, **fault}, Fault))
            await talk.answered_since()
            await asyncio.sleep(2 * MOMENT)
            tally = await talk.count()
            tally.note = await refusals(talk.fleet)
            return tally

    return case


async def refusals(fleet: Fleet) -> str:
    """What else than success the simulator answered to sends."""
    rest = (await fleet.people.stats()).rest
    counts = {call.split()[-1]: count for call, count in rest.items() if call.startswith("POST /channels/")}
    failed = [f"{count} x {status}" for status, count in counts.items() if not status.startswith("2")]
    return ", ".join(failed) or "no answer at all"


def workers(fleet: Fleet) -> list[psutil.Process]:
    assert fleet.runtime is not None
    return psutil.Process(fleet.runtime.pid).children(recursive=True)


async def sessions(fleet: Fleet) -> str:
    stats = await fleet.people.stats()
    return f"{stats.identifies} IDENTIFY, {stats.resumes} RESUME"


async def frozen_worker(folder: Path) -> Tally:
    async with talking("worker, frozen", folder) as talk:
        await talk.go_on()
        await asyncio.sleep(MOMENT)
        talk.death()
        for worker in workers(talk.fleet):
            os.kill(worker.pid, signal.SIGSTOP)
        await talk.answered_since()
        return await talk.count()


CASES: Final[dict[str, Case]] = {
    "worker killed": worker_killed,
    "worker frozen": frozen_worker,
    "supervisor killed": supervisor_killed,
    "gateway killed": gateway_killed,
    "gateway and supervisor killed": all_killed,
    "control gone": control_gone,
    "redis gone": redis_gone,
    "gateway's disk gone": redis_back_empty,
    "disk full": disk_full,
    "clock jumps": clock_jumps,
    "session forgotten": forgotten_session,
    "discord 429": discord_answers("429, three times", status=429, times=3, retry_after=0.5),
    "discord 429 global": discord_answers("429 for all calls", status=429, scope="global", retry_after=0.5),
    "discord 500": discord_answers("500, twice", status=500, times=2),
    "discord 502": discord_answers("502, twice", status=502, times=2),
    "discord 503": discord_answers("503, twice, the message was sent", status=503, times=2, after=True),
    "discord resets": discord_answers("connection reset, twice", reset=True, times=2),
    "discord resets late": discord_answers(
        "reset after the message was sent", reset=True, after=True, times=2
    ),
    "discord hangs": discord_answers("no answer for 9 s, then a reset", reset=True, delay=9.0, times=1),
}
