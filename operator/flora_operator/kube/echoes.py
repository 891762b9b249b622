"""A watch without the echo of our own writes.

The answer to a write says all that the watch tells of it a moment later. Where the watch goes through a
library that makes much of each event, the echo costs as much as news; so its lines are taken out of the
response before anybody parses them. A line is looked at by a decoder that skips what is not asked for, which
takes some ten microseconds. What cannot be read, or is of another version or with another status than what
is known, goes on as it came, and so does all that is no change of an object.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final, cast

import aiohttp
import msgspec
from msgspec import Raw, Struct

from flora_operator import metrics
from flora_operator.deployment import Key
from flora_operator.status import Status, parse

IsKnown = Callable[[Key, "Version", Status], bool]
"""Whether an object is known to be at this version, with this status."""


class Version(Struct, frozen=True, rename="camel"):
    """Which object, and which state of it."""

    name: str
    uid: str
    resource_version: str
    namespace: str = ""


class _Object(Struct, frozen=True):
    metadata: Version
    status: Raw = Raw()


class _Event(Struct, frozen=True):
    type: str
    object: _Object


_events: Final = msgspec.json.Decoder(_Event)


def is_echo(line: bytes, is_known: IsKnown) -> bool:
    """Whether a ``line`` of a watch tells of a change that is known."""
    try:
        event = _events.decode(line)
        if event.type != "MODIFIED":
            return False
        version = event.object.metadata
        raw: Any = event.object.status
        status = parse(msgspec.json.decode(raw) if raw else None)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return is_known((version.namespace, version.name), version, status)


class News:
    """A watch's body without echoes, for kopf, which reads it in chunks; else the body that it is made of."""

    def __init__(self, content: aiohttp.StreamReader, is_known: IsKnown) -> None:
        self._content = content
        self._is_known = is_known

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, _size: int) -> AsyncIterator[bytes]:
        """Its lines, one by one."""
        async for line in self._content:
            if is_echo(line, self._is_known):
                metrics.echoes.inc()
            else:
                yield line


def without_echoes(is_known: IsKnown) -> aiohttp.ClientMiddlewareType:
    """For a session: the bodies of its watches are ``News``."""

    async def middleware(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        response = await handler(request)
        if response.status == 200 and request.url.query.get("watch") == "true":
            response.content = cast("aiohttp.StreamReader", News(response.content, is_known))
        return response

    return middleware
