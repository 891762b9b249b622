"""A place among the pod's workers: whatever becomes of the process in it, another takes it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY

from flora_core.wire.control import Limits
from flora_core.wire.pipe import Configure, Deploy, Frame, Kind, LoadedIn, Pong
from flora_runtime.flight import CAPACITY, Entry
from flora_runtime.supervisor import deploys
from flora_runtime.supervisor import workers as module
from flora_runtime.supervisor.deploys import AT_ONCE
from flora_runtime.supervisor.guild import _NUMBER
from flora_runtime.supervisor.process import Ended, WorkerProcess
from flora_runtime.supervisor.workers import (
    GENERATIONS_A_PROCESS,
    Worker,
    WorkerLimits,
)
from flora_runtime.worker.script import generation_of
from tests.waiting import until

PONG = "on('messageCreate', async (ctx) => { await ctx.reply('pong'); });"


class Owner:
    """Deploys ``code`` for whoever is asked for, and remembers what the worker says."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.recorded: list[list[Entry]] = []
        self.stuck: list[list[str]] = []
        self.pressure: list[int] = []
        self.deployed: list[str] = []
        self.code = PONG
        self.missing: set[str] = set()
        """Guilds that there is nothing to deploy for."""
        self.place: Worker | None = None

    def on_frame(self, worker: int, frame: Frame) -> None:
        assert worker == 7
        self.frames.append(frame)

    def on_worker_gone(self, worker: int, read: Callable[[int], Entry]) -> None:
        self.recorded.append([read(slot) for slot in range(2)])

    def on_stuck(self, worker: int, guilds: list[str]) -> None:
        self.stuck.append(guilds)

    def on_pressure(self, worker: int, isolates: int) -> None:
        self.pressure.append(isolates)

    def busy(self, worker: int, *, besides: list[str]) -> bool:
        return False

    async def deploy(self, worker: int, guild: str) -> bool:
        self.deployed.append(guild)
        if guild in self.missing:
            return False
        assert self.place is not None
        code = f"(async () => {{\n{self.code}\n}})();\n//# sourceURL=bundle.js"
        deploy = Deploy(1, "ab" * 32, code, "", Limits(), "seed", 0)
        self.place.send(Kind.DEPLOY, msgspec.json.encode(deploy), guild=guild)
        return True

    def of(self, kind: Kind, guild: str) -> list[bytes]:
        return [frame.body for frame in self.frames if frame.kind is kind and frame.guild == guild]


def restarts(reason: Ended) -> float:
    return REGISTRY.get_sample_value("flora_runtime_restarts_total", {"reason": reason}) or 0.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look after workers more often than a pod does."""
    monkeypatch.setattr(module, "PING_SECONDS", 0.05)


@pytest.fixture
def owner() -> Owner:
    return Owner()


@contextlib.asynccontextmanager
async def running(owner: Owner, **limits: Any) -> AsyncIterator[Worker]:
    """A place with a process in it; it is empty afterwards."""
    limits = {"silence_seconds": 5.0, "rss_bytes": 4 << 30, **limits}
    place = owner.place = Worker(7, owner, Configure(index=7), WorkerLimits(**limits))
    task = asyncio.create_task(place.run())
    try:
        yield place
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert place.pid is None


@pytest.fixture
async def place(owner: Owner) -> AsyncIterator[Worker]:
    async with running(owner) as place:
        await until(lambda: place.ready)
        yield place


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_no_process_is_left_in_a_place_that_is_given_up(owner: Owner) -> None:
    async with running(owner) as place:
        await until(lambda: place.ready)
        pid = place.pid
    assert pid is not None
    assert not alive(pid)


async def test_a_place_given_up_before_its_process_was_ready_is_empty_too(owner: Owner) -> None:
    async with running(owner) as place:
        pid = await until(lambda: place.pid)
        assert not place.ready
    assert not alive(pid)


@pytest.mark.parametrize("later", range(6))
async def test_a_place_given_up_as_its_process_gets_ready_is_empty_too(owner: Owner, later: int) -> None:
    """``later``: turns of the event loop between the two."""
    place = owner.place = Worker(7, owner, Configure(index=7), WorkerLimits(5.0, 4 << 30))
    task = asyncio.create_task(place.run())
    loop = asyncio.get_running_loop()

    def give_up(turns: int) -> None:
        if turns:
            loop.call_soon(give_up, turns - 1)
        else:
            task.cancel()

    async def when_ready() -> None:
        await place._ready.wait()
        give_up(later)

    watching = asyncio.create_task(when_ready())
    async with asyncio.timeout(30):
        await asyncio.wait([task])
    await watching
    assert task.cancelled()
    assert place.pid is None


async def test_a_process_that_died_is_replaced_and_its_record_read(place: Worker, owner: Owner) -> None:
    before, first = restarts(Ended.BY_ITSELF), place.pid
    place.want_deploy("1")
    await until(lambda: owner.of(Kind.LOADED, "1"))
    place.send(Kind.EVENT, _NUMBER.pack(41) + b'{"t":"READY","d":{}}', guild="1")
    await until(lambda: owner.of(Kind.TURN, "1"))
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: place.ready and place.pid != first)
    assert owner.recorded == [[Entry(41, running=False), Entry(0, running=False)]]
    assert restarts(Ended.BY_ITSELF) == before + 1


async def test_a_process_that_keeps_dying_is_started_after_ever_longer_pauses(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[float] = []

    class Dying(WorkerProcess):
        def __init__(self, **options: Any) -> None:
            starts.append(asyncio.get_running_loop().time())
            super().__init__(**options, program=("-c", "pass"))

    monkeypatch.setattr(module, "WorkerProcess", Dying)
    async with running(owner):
        await until(lambda: len(starts) == 4)
    pauses = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert pauses[0] >= 0.1
    assert pauses[1] >= 0.2
    assert pauses[2] >= 0.4


async def test_a_process_that_never_gets_ready_is_replaced(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sleeping(WorkerProcess):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options, program=("-c", "import time; time.sleep(60)"))

    monkeypatch.setattr(module, "WorkerProcess", Sleeping)
    monkeypatch.setattr(module, "START_SECONDS", 0.2)
    before = restarts(Ended.SILENT)
    async with running(owner) as place:
        first = await until(lambda: place.pid)
        await until(lambda: restarts(Ended.SILENT) > before)
        assert not alive(first)
        assert not place.ready


async def test_a_process_that_falls_silent_is_replaced(owner: Owner) -> None:
    before = restarts(Ended.SILENT)
    async with running(owner, silence_seconds=0.4) as place:
        await until(lambda: place.ready)
        first = place.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        await until(lambda: restarts(Ended.SILENT) > before)
        await until(lambda: place.ready and place.pid != first)


async def test_a_process_that_still_reads_what_was_sent_is_not_silent(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to a ping waits behind it."""
    monkeypatch.setattr(module, "PING_SECONDS", 60.0)  # nobody else looks
    async with running(owner) as place:
        await until(lambda: place.ready)
        process = place._process
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)
        for _ in range(8):
            process.send(Kind.BROADCAST, bytes(4 << 20))
        await asyncio.sleep(0)  # until it is written, as far as it goes
        process.lived()
        assert not process.lived()
        os.kill(process.pid, signal.SIGCONT)
        await until(process.lived)


