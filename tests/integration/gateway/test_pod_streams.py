"""What pods see of the gateway over real sockets: hello, frames, one stream a pod, ops taken once, the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import msgspec
import pytest
from msgspec import Raw
from prometheus_client import REGISTRY

from flora_core.errors import FloraError
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.streams import Token, make_session, read_stream
from flora_core.wire.gateway import Ack, Beat, Event, Hello, Op, Result, Subscribe, downstream, upstream
from flora_gateway import server as gateway_server
from flora_gateway.fanout.hub import Hub
from flora_gateway.rest import ScopeMap
from flora_gateway.server import GatewayServer
from flora_gateway.shards.sessions import LowWater
from flora_gateway.shards.shard import Dispatch
from tests.integration.loopback import listening
from tests.waiting import until

POD, OTHER = "flora-runtime-0", "flora-runtime-1"
TOKENS = {POD: "token-0", OTHER: "token-1"}
ROUTES = {"1": POD, "2": OTHER}
PATIENCE = 5.0


class Discord:
    """Answers calls when the test says so."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.done: list[Callable[[bool, bytes], None]] = []

    def execute(self, op: Op, done: Callable[[bool, bytes], None]) -> None:
        self.ops.append(op)
        self.done.append(done)


class GatewayUnderTest:
    """A hub and its server."""

    def __init__(self) -> None:
        self.trouble: str | None = None
        self.discord = Discord()
        self.hub = Hub(
            pod_of=ROUTES.get,
            all_pods=lambda: set(ROUTES.values()),
            scope=ScopeMap(),
            byte_limit=1 << 20,
            guild_limit=100,
        )
        self.hub.know_bot("3")
        identities = StaticIdentities(
            {token: Identity(Role.RUNTIME, pod) for pod, token in TOKENS.items()}
            | {"gateway": Identity(Role.GATEWAY)}
        )
        self.starting = False
        self.server = GatewayServer(
            self.hub,
            lambda: None if self.starting else self.discord,
            identities,
            ready=lambda: self.trouble,
        )
        self.low_water = LowWater()
        self.url = ""
        self._sequence = 0

    def message(self, content: str = "hi", guild: str = "1") -> None:
        self._sequence += 1
        data = {"id": "9", "guild_id": guild, "channel_id": "5", "author": {"id": "4"}, "content": content}
        event = Dispatch(
            0, "s", self.low_water, "MESSAGE_CREATE", self._sequence, Raw(msgspec.json.encode(data))
        )
        self.hub.on_dispatch(event)


class Stream:
    """A pod's event stream, read in the background."""

    def __init__(self) -> None:
        self.frames: list[Any] = []
        self.task: asyncio.Task[None] | None = None

    async def read(self, session: aiohttp.ClientSession, url: str, token: str, **params: str | int) -> None:
        lines = read_stream(session, url, token=Token(token), on_error=lambda _: None, params=params)
        async for batch in lines:
            self.frames += [downstream.decode(line) for line in batch]

    async def take(self, count: int) -> list[Any]:
        await until(lambda: len(self.frames) >= count)
        return self.frames[:count]

    @property
    def contents(self) -> list[str]:
        events = [frame for frame in self.frames if isinstance(frame, Event)]
        return [msgspec.json.decode(event.data)["content"] for event in events]

    async def ended(self) -> None:
        """The gateway ended it properly: no error, and no more lines."""
        assert self.task is not None
        async with asyncio.timeout(PATIENCE):
            await self.task


@pytest.fixture
async def gateway() -> AsyncIterator[GatewayUnderTest]:
    gateway = GatewayUnderTest()
    async with listening(gateway.server.app) as gateway.url:
        yield gateway
        gateway.server.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with make_session() as opened:
        yield opened


Dial = Callable[..., Awaitable[Stream]]


@pytest.fixture
async def dial(gateway: GatewayUnderTest, session: aiohttp.ClientSession) -> AsyncIterator[Dial]:
    """Opens a pod's event stream and waits for its hello."""
    opened: list[Stream] = []

    async def open_(pod: str = POD, **params: str | int) -> Stream:
        stream = Stream()
        url = f"{gateway.url}/v1/pods/{pod}/events"
        stream.task = asyncio.create_task(stream.read(session, url, TOKENS[pod], **params))
        opened.append(stream)
        await stream.take(1)
        return stream

    yield open_
    for stream in opened:
        assert stream.task is not None
        stream.task.cancel()
        with contextlib.suppress(asyncio.CancelledError, aiohttp.ClientError, FloraError):
            await stream.task


