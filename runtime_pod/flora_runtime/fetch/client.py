"""One fetch: requests to checked addresses, and the redirects between them.

Every hop has a connection of its own, made to the addresses that were checked for it and closed after it.
Nothing is shared: no pool, no cookies, no proxies or passwords from the environment. That costs a TLS
handshake each time, and leaves nothing that one guild's fetch could leave behind for another's.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import yarl

from flora_core.ids import GuildId
from flora_runtime.fetch import limits
from flora_runtime.fetch.body import BodyBudget, Held, read_body, travelling
from flora_runtime.fetch.calls import Fetch, Headers, Response
from flora_runtime.fetch.errors import FetchRefused
from flora_runtime.fetch.placeholders import Exchange, holds_placeholder
from flora_runtime.fetch.resolver import Pinned, Resolver
from flora_runtime.fetch.target import Target, parse_target, redirected

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
USER_AGENT: Final = "flora"

_CREDENTIALS: Final = frozenset({"authorization", "cookie"})
_OF_BODIES: Final = frozenset({"content-encoding", "content-language", "content-location", "content-type"})


class Client:
    """``fetch`` carries one call out; raises FetchRefused, and TimeoutError never by itself."""

    def __init__(self, resolver: Resolver, *, budget: BodyBudget, tls: ssl.SSLContext | None = None) -> None:
        self._resolver = resolver
        self._budget = budget
        self._tls: Final = tls or ssl.create_default_context()

    async def fetch(self, guild: GuildId, call: Fetch, exchange: Exchange) -> Response:
        """The response, its body complete."""
        target = exchange.fill_target(parse_target(call.url))
        for hop in range(limits.REDIRECTS + 1):
            async with self._send(guild, call, target, exchange) as response:
                location = response.headers.get("Location") if response.status in REDIRECTS else None
                if location is None or call.redirect == "manual":
                    return await self._receive(response, target, exchange, redirected=hop > 0)
            if call.redirect == "error":
                raise FetchRefused(
                    "FETCH_FAILED", 'the server redirects, and the fetch said redirect: "error"'
                )
            before, target = target, redirected(target, location)
            exchange.check_redirect(target)
            call = after_redirect(call, response.status, same_origin=before.origin == target.origin)
        raise FetchRefused("FETCH_FAILED", f"the server redirects more than {limits.REDIRECTS} times")

    @asynccontextmanager
    async def _send(
        self, guild: GuildId, call: Fetch, target: Target, exchange: Exchange
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        # Whether the secrets may go there is decided first: nothing is dialled for one that may not.
        headers = exchange.fill_headers(call.headers, target)
        body = _body_of(call, target, exchange)
        addresses = await self._resolver.resolve(guild, target.host)
        connector = aiohttp.TCPConnector(
            resolver=Pinned(addresses), use_dns_cache=False, force_close=True, ssl=self._tls, limit=1
        )
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                    timeout=aiohttp.ClientTimeout(total=None),
                    skip_auto_headers=("Content-Type",),
                ) as session,
                session.request(
                    call.method,
                    yarl.URL(target.url, encoded=True),
                    headers=[*headers, *_own_headers(headers)],
                    data=body,
                    allow_redirects=False,
                ) as response,
            ):
                yield response
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise FetchRefused("FETCH_FAILED", _what_failed(error)) from None

    async def _receive(
        self, response: aiohttp.ClientResponse, target: Target, exchange: Exchange, *, redirected: bool
    ) -> Response:
        headers = _headers_of(response, exchange)
        with Held(self._budget) as held:
            body = await read_body(
                response.content.iter_any(), response.headers.get("Content-Encoding", ""), held
            )
            body = exchange.take_back_bytes(body)
            if len(body) > limits.RESPONSE_BYTES:  # placeholders are longer than most values
                raise FetchRefused("FETCH_TOO_LARGE", "the response repeats a secret too often")
            text, data = await travelling(body)
        return Response(
            status=response.status,
            status_text=exchange.take_back(response.reason or ""),
            url=exchange.take_back(target.url),
            headers=headers,
            redirected=redirected,
            text=text,
            body=data,
        )


def after_redirect(call: Fetch, status: int, *, same_origin: bool) -> Fetch:
    """What is asked of the place a redirect leads to. https://fetch.spec.whatwg.org/#http-redirect-fetch

    Another origin gets no credentials and no header with a secret in it.
    """
    method, text, body, headers = call.method, call.text, call.body, call.headers
    if (status in (301, 302) and method == "POST") or (status == 303 and method not in ("GET", "HEAD")):
        method, text, body = "GET", None, None
        headers = [(name, value) for name, value in headers if name.lower() not in _OF_BODIES]
    if not same_origin:
        headers = [
            (name, value)
            for name, value in headers
            if name.lower() not in _CREDENTIALS and not holds_placeholder([(name, value)])
        ]
    return Fetch(
        url=call.url,
        method=method,
        headers=headers,
        text=text,
        body=body,
        redirect=call.redirect,
        secrets_in_body=call.secrets_in_body,
    )


def _body_of(call: Fetch, target: Target, exchange: Exchange) -> bytes | None:
    body = call.content
    if body is None or not call.secrets_in_body:
        return body
    types = [value for name, value in call.headers if name.lower() == "content-type"]
    filled = exchange.fill_body(body, target, content_type=types[-1] if types else "")
    if len(filled) > limits.REQUEST_BYTES:
        raise FetchRefused("INVALID_INPUT", f"body: has more than {limits.REQUEST_BYTES:,} bytes")
    return filled


def _own_headers(headers: Headers) -> Headers:
    given = {name.lower() for name, _ in headers}
    usual = [("Accept-Encoding", "gzip, deflate"), ("Accept", "*/*"), ("User-Agent", USER_AGENT)]
    return [(name, value) for name, value in usual if name.lower() not in given]


def _headers_of(response: aiohttp.ClientResponse, exchange: Exchange) -> Headers:
    raw = response.raw_headers
    if sum(len(name) + len(value) for name, value in raw) > limits.RESPONSE_HEADER_BYTES:
        raise FetchRefused("FETCH_TOO_LARGE", "the response's headers are too large")
    return [
        (name.decode("latin-1").lower(), exchange.take_back(value.decode("latin-1"))) for name, value in raw
    ]


def _what_failed(error: Exception) -> str:
    """In words without the URL: aiohttp's own texts have it, and with it perhaps a secret."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "") or "it cannot be checked"
        return f"the server's certificate is not accepted: {why}"
    if isinstance(error, aiohttp.ClientSSLError):
        return "no TLS connection could be made"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection could be made: {error.os_error.strerror or 'refused'}"
    if isinstance(
        error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | aiohttp.ClientOSError
    ):
        return "the server broke the connection off"
    return "the server's answer is not HTTP"
