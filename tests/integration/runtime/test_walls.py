"""What is left to a script that gets out of V8: nothing, and a worker that works all the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flora_core.wire import pipe
from flora_core.wire.control import Outcome
from flora_core.wire.pipe import Kind, Ready
from flora_runtime.worker.walls import landlock
from tests.integration.runtime import walled_worker
from tests.integration.runtime.worker_under_test import WorkerUnderTest

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="walls are Linux's"),
    pytest.mark.parity(45),
]

PONG = "on('messageCreate', async (ctx) => { await ctx.reply('pong'); });"
REFUSED = {"EPERM", "EACCES", "ENOSYS"}


@pytest.fixture
async def walled() -> AsyncIterator[WorkerUnderTest]:
    worker = WorkerUnderTest(program=(str(Path(walled_worker.__file__)),))
    try:
        await worker.start()
        yield worker
    finally:
        await worker.stop()


async def outcomes(worker: WorkerUnderTest) -> Any:
    line = await worker.wait_log("outcomes", walled_worker.GUILD)
    return msgspec.json.decode(line.text)


async def test_everything_a_worker_does_not_need_is_refused_on_all_its_threads(
    walled: WorkerUnderTest,
) -> None:
    found = await outcomes(walled)
    for where in ("outcomes", "on a thread"):
        assert set(found[where]) == set(walled_worker.ATTEMPTS)
        allowed = {name: outcome for name, outcome in found[where].items() if outcome not in REFUSED}
        assert allowed == {}, where


async def test_it_has_no_files_but_its_own(walled: WorkerUnderTest) -> None:
    files = list((await outcomes(walled))["files"].values())
    ours = {"/dev/null", "socket", "anon_inode"}
    others = sorted({name for name in files[3:] if name not in ours})  # 0, 1 and 2 come first
    assert others == ["/memfd:flora-flight (deleted)", f"/proc/{walled.process.pid}/task"]
    assert files.count("socket") == 1, "the pipe"


async def test_its_environment_is_empty_and_it_leaves_no_core_behind(walled: WorkerUnderTest) -> None:
    found = await outcomes(walled)
    assert found["environment"] == {"TZ": "UTC"}
    limits = of_kernel(walled, "limits")
    assert re.search(r"Max core file size +0 +0 ", limits)


def of_kernel(worker: WorkerUnderTest, file: str) -> str:
    return Path(f"/proc/{worker.process.pid}/{file}").read_text()


async def test_after_that_it_works_as_before(walled: WorkerUnderTest) -> None:
    await outcomes(walled)
    for guild in ("1", "2", "3"):
        await walled.deploy(PONG, guild=guild)
        walled.event(guild=guild)
        await walled.wait_ops(1, guild)
    walled.start_deploy("throw new Error('on purpose')", guild="4")
    assert "on purpose" in (await walled.failed("4")).error.message
    loop = "on('messageCreate', () => { for (;;); });"
    await walled.deploy(loop, guild="5")
    walled.event(guild="5")
    assert (await walled.recycled("5")).outcome is Outcome.EXCEEDED_CPU


async def test_seeds_come_from_us_where_v8_cannot_open_its_source(walled: WorkerUnderTest) -> None:
    script = "console.log('seed', Math.random(), crypto.randomUUID()); "
    for guild in ("1", "2"):
        await walled.deploy(script, guild=guild)
    first = await walled.wait_log("seed", "1")
    second = await walled.wait_log("seed", "2")
    assert first.text != second.text


async def test_dates_need_no_file(walled: WorkerUnderTest) -> None:
    script = "console.log('at', new Date(0).toString(), new Date(0).toLocaleString('de', { timeZone: 'Asia/Tokyo' }))"
    await walled.deploy(script)
    line = await walled.wait_log("at")
    assert "GMT+0000" in line.text
    assert "9:00:00" in line.text


async def test_its_walls_are_told_and_may_be_left_off() -> None:
    up, off = WorkerUnderTest(), WorkerUnderTest()
    try:
        await up.start()
        await off.start(walls=False)
        standing = pipe.decode(up.of(Kind.READY)[0], Ready)
        assert "seccomp" in standing.walls
        assert ("landlock" in standing.walls) == (landlock.abi() > 0)
        assert pipe.decode(off.of(Kind.READY)[0], Ready).walls == []
    finally:
        await up.stop()
        await off.stop()


async def test_the_kernel_says_so_too(walled: WorkerUnderTest) -> None:
    await outcomes(walled)
    status = of_kernel(walled, "status").splitlines()
    facts = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    assert facts["NoNewPrivs"] == "1"
    assert facts["Seccomp"] == "2"


ALONE = """
import ctypes, errno, os, socket, sys
from flora_runtime.worker.walls import landlock
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
known = landlock.abi()
landlock.restrict(known)
for attempt in (lambda: open("/etc/passwd"), lambda: os.listdir("/"), lambda: open("/tmp/walled", "w")):
    try:
        attempt()
    except PermissionError:
        pass
    else:
        sys.exit("a file could be opened")
if known >= landlock.NETWORK_ABI:
    try:
        socket.socket().connect(("127.0.0.1", 9))
    except PermissionError:
        pass
    else:
        sys.exit("a connection could be made")
if known >= landlock.SCOPE_ABI:
    try:
        os.kill(os.getppid(), 0)
    except PermissionError:
        pass
    else:
        sys.exit("the parent could be signalled")
"""


@pytest.mark.skipif(landlock.abi() == 0, reason="this kernel has no landlock")
def test_landlock_alone_closes_files_network_and_signals() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")


BARE = """
from flora_runtime.worker.walls import put_up
import flora_runtime.worker.walls.standing as module
{change}
standing = put_up()
print(sorted(standing.walls), standing.warnings)
"""


@pytest.mark.parametrize(
    ("change", "walls", "warning"),
    [
        ("module.landlock.abi = lambda: 0", "['seccomp']", "no landlock"),
        ("module.landlock.abi = lambda: 3", "['landlock', 'seccomp']", "does not know the network"),
        ("module.this_machine = lambda: None", "['landlock']", "no seccomp filter"),
        ("module.sys.platform = 'darwin'", "[]", "for development only"),
    ],
)
@pytest.mark.skipif(landlock.abi() < landlock.NETWORK_ABI, reason="shown on a kernel that has all of them")
def test_a_missing_wall_is_said_and_the_others_stand(change: str, walls: str, warning: str) -> None:
    code = BARE.format(change=change)
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.stdout.startswith(walls), ran.stderr
    assert warning in ran.stdout


def test_a_worker_goes_with_whoever_started_it() -> None:
    """Killed with -9, a supervisor can close nothing by itself."""
    code = (
        "import ctypes, os, sys, time\n"
        "from flora_runtime.worker.walls import put_up\n"
        "put_up(); print(os.getpid(), flush=True); time.sleep(60)"
    )
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {code!r}]).wait()"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        child = int(supervisor.stdout.readline())
        handle = os.pidfd_open(child)
        supervisor.kill()
        import select  # noqa: PLC0415  Linux only

        poll = select.poll()
        poll.register(handle, select.POLLIN)
        assert poll.poll(10_000), "it lives on"
        os.close(handle)


async def test_stacks_are_mapped_behind_the_walls(walled: WorkerUnderTest) -> None:
    """The mapper's isolate is made with the first error: what it runs was read before."""
    code = "on('messageCreate', () => { throw new Error('behind'); });"
    await walled.deploy(code, source_map='{"version":3,"sources":["src/a.ts"],"names":[],"mappings":"AAAA"}')
    walled.event()
    assert "behind" in (await walled.wait_log("behind")).text
    assert walled.gone is None
