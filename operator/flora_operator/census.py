"""Counting the GuildDeployments, to know when the watch has told of them all, and what it has missed.

kopf says that it has begun, not that it has caught up; and of an object that vanished while nobody watched
it says nothing. So their names and versions are listed (not their bodies): once at the start, and every few
minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from flora_core.streams import Backoff
from flora_core.telemetry import logger
from flora_operator import metrics
from flora_operator.deployment import Key, key_of
from flora_operator.errors import KubeError, Missing
from flora_operator.fleet import Fleet, older
from flora_operator.kube.client import METADATA_LIST, Document, Kube
from flora_operator.kube.paths import deployment_path

LOOK_SECONDS: Final = 0.05
LOST_SECONDS: Final = 1.0
"""Nothing more from the watch for so long: has what is missing been deleted meanwhile?"""

STALLED_SECONDS: Final = 30.0
"""For so long: what is missing is fetched one by one."""

_log = logger(__name__)


class Census:
    """Of what ``paths`` list."""

    def __init__(self, kube: Kube, paths: list[str], fleet: Fleet, put: Callable[[Document], None]) -> None:
        """``put`` takes an object that the watch should have told of."""
        self._kube = kube
        self._paths = paths
        self._fleet = fleet
        self._put = put

    async def first(self) -> set[Key]:
        """All there are, asked until there is an answer."""
        backoff = Backoff(first=0.2, longest=2.0)
        while True:
            try:
                return set(await self._list())
            except KubeError as error:
                _log.warning("guild_deployments_not_listed", error=str(error))
            await backoff.pause()

    async def caught_up(self, keys: set[Key]) -> None:
        """Return once the watch has told of all ``keys`` there are; what it keeps to itself is looked up."""
        loop = asyncio.get_running_loop()
        missing, progress = keys - self._fleet.keys(), loop.time()
        looked = progress
        while missing:
            await asyncio.sleep(LOOK_SECONDS)
            left = missing - self._fleet.keys()
            now = loop.time()
            if left != missing:
                progress = looked = now
            elif now - looked > LOST_SECONDS:
                looked = now
                left = await self._remaining(left, stalled=now - progress > STALLED_SECONDS)
            missing = left

    async def _remaining(self, left: set[Key], *, stalled: bool) -> set[Key]:
        """Those of ``left`` that have not been deleted meanwhile."""
        try:
            left = left & set(await self._list())
            if stalled:
                for key in left:
                    await self._verify(key)
        except KubeError as error:
            _log.info("census_put_off", error=str(error))
        return left

    async def run(self, seconds: float) -> None:
        """Compare every ``seconds``."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self._compare()
            except KubeError as error:
                _log.info("census_put_off", error=str(error))

    async def _compare(self) -> None:
        known = {deployment.key: deployment.resource_version for deployment in self._fleet}
        listed = await self._list()
        for key in known.keys() - listed.keys():
            await self._verify(key)
        for key, version in listed.items():
            before = known.get(key)
            now = self._fleet.get(key)
            if before is None or older(before, version):
                if now is not None and not older(now.resource_version, version):
                    continue  # the watch was only slower than the list
                await self._verify(key)

    async def _verify(self, key: Key) -> None:
        """What the watch has not told."""
        try:
            document = await self._kube.call("GET", deployment_path(key))
        except Missing:
            if self._fleet.get(key) is not None:
                metrics.watch_restarts["guilddeployments", "missed"].inc()
                self._fleet.drop(key)
            return
        self._put(document)

    async def _list(self) -> dict[Key, str]:
        found: dict[Key, str] = {}
        for path in self._paths:
            async for page in self._kube.list(path, query={}, accept=METADATA_LIST):
                found |= {key_of(item): item["metadata"]["resourceVersion"] for item in page["items"]}
        return found
