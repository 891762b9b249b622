"""Clients that do as Discord's documentation says lose nothing, whatever breaks in between."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import aiohttp
import pytest
from simulator_kit import GENERAL, PATIENCE, Api, Dialler, Socket, Start

from flora_simulator import Fault, FirehoseOrder, Simulator, SimulatorClient

MESSAGES = f"/channels/{GENERAL}/messages"


class Resumer:
    """A gateway client that comes back with RESUME until it has seen ``wanted`` messages."""

    def __init__(self, simulator: Simulator, dial: Dialler, *, compress: bool = False) -> None:
        self._simulator = simulator
        self._dial = dial
        self._query = {"compress": "zlib-stream"} if compress else {}
        self.numbers: list[int] = []
        self.sequences: list[int] = []
        self.connections = 0
        self._session = ""
        self._url = simulator.gateway_url

    async def run(self, wanted: int) -> None:
        async with asyncio.timeout(4 * PATIENCE):
            while len(self.numbers) < wanted:
                socket = await self._open()
                await self._read(socket, wanted)

    async def _open(self) -> Socket:
        self.connections += 1
        socket = await self._dial(self._url, **self._query)
        token = self._simulator.token
        if self._session:
            last = self.sequences[-1]
            await socket.send(6, {"token": token, "session_id": self._session, "seq": last})
        else:
            await socket.send(2, {"token": token, "intents": 1 << 9 | 1 << 15, "properties": {}})
        return socket

    async def _read(self, socket: Socket, wanted: int) -> None:
        while len(self.numbers) < wanted:
            try:
                payload = await socket.read()
            except (AssertionError, TimeoutError):
                return
            if payload["op"] == 7:
                await socket.ws.close(code=4000)
                return
            if payload["op"] == 0:
                self._take(payload)

    def _take(self, payload: dict[str, Any]) -> None:
        self.sequences.append(payload["s"])
        if payload["t"] == "READY":
            self._session = payload["d"]["session_id"]
            self._url = payload["d"]["resume_gateway_url"]
        elif payload["t"] == "MESSAGE_CREATE":
            self.numbers.append(int(payload["d"]["content"]))


async def disturb(people: SimulatorClient, *, seed: int, times: int) -> None:
    """Cut, close or send away every connection, now and then."""
    chance = random.Random(seed)
    for _ in range(times):
        await asyncio.sleep(chance.uniform(0.01, 0.05))
        how = chance.choice(["drop", "close", "reconnect"])
        if how == "drop":
            await people.drop()
        elif how == "close":
            await people.close_gateway(chance.choice([4000, 4008, 4009]))
        else:
            await people.reconnect()


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
async def test_every_event_arrives_once_and_in_order(
    simulator: Simulator, dial: Dialler, people: SimulatorClient, seed: int, *, compress: bool
) -> None:
    count = 2_000
    client = Resumer(simulator, dial, compress=compress)
    running = asyncio.create_task(client.run(count))
    async with asyncio.timeout(PATIENCE):
        while not await people.sessions():
            await asyncio.sleep(0.01)
    await people.firehose(FirehoseOrder(count=count, rate=4_000.0, content="{n}"))
    await disturb(people, seed=seed, times=8)
    await running
    assert client.numbers == list(range(count))
    assert client.sequences == list(range(1, len(client.sequences) + 1))
    assert client.connections > 1
    stats = await people.stats()
    assert (stats.identifies, stats.resumes_failed, stats.resumes_elsewhere) == (1, 0, 0)
    assert stats.resumes == client.connections - 1


async def test_two_clients_do_not_disturb_each_other(
    simulator: Simulator, dial: Dialler, people: SimulatorClient
) -> None:
    calm, shaken = Resumer(simulator, dial), Resumer(simulator, dial)
    running = [asyncio.create_task(client.run(500)) for client in (calm, shaken)]
    async with asyncio.timeout(PATIENCE):
        while len(await people.sessions()) < 2:
            await asyncio.sleep(0.01)
    victim = (await people.sessions())[1].id
    await people.firehose(FirehoseOrder(count=500, rate=2_000.0, content="{n}"))
    for _ in range(4):
        await asyncio.sleep(0.04)
        await people.drop(victim)
    await asyncio.gather(*running)
    assert calm.numbers == shaken.numbers == list(range(500))
    assert sorted([calm.connections > 1, shaken.connections > 1]) == [False, True]


async def send_surely(api: Api, content: str) -> str:
    """Send with a nonce until there is an answer."""
    order = {"content": content, "nonce": content, "enforce_nonce": True}
    for _ in range(20):
        try:
            answer = await api("POST", MESSAGES, order)
        except aiohttp.ClientConnectionError:
            continue
        if answer.status == 200:
            return answer.body["id"]
        if answer.status == 429:
            await asyncio.sleep(answer.body["retry_after"])
    raise AssertionError(f"{content} did not get through")


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_with_a_nonce_every_message_is_posted_once(
    api: Api, people: SimulatorClient, seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(40):
        await people.add_fault(
            Fault(
                path="/channels/*/messages",
                status=chance.choice([None, 429, 500, 502, 503]),
                reset=chance.random() < 0.3,
                after=chance.random() < 0.5,
                retry_after=0.01,
                scope=chance.choice(["user", "shared", "global"]),
                delay=chance.choice([0.0, 0.01]),
            )
        )
    ids = await asyncio.gather(*(send_surely(api, f"m{number}") for number in range(30)))
    lines = await people.transcript(limit=200)
    assert sorted(line.content for line in lines) == sorted(f"m{number}" for number in range(30))
    assert sorted(line.id for line in lines) == sorted(ids)
    assert (await people.stats()).positions == 30


async def test_without_a_nonce_a_lost_answer_costs_a_second_message(
    api: Api, people: SimulatorClient
) -> None:
    await people.add_fault(Fault(after=True, status=500, method="POST"))
    for _ in range(2):
        await api("POST", MESSAGES, content="x")
    assert len(await people.transcript()) == 2


async def test_a_client_that_waits_as_told_is_never_refused(
    start: Start, http: aiohttp.ClientSession
) -> None:
    simulator = await start(rate_limits=True)
    api = Api(simulator, http)
    message = (await api("POST", MESSAGES, content="x")).body["id"]
    for emoji in "abcde":
        answer = await api("PUT", f"{MESSAGES}/{message}/reactions/{emoji}/@me")
        assert answer.status == 204
        if answer.headers["X-RateLimit-Remaining"] == "0":
            await asyncio.sleep(float(answer.headers["X-RateLimit-Reset-After"]))


async def test_a_gateway_that_was_down_loses_nothing(
    simulator: Simulator, dial: Dialler, people: SimulatorClient
) -> None:
    socket = await dial(simulator.gateway_url)
    await socket.identify(simulator.token)
    await socket.until("GUILD_CREATE")
    await people.set_gateway(accept=False)
    await people.drop()
    await people.post("while down")
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await dial(socket.resume_url)
    await people.set_gateway(accept=True)
    again = await dial(socket.resume_url)
    order = {"token": simulator.token, "session_id": socket.session, "seq": socket.sequence}
    await again.send(6, order)
    assert (await again.until("MESSAGE_CREATE"))["content"] == "while down"
    await again.until("RESUMED")
