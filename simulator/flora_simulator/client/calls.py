"""One HTTP session to a simulator, and how its answers become values or errors."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self, TypeVar, cast
from urllib.parse import quote

import aiohttp
import msgspec

from flora_simulator.errors import SimulatorRefused
from flora_simulator.wire import Created

T = TypeVar("T")

_PATIENCE: Final = 10.0
"""Seconds that a call may take beyond what it was told to wait."""


class Calls:
    """Base of the client: opened and closed with ``async with``."""

    def __init__(self, url: str) -> None:
        self._base = url.rstrip("/") + "/control"
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _create(self, path: str, order: msgspec.Struct | None) -> str:
        return (await self._call("POST", path, Created, order)).id

    async def _call(
        self,
        method: str,
        path: str,
        kind: type[T] | None,
        order: msgspec.Struct | None = None,
        *,
        query: Mapping[str, str | None] | None = None,
        patience: float = 0.0,
    ) -> T:
        if self._session is None:
            raise RuntimeError("use the client in `async with`")
        body = msgspec.json.encode(order) if order is not None else None
        params = {name: value for name, value in (query or {}).items() if value is not None}
        limit = aiohttp.ClientTimeout(total=patience + _PATIENCE)
        async with self._session.request(
            method, self._base + path, data=body, params=params, timeout=limit
        ) as response:
            content = await response.read()
            if response.status != 200:
                raise SimulatorRefused(response.status, _message(content))
        # A call without a result answers null, which is what its caller gets.
        return cast("T", msgspec.json.decode(content, type=kind) if kind is not None else None)


def quoted(part: str) -> str:
    """A name or id as one segment of a path."""
    return quote(part, safe="")


def _message(content: bytes) -> str:
    try:
        return str(msgspec.json.decode(content)["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return content.decode(errors="replace")[:200]
