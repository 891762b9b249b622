"""A guard for tests of routes: bearer tokens that are known beforehand, and what each may do."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import Request

from flora_api.errors import Forbidden, NotFound, Unauthorized
from flora_api.principal import ActorType, GuildAccess, Principal, Right
from flora_core.ids import GuildId

GUILD = GuildId("123456789012345678")
OTHER_GUILD = GuildId("223456789012345678")
NOT_OURS = GuildId("323456789012345678")

ADMIN = Principal(ActorType.SESSION, "1001", "ada")
READER = Principal(ActorType.TOKEN, "1002", "grace", "t1")
STRANGER = Principal(ActorType.SESSION, "1003", "mallory")
OPERATOR = Principal(ActorType.OPERATOR, "", "operator")


@dataclass
class PlayedGuard:
    """``admin`` may do everything in both guilds, ``reader`` read in the first, ``stranger`` nothing."""

    people: dict[str, Principal] = field(
        default_factory=lambda: {"admin": ADMIN, "reader": READER, "stranger": STRANGER, "operator": OPERATOR}
    )
    rights: dict[tuple[str, GuildId], set[Right]] = field(
        default_factory=lambda: {
            ("1001", GUILD): set(Right),
            ("1001", OTHER_GUILD): set(Right),
            ("1002", GUILD): {Right.READ},
        }
    )

    async def principal(self, request: Request) -> Principal:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.people:
            raise Unauthorized("log in: flora login")
        return self.people[token]

    async def guild(self, request: Request, guild: GuildId, right: Right) -> GuildAccess:
        principal = await self.principal(request)
        if guild == NOT_OURS:
            raise NotFound("the bot is not in this guild", code="GUILD_NOT_FOUND")
        if right not in self.rights.get((principal.user_id, guild), set()):
            raise Forbidden(f"you may not {right} in guild {guild}")
        return GuildAccess(guild, principal)

    async def guilds(self, request: Request, among: list[GuildId]) -> list[GuildId]:
        principal = await self.principal(request)
        return [guild for guild in among if Right.READ in self.rights.get((principal.user_id, guild), set())]

    async def operator(self, request: Request) -> Principal:
        principal = await self.principal(request)
        if principal.type is not ActorType.OPERATOR:
            raise Forbidden("only whoever runs this installation may do this")
        return principal
