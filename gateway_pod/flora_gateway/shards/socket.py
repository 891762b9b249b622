"""discord.py's gateway connection without its object layer.

discord.py dials, identifies, resumes and limits what is sent; events are taken as the bytes that came out
of the decompressor. Its own way (parse, build objects, dispatch) costs five times as much, keeps a cache
that nobody here reads, and ends the connection when one payload is not as it expects.

The names with an underscore are discord.py's private ones: the version is pinned, and ``self_test`` names
what a new release changed. discord.py is typed for users of its object layer, hence the ignores.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from typing import Any, Final, Protocol

import aiohttp
import discord
import discord.gateway
import discord.http
import discord.utils
import msgspec
import yarl
from discord.gateway import DiscordWebSocket, ReconnectWebSocket

from flora_core.errors import FloraError
from flora_core.telemetry import logger
from flora_core.wire import UNREADABLE

_log = logger(__name__)

_FLUSHED: Final = b"\x00\x00\xff\xff"
FRAME_LIMIT: Final = 32 << 20
"""Bytes of one decompressed frame. A large guild's GUILD_CREATE has some megabytes."""

ZOMBIE_PART: Final = 0.9
"""Part of the heartbeat interval after which a missing acknowledgement means a dead connection."""


class GatewayGarbage(FloraError):
    """Discord's side sent something that is no gateway frame."""


class Frame(msgspec.Struct):
    """The envelope of every gateway frame (Discord: events/gateway-events, "Payload Structure")."""

    op: int
    d: msgspec.Raw = msgspec.Raw(b"null")
    s: int | None = None
    t: str | None = None


class _Hello(msgspec.Struct):
    heartbeat_interval: float


class _Ready(msgspec.Struct):
    session_id: str
    resume_gateway_url: str


_decode = msgspec.json.Decoder(Frame).decode


class Sink(Protocol):
    """Takes every dispatched event, in order."""

    def on_dispatch(self, type_: str, sequence: int, data: msgspec.Raw) -> None: ...


class ZlibStream:
    """Transport compression ``zlib-stream``: one context for the life of a connection.

    Stands in for discord.py's choice, which depends on what happens to be installed: a RESUME must use the
    same compression as the connection that it continues.
    """

    COMPRESSION_TYPE = "zlib-stream"

    def __init__(self) -> None:
        self._context = zlib.decompressobj()
        self._buffer = b""

    def decompress(self, data: bytes) -> bytes | None:
        """The frame that ``data`` completes; None in the middle of one. Raises GatewayGarbage."""
        if data[-4:] != _FLUSHED:
            self._buffer += data
            if len(self._buffer) > FRAME_LIMIT:
                raise GatewayGarbage("a compressed frame without end")
            return None
        if self._buffer:
            data, self._buffer = self._buffer + data, b""
        try:
            frame = self._context.decompress(data, FRAME_LIMIT)
        except zlib.error as error:
            raise GatewayGarbage(f"compressed stream: {error}") from None
        if self._context.unconsumed_tail:
            raise GatewayGarbage(f"a frame over {FRAME_LIMIT >> 20} MiB")
        return frame


class Heartbeat:
    """Beats for one connection, as a task; discord.py has a thread a shard.

    Closes the connection, resumably, when a beat was not acknowledged: any other traffic does not count.
    """

    def __init__(self, socket: RawSocket, interval: float) -> None:
        self._socket = socket
        self._interval = interval
        self._acknowledged = True
        self._task = asyncio.create_task(self._beat())

    def acknowledge(self) -> None:
        self._acknowledged = True

    def stop(self) -> None:
        self._task.cancel()

    async def _beat(self) -> None:
        await asyncio.sleep(self._interval * random.random())  # noqa: S311  Discord asks for jitter
        while True:
            self._acknowledged = False
            try:
                await self._socket.beat()
            except (OSError, RuntimeError, aiohttp.ClientError):
                return  # the reader sees it too, and dials again
            await asyncio.sleep(self._interval * ZOMBIE_PART)
            if not self._acknowledged:
                _log.warning("heartbeat_not_acknowledged", shard=self._socket.shard_id)
                await self._socket.close(code=4000)
                return
            await asyncio.sleep(self._interval * (1 - ZOMBIE_PART))


