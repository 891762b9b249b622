"""The journal: what the bot did, in order, for those who wait for it.

Readers hold a position and ask for what came after it; nothing is consumed, so several can wait at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any, Final

from flora_simulator.wire import Action, ActionKind, Actions

LONGEST_WAIT: Final = 60.0


class Journal:
    """The last ``keep`` actions of the bot."""

    def __init__(self, keep: int) -> None:
        self._actions: deque[Action] = deque(maxlen=keep)
        self._news = asyncio.Event()
        self._closed = False
        self.position = 0

    def write(self, kind: ActionKind, **details: Any) -> None:
        """Note that the bot did something; ``details`` are fields of ``Action``."""
        self.position += 1
        self._actions.append(Action(position=self.position, at=time.time(), kind=kind, **details))
        self._news.set()
        self._news = asyncio.Event()

    def close(self) -> None:
        """Let everybody who waits go."""
        self._closed = True
        self._news.set()

    def since(self, position: int, wanted: Callable[[Action], bool] = lambda _: True) -> Actions:
        """What was written after ``position`` and is ``wanted``."""
        first = self._actions[0].position if self._actions else self.position + 1
        start = max(0, position + 1 - first)
        actions = [action for action in islice(self._actions, start, None) if wanted(action)]
        return Actions(self.position, actions, missed=max(0, first - 1 - position))

    async def wait(self, position: int, wanted: Callable[[Action], bool], *, longest: float) -> Actions:
        """As ``since``, but waits up to ``longest`` seconds (at most 60) for the first such action."""
        try:
            async with asyncio.timeout(min(longest, LONGEST_WAIT)):
                while not (found := self.since(position, wanted)).actions and not self._closed:
                    await self._news.wait()
        except TimeoutError:
            return self.since(position, wanted)
        return found
