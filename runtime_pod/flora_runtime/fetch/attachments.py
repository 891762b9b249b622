"""Files that a call names by URL: fetched by the guild's own rules, and put in as data.

A call's ``files`` are ``{name, description?, data}`` with base64, or ``{name?, description?, url}``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import unquote

import msgspec
from msgspec import Raw, Struct

from flora_core.errors import InvalidInput
from flora_core.wire import UNREADABLE
from flora_core.wire.gateway import FILES_LIMIT
from flora_runtime.fetch import limits
from flora_runtime.fetch.calls import Fetch, Response
from flora_runtime.fetch.errors import FetchRefused

_MARK: Final = b'"files":'
"""No text inside JSON looks like this: its quotes would be escaped."""

Get = Callable[[Fetch], Awaitable[Response]]


class _File(Struct, frozen=True, omit_defaults=True):
    name: str = ""
    description: str | None = None
    data: bytes | None = None
    url: str | None = None


class _Call(Struct, frozen=True):
    files: list[_File] = []


def names_urls(args: Raw | bytes) -> bool:
    """Whether a call may have files by URL; costs a call without files one search."""
    text = bytes(args)
    return _MARK in text and b'"url":' in text


async def with_data(args: Raw | bytes, get: Get) -> bytes:
    """``args`` with every file's bytes in it; raises FetchRefused or InvalidInput."""
    call, files = _parse(args)
    if len(files) > limits.ATTACHMENTS:
        raise InvalidInput(f"files: are {len(files)}; a message takes {limits.ATTACHMENTS}")
    filled: list[_File] = []
    total = 0
    for number, file in enumerate(files):
        filled.append(file if file.url is None else await _fetched(file, file.url, number, get))
        total += len(filled[-1].data or b"")
        if total > FILES_LIMIT:
            raise FetchRefused(
                "FETCH_TOO_LARGE",
                f"the files of one message have more than {FILES_LIMIT >> 20} MiB",
            )
    return msgspec.json.encode({**call, "files": filled})


def _parse(args: Raw | bytes) -> tuple[dict[str, Raw], list[_File]]:
    try:
        call = msgspec.json.decode(args, type=dict[str, Raw])
        return call, msgspec.json.decode(args, type=_Call).files
    except UNREADABLE as error:
        raise InvalidInput(f"files: {error}") from None


async def _fetched(file: _File, url: str, number: int, get: Get) -> _File:
    response = await get(Fetch(url=url))
    name = file.name or _name_in(url) or f"file-{number + 1}"
    if response.status != 200:
        raise FetchRefused("FETCH_FAILED", f"the file {name[:80]!r} cannot be had: status {response.status}")
    data = response.body if response.body is not None else (response.text or "").encode()
    return _File(name, file.description, data)


def _name_in(url: str) -> str:
    """The last part of the path."""
    return unquote(url.partition("?")[0].partition("#")[0].rpartition("/")[2])[:100]
