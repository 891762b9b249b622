"""`cluster-…`: the operator on a real API server, against a bare list and watch in the same run.

Both get a control plane of their own, one after the other on the same machine, and the same documents from
the same hand. The pods are played over the operator's real streams and never say that they have loaded, so
that what is counted is one thing: from an applied document to its assignment in its status.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.cluster_operator import PODS, Running, bare_loop, operator, postgres
from bench.cluster_world import World, Writes, document, guild_of, name_of, world
from bench.machine import median, percentile
from bench.rows import Row
from flora_core.hashing import owner
from flora_core.ids import PodName

CHANGES: Final = 100
RATE_BAR: Final = 0.8
RESTART_BAR: Final = 3.0
CHANGE_BAR: Final = 1.5
CHANGE_P99_BAR: Final = 60.0
RSS_BAR: Final = 200.0
MOVED_BAR: Final = 26.0
CPU_BAR: Final = 1.0
LARGE_BYTES: Final = 700_000


@dataclass(slots=True)
class Side:
    """What one of the two did."""

    rate: float
    writes: float
    cpu: float
    rss: float
    restart: float
    restart_writes: int
    changes: list[float]


def cluster_figures(count: int) -> Callable[[Path], AsyncGenerator[Row]]:
    """The rows at ``count`` deployments."""

    async def figures(folder: Path) -> AsyncGenerator[Row]:
        async with world() as bare_world:
            bare = await _bare(bare_world, folder, count)
        async with world() as ours_world, postgres(count) as url:
            ours = await _ours(ours_world, folder, url, count)
            for row in _rows(count, ours, bare):
                yield row
            async for row in _scale(ours_world, folder, url, count):
                yield row
            if count <= 1000:
                yield await _large(ours_world, folder, url, count)

    return figures


async def _bare(on: World, folder: Path, count: int) -> Side:
    async with on.counting() as writes, bare_loop(on, folder) as process:
        rate, each, cpu = await _apply(on, process, writes, count)
        rss = process.peak_bytes / 1e6
        changes = await _changes(on)
    async with on.counting() as writes, bare_loop(on, folder) as process:
        await asyncio.sleep(3.0)
        return Side(rate, each, cpu, rss, process.seconds, writes.total, changes)


async def _ours(on: World, folder: Path, url: str, count: int) -> Side:
    async with on.counting() as writes, operator(on, folder, url, pods=PODS[:3]) as process:
        rate, each, cpu = await _apply(on, process, writes, count)
        rss = process.peak_bytes / 1e6
        changes = await _changes(on)
        await _check(on, count)  # afterwards: the server is busy for a while with what it read for that
    async with on.counting() as writes, operator(on, folder, url, pods=PODS[:3]) as process:
        await asyncio.sleep(3.0)
        return Side(rate, each, cpu, rss, process.seconds, writes.total, changes)


async def _apply(on: World, process: Running, writes: Writes, count: int) -> tuple[float, float, float]:
    """Objects a second from the first document applied to the last status written; writes an object; CPU."""
    began, cpu = time.monotonic(), process.meter.cpu
    await on.apply_all(count)
    ended = await writes.reach(count)
    return count / (ended - began), writes.total / count, process.meter.cpu - cpu


async def _check(on: World, count: int) -> None:
    """Every one is assigned, and to whom it should be."""
    pods = [PodName(pod) for pod in PODS[:3]]
    owners = {guild_of(number): owner(guild_of(number), pods) for number in range(count)}
    assigned = sorted([status["assignment"]["pod"] async for status in on.statuses()])
    if assigned != sorted(owners.values()):
        raise RuntimeError(f"{len(assigned)} are assigned, and not all where they should be")


async def _changes(on: World) -> list[float]:
    """Milliseconds from sending a change of the spec to seeing the status that speaks of it."""
    taken: list[float] = []
    async with on.following(name_of(1)) as states:
        for number in range(CHANGES):
            began = time.monotonic()
            changed = await on.apply(document(1, limits={"cpuMilliseconds": 100 + number}))
            generation = changed["metadata"]["generation"]
            async with asyncio.timeout(30):
                while True:
                    seen, state = await states.get()
                    if (state.get("status") or {}).get("observedGeneration") == generation:
                        break
            taken.append((seen - began) * 1000)
            await asyncio.sleep(0.1)
    return taken


def _rows(count: int, ours: Side, bare: Side) -> list[Row]:
    at = f"cluster-{count}"
    cpu = f"CPU {ours.cpu:.1f} s against {bare.cpu:.1f} s"
    p50, bare_p50 = median(ours.changes), median(bare.changes)
    p99, bare_p99 = percentile(ours.changes, 0.99), percentile(bare.changes, 0.99)
    return [
        Row(
            name=f"{at}-rate",
            value=ours.rate,
            unit="objects/s",
            baseline=bare.rate,
            ratio=ours.rate / bare.rate,
            target=f">= {RATE_BAR:g} x a bare list and watch",
            ok=ours.rate / bare.rate >= RATE_BAR,
            note=f"{count:,} documents of 10 KB, sources known to Postgres; {cpu}",
        ),
        Row(
            name=f"{at}-writes",
            value=ours.writes,
            unit="writes/object",
            baseline=bare.writes,
            target="1",
            ok=ours.writes == 1,
        ),
        Row(
            name=f"{at}-rss",
            value=ours.rss,
            unit="MB",
            baseline=bare.rss,
            target=f"<= {RSS_BAR:g} MB",
            ok=ours.rss <= RSS_BAR,
            note="the most it ever had, without its bundlers",
        ),
        Row(
            name=f"{at}-restart",
            value=ours.restart,
            unit="s",
            baseline=bare.restart,
            ratio=ours.restart / bare.restart,
            target=f"<= {RESTART_BAR:g} x a bare list and watch",
            ok=ours.restart / bare.restart <= RESTART_BAR,
            note="from the start of the process until all is known",
        ),
        Row(
            name=f"{at}-restart-writes",
            value=ours.restart_writes,
            unit="writes",
            target="0",
            ok=not ours.restart_writes,
        ),
        Row(
            name=f"{at}-change-p50",
            value=p50,
            unit="ms",
            baseline=bare_p50,
            ratio=p50 / bare_p50,
            target=f"<= {CHANGE_BAR:g} x a bare list and watch",
            ok=p50 / bare_p50 <= CHANGE_BAR,
            note=f"{CHANGES} changes of a limit, one by one",
            runs=ours.changes,
        ),
        Row(
            name=f"{at}-change-p99",
            value=p99,
            unit="ms",
            baseline=bare_p99,
            target=f"<= {CHANGE_P99_BAR:g} ms",
            ok=p99 <= CHANGE_P99_BAR,
        ),
    ]


async def _scale(on: World, folder: Path, url: str, count: int) -> AsyncGenerator[Row]:
    """From three pods to four: what moves, and the operator's CPU until it is all written."""
    async with on.counting() as writes, operator(on, folder, url, pods=PODS) as process:
        await asyncio.sleep(2.0)
        writes.clear()
        cpu, began = process.meter.cpu, time.monotonic()
        await on.scale(4)
        wanted = sum(owner(guild_of(n), [PodName(pod) for pod in PODS]) == PODS[3] for n in range(count))
        async with asyncio.timeout(300):
            ended = await writes.reach(wanted)
        used = process.meter.cpu - cpu
    moved = 100 * len(writes.to) / count
    planning = _planning_seconds(count)
    at = f"cluster-{count}"
    yield Row(
        name=f"{at}-scale-moved",
        value=moved,
        unit="%",
        target=f"<= {MOVED_BAR:g} %",
        ok=moved <= MOVED_BAR,
        note=f"{len(writes.to):,} moved in {ended - began:.1f} s with {used:.1f} s of CPU, writes included; "
        f"{writes.total / max(1, len(writes.to)):.2f} writes each",
    )
    yield Row(
        name=f"{at}-scale-cpu",
        value=planning,
        unit="s CPU",
        target=f"<= {CPU_BAR:g} s",
        ok=planning <= CPU_BAR,
        note="deciding where each belongs, without writing it",
    )


