"""What a running ``flora dev`` tells other commands: its guilds, their logs, and by the pod KV and jobs.

    GET  /v1/guilds                     those that are served
    GET  /v1/guilds/{guild}/logs        ?limit= &level= &grep= &since= &after= &follow=1, as NDJSON
    …    /v1/guilds/{guild}/kv/…        passed on to the runtime pod
    …    /v1/guilds/{guild}/crons…      the same

On loopback, for whoever has the token in this session's file (``flora_core.running``).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import aiohttp
import msgspec
from aiohttp import web

from flora_core.errors import InvalidInput
from flora_core.identity import Identities, Role, require
from flora_core.ids import GuildId
from flora_core.serving import start_stream
from flora_core.wire.gateway import BEAT_SECONDS, OpError
from flora_core.wire.guilds import UNKNOWN_GUILD, GuildRow, KeptLine, Still, kept_lines, status_of
from flora_dev.controller import LocalController
from flora_dev.logbook import LINES_KEPT, LogBook, LogQuery
from flora_dev.pod_client import PodClient
from flora_dev.sources import NOBODY

WRITE_SECONDS: Final = 30.0


class ToolRoutes:
    """Adds its routes to ``app``; ``pod`` is set once there is one."""

    def __init__(
        self, app: web.Application, controller: LocalController, book: LogBook, identities: Identities
    ) -> None:
        self._controller = controller
        self._book = book
        self._identities = identities
        self.pod: PodClient | None = None
        app.router.add_get("/v1/guilds", self._guilds)
        app.router.add_get("/v1/guilds/{guild}/logs", self._logs)
        app.router.add_route("*", "/v1/guilds/{guild}/{what:(kv/.+|crons|crons/run)}", self._pass_on)

    async def _guilds(self, request: web.Request) -> web.Response:
        await require(request, self._identities, role=Role.API)
        rows = [
            GuildRow(status.guild, status.name, status.ready, status.reason, status.message, status.revision)
            for status in self._controller.statuses
            if status.guild != NOBODY
        ]
        return _json(msgspec.json.encode(rows))

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        guild = await self._guild(request)
        if isinstance(guild, OpError):
            return _refusal(guild)
        try:
            query = _query(request)
        except InvalidInput as error:
            return _refusal(OpError("INVALID_INPUT", str(error)))
        response = await start_stream(request)
        with contextlib.suppress(ConnectionError, TimeoutError):  # the reader may leave
            await self._send(response, guild, query, follow=request.query.get("follow") == "1")
        return response

    async def _send(
        self, response: web.StreamResponse, guild: GuildId, query: LogQuery, *, follow: bool
    ) -> None:
        """What there is; then what comes, and a sign of life when nothing does."""
        lines, seen = self._book.lines(guild, query), self._book.newest
        await _write(response, lines)
        while follow:
            await self._book.wait(lambda seen=seen: self._book.newest > seen, seconds=BEAT_SECONDS)
            asked = msgspec.structs.replace(query, after=max(seen, query.after), limit=LINES_KEPT)
            lines, seen = self._book.lines(guild, asked), self._book.newest
            await _write(response, lines or [Still()])

    async def _pass_on(self, request: web.Request) -> web.Response:
        guild = await self._guild(request)
        if isinstance(guild, OpError):
            return _refusal(guild)
        if self.pod is None:
            return _refusal(OpError("POD_UNREACHABLE", "the runtime pod is still starting"))
        try:
            status, body = await self.pod.forward(request.method, request.path, await request.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            return _refusal(OpError("POD_UNREACHABLE", f"the runtime pod does not answer: {why}"))
        return _json(body, status=status)

    async def _guild(self, request: web.Request) -> GuildId | OpError:
        await require(request, self._identities, role=Role.API)
        wanted = request.match_info["guild"]
        known = [status.guild for status in self._controller.statuses if status.guild != NOBODY]
        if wanted in known:
            return GuildId(wanted)
        return OpError(UNKNOWN_GUILD, f"there is no guild {wanted[:30]!r} here; there are {', '.join(known)}")


def _query(request: web.Request) -> LogQuery:
    """What the address asks for; raises InvalidInput."""
    given = {name: value for name, value in request.query.items() if name in LogQuery.__struct_fields__}
    try:
        return msgspec.convert(given, LogQuery, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error)) from None


async def _write(response: web.StreamResponse, lines: list[KeptLine] | list[Still]) -> None:
    if lines:
        async with asyncio.timeout(WRITE_SECONDS):
            await response.write(b"".join(kept_lines.encode(line) for line in lines))


def _json(body: bytes, *, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")


def _refusal(error: OpError) -> web.Response:
    return _json(msgspec.json.encode(error), status=status_of(error))
