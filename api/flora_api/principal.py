"""Who asks, and what of a guild's he may do: what every route needs of ``auth`` and nothing more.

A route takes ``guild_access(Right.DEPLOY)`` as a dependency and gets a ``GuildAccess``. How a caller is
recognised is behind ``Guard``, which the application carries as ``app.state.guard``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol

from fastapi import Depends, Path, Request
from fastapi.security import APIKeyCookie, HTTPBearer

from flora_api.errors import BadRequest, Forbidden
from flora_core.errors import InvalidInput
from flora_core.ids import GuildId, parse_guild_id


class Right(StrEnum):
    """What may be done in a guild; also the scopes that an API token can be limited to."""

    READ = "read"
    """See deployments, logs, crons, usage, audit; names of secrets."""
    DEPLOY = "deploy"
    """Deploy, roll back, undeploy, run a job."""
    KV = "kv"
    """Read and write what the script keeps."""
    SECRETS = "secrets"
    """Set and delete secrets."""


class ActorType(StrEnum):
    SESSION = "session"
    """A person, logged in with Discord."""
    TOKEN = "token"  # noqa: S105  the kind of actor
    OPERATOR = "operator"
    """Whoever runs this installation."""
    SYSTEM = "system"
    """flora itself, or somebody who used kubectl."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks."""

    type: ActorType
    user_id: str
    """Discord's id of the person, also behind a token; empty for operator and system."""
    username: str = ""
    token_id: str = ""

    @property
    def shown(self) -> str:
        """As people know him."""
        return self.username or self.user_id or self.type.value


SYSTEM = Principal(ActorType.SYSTEM, "")


@dataclass(frozen=True, slots=True)
class GuildAccess:
    """Somebody who may do what the route asked for, in this guild."""

    guild: GuildId
    principal: Principal


class Guard(Protocol):
    """All methods raise Unauthorized, Forbidden, TooMany, or Unavailable when it cannot be known now."""

    async def principal(self, request: Request) -> Principal:
        """Who asks, person or token."""
        ...

    async def guild(self, request: Request, guild: GuildId, right: Right) -> GuildAccess:
        """The same, when he may do this in the guild; raises NotFound when the bot is not in it."""
        ...

    async def guilds(self, request: Request, among: list[GuildId]) -> list[GuildId]:
        """Those of ``among`` that he may read."""
        ...

    async def operator(self, request: Request) -> Principal:
        """Whoever runs this installation."""
        ...


# For the OpenAPI document alone: who is let in is the guard's business.
_bearer = HTTPBearer(auto_error=False, description="An API token, from `flora token create`.")
_session = APIKeyCookie(name="flora_session", auto_error=False, description="Set by /api/auth/login.")
DOCUMENTED = [Depends(_bearer), Depends(_session)]


def guard_of(request: Request) -> Guard:
    """The application's."""
    return request.app.state.guard


async def principal(request: Request) -> Principal:
    """Dependency: whoever asks, as long as it is somebody."""
    return await guard_of(request).principal(request)


async def operator(request: Request) -> Principal:
    """Dependency: whoever runs this installation."""
    return await guard_of(request).operator(request)


def guild_access(*rights: Right) -> Callable[..., Awaitable[GuildAccess]]:
    """A dependency: somebody who has one of ``rights`` in the guild that the path names ``{guild_id}``."""

    async def check(
        request: Request, guild_id: Annotated[str, Path(description="The guild's Discord id.")]
    ) -> GuildAccess:
        return await with_one_of(request, guild_in(guild_id), *rights)

    return check


async def with_one_of(request: Request, guild: GuildId, *rights: Right) -> GuildAccess:
    """Whoever asks, when he may do one of these in the guild; raises as ``Guard.guild``, for the last."""
    for right in rights[:-1]:
        with contextlib.suppress(Forbidden):
            return await guard_of(request).guild(request, guild, right)
    return await guard_of(request).guild(request, guild, rights[-1])


def guild_in(text: str, *, field: str = "guild_id") -> GuildId:
    """A guild id from outside; raises BadRequest."""
    try:
        return parse_guild_id(text, field=field)
    except InvalidInput as error:
        raise BadRequest(str(error), code="INVALID_GUILD_ID") from None


IsPrincipal = Annotated[Principal, Depends(principal)]
IsOperator = Annotated[Principal, Depends(operator)]
MayRead = Annotated[GuildAccess, Depends(guild_access(Right.READ))]
MayFollow = Annotated[GuildAccess, Depends(guild_access(Right.DEPLOY, Right.READ))]
"""Who may deploy may see how it goes."""
MayDeploy = Annotated[GuildAccess, Depends(guild_access(Right.DEPLOY))]
MayUseKv = Annotated[GuildAccess, Depends(guild_access(Right.KV))]
MayListSecrets = Annotated[GuildAccess, Depends(guild_access(Right.SECRETS, Right.READ))]
"""Names and hosts; whoever sets one looks at what it has."""
MayUseSecrets = Annotated[GuildAccess, Depends(guild_access(Right.SECRETS))]
