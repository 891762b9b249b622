"""A pod's log lines on their way to whoever keeps them: in batches, in order, none lost in silence."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from flora_core.streams import Token, make_session
from flora_core.wire.control import LogLine, logs
from flora_runtime.supervisor.logs import BATCH_LINES, Logs
from tests.integration.loopback import listening
from tests.waiting import until


class Keeper:
    """Keeps lines, unless the test says otherwise."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self.batches: list[tuple[str, str]] = []
        self.tokens: set[str] = set()
        self.status = 200
        self.answering = asyncio.Event()
        self.answering.set()
        self.asked = 0
        self.url = ""

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]

    async def take(self, request: web.Request) -> web.Response:
        self.asked += 1
        self.tokens.add(request.headers.get("Authorization", ""))
        body = await request.read()
        await self.answering.wait()
        if self.status == 200:
            self.batches.append((request.query["process"], request.query["batch"]))
            for line in body.splitlines():
                frame = logs.decode(line)
                assert isinstance(frame, LogLine)
                self.lines.append(frame)
        return web.Response(status=self.status, text="why\n")


@pytest.fixture
async def keeper() -> AsyncIterator[Keeper]:
    made = Keeper()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/pods/pod-0/logs", made.take)
    async with listening(app) as made.url:
        yield made
        made.answering.set()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with make_session() as session:
        yield session


