"""The client side of flora's long NDJSON streams: dial, read, write, come back.

Consumers dial producers. A stream that breaks, ends, or is silent for too long is dialled again after a
jittered pause; where to go on is the caller's business (``after=``), because only it knows what it has.
``StreamReader`` yields batches of lines as they arrive from the socket, so that a caller can flush once
for all of them; ``StreamWriter`` is one long chunked POST that sends whatever was queued since its last
chunk.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn, TypeGuard, cast

import aiohttp
import aiohttp.payload
from aiohttp.abc import AbstractStreamWriter

from flora_core.errors import FloraError, TruncatedStream, WireError
from flora_core.wire.gateway import BEAT_SECONDS, SILENCE_SECONDS
from flora_core.wire.ndjson import LINE_LIMIT, LineSplitter

DIAL_SECONDS: Final = 5.0
CHUNK_BYTES: Final = 1 << 18
WRITE_LIMIT: Final = 128 << 20
"""Bytes a writer keeps for a peer that does not read. Callers bound what they queue far below."""

QUIET_SECONDS: Final = 0.001

UNACKNOWLEDGED_SECONDS: Final = 2 * SILENCE_SECONDS
"""What was sent and is not acknowledged by the peer's kernel for so long ends the connection."""

STEADY_SECONDS: Final = 1.0
"""A stream that lasted this long had worked: the next dial comes soon."""

CONTENT_TYPE: Final = "application/x-ndjson"


class StreamRefused(FloraError):
    """The other side answered, and said no."""

    def __init__(self, url: str, status: int, text: str) -> None:
        super().__init__(f"{url} answered {status}: {text.strip()[:200]}")
        self.status = status


class StreamSilent(FloraError):
    """Nothing came for longer than a living stream may be quiet."""


class StreamOverflow(FloraError):
    """The other side does not read, and more is queued for it than is kept."""


BROKEN: Final = (aiohttp.ClientError, OSError, TimeoutError, FloraError)
"""What a stream may die of; after any of these the caller dials again."""


class Token:
    """A bearer token, read anew for each dial because mounted tokens are rotated."""

    def __init__(self, value: str = "", *, file: Path | None = None) -> None:
        self._value = value
        self._file = file

    def headers(self) -> dict[str, str]:
        """What to send with a dial; empty when there is no token."""
        value = self._value
        if self._file is not None:
            try:
                value = self._file.read_text().strip()
            except UnicodeDecodeError:
                raise FloraError(f"{self._file} should hold a token, which is text") from None
        return {"Authorization": f"Bearer {value}"} if value else {}

    def __repr__(self) -> str:
        return "Token(…)"


class Backoff:
    """Pauses between dials: full jitter, doubling from ``first`` to ``longest`` seconds."""

    def __init__(self, *, first: float = 0.05, longest: float = 5.0) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def reset(self) -> None:
        """A dial worked: begin anew."""
        self._next = self._first

    async def pause(self) -> None:
        """Wait a random part of the next pause, but never nothing."""
        pause, self._next = self._next, min(self._next * 2, self._longest)
        await asyncio.sleep(random.uniform(pause / 4, pause))  # noqa: S311  jitter, not a secret


