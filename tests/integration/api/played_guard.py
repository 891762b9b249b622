"""A Guard with fixed bearer tokens, for tests of routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request

from flora_api.errors import Forbidden, NotFound, Unauthorized
from flora_api.principal import ActorType, GuildAccess, Principal, Right
from flora_core.ids import GuildId

ALL = frozenset(Right)


@dataclass(frozen=True)
class Known:
    """Whose a token is, and what it may do in which guilds."""

    principal: Principal
    guilds: Mapping[str, frozenset[Right]]


ANN = Known(Principal(ActorType.SESSION, "9", "ann"), {"1": ALL, "2": ALL})
READER = Known(Principal(ActorType.TOKEN, "9", "ann", "t1"), {"1": frozenset({Right.READ})})
OPERATOR = Known(Principal(ActorType.OPERATOR, ""), {})


class PlayedGuard:
    """``tokens`` may be changed by a test; the bot is in ``bot_guilds``."""

    def __init__(self) -> None:
        self.tokens = {"ann": ANN, "reader": READER, "operator": OPERATOR}
        self.bot_guilds = {"1", "2"}

    def _known(self, request: Request) -> Known:
        _, _, token = request.headers.get("Authorization", "").partition(" ")
        if token not in self.tokens:
            raise Unauthorized("log in first")
        return self.tokens[token]

    async def principal(self, request: Request) -> Principal:
        return self._known(request).principal

    async def guild(self, request: Request, guild: GuildId, right: Right) -> GuildAccess:
        known = self._known(request)
        if guild not in self.bot_guilds:
            raise NotFound(f"the bot is not in guild {guild}")
        if right not in known.guilds.get(guild, frozenset()):
            raise Forbidden(f"you may not {right} in guild {guild}")
        return GuildAccess(guild, known.principal)

    async def guilds(self, request: Request, among: list[GuildId]) -> list[GuildId]:
        known = self._known(request)
        return [guild for guild in among if Right.READ in known.guilds.get(guild, frozenset())]

    async def operator(self, request: Request) -> Principal:
        known = self._known(request)
        if known.principal.type is not ActorType.OPERATOR:
            raise Forbidden("for whoever runs this installation")
        return known.principal
