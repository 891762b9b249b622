"""The console script, the world at start, and SimCord being the right one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
from simulator_kit import Api, Start

from flora_core.errors import InvalidSettings
from flora_core.settings import load
from flora_simulator import DEV_WORLD, Simulator, SimulatorClient, SimulatorSettings, simcord_check
from flora_simulator.errors import AddressInUse, BadWorld, SimcordMismatch
from flora_simulator.world_spec import load_world

TOML = """
token = "secret"
[bot]
id = "42"
name = "robot"
[[guilds]]
id = "1"
name = "one"
owner = "boss"
channels = [{name = "hall", id = "10", topic = "talk"}, {name = "calls", type = "voice"}]
roles = [{name = "staff", permissions = "8"}]
members = [{name = "boss", id = "5"}, {name = "ann", roles = ["staff"], nick = "Annie"}]
[[guilds]]
name = "two"
owner = "boss"
"""


@contextmanager
def running(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "flora_simulator.main", *arguments]
    with subprocess.Popen(
        command,
        text=True,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_the_process_says_where_it_listens_and_stops_on_sigterm(tmp_path: Path) -> None:
    world = tmp_path / "world.toml"
    world.write_text(TOML)
    with running("--port", "0", SIMULATOR_WORLD=str(world)) as process:
        assert process.stdout is not None
        ready = msgspec.json.decode(process.stdout.readline())
        assert ready["event"] == "ready"
        assert ready["gateway"] == ready["url"].replace("http", "ws") + "/gateway"
        async with SimulatorClient(ready["url"]) as people:
            assert (await people.world())["bot"] == {"id": "42", "name": "robot"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert process.stdout.read() == ""


async def test_a_port_in_use_is_one_line_and_exit_code_2(simulator: Simulator) -> None:
    with running("--port", str(simulator.port)) as process:
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 2
        assert errors.startswith(f"flora-simulator: 127.0.0.1:{simulator.port} is in use")
        assert errors.count("\n") == 1


def test_a_wrong_setting_is_one_line_and_exit_code_2() -> None:
    with running(SIMULATOR_PORT="99999") as process:
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 2
        assert errors.startswith("flora-simulator: SIMULATOR_PORT: ")


def test_a_wrong_flag_is_explained() -> None:
    with running("--port", "many") as process:
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 2
        assert "'many' is no port" in errors


async def test_an_address_in_use_leaves_nothing_behind(simulator: Simulator) -> None:
    with pytest.raises(AddressInUse):
        async with Simulator(SimulatorSettings(port=simulator.port)):
            pass


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATOR_RATE_LIMITS", "false")
    monkeypatch.setenv("SIMULATOR_PRIVILEGED_INTENTS", '["members"]')
    settings = load(SimulatorSettings)
    assert settings.rate_limits is False
    assert settings.privileged_intents == {"members"}
    monkeypatch.setenv("SIMULATOR_MAX_CONCURRENCY", "0")
    with pytest.raises(InvalidSettings, match="SIMULATOR_MAX_CONCURRENCY"):
        load(SimulatorSettings)


# ------------------------------------------------------------------- world


async def test_without_a_world_there_is_flora_dev(start: Start, http: aiohttp.ClientSession) -> None:
    simulator = await start(world=DEV_WORLD)
    async with SimulatorClient(simulator.url) as people:
        (guild,) = (await people.world())["guilds"]
        assert (guild["id"], guild["name"], guild["owner"]) == ("100000000000000001", "flora dev", "you")
        act = await people.post("hi")
    message = await Api(simulator, http)("GET", f"/channels/{guild['channels'][0]['id']}/messages/{act.id}")
    assert message.body["author"]["username"] == "you"


async def test_a_world_comes_from_toml(tmp_path: Path, start: Start) -> None:
    path = tmp_path / "world.toml"
    path.write_text(TOML)
    simulator = await start(world=load_world(path))
    assert simulator.token == "secret"
    async with SimulatorClient(simulator.url) as people:
        one, two = (await people.world())["guilds"]
        assert [(c["name"], c["type"]) for c in one["channels"]] == [("hall", 0), ("calls", 2)]
        assert one["members"][0] == {"id": "5", "name": "boss", "bot": False}
        assert two["members"][0]["id"] == "5"


def test_json_says_the_same_as_toml(tmp_path: Path) -> None:
    toml, json = tmp_path / "w.toml", tmp_path / "w.json"
    toml.write_text(TOML)
    json.write_bytes(msgspec.json.encode(load_world(toml)))
    assert load_world(json) == load_world(toml)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("guilds = 1", "array"), ("gilds = []", "gilds"), ("=", "w.toml")],
)
def test_a_world_that_is_none_names_file_and_field(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "w.toml"
    path.write_text(text)
    with pytest.raises(BadWorld, match=complaint):
        load_world(path)


def test_a_world_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadWorld, match="No such file"):
        load_world(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [('id = "1"', 'id = "one"', "guild.id: 'one' is not an id"), ('"staff"]', '"boss"]', "no role boss")],
)
async def test_a_world_that_contradicts_itself_is_refused(
    tmp_path: Path, start: Start, old: str, new: str, complaint: str
) -> None:
    path = tmp_path / "w.toml"
    path.write_text(TOML.replace(old, new))
    with pytest.raises(Exception, match=complaint):
        await start(world=load_world(path))


async def test_the_settings_token_wins(start: Start) -> None:
    assert (await start(token="other")).token == "other"


# ----------------------------------------------------------------- simcord


def test_the_installed_simcord_is_the_right_one() -> None:
    simcord_check.self_test()


def test_another_simcord_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simcord_check, "version", lambda _: "3.3.0")
    monkeypatch.setattr(simcord_check, "routes", list)
    with pytest.raises(
        SimcordMismatch, match=r"3\.3\.0 is installed.*version 3\.2\.1, http\.router\._ROUTES"
    ):
        simcord_check.self_test()
