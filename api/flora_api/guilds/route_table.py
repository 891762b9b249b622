"""Which runtime pod has which guild, followed from the operator.

Without the operator the last table goes on being true: pods keep their guilds until somebody says otherwise.
``age`` says how long ago it was heard of. An API that starts with nobody to ask knows nothing, and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping

import aiohttp

from flora_core.errors import WireError
from flora_core.ids import GuildId, PodName
from flora_core.streams import StreamRefused, Token, follow
from flora_core.telemetry import logger
from flora_core.wire.control import Hold, Route, Routes, RouteTable, route_table

_log = logger(__name__)


class GuildPods:
    """The table. Pure: frames in, answers out.

    ``version`` grows with every change, whatever the operator's own numbers do.
    """

    def __init__(self) -> None:
        self.epoch = ""
        self.revision = 0
        self.version = 0
        self._pods: dict[str, str] = {}
        self._held: dict[str, Hold] = {}
        self._guilds: dict[str, set[GuildId]] = {}

    def take(self, frame: RouteTable) -> None:
        """Apply what the operator says."""
        self.revision = frame.revision
        if isinstance(frame, Routes):
            self.epoch = frame.epoch
            self._pods, self._held, self._guilds = dict(frame.pods), dict(frame.held), {}
            for guild, pod in self._pods.items():
                self._guilds.setdefault(pod, set()).add(GuildId(guild))
            self.version += 1
        elif isinstance(frame, Route):
            self._move(frame)
            self.version += 1

    def _move(self, route: Route) -> None:
        guild = GuildId(route.guild)
        before = self._pods.pop(guild, None)
        if before is not None:
            guilds = self._guilds[before]
            guilds.discard(guild)
            if not guilds:
                del self._guilds[before]
        if route.pod is not None:
            self._pods[guild] = route.pod
            self._guilds.setdefault(route.pod, set()).add(guild)
        if route.held is not None:
            self._held[guild] = route.held
        else:
            self._held.pop(guild, None)

    def pod_of(self, guild: GuildId) -> PodName | None:
        """The pod that has ``guild``; None when nobody does."""
        pod = self._pods.get(guild)
        return PodName(pod) if pod is not None else None

    def moving(self, guild: GuildId) -> bool:
        """Whether it is on its way to another pod."""
        return guild in self._held

    def guilds_of(self, pod: str) -> frozenset[GuildId]:
        """Those that ``pod`` has."""
        return frozenset(self._guilds.get(pod, ()))

    def coming_to(self, pod: str) -> frozenset[GuildId]:
        """Those that are on their way to ``pod``."""
        return frozenset(GuildId(guild) for guild, hold in self._held.items() if hold.to == pod)

    @property
    def sizes(self) -> Mapping[str, int]:
        """How many guilds each pod has that has any."""
        return {pod: len(guilds) for pod, guilds in self._guilds.items()}

    def __len__(self) -> int:
        return len(self._pods)


class RouteFollower:
    """Keeps ``table`` true. ``run`` follows the operator until cancelled."""

    def __init__(self, url: str, *, token: Token, clock: Callable[[], float] = time.monotonic) -> None:
        self.table = GuildPods()
        self.known = asyncio.Event()
        """Set once the operator has told the whole table."""
        self._url = f"{url}/v1/routes"
        self._token = token
        self._clock = clock
        self._heard_at = clock()
        self._changed = asyncio.Event()

    def pod_of(self, guild: GuildId) -> PodName | None:
        """The pod that has ``guild``; None when nobody does, or nobody knows."""
        return self.table.pod_of(guild)

    def guilds_of(self, pod: str) -> frozenset[GuildId]:
        """Those that ``pod`` has."""
        return self.table.guilds_of(pod)

    @property
    def version(self) -> int:
        """Grows with every change of the table."""
        return self.table.version

    def age(self) -> float:
        """Seconds since the operator was heard of, or since the beginning."""
        return self._clock() - self._heard_at

    async def wait_beyond(self, version: int, *, seconds: float) -> bool:
        """Return when the table has changed since ``version``, or after ``seconds``; whether it has."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.table.version <= version:
                    await self._changed.wait()
        return self.table.version > version

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Dial, follow, dial again."""
        await follow(
            session,
            self._url,
            token=self._token,
            params=lambda: {"after": self.table.revision, "epoch": self.table.epoch},
            take=self._take_all,
            on_error=_bad_frame,
            on_broken=_say_broken,
        )

    async def _take_all(self, lines: list[bytes]) -> None:
        before = self.table.version
        for line in lines:
            try:
                frame = route_table.decode(line)
            except WireError as error:
                _bad_frame(error)
                continue
            self.table.take(frame)
            if isinstance(frame, Routes):
                self.known.set()
        self._heard_at = self._clock()
        if self.table.version != before:
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()


def _bad_frame(error: WireError) -> None:
    _log.warning("bad_frame", stream="routes", error=str(error))


def _say_broken(error: Exception) -> None:
    level = _log.warning if isinstance(error, StreamRefused) else _log.info
    level("route_stream_broken", error=str(error) or type(error).__name__)
