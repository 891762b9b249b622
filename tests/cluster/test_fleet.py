"""flora as its chart installs it, while things are restarted, scaled, killed and changed under messages.

Every message is counted. What a case leaves behind must be as it was: three runtime pods, nine guilds that answer.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from cluster import lifecycle
from cluster.api import Document
from tests.cluster.installed import PODS, SCRIPT, VALUES, Installed
from tests.cluster.traffic import Tally, Traffic

RATE: Final = 50.0
"""Messages a second."""

CALM: Final = 2.0
"""Seconds of traffic before and after."""

KEYS: Final = 20


@pytest.fixture
def calm(fleet: Installed) -> Iterator[Installed]:
    """The fleet with everything of it ready, before and after."""
    fleet.wait_ready()
    yield fleet
    fleet.scale(PODS)
    fleet.wait_ready()
    fleet.until(lambda: [guild for guild in fleet.guilds if not fleet.is_ready(guild)], seconds=60)


async def under_traffic(fleet: Installed, act: Callable[[], Any]) -> Tally:
    """``act`` in a thread of its own, with messages before, during and after it."""
    async with Traffic(fleet.url, fleet.guilds, rate=RATE).flowing() as tally:
        await asyncio.sleep(CALM)
        await asyncio.to_thread(act)
        await asyncio.sleep(CALM)
    return tally


def uids(fleet: Installed, component: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in fleet.pods(component)}


@pytest.mark.parametrize(
    ("kind", "component"), [("StatefulSet", "runtime"), ("Deployment", "gateway"), ("Deployment", "operator")]
)
async def test_a_rolling_restart_loses_no_message(
    calm: Installed, kind: str, component: str, report: Callable[[object], None]
) -> None:
    before = uids(calm, component)

    def restart() -> None:
        calm.restart(kind, f"flora-{component}")
        calm.until(lambda: uids(calm, component) & before, seconds=180)
        calm.wait_ready()

    tally = await under_traffic(calm, restart)
    report(f"rolling restart of {component}: {tally}")
    assert tally.lost == [], calm.told()
    assert tally.duplicated == 0


async def test_a_runtime_pod_that_is_deleted_by_force_loses_only_what_it_was_at(
    calm: Installed, report: Callable[[object], None]
) -> None:
    """A handler that had begun when its pod was killed may have acted, and is not run again."""
    pod = calm.named("v1", "Pod", calm.pod_of(calm.guilds[0]))
    uid = calm.api.get(pod)["metadata"]["uid"]

    def kill() -> None:
        calm.api.call("DELETE", calm.api.path(pod), query={"gracePeriodSeconds": "0"})
        calm.until(lambda: {uid} & uids(calm, "runtime"), seconds=60)
        calm.wait_ready()

    tally = await under_traffic(calm, kill)
    report(f"runtime pod deleted by force: {tally}")
    assert len(tally.lost) <= 20, calm.told()
    assert tally.duplicated <= 20


@pytest.mark.timeout(600)  # waits of its own have shorter ones
async def test_scaling_moves_guilds_with_all_they_keep(
    calm: Installed, report: Callable[[object], None]
) -> None:
    for guild in calm.guilds:
        for number in range(KEYS):
            answer = calm.ask(guild, f"put key-{number} {guild}-{random.randrange(10**9)}")
            assert answer == f"put key-{number}"
    before = {guild: calm.stored(guild) for guild in calm.guilds}
    assert {len(kept) for kept in before.values()} == {KEYS}
    for replicas in (4, 2, 3):

        def scale(replicas: int = replicas) -> None:
            calm.scale(replicas)
            calm.wait_ready(runtime=replicas, seconds=180)
            calm.until(lambda: misplaced(calm, replicas), seconds=120)

        tally = await under_traffic(calm, scale)
        report(f"scaled to {replicas}: {tally}")
        assert tally.lost == [], calm.told()
        assert tally.duplicated == 0
        assert {guild: calm.stored(guild) for guild in calm.guilds} == before


def misplaced(fleet: Installed, replicas: int) -> list[str]:
    """Guilds that are on their way, or on a pod that is none."""
    pods = {f"flora-runtime-{ordinal}" for ordinal in range(replicas)}
    statuses = {guild: fleet.api.get(fleet.deployment(guild))["status"] for guild in fleet.guilds}
    return [
        guild
        for guild, status in statuses.items()
        if status["assignment"]["pod"] not in pods or "handoff" in status
    ]


async def test_a_pod_that_no_node_takes_stays_pending_and_the_others_serve(
    calm: Installed, report: Callable[[object], None]
) -> None:
    cordon(calm, to=True)
    try:

        def scale() -> None:
            calm.scale(PODS + 1)
            calm.until(lambda: [] if phase(calm, PODS) == "Pending" else ["Pending"], seconds=30)

        tally = await under_traffic(calm, scale)
        report(f"a pod without a node: {tally}")
        assert tally.lost == [], calm.told()
        assert phase(calm, PODS) == "Pending"
    finally:
        calm.scale(PODS)
        cordon(calm, to=False)


def phase(fleet: Installed, ordinal: int) -> str:
    found = [pod for pod in fleet.pods("runtime") if pod["metadata"]["name"] == f"flora-runtime-{ordinal}"]
    return found[0]["status"]["phase"] if found else ""


def cordon(fleet: Installed, *, to: bool) -> None:
    patch = {"spec": {"unschedulable": to}}
    fleet.api.call("PATCH", "/api/v1/nodes/node1", patch, content="application/merge-patch+json")


def test_a_bad_script_changes_nothing_that_runs(calm: Installed) -> None:
    guild = calm.guilds[0]
    calm.apply(guild, "const broken = ;")
    calm.until(lambda: [] if reason(calm, guild, "Bundled") == "BundleFailed" else [guild], seconds=30)
    bundled = calm.condition(guild, "Bundled")
    assert bundled is not None
    assert "src/main.ts:1" in bundled["message"]
    assert calm.ask(guild, "after a syntax error") == "re: after a syntax error"

    calm.apply(guild, "throw new Error('at load');")
    calm.until(lambda: [] if reason(calm, guild, "Ready") == "LoadFailed" else [guild], seconds=30)
    assert calm.ask(guild, "after an error at load") == "re: after an error at load"

    calm.deploy([guild])
    assert calm.ask(guild, "again") == "re: again"


def reason(fleet: Installed, guild: str, kind: str) -> str:
    condition = fleet.condition(guild, kind)
    return condition["reason"] if condition else ""


def test_a_guild_that_is_deleted_and_made_again_serves_again(calm: Installed) -> None:
    guild = calm.guilds[0]
    document = calm.deployment(guild)
    uid = calm.api.get(document)["metadata"]["uid"]
    calm.api.call("DELETE", calm.api.path(document))
    calm.until(lambda: [guild] if calm.has(guild) else [], seconds=60)
    calm.deploy([guild])
    assert calm.api.get(document)["metadata"]["uid"] != uid
    assert calm.ask(guild, "hello") == "re: hello"


async def test_an_upgrade_of_the_chart_with_other_values_loses_no_message(
    calm: Installed, report: Callable[[object], None]
) -> None:
    """The settings of gateway and runtime pods are others: all of them are replaced."""
    changed = {**VALUES, "gateway": with_config(VALUES["gateway"], GATEWAY_BUFFER_MIB=32)}
    changed["runtime"] = with_config(VALUES["runtime"], RUNTIME_DRAIN_SECS=5)
    before = uids(calm, "runtime") | uids(calm, "gateway")

    def upgrade() -> None:
        calm.install(changed)
        calm.until(lambda: (uids(calm, "runtime") | uids(calm, "gateway")) & before, seconds=240)
        calm.wait_ready()

    tally = await under_traffic(calm, upgrade)
    report(f"upgrade of the chart: {tally}")
    assert tally.lost == [], calm.told()
    assert tally.duplicated == 0


def with_config(values: Document, **config: object) -> Document:
    return {**values, "config": {**values["config"], **config}}


async def test_without_an_api_server_messages_are_answered_and_it_all_goes_on_afterwards(
    calm: Installed, report: Callable[[object], None]
) -> None:
    async with Traffic(calm.url, calm.guilds, rate=RATE).flowing() as tally:
        await asyncio.sleep(CALM)
        with lifecycle.without_api_server(calm.cluster):
            await asyncio.sleep(60)
        await asyncio.sleep(CALM)
    report(f"API server stopped for 60 s: {tally}")
    assert tally.lost == [], calm.told()
    assert tally.duplicated == 0
    changed = SCRIPT.replace('"re: "', '"new: "')
    guild = calm.guilds[0]
    calm.apply(guild, changed)
    calm.until(lambda: [] if calm.is_ready(guild) else [guild], seconds=60)
    assert calm.ask(guild, "hello") == "new: hello"
    calm.deploy([guild])
