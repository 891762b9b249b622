"""What the REST proxy asks of an HTTP client, whichever one it is.

The form is a callback, not a coroutine: on the hot path a task for each request costs half as much again
as all that the lean client does. ``fetch`` is the same as a coroutine, for callers that are not hot.

    TransportError              no usable response; ``sent`` says whether the server may have acted
    ├── ConnectFailed           name resolution, TCP or TLS
    ├── PoolExhausted           no connection became free: the queue is full, or the deadline passed in it
    ├── TransportClosed         the client is shut down
    ├── RequestTimedOut         sent, and no complete response before the deadline
    ├── ConnectionLost          reset or closed before the response was complete
    ├── MalformedResponse       bytes that are not HTTP/1.x
    └── ResponseTooLarge        head or body over its limit
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Protocol
from urllib.parse import urlsplit

import msgspec

from flora_core.errors import FloraError, InvalidInput

HEADERS = frozenset(
    (
        b"content-type",
        b"retry-after",
        b"x-ratelimit-bucket",
        b"x-ratelimit-global",
        b"x-ratelimit-limit",
        b"x-ratelimit-remaining",
        b"x-ratelimit-reset-after",
        b"x-ratelimit-scope",
    )
)
"""The only response headers that a transport hands on, in lower case: the rest is not worth its parsing."""

RESPONSE_LIMIT = 8 << 20
"""Bytes of one response's body. Discord's largest answers, a thousand members, are a tenth of it."""


class TransportError(FloraError):
    """A request without a usable response."""

    sent: ClassVar[bool] = True
    """Whether the request may have reached the server; False means that it certainly did not act on it."""
    reason: ClassVar[str] = "transport"
    """Value of the ``status`` label where such requests are counted."""


class ConnectFailed(TransportError):
    """No connection could be made."""

    sent = False
    reason = "connect"


class PoolExhausted(TransportError):
    """All connections were busy for too long, or too many requests waited for one."""

    sent = False
    reason = "exhausted"


class TransportClosed(TransportError):
    """The client is shut down, or shut down before the request was over."""

    reason = "closed"


class RequestTimedOut(TransportError):
    """The request was sent and not answered in time."""

    reason = "timeout"


class ConnectionLost(TransportError):
    """The connection went away before the response was complete."""

    reason = "lost"


class MalformedResponse(TransportError):
    """What came back is not HTTP, or not HTTP for this request."""

    reason = "malformed"


class ResponseTooLarge(TransportError):
    """The response was larger than allowed and was not read to its end."""

    reason = "too_large"


class Request(msgspec.Struct, eq=False):
    """One request. ``target`` and ``headers`` go to the wire as they are: whoever builds them escapes."""

    method: bytes
    target: bytes
    """Path and query, percent-encoded."""
    headers: bytes = b""
    """Complete lines, each ended by CRLF; without Host and Content-Length, which the transport adds."""
    body: bytes | None = None
    deadline: float = 0.0
    """On the loop's clock, for waiting for a connection, sending and the whole response."""

    def __repr__(self) -> str:  # no tokens: those are in the target and the headers
        return f"<{type(self).__name__} {self.method.decode('latin-1')}>"

    def may_repeat(self) -> bool:
        """Whether sending it twice does no more than sending it once."""
        return self.method in {b"GET", b"HEAD", b"PUT", b"DELETE"}


class Response(msgspec.Struct, frozen=True):
    """A complete response."""

    status: int
    headers: dict[bytes, bytes]
    """Those of ``HEADERS`` that came, lower-case names."""
    body: bytes


Outcome = Response | TransportError
OnDone = Callable[[Any, Outcome], None]
"""Called with the request and what came of it."""


class Transport(Protocol):
    """An HTTP client for one origin. Everything runs on the loop it was made in."""

    def send(self, request: Request, on_done: OnDone) -> None:
        """Send; ``on_done`` is called exactly once, from the loop and never from within this call."""
        ...

    def cancel(self, request: Request) -> None:
        """Forget ``request``: its ``on_done`` is not called, and a connection that carries it is closed."""
        ...

    async def close(self, *, seconds: float = 0.0) -> None:
        """Take no more, let what is under way finish for up to ``seconds``, fail the rest."""
        ...


async def fetch(transport: Transport, request: Request) -> Response:
    """Send ``request`` and wait; raises TransportError. Cancelling it cancels the request."""
    future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def settle(_request: Request, outcome: Outcome) -> None:
        if future.done():
            return
        if isinstance(outcome, TransportError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    transport.send(request, settle)
    try:
        return await future
    except asyncio.CancelledError:
        transport.cancel(request)
        raise


class Origin(NamedTuple):
    """Where to connect to."""

    host: str
    port: int
    tls: bool

    @property
    def netloc(self) -> str:
        """For the Host header: the port only when it is not the scheme's own, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def parse_base(url: str, *, default_path: str) -> tuple[Origin, str]:
    """``url`` as origin and path prefix; ``default_path`` where it has none. Raises InvalidInput."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidInput(f"{url!r} is not a URL: {error}") from None
    tls = parts.scheme == "https"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidInput(f"{url!r} should start with https:// or http:// and name a host")
    if parts.username or parts.query or parts.fragment or not url.isascii() or not url.isprintable():
        raise InvalidInput(f"{url!r} should have a host and a path, nothing else")
    prefix = parts.path.rstrip("/") or default_path
    return Origin(parts.hostname, port or (443 if tls else 80), tls), prefix
