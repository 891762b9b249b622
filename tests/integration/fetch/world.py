"""A small internet on loopback: servers, a name server of the test's own, certificates."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import subprocess
import zlib
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from flora_core.ids import GuildId
from flora_core.wire.control import Secret
from flora_runtime.fetch.address import AddressRules, parse_networks
from flora_runtime.fetch.service import FetchService

GUILD = GuildId("1")
LOOPBACK = AddressRules(allow=parse_networks("127.0.0.1"))
PATIENCE = 20.0


class Refused(Exception):
    """What a script would get as FloraError."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code: str = error["code"]
        self.text: str = error["message"]
        self.error = error


class Names:
    """A name server that answers what the test says: one answer after another, the last one for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []

    def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        answers = self.answers.get(host, [[]])
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Fetcher:
    """A pod's fetch service, asked as a script asks."""

    def __init__(
        self, *, rules: AddressRules = LOOPBACK, tls: ssl.SSLContext | None = None, **limits: int
    ) -> None:
        self.names = Names()
        self.service = FetchService(
            rules, **{"at_once": 6, "a_minute": 1000, **limits}, lookup=self.names, tls=tls
        )
        self._op = 0

    def start(self, url: str, *, guild: GuildId = GUILD, **call: Any) -> tuple[int, asyncio.Future[Any]]:
        """The op's number, and what will be its answer."""
        self._op += 1
        future = asyncio.get_running_loop().create_future()
        args = json.dumps({"url": url, **call}).encode()
        self.service.call(guild, self._op, "fetch", args, _settles(future))
        return self._op, future

    async def fetch(self, url: str, **call: Any) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return await self.start(url, **call)[1]

    async def refusal(self, url: str, **call: Any) -> Refused:
        try:
            answer = await self.fetch(url, **call)
        except Refused as refused:
            return refused
        raise AssertionError(f"answered with {answer['status']}")

    async def fill(self, args: dict[str, Any], *, guild: GuildId = GUILD) -> dict[str, Any]:
        self._op += 1
        future = asyncio.get_running_loop().create_future()
        self.service.fill(guild, self._op, json.dumps(args).encode(), _settles(future))
        async with asyncio.timeout(PATIENCE):
            return await future

    def abort(self, op: int, *, guild: GuildId = GUILD) -> None:
        self.service.call(guild, 0, "fetchAbort", json.dumps({"id": op}).encode(), lambda ok, value: None)

    def know(self, *secrets: Secret, guild: GuildId = GUILD) -> None:
        self.service.know(guild, list(secrets))


def _settles(future: asyncio.Future[Any]) -> Callable[[bool, bytes], None]:
    def answer(ok: bool, value: bytes) -> None:
        assert not future.done() or future.cancelled(), "answered twice"
        if future.cancelled():
            return
        decoded = msgspec.json.decode(value)
        future.set_result(decoded) if ok else future.set_exception(Refused(decoded))

    return answer


class Site:
    """An HTTP server that remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.port = 0
        self.under_way = 0
        self.most_at_once = 0
        self.gate = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        app = web.Application(client_max_size=4 << 20)
        for path, handler in ROUTES.items():
            app.router.add_route("*", path, self._noting(handler))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self.gate.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def _noting(self, handler: Callable[[Site, web.Request], Awaitable[web.StreamResponse]]) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            self.requests.append(
                {"method": request.method, "path": request.raw_path, "headers": request.headers, "body": body}
            )
            self.under_way += 1
            self.most_at_once = max(self.most_at_once, self.under_way)
            try:
                return await handler(self, request)
            finally:
                self.under_way -= 1

        return handle


async def _echo(site: Site, request: web.Request) -> web.Response:
    seen = site.requests[-1]
    return web.json_response(
        {"method": seen["method"], "headers": dict(seen["headers"]), "body": seen["body"].decode("latin-1")}
    )


async def _redirect(site: Site, request: web.Request) -> web.Response:
    status = int(request.query.get("status", "302"))
    return web.Response(status=status, headers={"Location": request.query["to"]})


async def _bytes(site: Site, request: web.Request) -> web.Response:
    return web.Response(body=bytes(range(256)))


async def _size(site: Site, request: web.Request) -> web.Response:
    return web.Response(body=b"x" * int(request.query["n"]))


async def _packed(site: Site, request: web.Request) -> web.Response:
    """``n`` zeros, packed as ``as`` says."""
    packed, name = _pack(request.query["as"], int(request.query["n"]))
    return web.Response(body=packed, headers={"Content-Encoding": name})


@cache
def _pack(kind: str, size: int) -> tuple[bytes, str]:
    raw = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": lambda: gzip.compress(bytes(size), 9),
        "deflate": lambda: zlib.compress(bytes(size)),
        "raw": lambda: raw.compress(bytes(size)) + raw.flush(),
        "cut": lambda: gzip.compress(bytes(size))[:-20],
        "broken": lambda: b"\x1f\x8b" + b"nonsense" * 10,
        "br": lambda: b"x",
    }[kind]()
    name = {"raw": "deflate", "cut": "gzip", "broken": "gzip"}.get(kind, kind)
    return packed, name


async def _wait(site: Site, request: web.Request) -> web.Response:
    await site.gate.wait()
    return web.Response(text="at last")


async def _cookies(site: Site, request: web.Request) -> web.Response:
    response = web.Response(text="ok", headers={"X-Status": "fine"})
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


async def _missing(site: Site, request: web.Request) -> web.Response:
    return web.Response(status=404, text="nothing")


async def _headers(site: Site, request: web.Request) -> web.Response:
    return web.Response(headers={f"X-{n}": "y" * 7000 for n in range(int(request.query["n"]))})


async def _repeat(site: Site, request: web.Request) -> web.Response:
    return web.Response(text=request.query["k"] * int(request.query["n"]))


async def _circle(site: Site, request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "/circle"})


ROUTES: dict[str, Callable[[Site, web.Request], Awaitable[web.StreamResponse]]] = {
    "/echo": _echo,
    "/redirect": _redirect,
    "/bytes": _bytes,
    "/size": _size,
    "/packed": _packed,
    "/wait": _wait,
    "/cookies": _cookies,
    "/headers": _headers,
    "/missing": _missing,
    "/circle": _circle,
    "/repeat": _repeat,
    "/pictures/cat.png": _bytes,
}


class Raw:
    """A server that says exactly these bytes, one piece each ``pause`` seconds, and keeps the line open."""

    def __init__(self, *pieces: bytes, pause: float = 0.0, close: bool = True) -> None:
        self._pieces = pieces
        self._pause = pause
        self._close = close
        self._server: asyncio.Server | None = None
        self.lost = asyncio.Event()
        """Set when the other side has gone."""

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            for piece in self._pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(self._pause)
            if not self._close:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.lost.set()
            writer.close()


def certificate(folder: Path, *names: str) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a fresh certificate for ``names``, and the certificate, which vouches for itself."""
    key, crt = folder / "key.pem", folder / "crt.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-keyout", str(key), "-out", str(crt), "-days", "2", "-subj", "/CN=test"),
            *("-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    return context, crt
