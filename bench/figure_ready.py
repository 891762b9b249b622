"""`cluster-ready-…`: from `kubectl apply` to a script that is live, on a node with pods and containers.

flora must be installed there as docs/cluster.md says ("Try it, without Discord"); its cluster is otherwise
idle. Each guild has sources that nobody has seen before, so its bundle is built, kept in Postgres, fetched by
its pod and loaded into a new isolate.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import aiohttp

from bench.cluster_world import World, document, guild_of, name_of, reached
from bench.rows import Row, latencies, unmeasured

GUILDS: Final = 60
NAMESPACE: Final = "flora"
SIMULATOR: Final = "flora-simulator:8410"
P50_BAR: Final = 1.5
P95_BAR: Final = 3.0
SECONDS: Final = 60.0
HOW: Final = "set KUBECONFIG to a cluster with flora in it (docs/cluster.md), and run this again"


async def ready_figures(_folder: Path) -> AsyncGenerator[Row]:
    """The two rows."""
    named = os.environ.get("KUBECONFIG")
    if not named:
        yield unmeasured("cluster-ready-p50", why=HOW)
        yield unmeasured("cluster-ready-p95", why=HOW)
        return
    seconds = await _measure(Path(named))
    note = f"{GUILDS} guilds one after the other, none with sources that were seen before"
    for row in latencies("cluster-ready", seconds, p50=P50_BAR, p95=P95_BAR, note=note):
        yield row


async def _measure(kubeconfig: Path) -> list[float]:
    """Seconds of each guild."""
    async with reached(kubeconfig) as (session, server):
        world = World(session, server, kubeconfig=kubeconfig, namespace=NAMESPACE)
        for number in range(GUILDS):
            await _join(session, server, guild_of(number))
        seconds = [await _seconds_until_ready(world, number) for number in range(GUILDS)]
        for number in range(GUILDS):
            await world.delete(name_of(number))
    return seconds


async def _join(session: aiohttp.ClientSession, server: str, guild: str) -> None:
    """Have the bot in ``guild``; the API server reaches the simulated Discord."""
    url = f"{server}/api/v1/namespaces/{NAMESPACE}/services/{SIMULATOR}/proxy/control/guilds"
    async with session.post(url, json={"name": f"guild {guild}", "id": guild}) as response:
        if response.status not in {200, 201, 409}:
            raise RuntimeError(f"{url}: {response.status} {(await response.text())[:300]}")


async def _seconds_until_ready(world: World, number: int) -> float:
    body = document(number)
    files = body["spec"]["source"]["files"]
    files[body["spec"]["source"]["entrypoint"]] += f"// {secrets.token_hex(8)}\n"
    began = time.monotonic()
    applied = await world.apply(body)
    async with asyncio.timeout(SECONDS), world.following(name_of(number), since=applied) as states:
        while True:
            seen, state = await states.get()
            if _is_ready(state):
                return seen - began


def _is_ready(state: dict[str, Any]) -> bool:
    """Whether it is, as ``kubectl wait --for=condition=Ready`` sees it."""
    conditions = state.get("status", {}).get("conditions", [])
    generation = state["metadata"]["generation"]
    return any(
        one["type"] == "Ready" and one["status"] == "True" and one["observedGeneration"] >= generation
        for one in conditions
    )
