"""A script that floods its log fills nobody's, and its author is told."""

from __future__ import annotations

import pytest

from flora_runtime import log_rate
from tests.integration.path.path_under_test import PathUnderTest, guild_on_worker

FLOOD = "on('messageCreate', () => { for (let i = 0; i < 500; i++) console.log(`line ${i}`); });"
CALM = "on('messageCreate', async (ctx) => { console.log('calm'); await ctx.reply('calm'); });"


async def test_the_number_of_lines_left_out_is_told(
    path: PathUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_rate, "SECONDS", 0.5)
    await path.deploy("1", FLOOD)
    path.message("x")
    line = await path.wait_log("lines suppressed")
    assert line.text == "400 lines suppressed: a script may write 100 in 0.5 s"
    assert (line.level, line.source) == ("warn", "runtime")
    written = [entry.text for entry in path.operator.logs if entry.text.startswith("line ")]
    assert written == [f"line {number}" for number in range(100)]


async def test_a_neighbours_lines_all_arrive(path: PathUnderTest) -> None:
    flooding, calm = guild_on_worker(0), guild_on_worker(0, start=100)
    await path.deploy(flooding, FLOOD)
    await path.deploy(calm, CALM)
    for _ in range(20):
        path.message("x", guild=flooding)
        path.message("x", guild=calm)
    await path.wait_contents(20)
    await path.wait(lambda: sum(line.guild == calm for line in path.operator.logs) == 20)
    assert sum(line.guild == flooding for line in path.operator.logs) == 100
