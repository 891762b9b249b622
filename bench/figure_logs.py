"""`log-…`: from a pod to those who follow: how long a line takes, how many may follow, what it costs the API.

``flora-api`` is a process of its own, and so is the command that follows in ``log-console``, where a real pod
runs the script; the pod of the other rows and all who follow there share this process, so what is measured of
the time is more than the API's part.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from bench import payloads
from bench.api_world import admit, api, neighbours, postgres, redis
from bench.flora import POD
from bench.machine import Meter, median, percentile, resident_bytes
from bench.pod_alone import pod_alone
from bench.processes import Child, running, start
from bench.rows import Row
from flora_core.ids import GuildId
from flora_core.streams import Token, make_session
from flora_core.toolchain import Project, Toolchain
from flora_core.wire.control import LogLine
from flora_runtime.supervisor.logs import Logs

GUILD: Final = GuildId(payloads.guild_id(0))
FOLLOWERS: Final = 200
LINES_A_SECOND: Final = 1000
SECONDS: Final = 10
LONE_LINES: Final = 100

LINE_BAR: Final = 50.0
CONSOLE_BAR: Final = 150.0
FOLLOWED_BAR: Final = 500.0
GROWTH_BAR: Final = 20.0
"""MB: the room's 4 MiB, and what the allocator keeps of buffers."""
POD_TOKEN: Final = "the-token-of-the-pod"

_SENT: Final = re.compile(rb'"message":"sent ([0-9.]+) ')
_SCRIPT: Final = """\
on("messageCreate", async (ctx) => {
  console.log(`sent ${Date.now() / 1000} ${"x".repeat(80)}`);
  await ctx.reply("pong");
});
"""


@dataclass(slots=True, frozen=True)
class Served:
    """The API's process, and a token that opens the guild's log."""

    api: Child
    token: str


class Follower:
    """Counts what comes; looks at it only when it is asked to."""

    def __init__(self, served: Served, *, looks: bool) -> None:
        self._served = served
        self._looks = looks
        self.lines = 0
        self.missed = False
        self.delays: list[float] = []

    async def run(self) -> None:
        port = urlsplit(self._served.api.url).port
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        asks = f"GET /api/logs/{GUILD}/stream HTTP/1.1\r\nHost: bench\r\n"
        writer.write(f"{asks}Authorization: Bearer {self._served.token}\r\n\r\n".encode())
        while data := await reader.read(1 << 18):
            now = time.time()
            self.lines += data.count(b"\ndata: ")
            self.missed = self.missed or b"event: missed" in data
            if self._looks:
                self.delays += [(now - float(sent)) * 1000 for sent in _SENT.findall(data)]


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Served]:
    """The API, with limits that let two hundred of one person's follow at once."""
    async with (
        postgres() as database,
        redis(folder) as cache,
        neighbours(1) as around,
        api(
            folder,
            database=database,
            redis=cache,
            around=around,
            core=None,
            API_ACCEPT_TOKENS=f"{POD_TOKEN}=runtime/{POD}",
            API_RATE_CALLER="100000",
            API_RATE_ADDRESS="100000",
        ) as running_api,
    ):
        yield Served(running_api.child, await admit(database))


