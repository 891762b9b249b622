"""Jobs by the clock, from the script that declares them to the run that it handles."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from flora_core.wire.control import Failed, Outcome
from tests.integration.path.path_under_test import PathUnderTest

pytestmark = pytest.mark.parity(23, 58, 59)

EVERY_SECOND = "'* * * * * *'"


def count(path: PathUnderTest, text: str) -> int:
    return sum(text in line.text for line in path.operator.logs)


async def wait_lines(path: PathUnderTest, text: str, lines: int) -> None:
    await path.wait(lambda: count(path, text) >= lines)


async def test_a_job_runs_with_its_name_and_its_time(path: PathUnderTest) -> None:
    await path.deploy(
        "1",
        f"cron('tick', {EVERY_SECOND}, ({{ name, scheduledAt, msg }}) => "
        "console.log('ran', name, scheduledAt.length, msg.name === name));",
    )
    await wait_lines(path, "ran tick 20 true", 2)


async def test_a_run_leaves_a_line_in_the_log(path: PathUnderTest) -> None:
    await path.deploy("1", f"cron('tick', {EVERY_SECOND}, () => {{}});")
    await wait_lines(path, "the job tick ran: ok after ", 1)
    (line, *_) = [line for line in path.operator.logs if "the job tick ran" in line.text]
    assert (line.level, line.source, line.event, line.outcome) == (
        "debug",
        "runtime",
        "cron tick",
        Outcome.OK,
    )


async def test_a_job_can_write_and_keep(path: PathUnderTest) -> None:
    await path.deploy(
        "1",
        f"cron('tick', {EVERY_SECOND}, async () => console.log(`sum ${{await kv.store('s').incr('n')}}`));",
    )
    await wait_lines(path, "sum 2", 1)


async def test_a_job_has_no_channel_to_answer_in(path: PathUnderTest) -> None:
    await path.deploy(
        "1",
        f"cron('tick', {EVERY_SECOND}, async (ctx) => {{ await ctx.reply('x').catch((e) => console.log(e.code)); }});",
    )
    await wait_lines(path, "INVALID_INPUT", 1)


async def test_a_run_that_throws_is_told_and_the_next_one_comes(path: PathUnderTest) -> None:
    await path.deploy("1", f"cron('tick', {EVERY_SECOND}, () => {{ throw new Error('not today'); }});")
    await wait_lines(path, "Error: not today", 2)


async def test_a_run_is_left_out_while_the_one_before_goes_on(path: PathUnderTest) -> None:
    never = "() => new Promise(() => {{ console.log('began {0}'); }})"
    await path.deploy(
        "1",
        f"cron('one', {EVERY_SECOND}, {never.format('one')}, {{ skipIfRunning: true }});"
        f"cron('many', {EVERY_SECOND}, {never.format('many')});",
    )
    await wait_lines(path, "began many", 3)
    assert count(path, "began one") == 1


async def test_a_run_that_takes_too_long_is_no_longer_waited_for(tmp_path: Path) -> None:
    async with PathUnderTest(tmp_path, cron_timeout_secs=1) as path:
        await path.deploy("1", f"cron('tick', {EVERY_SECOND}, () => new Promise(() => {{}}));")
        line = await path.wait_log("a handler had not finished after 1 s")
        assert line.outcome == Outcome.CANCELED


async def test_a_deploy_that_fails_leaves_the_jobs_of_the_old_script(path: PathUnderTest) -> None:
    await path.deploy("1", f"cron('tick', {EVERY_SECOND}, () => console.log('old'));")
    path.operator.deploy("1", "cron('tick', '* * * * *', () => {}); throw new Error('boom');")
    await path.wait(lambda: [report for report in path.operator.reports if isinstance(report, Failed)])
    path.operator.logs.clear()
    await wait_lines(path, "old", 2)


async def test_a_deploy_replaces_the_jobs(path: PathUnderTest) -> None:
    await path.deploy("1", f"cron('old', {EVERY_SECOND}, () => console.log('old'));")
    await wait_lines(path, "old", 1)
    await path.deploy("1", f"cron('new', {EVERY_SECOND}, () => console.log('new'));")
    path.operator.logs.clear()
    await wait_lines(path, "new", 2)
    assert count(path, "old") <= 1


async def test_a_job_outlives_its_worker(path: PathUnderTest) -> None:
    await path.deploy("1", f"cron('tick', {EVERY_SECOND}, () => console.log('ran'));")
    await wait_lines(path, "ran", 1)
    for pid in path.worker_pids():
        os.kill(pid, signal.SIGKILL)
    path.operator.logs.clear()
    await wait_lines(path, "ran", 2)


async def test_the_plan_outlives_the_pod(path: PathUnderTest, tmp_path: Path) -> None:
    await path.deploy("1", "cron('yearly', '@yearly', () => {});")
    file = tmp_path / "crons" / "1.json"
    await path.wait(file.exists)
    before = file.read_bytes()
    await path.stop_pod()
    await path.start_pod()
    await path.deploy("1", "cron('yearly', '@yearly', () => {}); // again")
    await asyncio.sleep(0.05)
    assert file.read_bytes() == before


async def test_a_released_guild_takes_its_plan_along(path: PathUnderTest, tmp_path: Path) -> None:
    await path.deploy("1", "cron('yearly', '@yearly', () => {});")
    file = tmp_path / "crons" / "1.json"
    await path.wait(file.exists)
    path.operator.state.release("1")
    await path.wait(lambda: not file.exists())


@pytest.mark.parametrize(
    ("declaration", "text"),
    [
        ("cron('', '* * * * *', () => {})", "TypeError: cron name must be a non-empty string"),
        ("cron('a', '', () => {})", "TypeError: cron expression must be a non-empty string"),
        ("cron('a', '* * * * *')", "TypeError: cron handler must be a function"),
        ("cron('a', '* * * *', () => {})", "invalid cron expression '* * * *': it has 4 fields"),
        ("cron('a', '61 * * * *', () => {})", "'61' is no minute (0-59)"),
        (
            "for (let i = 0; i < 2; i++) cron('a', '* * * * *', () => {})",
            "cron job with name 'a' already exists",
        ),
        ("for (let i = 0; i < 33; i++) cron(`${i}`, '* * * * *', () => {})", "max cron jobs exceeded"),
    ],
)
async def test_a_wrong_job_fails_the_deploy_where_it_stands(
    path: PathUnderTest, declaration: str, text: str
) -> None:
    path.operator.deploy("1", declaration)
    (report,) = await path.wait(lambda: [r for r in path.operator.reports if isinstance(r, Failed)])
    assert text in report.error.message


async def test_a_job_without_a_future_is_told_of(path: PathUnderTest) -> None:
    await path.deploy("1", "cron('never', '0 0 30 2 *', () => {});")
    line = await path.wait_log("cron 'never' (0 0 30 2 *) has no future occurrences")
    assert (line.level, line.source) == ("error", "runtime")