def make_session() -> aiohttp.ClientSession:
    """An HTTP session for streams: no total time limit, no cookies, no connection bound.

    Names are resolved anew for each dial, because a pod that is replaced gets another address.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, use_dns_cache=False, socket_factory=_stream_socket),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=DIAL_SECONDS),
        auto_decompress=False,
        read_bufsize=CHUNK_BYTES,
    )


def _stream_socket(address: Any) -> socket.socket:
    """A socket that notices when what it sends is not acknowledged any more.

    A peer that is gone without a word (its machine died, its address went with its pod) is otherwise missed
    for as long as the kernel retransmits, a quarter of an hour. Who only reads notices the silence instead.
    """
    family, kind, protocol, _, _ = address
    opened = socket.socket(family, kind, protocol)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNACKNOWLEDGED_SECONDS * 1000))
    return opened


async def read_stream(
    session: aiohttp.ClientSession,
    url: str,
    *,
    token: Token,
    on_error: Callable[[WireError], None],
    params: Mapping[str, str | int] | None = None,
    silence: float = SILENCE_SECONDS,
    limit: int = LINE_LIMIT,
) -> AsyncIterator[list[bytes]]:
    """Dial ``url`` and yield its lines, in batches as they arrive.

    Ends when the other side ends the stream. Raises one of ``BROKEN``: StreamRefused for a status other
    than 200, StreamSilent after ``silence`` seconds without a byte.
    """
    async with session.get(url, params=params, headers=token.headers()) as response:
        if response.status != 200:
            raise StreamRefused(url, response.status, await _short_text(response))
        silent = StreamSilent(f"{url} is silent")
        async for lines in read_lines(
            response.content, on_error=on_error, silence=silence, silent=silent, limit=limit
        ):
            yield lines


async def follow(
    session: aiohttp.ClientSession,
    url: str,
    *,
    token: Token,
    params: Callable[[], Mapping[str, str | int]],
    take: Callable[[list[bytes]], Awaitable[None]],
    on_error: Callable[[WireError], None],
    on_broken: Callable[[Exception], None],
) -> NoReturn:
    """Read a stream for ever: dial again whenever it breaks or ends, from where ``params`` says by then."""
    backoff = Backoff()
    while True:
        try:
            async for lines in read_stream(session, url, token=token, params=params(), on_error=on_error):
                backoff.reset()
                await take(lines)
        except BROKEN as error:
            on_broken(error)
        await backoff.pause()


async def read_lines(
    content: aiohttp.StreamReader,
    *,
    on_error: Callable[[WireError], None],
    silence: float,
    silent: Exception,
    limit: int = LINE_LIMIT,
) -> AsyncIterator[list[bytes]]:
    """The lines of an open body, in batches; raises ``silent`` after ``silence`` quiet seconds."""
    splitter = LineSplitter(on_error, limit=limit)
    with silence_guard(content, silence, silent) as heard:
        while chunk := await content.readany():
            heard()
            lines = splitter.feed(chunk)
            if lines:
                yield lines
    try:
        splitter.close()
    except TruncatedStream as error:
        on_error(error)


@contextlib.contextmanager
def silence_guard(
    content: aiohttp.StreamReader, seconds: float, error: Exception
) -> Generator[Callable[[], None]]:
    """Have reads of ``content`` raise ``error`` once nothing was ``heard`` for ``seconds``.

    One timer as long as the stream is read: ``asyncio.timeout`` around each read costs as much as the read.
    """
    loop = asyncio.get_running_loop()
    last = loop.time()

    def heard() -> None:
        nonlocal last
        last = loop.time()

    def look() -> None:
        nonlocal timer
        if loop.time() - last >= seconds:
            content.set_exception(error)
        else:
            timer = loop.call_at(last + seconds, look)

    timer = loop.call_later(seconds, look)
    try:
        yield heard
    finally:
        timer.cancel()


async def _short_text(response: aiohttp.ClientResponse) -> str:
    return (await response.content.read(2048)).decode(errors="replace")


class Coalescer:
    """Calls ``flush`` for what was added since: at once after a quiet moment, else once a pass of the loop.

    A lone frame need not wait until the loop has come round, which costs more than writing it; a burst
    goes out in one write. Belongs to the loop it is made in.
    """

    __slots__ = ("_armed", "_flush", "_flushed_at", "_loop")

    def __init__(self, flush: Callable[[], None]) -> None:
        self._flush = flush
        self._loop = asyncio.get_running_loop()
        self._armed = False
        self._flushed_at = 0.0

    def added(self) -> None:
        """There is something to flush."""
        if self._armed:
            return
        now = self._loop.time()
        if now - self._flushed_at > QUIET_SECONDS:
            self._flushed_at = now
            self._flush()
        else:
            self._armed = True
            self._loop.call_soon(self._pass_over)

    def _pass_over(self) -> None:
        self._armed = False
        self._flushed_at = self._loop.time()
        self._flush()


class StreamWriter:
    """One chunked POST that carries everything ``write`` is given, for as long as it lasts.

    ``run`` sends until the connection breaks; what was queued but not sent stays queued for the next
    ``run`` only if the caller keeps it: a broken stream may have lost any suffix of what was written.
    """

    def __init__(self, *, on_open: Callable[[StreamWriter], None] = lambda _writer: None) -> None:
        """``on_open`` is called when the connection is there, before anything that was queued is sent."""
        self._on_open = on_open
        self._queued: list[bytes] = []
        self._size = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._refused = False
        """Whether what is being sent has been answered before its end."""
        self._transport: asyncio.Transport | None = None
        self._coalescer = Coalescer(self._flush)

    @property
    def open(self) -> bool:
        """Whether there is a connection."""
        return self._transport is not None

    def write(self, line: bytes) -> None:
        """Queue a line, with its newline; raises StreamOverflow when nobody reads."""
        if self._size + len(line) > WRITE_LIMIT:
            raise StreamOverflow(f"more than {WRITE_LIMIT >> 20} MiB are waiting to be sent")
        self._queued.append(line)
        self._size += len(line)
        self._coalescer.added()

    def discard(self) -> None:
        """Forget what is queued."""
        self._queued, self._size = [], 0

    def finish(self) -> None:
        """End the stream properly once everything queued is sent."""
        self._closing = True
        self._wake.set()

    async def run(self, session: aiohttp.ClientSession, url: str, *, token: Token) -> None:
        """Dial and send until the stream breaks; raises one of ``BROKEN``, or returns after ``finish``."""
        headers = {"Content-Type": CONTENT_TYPE, **token.headers()}
        self._refused = False
        async with session.post(url, data=_Body(self._send), headers=headers) as response:
            text = await _short_text(response)
            if not self._closing or response.status >= 400:
                self._refused = True  # aiohttp waits for the end of the body
                self._wake.set()
                self.discard()
                raise StreamRefused(url, response.status, text)

    async def _send(self, writer: AbstractStreamWriter) -> None:
        await writer.write(b"\n")  # aiohttp sends the request's head with the first chunk
        self._on_open(self)
        self._transport = cast("asyncio.Transport | None", getattr(writer, "transport", None))
        self._wake.set()
        try:
            while self._queued or not (self._closing or self._refused):
                await self._wake.wait()
                self._wake.clear()
                if self._queued:
                    await writer.write(b"".join(self._take()))
        finally:
            self._transport = None

    def _flush(self) -> None:
        """Past the task when the socket takes it; ``_send`` waits for one that does not."""
        if takes_more(self._transport):
            write_chunk(self._transport, self._take())
        else:
            self._wake.set()

    def _take(self) -> list[bytes]:
        lines, self._queued, self._size = self._queued, [], 0
        return lines


class _Body(aiohttp.payload.Payload):
    """A request's body that ``send`` writes; sent in chunks, because its size is not known."""

    def __init__(self, send: Callable[[AbstractStreamWriter], Awaitable[None]]) -> None:
        super().__init__(send, content_type=CONTENT_TYPE)
        self._send = send

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self._send(writer)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002
        raise TypeError("a stream has no text")


