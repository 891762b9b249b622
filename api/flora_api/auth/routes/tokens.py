"""``/tokens``: a person's API tokens. Those for programs do not make others; a CLI's login does."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from flora_api.answers import EVERYWHERE, refusals
from flora_api.auth.guard import AuthGuard
from flora_api.auth.tokens import (
    DAYS_MOST,
    DAYS_USUAL,
    GUILDS_MOST,
    LABEL,
    LABEL_MOST,
    ApiToken,
    Tokens,
)
from flora_api.errors import Forbidden
from flora_api.principal import ActorType, Principal, Right, guild_in


class TokenRow(BaseModel):
    """A token, without what opens anything."""

    token_id: str
    label: str
    guilds: list[str] | None = Field(description="null: all guilds of its person.")
    scopes: list[Right]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime


class NewToken(TokenRow):
    """A token, this once."""

    token: str


class TokenWish(BaseModel):
    """What a new token is to be."""

    label: str = Field("", max_length=LABEL_MOST, pattern=LABEL)
    guilds: list[str] | None = Field(
        None, min_length=1, max_length=GUILDS_MOST, description="Left out: all guilds of its person."
    )
    scopes: list[Right] = Field(list(Right), min_length=1, max_length=len(Right))
    expires_in_days: int = Field(DAYS_USUAL, ge=1, le=DAYS_MOST)


def router(guard: AuthGuard, tokens: Tokens) -> APIRouter:
    routes = APIRouter(prefix="/tokens", tags=["tokens"])

    async def person(request: Request) -> Principal:
        principal = await guard.principal(request)
        token = (await guard.caller(request)).token
        if principal.type is not ActorType.SESSION and not (token is not None and token.login):
            raise Forbidden("tokens are managed by people who log in: flora login", code="SESSION_NEEDED")
        return principal

    @routes.get("", responses=EVERYWHERE, summary="My tokens")
    async def mine(request: Request) -> list[TokenRow]:
        principal = await person(request)
        return [_row(token) for token in await tokens.list(principal.user_id)]

    @routes.post("", responses=EVERYWHERE | refusals(409, 413), summary="Make a token")
    async def create(request: Request, wish: TokenWish) -> NewToken:
        principal = await person(request)
        guilds = None if wish.guilds is None else [guild_in(text, field="guilds") for text in wish.guilds]
        shown, token = await tokens.create(
            principal, label=wish.label, guilds=guilds, scopes=wish.scopes, days=wish.expires_in_days
        )
        return NewToken(token=str(shown), **_row(token).model_dump())

    @routes.delete(
        "/{token_id}", status_code=204, responses=EVERYWHERE | refusals(404), summary="Revoke a token"
    )
    async def revoke(request: Request, token_id: Annotated[str, Path(max_length=64)]) -> Response:
        await tokens.revoke(await person(request), token_id)
        return Response(status_code=204)

    return routes


def _row(token: ApiToken) -> TokenRow:
    return TokenRow(
        token_id=token.token_id,
        label=token.label,
        guilds=None if token.guilds is None else sorted(token.guilds, key=int),
        scopes=sorted(token.scopes),
        created_at=token.created_at,
        last_used_at=token.last_used_at,
        expires_at=token.expires_at,
    )
