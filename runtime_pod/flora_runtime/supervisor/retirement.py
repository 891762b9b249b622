"""May this pod leave? What happens between SIGTERM and the drain.

A pod that is told to stop may be one of a StatefulSet that shrinks, and its guilds then have to be moved
while it still serves them. So it says ``Draining`` and serves on until the operator answers ``Retire``: at
once when it comes back (a restart), after the last of its guilds has gone when it does not. An operator that
does not answer is not waited for, and nobody is waited for longer than the pod's grace period allows.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import Final

from flora_core.wire.control import Retire

ANSWER_SECONDS: Final = 3.0
"""How long an operator that is there may take to answer."""


class Retirement:
    """One process' way out."""

    def __init__(self, *, longest: float) -> None:
        """``longest``: seconds to serve on in all, 0 for none."""
        self.process: Final = secrets.token_hex(8)
        self._longest = longest
        self._told: Retire | None = None
        self._answered = asyncio.Event()

    def answer(self, retire: Retire) -> None:
        """The operator's answer, to this process or to an earlier one of the pod."""
        if retire.process == self.process:
            self._told = retire
            self._answered.set()

    @property
    def allowed(self) -> bool:
        """Whether the operator said that it may leave."""
        return self._told is not None and not self._told.wait

    async def wait(self) -> str:
        """Serve on for as long as is right; why it is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._longest):
                if not await self._is_answered(ANSWER_SECONDS):
                    return "nobody answered"
                while not self.allowed:
                    self._answered.clear()
                    await self._answered.wait()
        return "the operator let it go" if self.allowed else "its time was up"

    async def _is_answered(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._answered.wait()
        except TimeoutError:
            return False
        return True