def takes_more(transport: asyncio.Transport | None) -> TypeGuard[asyncio.Transport]:
    """Whether ``transport`` is open and has nothing left to send."""
    return transport is not None and not transport.is_closing() and not transport.get_write_buffer_size()


def write_chunk(transport: asyncio.Transport, lines: list[bytes]) -> None:
    """Write ``lines`` as a chunk of an HTTP/1.1 body (RFC 9112, 7.1), past the library that opened it."""
    if lines:
        chunk = b"".join(lines)
        transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))


def raise_if_cancelled() -> None:
    """For who goes on after the errors of a TaskGroup: raises CancelledError where this task was cancelled
    while the group was ending because of them. Before Python 3.13 the group forgets that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class KeptWriter:
    """An upward stream that is dialled again whenever it breaks.

    ``greet`` is called on every new connection to queue what the other side must hear first; ``beat`` is
    the line that shows we live.
    """

    def __init__(
        self, url: str, *, token: Token, beat: bytes, greet: Callable[[Callable[[bytes], None]], None]
    ) -> None:
        self._url = url
        self._token = token
        self._beat = beat
        self._greet = greet
        self._writer: StreamWriter | None = None

    def write(self, line: bytes) -> bool:
        """Queue a line; False when there is no connection to queue it for, or nobody reads at its end."""
        if self._writer is None or not self._writer.open:
            return False
        try:
            self._writer.write(line)
        except StreamOverflow:
            return False
        return True

    async def run(self, session: aiohttp.ClientSession, on_broken: Callable[[str], None]) -> None:
        """Send until cancelled."""
        backoff = Backoff()
        while True:
            self._writer = writer = StreamWriter(on_open=lambda writer: self._greet(writer.write))
            began = time.monotonic()
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._keep_alive(writer))
                    await writer.run(session, self._url, token=self._token)
            except* BROKEN as group:
                on_broken(str(group.exceptions[0]) or type(group.exceptions[0]).__name__)
            raise_if_cancelled()
            self._writer = None
            if time.monotonic() - began > STEADY_SECONDS:
                backoff.reset()
            await backoff.pause()

    async def _keep_alive(self, writer: StreamWriter) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            writer.write(self._beat)
