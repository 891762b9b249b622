"""Pods that were told to stop ask whether they may: at once if they come back, else once they have no guild.

A StatefulSet that is scaled down ends its last pods without asking anybody. They serve on, within their grace
period, while their guilds move.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from flora_core.control.state import DesiredState
from flora_core.ids import PodName
from flora_core.telemetry import logger

LOOK_SECONDS: Final = 0.25

_log = logger(__name__)


class Retirements:
    """``run`` answers until cancelled."""

    def __init__(self, state: DesiredState, pods: Callable[[], Awaitable[Collection[PodName]]]) -> None:
        """``pods`` says, as of now, which pods there should be."""
        self._state = state
        self._pods = pods
        self._asking: set[PodName] = set()
        self._asked = asyncio.Event()

    def on_draining(self, pod: PodName) -> None:
        """``pod`` asks. It asks again whenever it dials, so nothing of this outlives the operator."""
        if pod not in self._asking:
            _log.info("pod_draining", pod=pod)
        self._asking.add(pod)
        self._asked.set()

    async def run(self) -> None:
        """Answer who asks; look again while somebody has to wait."""
        while True:
            await self._asked.wait()
            if self._asking:
                await self._answer()
                await asyncio.sleep(LOOK_SECONDS)
            else:
                self._asked.clear()

    async def _answer(self) -> None:
        stay = await self._pods()
        for pod in sorted(self._asking):
            # With no pod to stay there is nowhere to go.
            wait = bool(stay) and pod not in stay and self._state.has_guilds(pod)
            self._state.retire(pod, wait=wait)
            if not wait:
                self._asking.discard(pod)
                _log.info("pod_may_leave", pod=pod, comes_back=pod in stay)
