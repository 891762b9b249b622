"""``/v1/guilds``: what the API asks about guilds and the people in them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec
from aiohttp import web

from flora_core.errors import InvalidInput
from flora_core.identity import Identities, Role, require
from flora_core.ids import parse_guild_id, parse_snowflake
from flora_core.wire.standing import IDS_MOST
from flora_gateway.standings import CannotTell, Standings

RETRY_AFTER: Final = 1
T = TypeVar("T")


class GuildRoutes:
    """Adds its routes to ``app``; ``standings`` gives None as long as the bot has not logged in."""

    def __init__(
        self, app: web.Application, standings: Callable[[], Standings | None], identities: Identities
    ) -> None:
        self._standings = standings
        self._identities = identities
        app.router.add_get("/v1/guilds", self._names)
        app.router.add_get("/v1/guilds/{guild}/members/{user}", self._member)

    async def _names(self, request: web.Request) -> web.Response:
        standings = await self._let_in(request)
        ids = [part for part in request.query.get("ids", "").split(",") if part]
        if len(ids) > IDS_MOST:
            raise web.HTTPBadRequest(text=f"ids: at most {IDS_MOST} at once\n")
        try:
            guilds = [str(parse_guild_id(text, field="ids")) for text in ids]
        except InvalidInput as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        return _json(await _told(standings.names(guilds)))

    async def _member(self, request: web.Request) -> web.Response:
        standings = await self._let_in(request)
        try:
            guild = parse_guild_id(request.match_info["guild"], field="guild")
            user = parse_snowflake(request.match_info["user"], field="user")
        except InvalidInput as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        standing = await _told(standings.of(guild, user))
        if standing is None:
            raise web.HTTPNotFound(text="the bot is not in this guild\n")
        return _json(standing)

    async def _let_in(self, request: web.Request) -> Standings:
        await require(request, self._identities, role=Role.API)
        standings = self._standings()
        if standings is None:
            raise _later("the bot has not logged in at Discord yet")
        return standings


async def _told(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except CannotTell as error:
        raise _later(str(error)) from None


def _later(text: str) -> web.HTTPServiceUnavailable:
    return web.HTTPServiceUnavailable(text=f"{text}\n", headers={"Retry-After": str(RETRY_AFTER)})


def _json(answer: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")
