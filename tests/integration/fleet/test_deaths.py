"""Whole processes die under load; every message is answered all the same."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter

import psutil
import pytest

from tests.integration.fleet.fleet import Fleet


async def say(fleet: Fleet, first: int, last: int) -> set[str]:
    """Write messages; the answers they should get."""
    for number in range(first, last):
        await fleet.people.post(str(number))
    return {f"re: {number}" for number in range(first, last)}


async def test_kill_9_of_the_gateway_loses_no_message(fleet: Fleet) -> None:
    wanted = await say(fleet, 0, 40)
    talking = asyncio.create_task(say(fleet, 40, 120))
    await asyncio.sleep(0.05)
    fleet.kill(fleet.gateway)
    wanted |= await talking
    await fleet.start_gateway()
    await fleet.wait_answers(wanted)
    stats = await fleet.people.stats()
    assert (stats.identifies, stats.resumes) == (1, 1), "the new process resumed the old one's session"


async def test_a_gateway_that_is_told_to_stop_hands_over_without_a_repeat(fleet: Fleet) -> None:
    wanted = await say(fleet, 0, 20)
    await fleet.wait_answers(wanted)
    assert fleet.gateway is not None
    talking = asyncio.create_task(say(fleet, 20, 60))
    await fleet.gateway.stop()
    wanted |= await talking
    await fleet.start_gateway()
    answers = await fleet.wait_answers(wanted)
    assert max(Counter(answers).values()) == 1
    stats = await fleet.people.stats()
    assert (stats.identifies, stats.resumes) == (1, 1)
    assert "4000" in stats.closes, "a close that keeps the session"


@pytest.mark.parity(56)
async def test_a_runtime_pod_that_is_told_to_stop_hands_over_without_loss(fleet: Fleet) -> None:
    wanted = await say(fleet, 0, 20)
    talking = asyncio.create_task(say(fleet, 20, 80))
    assert fleet.runtime is not None
    await fleet.runtime.stop()
    wanted |= await talking
    await fleet.start_runtime()
    answers = await fleet.wait_answers(wanted)
    assert max(Counter(answers).values()) == 1


async def test_kill_9_of_the_runtime_pod_loses_no_message_and_leaves_no_worker(fleet: Fleet) -> None:
    assert fleet.runtime is not None
    workers = psutil.Process(fleet.runtime.pid).children(recursive=True)
    assert len(workers) == 2
    wanted = await say(fleet, 0, 10)
    await fleet.wait_answers(wanted)
    fleet.kill(fleet.runtime)
    wanted |= await say(fleet, 10, 40)
    await fleet.wait(lambda: not any(worker.is_running() for worker in workers))
    await fleet.start_runtime()
    await fleet.wait_answers(wanted)


async def test_a_frozen_worker_is_replaced(fleet: Fleet) -> None:
    assert fleet.runtime is not None
    for worker in psutil.Process(fleet.runtime.pid).children(recursive=True):
        worker.send_signal(signal.SIGSTOP)
    await fleet.wait_answers(await say(fleet, 0, 5))
    assert 'flora_runtime_restarts_total{reason="silent"}' in await fleet.metrics(fleet.runtime)


@pytest.mark.parity(56)
async def test_without_the_control_plane_a_restarted_pod_serves_its_guilds(fleet: Fleet) -> None:
    assert fleet.runtime is not None
    await fleet.stop_control()
    await fleet.runtime.stop()
    await fleet.start_runtime()
    await fleet.wait_answers(await say(fleet, 0, 5))


async def test_without_the_control_plane_a_restarted_gateway_knows_its_routes(fleet: Fleet) -> None:
    assert fleet.gateway is not None
    await fleet.stop_control()
    await fleet.gateway.stop()
    await fleet.start_gateway()
    await fleet.wait_answers(await say(fleet, 0, 5))


@pytest.mark.parity(97)
async def test_drops_floods_and_errors_show_in_the_metrics(fleet: Fleet) -> None:
    await fleet.wait_answers(await say(fleet, 0, 3))
    gateway, runtime = await fleet.metrics(fleet.gateway), await fleet.metrics(fleet.runtime)
    assert 'flora_gateway_events_total{type="MESSAGE_CREATE"}' in gateway
    assert 'flora_gateway_events_dropped_total{reason="own_message",type="MESSAGE_CREATE"}' in gateway
    assert 'flora_runtime_events_total{type="MESSAGE_CREATE"}' in runtime
    assert "flora_isolate_count" in runtime
    for text in (gateway, runtime):
        assert "100000000000000001" not in text, "a guild's id is never a label"
