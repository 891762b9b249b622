"""One part dies; the others carry on, and what can be delivered again is."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import REGISTRY

from flora_core.wire.control import Limits, Loaded, Outcome
from flora_runtime.supervisor.process import Ended
from tests.integration.path.path_under_test import POD, TOKEN, PathUnderTest, guild_on_worker

ECHO = "on('messageCreate', async (ctx) => { await ctx.reply('echo ' + ctx.msg.content); });"


async def test_after_kill_9_of_a_worker_its_guilds_answer_again(path: PathUnderTest) -> None:
    guilds = [guild_on_worker(0), guild_on_worker(1)]
    for guild in guilds:
        await path.deploy(guild, ECHO)
    for pid in path.worker_pids():
        os.kill(pid, signal.SIGKILL)
    for guild in guilds:
        path.message(f"to {guild}", guild=guild)
    assert set(await path.wait_contents(2)) == {f"echo to {guild}" for guild in guilds}


async def test_events_that_had_not_started_survive_their_worker(path: PathUnderTest) -> None:
    guild = guild_on_worker(0)
    await path.deploy(
        guild,
        "on('messageCreate', async (ctx) => { const end = Date.now() + 20; while (Date.now() < end);"
        " await ctx.reply(ctx.msg.content); });",
    )
    for number in range(100):
        path.message(str(number), guild=guild)
    await path.wait_contents(5)
    for pid in path.worker_pids():
        os.kill(pid, signal.SIGKILL)
    await path.wait(lambda: "99" in path.discord.contents, seconds=20)
    answered = [int(content) for content in path.discord.contents]
    assert len(answered) == len(set(answered)), "nothing is answered twice"
    # Only events of the one turn that ran at the kill may be missing.
    missing = set(range(100)) - set(answered)
    assert len(missing) <= 16
    assert not missing or max(missing) - min(missing) == len(missing) - 1


@pytest.mark.parity(96)
async def test_handlers_cut_off_by_a_death_are_told_of(path: PathUnderTest) -> None:
    path.discord.answering = False
    await path.deploy("1", ECHO)
    path.message("x")
    await path.wait_contents(1)
    for pid in path.worker_pids():
        os.kill(pid, signal.SIGKILL)
    line = await path.wait_log("its worker process was killed; an event cut off")
    assert (line.outcome, line.level) == (Outcome.KILLED, "error")


async def test_events_wait_at_the_gateway_for_a_pod_that_is_away(path: PathUnderTest) -> None:
    await path.deploy("1", ECHO)
    path.message("before")
    await path.wait(lambda: path.low_water.mark == 1)
    await path.stop_pod()
    for number in range(20):
        path.message(f"while away {number}")
    assert path.low_water.mark < 21
    await path.start_pod()
    contents = await path.wait_contents(21)
    assert contents[1:] == [f"echo while away {number}" for number in range(20)]
    await path.wait(lambda: path.low_water.mark == 21)


async def test_a_pod_that_drains_leaves_waiting_events_to_its_successor(path: PathUnderTest) -> None:
    await path.deploy("1", ECHO)
    assert path.pod is not None
    path.message("before")
    await path.wait_contents(1)
    await path.pod.drain()
    assert path.pod.ready() == "draining"
    path.message("meanwhile")
    await asyncio.sleep(0.1)
    assert path.discord.contents == ["echo before"]
    await path.stop_pod()
    await path.start_pod()
    assert await path.wait_contents(2) == ["echo before", "echo meanwhile"]


async def test_a_new_gateway_is_found_and_nothing_is_handled_twice(path: PathUnderTest) -> None:
    await path.deploy("1", ECHO)
    sequence = path.message("one")
    await path.wait_contents(1)
    await path.stop_gateway()
    await path.start_gateway()
    # Discord replays from the low-water mark: the pod has this one already.
    path.message("one", sequence=sequence)
    path.message("two")
    assert await path.wait_contents(2) == ["echo one", "echo two"]
    await asyncio.sleep(0.05)
    assert len(path.discord.contents) == 2


async def test_calls_without_an_answer_are_made_again_by_a_new_gateway(path: PathUnderTest) -> None:
    path.discord.answering = False
    await path.deploy(
        "1", "on('messageCreate', async (ctx) => { await ctx.reply('x'); console.log('answered'); });"
    )
    path.message("hello")
    await path.wait_contents(1)
    await path.stop_gateway()
    path.discord.waiting.clear()  # they died with the old gateway
    path.discord.answering = True
    await path.start_gateway()
    await path.wait_log("answered")
    first, second = [op for op in path.discord.ops if op.name == "sendMessage"]
    assert (first.repeated, second.repeated) == (False, True)
    assert first.args == second.args, "the same nonce, so that Discord can tell"


async def test_a_broken_connection_loses_neither_events_nor_calls(path: PathUnderTest) -> None:
    await path.deploy("1", ECHO)
    for number in range(60):
        path.message(str(number))
        if number % 20 == 10:
            await asyncio.sleep(0.02)
            stream = await path.wait(lambda: path.server._streams.get(POD))
            stream.end()  # as a newer connection would
    contents = await path.wait_contents(60)
    assert contents == [f"echo {number}" for number in range(60)]


async def test_without_the_control_plane_guilds_go_on(path: PathUnderTest) -> None:
    await path.deploy("1", ECHO)
    await path.stop_control()
    path.message("alone")
    assert await path.wait_contents(1) == ["echo alone"]
    await path.start_control()
    await path.deploy("2", ECHO)


async def test_reports_are_said_again_to_a_new_control_plane(path: PathUnderTest) -> None:
    await path.deploy("1", ECHO)
    await path.stop_control()
    path.operator.reports.clear()
    await path.start_control()
    await path.wait(lambda: any(isinstance(report, Loaded) for report in path.operator.reports))


@pytest.mark.parity(56)
async def test_a_bundle_that_was_fetched_once_is_kept(path: PathUnderTest) -> None:
    await path.deploy("1", ECHO)
    await path.stop_pod()
    path.operator.bundles.clear()
    path.operator.reports.clear()
    await path.start_pod()
    path.message("from disk")
    assert await path.wait_contents(1) == ["echo from disk"]


async def test_a_bundle_that_is_not_there_yet_is_fetched_later(path: PathUnderTest) -> None:
    revision = path.operator.deploy("1", ECHO)
    kept = dict(path.operator.bundles)
    path.operator.bundles.clear()
    await asyncio.sleep(0.3)
    path.operator.bundles.update(kept)
    await path.wait(
        lambda: any(isinstance(r, Loaded) and r.revision == revision for r in path.operator.reports)
    )


async def test_a_bundle_with_another_hash_is_refused(path: PathUnderTest) -> None:
    path.operator.deploy("1", ECHO)
    for sha256 in path.operator.bundles:
        path.operator.bundles[sha256] = b"something else"
    report = await path.wait(lambda: path.operator.reports)
    assert "another hash" in report[0].error.message


async def test_garbage_on_the_pods_streams_is_counted_and_skipped(path: PathUnderTest) -> None:
    await path.deploy("1", ECHO)
    pod = path.hub.pod(POD)
    pod.buffer.append(lambda _: b"not json\n", guild="")
    pod.buffer.append(lambda _: b'{"k":"surprise"}\n', guild="")
    pod.buffer.append(lambda _: b'{"k":"event","o":"x"}\n', guild="")
    pod.buffer.append(lambda _: b"x" * (5 << 20) + b"\n", guild="")
    path.message("after")
    assert await path.wait_contents(1) == ["echo after"]


@pytest.mark.parametrize(
    ("pod", "token", "status"),
    [(POD, "wrong", 401), (POD, "", 401), ("flora-runtime-1", TOKEN, 403), ("UPPER", TOKEN, 400)],
)
async def test_a_stream_opens_only_to_its_own_pod(
    path: PathUnderTest, pod: str, token: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as session:
        for port, end in ((path.gateway_port, "events"), (path.control_port, "desired")):
            async with session.get(f"http://127.0.0.1:{port}/v1/pods/{pod}/{end}", headers=headers) as answer:
                assert answer.status == status


async def test_a_pod_cannot_act_for_a_guild_it_does_not_run(path: PathUnderTest) -> None:
    await path.deploy("1", ECHO)
    line = b'{"k":"op","q":99999,"g":"2","i":1,"n":"sendMessage","a":{}}\n'
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{path.gateway_port}/v1/pods/{POD}/ops"
        async with session.post(url, data=line, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            assert answer.status == 200
    assert [op for op in path.discord.ops if op.guild == "2"] == []


def restarts(reason: Ended) -> float:
    return REGISTRY.get_sample_value("flora_runtime_restarts_total", {"reason": reason}) or 0.0


HOARD = (
    "const hoard = []; on('messageCreate', async (ctx) => {"
    " if (ctx.msg.content === 'hoard') for (let i = 0; i < 6; i++) hoard.push(new Uint8Array(8e6).fill(1));"
    " await ctx.reply(`${hoard.length}`); });"
)


async def test_a_worker_that_uses_too_much_memory_is_replaced(tmp_path: Path) -> None:
    before = restarts(Ended.MEMORY)
    async with PathUnderTest(tmp_path, worker_rss_mib=200) as path:
        guilds = [guild_on_worker(0, start=start) for start in (1, 100, 200, 300)]
        for guild in guilds:
            await path.deploy(guild, HOARD)
        for guild in guilds:
            path.message("hoard", guild=guild)
        await path.wait(lambda: restarts(Ended.MEMORY) > before)
        path.discord.ops.clear()
        path.message("again", guild=guilds[0])
        assert await path.wait_contents(1) == ["0"]


async def test_a_worker_with_a_turn_that_nothing_can_stop_is_replaced(path: PathUnderTest) -> None:
    before = restarts(Ended.STUCK)
    stuck, neighbour = guild_on_worker(0), guild_on_worker(0, start=100)
    await path.deploy(
        stuck, "on('messageCreate', () => { for (;;); });", limits=Limits(cpu_milliseconds=1000)
    )
    await path.deploy(neighbour, ECHO)
    path.message("x", guild=stuck)
    # What V8 does to itself on a fatal error: the thread is parked by the handler of SIGTRAP.
    pid, thread = await path.wait(lambda: running_thread(path.worker_pids()))
    assert ctypes.CDLL(None).tgkill(pid, thread, signal.SIGTRAP) == 0
    path.message("meanwhile", guild=neighbour)
    assert await path.wait_contents(1) == ["echo meanwhile"]
    await path.wait(lambda: restarts(Ended.STUCK) > before)
    path.message("afterwards", guild=neighbour)
    assert (await path.wait_contents(2))[-1] == "echo afterwards"
    line = await path.wait_log("cut off")
    assert line.outcome == Outcome.KILLED


def running_thread(pids: list[int]) -> tuple[int, int] | None:
    """The process and the thread, not its main one, that is on a core now."""
    for pid in pids:
        for folder in Path(f"/proc/{pid}/task").iterdir():
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            if state == "R" and folder.name != str(pid):
                return pid, int(folder.name)
    return None


async def test_a_worker_that_says_nothing_is_replaced(tmp_path: Path) -> None:
    before = restarts(Ended.SILENT)
    async with PathUnderTest(tmp_path, worker_silence_secs=0.5) as path:
        guild = guild_on_worker(0)
        await path.deploy(guild, ECHO)
        for pid in path.worker_pids():
            os.kill(pid, signal.SIGSTOP)
        path.message("hello", guild=guild)
        await path.wait(lambda: restarts(Ended.SILENT) > before)
        assert await path.wait_contents(1) == ["echo hello"]


async def test_a_message_of_ten_mebibytes_harms_nobody(path: PathUnderTest) -> None:
    guild, neighbour = guild_on_worker(0), guild_on_worker(0, start=100)
    await path.deploy(guild, "on('messageCreate', (ctx) => ctx.reply(`${ctx.msg.content.length}`));")
    await path.deploy(neighbour, ECHO)
    path.message("x" * (10 << 20), guild=guild)
    path.message("small", guild=guild)
    path.message("hello", guild=neighbour)
    assert sorted(await path.wait_contents(2)) == ["5", "echo hello"]
