"""A Discord that costs much less than whoever speaks to it: ``python -m bench.stub_discord``.

The parts of Discord that shape what a client must do are there: transport compression with one context,
sequence numbers, RESUME with replay, nonces, rate limit headers, and the bot's own messages coming back as
events. Everything that is written in one pass of the loop leaves in one system call.

``POST /_ctl/…`` drives it (``stub_client`` is the other side): messages as fast as they are answered
(``flood``), at a steady rate (``pace``), or as fast as the socket takes them (``blast``).
"""

from __future__ import annotations

import asyncio
import signal
from typing import Final

import httptools
import msgspec

from bench import payloads
from bench.stub_state import Bot, Discord, Order, Session
from bench.stub_wire import CLOSE, LIMITS, PING, PONG, Frames, Incoming, ZlibStream, frame, response, upgraded
from flora_core.process import announce, outlive_no_parent
from flora_core.throughput import freeze_startup_objects

API: Final = b"/api/v10"
HEARTBEAT_MILLISECONDS: Final = 41_250


class Connection(asyncio.Protocol):
    """One client's connection: HTTP, or the gateway's WebSocket once it was upgraded."""

    def __init__(self, discord: Discord) -> None:
        self._discord = discord
        self._loop = asyncio.get_running_loop()
        self._frames: Frames | None = None
        self._zlib = ZlibStream()
        self._session: Session | None = None
        self._out: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._close_code = 0

    # ---------------------------------------------------------------- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        if self._frames is not None:
            self._take_frames(self._frames.feed(data))
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        session = self._session
        if session is not None and session.connection is self:
            session.connection = None
            if self._close_code in (1000, 1001):  # as Discord: a clean end is the session's end
                self._discord.sessions.pop(session.id, None)

    # ---------------------------------------------------------------- writing

    def write(self, data: bytes) -> None:
        """Queue; everything queued in one pass of the loop leaves at once."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(data)

    def compressed(self, text: bytes) -> bytes:
        """``text`` as a frame of this connection; frames must be written in the order they were made."""
        return self._zlib.frame(text)

    def send_event(self, text: bytes) -> None:
        self.write(self._zlib.frame(text))

    @property
    def unwritten(self) -> int:
        return len(self._out) + self._transport.get_write_buffer_size()

    def _flush(self) -> None:
        data, self._out = b"".join(self._out), []
        if not self._transport.is_closing():
            self._transport.write(data)

    # ---------------------------------------------------------------- HTTP (httptools calls these)

    def on_message_begin(self) -> None:
        self._url = b""
        self._body = b""
        self._token = self._key = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if lower == b"authorization":
            self._token = value.removeprefix(b"Bot ")
        elif lower == b"sec-websocket-key":
            self._key = value

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._key:
            return
        path = self._url.partition(b"?")[0]
        if path.startswith(b"/_ctl/"):
            task = self._loop.create_task(self._control(path[6:].decode(), self._body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        bot = self._discord.bots.get(self._token)
        if bot is None:
            self.write(response(b"401 Unauthorized", b'{"message":"401: Unauthorized","code":0}'))
            return
        self.write(self._rest(bot, self._parser.get_method(), path.removeprefix(API).split(b"/")[1:]))

    def _rest(self, bot: Bot, method: bytes, path: list[bytes]) -> bytes:
        match method, path:
            case b"POST", [b"channels", channel, b"messages"]:
                body = self._discord.create_message(bot, channel, self._body)
            case b"GET", [b"channels", channel]:
                guild = payloads.guild_of_channel(channel.decode())
                body = msgspec.json.encode({"id": channel.decode(), "type": 0, "guild_id": guild})
            case b"GET", [b"users", b"@me"]:
                body = msgspec.json.encode(bot.user)
            case b"GET", [b"oauth2", b"applications", b"@me"] | [b"applications", b"@me"]:
                body = msgspec.json.encode(bot.application)
            case b"GET", [b"gateway", b"bot"] | [b"gateway"]:
                limit = {"total": 1000, "remaining": 999, "reset_after": 1, "max_concurrency": 1}
                url = f"ws://{self._discord.address}"
                body = msgspec.json.encode({"url": url, "shards": 1, "session_start_limit": limit})
            case b"GET", [b"applications", *_, b"commands"]:
                body = b"[]"
            case b"PUT", [b"applications", *_, b"commands"]:
                body = self._body
            case _:
                return response(b"404 Not Found", b'{"message":"404: Not Found","code":0}')
        return response(b"200 OK", body, limits=LIMITS)

    async def _control(self, command: str, body: bytes) -> None:
        order = msgspec.json.decode(body or b"{}", type=Order)
        discord = self._discord
        match command:
            case "flood":
                answer = await discord.flood(order)
            case "pace":
                answer = await discord.pace(order)
            case "blast":
                answer = await discord.blast(order)
            case _:
                answer = discord.stats(order)
        self.write(response(b"200 OK", msgspec.json.encode(answer)))

    # ---------------------------------------------------------------- gateway

    def _upgrade(self, rest: bytes) -> None:
        self._frames = Frames()
        self.write(upgraded(self._key))
        self.send_event(b'{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":%d}}' % HEARTBEAT_MILLISECONDS)
        if rest:
            self._take_frames(self._frames.feed(rest))

    def _take_frames(self, frames: list[Incoming]) -> None:
        for opcode, payload in frames:
            if opcode == CLOSE:
                self._close_code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
                self.write(frame(CLOSE, payload[:2]))
                self._loop.call_soon(self._transport.close)
            elif opcode == PING:
                self.write(frame(PONG, payload))
            else:
                self._take(payload)

    def _take(self, payload: bytes) -> None:
        message = msgspec.json.decode(payload)
        op, data = message["op"], message.get("d")
        if op == 1:
            self.send_event(b'{"t":null,"s":null,"op":11,"d":null}')
        elif op == 2:
            bot = self._discord.bots.get(data["token"].encode())
            if bot is None:
                self.write(frame(CLOSE, (4004).to_bytes(2, "big")))
                return
            self._session = self._discord.identify(bot, self, data.get("shard", [0, 1]))
        elif op == 6:
            session = self._discord.sessions.get(data["session_id"])
            if session is None or data["seq"] > session.sequence:
                self.send_event(b'{"t":null,"s":null,"op":9,"d":false}')
                return
            self._session = session
            self._discord.resume(session, self, data["seq"])


async def main() -> None:
    """Serve until SIGTERM, or until whoever started us is gone."""
    discord = Discord()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(discord), "127.0.0.1", 0)
    discord.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    parent = asyncio.create_task(outlive_no_parent())
    freeze_startup_objects()
    announce("stub", f"http://{discord.address}")
    await stop.wait()
    parent.cancel()
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