class RawSocket(DiscordWebSocket):
    """One connection; made by ``from_client``, read with ``poll_event`` until it raises."""

    sink: Sink | None = None
    _heart: Heartbeat | None = None

    async def beat(self) -> None:
        """Send a heartbeat."""
        await self.send_heartbeat({"op": self.HEARTBEAT, "d": self.sequence})

    async def poll_event(self) -> None:
        """Read one message.

        Raises ReconnectWebSocket when the connection should be dialled again, ConnectionClosed when Discord
        will not have us, GatewayGarbage for what is no frame.
        """
        if self._heart is None:  # HELLO must come within discord.py's own limit
            message = await self.socket.receive(timeout=self._max_heartbeat_timeout)
        else:  # no timer a message: the heartbeat finds dead connections
            message = await self.socket.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            frame: bytes | None = self._decompressor.decompress(message.data)  # pyright: ignore[reportAssignmentType]
            if frame is not None:
                await self._take(frame)
        elif message.type is aiohttp.WSMsgType.TEXT:
            await self._take(message.data.encode())
        else:
            self.stop()
            await self.socket.close(code=4000)
            if self._can_handle_close():
                raise ReconnectWebSocket(self.shard_id)
            code = self._close_code or self.socket.close_code
            raise discord.ConnectionClosed(self.socket, shard_id=self.shard_id, code=code)

    def stop(self) -> None:
        """Stop beating; before the socket is closed or given up."""
        if self._heart is not None:
            self._heart.stop()
            self._heart = None

    async def _take(self, raw: bytes) -> None:
        try:
            frame = _decode(raw)
        except UNREADABLE as error:
            raise GatewayGarbage(f"{error} in {raw[:80]!r}") from None
        if frame.op == self.DISPATCH:
            self._dispatched(frame)
        else:
            await self._control(frame)

    def _dispatched(self, frame: Frame) -> None:
        if frame.t is None or frame.s is None:
            raise GatewayGarbage("a dispatch without type or sequence")
        self.sequence = frame.s
        if frame.t == "READY":
            ready = _read(frame.d, _Ready)
            self.session_id = ready.session_id
            self.gateway = yarl.URL(ready.resume_gateway_url)
        if self.sink is not None:
            self.sink.on_dispatch(frame.t, frame.s, frame.d)

    async def _control(self, frame: Frame) -> None:
        if frame.op == self.HEARTBEAT_ACK:
            if self._heart is not None:
                self._heart.acknowledge()
        elif frame.op == self.HEARTBEAT:
            await self.beat()
        elif frame.op == self.HELLO:
            self._heart = Heartbeat(self, _read(frame.d, _Hello).heartbeat_interval / 1000)
        elif frame.op == self.RECONNECT:
            self.stop()
            await self.close(code=4000)
            raise ReconnectWebSocket(self.shard_id)
        elif frame.op == self.INVALIDATE_SESSION:
            self.stop()
            resume = bytes(frame.d) == b"true"
            await self.close(code=4000 if resume else 1000)
            raise ReconnectWebSocket(self.shard_id, resume=resume)
        else:
            _log.warning("unknown_gateway_op", op=frame.op)


def _read(data: msgspec.Raw, into: type[Any]) -> Any:
    try:
        return msgspec.json.decode(data, type=into)
    except msgspec.DecodeError as error:
        raise GatewayGarbage(f"{into.__name__}: {error}") from None


def point_at(api_url: str) -> None:
    """Make discord.py speak to ``api_url``, with zlib-stream; holds for the whole process."""
    discord.http.Route.BASE = api_url
    discord.utils._ActiveDecompressionContext = ZlibStream  # pyright: ignore  # noqa: PGH003, SLF001


def self_test() -> None:
    """Raises FloraError naming what of discord.py's private parts is not where it was in 2.7.1."""
    for owner, name in (
        (discord.utils, "_ActiveDecompressionContext"),
        (DiscordWebSocket, "from_client"),
        (DiscordWebSocket, "_can_handle_close"),
        (discord.http.Route, "BASE"),
    ):
        if not hasattr(owner, name):
            found = f"discord.py {discord.__version__} has no {owner.__name__}.{name}"
            raise FloraError(f"{found}; install 2.7.1")
