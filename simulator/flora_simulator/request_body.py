"""Reading a REST call's body: JSON, or multipart with ``payload_json`` and ``files[n]``."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any, Final

import msgspec
from aiohttp import BodyPartReader, web

from flora_simulator.simcord_port import Upload

_FILE: Final = re.compile(r"files\[(\d+)\]")


class InvalidBody(Exception):
    """The body is not what its Content-Type says."""


async def read_body(request: web.Request) -> tuple[Any, list[Upload]]:
    """The JSON and the files; raises InvalidBody, and aiohttp's HTTPRequestEntityTooLarge."""
    if request.content_type.startswith("multipart/"):
        return await _multipart(request)
    content = await request.read()
    return (_decode(content) if content else None), []


def _decode(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidBody from None


async def _multipart(request: web.Request) -> tuple[Any, list[Upload]]:
    payload: Any = None
    scalars: dict[str, str] = {}
    files: dict[int, Upload] = {}
    async for part, content in _parts(request):
        if part.name == "payload_json":
            payload = _decode(content)
        elif part.filename is not None:
            named = _FILE.fullmatch(part.name or "")
            number = int(named[1]) if named is not None else len(files)
            files[number] = Upload(part.filename, BytesIO(content))
        else:
            scalars[part.name or ""] = content.decode()
    body = payload if payload is not None else (scalars or None)
    _describe(body, files)
    return body, [upload for _, upload in sorted(files.items())]


async def _parts(request: web.Request) -> AsyncIterator[tuple[BodyPartReader, bytes]]:
    """The parts and their content, up to the size that a request may have."""
    left = request.client_max_size
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise InvalidBody
            content = bytes(await part.read())
            left -= len(content)
            if left < 0:
                raise web.HTTPRequestEntityTooLarge(max_size=request.client_max_size, actual_size=-left)
            yield part, content
    except ValueError:
        raise InvalidBody from None


def _describe(body: Any, files: dict[int, Upload]) -> None:
    """Take names and descriptions from ``attachments``, whose ids are the files' numbers.

    The ids become the files' places, which is how the handlers count them.
    """
    places = {str(number): place for place, number in enumerate(sorted(files))}
    for attachment in _attachments(body):
        number = str(attachment.get("id"))
        if number not in places:
            continue
        upload = files[int(number)]
        upload.description = attachment.get("description")
        upload.filename = attachment.get("filename") or upload.filename
        attachment["id"] = places[number]


def _attachments(body: Any) -> list[dict[str, Any]]:
    if not isinstance(body, dict):
        return []
    data = body.get("data")
    holder = data if isinstance(data, dict) else body
    declared = holder.get("attachments")
    return [item for item in declared if isinstance(item, dict)] if isinstance(declared, list) else []
