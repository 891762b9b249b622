"""What the operator needs of others, as small as it needs it. ``main`` says who they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import NoReturn, Protocol

from flora_core.database import BundleInfo
from flora_core.ids import GuildId, PodName, Sha256
from flora_core.toolchain import Project
from flora_core.wire.control import GatewayNews, PodReport
from flora_operator.status import HandoffStatus


class Bundler(Protocol):
    """Makes bundles and keeps them."""

    async def bundle(self, project: Project) -> BundleInfo:
        """Of ``project``, made now or before.

        Raises BundleFailed or InvalidProject when it is the author's fault, Unavailable or ToolError when it
        is not and may work later.
        """
        ...

    async def stored(self, sha256: Sha256) -> BundleInfo | None:
        """One that was made before; raises Unavailable."""
        ...

    async def get(self, sha256: Sha256) -> bytes | None:
        """Its bytes; raises Unavailable."""
        ...

    async def retain(
        self, in_use: Callable[[], Collection[Sha256] | None], *, older_than: timedelta
    ) -> NoReturn:
        """Delete now and then what is not ``in_use`` (None: not known), and was not for ``older_than``."""
        ...


class Moves(Protocol):
    """Brings guilds from pod to pod, a few at a time; calls ``Persist`` when it has."""

    def want(self, guild: GuildId, *, from_: PodName, to: PodName, known: HandoffStatus | None) -> None:
        """``guild`` should be on ``to``. Told again and again; ``known``: what its status says of a move."""
        ...

    def drop(self, guild: GuildId, *, known: HandoffStatus | None = None) -> None:
        """It should stay where it is, or it is gone. Told again and again; ``known`` as above."""
        ...

    def on_report(self, pod: PodName, report: PodReport) -> None:
        """Every report, of the old pod and the new."""
        ...

    def on_gateway_report(self, report: GatewayNews) -> None:
        """Every report of the gateway."""
        ...

    def on_spooled(self, handoff: str) -> None:
        """What the old pod of a handoff has to give is here."""
        ...

    async def run(self) -> None:
        """Work until cancelled."""
        ...


class Persist(Protocol):
    """How ``Moves`` writes down how far it is: into the status, before anybody acts on it."""

    async def persist(self, guild: GuildId, *, pod: PodName | None, handoff: HandoffStatus | None) -> None:
        """Set the guild's handoff, and its pod unless None. Raises KubeError."""
        ...


class Retention(Protocol):
    """Has pods set the data of guilds aside that are no longer deployed."""

    def release(self, guild: GuildId, pod: PodName, *, keep: bool = True) -> bool:
        """``pod`` should; without ``keep``, delete it. Asked again and again; True once it has."""
        ...

    def on_report(self, pod: PodName, report: PodReport) -> None:
        """Every report of every pod."""
        ...


class NoMoves:
    """Guilds stay where they are."""

    def want(self, guild: GuildId, *, from_: PodName, to: PodName, known: HandoffStatus | None) -> None:
        del guild, from_, to, known

    def drop(self, guild: GuildId, *, known: HandoffStatus | None = None) -> None:
        del guild, known

    def on_report(self, pod: PodName, report: PodReport) -> None:
        del pod, report

    def on_gateway_report(self, report: GatewayNews) -> None:
        del report

    def on_spooled(self, handoff: str) -> None:
        del handoff

    async def run(self) -> None:
        await asyncio.Event().wait()


class NoRetention:
    """Pods keep what they have."""

    def release(self, guild: GuildId, pod: PodName, *, keep: bool = True) -> bool:
        del guild, pod, keep
        return True

    def on_report(self, pod: PodName, report: PodReport) -> None:
        del pod, report