Send = Callable[..., Awaitable[str]]


@pytest.fixture
def send(gateway: GatewayUnderTest, session: aiohttp.ClientSession) -> Send:
    """One whole op stream of a pod; what the gateway answers at its end."""

    async def post(*frames: Any, pod: str = POD, process: str = "p1") -> str:
        lines = [frame if isinstance(frame, bytes) else upstream.encode(frame) for frame in frames]
        url = f"{gateway.url}/v1/pods/{pod}/ops?process={process}"
        headers = {"Authorization": f"Bearer {TOKENS[pod]}"}
        async with session.post(url, data=b"".join(lines), headers=headers) as answer:
            assert answer.status == 200
            return await answer.text()

    return post


def op(sequence: int, guild: str = "1") -> Op:
    return Op(sequence, guild, 100 + sequence, "sendMessage", Raw(b"{}"))


# ---------------------------------------------------------------- down


async def test_a_stream_begins_with_who_we_are_and_what_is_next(
    gateway: GatewayUnderTest, dial: Dial
) -> None:
    stream = await dial()
    assert stream.frames == [Hello(gateway.hub.epoch, 1, 0, "3")]


async def test_what_waited_for_the_pod_comes_first(gateway: GatewayUnderTest, dial: Dial) -> None:
    for number in range(3):
        gateway.message(str(number))
    stream = await dial()
    gateway.message("3")
    await stream.take(5)
    assert stream.contents == ["0", "1", "2", "3"]
    assert [frame.offset for frame in stream.frames[1:]] == [1, 2, 3, 4]


async def test_a_burst_comes_whole_and_in_order(gateway: GatewayUnderTest, dial: Dial) -> None:
    stream = await dial()
    for number in range(100):
        gateway.message(str(number))
        if number % 30 == 0:
            await asyncio.sleep(0.002)
    await stream.take(101)
    assert stream.contents == [str(number) for number in range(100)]


async def test_a_pod_sees_nothing_of_the_guilds_of_another(gateway: GatewayUnderTest, dial: Dial) -> None:
    one, two = await dial(), await dial(OTHER)
    gateway.message("mine", guild="1")
    gateway.message("theirs", guild="2")
    await one.take(2)
    await two.take(2)
    assert (one.contents, two.contents) == (["mine"], ["theirs"])


async def test_a_pod_that_comes_back_gets_what_it_had_not_acknowledged(
    gateway: GatewayUnderTest, dial: Dial
) -> None:
    first = await dial(process="p1")
    for number in range(4):
        gateway.message(str(number))
    await first.take(5)
    second = await dial(process="p1", after=2, epoch=gateway.hub.epoch)
    await second.take(3)
    assert second.contents == ["2", "3"]
    assert second.frames[0].offset == 3, "hello says which frame is next"


@pytest.mark.parametrize("epoch", ["", "another"])
async def test_offsets_of_another_gateway_mean_nothing_here(
    gateway: GatewayUnderTest, dial: Dial, epoch: str
) -> None:
    gateway.message("kept")
    stream = await dial(after=1, epoch=epoch)
    await stream.take(2)
    assert stream.contents == ["kept"]


async def test_a_newer_stream_of_a_pod_ends_the_older(gateway: GatewayUnderTest, dial: Dial) -> None:
    older = await dial()
    newer = await dial()
    await older.ended()
    gateway.message("for the newer")
    await newer.take(2)
    assert (older.contents, newer.contents) == ([], ["for the newer"])
    assert gateway.hub.pod(POD).connected


async def test_a_pod_that_hangs_up_is_no_longer_connected_by_the_next_beat(
    gateway: GatewayUnderTest, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_server, "BEAT_SECONDS", 0.03)
    stream = await dial()
    assert gateway.hub.pod(POD).connected
    assert stream.task is not None
    stream.task.cancel()
    await until(lambda: not gateway.hub.pod(POD).connected)
    gateway.message("waits")
    assert (await (await dial()).take(2))[1].offset == 1


