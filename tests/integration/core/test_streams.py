"""Long NDJSON streams over real sockets: both sides, and everything that can happen to a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from flora_core import streams
from flora_core.errors import FrameTooLarge, TruncatedStream, WireError
from flora_core.serving import read_stream_body, start_stream
from flora_core.streams import (
    BROKEN,
    Backoff,
    KeptWriter,
    StreamOverflow,
    StreamRefused,
    StreamSilent,
    StreamWriter,
    Token,
    make_session,
    read_stream,
)
from tests.integration.loopback import listening

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, port: int = 0) -> AsyncIterator[str]:
    """A server whose every path is ``handler``; its URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with listening(app, port=port) as url:
        yield url


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with make_session() as opened:
        yield opened


class Reading:
    """What a reader got, and what it complained of."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.errors: list[WireError] = []

    async def read(
        self, session: aiohttp.ClientSession, url: str, *, silence: float = 5.0, limit: int = 1000
    ) -> None:
        stream = read_stream(
            session, url, token=Token("secret"), on_error=self.errors.append, silence=silence, limit=limit
        )
        async for batch in stream:
            self.lines += batch


# ---------------------------------------------------------------- reading


async def test_lines_arrive_as_they_are_written(session: aiohttp.ClientSession) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = await start_stream(request)
        for piece in (b"one\ntw", b"o\n", b"\nthree\n"):
            await response.write(piece)
            await asyncio.sleep(0.01)
        return response

    reading = Reading()
    async with serving(handler) as url:
        await reading.read(session, url)
    assert reading.lines == [b"one", b"two", b"three"]
    assert reading.errors == []


async def test_a_dial_carries_the_token_and_the_query(session: aiohttp.ClientSession) -> None:
    seen: list[tuple[str | None, str]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append((request.headers.get("Authorization"), request.query_string))
        return await start_stream(request)

    async with serving(handler) as url:
        stream = read_stream(
            session, url, token=Token("secret"), on_error=lambda _: None, params={"after": 7, "epoch": "e"}
        )
        assert [batch async for batch in stream] == []
    assert seen == [("Bearer secret", "after=7&epoch=e")]


async def test_a_refusal_says_who_refused_and_why(session: aiohttp.ClientSession) -> None:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=403, text="this stream belongs to runtime/flora-runtime-1\n")

    async with serving(handler) as url:
        with pytest.raises(StreamRefused, match=r"answered 403: this stream belongs to") as caught:
            await Reading().read(session, url)
    assert caught.value.status == 403


async def test_a_stream_that_says_nothing_is_dead(session: aiohttp.ClientSession) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = await start_stream(request)
        await response.write(b"one\n")
        await asyncio.sleep(30)
        return response

    reading = Reading()
    async with serving(handler) as url:
        with pytest.raises(StreamSilent):
            await reading.read(session, url, silence=0.1)
    assert reading.lines == [b"one"]


async def test_a_connection_that_breaks_inside_a_line_is_a_broken_stream(
    session: aiohttp.ClientSession,
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = await start_stream(request)
        await response.write(b"one\ntw")
        assert request.transport is not None
        request.transport.abort()
        return response

    reading = Reading()
    async with serving(handler) as url:
        with pytest.raises(BROKEN):
            await reading.read(session, url)
    assert reading.lines == [b"one"]


async def test_a_stream_that_ends_inside_a_line_says_so(session: aiohttp.ClientSession) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = await start_stream(request)
        await response.write(b"one\ntw")
        return response

    reading = Reading()
    async with serving(handler) as url:
        await reading.read(session, url)
    assert reading.lines == [b"one"]
    assert [type(error) for error in reading.errors] == [TruncatedStream]


async def test_an_oversized_line_is_skipped_and_the_stream_goes_on(session: aiohttp.ClientSession) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = await start_stream(request)
        for piece in (b"one\n", b"x" * 3000, b"x\n", b"two\n"):
            await response.write(piece)
            await asyncio.sleep(0.01)
        return response

    reading = Reading()
    async with serving(handler) as url:
        await reading.read(session, url, limit=1000)
    assert reading.lines == [b"one", b"two"]
    assert [type(error) for error in reading.errors] == [FrameTooLarge]


async def test_nobody_at_the_other_end_is_a_broken_stream(session: aiohttp.ClientSession) -> None:
    with pytest.raises(BROKEN):
        await Reading().read(session, "http://127.0.0.1:1")


# ---------------------------------------------------------------- writing


class Taking:
    """A server that keeps what upward streams bring."""

    def __init__(self, *, silence: float = 5.0) -> None:
        self.lines: list[bytes] = []
        self.streams = 0
        self._silence = silence

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.streams += 1
        async for batch in read_stream_body(request, on_error=lambda _: None, silence=self._silence):
            self.lines += batch
        return web.Response(text="bye\n")

    async def wait_for(self, count: int) -> list[bytes]:
        async with asyncio.timeout(5):
            while len(self.lines) < count:
                await asyncio.sleep(0.005)
        return self.lines


async def test_what_is_written_arrives_in_order_over_one_request(session: aiohttp.ClientSession) -> None:
    taking, writer = Taking(), StreamWriter()
    async with serving(taking.handle) as url:
        running = asyncio.create_task(writer.run(session, url, token=Token("t")))
        for number in range(500):
            writer.write(b"%d\n" % number)
            if number % 100 == 0:
                await asyncio.sleep(0.002)
        await taking.wait_for(500)
        writer.finish()
        await running
    assert taking.lines == [b"%d" % number for number in range(500)]
    assert taking.streams == 1


async def test_a_server_that_ends_the_stream_breaks_it(session: aiohttp.ClientSession) -> None:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=401, text="a bearer token is needed\n")

    writer = StreamWriter()
    async with serving(handler) as url:
        with pytest.raises(BROKEN):
            await writer.run(session, url, token=Token())


async def test_a_writer_that_was_refused_carries_on_at_the_next_dial(session: aiohttp.ClientSession) -> None:
    """A pod that finds its gateway starting comes back, and is heard."""
    taking, writer = Taking(), StreamWriter()
    starting = True

    async def handler(request: web.Request) -> web.StreamResponse:
        if starting:
            return web.Response(status=503, text="the gateway is starting; dial again\n")
        return await taking.handle(request)

    async with serving(handler) as url:
        with pytest.raises(StreamRefused):
            await writer.run(session, url, token=Token())
        starting = False
        running = asyncio.create_task(writer.run(session, url, token=Token()))
        writer.write(b"one\n")
        await taking.wait_for(1)
        await asyncio.sleep(0.05)
        writer.write(b"two\n")
        assert await taking.wait_for(2) == [b"one", b"two"]
        writer.finish()
        await running
    assert taking.streams == 1


async def test_a_writer_keeps_only_so_much_for_a_peer_that_does_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "WRITE_LIMIT", 100)
    writer = StreamWriter()
    writer.write(b"x" * 90)
    with pytest.raises(StreamOverflow):
        writer.write(b"x" * 20)
    writer.discard()
    writer.write(b"x" * 20)


async def test_a_silent_writer_is_let_go(session: aiohttp.ClientSession) -> None:
    taking, writer = Taking(silence=0.1), StreamWriter()
    async with serving(taking.handle) as url:
        writer.write(b"one\n")
        with pytest.raises(BROKEN):
            await asyncio.wait_for(writer.run(session, url, token=Token()), 5)
    assert taking.lines == [b"one"]


async def test_a_kept_writer_greets_every_new_connection(session: aiohttp.ClientSession) -> None:
    broken: list[str] = []
    writer = KeptWriter(
        "http://127.0.0.1:1/never", token=Token(), beat=b"beat\n", greet=lambda write: write(b"hello\n")
    )
    assert not writer.write(b"lost\n")
    first = Taking()
    async with serving(first.handle) as url:
        port = int(url.rpartition(":")[2])
        writer = KeptWriter(url, token=Token(), beat=b"beat\n", greet=lambda write: write(b"hello\n"))
        running = asyncio.create_task(writer.run(session, broken.append))
        await first.wait_for(1)
        assert writer.write(b"one\n")
        await first.wait_for(2)
    second = Taking()
    async with serving(second.handle, port):
        await second.wait_for(1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert first.lines == [b"hello", b"one"]
    assert second.lines[0] == b"hello"
    assert broken


async def test_a_kept_writer_that_is_cancelled_while_its_connection_breaks_ends(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Python 3.13 a TaskGroup that ends because of an error forgets a cancellation meanwhile."""

    async def break_(*_args: object, **_kwargs: object) -> None:
        asyncio.get_running_loop().call_soon(running.cancel)
        raise ConnectionResetError

    monkeypatch.setattr(StreamWriter, "run", break_)
    writer = KeptWriter("http://127.0.0.1:1/", token=Token(), beat=b"beat\n", greet=lambda _write: None)
    running = asyncio.create_task(writer.run(session, lambda _error: None))
    done, _ = await asyncio.wait([running], timeout=5)
    running.cancel()
    assert done
    assert running.cancelled()


# ---------------------------------------------------------------- the small parts


def test_a_token_file_is_read_for_each_dial_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    token = Token(file=file)
    assert token.headers() == {"Authorization": "Bearer first"}
    file.write_text("second")
    assert token.headers() == {"Authorization": "Bearer second"}
    assert "second" not in repr(token)
    assert Token().headers() == {}


async def test_pauses_grow_are_jittered_and_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    backoff = Backoff(first=1.0, longest=4.0)
    for _ in range(4):
        await backoff.pause()
    backoff.reset()
    await backoff.pause()
    for pause, longest in zip(pauses, [1.0, 2.0, 4.0, 4.0, 1.0], strict=True):
        assert longest / 4 <= pause <= longest
