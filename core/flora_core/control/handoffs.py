"""Where a guild's data lies between the pod that hands it over and the one that takes it.

The one puts its export to ``/v1/handoffs/{id}``, the other gets it there; nobody else may. An export is a
file in a folder of the operator's for as long as its handoff goes on, checked against the SHA-256 that came
with it before anybody sees it. What an earlier process left is deleted, for with that process its handoffs
ended: they begin anew, under other names.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from aiohttp import StreamReader, web

from flora_core.control.state import DesiredState
from flora_core.errors import FloraError, InvalidInput
from flora_core.identity import Identities, Role, require
from flora_core.ids import PodName, Sha256, parse_sha256
from flora_core.serving import read_upload
from flora_core.telemetry import logger

SHA256_HEADER: Final = "X-Flora-SHA256"
"""The export's SHA-256 in hexadecimal, in both directions."""

EXPORT_LIMIT: Final = 1 << 30
"""Bytes of one export: twice what a guild may store, for what JSON adds to it."""

_log = logger(__name__)


class BadExport(FloraError):
    """What was sent is not what its SHA-256 says, or is too large."""

    def __init__(self, text: str, *, status: int) -> None:
        super().__init__(text)
        self.status = status


class Spool:
    """A folder of exports, by handoff. Belongs to the loop it is used in; made of and for one process."""

    def __init__(self, folder: Path, *, limit: int = EXPORT_LIMIT) -> None:
        """Blocks for a moment: what an earlier process left is deleted."""
        self._folder = folder
        self._limit = limit
        self._sums: dict[str, Sha256] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("*.export*"):
            left.unlink(missing_ok=True)

    def has(self, handoff: str) -> bool:
        """Whether its export is here, whole."""
        return handoff in self._sums

    def find(self, handoff: str) -> tuple[Path, Sha256] | None:
        """The export's file and its SHA-256."""
        sha256 = self._sums.get(handoff)
        return (self._file(handoff), sha256) if sha256 is not None else None

    async def take(self, handoff: str, body: StreamReader, sha256: Sha256) -> int:
        """Keep what ``body`` brings; its bytes. Raises BadExport, OSError or TimeoutError."""
        part = self._folder / f"{handoff}.{secrets.token_hex(4)}.export-part"
        try:
            size = await self._write(part, body, sha256)
            part.replace(self._file(handoff))
        finally:
            part.unlink(missing_ok=True)
        self._sums[handoff] = sha256
        return size

    def drop(self, handoff: str) -> None:
        """The export is no longer needed."""
        if self._sums.pop(handoff, None) is not None:
            self._file(handoff).unlink(missing_ok=True)

    async def _write(self, part: Path, body: StreamReader, sha256: Sha256) -> int:
        size, hashed = 0, hashlib.sha256()
        with part.open("wb") as file:
            async for data in read_upload(body):
                size += len(data)
                if size > self._limit:
                    raise BadExport(f"an export may have {self._limit} bytes", status=413)
                await asyncio.to_thread(_add, file, data, hashed.update)
        if hashed.hexdigest() != sha256:
            raise BadExport(f"{size} bytes came that have another SHA-256", status=422)
        return size

    def _file(self, handoff: str) -> Path:
        return self._folder / f"{handoff}.export"


def _add(file: BinaryIO, data: bytes, update: Callable[[bytes], object]) -> None:
    update(data)
    file.write(data)


class HandoffServer:
    """Adds its routes to ``app``. Names of handoffs are compared with those that ``state`` knows."""

    def __init__(
        self,
        app: web.Application,
        state: DesiredState,
        spool: Spool,
        identities: Identities,
        *,
        on_spooled: Callable[[str], None],
    ) -> None:
        """``on_spooled`` hears of every handoff whose export is here."""
        self._state = state
        self._spool = spool
        self._identities = identities
        self._on_spooled = on_spooled
        app.router.add_put("/v1/handoffs/{id}", self._put)
        app.router.add_get("/v1/handoffs/{id}", self._get)

    async def _put(self, request: web.Request) -> web.Response:
        handoff, (pod, _) = await self._between(request)
        await require(request, self._identities, role=Role.RUNTIME, pod=pod)
        try:
            sha256 = parse_sha256(request.headers.get(SHA256_HEADER, ""), field=SHA256_HEADER)
            size = await self._spool.take(handoff, request.content, sha256)
        except InvalidInput as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        except BadExport as error:
            return web.Response(status=error.status, text=f"{error}\n")
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="the export does not go on\n") from None
        except ConnectionError:
            raise
        except OSError as error:
            _log.error("export_not_kept", handoff=handoff, error=str(error))
            return web.Response(status=507, text=f"the export cannot be kept: {error.strerror}\n")
        if self._state.handed_by(handoff) is None:  # it ended meanwhile
            self._spool.drop(handoff)
            raise web.HTTPNotFound(text=f"the handoff {handoff} is over\n")
        _log.info("export_spooled", handoff=handoff, bytes=size, pod=pod)
        self._on_spooled(handoff)
        return web.Response(status=201, text=f"{size}\n")

    async def _get(self, request: web.Request) -> web.StreamResponse:
        handoff, (_, pod) = await self._between(request)
        await require(request, self._identities, role=Role.RUNTIME, pod=pod)
        found = self._spool.find(handoff)
        if found is None:
            raise web.HTTPNotFound(text=f"the export of {handoff} is not here (yet)\n")
        path, sha256 = found
        return web.FileResponse(path, headers={SHA256_HEADER: sha256, "Cache-Control": "no-store"})

    async def _between(self, request: web.Request) -> tuple[str, tuple[PodName, PodName]]:
        """The handoff of the path, and its pods."""
        await require(request, self._identities, role=Role.RUNTIME)
        handoff = request.match_info["id"]
        pods = self._state.handed_by(handoff)
        if pods is None:
            raise web.HTTPNotFound(text="there is no such handoff\n")
        return handoff, pods
