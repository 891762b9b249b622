"""``/api/logs``: what a guild's script and flora logged, searched and followed."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from flora_api.answers import of_a_guild, stream_of
from flora_api.logs.lines import LONGEST_GREP, Wanted, parse_place
from flora_api.logs.service import LogService
from flora_api.logs.sse import Following, events
from flora_api.principal import MayRead
from flora_core.wire.control import Outcome

MOST: Final = 1000
JSON_TYPE: Final = "application/json"

Level = Literal["debug", "info", "warn", "error"]


class LogRow(BaseModel):
    """One line of a guild's log."""

    id: str = Field(description="Ids grow, and say in which order lines came.")
    timestamp: int = Field(description="When it was logged, in milliseconds since 1970.")
    level: Level
    target: Literal["script", "runtime"] = Field(description="Who says it: the script, or flora about it.")
    guild_id: str
    message: str
    outcome: Outcome | None = Field(None, description="How something ended.")
    stack: str | None = Field(None, description="In the author's own files.")
    event: str | None = Field(None, description="What was being handled.")
    revision: int | None = Field(None, description="Of the deploy that ran.")


LevelIn = Annotated[Level, Query(description="This level and the more serious ones.")]
Grep = Annotated[
    str, Query(max_length=LONGEST_GREP, description="Part of the message or the stack, in any case.")
]
Since = Annotated[int, Query(ge=0, le=1 << 52, description="Milliseconds since 1970.")]
Until = Annotated[int | None, Query(ge=0, le=1 << 52, description="Milliseconds since 1970.")]

_STREAM: Final = stream_of("`id` and `data` are a line's; `missed` has `{missed}`.", "message", "missed")


def router(service: LogService) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/logs", tags=["logs"])

    @routes.get("/{guild_id}", response_model=list[LogRow], responses=of_a_guild(400))
    async def read_logs(
        access: MayRead,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
        level: LevelIn = "debug",
        grep: Grep = "",
        since: Since = 0,
        until: Until = None,
        after: Annotated[str, Query(description="An id: the first lines behind it, to page on.")] = "",
    ) -> Response:
        """The newest lines that match, or the first behind `after`; oldest first."""
        wanted = Wanted(level, grep, since, until)
        if after:
            place = parse_place(after, field="after")
            lines = await service.store.behind(access.guild, place, wanted, limit)
        else:
            lines = await service.store.newest(access.guild, wanted, limit)
        return Response(b"[%b]" % b",".join(line.json for line in lines), media_type=JSON_TYPE)

    @routes.get("/{guild_id}/stream", response_class=StreamingResponse, responses=_STREAM | of_a_guild(400))
    async def follow_logs(
        access: MayRead,
        backfill: Annotated[int, Query(ge=0, le=MOST, description="The newest so many come first.")] = 0,
        level: LevelIn = "debug",
        grep: Grep = "",
        since: Since = 0,
        last_event_id: Annotated[str, Header(description="Go on behind this line.")] = "",
    ) -> StreamingResponse:
        """Lines as they come. Ends after ten minutes at most: come back with `Last-Event-ID`."""
        what = Following(
            access.guild,
            Wanted(level, grep, since),
            backfill=backfill or (MOST if since else 0),
            after=parse_place(last_event_id, field="Last-Event-ID") if last_event_id else None,
        )
        service.followers.check_room(access.guild)
        await service.store.top(access.guild)  # while the answer can still be that there are no logs now
        return StreamingResponse(
            events(service.followers, service.store, what),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes
