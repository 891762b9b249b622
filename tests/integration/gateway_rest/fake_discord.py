"""A Discord REST API on raw streams, so that it can misbehave byte by byte.

Without a script it answers like Discord does, with real rate limit windows where a test asks for them.
``script`` puts steps in front: each answers one request, in the order in which requests come.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

Step = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Seen:
    """A request as it came in."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    at: float

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Exchange:
    """One request and the connection to answer it on."""

    request: Seen
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    keep: bool = True

    async def write(self, *parts: bytes, pause: float = 0.0) -> None:
        """Send each part in a packet of its own, as far as that can be had."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(pause)

    def close(self) -> None:
        """End the connection in good order."""
        self.keep = False

    def reset(self) -> None:
        """End it with a TCP reset."""
        self.keep = False
        if self.writer.transport.is_closing():
            return
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def response(
    status: int = 200, body: Any = None, headers: dict[str, str] | None = None, *, reason: str = "Whatever"
) -> bytes:
    """A whole response with Content-Length; ``body`` is bytes, or made JSON."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} {reason}", "Date: Sun, 22 Nov 2026 07:00:00 GMT", "Via: 1.1 google"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if status != 204:
        lines += ["Content-Type: application/json", f"Content-Length: {len(raw)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (raw if status != 204 else b"")


def is_json(request: Seen) -> bool:
    return request.headers.get("content-type") == "application/json"


def answer(
    status: int = 200, body: Any = None, headers: dict[str, str] | None = None, *, after: float = 0.0
) -> Step:
    """A step that answers, ``after`` so many seconds."""

    async def step(exchange: Exchange) -> None:
        await asyncio.sleep(after)
        await exchange.write(response(status, body, headers))

    return step


def raw(*parts: bytes, pause: float = 0.0, then: str = "keep") -> Step:
    """A step that sends ``parts`` as they are, and then keeps, closes or resets the connection."""

    async def step(exchange: Exchange) -> None:
        with contextlib.suppress(ConnectionError):
            await exchange.write(*parts, pause=pause)
        if then == "close":
            exchange.close()
        elif then == "reset":
            exchange.reset()

    return step


def too_many(
    after: float, *, scope: str = "user", bucket: str = "", limit: int = 5, is_global: bool = False
) -> Step:
    """A step that answers 429."""
    headers = {"Retry-After": str(int(after) + 1), "X-RateLimit-Scope": "global" if is_global else scope}
    if is_global:
        headers["X-RateLimit-Global"] = "true"
    if bucket:
        headers |= limits(bucket, limit=limit, remaining=0, reset_after=after)
    body = {"message": "You are being rate limited.", "retry_after": after, "global": is_global}
    return answer(429, body, headers)


def limits(bucket: str, *, limit: int, remaining: int, reset_after: float) -> dict[str, str]:
    """Discord's rate limit headers."""
    return {
        "x-ratelimit-bucket": bucket,
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset-after": f"{reset_after:.3f}",
    }


@dataclass
class Window:
    """One bucket's fixed window, as Discord counts."""

    limit: int
    seconds: float
    ends: float = 0.0
    used: int = 0

    def take(self, now: float) -> tuple[bool, int, float]:
        """Whether a call fits, how many are left, and when the window ends."""
        if now >= self.ends:
            self.ends, self.used = now + self.seconds, 0
        fits = self.used < self.limit
        self.used += fits
        return fits, self.limit - self.used, self.ends - now


@dataclass
class FakeDiscord:
    """Listens on a port of its own while it is entered."""

    tls: ssl.SSLContext | None = None
    seen: list[Seen] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    windows: dict[str, Window] = field(default_factory=dict)
    """By major parameter; calls on others are not limited."""
    channels: dict[str, str] = field(default_factory=dict)
    """Channel to guild, for GET /channels/…"""
    webhooks: dict[str, str] = field(default_factory=dict)
    """Webhook, or webhook/token, to guild, for GET /webhooks/…"""
    commands: dict[str, list[Any]] = field(default_factory=dict)
    latency: float = 0.0
    refused: int = 0
    """429s that the windows gave."""
    connections: int = 0
    close_after_answer: bool = False
    """Close each connection once it has answered, without having said so."""

    async def __aenter__(self) -> Self:
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls, limit=1 << 21)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()
        await asyncio.sleep(0)

    @property
    def url(self) -> str:
        scheme, host = ("https", "localhost") if self.tls else ("http", "127.0.0.1")
        return f"{scheme}://{host}:{self.port}"

    def script(self, *steps: Step) -> None:
        """Answer the next requests with ``steps``."""
        self.steps += steps

    async def close_idle(self) -> None:
        """Close every connection."""
        for writer in list(self._writers):
            writer.close()
        await asyncio.sleep(0)

    @property
    def open_connections(self) -> int:
        return len(self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        number = self.connections
        try:
            while (request := await self._read(reader, number)) is not None:
                self.seen.append(request)
                exchange = Exchange(request, reader, writer)
                step = self.steps.pop(0) if self.steps else self._usual
                await step(exchange)
                if self.close_after_answer or not exchange.keep:
                    break
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, connection: int) -> Seen | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        assert version == "HTTP/1.1"
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        now = asyncio.get_running_loop().time()
        return Seen(method, target, headers, body, connection, now)

    async def _usual(self, exchange: Exchange) -> None:
        request = exchange.request
        parts = request.path.removeprefix("/api/v10/").split("/")
        await asyncio.sleep(self.latency)
        status, body, headers = self._answer(request, parts)
        await exchange.write(response(status, body, headers))

    def _answer(self, request: Seen, parts: list[str]) -> tuple[int, Any, dict[str, str]]:
        headers: dict[str, str] = {}
        window = self.windows.get(parts[1] if len(parts) > 1 else "")
        if window is not None:
            fits, left, ends_in = window.take(asyncio.get_running_loop().time())
            headers = limits(
                f"{request.method}-bucket", limit=window.limit, remaining=left, reset_after=ends_in
            )
            if not fits:
                self.refused += 1
                body = {"message": "You are being rate limited.", "retry_after": ends_in, "global": False}
                return 429, body, headers | {"X-RateLimit-Scope": "user"}
        match request.method, parts:
            case "GET", ["channels", channel]:
                if channel not in self.channels:
                    return 404, {"message": "Unknown Channel", "code": 10003}, headers
                return 200, {"id": channel, "guild_id": self.channels[channel]}, headers
            case "GET", ["webhooks", _, _, "messages", message]:
                return 200, {"id": message}, headers
            case "GET", ["webhooks", *key]:
                guild = self.webhooks.get("/".join(key))
                if guild is None:
                    wrong = 401 if len(key) > 1 else 404
                    return wrong, {"message": "Unknown Webhook", "code": 10015}, headers
                return 200, {"id": key[0], "guild_id": guild}, headers
            case "GET", ["applications", _, "guilds", guild, "commands"]:
                return 200, self.commands.get(guild, []), headers
            case "PUT", ["applications", app, "guilds", guild, "commands"]:
                made = [
                    {"id": str(900 + n), "application_id": app, "version": "1", "type": 1, "nsfw": False} | c
                    for n, c in enumerate(request.json)
                ]
                self.commands[guild] = made
                return 200, made, headers
            case "POST" | "PATCH", ["channels" | "webhooks", *_] if is_json(request):
                return 200, {"id": str(1000 + len(self.seen))} | request.json, headers
        return 204, None, headers


@contextlib.asynccontextmanager
async def serving(
    handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], host: str = "127.0.0.1"
) -> AsyncIterator[int]:
    """A server with one odd habit; gives its port, and leaves nothing behind."""
    writers: list[asyncio.StreamWriter] = []
    tasks: list[asyncio.Task[None]] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        tasks.append(asyncio.current_task())  # type: ignore[arg-type]
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await handler(reader, writer)

    server = await asyncio.start_server(handle, host, 0, limit=1 << 12)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()
        await asyncio.sleep(0)


def self_signed(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts for a server called localhost and for a client that trusts it alone."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    files = ["-keyout", str(key), "-out", str(certificate), "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(["openssl", "req", *options.split(), *files], check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return server, ssl.create_default_context(cafile=str(certificate))
