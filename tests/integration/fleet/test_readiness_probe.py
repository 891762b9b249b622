"""/readyz of a runtime pod, over HTTP: what holds it back, what does not, and for how long."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import psutil

from flora_core.wire.control import Assignment, Failed
from tests.integration.fleet.fleet import Fleet
from tests.integration.fleet.test_deaths import say
from tests.integration.path.path_under_test import POD

BROKEN = "throw new Error('no');"
OTHER = "100000000000000077"


async def start_again(fleet: Fleet) -> None:
    assert fleet.runtime is not None
    await fleet.runtime.stop()
    await fleet.start_runtime()


async def test_a_bundle_that_cannot_be_had_is_named_until_it_can(fleet: Fleet) -> None:
    missing = "ab" * 32
    fleet.operator.state.assign(POD, Assignment(OTHER, 1, missing))
    assert await fleet.unready(fleet.runtime) == "", "a pod that serves is not unready for one guild"
    await start_again(fleet)
    await fleet.wait_answers(await say(fleet, 0, 2))
    assert await fleet.unready(fleet.runtime) == f"guilds not loaded yet: 1 ({OTHER})"
    fleet.operator.deploy(OTHER, "on('messageCreate', () => {});")
    await fleet.ready()


async def test_a_script_that_fails_by_its_own_fault_does_not_hold_the_pod_back(fleet: Fleet) -> None:
    fleet.operator.deploy(OTHER, BROKEN)
    await fleet.wait(lambda: any(isinstance(report, Failed) for report in fleet.operator.reports))
    await start_again(fleet)
    await fleet.ready()


async def test_with_the_control_plane_down_a_restarted_pod_gets_ready_from_its_disk(fleet: Fleet) -> None:
    await fleet.stop_control()
    await start_again(fleet)
    began = time.monotonic()
    assert "control plane has not answered" in await fleet.unready(fleet.runtime)
    await fleet.ready()
    assert time.monotonic() - began < 15
    await fleet.wait_answers(await say(fleet, 0, 3))


async def test_a_pod_without_a_gateway_says_so_and_is_ready_when_it_is_back(fleet: Fleet) -> None:
    assert fleet.gateway is not None
    await fleet.gateway.stop()
    async with asyncio.timeout(10):
        while await fleet.unready(fleet.runtime) != "no stream from the gateway":
            await asyncio.sleep(0.05)
    await fleet.start_gateway()
    await fleet.ready()


async def test_losing_the_control_plane_later_changes_nothing(fleet: Fleet) -> None:
    await fleet.stop_control()
    await asyncio.sleep(0.5)
    assert await fleet.unready(fleet.runtime) == ""


async def test_a_pod_is_healthy_while_its_workers_are_replaced(fleet: Fleet) -> None:
    assert fleet.runtime is not None
    for worker in psutil.Process(fleet.runtime.pid).children(recursive=True):
        worker.kill()
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{fleet.runtime.url}/healthz") as response,
    ):
        assert (response.status, await response.text()) == (200, "ok\n")