def _planning_seconds(count: int) -> float:
    """CPU time of finding every guild's pod, in this process."""
    pods = [PodName(pod) for pod in PODS]
    began = time.process_time()
    for number in range(count):
        owner(guild_of(number), pods)
    return time.process_time() - began


async def _large(on: World, folder: Path, url: str, count: int) -> Row:
    """A script of 700 KB becomes Ready, and nothing is left on the object but its status."""
    name = name_of(10**6)
    async with on.counting() as writes, operator(on, folder, url, pods=PODS, quiet=False):
        await writes.reach(count)  # the others are loaded, and that is written
        began = time.monotonic()
        await on.apply(document(10**6, size=LARGE_BYTES))
        async with asyncio.timeout(60):
            while True:
                found = await on.get(name)
                conditions = (found.get("status") or {}).get("conditions", [])
                if any(one["type"] == "Ready" and one["status"] == "True" for one in conditions):
                    break
                await asyncio.sleep(0.05)
    seconds = time.monotonic() - began
    annotations = found["metadata"].get("annotations") or {}
    return Row(
        name="cluster-large-script",
        value=seconds,
        unit="s",
        target="Ready, no annotation",
        ok=not annotations,
        note=f"{LARGE_BYTES // 1000} KB in one file; annotations: {sorted(annotations) or 'none'}",
    )
