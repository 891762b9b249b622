"""`api-…`: what a read of the API costs with many guilds in Postgres, against an empty route of FastAPI."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from bench.api_world import Callers, api, fill, neighbours, postgres, redis
from bench.machine import cores, median
from bench.processes import Child, python, running, start
from bench.http_load import answers_a_second, get
from bench.rows import Row

GUILDS: Final = 10_000
CALLERS: Final = 500
PAIRS: Final = 5
SECONDS: Final = 2.0
RATE_BAR: Final = 1_500
RATIO_BAR: Final = 0.5


async def api_figures(folder: Path) -> AsyncGenerator[Row]:
    callers = Callers(CALLERS, GUILDS)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        database = await enter(postgres())
        await fill(database, GUILDS, callers)
        cache = await enter(redis(folder))
        around = await enter(neighbours(GUILDS))
        tested = await enter(
            api(folder, database=database, redis=cache, around=around, core=cores().tested)
        )
        empty = await enter(running(await _empty_route(folder)))
        nothing = [get("/empty")]
        for name, path in (("deployment", ""), ("history", "/history")):
            requests = [
                get(f"/api/deployments/{callers.guild(number)}{path}", callers.headers(number))
                for number in range(CALLERS)
            ]
            await answers_a_second(tested.child.url, tested.child.pid, requests, SECONDS)
            pairs = [
                (
                    await answers_a_second(tested.child.url, tested.child.pid, requests, SECONDS),
                    await answers_a_second(empty.url, empty.pid, nothing, SECONDS),
                )
                for _ in range(PAIRS)
            ]
            yield _row(f"api-{name}", pairs)


async def _empty_route(folder: Path) -> Child:
    return await start("empty", python("bench.empty_route"), core=cores().tested, logs=folder)


def _row(name: str, pairs: list[tuple[float, float]]) -> Row:
    rate, ratio = median(ours for ours, _ in pairs), median(ours / theirs for ours, theirs in pairs)
    return Row(
        name=name,
        value=rate,
        unit="requests/s of CPU",
        baseline=median(theirs for _, theirs in pairs),
        ratio=ratio,
        target=f">= {RATE_BAR:,}/s and >= {RATIO_BAR:g} x an empty FastAPI route",
        ok=rate >= RATE_BAR and ratio >= RATIO_BAR,
        runs=[ours / theirs for ours, theirs in pairs],
    )