@asynccontextmanager
async def running(work: Coroutine[Any, Any, Any]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def line(text: str, guild: str = "1") -> LogLine:
    return LogLine(guild, 0, "info", text)


def write(told: Logs, texts: Any, guild: str = "1") -> None:
    for text in texts:
        told.log(line(str(text), guild))


async def test_lines_that_were_logged_before_there_was_a_connection_come_first(
    keeper: Keeper, session: aiohttp.ClientSession
) -> None:
    told = Logs(keeper.url, "pod-0", token=Token("t"))
    write(told, ["early 0", "early 1"])
    async with running(told.run(session)):
        await until(lambda: len(keeper.lines) == 2)
        write(told, ["late"])
        await until(lambda: len(keeper.lines) == 3)
    assert keeper.texts == ["early 0", "early 1", "late"]
    assert all(line.at > 1_600_000_000_000 for line in keeper.lines), "the time is when it was logged"
    assert keeper.tokens == {"Bearer t"}


async def test_what_comes_while_a_batch_is_on_its_way_goes_in_one_behind_it(
    keeper: Keeper, session: aiohttp.ClientSession
) -> None:
    keeper.answering.clear()
    told = Logs(keeper.url, "pod-0", token=Token("t"))
    write(told, ["first"])
    async with running(told.run(session)):
        await until(lambda: keeper.asked)
        write(told, range(2500))
        keeper.answering.set()
        await until(lambda: len(keeper.lines) == 2501)
    assert keeper.texts == ["first", *map(str, range(2500))]
    assert len(keeper.batches) == 1 + -(-2500 // BATCH_LINES)
    assert len({process for process, _ in keeper.batches}) == 1
    assert [batch for _, batch in keeper.batches] == ["1", "2", "3", "4"]


async def test_a_batch_that_was_not_taken_comes_again_under_the_same_number(
    keeper: Keeper, session: aiohttp.ClientSession
) -> None:
    keeper.status = 503
    told = Logs(keeper.url, "pod-0", token=Token("t"))
    write(told, ["kept"])
    async with running(told.run(session)):
        await until(lambda: keeper.asked > 2)
        write(told, ["later"])
        keeper.status = 200
        await until(lambda: len(keeper.lines) == 2)
    assert keeper.texts == ["kept", "later"]
    assert [batch for _, batch in keeper.batches] == ["1", "2"]


async def test_nobody_there_is_waited_out(session: aiohttp.ClientSession) -> None:
    keeper = Keeper()
    app = web.Application()
    app.router.add_post("/v1/pods/pod-0/logs", keeper.take)
    async with listening(app) as url:
        port = int(url.rpartition(":")[2])
    told = Logs(url, "pod-0", token=Token("t"))
    write(told, ["kept"])
    async with running(told.run(session)):
        await until(lambda: told._away)
        again = web.Application()
        again.router.add_post("/v1/pods/pod-0/logs", keeper.take)
        async with listening(again, port=port):
            await until(lambda: keeper.texts == ["kept"])


async def test_only_so_many_lines_wait_and_each_guild_is_told_how_many_of_its_are_lost(
    keeper: Keeper, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flora_runtime.supervisor.logs.LINES_KEPT", 5)
    told = Logs(keeper.url, "pod-0", token=Token("t"))
    write(told, ["a"], guild="2")
    write(told, range(8))
    async with running(told.run(session)):
        await until(lambda: len(keeper.lines) == 7)
    assert keeper.texts[2:] == ["3", "4", "5", "6", "7"]
    lost = {(line.guild, line.text, line.level, line.source) for line in keeper.lines[:2]}
    assert lost == {
        ("1", "3 lines lost: the log could not be reached", "warn", "runtime"),
        ("2", "1 line lost: the log could not be reached", "warn", "runtime"),
    }


async def test_of_lines_that_are_lost_those_on_their_way_are_none(
    keeper: Keeper, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flora_runtime.supervisor.logs.LINES_KEPT", 3)
    keeper.answering.clear()
    told = Logs(keeper.url, "pod-0", token=Token("t"))
    write(told, ["under way"])
    async with running(told.run(session)):
        await until(lambda: keeper.asked)
        write(told, range(10))
        keeper.answering.set()
        await until(lambda: len(keeper.lines) == 4)
    assert keeper.texts == ["under way", "8 lines lost: the log could not be reached", "8", "9"]


async def test_long_lines_are_bounded_by_their_size_too(
    keeper: Keeper, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flora_runtime.supervisor.logs.BYTES_KEPT", 10_000)
    told = Logs(keeper.url, "pod-0", token=Token("t"))
    write(told, ("x" * 3000 for _ in range(10)))
    assert told._size <= 10_000
    async with running(told.run(session)):
        await until(lambda: any("lost" in text for text in keeper.texts))
    assert len(keeper.lines) == 4
    assert told._size == 0


@pytest.mark.parametrize("status", [400, 413])
async def test_a_batch_that_will_never_be_taken_is_given_up(
    keeper: Keeper, session: aiohttp.ClientSession, status: int
) -> None:
    keeper.status = status
    told = Logs(keeper.url, "pod-0", token=Token("t"))
    write(told, ["bad"])
    async with running(told.run(session)):
        await until(lambda: keeper.asked)
        keeper.status = 200
        await until(lambda: keeper.lines)
    assert keeper.texts == ["1 line lost: the log could not be reached"]


async def test_before_the_end_what_waits_is_sent(keeper: Keeper, session: aiohttp.ClientSession) -> None:
    told = Logs(keeper.url, "pod-0", token=Token("t"))
    async with running(told.run(session)):
        write(told, range(3000))
        await told.flush(seconds=20)
        assert len(keeper.lines) == 3000


async def test_the_end_waits_only_so_long(session: aiohttp.ClientSession, keeper: Keeper) -> None:
    keeper.answering.clear()
    told = Logs(keeper.url, "pod-0", token=Token("t"))
    async with running(told.run(session)):
        write(told, ["never"])
        async with asyncio.timeout(10):
            await told.flush(seconds=0.1)


async def test_without_a_log_service_nothing_is_dialled(
    keeper: Keeper, session: aiohttp.ClientSession
) -> None:
    told = Logs("", "pod-0", token=Token("t"))
    write(told, ["to our own log"])
    async with asyncio.timeout(10):
        await told.run(session)
        await told.flush(seconds=10)
    assert (keeper.asked, told.written) == (0, 1)