async def test_a_quiet_stream_beats_with_how_far_ops_were_taken(
    gateway: GatewayUnderTest, dial: Dial, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_server, "BEAT_SECONDS", 0.03)
    stream = await dial(process="p1")
    gateway.message()
    await send(op(1), op(2))
    await until(lambda: Beat(1, 2) in stream.frames)
    await until(lambda: stream.frames.count(Beat(1, 2)) >= 3)


async def test_at_the_end_streams_end_and_a_new_one_gets_no_further_than_hello(
    gateway: GatewayUnderTest, dial: Dial
) -> None:
    one, two = await dial(), await dial(OTHER)
    gateway.server.stop()
    await one.ended()
    await two.ended()
    gateway.message("for the successor")
    late = await dial()
    await late.ended()
    assert len(late.frames) == 1


# ---------------------------------------------------------------- up


async def test_an_op_is_carried_out_and_its_answer_comes_down(
    gateway: GatewayUnderTest, dial: Dial, send: Send
) -> None:
    stream = await dial(process="p1")
    assert await send(op(1)) == "1\n"
    (done,) = gateway.discord.done
    done(True, b'{"id":"77"}')
    (_, result) = await stream.take(2)
    assert result == Result(1, "1", 101, True, Raw(b'{"id":"77"}'))


async def test_an_op_sent_again_is_carried_out_once(gateway: GatewayUnderTest, send: Send) -> None:
    await send(op(1), op(2))
    await send(op(1), op(2), op(3))
    assert [taken.sequence for taken in gateway.discord.ops] == [1, 2, 3]


async def test_a_restarted_pod_may_number_its_ops_anew(
    gateway: GatewayUnderTest, dial: Dial, send: Send
) -> None:
    await send(op(7))
    assert (await dial(process="p1")).frames[0].ops == 7
    assert (await dial(process="p2")).frames[0].ops == 0
    await send(op(1), process="p2")
    assert [taken.sequence for taken in gateway.discord.ops] == [7, 1]


async def test_an_op_for_a_guild_of_another_pod_is_refused_and_never_made(
    gateway: GatewayUnderTest, dial: Dial, send: Send
) -> None:
    stream = await dial(process="p1")
    await send(op(1, guild="2"), op(2, guild="99"))
    _, first, second = await stream.take(3)
    for result, guild in ((first, "2"), (second, "99")):
        assert (result.guild, result.ok) == (guild, False)
        assert msgspec.json.decode(result.value)["code"] == "SCOPE_FORBIDDEN"
    assert gateway.discord.ops == []


async def test_an_acknowledgement_lets_frames_go(gateway: GatewayUnderTest, dial: Dial, send: Send) -> None:
    stream = await dial(process="p1")
    gateway.message("a")
    gateway.message("b")
    await stream.take(3)
    await send(Ack(1))
    assert len(gateway.hub.pod(POD).buffer) == 1
    assert gateway.low_water.mark == 1


async def test_an_acknowledgement_of_what_was_never_sent_loses_nothing(
    gateway: GatewayUnderTest, dial: Dial, send: Send
) -> None:
    gateway.message("unsent")
    await send(Ack(1_000_000))
    stream = await dial(process="p1")
    await stream.take(2)
    assert stream.contents == ["unsent"]


async def test_a_pod_decides_only_for_its_own_guilds_what_they_hear(
    gateway: GatewayUnderTest, dial: Dial, send: Send
) -> None:
    stream = await dial()
    await send(Subscribe("1", ["reactionAdd"]), pod=OTHER)
    gateway.message("heard")
    await stream.take(2)
    await send(Subscribe("1", ["reactionAdd"]))
    gateway.message("not heard")
    await send(Subscribe("1", ["messageCreate"]))
    gateway.message("heard again")
    await stream.take(3)
    assert stream.contents == ["heard", "heard again"]


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [
        (b"]\n", "malformed"),
        (b'{"k":"op","q":"one"}\n', "malformed"),
        (b'{"k":"event","o":1}\n', "unknown_kind"),
        (b"\xff\n", "malformed"),
    ],
)
async def test_a_bad_line_is_counted_and_the_next_op_is_taken(
    gateway: GatewayUnderTest, send: Send, garbage: bytes, reason: str
) -> None:
    def counted() -> float:
        labels = {"reason": reason}
        return REGISTRY.get_sample_value("flora_gateway_bad_frames_total", labels) or 0.0

    before = counted()
    assert await send(garbage, op(1)) == "2\n"
    assert counted() == before + 1
    assert len(gateway.discord.ops) == 1


