"""The real API server, reached by a way that can be broken: it is gone, it throttles, its watches expire."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
from aiohttp import web
from kubernetes.aio.client import Configuration

from cluster.api import tls
from cluster.control_plane import Cluster
from flora_operator.kube.access import Access
from tests.integration.loopback import listening

WRITES = ("POST", "PUT", "PATCH", "DELETE")


class FaultyApi:
    """Hands requests on, unless it is told otherwise."""

    def __init__(self, cluster: Cluster, session: aiohttp.ClientSession) -> None:
        self.gone = False
        self.throttle = 0
        """So many more requests are told to come back in a second."""
        self.conflicts = 0
        """So many more writes are told that somebody was quicker."""
        self.expire = set[str]()
        """Resources whose next watch is told that it is too late."""
        self.requests = Counter[str]()
        """By method, and by ``METHOD resource``."""
        self.access = Access(Configuration(host=""))
        self._server = cluster.access.server
        self._session = session
        self._open = set[asyncio.Task[None]]()

    def writes(self) -> int:
        """So far, Events left out."""
        events = sum(count for name, count in self.requests.items() if name.endswith(" events"))
        return sum(self.requests[method] for method in WRITES) - events

    def cut(self) -> None:
        """Whatever is open breaks."""
        for task in tuple(self._open):
            task.cancel()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            return await self._handle(request)
        except asyncio.CancelledError:
            if request.transport is not None:
                request.transport.abort()
            raise
        finally:
            self._open.discard(task)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        resource = request.path.rstrip("/").split("/")[-1]
        if request.method in WRITES and resource.startswith("guild-"):
            resource = "guilddeployments"
        if self.gone:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if self.throttle:
            self.throttle -= 1
            self.requests["throttled"] += 1
            return web.json_response({"message": "slowly"}, status=429, headers={"Retry-After": "1"})
        if self.conflicts and request.method == "PATCH":
            self.conflicts -= 1
            return web.json_response({"message": "somebody was quicker"}, status=409)
        if "watch" in request.query and resource in self.expire:
            self.expire.discard(resource)
            event = {"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}}
            return web.Response(body=msgspec.json.encode(event) + b"\n", content_type="application/json")
        self.requests[request.method] += 1
        self.requests[f"{request.method} {resource}"] += 1
        return await self._forward(request)

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        headers = {
            name: request.headers[name] for name in ("Accept", "Content-Type") if name in request.headers
        }
        async with self._session.request(
            request.method,
            self._server + request.raw_path,
            data=await request.read() or None,
            headers=headers,
        ) as answer:
            response = web.StreamResponse(status=answer.status)
            for name in ("Content-Type", "Retry-After"):
                if name in answer.headers:
                    response.headers[name] = answer.headers[name]
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            return response


@asynccontextmanager
async def faulty_api(cluster: Cluster) -> AsyncIterator[FaultyApi]:
    """As somebody who may do everything."""
    connector = aiohttp.TCPConnector(ssl=tls(cluster.access), limit=0)
    headers = {"Authorization": f"Bearer {cluster.access.token}"} if cluster.access.token else {}
    async with aiohttp.ClientSession(
        connector=connector,
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=None),
        requote_redirect_url=False,
    ) as session:
        api = FaultyApi(cluster, session)
        app = web.Application(client_max_size=8 << 20)
        app.router.add_route("*", "/{path:.*}", api.handle)
        async with listening(app) as url:
            api.access = Access(Configuration(host=url))
            yield api
