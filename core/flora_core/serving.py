"""The server side of flora's long bodies, on aiohttp.web: NDJSON streams, and uploads.

``streams`` is the other side of the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

from aiohttp import web

from flora_core.errors import InvalidInput, WireError
from flora_core.ids import PodName, parse_pod_name
from flora_core.streams import CONTENT_TYPE, read_lines
from flora_core.wire.gateway import SILENCE_SECONDS
from flora_core.wire.ndjson import LINE_LIMIT

UPLOAD_SILENCE_SECONDS: Final = 30.0
UPLOAD_PART_BYTES: Final = 1 << 20


class Body(Protocol):
    """What is sent up, as it comes."""

    async def readany(self) -> bytes:
        """Empty at the end."""
        ...


async def start_stream(request: web.Request) -> web.StreamResponse:
    """Answer ``request`` with a stream; its headers are sent at once."""
    response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    return response


async def read_stream_body(
    request: web.Request,
    *,
    on_error: Callable[[WireError], None],
    silence: float = SILENCE_SECONDS,
    limit: int = LINE_LIMIT,
) -> AsyncIterator[list[bytes]]:
    """The lines of an upward stream, in batches as they arrive, until it ends, breaks or falls silent."""
    silent = TimeoutError("silent")
    lines = read_lines(request.content, on_error=on_error, silence=silence, silent=silent, limit=limit)
    try:
        async for batch in lines:
            yield batch
    except (TimeoutError, ConnectionError):
        return


async def read_upload(body: Body) -> AsyncIterator[bytes]:
    """A body in parts that are worth a write to disk; raises TimeoutError when it falls silent."""
    ended = False
    while not ended:
        pieces, gathered = list[bytes](), 0
        while gathered < UPLOAD_PART_BYTES and not ended:
            async with asyncio.timeout(UPLOAD_SILENCE_SECONDS):
                piece = await body.readany()
            pieces.append(piece)
            gathered += len(piece)
            ended = not piece
        yield b"".join(pieces)


def pod_in_path(request: web.Request) -> PodName:
    """The ``{pod}`` of the path; answers 400 when it is no pod's name."""
    try:
        return parse_pod_name(request.match_info["pod"])
    except InvalidInput as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from None


def number_in_query(request: web.Request, name: str) -> int:
    """A whole number from the query, 0 when it is absent; answers 400 for anything else."""
    try:
        return int(request.query.get(name, "0"))
    except ValueError:
        raise web.HTTPBadRequest(text=f"{name} should be a number\n") from None
