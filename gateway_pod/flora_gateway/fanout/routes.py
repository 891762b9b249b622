"""Which runtime pod has which guild: followed from the control plane, remembered on disk.

Without the control plane the last table goes on being true: pods keep their guilds until somebody says
otherwise. So it is written down, and a gateway that starts with nobody to ask uses what it knew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp
import msgspec
from msgspec import Struct

from flora_core.errors import WireError
from flora_core.files import CannotRead, read_kept, write_whole
from flora_core.streams import StreamRefused, Token, follow
from flora_core.telemetry import logger
from flora_core.wire.control import Beat, Hold, Route, Routes, route_table
from flora_gateway import metrics

_log = logger(__name__)


class _Kept(Struct, frozen=True):
    """What is on disk."""

    pods: dict[str, str]
    held: dict[str, Hold] = {}


class RouteTable:
    """``run`` follows the table until cancelled; ``pod_of`` is what the hub asks for every event."""

    def __init__(self, url: str, folder: Path, *, token: Token) -> None:
        self._url = f"{url}/v1/routes"
        self._file = folder / "routes.json"
        self._token = token
        self._pods: dict[str, str] = {}
        self._held: dict[str, Hold] = {}
        self.on_change: Callable[[], None] = lambda: None
        """Called when the table has changed, and is on disk."""
        self._epoch = ""
        self._revision = 0
        self.known = asyncio.Event()
        """Set once there is a table, from the control plane or from disk."""

    def pod_of(self, guild: str) -> str | None:
        """The pod that runs ``guild``; None when nobody does."""
        return self._pods.get(guild)

    @property
    def held(self) -> Mapping[str, Hold]:
        """Guilds whose events are not to go to their pods."""
        return self._held

    @property
    def pods(self) -> set[str]:
        """Every pod that runs a guild."""
        return set(self._pods.values())

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Dial, follow, dial again."""
        await self._remember()
        await follow(
            session,
            self._url,
            token=self._token,
            params=lambda: {"after": self._revision, "epoch": self._epoch},
            take=self._take_batch,
            on_error=self._bad_frame,
            on_broken=_say_broken,
        )

    async def _take_batch(self, lines: list[bytes]) -> None:
        if self._take_all(lines):
            await asyncio.to_thread(self._write_down, msgspec.json.encode(_Kept(self._pods, self._held)))
            self.on_change()

    def _take_all(self, lines: list[bytes]) -> bool:
        """Apply ``lines``; whether the table changed."""
        changed = False
        for line in lines:
            try:
                frame = route_table.decode(line)
            except WireError as error:
                self._bad_frame(error)
                continue
            changed |= not isinstance(frame, Beat)
            self._take(frame)
        return changed

    def _take(self, frame: Routes | Route | Beat) -> None:
        if isinstance(frame, Routes):
            self._epoch = frame.epoch
            self._pods, self._held = frame.pods, frame.held
            self.known.set()
        elif isinstance(frame, Route):
            if frame.pod is None:
                self._pods.pop(frame.guild, None)
            else:
                self._pods[frame.guild] = frame.pod
            if frame.held is not None:
                self._held[frame.guild] = frame.held
            else:
                self._held.pop(frame.guild, None)
        self._revision = frame.revision

    async def _remember(self) -> None:
        try:
            kept = await asyncio.to_thread(read_kept, self._file, _Kept)
        except CannotRead as error:
            _log.warning("routes_not_read", error=str(error))
            return
        if kept is not None and kept.pods:
            self._pods, self._held = kept.pods, kept.held
            self.known.set()

    def _write_down(self, table: bytes) -> None:
        try:
            write_whole(self._file, table)
        except OSError as error:
            _log.warning("routes_not_kept", error=str(error))

    def _bad_frame(self, error: WireError) -> None:
        metrics.bad_frames.labels(error.reason).inc()
        _log.warning("bad_frame", stream="routes", error=str(error))


def _say_broken(error: Exception) -> None:
    level = _log.warning if isinstance(error, StreamRefused) else _log.info
    level("route_stream_broken", error=str(error) or type(error).__name__)


PodOf = Callable[[str], str | None]
