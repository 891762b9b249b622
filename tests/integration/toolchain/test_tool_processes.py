"""The child processes: what they may, when they end, and that the toolchain outlives them."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import psutil
import pytest
from projects import one_file, twenty_files
from v8_process import V8

from flora_core.errors import AssetsMissing, ToolBusy, ToolDied, ToolError, ToolTimeout
from flora_core.toolchain import Project, Toolchain, ToolLimits
from flora_core.toolchain.process import Child
from tests.waiting import until

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SMALL = one_file("globalThis.out = 1")
# Takes esbuild more than a minute.
SLOW = one_file("\n".join(f"import a{n} from './no{n}'; a{n}();" for n in range(20_000)))
ONE = ToolLimits(children=1)


def the_child(tools: Toolchain) -> Child:
    (child,) = tools._children
    return child


async def busy_with(tools: Toolchain, project: Project = SLOW) -> asyncio.Task[object]:
    """A build that is under way in the only child."""
    await tools.bundle(SMALL)
    task = asyncio.create_task(tools.bundle(project))
    child = psutil.Process(the_child(tools).pid)
    before = child.cpu_times().user
    await until(lambda: child.cpu_times().user > before + 0.2)
    return task


def proc(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


# ---------------------------------------------------------------- what a child may


@on_linux
async def test_a_child_sees_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "very-secret")
    monkeypatch.setenv("PYTHONSTARTUP", "/somewhere")
    async with Toolchain(ONE) as tools:
        await tools.bundle(SMALL)
        environment = proc(the_child(tools).pid, "environ")
    names = {entry.partition("=")[0] for entry in environment.split("\0") if entry}
    assert names <= {"LD_LIBRARY_PATH", "LC_CTYPE"}


@on_linux
async def test_a_child_has_its_limits_before_it_sees_any_code() -> None:
    async with Toolchain(ONE) as tools:
        await tools.bundle(SMALL)
        pid = the_child(tools).pid
        assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
        assert resource.prlimit(pid, resource.RLIMIT_DATA) == (1536 << 20, 1536 << 20)
        assert "NoNewPrivs:\t1" in proc(pid, "status")
        assert proc(pid, "oom_score_adj").strip() == "1000"


@on_linux
async def test_a_child_inherits_no_file_of_its_parent(tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        async with Toolchain(ONE) as tools:
            await tools.bundle(SMALL)
            held = psutil.Process(the_child(tools).pid)
            assert str(tmp_path / "secret") not in [opened.path for opened in held.open_files()]
            assert held.net_connections() == []


# ---------------------------------------------------------------- when a child ends


async def test_a_child_stays_for_the_next_call() -> None:
    async with Toolchain(ONE) as tools:
        await tools.bundle(SMALL)
        first = the_child(tools)
        await tools.check(SMALL)
        await tools.bundle(SMALL)
        assert the_child(tools) is first


async def test_a_child_is_replaced_after_a_number_of_answers() -> None:
    async with Toolchain(ToolLimits(children=1, answers=2)) as tools:
        await tools.bundle(SMALL)
        first = the_child(tools).pid
        await tools.bundle(SMALL)
        assert gone(first)
        assert (await tools.bundle(SMALL)).bundle
        assert the_child(tools).pid != first


@on_linux
async def test_a_child_that_has_grown_is_replaced() -> None:
    async with Toolchain(ToolLimits(children=1, rss=1 << 20)) as tools:
        await tools.bundle(SMALL)
        assert not tools._children


async def test_a_child_killed_during_a_build_fails_that_build_only() -> None:
    async with Toolchain(ONE) as tools:
        build = await busy_with(tools)
        os.kill(the_child(tools).pid, signal.SIGKILL)
        with pytest.raises(ToolDied, match=r"killed from outside"):
            await build
        assert (await tools.bundle(SMALL)).bundle


async def test_a_child_killed_while_idle_is_not_noticed() -> None:
    async with Toolchain(ONE) as tools:
        await tools.bundle(SMALL)
        child = the_child(tools)
        os.kill(child.pid, signal.SIGKILL)
        await until(lambda: not child.alive)
        assert (await tools.bundle(SMALL)).bundle


async def test_a_timeout_frees_the_child_for_the_next_call() -> None:
    async with Toolchain(ToolLimits(children=1, seconds=3.0)) as tools:
        await tools.bundle(SMALL)
        pid = the_child(tools).pid
        with pytest.raises(ToolTimeout, match=r"the bundler took longer than 3 s"):
            await tools.bundle(SLOW)
        assert gone(pid)
        assert (await tools.bundle(SMALL)).bundle


async def test_cancelling_a_build_ends_its_child_and_frees_its_place() -> None:
    async with Toolchain(ONE) as tools:
        build = await busy_with(tools)
        pid = the_child(tools).pid
        build.cancel()
        with pytest.raises(asyncio.CancelledError):
            await build
        assert gone(pid)
        assert (await tools.bundle(SMALL)).bundle


async def test_cancelling_twice_leaves_no_process() -> None:
    async with Toolchain(ONE) as tools:
        build = await busy_with(tools)
        pid = the_child(tools).pid
        build.cancel()
        asyncio.get_running_loop().call_soon(build.cancel)
        with pytest.raises(asyncio.CancelledError):
            await build
        await until(lambda: gone(pid))


async def test_leaving_the_toolchain_ends_a_build_under_way_and_every_child() -> None:
    async with Toolchain(ONE) as tools:
        build = await busy_with(tools)
        waiting = asyncio.create_task(tools.bundle(SMALL))
        pid = the_child(tools).pid
        await asyncio.sleep(0)
    with pytest.raises(ToolDied):
        await build
    with pytest.raises(ToolError, match=r"closed"):
        await waiting
    assert gone(pid)


@on_linux
async def test_a_child_dies_with_its_parent() -> None:
    program = """if True:
        import asyncio, os
        from flora_core.toolchain import Project, Toolchain
        async def main():
            async with Toolchain() as tools:
                slow = "".join(f"import a{n} from './no{n}'; a{n}();" for n in range(20_000))
                task = asyncio.create_task(tools.bundle(Project({"main.ts": slow}, "main.ts")))
                while not tools._children: await asyncio.sleep(0.01)
                print(*[child.pid for child in tools._children], flush=True)
                await task
        asyncio.run(main())
    """
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=PIPE)
    assert parent.stdout
    pid = int(await parent.stdout.readline())
    await asyncio.sleep(0.5)
    parent.kill()
    await parent.communicate()
    await until(lambda: gone(pid))


async def test_a_child_ends_with_its_input() -> None:
    child = await Child.start()
    process = child._process
    assert process.stdin
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 10) == 0
    await child.end()


@on_linux
@pytest.mark.parametrize("tool", ["bundle", "check"])
async def test_a_child_without_memory_says_so(tool: str) -> None:
    numbers = "export const x = [" + "{a:1}," * 150_000 + "]; console.log(x)"
    async with Toolchain(ONE) as tools:
        await getattr(tools, tool)(SMALL)
        pid = the_child(tools).pid
        data = psutil.Process(pid).memory_info().data  # counts what the limit counts
        resource.prlimit(pid, resource.RLIMIT_DATA, (data + (8 << 20), data + (8 << 20)))
        with pytest.raises(ToolDied, match=r"out of memory"):
            await getattr(tools, tool)(one_file(numbers))
        assert await getattr(tools, tool)(SMALL) is not None


# ---------------------------------------------------------------- more than one at a time


async def test_builds_at_the_same_time_do_not_see_each_other(v8: V8) -> None:
    async with Toolchain() as tools:
        projects = [
            one_file(
                f"import {{ x }} from './b{n}'; globalThis.out = x", **{f"b{n}": f"export const x = {n}"}
            )
            for n in range(6)
        ]
        built = await asyncio.gather(*(tools.bundle(project) for project in projects))
        assert len(tools._children) == 2
    assert [v8.value(one.bundle.code, of="out") for one in built] == list(range(6))


async def test_a_build_and_a_check_at_the_same_time() -> None:
    async with Toolchain() as tools:
        built, found = await asyncio.gather(tools.bundle(twenty_files()), tools.check(twenty_files()))
        assert built.bundle
        assert found == []


async def test_a_slow_build_does_not_hold_up_others() -> None:
    async with Toolchain(ToolLimits(children=2)) as tools:
        slow = asyncio.create_task(tools.bundle(SLOW))
        await asyncio.sleep(0)
        for _ in range(3):
            await tools.bundle(SMALL)
        assert not slow.done()
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow


async def test_the_line_is_bounded_in_length() -> None:
    async with Toolchain(ToolLimits(children=1, waiting=1)) as tools:
        build = await busy_with(tools)
        waiting = asyncio.create_task(tools.bundle(SMALL))
        await asyncio.sleep(0)
        with pytest.raises(ToolBusy, match=r"1 calls waiting"):
            await tools.bundle(SMALL)
        build.cancel()
        assert (await waiting).bundle


async def test_the_line_is_bounded_in_time() -> None:
    async with Toolchain(ToolLimits(children=1, waiting_seconds=0.1)) as tools:
        build = await busy_with(tools)
        with pytest.raises(ToolBusy, match=r"busy for 0.1 s"):
            await tools.bundle(SMALL)
        build.cancel()


async def test_an_installation_without_the_tools_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Path:
        raise AssetsMissing(f"{name} is missing from this installation; run `make setup`")

    monkeypatch.setattr("flora_core.toolchain.toolchain.asset", missing)
    async with Toolchain() as tools:
        with pytest.raises(AssetsMissing, match=r"make setup"):
            await tools.bundle(SMALL)


# ---------------------------------------------------------------- children that do not keep their word


@pytest.mark.skipif(sys.platform == "win32", reason="the impostor is a shell script")
@pytest.mark.parametrize(
    ("script", "text"),
    [
        (r"printf '\004\000\000\000oops'; sleep 9", "something else than an answer"),
        (r"printf '\377\377\377\377'; sleep 9", "announced an answer of 4294967295 bytes"),
        (r"printf '\010\000\000\000half'", "ended with status 0; it said: nothing"),
        ("echo oh no >&2; exit 3", "ended with status 3; it said: oh no"),
        ("echo fatal error: out of memory >&2; exit 2", "ran out of memory"),
        ("kill -9 $$", "killed from outside"),
        ("kill -6 $$", "ran out of memory"),
    ],
)
async def test_a_child_that_gives_no_answer_is_explained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, text: str
) -> None:
    impostor = tmp_path / "python"
    impostor.write_text(f"#!/bin/sh\n{script}\n")
    impostor.chmod(0o755)
    monkeypatch.setattr("flora_core.toolchain.process.sys.executable", str(impostor))
    async with Toolchain(ONE) as tools:
        with pytest.raises(ToolDied, match=text):
            await tools.bundle(SMALL)
        assert not tools._children


async def test_a_child_that_cannot_be_started_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flora_core.toolchain.process.sys.executable", "/nowhere/python")
    async with Toolchain(ONE) as tools:
        with pytest.raises(ToolDied, match=r"cannot be started: .*No such file"):
            await tools.bundle(SMALL)
