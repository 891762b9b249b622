"""A guard that knows its callers by fixed bearer tokens, in place of the real one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from fastapi import Request

from flora_api.errors import Forbidden, NotFound, Unauthorized
from flora_api.principal import ActorType, GuildAccess, Principal, Right
from flora_core.ids import GuildId

ANN = Principal(ActorType.SESSION, "9", "ann")
OPERATOR = Principal(ActorType.OPERATOR, "")


@dataclass
class PlayedGuard:
    """``principals`` by token; ``rights`` by token and guild; the bot is in the guilds of ``rights``."""

    principals: dict[str, Principal] = field(default_factory=dict)
    rights: dict[tuple[str, str], Collection[Right]] = field(default_factory=dict)

    def let(self, token: str, guild: str, *rights: Right, principal: Principal = ANN) -> dict[str, str]:
        """Let ``token`` do these in ``guild``, everything without any; the headers to send with it."""
        self.principals[token] = principal
        self.rights[token, guild] = rights or tuple(Right)
        return {"Authorization": f"Bearer {token}"}

    async def principal(self, request: Request) -> Principal:
        found = self.principals.get(_token(request))
        if found is None:
            raise Unauthorized("log in first")
        return found

    async def guild(self, request: Request, guild: GuildId, right: Right) -> GuildAccess:
        principal = await self.principal(request)
        if not any(known == guild for _, known in self.rights):
            raise NotFound("the bot is not in that guild", code="UNKNOWN_GUILD")
        if right not in self.rights.get((_token(request), guild), ()):
            raise Forbidden(f"you may not {right} there")
        return GuildAccess(guild, principal)

    async def guilds(self, request: Request, among: list[GuildId]) -> list[GuildId]:
        await self.principal(request)
        return [guild for guild in among if Right.READ in self.rights.get((_token(request), guild), ())]

    async def operator(self, request: Request) -> Principal:
        found = await self.principal(request)
        if found.type is not ActorType.OPERATOR:
            raise Forbidden("that is the operator's")
        return found


def _token(request: Request) -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")