@asynccontextmanager
async def logging(served: Served) -> AsyncIterator[Logs]:
    """A pod's way out."""
    logs = Logs(served.api.internal, POD, token=Token(POD_TOKEN))
    async with make_session() as session:
        sending = asyncio.create_task(logs.run(session))
        try:
            yield logs
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def until(ready: Callable[[], object], *, seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not ready():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def following(served: Served, count: int, logs: Logs) -> AsyncIterator[list[Follower]]:
    """``count`` followers; the first one looks at what comes."""
    everybody = [Follower(served, looks=number == 0) for number in range(count)]
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
    """All rows."""
    async with serving(folder) as served:
        async with logging(served) as logs:
            yield await _lone_lines(served, logs)
            async for row in _followed(served, logs):
                yield row
        yield await _console(served, folder)


async def _lone_lines(served: Served, logs: Logs) -> Row:
    async with following(served, 1, logs) as [one]:
        for number in range(1, LONE_LINES + 1):
            logs.log(sent())
            await until(lambda number=number: one.lines >= number)
            await asyncio.sleep(0.06)  # past the pauses between batches and pieces
    note = f"p50 of {LONE_LINES} lines one by one, from the pod's supervisor to a follower's socket"
    return _row("log-line", one.delays, bar=LINE_BAR, target="", ok=True, note=note)


async def _followed(served: Served, logs: Logs) -> AsyncGenerator[Row]:
    async with following(served, FOLLOWERS, logs) as everybody:
        await _flood(logs, 2)  # what a log of that size needs anyway
        await asyncio.sleep(1.0)
        for one in everybody:
            one.lines, one.missed, one.delays = 0, False, []
        before, meter = resident_bytes(served.api.pid), Meter([served.api.pid])
        total = await _flood(logs, SECONDS)
        await until(lambda: all(one.lines >= total or one.missed for one in everybody), seconds=60)
        grown = (resident_bytes(served.api.pid) - before) / 1e6
        busy = meter.cpu / meter.wall
    missed = sum(one.missed for one in everybody)
    note = (
        f"{FOLLOWERS} followers of a guild that logs {LINES_A_SECOND:,} lines/s; {missed} missed lines; "
        f"the API took {busy:.0%} of a core"
    )
    target = f"<= {FOLLOWED_BAR:g} ms, nobody misses a line"
    yield _row(
        "log-followers", everybody[0].delays, bar=FOLLOWED_BAR, target=target, ok=not missed, note=note
    )
    yield Row(
        name="log-followers-memory",
        value=grown,
        unit="MB",
        target=f"<= {GROWTH_BAR:g} MB",
        ok=grown <= GROWTH_BAR,
        note=f"what the API's memory grew by in {SECONDS} s of that; it has {before / 1e6 + grown:.0f} MB",
    )


async def _flood(logs: Logs, seconds: int) -> int:
    """How many lines that were."""
    began = time.monotonic()
    for tick in range(1, seconds * 50 + 1):
        for _ in range(LINES_A_SECOND // 50):
            logs.log(sent())
        await asyncio.sleep(max(0.0, began + tick / 50 - time.monotonic()))
    return LINES_A_SECOND * seconds


async def _console(served: Served, folder: Path) -> Row:
    """From a script's ``console.log`` to the line that ``flora logs -f`` prints."""
    settings = {"RUNTIME_API_URL": served.api.internal, "RUNTIME_TOKEN": POD_TOKEN}
    async with Toolchain() as toolchain:
        bundle = (await toolchain.bundle(Project({"src/main.ts": _SCRIPT}, "src/main.ts"))).bundle
    async with pod_alone(folder, workers=1, settings=settings, runtime_token=POD_TOKEN) as pod:
        await pod.place(1, seconds=30, bundle=bundle)
        async with running(await _cli(served, folder)) as cli:
            await _until_it_follows(pod.ask, cli)
            delays: list[float] = []
            for _ in range(LONE_LINES):
                await pod.ask(0)
                delays.append(_age(await cli.line(seconds=30)))
                await asyncio.sleep(0.13)  # a guild may log 100 lines in 10 s
    note = f"p50 of {LONE_LINES} lines one by one, from console.log to what `flora logs -f --json` prints"
    return _row("log-console", delays, bar=CONSOLE_BAR, target="", ok=True, note=note)


async def _cli(served: Served, folder: Path) -> Child:
    return await start(
        "cli",
        [str(Path(sys.executable).with_name("flora")), "logs", "-f", "-n", "0", "--json", "--guild", GUILD],
        core=None,
        logs=folder,
        environment={
            "FLORA_API_URL": served.api.url,
            "FLORA_TOKEN": served.token,
            "PYTHONUNBUFFERED": "1",
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
        },
        announces=False,
    )


async def _until_it_follows(ask: Callable[[int], object], cli: Child) -> None:
    """Lines until one is seen, and no more of those that were logged meanwhile."""
    line = asyncio.create_task(cli.line(seconds=60))
    while not line.done():
        await ask(0)  # type: ignore[misc]
        await asyncio.wait({line}, timeout=0.5)
    line.result()
    with contextlib.suppress(Exception):
        while True:
            await cli.line(seconds=2)


def _age(line: bytes) -> float:
    """Milliseconds since it was logged."""
    now = time.time()
    message: str = msgspec.json.decode(line)["message"]
    return (now - float(message.split()[1])) * 1000


def _row(name: str, delays: list[float], *, bar: float, target: str, ok: bool, note: str) -> Row:
    p50 = median(delays)
    return Row(
        name=name,
        value=p50,
        unit="ms",
        target=target or f"<= {bar:g} ms",
        ok=ok and p50 <= bar,
        note=f"{note}; p99 {percentile(delays, 0.99):.0f} ms",
    )
