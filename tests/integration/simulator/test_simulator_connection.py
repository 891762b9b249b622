"""The sending half of a connection, with a socket that does as it is told."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from flora_simulator.gateway import connection as module
from flora_simulator.gateway.connection import Connection
from flora_simulator.gateway.counters import GatewayCounters
from flora_simulator.gateway.session import Session


class Transport:
    def __init__(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class Request:
    def __init__(self) -> None:
        self.transport = Transport()


class Wire:
    """A WebSocket that keeps what is sent; ``gate`` closed means that the client takes nothing."""

    def __init__(self) -> None:
        self.frames: list[Any] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.closed = False
        self.close_code: int | None = None
        self.broken = False

    async def send_frame(self, data: bytes, *_: object) -> None:
        await self._send(data)

    async def send_bytes(self, data: bytes) -> None:
        await self._send(data)

    async def _send(self, data: bytes) -> None:
        if self.broken:
            raise ConnectionResetError
        await self.gate.wait()
        self.frames.append(data)

    async def close(self, *, code: int, message: bytes) -> None:
        self.closed, self.close_code = True, code


class Setup:
    def __init__(self, *, compress: bool = False) -> None:
        self.wire, self.request, self.counters = Wire(), Request(), GatewayCounters()
        request: Any = self.request
        wire: Any = self.wire
        self.connection = Connection(request, wire, self.counters, compress=compress)
        self.session = Session((0, 1), 0, keep=1_000)
        self.writer = asyncio.create_task(self.connection.write())

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    def sent(self) -> list[Any]:
        return [msgspec.json.decode(data) for data in self.wire.frames]

    async def stop(self) -> None:
        self.writer.cancel()
        await asyncio.wait([self.writer])


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    setup = Setup()
    yield setup
    await setup.stop()


async def test_events_are_written_in_order(setup: Setup) -> None:
    setup.connection.attach(setup.session, after=0)
    for number in range(5):
        setup.session.append("X", b"%d" % number)
    await setup.settle()
    assert [frame["d"] for frame in setup.sent()] == [0, 1, 2, 3, 4]
    assert setup.connection.lag == 0
    assert setup.counters.events_sent == 5
    assert setup.counters.bytes_sent == sum(map(len, setup.wire.frames))


async def test_it_goes_on_from_where_it_is_attached(setup: Setup) -> None:
    for number in range(5):
        setup.session.append("X", b"%d" % number)
    setup.connection.attach(setup.session, after=3)
    await setup.settle()
    assert [frame["s"] for frame in setup.sent()] == [4, 5]


async def test_answers_go_ahead_of_events(setup: Setup) -> None:
    setup.wire.gate.clear()
    setup.connection.attach(setup.session, after=0)
    setup.session.append("X", b"1")
    setup.session.append("X", b"2")
    setup.connection.say(11)
    setup.wire.gate.set()
    await setup.settle()
    assert [frame["op"] for frame in setup.sent()] == [11, 0, 0]


async def test_a_slow_client_only_lags(setup: Setup) -> None:
    setup.connection.attach(setup.session, after=0)
    setup.session.append("X", b"0")
    await setup.settle()
    setup.wire.gate.clear()
    for _ in range(500):
        setup.session.append("X", b"1")
    await setup.settle()
    assert setup.connection.lag > 200
    setup.wire.gate.set()
    await setup.settle()
    assert setup.connection.lag == 0
    assert len(setup.wire.frames) == 501


async def test_a_client_too_far_behind_is_cut_off(setup: Setup) -> None:
    setup.connection.attach(setup.session, after=0)
    setup.session.append("X", b"0")
    await setup.settle()
    setup.wire.gate.clear()
    for _ in range(1_000):
        setup.session.append("X", b"1")
    assert not setup.request.transport.aborted
    setup.session.append("X", b"1")
    assert setup.request.transport.aborted


async def test_what_is_lost_meanwhile_cuts_off_too(setup: Setup) -> None:
    for _ in range(1_001):
        setup.session.append("X", b"1")
    setup.connection.attach(setup.session, after=0)
    await setup.settle()
    assert setup.request.transport.aborted
    assert setup.writer.done()


async def test_a_client_that_takes_nothing_is_cut_off_in_time(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEND_SECONDS", 0.05)
    setup.wire.gate.clear()
    setup.connection.say(11)
    await asyncio.sleep(0.15)
    assert setup.request.transport.aborted
    assert setup.writer.done()


async def test_too_many_unread_answers_cut_off(setup: Setup) -> None:
    setup.wire.gate.clear()
    for _ in range(300):
        setup.connection.say(11)
    assert setup.request.transport.aborted


async def test_a_broken_socket_ends_the_writer_quietly(setup: Setup) -> None:
    setup.wire.broken = True
    setup.connection.say(11)
    await setup.settle()
    assert setup.writer.done()
    assert setup.writer.exception() is None


async def test_closing_says_first_what_was_to_be_said(setup: Setup) -> None:
    await setup.stop()
    setup.connection.say(9, data=False)
    await setup.connection.close(4009, "too late")
    assert setup.sent() == [{"t": None, "s": None, "op": 9, "d": False}]
    assert (setup.wire.close_code, setup.connection.closed_with) == (4009, 4009)


async def test_it_is_closed_once(setup: Setup) -> None:
    await setup.connection.close(4000)
    setup.wire.close_code = None
    await setup.connection.close(4001)
    assert (setup.wire.close_code, setup.connection.closed_with) == (None, 4000)


async def test_a_session_that_moved_on_is_written_by_the_new_connection_only(setup: Setup) -> None:
    setup.connection.attach(setup.session, after=0)
    await setup.settle()
    other = Setup()
    other.connection.attach(setup.session, after=0)
    setup.session.append("X", b"1")
    setup.connection.wake()
    await setup.settle()
    assert setup.sent() == []
    assert len(other.sent()) == 1
    await other.stop()


async def test_compressed_frames_share_a_context() -> None:
    setup = Setup(compress=True)
    setup.connection.attach(setup.session, after=0)
    for _ in range(3):
        setup.session.append("X", b'"%s"' % (b"the same words " * 20))
    await setup.settle()
    inflate = zlib.decompressobj()
    payloads = [msgspec.json.decode(inflate.decompress(data)) for data in setup.wire.frames]
    assert [payload["s"] for payload in payloads] == [1, 2, 3]
    assert len(setup.wire.frames[2]) < len(setup.wire.frames[0]) / 2
    assert all(data.endswith(b"\x00\x00\xff\xff") for data in setup.wire.frames)
    await setup.stop()
