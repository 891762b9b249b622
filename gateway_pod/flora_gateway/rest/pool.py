"""The lean HTTP client: a bounded pool of keep-alive connections to one origin.

A request takes the connection that was used last (the least likely to have been closed by the server),
or waits in a bounded queue while a connection is dialled for it. No task, future or timer is made for a
request: one sweep, every quarter of a second while there are connections, ends what is past its deadline
and closes what was idle for too long. Tasks exist only while dialling.

All state belongs to the loop it was made in; nothing here awaits between reading and changing it, except
``close``, which stops intake first.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from typing import Final

from flora_gateway.rest.http1 import Connection
from flora_gateway.rest.transport import (
    RESPONSE_LIMIT,
    ConnectFailed,
    OnDone,
    Origin,
    PoolExhausted,
    Request,
    RequestTimedOut,
    TransportClosed,
    TransportError,
)

SWEEP_SECONDS: Final = 0.25
"""How late a time-out may be."""

_BODILESS: Final = frozenset((b"GET", b"HEAD", b"DELETE"))
"""Methods whose requests need no Content-Length when they have no body (RFC 9110, 8.6)."""


class LeanTransport:
    """HTTP/1.1 to one origin. ``connections`` may be open at once, ``waiting`` requests may queue for one."""

    def __init__(
        self,
        origin: Origin,
        *,
        connections: int = 64,
        waiting: int = 1024,
        connect_seconds: float = 5.0,
        idle_seconds: float = 60.0,
        sweep_seconds: float = SWEEP_SECONDS,
        response_limit: int = RESPONSE_LIMIT,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._origin = origin
        self._tls = (tls or _tls_context()) if origin.tls else None
        self._host = b" HTTP/1.1\r\nHost: " + origin.netloc.encode() + b"\r\n"
        self._most = connections
        self._most_waiting = waiting
        self._connect_seconds = connect_seconds
        self._idle_seconds = idle_seconds
        self._sweep_seconds = sweep_seconds
        self._response_limit = response_limit
        self._open: set[Connection] = set()
        self._idle: deque[Connection] = deque()
        self._waiting: deque[tuple[Request, OnDone]] = deque()
        self._dials: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closing = False
        self._quiet = asyncio.Event()

    def send(self, request: Request, on_done: OnDone) -> None:
        """See ``Transport.send``."""
        if self._closing:
            self._fail_soon(request, on_done, TransportClosed("the HTTP client is shut down"))
            return
        idle = self._idle
        if idle:
            now = self._loop.time()
            while idle:
                connection = idle.pop()
                if connection.usable(now):
                    connection.start(request, self._wire(request), on_done)
                    return
                connection.abandon()
        if len(self._waiting) >= self._most_waiting:
            text = f"all {self._most} connections are busy and {self._most_waiting} requests wait for one"
            self._fail_soon(request, on_done, PoolExhausted(text))
            return
        self._waiting.append((request, on_done))
        self._dial()

    def cancel(self, request: Request) -> None:
        """See ``Transport.cancel``."""
        for connection in self._open:
            if connection.request is request:
                connection.abandon()
                return
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not request)

    async def close(self, *, seconds: float = 0.0) -> None:
        """See ``Transport.close``."""
        self._closing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._waiting or len(self._open) > len(self._idle):
                    self._quiet.clear()
                    await self._quiet.wait()
        error = TransportClosed("the HTTP client was shut down before this was answered")
        waiting, self._waiting = self._waiting, deque()
        for request, on_done in waiting:
            on_done(request, error)
        for dial in self._dials:
            dial.cancel()
        await asyncio.gather(*self._dials, return_exceptions=True)
        for connection in list(self._open):
            connection.fail(error) if connection.request is not None else connection.abandon()
        while self._open:  # each leaves in its connection_lost, which the loop calls next
            self._quiet.clear()
            await self._quiet.wait()
        if self._sweeper is not None:
            self._sweeper.cancel()

    # What connections call.

    def released(self, connection: Connection, *, reusable: bool) -> None:
        """A response is complete."""
        if not reusable:
            connection.abandon()
        elif not self._serve(connection):
            connection.idle_since = self._loop.time()
            self._idle.append(connection)
        if self._closing:
            self._quiet.set()

    def lost(self, connection: Connection) -> None:
        """A connection is closed."""
        self._open.discard(connection)
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)
        self._quiet.set()
        self._dial()

    def repeat(self, request: Request, on_done: OnDone) -> bool:
        """Send again, on a new connection, what met a closing one; False when it may not be repeated."""
        if self._closing or request.deadline <= self._loop.time() or not request.may_repeat():
            return False
        self._waiting.appendleft((request, on_done))
        self._dial()
        return True

    # Dialling.

    def _dial(self) -> None:
        """Dial as many connections as requests wait for, within the bound."""
        while len(self._dials) < min(len(self._waiting), self._most - len(self._open)):
            dial = self._loop.create_task(self._connect())
            self._dials.add(dial)
            dial.add_done_callback(self._dialled)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._sweep_seconds, self._sweep)

    async def _connect(self) -> None:
        origin = self._origin
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self, limit=self._response_limit),
                    origin.host,
                    origin.port,
                    ssl=self._tls,
                    server_hostname=origin.host if self._tls else None,
                )
        except TimeoutError:
            self._connect_failed(f"no connection to {origin.netloc} within {self._connect_seconds:g} s")
        except OSError as error:  # name resolution and TLS too
            self._connect_failed(f"no connection to {origin.netloc}: {error}")
        else:
            if connection.closing:
                self._connect_failed(f"{origin.netloc} closed the connection at once")
                return
            self._open.add(connection)
            if not self._serve(connection):
                connection.idle_since = self._loop.time()
                self._idle.append(connection)

    def _connect_failed(self, text: str) -> None:
        if self._waiting:
            request, on_done = self._waiting.popleft()
            on_done(request, ConnectFailed(text))

    def _dialled(self, dial: asyncio.Task[None]) -> None:
        self._dials.discard(dial)
        self._dial()
        if not dial.cancelled() and (error := dial.exception()) is not None:
            raise error  # from a callback of the caller's: the loop reports it

    # Requests.

    def _serve(self, connection: Connection) -> bool:
        """Give a free connection to the request that waits longest; False when none does."""
        if not self._waiting:
            return False
        request, on_done = self._waiting.popleft()
        connection.start(request, self._wire(request), on_done)
        return True

    def _wire(self, request: Request) -> bytes:
        body = request.body
        if body is None:
            if request.method in _BODILESS:
                return b"%b %b%b%b\r\n" % (request.method, request.target, self._host, request.headers)
            body = b""
        return b"%b %b%b%bContent-Length: %d\r\n\r\n%b" % (
            request.method,
            request.target,
            self._host,
            request.headers,
            len(body),
            body,
        )

    def _fail_soon(self, request: Request, on_done: OnDone, error: TransportError) -> None:
        self._loop.call_soon(on_done, request, error)

    def _sweep(self) -> None:
        now = self._loop.time()
        self._sweeper = None
        if self._open or self._dials or self._waiting:
            self._sweeper = self._loop.call_later(self._sweep_seconds, self._sweep)
        while self._idle and now - self._idle[0].idle_since > self._idle_seconds:
            self._idle.popleft().abandon()
        for connection in [c for c in self._open if c.request is not None and c.request.deadline <= now]:
            connection.fail(RequestTimedOut("the server did not answer in time"))
        if any(request.deadline <= now for request, _ in self._waiting):
            waiting, self._waiting = self._waiting, deque[tuple[Request, OnDone]]()
            for request, on_done in waiting:
                if request.deadline > now:
                    self._waiting.append((request, on_done))
                else:
                    self._fail_soon(request, on_done, PoolExhausted("no connection became free in time"))
        self._quiet.set()


def _tls_context() -> ssl.SSLContext:
    """The system's trust roots (SSL_CERT_FILE overrides), HTTP/1.1 asked for by name."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
