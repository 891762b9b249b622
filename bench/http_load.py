"""A client of HTTP/1.1 that costs little: connections that are kept, requests that are bytes already."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from bench.machine import Meter

CONNECTIONS: Final = 64
END_SECONDS: Final = 60.0


_LENGTH: Final = re.compile(rb"content-length: ?([0-9]+)", re.IGNORECASE)


class WrongAnswer(Exception):
    """Something else than 200 came back."""


class _Connection(asyncio.Protocol):
    """Asks for one after the other until told to stop."""

    def __init__(self, requests: Iterator[bytes], ended: asyncio.Future[int]) -> None:
        self._requests = requests
        self._ended = ended
        self._transport: asyncio.Transport
        self._have = b""
        self._missing = -1
        self._answers = 0
        self.stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._go_on()

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            self._have += data
            head, found, body = self._have.partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 200 "):
                self._fail(WrongAnswer(self._have[:1000].decode(errors="replace")))
                return
            length = _LENGTH.search(head)
            assert length is not None  # none of what is asked for comes in chunks
            self._missing = int(length[1]) - len(body)
            self._have = b""
        else:
            self._missing -= len(data)
        if self._missing == 0:
            self._missing = -1
            self._answers += 1
            self._go_on()

    def _go_on(self) -> None:
        request = None if self.stopping else next(self._requests, None)
        if request is None:
            self.stopping = True
            self._transport.close()
        else:
            self._transport.write(request)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended.done():
            if self.stopping and exc is None:
                self._ended.set_result(self._answers)
            else:
                self._ended.set_exception(exc or WrongAnswer("the connection was closed"))

    def _fail(self, error: Exception) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)
        self._transport.close()


async def answers_a_second(url: str, pid: int, requests: Sequence[bytes], seconds: float) -> float:
    """So many are answered in a second of the CPU time of ``pid``; raises WrongAnswer.

    ``requests`` are asked for round and round, a few at once.
    """
    meter = Meter([pid])
    async with _asking(url, itertools.cycle(requests)) as (connections, ended):
        await asyncio.wait(ended, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for connection in connections:
            connection.stopping = True
    return sum(one.result() for one in ended) / meter.cpu


async def ask_once(url: str, requests: Sequence[bytes]) -> None:
    """Each of them, so that what is looked up once has been; raises WrongAnswer."""
    async with _asking(url, iter(requests)):
        pass


@asynccontextmanager
async def _asking(
    url: str, requests: Iterator[bytes]
) -> AsyncGenerator[tuple[list[_Connection], list[asyncio.Future[int]]]]:
    """Connections that ask for ``requests``; the block ends once each of them has."""
    host, _, port = urlsplit(url).netloc.partition(":")
    loop = asyncio.get_running_loop()
    ended: list[asyncio.Future[int]] = [loop.create_future() for _ in range(CONNECTIONS)]
    connections: list[_Connection] = []
    for one in ended:
        made = await loop.create_connection(lambda one=one: _Connection(requests, one), host, int(port))
        connections.append(made[1])
    yield connections, ended
    async with asyncio.timeout(END_SECONDS):
        await asyncio.gather(*ended)


def get(path: str, headers: str = "") -> bytes:
    """A request."""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n{headers}\r\n".encode()
