"""The ways to talk to a simulated Discord in its tests: as a bot, over REST, as raw frames."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple, Self

import aiohttp
import discord
import msgspec

from flora_simulator import (
    ChannelSpec,
    GuildSpec,
    MemberSpec,
    RoleSpec,
    Simulator,
    WorldSpec,
)

PATIENCE = 5.0
ALL_INTENTS = discord.Intents.all().value

WORLD = WorldSpec(
    guilds=(
        GuildSpec(
            name="garden",
            id="1001",
            owner="ada",
            channels=(ChannelSpec("general", id="2001"), ChannelSpec("random", id="2002")),
            roles=(RoleSpec("mods", id="3001", permissions=str(1 << 13)),),
            members=(MemberSpec("ada", id="4001"), MemberSpec("bob", id="4002", roles=("mods",))),
        ),
    )
)
GUILD, GENERAL, RANDOM, MODS, ADA, BOB = "1001", "2001", "2002", "3001", "4001", "4002"

Start = Callable[..., Awaitable[Simulator]]


class Answer(NamedTuple):
    status: int
    body: Any
    headers: Any


class Api:
    """REST as a bot: ``status, body, headers = await api("POST", "/channels/…", content="hi")``."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self.base = simulator.api_url
        self.token: str | None = simulator.token
        self._session = session

    async def __call__(
        self, method: str, path: str, json: Any = None, *, raw: Any = None, **body: Any
    ) -> Answer:
        headers = {"Authorization": f"Bot {self.token}"} if self.token is not None else {}
        data = raw
        if raw is None and (json is not None or body):
            data = msgspec.json.encode(json if json is not None else body)
            headers["Content-Type"] = "application/json"
        async with self._session.request(method, self.base + path, data=data, headers=headers) as response:
            content = await response.read()
            is_json = response.headers.get("Content-Type") == "application/json"
            return Answer(
                response.status, msgspec.json.decode(content) if is_json else content, response.headers
            )


class Socket:
    """A gateway connection without a library: sends objects, reads objects."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self._inflate = zlib.decompressobj()
        self.sequence = 0
        self.session = ""
        self.resume_url = ""

    async def send(self, op: int, data: Any = None) -> None:
        await self.ws.send_str(msgspec.json.encode({"op": op, "d": data}).decode())

    async def read(self) -> dict[str, Any]:
        """The next payload; fails when the connection is closed or silent."""
        message = await self.ws.receive(timeout=PATIENCE)
        if message.type is aiohttp.WSMsgType.BINARY:
            assert message.data.endswith(b"\x00\x00\xff\xff")
            payload = msgspec.json.decode(self._inflate.decompress(message.data))
        else:
            assert message.type is aiohttp.WSMsgType.TEXT, f"{message} {self.ws.close_code}"
            payload = msgspec.json.decode(message.data)
        self.sequence = payload["s"] or self.sequence
        return payload

    async def until(self, event: str) -> dict[str, Any]:
        """The ``d`` of the next ``event``, past all others."""
        while (payload := await self.read())["t"] != event:
            pass
        return payload["d"]

    async def op(self, op: int) -> Any:
        """The ``d`` of the next payload, which must be ``op``."""
        payload = await self.read()
        assert payload["op"] == op, payload
        return payload["d"]

    async def identify(self, token: str, intents: int = ALL_INTENTS, **extra: Any) -> dict[str, Any]:
        await self.send(2, {"token": token, "intents": intents, "properties": {}, **extra})
        ready = await self.until("READY")
        self.session, self.resume_url = ready["session_id"], ready["resume_gateway_url"]
        return ready

    async def closed(self) -> int | None:
        """Read to the end: the close code."""
        while (await self.ws.receive(timeout=PATIENCE)).type in {
            aiohttp.WSMsgType.TEXT,
            aiohttp.WSMsgType.BINARY,
        }:
            pass
        return self.ws.close_code


class Dialler:
    """Opens gateway connections and closes them after the test."""

    def __init__(self, session: aiohttp.ClientSession, stack: AsyncExitStack) -> None:
        self._session = session
        self._stack = stack

    async def __call__(self, url: str, **query: str) -> Socket:
        """A connection that had its HELLO."""
        socket = await self.dial(url, **query)
        await socket.op(10)
        return socket

    async def dial(self, url: str, **query: str) -> Socket:
        ws = await self._session.ws_connect(url, params={"v": "10", "encoding": "json", **query})
        self._stack.push_async_callback(ws.close)
        return Socket(ws)


class Bot(discord.Client):
    """discord.py as it comes, but for the five seconds it waits before it identifies again."""

    def __init__(self, **options: Any) -> None:
        super().__init__(intents=discord.Intents.all(), guild_ready_timeout=0.05, **options)
        self.tree = discord.app_commands.CommandTree(self)
        self.ready = asyncio.Event()
        self.resumed = asyncio.Event()
        self.seen: list[str] = []

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        pass

    async def on_ready(self) -> None:
        self.ready.set()

    async def on_resumed(self) -> None:
        self.resumed.set()

    async def on_message(self, message: discord.Message) -> None:
        self.seen.append(message.content)


class RunningBots:
    """Starts bots against a simulator, and stops them."""

    def __init__(self) -> None:
        self._running: list[tuple[discord.Client, asyncio.Task[None]]] = []

    async def __call__(self, bot: Bot, token: str) -> None:
        """Until READY."""
        task = asyncio.create_task(bot.start(token))
        self._running.append((bot, task))
        await asyncio.wait_for(bot.ready.wait(), PATIENCE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for bot, task in self._running:
            await bot.close()
            await asyncio.wait([task], timeout=PATIENCE)
