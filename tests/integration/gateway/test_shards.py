"""Shards against a Discord that drops, invalidates, stays silent and talks nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from pydantic import SecretStr

from flora_core.errors import InvalidSettings
from flora_gateway.settings import DiscordSettings
from flora_gateway.shards import launch
from flora_gateway.shards.launch import Shards
from flora_gateway.shards.sessions import FileSessionStore, Session
from flora_gateway.shards.shard import Dispatch, ShardRefused
from flora_simulator import DEV_GUILD, Fault, Simulator, SimulatorClient, SimulatorSettings

PATIENCE = 15.0


class GatewaySide:
    """Shards, and everything they handed on."""

    def __init__(
        self, simulator: Simulator, folder: Path, *, token: str | None = None, count: int = 0
    ) -> None:
        self.events: list[Dispatch] = []
        self.store = FileSessionStore(folder)
        settings = DiscordSettings(token=SecretStr(token or simulator.token), shard_count=count)
        self.shards = Shards(settings, api_url=simulator.api_url, on_dispatch=self._take)
        self.acknowledging = True
        self._running: asyncio.Task[None] | None = None

    def _take(self, event: Dispatch) -> None:
        self.events.append(event)
        if self.acknowledging:
            event.low_water.passed(event.sequence)
        else:
            event.low_water.opened(event.sequence)

    async def start(self) -> None:
        await self.shards.log_in()
        self._running = asyncio.create_task(self.shards.run(self.store))
        await self.wait(lambda: self.shards.not_serving() is None)

    async def vanish(self) -> None:
        """As kill -9: no goodbye, and nothing written that was not written before."""
        await self._cancel()
        for shard in self.shards._shards:
            assert shard._socket is not None
            shard._socket.stop()
            connection = shard._socket.socket._response.connection
            assert connection is not None
            assert connection.transport is not None
            connection.transport.abort()
            connection.close()
        await self.shards._client.http.close()

    async def leave(self) -> None:
        await self.shards.leave()
        await self._cancel()
        await self.shards.end()

    async def _cancel(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError, ShardRefused):
                await self._running

    def contents(self) -> list[str]:
        return [
            msgspec.json.decode(event.data)["content"]
            for event in self.events
            if event.type == "MESSAGE_CREATE"
        ]

    def types(self) -> list[str]:
        return [event.type for event in self.events]

    async def wait(self, ready: object) -> None:
        assert callable(ready)
        async with asyncio.timeout(PATIENCE):
            while not ready():
                await asyncio.sleep(0.01)

    async def wait_contents(self, count: int) -> list[str]:
        await self.wait(lambda: len(self.contents()) >= count)
        return self.contents()


@pytest.fixture
async def gateway(simulator: Simulator, tmp_path: Path) -> AsyncIterator[GatewaySide]:
    side = GatewaySide(simulator, tmp_path)
    await side.start()
    yield side
    await side.leave()


async def test_what_is_missing_is_said_until_every_shard_was_connected(
    simulator: Simulator, tmp_path: Path
) -> None:
    side = GatewaySide(simulator, tmp_path, count=2)
    assert side.shards.not_serving() == "not logged in at Discord yet"
    await side.start()
    one, other = side.shards._shards
    one.connected = False
    assert side.shards.not_serving() is None, "Discord has shards dial again every now and then"
    other.connected = False
    assert side.shards.not_serving() == "no shard is connected"
    one.connected = other.connected = True
    other.was_connected = False
    assert side.shards.not_serving() == "1 of 2 shards have not connected yet"
    await side.leave()


async def test_guilds_are_listed_page_by_page_whatever_discord_answers_meanwhile(
    simulator: Simulator, people: SimulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "GUILDS_A_PAGE", 3)
    made = [await people.create_guild(f"guild {number}") for number in range(5)]
    side = GatewaySide(simulator, tmp_path)
    await side.start()
    await people.add_fault(Fault(path="/users/@me/guilds", times=1, status=503))
    assert await side.shards.list_guilds() == [DEV_GUILD, *made]
    await side.leave()


async def test_events_come_raw_and_in_order(gateway: GatewaySide, people: SimulatorClient) -> None:
    for number in range(5):
        await people.post(str(number))
    assert await gateway.wait_contents(5) == ["0", "1", "2", "3", "4"]
    assert gateway.types()[:2] == ["READY", "GUILD_CREATE"]
    sequences = [event.sequence for event in gateway.events]
    assert sequences == list(range(1, len(sequences) + 1))


async def test_a_dropped_connection_is_resumed_without_loss(
    gateway: GatewaySide, people: SimulatorClient
) -> None:
    await people.post("before")
    await gateway.wait_contents(1)
    await people.drop()
    await people.post("meanwhile")
    assert await gateway.wait_contents(2) == ["before", "meanwhile"]
    stats = await people.stats()
    assert (stats.identifies, stats.resumes) == (1, 1)


async def test_when_discord_asks_to_reconnect_we_do(gateway: GatewaySide, people: SimulatorClient) -> None:
    await people.reconnect()
    await people.post("after")
    assert await gateway.wait_contents(1) == ["after"]
    assert (await people.stats()).resumes == 1


async def test_an_invalidated_session_is_given_up_for_a_new_one(
    gateway: GatewaySide, people: SimulatorClient
) -> None:
    await people.invalidate()
    await gateway.wait(lambda: gateway.types().count("READY") == 2)
    await people.post("in the new session")
    assert await gateway.wait_contents(1) == ["in the new session"]


async def test_a_session_that_may_be_resumed_is(gateway: GatewaySide, people: SimulatorClient) -> None:
    await people.invalidate(resumable=True)
    await people.post("same session")
    assert await gateway.wait_contents(1) == ["same session"]
    assert gateway.types().count("READY") == 1


async def test_a_gateway_that_leaves_is_resumed_by_the_next_process(
    simulator: Simulator, people: SimulatorClient, tmp_path: Path
) -> None:
    first = GatewaySide(simulator, tmp_path)
    await first.start()
    await people.post("one")
    await first.wait_contents(1)
    await first.leave()
    await people.post("two")
    second = GatewaySide(simulator, tmp_path)
    await second.start()
    assert await second.wait_contents(1) == ["two"]
    assert "READY" not in second.types()
    stats = await people.stats()
    assert (stats.identifies, stats.resumes) == (1, 1)
    await second.leave()


async def test_a_gateway_that_leaves_says_so_even_while_events_come(
    simulator: Simulator, people: SimulatorClient, tmp_path: Path
) -> None:
    for round_ in range(1, 11):
        side = GatewaySide(simulator, tmp_path)
        await side.start()
        talking = asyncio.create_task(say_much(people))
        await side.wait_contents(3)
        await side.leave()
        await talking
        closes = (await people.stats()).closes
        assert closes == {"4000": round_}, "a connection that is just cut looks like a crash"


async def say_much(people: SimulatorClient) -> None:
    for number in range(30):
        await people.post(str(number))


async def test_after_a_crash_what_no_pod_had_acknowledged_comes_again(
    simulator: Simulator, people: SimulatorClient, tmp_path: Path
) -> None:
    first = GatewaySide(simulator, tmp_path)
    await first.start()
    await people.post("safe")
    await first.wait_contents(1)
    await asyncio.sleep(0.6)  # two saves
    first.acknowledging = False
    for name in ("unsafe 1", "unsafe 2"):
        await people.post(name)
    await first.wait_contents(3)
    await asyncio.sleep(0.6)
    await first.vanish()
    second = GatewaySide(simulator, tmp_path)
    await second.start()
    assert await second.wait_contents(2) == ["unsafe 1", "unsafe 2"]
    assert {event.session for event in first.events} == {event.session for event in second.events}
    await second.leave()


async def test_a_session_of_another_shard_count_is_not_resumed(simulator: Simulator, tmp_path: Path) -> None:
    store = FileSessionStore(tmp_path)
    await store.save(0, Session("gone", simulator.gateway_url, 5, shard_count=9))
    side = GatewaySide(simulator, tmp_path)
    await side.start()
    assert side.types()[0] == "READY"
    await side.leave()


async def test_a_session_discord_has_forgotten_costs_one_identify(
    simulator: Simulator, tmp_path: Path
) -> None:
    store = FileSessionStore(tmp_path)
    await store.save(0, Session("forgotten", simulator.gateway_url, 5, shard_count=1))
    side = GatewaySide(simulator, tmp_path)
    await side.start()
    await side.wait(lambda: "READY" in side.types())
    await side.leave()


async def test_the_host_a_session_names_may_be_gone(simulator: Simulator, tmp_path: Path) -> None:
    store = FileSessionStore(tmp_path)
    await store.save(0, Session("x", "ws://127.0.0.1:1/", 5, shard_count=1))
    side = GatewaySide(simulator, tmp_path)
    await side.start()
    assert side.types()[0] == "READY"
    await side.leave()


async def test_a_connection_whose_heartbeats_are_not_acknowledged_is_replaced(tmp_path: Path) -> None:
    settings = SimulatorSettings(port=0, identify_window_secs=0, heartbeat_interval_secs=0.3)
    async with Simulator(settings) as simulator, SimulatorClient(simulator.url) as people:
        side = GatewaySide(simulator, tmp_path)
        await side.start()
        await people.set_gateway(acks=False)

        async def resumed() -> bool:
            return (await people.stats()).resumes > 0

        async with asyncio.timeout(PATIENCE):
            while not await resumed():
                await asyncio.sleep(0.05)
        await people.set_gateway(acks=True)
        await people.post("alive")
        assert await side.wait_contents(1) == ["alive"]
        await side.leave()


async def test_several_shards_share_the_guilds(tmp_path: Path) -> None:
    settings = SimulatorSettings(port=0, identify_window_secs=0, shards=3, max_concurrency=3)
    async with Simulator(settings) as simulator, SimulatorClient(simulator.url) as people:
        side = GatewaySide(simulator, tmp_path)
        await side.start()
        for guild in (1 << 22, 2 << 22, 3 << 22):
            await people.create_guild(f"g{guild}", guild_id=str(guild))
        await side.wait(lambda: side.types().count("GUILD_CREATE") == 4)
        by_shard = {
            event.shard: msgspec.json.decode(event.data)["id"]
            for event in side.events
            if event.type == "GUILD_CREATE"
        }
        assert all((int(guild) >> 22) % 3 == shard for shard, guild in by_shard.items())
        assert len(by_shard) == 3
        await side.leave()


async def test_a_token_discord_does_not_know_names_the_setting(simulator: Simulator, tmp_path: Path) -> None:
    side = GatewaySide(simulator, tmp_path, token="wrong")
    with pytest.raises(InvalidSettings, match="DISCORD_TOKEN"):
        await side.shards.log_in()
    await side.shards.end()


def open_sessions() -> int:
    return sum(isinstance(thing, aiohttp.ClientSession) and not thing.closed for thing in gc.get_objects())


async def test_logins_that_fail_leave_no_session_open(
    simulator: Simulator, people: SimulatorClient, tmp_path: Path
) -> None:
    """An API that is away for hours would cost a session every thirty seconds."""
    side = GatewaySide(simulator, tmp_path)
    before = open_sessions()
    await people.add_fault(Fault(path="/users/@me", times=2, status=403))
    await people.add_fault(Fault(path="/oauth2/applications/@me", times=1, status=403))
    await side.shards.log_in()
    assert open_sessions() == before + 1
    await side.shards.end()
    assert open_sessions() == before


async def test_intents_that_were_not_granted_say_what_to_do(tmp_path: Path) -> None:
    settings = SimulatorSettings(port=0, identify_window_secs=0, privileged_intents=frozenset())
    async with Simulator(settings) as simulator:
        side = GatewaySide(simulator, tmp_path)
        await side.shards.log_in()
        with pytest.raises(ShardRefused, match="DISCORD_PRIVILEGED_INTENTS=false"):
            await asyncio.wait_for(side.shards.run(side.store), PATIENCE)
        await side.shards.end()


async def test_a_gateway_that_talks_nonsense_is_left_and_tried_again(tmp_path: Path) -> None:
    dials: list[int] = []

    async def nonsense(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        dials.append(1)
        await socket.send_bytes(b"\x00garbage\x00\x00\xff\xff" if len(dials) % 2 else b"not even that")
        await socket.send_str('{"op":0}')
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/gateway", nonsense)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    settings = SimulatorSettings(port=0, identify_window_secs=0)
    async with Simulator(settings) as simulator:
        store = FileSessionStore(tmp_path)
        url = f"ws://127.0.0.1:{runner.addresses[0][1]}/gateway"
        await store.save(0, Session("x", url, 5, shard_count=1))
        side = GatewaySide(simulator, tmp_path)
        await side.start()
        assert side.types()[0] == "READY"
        assert len(dials) >= 2
        await side.leave()
    await runner.cleanup()
