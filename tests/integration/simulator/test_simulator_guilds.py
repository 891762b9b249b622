"""One guild among many, as tests of a fleet use it: messages in, numbered answers out, from another machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from simulator_kit import Api, Dialler, Start
from test_simulator_process import running

from flora_core.errors import InvalidSettings
from flora_core.settings import load
from flora_simulator import Simulator, SimulatorClient, SimulatorRefused, SimulatorSettings
from flora_simulator.errors import BadWorld
from flora_simulator.server import chosen_world
from flora_simulator.world_spec import DEV_USER, DEV_WORLD, world_of

ONE, TWO = "100000000000000011", "100000000000000012"


@pytest.fixture
async def simulator(start: Start) -> Simulator:
    """Two guilds, each with a channel #general."""
    return await start(world=world_of([ONE, TWO]))


@pytest.fixture
async def channels(people: SimulatorClient) -> dict[str, str]:
    """The #general of each guild."""
    return {guild["id"]: guild["channels"][0]["id"] for guild in (await people.world())["guilds"]}


async def reply(api: Api, channel: str, content: str, **fields: Any) -> str:
    answer = await api("POST", f"/channels/{channel}/messages", content=content, **fields)
    assert answer.status == 200
    return answer.body["id"]


async def test_guilds_from_the_settings_have_a_channel_and_an_owner(people: SimulatorClient) -> None:
    guilds = (await people.world())["guilds"]
    assert [guild["id"] for guild in guilds] == [ONE, TWO]
    assert {guild["owner"] for guild in guilds} == {"you"}
    assert [channel["name"] for guild in guilds for channel in guild["channels"]] == ["general"] * 2


async def test_a_message_in_a_guild_gets_its_numbered_answer(
    people: SimulatorClient, api: Api, channels: dict[str, str]
) -> None:
    posted = await people.post_in(TWO, "!ping")
    (line,) = await people.transcript(channels[TWO])
    assert (line.id, line.content, line.author_id) == (posted.id, "!ping", DEV_USER)
    reference = {"message_id": posted.id, "channel_id": channels[TWO]}
    id_ = await reply(api, channels[TWO], "pong", message_reference=reference)
    await reply(api, channels[ONE], "elsewhere")
    found = await people.answers(TWO, after=posted.position)
    (answer,) = found.answers
    assert (answer.id, answer.content, answer.channel) == (id_, "pong", channels[TWO])
    assert answer.reply_to == posted.id
    assert answer.position == posted.position + 1
    assert found.missed == 0
    assert (await people.answers(TWO, after=found.position)).answers == []


async def test_waiting_ends_with_as_many_answers_as_are_wanted(
    people: SimulatorClient, api: Api, channels: dict[str, str]
) -> None:
    waiting = asyncio.create_task(people.answers(ONE, count=3, longest=20))
    for number in range(3):
        await asyncio.sleep(0.02)
        await reply(api, channels[TWO], "elsewhere")
        await reply(api, channels[ONE], str(number))
    async with asyncio.timeout(5):
        found = await waiting
    assert [answer.content for answer in found.answers] == ["0", "1", "2"]


async def test_waiting_ends_with_its_time(
    people: SimulatorClient, api: Api, channels: dict[str, str]
) -> None:
    await reply(api, channels[ONE], "only one")
    began = time.monotonic()
    found = await people.answers(ONE, count=2, longest=0.3)
    assert 0.25 < time.monotonic() - began < 3
    assert [answer.content for answer in found.answers] == ["only one"]


async def test_a_journal_that_is_too_short_says_how_much_it_lost(start: Start) -> None:
    simulator = await start(world=world_of([ONE]), journal_entries=3)
    async with aiohttp.ClientSession() as session, SimulatorClient(simulator.url) as people:
        (guild,) = (await people.world())["guilds"]
        for number in range(5):
            await reply(Api(simulator, session), guild["channels"][0]["id"], str(number))
        found = await people.answers(ONE)
    assert ([answer.content for answer in found.answers], found.missed) == (["2", "3", "4"], 2)


