"""Things that happen in the middle of others: a fetch, a turn, a load, a dial."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from msgspec import Raw

from flora_core.streams import StreamWriter, Token, make_session
from flora_core.wire import pipe
from flora_core.wire.gateway import Hello, OpError
from flora_core.wire.pipe import Kind, Pong
from flora_runtime.supervisor import upstream as upstreams
from flora_runtime.supervisor.link import GatewayLink
from flora_runtime.supervisor.upstream import Upstream
from tests.integration.path.path_under_test import POD, PathUnderTest, guild_on_worker
from tests.integration.runtime.worker_under_test import WorkerUnderTest

ECHO = "on('messageCreate', async (ctx) => { await ctx.reply('echo ' + ctx.msg.content); });"
NEVER_LOADED = "await new Promise(() => {})"


class HeldFetches:
    """Bundles are not served until ``gate`` is set."""

    def __init__(self, path: PathUnderTest) -> None:
        self.asked, self.gate = asyncio.Event(), asyncio.Event()
        self._serve = path.operator.bundle
        path.operator.bundle = self._bundle  # pyright: ignore[reportAttributeAccessIssue]

    async def _bundle(self, sha256: Any) -> bytes | None:
        self.asked.set()
        await self.gate.wait()
        return await self._serve(sha256)


def workers(path: PathUnderTest) -> list[Any]:
    assert path.pod is not None
    return path.pod._workers


# -------------------------------------------------------------------- while a bundle is fetched


async def test_an_assignment_during_a_fetch_brings_its_own_code(path: PathUnderTest) -> None:
    held = HeldFetches(path)
    path.operator.deploy("1", "on('messageCreate', async (ctx) => { await ctx.reply('old'); });")
    await held.asked.wait()
    deploying = asyncio.create_task(
        path.deploy("1", "on('messageCreate', async (ctx) => { await ctx.reply('new'); });")
    )
    await path.wait(lambda: path.pod is not None and path.pod._guilds["1"].assignment.revision == 2)
    held.gate.set()
    await deploying
    path.message("x")
    assert await path.wait_contents(1) == ["new"]


async def test_a_guild_released_during_a_fetch_is_not_deployed(path: PathUnderTest) -> None:
    held = HeldFetches(path)
    gone, stays = guild_on_worker(0), guild_on_worker(0, start=100)
    path.operator.deploy(gone, "setInterval(() => console.log('zombie'), 20);")
    await held.asked.wait()
    path.operator.state.release(gone)
    await path.wait(lambda: path.pod is not None and gone not in path.pod._guilds)
    held.gate.set()
    await path.deploy(stays, ECHO)
    await path.wait(lambda: workers(path)[0].isolates == 1)
    assert path.operator.logs == []


async def test_a_worker_that_dies_during_a_fetch_gets_the_guild_later(path: PathUnderTest) -> None:
    held = HeldFetches(path)
    guild = guild_on_worker(0)
    path.operator.deploy(guild, ECHO)
    await held.asked.wait()
    pid = workers(path)[0].pid
    os.kill(pid, signal.SIGKILL)
    await path.wait(lambda: workers(path)[0].pid not in (pid, None))
    held.gate.set()
    path.message("x", guild=guild)
    assert await path.wait_contents(1) == ["echo x"]


async def test_guilds_released_while_loading_leave_room_for_others(path: PathUnderTest) -> None:
    loading = [guild_on_worker(0, start=start) for start in (1, 100)]
    for guild in loading:
        path.operator.deploy(guild, NEVER_LOADED)
    await path.wait(lambda: len(workers(path)[0]._deploys._under_way) == 2)
    for guild in loading:
        path.operator.state.release(guild)
    await path.deploy(guild_on_worker(0, start=200), ECHO)


# -------------------------------------------------------------------- while a turn runs


async def test_an_unload_during_a_turn_ends_quietly() -> None:
    async with running_worker() as worker:
        await worker.deploy(
            "on('messageCreate', () => { const end = Date.now() + 60; while (Date.now() < end); });"
        )
        worker.event()
        await worker.wait(lambda: worker.process.recorder.read(0).running)
        worker.process.send(Kind.UNLOAD, guild="1")
        await worker.deploy(ECHO, guild="2")
        worker.event(guild="2")
        await worker.wait_ops(1, "2")
        assert worker.gone is None
        assert worker.logs() == []


async def test_of_deploys_in_a_row_the_last_one_runs_and_the_others_are_not_told_of() -> None:
    async with running_worker() as worker:
        for revision in range(1, 7):
            worker.start_deploy(f"console.log('revision {revision}');", revision=revision)
        await worker.wait_log("revision 6")
        await worker.wait(lambda: worker.of(Kind.LOADED))
        await asyncio.sleep(0.05)
        assert worker.gone is None
        assert worker.of(Kind.FAILED) == []


async def test_a_replaced_script_is_not_kept_by_its_timers() -> None:
    async with running_worker() as worker:
        await worker.deploy(
            "setInterval(() => { const end = Date.now() + 20; while (Date.now() < end); console.log('old'); }, 1);"
        )
        await worker.wait_log("old")
        await worker.deploy("console.log('new');", revision=2)

        def only_one() -> bool:
            worker.process.send(Kind.PING)
            pongs = worker.of(Kind.PONG)
            return bool(pongs) and pipe.decode(pongs[-1], Pong).isolates == 1

        await worker.wait(only_one)


class running_worker:  # noqa: N801  a context manager
    """A worker process."""

    async def __aenter__(self) -> WorkerUnderTest:
        self._worker = WorkerUnderTest()
        await self._worker.start()
        return self._worker

    async def __aexit__(self, *_: object) -> None:
        await self._worker.stop()


# -------------------------------------------------------------------- between pod and gateway


class Lines:
    """Takes what an upstream writes."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, line: bytes) -> None:
        self.written.append(line)

    def discard(self) -> None:
        self.written.clear()


