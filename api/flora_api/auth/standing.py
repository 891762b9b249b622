"""How somebody stands in a guild, as the gateway tells; remembered for seconds.

A right that was taken away at Discord ends within ``FRESH_SECONDS`` here and what the gateway remembers
(``docs/gateway.md``). While the gateway does not answer, an answer counts for ``USABLE_SECONDS``; after that
nobody may do anything that needs a right, and is told to try again.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from typing import Final, Self, TypeVar

import aiohttp
import msgspec
from aiohttp import ClientTimeout
from prometheus_client import Counter

from flora_api.errors import Unavailable
from flora_core.errors import FloraError
from flora_core.ids import GuildId
from flora_core.streams import Token
from flora_core.telemetry import logger
from flora_core.wire import UNREADABLE
from flora_core.wire.standing import IDS_MOST, GuildName, Standing

FRESH_SECONDS: Final = 20.0
USABLE_SECONDS: Final = 120.0
CALL_SECONDS: Final = 6.0
KEPT: Final = 50_000
AT_ONCE: Final = 8
"""Questions for one list."""

_asked = Counter("flora_api_standing_asked_total", "Questions to the gateway about people", ["outcome"])
_old = Counter("flora_api_standing_old_total", "Old answers about people that counted, for want of a new one")

_log = logger(__name__)
T = TypeVar("T")


class GatewayGone(FloraError):
    """The gateway does not tell."""


class Standings:
    """Use as an async context manager."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        *,
        url: str,
        token: Token,
        owners: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``http`` without cookies; ``token`` opens the gateway; ``owners`` count as each guild's."""
        self._owners = frozenset(owners)
        self._http = http
        self._url = url.rstrip("/")
        self._token = token
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[float, Standing | None]] = OrderedDict()
        self._asking: dict[tuple[str, str], asyncio.Task[Standing | None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def of(self, user: str, guild: GuildId) -> Standing | None:
        """How ``user`` stands in ``guild``; None when the bot is not in it. Raises Unavailable."""
        key = user, guild
        asked_at, standing = self._known.get(key, (float("-inf"), None))
        age = self._clock() - asked_at
        if age < FRESH_SECONDS:
            return standing
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._learn(key))
            task.add_done_callback(lambda done: self._learned(key, done))
        try:
            return await asyncio.shield(task)  # others wait for it too
        except GatewayGone as error:
            if age < USABLE_SECONDS:
                _old.inc()
                return standing
            _log.warning("standing_unknown", error=str(error))
            text = "what you may do in this guild cannot be looked up just now; try again in a moment"
            raise Unavailable(text, code="RIGHTS_UNAVAILABLE", retry_after=2) from None

    async def managed(self, user: str, guilds: Sequence[GuildId]) -> list[Standing]:
        """Those of ``guilds`` that ``user`` manages and the bot is in, in their order. Raises Unavailable."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(guild: GuildId) -> Standing | None:
            async with turns:
                return await self.of(user, guild)

        there = await self._where_the_bot_is(guilds)
        found = await asyncio.gather(*(one(guild) for guild in guilds if guild in there))
        return [standing for standing in found if standing is not None and standing.manages]

    async def _where_the_bot_is(self, guilds: Sequence[GuildId]) -> set[str]:
        there: set[str] = set()
        for start in range(0, len(guilds), IDS_MOST):
            ids = ",".join(guilds[start : start + IDS_MOST])
            try:
                found = await self._ask(f"/v1/guilds?ids={ids}", list[GuildName])
            except GatewayGone as error:
                _log.warning("guilds_unknown", error=str(error))
                text = "your guilds cannot be looked up just now; try again in a moment"
                raise Unavailable(text, code="RIGHTS_UNAVAILABLE", retry_after=2) from None
            there |= {guild.id for guild in found or []}
        return there

    async def _learn(self, key: tuple[str, str]) -> Standing | None:
        user, guild = key
        standing = await self._ask(f"/v1/guilds/{guild}/members/{user}", Standing)
        if standing is not None and user in self._owners:
            standing = msgspec.structs.replace(standing, member=True, owner=True)
        self._known[key] = self._clock(), standing
        self._known.move_to_end(key)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return standing

    def _learned(self, key: tuple[str, str], task: asyncio.Task[Standing | None]) -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # all who waited may be gone

    async def _ask(self, path: str, kind: type[T]) -> T | None:
        """What the gateway says; None for 404. Raises GatewayGone."""
        try:
            async with self._http.get(
                self._url + path,
                headers=self._token.headers(),
                timeout=ClientTimeout(total=CALL_SECONDS),
                allow_redirects=False,
            ) as response:
                body = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError, FloraError) as error:
            _asked.labels("gone").inc()
            raise GatewayGone(f"the gateway does not answer ({type(error).__name__})") from None
        _asked.labels(str(response.status)).inc()
        if response.status == 404:
            return None
        if response.status != 200:
            raise GatewayGone(f"the gateway answered {response.status}")
        try:
            return msgspec.json.decode(body, type=kind)
        except UNREADABLE:
            raise GatewayGone("the gateway's answer cannot be read") from None