async def test_a_channel_or_a_user_of_the_guild_may_be_named(
    people: SimulatorClient, channels: dict[str, str]
) -> None:
    second = await people.create_channel(ONE, "second")
    await people.add_member(ONE, "ann")
    for ref in ("second", "#second", second):
        await people.post_in(ONE, f"by {ref}", channel=ref, user="ann")
    assert {line.author for line in await people.transcript(second)} == {"ann"}
    with pytest.raises(SimulatorRefused, match="there is no channel"):
        await people.post_in(ONE, "x", channel=channels[TWO])
    with pytest.raises(SimulatorRefused, match="there is no guild"):
        await people.post_in("404", "x")


# ------------------------------------------------------------------ as a process of its own


@pytest.fixture
async def alone() -> AsyncIterator[str]:
    """The URL of one that was started as a pod is: by its environment."""
    variables = {
        "SIMULATOR_HOST": "0.0.0.0",
        "SIMULATOR_PORT": "0",
        "SIMULATOR_CONTROL": "open",
        "SIMULATOR_GUILDS": f"{ONE}, {TWO}",
        "SIMULATOR_TOKEN": "of-the-cluster",
        "SIMULATOR_IDENTIFY_WINDOW_SECS": "0",
    }
    with running(**variables) as process:
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        yield line.partition('"url":"')[2].partition('"')[0]


async def test_as_a_pod_it_answers_other_machines_under_its_service_name(
    alone: str, http: aiohttp.ClientSession
) -> None:
    headers = {"Host": "flora-simulator:8410"}
    for path in ("/healthz", "/readyz", "/control/world"):
        async with http.get(alone + path, headers=headers) as response:
            assert response.status == 200
    async with http.post(
        f"{alone}/control/guilds/{ONE}/messages", json={"content": "!ping"}, headers=headers
    ) as response:
        assert (await response.json())["listeners"] == 0


async def test_the_gateway_is_where_the_client_reached_the_rest_of_it(
    alone: str, http: aiohttp.ClientSession, dial: Dialler
) -> None:
    headers = {"Host": "flora-simulator:8410", "Authorization": "Bot of-the-cluster"}
    async with http.get(f"{alone}/api/v10/gateway/bot", headers=headers) as response:
        assert (await response.json())["url"] == "ws://flora-simulator:8410/gateway"
    socket = await dial(alone.replace("http", "ws") + "/gateway")
    await socket.identify("of-the-cluster")
    assert (await socket.until("GUILD_CREATE"))["id"] == ONE


async def test_unless_told_otherwise_it_answers_this_machine_alone(
    people: SimulatorClient, simulator: Simulator, http: aiohttp.ClientSession
) -> None:
    headers = {"Host": "flora-simulator:8410"}
    async with http.get(f"{simulator.url}/control/guilds/{ONE}/answers", headers=headers) as response:
        assert response.status == 403
        assert "SIMULATOR_CONTROL=open" in (await response.json())["message"]
    async with http.get(f"{simulator.url}/healthz", headers=headers) as response:
        assert response.status == 200
    assert (await people.answers(ONE)).answers == []


# ------------------------------------------------------------------ settings


def test_a_world_file_goes_before_guilds_and_without_either_there_is_flora_dev() -> None:
    assert chosen_world(SimulatorSettings()) is DEV_WORLD
    assert [guild.id for guild in chosen_world(SimulatorSettings(guilds=f"{ONE} {TWO}")).guilds] == [ONE, TWO]


@pytest.mark.parametrize("guilds", ["abc", "-1", f"{ONE},{ONE}"])
async def test_guilds_that_are_none_stop_the_start(guilds: str) -> None:
    with pytest.raises(BadWorld):
        async with Simulator(SimulatorSettings(port=0, guilds=guilds)):
            pass


def test_who_is_answered_is_one_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATOR_CONTROL", "everybody")
    with pytest.raises(InvalidSettings, match="SIMULATOR_CONTROL"):
        load(SimulatorSettings)