def test_an_op_with_the_same_id_takes_the_place_of_the_one_before() -> None:
    lines, refused = Lines(), list[int]()
    upstream = Upstream(lines, lambda _guild, op, _error: refused.append(op))
    upstream.connected(Hello("a", 1, 0))
    for commands in (b'"one"', b'"two"'):
        upstream.call("1", 0, "upsertGuildCommands", Raw(commands), now=0.0)
    assert upstream.answered("1", 0)
    assert not upstream.answered("1", 0)
    upstream.expire(1000.0)
    assert (len(upstream), refused) == (0, [])


def test_what_waits_is_bounded_in_bytes_for_a_guild_and_for_all() -> None:
    refused: list[tuple[str, str]] = []

    def refuse(guild: str, _op: int, error: OpError) -> None:
        refused.append((guild, error.code))

    writer = StreamWriterWithoutLoop()
    upstream = Upstream(writer, refuse)
    args = Raw(msgspec.json.encode("x" * (1 << 20)))  # as large as what has files
    for number in range(1, 70):
        upstream.call(str(number % 23), number, "sendMessage", args, now=0.0)
    assert len(upstream) == upstreams.LARGE_LIMIT // ((1 << 20) + 2)
    assert {code for _, code in refused} == {"DISCORD_RATE_LIMITED"}
    upstream.connected(Hello("a", 1, 0))
    assert writer.bytes < 64 << 20
    for number in range(1, 5):
        upstream.forget(str(number))
    upstream.call("1", 99, "sendMessage", args, now=0.0)
    assert upstream.answered("1", 99), "there is room again"


class StreamWriterWithoutLoop(Lines):
    @property
    def bytes(self) -> int:
        return sum(map(len, self.written))


async def test_a_result_that_cannot_be_read_fails_its_op_alone(path: PathUnderTest) -> None:
    path.discord.answering = False
    await path.deploy(
        "1",
        "on('messageCreate', async (ctx) => { try { await ctx.reply('x'); } catch (e) { console.log(e.code, e.message); } });",
    )
    path.message("x")
    op = await path.wait(lambda: [op for op in path.discord.ops if op.name == "sendMessage"])
    line = b'{"k":"result","o":%d,"g":"1","i":%d,"ok":false,"v":{}}\n'
    path.hub.pod(POD).buffer.append(lambda offset: line % (offset, op[0].id), guild="1")
    path.message("wakes the stream")
    await path.wait_log("DISCORD_HTTP_ERROR the gateway's answer cannot be read")


async def test_ops_expire_while_the_gateway_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstreams, "RESULT_SECONDS", 0.1)
    refused: list[int] = []
    link = GatewayLink(
        "http://127.0.0.1:9",
        POD,
        token=Token(),
        sink=None,  # pyright: ignore[reportArgumentType]
        make_upstream=lambda writer: Upstream(writer, lambda _guild, op, _error: refused.append(op)),
    )
    link.upstream.call("1", 5, "sendMessage", Raw(b"{}"), now=time.monotonic())
    async with make_session() as session:
        running = asyncio.create_task(link.run(session))
        async with asyncio.timeout(10):
            while not refused:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert refused == [5]


# -------------------------------------------------------------------- what lies on disk


async def test_assignments_on_disk_that_cannot_be_read_are_fetched_anew(tmp_path: Path) -> None:
    (tmp_path / "assignments.json").write_bytes(b'{"1":{"guild":"\xff","revision":1,"bundle":"x"}}')
    async with PathUnderTest(tmp_path) as path:
        await path.deploy("1", ECHO)


async def test_a_stream_writer_starts_closed_and_counts_as_open_only_when_it_is() -> None:
    writer = StreamWriter()
    assert not writer.open
    async with make_session() as session:
        with pytest.raises(aiohttp.ClientError):
            await writer.run(session, "http://127.0.0.1:9/", token=Token())
    assert not writer.open
