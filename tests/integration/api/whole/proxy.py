"""What may stand between people and the API: a proxy that cuts connections which say nothing, or answers itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Proxy:
    """Passes bytes on to the API at ``url``."""

    def __init__(self, url: str, *, idle_seconds: float = 60.0) -> None:
        self._to = urlsplit(url)
        self.idle_seconds = idle_seconds
        """Of an answer that has begun."""
        self.answer = b""
        """Given to every request instead of the API's."""
        self.cuts = 0
        self.url = ""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.answer:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(self.answer)
                await writer.drain()
                return
            up_reader, up_writer = await asyncio.open_connection(self._to.hostname, self._to.port)
            sending = asyncio.create_task(self._pass_on(reader, up_writer, idle=None))
            try:
                await self._pass_on(up_reader, writer, idle=self.idle_seconds)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                up_writer.close()
        except (OSError, asyncio.IncompleteReadError):
            pass  # one of them left
        finally:
            writer.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, idle: float | None
    ) -> None:
        began = False
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(idle if began else None):
                    data = await reader.read(1 << 16)
                if not data:
                    return
                began = True
                writer.write(data)
                await writer.drain()
        self.cuts += 1


def canned(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An answer as it goes over the wire."""
    given = {"Content-Length": str(len(body)), "Connection": "close", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + body
