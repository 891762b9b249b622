"""Guilds that sleep in a real pod: what they keep, how they wake, and that nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flora_core.wire.control import Loaded
from flora_runtime.supervisor import metrics
from tests.integration.path.path_under_test import PathUnderTest, guild_on_worker

COUNT = (
    "let n = 0; console.log('loaded');"
    "on('messageCreate', async (ctx) => { await ctx.reply(`${ctx.msg.content} ${++n}`); });"
)
AFTER = 0.5
"""Seconds until a guild sleeps here."""


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[PathUnderTest]:
    async with PathUnderTest(tmp_path, hibernate_after_secs=AFTER) as under_test:
        yield under_test


def asleep(path: PathUnderTest) -> set[str]:
    assert path.pod is not None
    return path.pod._asleep


async def test_a_quiet_guild_sleeps_and_wakes_with_its_next_event(path: PathUnderTest) -> None:
    await path.deploy("1", COUNT)
    path.message("a")
    path.message("b")
    assert await path.wait_contents(2) == ["a 1", "b 2"]
    await path.wait(lambda: asleep(path) == {"1"})
    await path.wait(lambda: metrics.isolates._value.get() == 0)
    path.message("c")
    assert await path.wait_contents(3) == ["a 1", "b 2", "c 1"], "its variables are gone"
    assert asleep(path) == set()
    assert sum(isinstance(report, Loaded) for report in path.operator.reports) == 1


async def test_events_while_it_falls_asleep_are_all_answered(path: PathUnderTest) -> None:
    await path.deploy("1", COUNT)
    assert path.pod is not None
    guild = path.pod._guilds["1"]
    for number in range(60):
        guild.hibernate(0)
        path.message(f"m{number}")
        if number % 3 == 0:
            await asyncio.sleep(0)
    contents = await path.wait_contents(60)
    assert [text.split()[0] for text in contents] == [f"m{number}" for number in range(60)]


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("a timer that is due soon", "setInterval(() => {}, 300);"),
        ("a handler that has not finished", "on('messageCreate', () => sleep(20_000));"),
        ("a call without an answer", "on('messageCreate', (ctx) => { ctx.reply('never answered'); });"),
    ],
)
async def test_what_goes_on_keeps_a_guild_awake(path: PathUnderTest, what: str, code: str) -> None:
    quiet, busy = "1", "2"
    sleep = "const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));"
    await path.deploy(busy, sleep + code)
    await path.deploy(quiet, COUNT)
    path.discord.answering = False
    path.message("x", guild=busy)
    await path.wait(lambda: quiet in asleep(path))
    path.discord.answering = True
    path.message("again", guild=quiet)
    await path.wait(lambda: quiet not in asleep(path))
    await path.wait(lambda: quiet in asleep(path))
    assert busy not in asleep(path), what


async def test_a_guild_that_must_not_sleep_does_not(path: PathUnderTest) -> None:
    await path.deploy("1", COUNT, hibernates=False)
    await path.deploy("2", COUNT)
    await path.wait(lambda: asleep(path) == {"2"})


async def test_crons_wake_a_guild(path: PathUnderTest) -> None:
    code = "cron('tick', '* * * * * *', async () => { console.log('ticked'); });"
    await path.deploy("1", code)
    await path.wait_log("ticked")
    await path.wait(lambda: sum("ticked" in line.text for line in path.operator.logs) >= 3)


async def test_a_pod_that_starts_anew_lets_its_sleepers_sleep(path: PathUnderTest) -> None:
    await path.deploy("1", COUNT + "on('messageUpdate', () => {});")
    await path.wait(lambda: asleep(path) == {"1"})
    await path.stop_pod()
    path.operator.logs.clear()
    path.operator.reports.clear()
    await path.start_pod()
    await path.wait(lambda: path.operator.reports)
    assert asleep(path) == {"1"}
    assert not any("loaded" in line.text for line in path.operator.logs)
    report = path.operator.reports[0]
    assert isinstance(report, Loaded)
    assert report.events == ["messageCreate", "messageUpdate"]
    path.message("hello")
    assert await path.wait_contents(1) == ["hello 1"]


async def test_short_memory_sends_the_longest_idle_to_sleep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flora_runtime.supervisor.hibernation.PRESSURE_IDLE_SECONDS", 0.2)
    async with PathUnderTest(tmp_path, hibernate_after_secs=0, worker_soft_rss_mib=64) as path:
        guilds = [guild_on_worker(0), guild_on_worker(0, start=100)]
        for guild in guilds:
            await path.deploy(guild, COUNT)
        await path.wait(lambda: asleep(path) == set(guilds))
        for guild in guilds:
            path.message("up", guild=guild)
        assert await path.wait_contents(2) == ["up 1", "up 1"]


async def test_a_worker_that_dies_takes_no_sleeper_with_it(path: PathUnderTest) -> None:
    await path.deploy("1", COUNT)
    await path.wait(lambda: asleep(path) == {"1"})
    assert path.pod is not None
    pids = path.worker_pids()
    for worker in path.pod._workers:
        worker.kill(reason=worker._ended, detail="the test says so")
    await path.wait(lambda: len(path.worker_pids()) == 2 and not set(pids) & set(path.worker_pids()))
    path.message("hello")
    assert await path.wait_contents(1) == ["hello 1"]