async def test_a_process_is_not_silent_because_nobody_listened(owner: Owner) -> None:
    before = restarts(Ended.SILENT)
    async with running(owner, silence_seconds=2.5) as place:
        await until(lambda: place.ready)
        pid = place.pid
        await asyncio.sleep(0.1)
        time.sleep(4)  # noqa: ASYNC251  as a machine that is paused
        await asyncio.sleep(0.2)
        assert (place.pid, restarts(Ended.SILENT)) == (pid, before)


async def test_a_process_over_its_memory_is_replaced(owner: Owner) -> None:
    before = restarts(Ended.MEMORY)
    async with running(owner, rss_bytes=1 << 20):
        await until(lambda: restarts(Ended.MEMORY) > before)


async def test_a_process_that_is_well_is_left_alone(owner: Owner) -> None:
    async with running(owner, silence_seconds=2.0) as place:
        await until(lambda: place.ready)
        pid = place.pid
        place.want_deploy("1")
        await until(lambda: place.isolates == 1)
        assert place.pid == pid
        assert owner.recorded == []


async def test_a_guild_that_is_stuck_is_told_once_and_its_process_replaced(
    place: Worker, owner: Owner
) -> None:
    before, first = restarts(Ended.STUCK), place.pid
    pong = Frame(Kind.PONG, "", msgspec.json.encode(Pong(isolates=1, busy=1, stuck=["5"])))
    for _ in range(3):
        place._on_frame(pong)
    assert owner.stuck == [["5"]]
    await until(lambda: restarts(Ended.STUCK) > before)
    await until(lambda: place.ready and place.pid != first)


async def test_a_frame_whose_body_is_none_ends_the_process(place: Worker) -> None:
    before = restarts(Ended.PROTOCOL)
    assert place._process is not None
    place._process.data_received(b"\x02\0\0\0" + bytes(8) + bytes([Kind.PONG]) + b"{]")
    await until(lambda: restarts(Ended.PROTOCOL) > before)
    await until(lambda: place.ready)


async def test_a_process_can_be_asked_to_end(place: Worker) -> None:
    pid = place.pid
    assert pid is not None
    await place.shut_down()
    await until(lambda: not alive(pid))


