"""One HTTP/1.1 connection to Discord: an asyncio protocol around httptools' response parser.

A connection carries one request at a time (Discord's front does not pipeline). It is *idle* (no request),
or *busy* from ``start`` until the response is complete, the connection is lost, or ``fail`` is called;
then it has no request again, and the pool hears of it before the caller does: an answer may be followed
by the next request from inside the caller's callback.

What must never happen is that one guild's call gets another's response. So bytes that come while no
request is out, or after a response is complete, end the connection, and a response that was not read to
its end never leaves a connection that is used again.
"""

from __future__ import annotations

import asyncio
import select
from typing import Final, Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from flora_gateway.rest.transport import (
    HEADERS,
    ConnectionLost,
    MalformedResponse,
    OnDone,
    Outcome,
    Request,
    Response,
    ResponseTooLarge,
    TransportError,
)

HEAD_LIMIT: Final = 64 << 10
"""Bytes of status line and headers. Discord sends about 1.5 KB."""
TRUST_SECONDS: Final = 1.0
"""A connection that was idle for longer is looked at before it is used again."""

_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding"))


class Pool(Protocol):
    """What a connection reports to."""

    def released(self, connection: Connection, *, reusable: bool) -> None:
        """The response is complete."""
        ...

    def lost(self, connection: Connection) -> None:
        """The connection is closed."""
        ...

    def repeat(self, request: Request, on_done: OnDone) -> bool:
        """A kept-alive connection died with ``request`` before a byte of the response; True if the pool
        sends it again."""
        ...


class Connection(asyncio.Protocol):
    """One connection and the response that is arriving on it."""

    __slots__ = (
        "_begun",
        "_body",
        "_framed",
        "_head_bytes",
        "_head_done",
        "_headers",
        "_keep",
        "_limit",
        "_on_done",
        "_parser",
        "_poll",
        "_pool",
        "_response",
        "_reused",
        "_size",
        "_surplus",
        "_transport",
        "idle_since",
        "request",
    )

    def __init__(self, pool: Pool, *, limit: int) -> None:
        self._pool = pool
        self._limit = limit
        self.request: Request | None = None
        self.idle_since = 0.0
        self._reused = False
        self._response: Response | None = None
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []

    # What the pool calls.

    def start(self, request: Request, wire: bytes, on_done: OnDone) -> None:
        """Send ``wire``, which is ``request``; only while idle."""
        self.request = request
        self._on_done = on_done
        self._response = None
        self._begun = self._head_done = self._surplus = False
        self._head_bytes = 0
        self._transport.write(wire)

    def fail(self, error: TransportError) -> None:
        """Give up the request with ``error`` and close."""
        request, on_done = self.request, self._on_done
        self.abandon()
        if request is not None:
            on_done(request, error)

    def abandon(self) -> None:
        """Close without telling anybody but the pool."""
        self.request = None
        self._transport.abort()

    @property
    def closing(self) -> bool:
        return self._transport.is_closing()

    def usable(self, now: float) -> bool:
        """Whether a request may be sent: open, and nothing arrived that means it is about to close.

        A server that closed while this was idle has made the socket readable, even if the loop has not
        come round to it: looking costs two microseconds and spares a request that cannot be repeated.
        """
        if self._transport.is_closing():
            return False
        return now - self.idle_since < TRUST_SECONDS or not self._poll.poll(0)

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = HttpResponseParser(self)
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        if self.request is None:
            self.abandon()
            return
        self._begun = True
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._response = None
            self.fail(MalformedResponse("the server switched protocols without being asked"))
            return
        except HttpParserError as error:
            self._surplus = True
            if self._response is None:
                self.fail(MalformedResponse(f"not an HTTP response: {error}"))
                return
        if self._response is not None:
            self._finish(self._response)
        elif self._size > self._limit:
            self.fail(ResponseTooLarge(f"the response's body is over {self._limit} bytes"))
        elif not self._head_done:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_LIMIT:
                self.fail(ResponseTooLarge(f"the response's headers are over {HEAD_LIMIT} bytes"))

    def connection_lost(self, exc: Exception | None) -> None:
        request, self.request = self.request, None
        self._pool.lost(self)
        if request is None:
            return
        on_done = self._on_done
        if self._begun or not self._reused or not self._pool.repeat(request, on_done):
            on_done(request, self._outcome_at_end(exc))

    def _outcome_at_end(self, exc: Exception | None) -> Outcome:
        if exc is not None:
            return ConnectionLost(f"the connection broke: {exc}")
        if not self._begun:
            return ConnectionLost("the server closed the connection instead of answering")
        if self._head_done and not self._framed:  # the body of such a response ends with the connection
            return Response(self._parser.get_status_code(), self._headers, b"".join(self._body))
        return ConnectionLost(f"the server closed the connection {self._size} bytes into the body")

    # What httptools calls. It looks these up once, when the parser is made.

    def on_message_begin(self) -> None:
        if self._response is not None:
            self._surplus = True
        self._headers = {}
        self._body = []
        self._size = 0
        self._framed = False

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in HEADERS:
            self._headers[name] = value
        elif name in _FRAMING:
            self._framed = True

    def on_headers_complete(self) -> None:
        self._head_done = True
        request = self.request
        if request is not None and request.method == b"HEAD" and self._parser.get_status_code() >= 200:
            self.on_message_complete()
            self._keep = False  # the parser now waits for the body that a HEAD does not have

    def on_body(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size <= self._limit:
            self._body.append(chunk)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # an interim response; the one that counts is still to come
            self._head_done = False
        elif self._response is None and self._size <= self._limit:
            body = self._body
            self._response = Response(status, self._headers, body[0] if len(body) == 1 else b"".join(body))
            self._keep = self._parser.should_keep_alive()

    def _finish(self, response: Response) -> None:
        request, on_done = cast("Request", self.request), self._on_done
        self.request = self._response = None
        self._body = []
        self._reused = True
        # A server that answers before it has the whole request will not read the rest of it.
        whole = self._transport.get_write_buffer_size() == 0
        self._pool.released(self, reusable=self._keep and whole and not self._surplus)
        on_done(request, response)
