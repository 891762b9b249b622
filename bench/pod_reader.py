"""A runtime pod that takes events and does nothing with them: what the gateway benchmark writes to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp

from bench import payloads
from bench.flora import POD
from flora_core.errors import WireError
from flora_core.streams import StreamWriter, Token, make_session, read_stream
from flora_core.wire.gateway import BEAT_SECONDS, Ack, Beat, Subscribe, upstream

ACK_SECONDS: Final = 0.1
_EVENT: Final = b'{"k":"event"'
_OFFSET: Final = re.compile(rb'"o":(\d+)')


class PodReader:
    """Counts events, and acknowledges as the supervisor does: ten times a second."""

    def __init__(self) -> None:
        self.events = 0
        self.wanted = 0
        self.enough = asyncio.Event()
        self.offset = 0
        self._writer = StreamWriter()

    def expect(self, events: int) -> None:
        """From now on, ``enough`` is set after so many."""
        self.events, self.wanted = 0, events
        self.enough.clear()

    async def read(self, session: aiohttp.ClientSession, url: str, token: Token) -> None:
        lines = read_stream(session, f"{url}/v1/pods/{POD}/events", token=token, on_error=_never)
        async for batch in lines:
            found = _OFFSET.search(batch[-1])
            if found is not None:
                self.offset = int(found[1])
            self.events += sum(line.startswith(_EVENT) for line in batch)
            if self.events >= self.wanted:
                self.enough.set()

    async def write(self, session: aiohttp.ClientSession, url: str, token: Token) -> None:
        for index in range(payloads.GUILDS):
            self._writer.write(upstream.encode(Subscribe(payloads.guild_id(index), ["messageCreate"])))
        await self._writer.run(session, f"{url}/v1/pods/{POD}/ops", token=token)

    async def acknowledge(self) -> None:
        told, next_beat, loop = 0, 0.0, asyncio.get_running_loop()
        while True:
            await asyncio.sleep(ACK_SECONDS)
            if self.offset > told:
                told = self.offset
                self._writer.write(upstream.encode(Ack(told)))
            if loop.time() >= next_beat:
                next_beat = loop.time() + BEAT_SECONDS
                self._writer.write(upstream.encode(Beat(0, 0)))


def _never(error: WireError) -> None:
    raise error


@asynccontextmanager
async def pod_reader(url: str, token: str) -> AsyncIterator[PodReader]:
    """A connected reader."""
    reader, bearer = PodReader(), Token(token)
    async with make_session() as session, asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(reader.read(session, url, bearer)),
            tasks.create_task(reader.write(session, url, bearer)),
            tasks.create_task(reader.acknowledge()),
        ]
        try:
            yield reader
        finally:
            for task in running:
                task.cancel()