async def test_one_that_does_not_end_when_asked_is_killed(
    place: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DRAIN_SECONDS", 0.1)
    before, pid = restarts(Ended.STOPPED), place.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await place.shut_down()
    await until(lambda: restarts(Ended.STOPPED) > before)
    assert not alive(pid)


# ---------------------------------------------------------------- deploys


async def test_deploys_wait_until_the_process_is_ready_and_go_in_order(owner: Owner) -> None:
    async with running(owner) as place:
        for guild in ("1", "2", "3", "1"):
            place.want_deploy(guild)
        assert owner.deployed == []
        await until(lambda: owner.of(Kind.LOADED, "3"))
        assert owner.deployed == ["1", "2", "3"]


async def test_only_a_few_deploys_begin_at_a_time(
    place: Worker, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploys, "PATIENCE_SECONDS", 60.0)
    owner.code = "await new Promise(() => {})"
    guilds = [str(number) for number in range(1, 6)]
    for guild in guilds:
        place.want_deploy(guild)
    await until(lambda: len(owner.deployed) == AT_ONCE)
    await asyncio.sleep(0.05)
    assert owner.deployed == guilds[:AT_ONCE]
    place.deploy_ended("1")
    await until(lambda: len(owner.deployed) == AT_ONCE + 1)
    place.deploy_ended("404")
    await asyncio.sleep(0.05)
    assert len(owner.deployed) == AT_ONCE + 1


async def test_scripts_that_never_finish_loading_hold_nobody_up(place: Worker, owner: Owner) -> None:
    owner.code = "await new Promise(() => {})"
    for guild in ("1", "2", "3", "4"):
        place.want_deploy(guild)
    await until(lambda: len(owner.deployed) == 4)
    owner.code = PONG
    place.want_deploy("5", urgent=True)
    await until(lambda: owner.of(Kind.LOADED, "5"))


async def test_a_worker_that_grows_asks_for_relief(owner: Owner) -> None:
    async with running(owner, soft_rss_bytes=1 << 20):
        first = await until(lambda: owner.pressure)
        assert 1 < first[0] < 1000, "as many as would bring it back"


async def test_deploys_that_fail_make_room_too(place: Worker, owner: Owner) -> None:
    owner.code = "throw new Error('no')"
    guilds = [str(number) for number in range(1, 6)]
    for guild in guilds:
        place.want_deploy(guild)
    await until(lambda: all(owner.of(Kind.FAILED, guild) for guild in guilds))


async def test_a_deploy_with_nothing_to_bring_holds_nobody_up(place: Worker, owner: Owner) -> None:
    owner.missing = {"1", "2", "3"}
    for guild in ("1", "2", "3", "4"):
        place.want_deploy(guild)
    await until(lambda: owner.of(Kind.LOADED, "4"))
    assert owner.deployed == ["1", "2", "3", "4"]


async def test_deploys_that_waited_are_made_on_the_next_process(place: Worker, owner: Owner) -> None:
    owner.code = "await new Promise(() => {})"
    for guild in ("1", "2", "3"):
        place.want_deploy(guild)
    await until(lambda: len(owner.deployed) == AT_ONCE)
    owner.code = PONG
    assert place.pid is not None
    os.kill(place.pid, signal.SIGKILL)
    await until(lambda: owner.of(Kind.LOADED, "3"))
    assert owner.deployed == ["1", "2", "3"]


async def test_no_process_numbers_its_calls_as_its_predecessor_did(place: Worker, owner: Owner) -> None:
    data = {"id": "1", "channel_id": "7", "content": "x", "author": {"id": "9", "username": "ann"}}
    body = msgspec.json.encode({"t": "MESSAGE_CREATE", "d": data})
    generations = []
    for round_ in range(2):
        place.want_deploy("1")
        await until(lambda round_=round_: len(owner.of(Kind.LOADED, "1")) > round_)
        owner.frames = [frame for frame in owner.frames if frame.kind is Kind.LOADED]
        place.send(Kind.EVENT, _NUMBER.pack(1) + body, guild="1")
        turn = await until(lambda: [turn for turn in owner.of(Kind.TURN, "1") if b'"ops"' in turn])
        generations.append(generation_of(msgspec.json.decode(turn[0])["ops"][0][0]))
        pid = place.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda pid=pid: place.ready and place.pid != pid)
    assert generations[1] - generations[0] == GENERATIONS_A_PROCESS


# ---------------------------------------------------------------- slots


async def test_slots_are_given_out_once_each_until_there_are_none(owner: Owner) -> None:
    place = Worker(0, owner, Configure(index=0), WorkerLimits(1.0, 1))
    assert {place.take_slot() for _ in range(CAPACITY)} == set(range(CAPACITY))
    assert place.take_slot() is None
    place.forget("1", 17)
    assert (place.take_slot(), place.take_slot()) == (17, None)


async def test_nothing_is_sent_to_a_place_without_a_process(owner: Owner) -> None:
    place = Worker(0, owner, Configure(index=0), WorkerLimits(1.0, 1))
    place.send(Kind.PING)
    place.kill(Ended.STOPPED, "never started")
    assert (place.ready, place.pid) == (False, None)


async def test_a_loaded_frame_is_passed_on_as_it_came(place: Worker, owner: Owner) -> None:
    place.want_deploy("1")
    (body,) = await until(lambda: owner.of(Kind.LOADED, "1"))
    loaded = msgspec.json.decode(body, type=LoadedIn)
    assert (loaded.revision, loaded.events) == (1, ["messageCreate"])
