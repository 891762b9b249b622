"""Guilds are applied, broken, suspended and deleted while the API server comes and goes and operators are replaced.

What is checked is where it ends: every guild is what was last asked for, its pod runs that and nothing else, and
then there is nothing left to write.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.cluster.faulty_api import FaultyApi
from tests.cluster.operating import Stage, current, home
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("crd")

GUILDS = [str(3000 + number) for number in range(12)]
STEPS = 60


@pytest.fixture
def stage(stage: Stage, faults: FaultyApi) -> Stage:
    """Whose operator reaches the API server by a way that can be broken."""
    stage.access = faults.access
    return stage


class World:
    """What was asked for last, by guild; None: that it be gone."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.wanted: dict[str, dict[str, Any] | None] = {}
        self.random = random.Random(seed)
        self.number = 0

    def change(self) -> None:
        guild = self.random.choice(GUILDS)
        if guild in self.wanted and self.random.random() < 0.15:
            if self.stage.exists(guild):
                self.stage.api.delete(self.stage.named(guild))
            self.wanted[guild] = None
            return
        if self.wanted.get(guild, {}) is None and self.stage.exists(guild):
            return  # still on its way out
        self.number += 1
        kind = self.random.choice(["fine", "fine", "fine", "syntax error", "throws"])
        suspend = self.random.random() < 0.2
        self.stage.apply(guild, f"// {kind} {self.number}", suspend=suspend)
        self.wanted[guild] = {"script": f"// {kind} {self.number}", "kind": kind, "suspend": suspend}

    def reason(self, guild: str) -> str | None:
        wanted = self.wanted[guild]
        if wanted is None:
            return None
        if wanted["suspend"]:
            return "Suspended"
        return {"fine": "Loaded", "syntax error": "BundleFailed", "throws": "LoadFailed"}[wanted["kind"]]

    def is_so(self, guild: str) -> bool:
        reason = self.reason(guild)
        if reason is None:
            return not self.stage.exists(guild)
        ready = current(self.stage.get(guild), "Ready")
        return ready is not None and ready["reason"] == reason


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_it_ends_as_was_last_asked_for(stage: Stage, faults: FaultyApi, seed: int) -> None:
    world = World(stage, seed)
    async with stage.operating(), AsyncExitStack() as later:
        port = int(stage.url.rpartition(":")[2])
        async with stage.pods() as pods:
            for _ in range(STEPS):
                what = world.random.random()
                if what < 0.05:
                    faults.gone = True
                    faults.cut()
                elif what < 0.2:
                    faults.gone = False
                elif what < 0.25:
                    faults.throttle = 2
                elif what < 0.3:
                    faults.conflicts = 2
                elif what < 0.35:
                    faults.cut()
                elif what < 0.4:
                    await stage.leave()
                    await later.enter_async_context(stage.starting(port))
                else:
                    world.change()
                await asyncio.sleep(world.random.uniform(0, 0.15))
            faults.gone = False
            operator = stage.operator
            assert operator is not None
            await until(lambda: operator.unsynced() is None)
            for guild in world.wanted:
                await until(lambda guild=guild: world.is_so(guild), seconds=45)
            await stage.settled()
            check_pods(world, pods)
            writes = faults.writes()
            operator.fleet.dirty_all()
            await stage.settled(seconds=2)
            assert faults.writes() == writes


def check_pods(world: World, pods: list[Any]) -> None:
    """Each runs what its guilds asked for, or what ran before that; nobody else's."""
    for guild in GUILDS:
        having = [pod for pod in pods if guild in pod.runs]
        reason = world.reason(guild) if guild in world.wanted else None
        if reason in (None, "Suspended"):
            assert having == [], guild
        elif reason in ("Loaded", "LoadFailed"):
            [pod] = having
            wanted = world.wanted[guild]
            assert wanted is not None
            assert pod.name == home(guild)
            assert world.stage.bundler.bundles[pod.runs[guild].bundle] == wanted["script"]
