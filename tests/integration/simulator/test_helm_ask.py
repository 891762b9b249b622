"""The chart's files/ask.py, as ``helm test`` runs it, against a simulator with and without a bot that answers."""

from __future__ import annotations

import asyncio
import runpy
import sys
from pathlib import Path

import pytest
from simulator_kit import Api

from flora_simulator import Simulator, SimulatorClient

SCRIPT = Path(__file__).parents[3] / "charts" / "flora" / "files" / "ask.py"
GUILD = "100000000000009001"
SCRIPT_OF_THE_GUILD = SCRIPT.parents[1] / "templates" / "tests" / "ask.yaml"


async def ask(simulator: Simulator, *, seconds: float) -> tuple[int | None, str]:
    """Exit code, and what it printed."""
    command = [sys.executable, "-I", str(SCRIPT), simulator.url, GUILD, str(seconds)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(30):
        printed, _ = await process.communicate()
    return process.returncode, printed.decode()


async def answer(people: SimulatorClient, api: Api, content: str) -> None:
    """Play the bot: answer the first question in the guild."""
    while True:
        for guild in (await people.world())["guilds"]:
            if guild["id"] == GUILD:
                channel = guild["channels"][0]["id"]
                if await people.transcript(channel):
                    await api("POST", f"/channels/{channel}/messages", content=content)
                    return
        await asyncio.sleep(0.05)


async def test_an_answer_is_what_it_waits_for(
    simulator: Simulator, people: SimulatorClient, api: Api
) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(answer(people, api, "helm-test ok"))
        asked = tasks.create_task(ask(simulator, seconds=20))
    code, printed = asked.result()
    assert (code, printed.splitlines()[-1]) == (0, f"guild {GUILD} answered")


async def test_no_answer_fails_and_says_where_to_look(simulator: Simulator) -> None:
    code, printed = await ask(simulator, seconds=0.5)
    assert code == 1
    assert "no bot is connected yet" in printed
    assert f"kubectl describe gd guild-{GUILD}" in printed


async def test_another_answer_is_none(simulator: Simulator, people: SimulatorClient, api: Api) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(answer(people, api, "something else"))
        asked = tasks.create_task(ask(simulator, seconds=0.5))
    assert asked.result()[0] == 1


async def test_a_simulator_that_is_not_there_yet_is_waited_for(simulator: Simulator) -> None:
    await simulator.close()
    code, printed = await ask(simulator, seconds=1.5)
    assert code == 1
    assert printed.count("Connection refused") >= 1


@pytest.mark.parametrize("name", ["QUESTION", "ANSWER"])
def test_the_script_that_is_deployed_knows_question_and_answer(name: str) -> None:
    assert f'"{runpy.run_path(str(SCRIPT))[name]}"' in SCRIPT_OF_THE_GUILD.read_text()