async def test_answers_that_come_while_we_leave_still_go_down(
    gateway: GatewayUnderTest, dial: Dial, send: Send
) -> None:
    stream = await dial(process="p1")
    await send(op(1))
    gateway.server.stop()
    gateway.discord.done[0](False, b'{"code":"X"}')
    await stream.ended()
    assert stream.frames[1:] == [Result(1, "1", 101, False, Raw(b'{"code":"X"}'))]


# ---------------------------------------------------------------- who may


@pytest.mark.parametrize("end", ["events", "ops"])
@pytest.mark.parametrize(
    ("pod", "token", "status"),
    [
        (POD, "", 401),
        (POD, "nobody's", 401),
        (POD, TOKENS[OTHER], 403),
        (POD, "gateway", 403),
        ("Pod!", "x", 400),
    ],
)
async def test_a_stream_that_may_not_be_opened_is_refused_and_counted(
    gateway: GatewayUnderTest, session: aiohttp.ClientSession, end: str, pod: str, token: str, status: int
) -> None:
    def counted() -> float:
        labels = {"status": str(status)}
        return REGISTRY.get_sample_value("flora_gateway_streams_refused_total", labels) or 0.0

    before = counted()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    method = "GET" if end == "events" else "POST"
    url = f"{gateway.url}/v1/pods/{pod}/{end}"
    async with session.request(method, url, headers=headers) as answer:
        assert answer.status == status
    assert counted() == before + (status != 400)


async def test_a_stream_from_no_number_is_refused(
    gateway: GatewayUnderTest, session: aiohttp.ClientSession
) -> None:
    headers = {"Authorization": f"Bearer {TOKENS[POD]}"}
    async with session.get(f"{gateway.url}/v1/pods/{POD}/events?after=x", headers=headers) as answer:
        assert (answer.status, await answer.text()) == (400, "after should be a number\n")
    assert not gateway.hub.pod(POD).connected


async def test_probes_need_no_token_and_say_what_is_missing(
    gateway: GatewayUnderTest, session: aiohttp.ClientSession
) -> None:
    for trouble, status, text in ((None, 200, "ok\n"), ("no route table yet", 503, "no route table yet\n")):
        gateway.trouble = trouble
        async with session.get(f"{gateway.url}/readyz") as answer:
            assert (answer.status, await answer.text()) == (status, text)
    async with session.get(f"{gateway.url}/healthz") as answer:
        assert answer.status == 200
    async with session.get(f"{gateway.url}/metrics") as answer:
        assert "flora_gateway_pods_connected" in await answer.text()


async def test_a_gateway_that_is_starting_takes_nothing_and_loses_nothing(
    gateway: GatewayUnderTest, session: aiohttp.ClientSession, send: Send
) -> None:
    gateway.starting = True
    headers = {"Authorization": f"Bearer {TOKENS[POD]}"}
    for stream in ("events", "ops"):
        method = session.get if stream == "events" else session.post
        async with method(f"{gateway.url}/v1/pods/{POD}/{stream}", headers=headers) as answer:
            assert answer.status == 503
            assert "is starting; dial again" in await answer.text()
    gateway.starting = False
    assert gateway.hub.pod(POD).last_op == 0
    await send(op(1))
    assert [taken.sequence for taken in gateway.discord.ops] == [1]


async def test_what_a_script_handles_is_known_even_before_its_guild_is_routed(
    gateway: GatewayUnderTest, dial: Dial, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(ROUTES, "1")
    await send(Subscribe("1", ["reactionAdd"]))
    monkeypatch.setitem(ROUTES, "1", POD)
    stream = await dial()
    gateway.message("nobody handles this")
    gateway.hub.result(POD, "1", 5, ok=True, value=b"null")
    await stream.take(2)
    assert stream.contents == []
