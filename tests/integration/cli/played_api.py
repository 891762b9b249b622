"""An API that is played: it speaks docs/api.md from memory, and fails where a test wants it to.

It runs in a thread with a loop of its own, so that the ``flora`` command can run in the test's.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

GUILD = "100000000000000001"
OTHER = "100000000000000002"
TOKEN = "flora_t1_5ecret-5ecret-5ecret"
ME = {"id": "42", "username": "ann", "global_name": "Ann", "avatar": None}
CUT = -1
"""As a fault: the connection ends without an answer."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Asked:
    """A request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class Fault:
    """What is answered in place of the real answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Stream:
    """What one connection to a stream gets; then it is cut off, unless it ends."""

    text: str
    ends: bool = True


def refusal(status: int, code: str, message: str, **details: Any) -> Fault:
    body = {"message": message, "code": code, "details": details}
    return Fault(status, msgspec.json.encode(body), {"Content-Type": "application/json"})


def event(data: Any, *, name: str = "", place: str = "") -> str:
    head = (f"event: {name}\n" if name else "") + (f"id: {place}\n" if place else "")
    return f"{head}data: {msgspec.json.encode(data).decode()}\n\n"


class PlayedApi:
    """State is plain attributes: tests read and write them."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.faults: deque[Fault] = deque()
        """For the next requests, whatever they ask."""
        self.faults_at: dict[str, Fault] = {}
        """By a part of the path; for as long as they are here."""
        self.answers: dict[str, Any] = {}
        """By ``METHOD path`` without /api; a callable gets the Asked."""
        self.streams: dict[str, deque[Stream]] = {}
        """By path, what each connection gets; the last goes on for ever."""
        self.tokens = {TOKEN: {"token_id": "t1", "label": "test", "guilds": None, "scopes": None}}
        self.guilds = [{"id": GUILD, "name": "flora dev", "icon": None, "permissions": "8", "owner": True}]
        self.stores: dict[str, dict[str, dict[str, Any]]] = {}
        self.secrets: dict[str, dict[str, Any]] = {}
        self.codes: dict[str, str] = {}
        """Challenges of logins that are under way, by code."""
        self.denies_logins = ""

    def requests(self, method: str, path: str) -> list[Asked]:
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, path)]

    def last(self, method: str, path: str) -> Asked:
        found = self.requests(method, path)
        assert found, [f"{asked.method} {asked.path}" for asked in self.asked]
        return found[-1]

    # ------------------------------------------------------------ serving

    @contextmanager
    def serving(self, *, tls: ssl.SSLContext | None = None) -> Iterator[PlayedApi]:
        """Serve on a free port until the end."""
        loop = asyncio.new_event_loop()
        started, stop = threading.Event(), asyncio.Event()

        async def run() -> None:
            async with self._served(tls):
                started.set()
                await stop.wait()

        thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
        thread.start()
        assert started.wait(30)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()
            loop.close()

    @asynccontextmanager
    async def _served(self, tls: ssl.SSLContext | None) -> AsyncIterator[None]:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"{'https' if tls else 'http'}://{host}:{port}"
        try:
            yield
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        raw = request.raw_path.partition("?")[0]
        path = raw.removeprefix("/api")
        asked = Asked(request.method, path, dict(request.query), dict(request.headers), await request.read())
        self.asked.append(asked)
        fault = self.faults.popleft() if self.faults else self._fault_at(path)
        if fault is not None:
            return self._failed(request, fault)
        if not raw.startswith("/api/"):
            return web.Response(status=404, text="not here")
        if path.startswith("/auth/cli"):
            return self._login(asked)
        if asked.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return self._failed(request, refusal(401, "UNAUTHORIZED", "the token is not good"))
        if path in self.streams:
            return await self._stream(request, path)
        return self._result(request, asked)

    def _fault_at(self, path: str) -> Fault | None:
        return next((fault for part, fault in self.faults_at.items() if part in path), None)

    def _failed(self, request: web.Request, fault: Fault) -> web.Response:
        if fault.status == CUT:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.Response(status=fault.status, body=fault.body, headers=fault.headers)

    async def _stream(self, request: web.Request, path: str) -> web.StreamResponse:
        waiting = self.streams[path]
        goes_on = len(waiting) == 1
        stream = waiting[0] if goes_on else waiting.popleft()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(stream.text.encode())
        if goes_on and not stream.ends:
            await asyncio.sleep(3600)
        if not stream.ends:
            assert request.transport is not None
            request.transport.abort()
        return response

    def _result(self, request: web.Request, asked: Asked) -> web.Response:
        known = self.answers.get(f"{asked.method} {asked.path}")
        result = known(asked) if callable(known) else known
        if result is None:
            result = self._kept(asked)
        if isinstance(result, Fault):
            return self._failed(request, result)
        if result is None:
            return self._failed(request, refusal(404, "NO_SUCH_ROUTE", "Not Found"))
        if isinstance(result, bytes):
            return web.Response(body=result)
        if result == 204:
            return web.Response(status=204)
        return web.Response(body=msgspec.json.encode(result), content_type="application/json")

    # ------------------------------------------------------------ what it does by itself

    def _login(self, asked: Asked) -> web.Response:
        if asked.path == "/auth/cli/token":
            body = asked.json
            digest = base64.urlsafe_b64encode(hashlib.sha256(body["verifier"].encode()).digest())
            if self.codes.pop(body["code"], None) != digest.rstrip(b"=").decode():
                fault = refusal(401, "INVALID_CODE", "the code is not good")
                return web.Response(status=401, body=fault.body)
            token = f"flora_t{len(self.tokens) + 1}_fresh"
            self.tokens[token] = {"token_id": token.split("_")[1], "label": body.get("label")}
            answer = {"token": token, "token_id": token.split("_")[1], "user": ME}
            return web.Response(body=msgspec.json.encode(answer))
        query = asked.query
        if self.denies_logins:
            location = f"{query['redirect']}?error={self.denies_logins}&state={query['state']}"
        else:
            code = f"code{len(self.codes)}"
            self.codes[code] = query["challenge"]
            location = f"{query['redirect']}?code={code}&state={query['state']}"
        return web.Response(status=303, headers={"Location": location})

    def _kept(self, asked: Asked) -> Any:
        first, *rest = asked.path.strip("/").split("/")
        token = asked.headers["Authorization"].removeprefix("Bearer ")
        match (asked.method, first, *rest):
            case ("GET", "auth", "me"):
                return {"user": ME, "type": "token", "token": self.tokens[token]}
            case ("POST", "auth", "logout"):
                del self.tokens[token]
                return 204
            case ("GET", "guilds"):
                return self.guilds
            case (_, "kv", *parts):
                return self._kv(asked, parts)
            case (_, "secrets", _guild, *name):
                return self._secrets(asked, name)
        return None

    def _kv(self, asked: Asked, parts: list[str]) -> Any:
        match (asked.method, *parts):
            case ("GET", "stores"):
                guild = asked.query["guild_id"]
                return [
                    {"guild_id": guild, "store_name": name, "keys": len(keys), "bytes": 10 * len(keys)}
                    for name, keys in self.stores.items()
                ]
            case ("DELETE", "stores", _guild, store):
                return {"removed": len(self.stores.pop(store, {}))}
            case ("GET", _guild, store):
                return self._page(asked, store)
            case ("POST", _guild, store, "bulk"):
                if len(asked.json["put"]) + len(asked.json["delete"]) > 1000:
                    return refusal(400, "INVALID_INPUT", "at most 1,000")
                kept = self.stores.setdefault(store, {})
                for entry in asked.json["put"]:
                    kept[entry.pop("key")] = entry
                deleted = sum(kept.pop(key, None) is not None for key in asked.json["delete"])
                return {"written": len(asked.json["put"]), "deleted": deleted}
            case ("GET", _guild, store, key):
                return self.stores.get(store, {}).get(key, {"value": None})
            case ("PUT", _guild, store, key):
                self.stores.setdefault(store, {})[key] = asked.json
                return {"success": True}
            case ("DELETE", _guild, store, key):
                return {"deleted": self.stores.get(store, {}).pop(key, None) is not None}
        return None

    def _page(self, asked: Asked, store: str) -> Any:
        prefix, cursor = asked.query.get("prefix", ""), asked.query.get("cursor", "")
        limit = int(asked.query.get("limit", "100"))
        names = sorted(
            name for name in self.stores.get(store, {}) if name.startswith(prefix) and name > cursor
        )
        page: dict[str, Any] = {"keys": [{"name": name} for name in names[:limit]]}
        page["list_complete"] = len(names) <= limit
        return page if page["list_complete"] else {**page, "cursor": names[limit - 1]}

    def _secrets(self, asked: Asked, name: list[str]) -> Any:
        match (asked.method, *name):
            case ("GET",):
                return [
                    {"name": key, "allowed_hosts": each["allowed_hosts"], "source": "api", "updated_at": ""}
                    for key, each in self.secrets.items()
                ]
            case ("PUT", key):
                self.secrets[key] = asked.json
                return {"name": key, "allowed_hosts": asked.json["allowed_hosts"]}
            case ("POST", "bulk"):
                self.secrets |= {each["name"]: each for each in asked.json["secrets"]}
                return [
                    {"name": each["name"], "allowed_hosts": each["allowed_hosts"]}
                    for each in asked.json["secrets"]
                ]
            case ("DELETE", key):
                return {"deleted": self.secrets.pop(key, None) is not None}
        return None
