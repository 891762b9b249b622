"""The layers around the application, outermost first: each is an ASGI application of a few lines.

    Envelope   request id, headers, metrics, one log line; what nobody caught ends here
    Gate       how often an address may ask
    Packing    gzip, but not for streams of events
    (quick)    reads that are answered here already
    Deadline   an answer has to begin in time
    BodyLimit  a body may be so large

A log line names the route and never the path or the query, which hold keys, codes and states. What was read,
soon and well, is counted and not logged: it is most of what is asked for, and tells nothing.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from prometheus_client import Counter, Gauge, Histogram
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import STRUCTLOG_KEY_PREFIX

from flora_api.answers import refusal
from flora_api.edge.addresses import client_address
from flora_api.edge.limits import Limits, Rate, seconds_to_wait
from flora_core.telemetry import Series, logger

N = TypeVar("N", int, float)

GZIP_FROM: Final = 1024
"""Bytes below which packing is not worth it."""
REQUEST_ID: Final = b"x-request-id"
SLOW_SECONDS: Final = 1.0
"""A read that takes longer is worth a log line."""
DOCS: Final = "/api-docs"
HEALTH: Final = "/api/health"

_READING: Final = frozenset(("GET", "HEAD"))
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_CLOSED: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_DOCS_PAGE: Final = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data: https://fastapi.tiangolo.com; "
    "script-src 'unsafe-inline' https://cdn.jsdelivr.net; "
    "style-src 'unsafe-inline' https://cdn.jsdelivr.net; frame-ancestors 'none'"
)
"""What the page of Swagger UI loads."""

_requests = Counter("flora_api_requests_total", "Answers", ["method", "route", "status"])
_seconds = Histogram(
    "flora_api_request_seconds",
    "Until an answer began",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
_open: Final[set[str]] = set()
Gauge("flora_api_requests_open", "Requests, and streams, that go on").set_function(lambda: len(_open))
_answered: Final = Series(_requests)
_seconds_of: Final = Series(_seconds)
_request_id: Final = ContextVar(f"{STRUCTLOG_KEY_PREFIX}request_id", default="")
"""In every log line of the request: structlog looks for variables that are named so."""
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one route needs that others may not have; None for what all have."""

    path: str
    """A regular expression for the whole path."""
    body_bytes: int | None = None
    seconds: float | None = None
    """Until its answer has to begin."""


def with_edge(
    app: ASGIApp,
    *,
    limits: Limits,
    per_address: Rate,
    trusted_proxies: int = 0,
    body_bytes: int = 8 << 20,
    allowances: Sequence[Allowance] = (),
    seconds: float = 30.0,
    https: bool = False,
    before: Callable[[ASGIApp], ASGIApp] = lambda app: app,
) -> ASGIApp:
    """``app`` as the network may meet it; ``before`` puts something before it that keeps its time itself.

    ``body_bytes`` and ``seconds`` (until an answer has to begin) are for all paths without an allowance.
    ``https``: browsers are told to stay with it.
    """
    app = BodyLimit(app, body_bytes, allowances)
    app = Deadline(app, seconds, allowances)
    app = Packing(before(app))
    app = Gate(app, limits, per_address, trusted=trusted_proxies)
    return Envelope(app, https=https)


