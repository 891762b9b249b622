"""A script that goes over its limits again and again runs no more, until it is deployed anew."""

from __future__ import annotations

from prometheus_client import REGISTRY

from flora_core.wire.control import Failed, Limits, Outcome
from tests.integration.path.path_under_test import PathUnderTest, guild_on_worker

LOOP = (
    "on('messageCreate', async (ctx) => {"
    " if (ctx.msg.content === 'loop') for (;;); await ctx.reply(`ok ${ctx.msg.content}`); });"
)
LIMITS = Limits(cpu_milliseconds=20)


def quarantined_events() -> float:
    labels = {"type": "MESSAGE_CREATE", "reason": "quarantined"}
    return REGISTRY.get_sample_value("flora_runtime_events_dropped_total", labels) or 0.0


async def go_over(path: PathUnderTest, times: int, *, guild: str = "1") -> None:
    """Make the script loop for ever, so many times."""
    for _ in range(times):
        told = sum("used more than 20 ms" in line.text for line in path.operator.logs)
        path.message("loop", guild=guild)
        await path.wait(
            lambda told=told: sum("used more than 20 ms" in line.text for line in path.operator.logs) > told
        )


async def test_after_three_times_nothing_runs_and_its_author_is_told(path: PathUnderTest) -> None:
    await path.deploy("1", LOOP, limits=LIMITS)
    await go_over(path, 2)
    path.message("twice is not enough")
    assert await path.wait_contents(1) == ["ok twice is not enough"]
    await go_over(path, 1)
    line = await path.wait_log("quarantined until the next deploy")
    assert (line.level, line.outcome) == ("error", Outcome.EXCEEDED_CPU)
    (report,) = [report for report in path.operator.reports if isinstance(report, Failed)]
    assert "3 times in 10 minutes" in report.error.message
    before = quarantined_events()
    path.message("anybody there")
    await path.wait(lambda: quarantined_events() > before)
    assert path.discord.contents == ["ok twice is not enough"]


async def test_a_deploy_ends_it(path: PathUnderTest) -> None:
    await path.deploy("1", LOOP, limits=LIMITS)
    await go_over(path, 3)
    await path.wait_log("quarantined")
    await path.deploy("1", LOOP + "// mended", limits=LIMITS)
    path.message("hello")
    assert await path.wait_contents(1) == ["ok hello"]
    await go_over(path, 2)
    path.message("counted anew")
    assert (await path.wait_contents(2))[-1] == "ok counted anew"


async def test_neighbours_of_the_same_worker_are_not_affected(path: PathUnderTest) -> None:
    bad, good = guild_on_worker(0), guild_on_worker(0, start=100)
    await path.deploy(bad, LOOP, limits=LIMITS)
    await path.deploy(good, LOOP, limits=LIMITS)
    await go_over(path, 3, guild=bad)
    await path.wait_log("quarantined")
    path.message("hello", guild=good)
    assert await path.wait_contents(1) == ["ok hello"]


async def test_ordinary_errors_do_not_count(path: PathUnderTest) -> None:
    await path.deploy(
        "1",
        "on('messageCreate', async (ctx) => {"
        " if (ctx.msg.content === 'throw') throw new Error('oh'); await ctx.reply('ok'); });",
    )
    for _ in range(10):
        path.message("throw")
    path.message("hello")
    assert await path.wait_contents(1) == ["ok"]
