"""Events on the objects, as ``kubectl describe`` shows them: told beside the work, never waited for.

What is told again within ten minutes only counts up the Event that is there, at most every so often. When
more happens than the API server should be bothered with, Events are left out and counted: they are news,
the conditions are the truth.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Final

from flora_core.manifest import API_VERSION, KIND
from flora_core.telemetry import logger
from flora_operator import metrics
from flora_operator.deployment import Deployment
from flora_operator.errors import KubeError, Missing
from flora_operator.kube.client import MANAGER, MERGE, Kube
from flora_operator.notes import Note
from flora_operator.status import timestamp

WAITING: Final = 250
MESSAGE_LIMIT: Final = 1024
"""The API server's."""

SAME_SECONDS: Final = 600.0
AGAIN_SECONDS: Final = 10.0
REMEMBERED: Final = 4096
BURST: Final = 50
A_SECOND: Final = 5.0
"""An Event costs the API server as much as a status does, and matters less."""

_log = logger(__name__)


@dataclass(slots=True)
class _Told:
    name: str
    first: float
    last: float
    count: int = 1
    written: int = 1


class Recorder:
    """``run`` tells what was noted until it is cancelled."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._queue = asyncio.Queue[tuple[Deployment, Note]](WAITING)
        self._told: OrderedDict[tuple[str, str, str], _Told] = OrderedDict()
        self._allowance = float(BURST)
        self._counted_at = time.monotonic()

    def note(self, deployment: Deployment, note: Note) -> None:
        """Tell it on ``deployment``."""
        try:
            self._queue.put_nowait((deployment, note))
        except asyncio.QueueFull:
            metrics.events_dropped.inc()

    async def run(self) -> None:
        """One at a time, and only so many a second."""
        while True:
            deployment, note = await self._queue.get()
            await self._pace()
            try:
                await self._tell(deployment, note)
            except KubeError as error:
                metrics.events_dropped.inc()
                _log.info("event_not_told", reason=note.reason, error=str(error))

    async def _pace(self) -> None:
        now = time.monotonic()
        self._allowance = min(BURST, self._allowance + (now - self._counted_at) * A_SECOND)
        self._counted_at = now
        self._allowance -= 1
        if self._allowance < 0:
            await asyncio.sleep(-self._allowance / A_SECOND)

    async def _tell(self, deployment: Deployment, note: Note) -> None:
        same = (deployment.uid, note.reason, note.message)
        now = time.monotonic()
        told = self._told.get(same)
        if told is not None and now - told.first < SAME_SECONDS:
            await self._count(deployment, told, now)
            return
        name = f"{deployment.key[1]}.{token_hex(8)}"
        await self._kube.call("POST", _path(deployment), _event(deployment, note, name))
        self._told[same] = _Told(name, now, now)
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)

    async def _count(self, deployment: Deployment, told: _Told, now: float) -> None:
        told.count += 1
        if now - told.last < AGAIN_SECONDS:
            return
        told.last, told.written = now, told.count
        change = {"count": told.count, "lastTimestamp": timestamp()}
        try:
            await self._kube.call("PATCH", f"{_path(deployment)}/{told.name}", change, content=MERGE)
        except Missing:
            told.first = 0.0  # it has expired


def _path(deployment: Deployment) -> str:
    return f"/api/v1/namespaces/{deployment.key[0]}/events"


def _event(deployment: Deployment, note: Note, name: str) -> dict[str, Any]:
    namespace, of = deployment.key
    now = timestamp()
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": namespace,
            "name": of,
            "uid": deployment.uid,
        },
        "type": note.kind,
        "reason": note.reason,
        "message": note.message[:MESSAGE_LIMIT],
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
