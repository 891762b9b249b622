"""`api-…`: what a read of the API costs with many guilds in Postgres, against an empty route of FastAPI; what
a replica costs that nobody asks, and how soon it is there.

The process is ``flora-api`` as it is shipped, with its limits and its log, behind one proxy; only it is on
the tested core. Five hundred people ask, each for his own guild, so that each is counted, recognised and
looked up as he would be.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from bench.api_world import Callers, api, fill, neighbours, postgres, redis
from bench.http_load import answers_a_second, ask_once, get
from bench.machine import Meter, cores, median, resident_bytes
from bench.processes import Child, python, running, start
from bench.rows import Row

GUILDS: Final = 10_000
CALLERS: Final = 500
PAIRS: Final = 7
SECONDS: Final = 2.0
REST_SECONDS: Final = 10.0

RATE_BAR: Final = 1_500
RATIO_BAR: Final = 0.5
START_BAR: Final = 5.0
MEMORY_BAR: Final = 200.0
REST_BAR: Final = 1.0


async def api_figures(folder: Path) -> AsyncGenerator[Row]:
    """The reads."""
    callers = Callers(CALLERS, GUILDS)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        database = await enter(postgres())
        await fill(database, GUILDS, callers)
        cache = await enter(redis(folder))
        around = await enter(neighbours(GUILDS))
        tested = await enter(api(folder, database=database, redis=cache, around=around, core=cores().tested))
        empty = await enter(running(await _empty_route(folder)))
        url, pid = tested.child.url, tested.child.pid
        nothing = [get("/empty")]
        for name, path in (("deployment", ""), ("history", "/history")):
            requests = [
                get(f"/api/deployments/{callers.guild(number)}{path}", callers.headers(number))
                for number in range(CALLERS)
            ]
            await ask_once(url, requests)
            pairs = [
                (
                    await answers_a_second(url, pid, requests, SECONDS),
                    await answers_a_second(empty.url, empty.pid, nothing, SECONDS),
                )
                for _ in range(PAIRS)
            ]
            yield _read_row(f"api-{name}", pairs)


async def rest_figures(folder: Path) -> AsyncGenerator[Row]:
    """A replica that nobody asks, in an installation of one guild and of 10,000."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        database = await enter(postgres())
        await fill(database, GUILDS, Callers(1, GUILDS))
        cache = await enter(redis(folder))
        for name, guilds in (("api-rest", 1), ("api-10000", GUILDS)):
            around = await enter(neighbours(guilds))
            replica = api(folder, database=database, redis=cache, around=around, core=None)
            async with replica as running_api:
                pid = running_api.child.pid
                await asyncio.sleep(5.0)  # past what it looks at when it starts
                meter = Meter([pid])
                await asyncio.sleep(REST_SECONDS)
                busy = 100 * meter.cpu / meter.wall
                rss = resident_bytes(pid) / 1e6
                note = f"{guilds:,} guilds, nobody asks"
                yield _row(f"{name}-start", running_api.seconds, "s", START_BAR, "start to ready")
                yield _row(f"{name}-rss", rss, "MB", MEMORY_BAR, note)
                yield _row(f"{name}-cpu", busy, "% of a core", REST_BAR, note)


async def _empty_route(folder: Path) -> Child:
    return await start("empty", python("bench.empty_route"), core=cores().tested, logs=folder)


def _read_row(name: str, pairs: list[tuple[float, float]]) -> Row:
    rate, ratio = median(ours for ours, _ in pairs), median(ours / theirs for ours, theirs in pairs)
    return Row(
        name=name,
        value=rate,
        unit="requests/s",
        baseline=median(theirs for _, theirs in pairs),
        ratio=ratio,
        target=f">= {RATE_BAR:,}/s and >= {RATIO_BAR:g} x an empty FastAPI route",
        ok=rate >= RATE_BAR and ratio >= RATIO_BAR,
        note=f"a second of its CPU; {GUILDS:,} guilds, {10 * GUILDS:,} revisions, {CALLERS} callers",
        runs=[ours / theirs for ours, theirs in pairs],
    )


def _row(name: str, value: float, unit: str, bar: float, note: str) -> Row:
    return Row(name=name, value=value, unit=unit, target=f"<= {bar:g} {unit}", ok=value <= bar, note=note)
