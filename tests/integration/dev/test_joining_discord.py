"""``flora dev`` in a Discord that is there already: a simulator that is a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import pytest_asyncio

from flora_simulator import SimulatorClient
from flora_simulator.world_spec import DEV_GUILD, DEV_WORLD, ChannelSpec

EXAMPLE = Path(__file__).parents[3] / "examples" / "basic"
SECONDS = 15.0

pytestmark = pytest.mark.asyncio(loop_scope="module")


def environment(**extra: str) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("DISCORD_", "SIMULATOR_"))
    }
    return {**kept, "NO_COLOR": "1", "FLORA_CONFIG": "", **extra}


class Process:
    """A child that prints a JSON object a line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.seen: list[dict[str, Any]] = []

    @classmethod
    async def start(cls, *arguments: str, **extra: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment(**extra),
        )
        return cls(process)

    async def until(self, event: str, **fields: Any) -> dict[str, Any]:
        assert self.process.stdout is not None
        async with asyncio.timeout(SECONDS):
            while True:
                raw = await self.process.stdout.readline()
                assert raw, f"it ended before {event!r}: {self.seen}"
                self.seen.append(line := msgspec.json.decode(raw))
                if line["event"] == event and all(line.get(key) == value for key, value in fields.items()):
                    return line

    async def stop(self) -> int:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(SECONDS):
            return await self.process.wait()


class Joined:
    """The simulator's people, and the ``flora dev`` that joined them."""

    def __init__(self, people: SimulatorClient, flora: Process) -> None:
        self.people = people
        self.flora = flora

    async def wait_answer(self, text: str) -> None:
        async with asyncio.timeout(SECONDS):
            while not any(
                (message.author, message.content) == ("flora", text)
                for message in await self.people.transcript()
            ):
                await asyncio.sleep(0.02)

    def child(self, module: str) -> psutil.Process:
        children = psutil.Process(self.flora.process.pid).children(recursive=True)
        return next(child for child in children if module in " ".join(child.cmdline()))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def joined() -> AsyncIterator[Joined]:
    """One for all tests here; whatever was said before is still in #general."""
    simulator = await Process.start("flora_simulator.main", "--port", "0")
    flora: Process | None = None
    try:
        url = (await simulator.until("ready"))["url"]
        flora = await Process.start(
            "flora_cli.main",
            *("dev", str(EXAMPLE), "--guild", DEV_GUILD, "--json", "--no-api"),
            DISCORD_TOKEN=DEV_WORLD.token,
            DISCORD_API_URL=f"{url}/api/v10",
        )
        await flora.until("ready")
        async with SimulatorClient(url) as people:
            yield Joined(people, flora)
            assert await flora.stop() == 0
            assert (await people.world())["guilds"], "Discord goes on without us"
    finally:
        for process in (flora, simulator):
            if process is not None:
                await process.stop()


async def test_the_example_answers_a_person_there(joined: Joined) -> None:
    await joined.people.post("!ping one two")
    await joined.wait_answer("pong one two")


async def test_its_slash_commands_are_known_there(joined: Joined) -> None:
    async with asyncio.timeout(SECONDS):
        while len(await joined.people.commands(guild=DEV_GUILD)) < 2:
            await asyncio.sleep(0.02)
    acted = await joined.people.slash("/hello name:Ann")
    (answer,) = (await joined.people.wait(acted.position, kinds=["message"], longest=SECONDS)).actions
    assert (answer.message or {})["content"] == "Hello Ann!"


async def test_no_second_discord_is_started_and_only_the_gateway_knows_the_token(joined: Joined) -> None:
    children = psutil.Process(joined.flora.process.pid).children(recursive=True)
    commands = [" ".join(child.cmdline()) for child in children]
    assert not any("flora_simulator" in command for command in commands)
    assert not any(DEV_WORLD.token in command for command in commands)
    assert joined.child("flora_gateway.main").environ()["DISCORD_TOKEN"] == DEV_WORLD.token
    assert DEV_WORLD.token not in joined.child("flora_runtime").environ().values()


async def test_the_script_of_one_guild_hears_nothing_of_another(joined: Joined) -> None:
    await joined.people.create_guild("elsewhere", channels=[ChannelSpec("far-away")])
    await joined.people.post("!ping far", channel="far-away")
    await joined.people.post("!ping near")
    await joined.wait_answer("pong near")
    far = await joined.people.transcript("far-away")
    assert [message.content for message in far] == ["!ping far"]
