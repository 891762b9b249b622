"""Reads that are asked for most, answered before FastAPI: routing, dependencies and models take it longer
than the answer takes us.

They are routes of the application too, which documents them and answers whatever has a query. Who asks is
found out by the same guard, and what is answered comes from the same function. They read no body and need no
deadline beside those of what they ask, so they stand before those layers of the edge.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from flora_api.app import PREFIX, refused
from flora_api.errors import ApiError
from flora_api.principal import Guard, Right, guild_in
from flora_core.errors import DatabaseError
from flora_core.ids import GuildId


@dataclass(frozen=True, slots=True)
class QuickRead:
    """``path`` under ``/api`` has ``{guild_id}`` for the guild's id."""

    path: str
    right: Right
    read: Callable[[GuildId], Awaitable[bytes]]
    """The JSON; raises ApiError or DatabaseError."""


class QuickReads:
    """Around the application."""

    def __init__(self, app: ASGIApp, guard: Guard, reads: Sequence[QuickRead]) -> None:
        self._app = app
        self._guard = guard
        self._reads = [(_pattern(read.path), read) for read in reads]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]:
            path: str = scope["path"]
            for pattern, read in self._reads:
                match = pattern.fullmatch(path)
                if match is not None:
                    scope["route"] = read  # for metrics and logs
                    await self._answer(read, match[1], scope, receive, send)
                    return
        await self._app(scope, receive, send)

    async def _answer(self, read: QuickRead, guild: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            access = await self._guard.guild(Request(scope), guild_in(guild), read.right)
            body = await read.read(access.guild)
        except (ApiError, DatabaseError) as error:
            await refused(error)(scope, receive, send)
            return
        headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.escape(PREFIX + path).replace(r"\{guild_id\}", "([^/]+)"))
