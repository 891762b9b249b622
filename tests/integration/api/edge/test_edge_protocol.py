"""Connections of those who send heads without end, or none at all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from flora_api.edge import protocol
from flora_api.edge.protocol import HEAD_BYTES, BoundedHttp
from tests.waiting import until

PATIENCE = 20.0


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    taken = 0
    while True:
        message = await receive()
        taken += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    body = str(taken).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
    )
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    config = uvicorn.Config(
        application, host="127.0.0.1", port=0, http=BoundedHttp, ws="none", lifespan="off", log_config=None
    )
    sock = config.bind_socket()
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    await until(lambda: server.started)
    yield sock.getsockname()[1]
    server.should_exit = True
    await serving
    sock.close()


class Line:
    """A connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, head: bytes = b"", body: bytes = b"") -> bytes:
        self.writer.write(b"POST / HTTP/1.1\r\nHost: h\r\n" + head)
        self.writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return await self.answer()

    async def answer(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            return head.partition(b" ")[2][:3] + b" " + await self.reader.readexactly(length)

    async def closed(self) -> bool:
        async with asyncio.timeout(PATIENCE):
            try:
                while await self.reader.read(1 << 16):
                    pass
            except ConnectionError:
                pass
        return True


Dial = Callable[[], Awaitable[Line]]


@pytest.fixture
async def dial(port: int) -> AsyncIterator[Dial]:
    lines: list[Line] = []

    async def open_line() -> Line:
        lines.append(Line(*await asyncio.open_connection("127.0.0.1", port)))
        return lines[-1]

    yield open_line
    for line in lines:
        line.writer.close()
        with contextlib.suppress(ConnectionError):
            await line.writer.wait_closed()


async def test_many_requests_and_large_bodies_pass_on_one_connection(dial: Dial) -> None:
    line = await dial()
    for size in (0, 10, 4 * HEAD_BYTES, 0, HEAD_BYTES):
        assert await line.ask(b"X: y\r\n" * 100, b"x" * size) == b"200 %d" % size


async def test_heads_of_many_requests_are_counted_each_for_itself(dial: Dial) -> None:
    line = await dial()
    for _ in range(8):
        assert await line.ask(b"X: " + b"y" * (HEAD_BYTES // 3) + b"\r\n") == b"200 0"


@pytest.mark.parametrize("part", [b"X: y\r\n", b"y"], ids=["headers", "header"])
async def test_a_head_without_end_is_cut_off(dial: Dial, part: bytes) -> None:
    line = await dial()
    line.writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nX: ")
    sent = 0
    try:
        while sent < 64 * HEAD_BYTES and not line.reader.at_eof():
            line.writer.write(part * 2000)
            sent += len(part) * 2000
            async with asyncio.timeout(PATIENCE):
                await line.writer.drain()
            await asyncio.sleep(0)
    except ConnectionError:
        pass
    assert await line.closed()
    assert await (await dial()).ask() == b"200 0"


async def test_who_says_nothing_or_half_of_it_is_cut_off(dial: Dial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    silent, half, later = [await dial() for _ in range(3)]
    half.writer.write(b"GET / HTTP/1.1\r\nHost")
    assert await later.ask() == b"200 0"
    later.writer.write(b"GET / HTTP/1.1\r\nHost")
    for line in (silent, half, later):
        assert await line.closed()


async def test_a_slow_body_is_not_a_slow_head(dial: Dial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    line = await dial()
    line.writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nx")
    await asyncio.sleep(0.6)
    line.writer.write(b"y")
    assert await line.answer() == b"200 2"
