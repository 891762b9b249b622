"""A guard for tests of other parts: tokens that are known beforehand, and what each may do where."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import Request

from flora_api.errors import Forbidden, NotFound, Unauthorized
from flora_api.principal import ActorType, GuildAccess, Principal, Right
from flora_core.ids import GuildId


@dataclass
class PlayedGuard:
    """``may[token][guild]`` are the rights; ``there`` the guilds that the bot is in, None for all."""

    principals: dict[str, Principal] = field(default_factory=dict)
    may: dict[str, dict[str, set[Right]]] = field(default_factory=dict)
    there: set[str] | None = None

    def let(self, token: str, guild: str, *rights: Right, user: str = "1") -> None:
        """Whoever shows ``token`` has ``rights`` in ``guild``; all of them when none is named."""
        self.principals.setdefault(token, Principal(ActorType.TOKEN, user, f"user-{user}", token))
        self.may.setdefault(token, {}).setdefault(guild, set()).update(rights or set(Right))

    async def principal(self, request: Request) -> Principal:
        return self.principals[self._token(request)]

    async def guild(self, request: Request, guild: GuildId, right: Right) -> GuildAccess:
        token = self._token(request)
        if self.there is not None and guild not in self.there:
            raise NotFound("the bot is not in this guild", code="BOT_NOT_IN_GUILD")
        if right not in self.may.get(token, {}).get(guild, set()):
            raise Forbidden("not yours", code="NOT_GUILD_ADMIN")
        return GuildAccess(guild, self.principals[token])

    async def guilds(self, request: Request, among: list[GuildId]) -> list[GuildId]:
        mine = self.may.get(self._token(request), {})
        return [guild for guild in among if Right.READ in mine.get(guild, set())]

    async def operator(self, request: Request) -> Principal:
        principal = self.principals[self._token(request)]
        if principal.type is not ActorType.OPERATOR:
            raise Forbidden("not the operator", code="NOT_OPERATOR")
        return principal

    def _token(self, request: Request) -> str:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.principals:
            raise Unauthorized("log in")
        return token
