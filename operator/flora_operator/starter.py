"""The starter script: a guild that the bot is in and that has no GuildDeployment gets one.

It takes its sources from one ConfigMap, so that a change of that reaches all of them. Looked at is what is,
not what happened: who wants a guild to run nothing suspends its GuildDeployment, for a deleted one comes
back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from flora_core.ids import GuildId
from flora_core.manifest import API_VERSION, KIND
from flora_core.telemetry import logger
from flora_operator import metrics
from flora_operator.deployment import Key
from flora_operator.errors import Conflict, KubeError
from flora_operator.fleet import Fleet
from flora_operator.kube.client import Kube
from flora_operator.kube.deployments import PLURAL

LABEL: Final = "flora.uwu.network/starter"
"""Marks the GuildDeployments that were made here."""

LOOK_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 0.05
"""Between two of them: a bot that comes into 10,000 guilds at once must not fill the API server's hands."""

_log = logger(__name__)


def document(guild: GuildId, config_map: Key) -> dict[str, Any]:
    """The GuildDeployment of a guild that starts."""
    namespace, name = config_map
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": f"guild-{guild}", "namespace": namespace, "labels": {LABEL: "true"}},
        "spec": {"guildId": guild, "source": {"configMapRef": {"name": name}}},
    }


class Starter:
    """``run`` works until cancelled; ``look`` makes it look at once."""

    def __init__(
        self, kube: Kube, fleet: Fleet, config_map: Key, *, members: Callable[[], frozenset[GuildId] | None]
    ) -> None:
        self._kube = kube
        self._fleet = fleet
        self._config_map = config_map
        self._members = members
        self._changed = asyncio.Event()

    def look(self) -> None:
        """The bot may have joined a guild."""
        self._changed.set()

    def missing(self) -> list[GuildId]:
        """Guilds that have no GuildDeployment, none that is being deleted either."""
        members = self._members() or frozenset[GuildId]()
        return sorted(guild for guild in members if self._fleet.serving(guild) is None)

    async def run(self) -> None:
        """Look, make what is missing, wait."""
        while True:
            self._changed.clear()
            missing = self.missing()
            if missing and self._config_map not in self._fleet.config_maps:
                _log.warning("no_starter_script", config_map="/".join(self._config_map), guilds=len(missing))
                missing = []
            for guild in missing:
                await self._start(guild)
                await asyncio.sleep(PAUSE_SECONDS)
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _start(self, guild: GuildId) -> None:
        path = f"/apis/{API_VERSION}/namespaces/{self._config_map[0]}/{PLURAL}"
        try:
            await self._kube.call("POST", path, document(guild, self._config_map))
        except Conflict:
            return  # the watch has not told of it yet
        except KubeError as error:
            _log.warning("starter_not_made", guild_id=guild, error=str(error))
            return
        metrics.started.inc()
        _log.info("starter_made", guild_id=guild)
