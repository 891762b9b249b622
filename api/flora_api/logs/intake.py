"""Log lines from the pods: ``POST /v1/pods/{pod}/logs`` on the internal port, a batch a request.

It is answered when Redis has the lines. While Redis is away it is 503, and the pod keeps them: there is one
buffer, where the lines are made, and it is bounded there.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

from aiohttp import web

from flora_api.logs.store import LogStore, LogsUnavailable
from flora_core.errors import InvalidInput, WireError
from flora_core.identity import Identities, Role, require
from flora_core.ids import parse_guild_id
from flora_core.serving import pod_in_path
from flora_core.telemetry import logger
from flora_core.wire.control import LogLine, logs

BODY_SECONDS: Final = 10.0
BYTES_A_BATCH: Final = 8 << 20

_WORD: Final = re.compile(r"[0-9A-Za-z]{1,32}")

_log = logger(__name__)


class LogIntake:
    """Adds its route to ``app``."""

    def __init__(self, app: web.Application, store: LogStore, identities: Identities) -> None:
        self._store = store
        self._identities = identities
        app.router.add_post("/v1/pods/{pod}/logs", self._take)

    async def _take(self, request: web.Request) -> web.Response:
        pod = pod_in_path(request)
        await require(request, self._identities, role=Role.RUNTIME, pod=pod)
        mark = f"{_word(request, 'process')}:{_word(request, 'batch')}"
        lines = await _read(request)
        try:
            await self._store.add(pod, lines, mark=mark)
        except LogsUnavailable as error:
            raise web.HTTPServiceUnavailable(text=f"{error}\n", headers={"Retry-After": "1"}) from None
        return web.Response(text=f"{len(lines)}\n")


async def _read(request: web.Request) -> list[LogLine]:
    """The lines of a batch. What cannot be read, or names no guild, is left out."""
    lines: list[LogLine] = []
    for raw in (await _body(request)).split(b"\n"):
        try:
            if raw and isinstance(frame := logs.decode(raw), LogLine):
                parse_guild_id(frame.guild)
                lines.append(frame)
        except (WireError, InvalidInput) as error:
            _log.warning("bad_frame", stream="logs", error=str(error))
    return lines


async def _body(request: web.Request) -> bytes:
    """All of it: a part must not be kept under the number of the whole."""
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while piece := await request.content.readany():
                pieces.append(piece)
                size += len(piece)
                if size > BYTES_A_BATCH:
                    raise web.HTTPRequestEntityTooLarge(BYTES_A_BATCH, size)
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="the batch did not come in time\n") from None
    return b"".join(pieces)


def _word(request: web.Request, name: str) -> str:
    found = request.query.get(name, "")
    if _WORD.fullmatch(found) is None:
        raise web.HTTPBadRequest(text=f"{name}: should be letters and digits\n")
    return found
