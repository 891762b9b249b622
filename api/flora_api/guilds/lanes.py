"""How many requests may be under way at once for each name (a guild, a pod), and how many may wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable

from flora_api.errors import ApiError


class _Lane:
    def __init__(self, at_once: int) -> None:
        self.turns = asyncio.Semaphore(at_once)
        self.inside = 0
        """Those that wait included."""


class Lanes:
    """A lane for each name; those that nobody uses take no memory."""

    def __init__(self, *, at_once: int, waiting: int, full: Callable[[str], ApiError]) -> None:
        """``full`` says what whoever comes too much is answered."""
        self._at_once = at_once
        self._most = at_once + waiting
        self._full = full
        self._lanes: dict[str, _Lane] = {}

    def __len__(self) -> int:
        return len(self._lanes)

    @contextlib.asynccontextmanager
    async def turn(self, name: str) -> AsyncGenerator[None]:
        """Wait for one's turn, first come first served; give it a deadline. Raises what ``full`` says."""
        lane = self._lanes.setdefault(name, _Lane(self._at_once))
        if lane.inside >= self._most:
            raise self._full(name)
        lane.inside += 1
        try:
            async with lane.turns:
                yield
        finally:
            lane.inside -= 1
            if not lane.inside:
                del self._lanes[name]
