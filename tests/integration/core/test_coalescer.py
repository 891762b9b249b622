"""Lone frames go out at once, bursts together."""

from __future__ import annotations

import asyncio

from flora_core.streams import QUIET_SECONDS, Coalescer


class Writer:
    """Writes what was added, and remembers in which pieces."""

    def __init__(self) -> None:
        self.chunks: list[str] = []
        self._waiting = ""
        self._coalescer = Coalescer(self._flush)

    def add(self, text: str) -> None:
        self._waiting += text
        self._coalescer.added()

    def _flush(self) -> None:
        self.chunks.append(self._waiting)
        self._waiting = ""


async def test_what_comes_after_a_quiet_moment_is_written_at_once() -> None:
    writer = Writer()
    writer.add("a")
    assert writer.chunks == ["a"]
    await asyncio.sleep(QUIET_SECONDS * 3)
    writer.add("b")
    assert writer.chunks == ["a", "b"]


async def test_the_rest_of_a_burst_is_written_together() -> None:
    writer = Writer()
    for letter in "abcdef":
        writer.add(letter)
    assert writer.chunks == ["a"]
    await asyncio.sleep(0)
    assert writer.chunks == ["a", "bcdef"]


async def test_bursts_in_a_row_lose_nothing() -> None:
    writer = Writer()
    for letter in "abcdef":
        writer.add(letter)
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert "".join(writer.chunks) == "abcdef"
