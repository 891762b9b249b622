"""The sending half of one gateway connection.

One task writes; everybody else only says what there is to write. Events are not queued here: the
connection holds a position in its session's row and the writer takes them from there, so a slow client
costs no memory beyond the row, and the bound of the row is the bound of its lag. Answers that are no events
(HELLO, heartbeat ACK, op 7, op 9) wait in ``_urgent``. A client that takes nothing for ``SEND_SECONDS``,
or falls further behind than the row is long, is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections import deque
from typing import Final

from aiohttp import WSMsgType, web

from flora_simulator.gateway.counters import GatewayCounters
from flora_simulator.gateway.session import EventsLost, Session, encode, frame

SEND_SECONDS: Final = 30.0
_BURST: Final = 200
_URGENT: Final = 256


class Connection:
    """A WebSocket and its place in a session."""

    def __init__(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        counters: GatewayCounters,
        *,
        compress: bool,
    ) -> None:
        self._request = request
        self._socket = socket
        self._counters = counters
        self._zlib = zlib.compressobj() if compress else None
        self._urgent: deque[bytes] = deque()
        self._news = asyncio.Event()
        self.compressed = compress
        self.session: Session | None = None
        self.sent = 0
        """Sequence number of the last event written."""
        self.closed_with: int | None = None
        """The code that this side closed with."""

    def wake(self) -> None:
        """There is something new to write; a client that is further behind than the row is long goes."""
        self._news.set()
        if self.session is not None and self.lag > self.session.keep:
            self.abort()

    def say(self, op: int, data: object = None) -> None:
        """Send something that is no event, ahead of the events."""
        self._urgent.append(frame(op, encode(data)))
        if len(self._urgent) > _URGENT:
            self.abort()
        self._news.set()

    def attach(self, session: Session, *, after: int) -> None:
        """Carry ``session`` from the event after ``after``."""
        self.session, self.sent = session, after
        session.connection = self
        self._news.set()

    @property
    def lag(self) -> int:
        """Events of the session that are not written yet."""
        return self.session.last - self.sent if self.session is not None else 0

    async def write(self) -> None:
        """Write until cancelled; cuts the connection off when the client takes nothing."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                while frames := self._take():
                    async with asyncio.timeout(SEND_SECONDS):
                        for data in frames:
                            await self._send(data)
        except (TimeoutError, EventsLost, ConnectionError):
            self.abort()

    def _take(self) -> list[bytes]:
        if self._urgent:
            return self._take_urgent()
        if self.session is None or self.session.connection is not self:
            return []
        frames = self.session.after(self.sent, _BURST)
        self.sent += len(frames)
        self._counters.events_sent += len(frames)
        return frames

    def _take_urgent(self) -> list[bytes]:
        frames = list(self._urgent)
        self._urgent.clear()
        return frames

    async def _send(self, data: bytes) -> None:
        if self._zlib is None:
            await self._socket.send_frame(data, WSMsgType.TEXT)
        else:
            data = self._zlib.compress(data) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
            await self._socket.send_bytes(data)
        self._counters.bytes_sent += len(data)

    async def close(self, code: int, reason: str = "") -> None:
        """Close with ``code``, once what was said before is written."""
        if self.closed_with is not None or self._socket.closed:
            return
        self.closed_with = code
        with contextlib.suppress(ConnectionError):
            for data in self._take_urgent():
                await self._send(data)
            await self._socket.close(code=code, message=reason.encode())

    def abort(self) -> None:
        """Cut the TCP connection without a word."""
        if (transport := self._request.transport) is not None:
            transport.abort()
