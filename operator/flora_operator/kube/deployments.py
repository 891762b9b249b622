"""GuildDeployments by kopf: it lists and watches, and tells each object's events in their order.

kopf is used for its watching alone. Only ``on.event`` handlers: they write nothing onto the objects, where
kopf's other handlers keep the whole object in an annotation, for which a large script is too large. kopf
compares bodies before each handler all the same, hence the storage that stores nothing. What our own writes
bring back never gets to it (``echoes``): most of what a handler costs is kopf's way to it. Its tasks are made
by ``spawn_tasks`` and ended here, because ``run`` would end every task that was born after it began, those
of our HTTP server among them; and signals are taken back, because it takes them for itself. It is given a
name, because it would ask for the user's, which a user id without an entry in passwd has not.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import ssl
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, cast

import aiohttp
import kopf

from flora_core.errors import FloraError
from flora_core.manifest import GROUP, VERSION
from flora_operator.kube.access import Access
from flora_operator.kube.client import CHUNK, MANAGER, Document
from flora_operator.kube.echoes import IsKnown, without_echoes

PLURAL: Final = "guilddeployments"
STOP_SECONDS: Final = 5.0
RENEW_SECONDS: Final = 10.0
"""How often it is looked whether the API server's authorities have changed."""


OnEvent = Callable[[str | None, Document], None]
"""Gets the event's type (None: it was there when the watch began) and the object."""


class WatchEnded(FloraError):
    """kopf gave up."""


class _Patience:
    """Seconds between tries, without end: an API server may be gone for hours; pods need their streams."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((0.2, 0.5), itertools.repeat(1.0))


class _NoDiffBase(kopf.DiffBaseStorage):
    """Remembers nothing of an object."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: Any) -> None:
        return None


def settings() -> kopf.OperatorSettings:
    """As measured with 10,000 objects: a fast start, little memory, quick to be back, no requests."""
    made = kopf.OperatorSettings()
    made.watching = dataclasses.replace(
        made.watching, chunk_size=CHUNK, server_timeout=300, client_timeout=330
    )
    made.queueing = dataclasses.replace(made.queueing, idle_timeout=0.01)
    made.posting = dataclasses.replace(made.posting, enabled=False)
    made.scanning = dataclasses.replace(made.scanning, disabled=True)
    made.networking = dataclasses.replace(made.networking, error_backoffs=_Patience(), connect_timeout=10)
    made.persistence = dataclasses.replace(made.persistence, diffbase_storage=_NoDiffBase())
    return made


class Deployments:
    """``run`` tells of every GuildDeployment until it is cancelled; raises WatchEnded."""

    def __init__(
        self,
        access: Access,
        namespaces: Collection[str],
        on_event: OnEvent,
        *,
        is_known: IsKnown,
        take_signals: Callable[[], None],
    ) -> None:
        """``take_signals`` is called when kopf has taken them; what ``is_known`` says no to is told."""
        self._access = access
        self._namespaces = namespaces
        self._on_event = on_event
        self._without_echoes = without_echoes(is_known)
        self._take_signals = take_signals
        self._session: tuple[aiohttp.ClientSession, ssl.SSLContext] | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        tasks = await kopf.spawn_tasks(
            registry=self._registry(),
            settings=settings(),
            identity=cast("Any", MANAGER),  # its type is private
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=list(self._namespaces),
        )
        self._take_signals()
        tasks = [*tasks, asyncio.create_task(self._renew_session())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            errors = [str(task.exception()) for task in done if not task.cancelled() and task.exception()]
            raise WatchEnded(f"watching GuildDeployments ended: {'; '.join(errors) or 'without a reason'}")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=STOP_SECONDS)

    async def _renew_session(self) -> None:
        """Kopf asks for another session once its own is closed, and so trusts the authorities of now."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            if self._session is not None and self._session[1] is not self._access.tls():
                await self._session[0].close()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        async def login(**_: Any) -> kopf.AiohttpSession:
            # Each namespace has a watch that keeps its connection.
            limit = len(self._namespaces) + 8
            timeout = aiohttp.ClientTimeout(total=None, connect=10)
            trusted = self._access.tls()
            session = self._access.session(limit=limit, timeout=timeout, middlewares=[self._without_echoes])
            self._session = (session, trusted)
            return kopf.AiohttpSession(server=self._access.server, aiohttp_session=session)

        async def on_event(event: kopf.RawEvent, **_: Any) -> None:
            self._on_event(event["type"], dict(event["object"]))

        kopf.on.login(registry=registry)(login)
        kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)(on_event)
        return registry