class Envelope:
    """What every answer has."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        usual = {
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "x-frame-options": "DENY",
            "cross-origin-resource-policy": "same-origin",
            **({"strict-transport-security": "max-age=31536000"} if https else {}),
        }
        self._closed = _raw({**usual, "content-security-policy": _CLOSED})
        self._docs_page = _raw({**usual, "content-security-policy": _DOCS_PAGE})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(16)
        began = time.perf_counter()
        status = 0

        async def send_enveloped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _seconds_of[_route(scope)].observe(time.perf_counter() - began)
                self._add_headers(scope["path"], request_id, message)
            await send(message)

        _request_id.set(request_id)  # in this request's own task
        _open.add(request_id)
        try:
            await self._app(scope, receive, send_enveloped)
        except Exception:  # noqa: BLE001  the outermost there is
            if not status:
                _log.exception("request_failed", route=_route(scope))
                answer = refusal(500, "something went wrong here that should not", "INTERNAL")
                await answer(scope, receive, send_enveloped)
            # Else it was answered, and logged where it happened.
        finally:
            _open.discard(request_id)
            self._note(scope, status, time.perf_counter() - began)

    def _add_headers(self, path: str, request_id: str, message: Message) -> None:
        headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
        if not any(name == b"cache-control" for name, _ in headers):
            headers.append((b"cache-control", b"no-store"))
        headers.append((REQUEST_ID, request_id.encode()))
        headers += self._docs_page if path.startswith(DOCS) else self._closed
        message["headers"] = headers

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = _route(scope)
        _answered[method, route, status or "cut"].inc()
        if scope["path"] == HEALTH or (method in _READING and 0 < status < 400 and seconds < SLOW_SECONDS):
            return
        _log.info("request", method=method, route=route, status=status, milliseconds=round(seconds * 1000, 1))


class Gate:
    """Refuses an address that asks too often, before anything is looked up for it."""

    def __init__(self, app: ASGIApp, limits: Limits, rate: Rate, *, trusted: int) -> None:
        self._app = app
        self._limits = limits
        self._rate = rate
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != HEALTH:
            peer = scope["client"][0] if scope.get("client") else ""
            said = _values(scope, b"x-forwarded-for") if self._trusted else []
            address = client_address(peer, said, trusted=self._trusted)
            wait = await self._limits.take(self._rate, address)
            if wait > 0:
                text = "too many requests from your address; wait and try again"
                answer = refusal(429, text, "RATE_LIMITED", retry_after=seconds_to_wait(wait))
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


class Deadline:
    """Ends what has not begun to answer in time; what has begun may be a stream, and goes on."""

    def __init__(self, app: ASGIApp, seconds: float, allowances: Sequence[Allowance] = ()) -> None:
        self._app = app
        self._seconds = _ByPath(seconds, {one.path: one.seconds for one in allowances})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seconds = self._seconds.of(scope["path"])
        limit = asyncio.timeout(seconds)

        async def send_in_time(message: Message) -> None:
            if message["type"] == "http.response.start":
                limit.reschedule(None)
            await send(message)

        try:
            async with limit:
                await self._app(scope, receive, send_in_time)
        except TimeoutError:
            if not limit.expired():
                raise
            text = f"this took longer than {seconds:g} s and was given up; look before you repeat it"
            await refusal(504, text, "DEADLINE")(scope, receive, send)


class BodyLimit:
    """Refuses larger bodies by what they say, and reads no more of those that do not say."""

    def __init__(self, app: ASGIApp, limit: int, allowances: Sequence[Allowance] = ()) -> None:
        self._app = app
        self._limit = _ByPath(limit, {one.path: one.body_bytes for one in allowances})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit.of(scope["path"])
        said = next(iter(_values(scope, b"content-length")), "")
        if said.isascii() and said.isdecimal() and (len(said) > 18 or int(said) > limit):
            answer = refusal(413, _too_large(limit), "TOO_LARGE")
            answer.headers["Connection"] = "close"  # the body is not read
            await answer(scope, receive, send)
            return
        taken = 0

        async def receive_some() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(413, _too_large(limit), {"Connection": "close"})
            return message

        await self._app(scope, receive_some, send)


class Packing:
    """gzip for those who can unpack it; all others pay nothing for it."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._packed = GZipMiddleware(app, minimum_size=GZIP_FROM, compresslevel=5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        packs = scope["type"] == "http" and any(
            "gzip" in value for value in _values(scope, b"accept-encoding")
        )
        await (self._packed if packs else self._plain)(scope, receive, send)


class _ByPath(Generic[N]):
    """A number for most paths, and others for some."""

    def __init__(self, usual: N, others: Mapping[str, N | None]) -> None:
        self._usual = usual
        self._others = [(re.compile(path), number) for path, number in others.items() if number is not None]

    def of(self, path: str) -> N:
        return next((number for pattern, number in self._others if pattern.fullmatch(path)), self._usual)


def _too_large(limit: int) -> str:
    return f"a request may have {limit / (1 << 20):g} MiB"


def _values(scope: Scope, name: bytes) -> list[str]:
    """Of a header; ASGI has their names in lower case."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _route(scope: Scope) -> str:
    """The route's template; one word for all paths that there are not."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "none"


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """As ASGI has them."""
    return [(name.encode(), value.encode()) for name, value in headers.items()]
