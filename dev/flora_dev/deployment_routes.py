"""The API's way to the deployments of a session (docs/protocol.md, "Deployments of flora dev")."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

import msgspec
from aiohttp import web

from flora_core.errors import InvalidInput
from flora_core.identity import Identities, Role, require
from flora_core.ids import GuildId, parse_guild_id
from flora_core.serving import start_stream
from flora_core.wire import UNREADABLE
from flora_core.wire.gateway import BEAT_SECONDS
from flora_dev.deployment_wire import PATH, Deleted, News, Quiet, Wish, news
from flora_dev.deployments import Deployments

WRITE_SECONDS: Final = 30.0


class DeploymentRoutes:
    """Adds its routes to ``app``."""

    def __init__(self, app: web.Application, deployments: Deployments, identities: Identities) -> None:
        self._deployments = deployments
        self._identities = identities
        app.router.add_get(PATH, self._watch)
        app.router.add_get(f"{PATH}/{{guild}}", self._get)
        app.router.add_get(f"{PATH}/{{guild}}/bundle", self._bundle)
        app.router.add_put(f"{PATH}/{{guild}}", self._put)
        app.router.add_delete(f"{PATH}/{{guild}}", self._delete)

    async def _get(self, request: web.Request) -> web.Response:
        document = self._deployments.get(await self._guild(request))
        if document is None:
            raise web.HTTPNotFound(text="nothing is deployed there\n")
        return _json(document)

    async def _bundle(self, request: web.Request) -> web.Response:
        bundle = self._deployments.bundle_of(await self._guild(request))
        if bundle is None:
            raise web.HTTPNotFound(text="its document names no bundle\n")
        return web.Response(body=bundle)

    async def _put(self, request: web.Request) -> web.Response:
        guild = await self._guild(request)
        try:
            wish = msgspec.json.decode(await request.read(), type=Wish)
            document = self._deployments.apply(guild, wish.source, revision=wish.revision, bundle=wish.bundle)
        except (*UNREADABLE, InvalidInput) as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        return _json(document)

    async def _delete(self, request: web.Request) -> web.Response:
        return _json(Deleted(self._deployments.delete(await self._guild(request))))

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        await require(request, self._identities, role=Role.API)
        response = await start_stream(request)
        with contextlib.suppress(ConnectionError, TimeoutError), self._deployments.followed() as queue:
            while (frame := await _next(queue)) is not None:
                async with asyncio.timeout(WRITE_SECONDS):
                    await response.write(news.encode(frame))
        return response

    async def _guild(self, request: web.Request) -> GuildId:
        await require(request, self._identities, role=Role.API)
        try:
            return parse_guild_id(request.match_info["guild"], field="guild")
        except InvalidInput as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None


async def _next(queue: asyncio.Queue[News | None]) -> News | None:
    """What comes next; a sign of life when nothing does."""
    try:
        async with asyncio.timeout(BEAT_SECONDS):
            return await queue.get()
    except TimeoutError:
        return Quiet()


def _json(answer: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")
