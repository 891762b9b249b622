"""Gateway, runtime pod and simulator under what the chart's securityContext leaves them: another user than root,
no capabilities, no new privileges, and a root file system that is read-only but for the data volume and /tmp."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

import flora_runtime
from flora_simulator import DEV_GUILD, SimulatorClient
from tests.integration.fleet.fleet import Fleet

USER = 10001

LOCKED = """#!/bin/sh
exec unshare --mount --propagation private sh -c '
mount --bind "$0" "$0" && mount -o remount,bind,ro / && mount -t tmpfs tmpfs /mnt{keep} &&
     mount --rbind /mnt /tmp || exit 70
exec unshare --user --map-user={user} --map-group={user} \\
     setpriv --no-new-privs --inh-caps=-all "$@"' {volume} {python} "$@"
"""

KEEP = " && mkdir -p {place} && mount --bind {code} {place} && mount -o remount,bind,ro {place}"
"""Where flora itself is in /tmp it has to stay there."""

CODE = Path(__file__).parents[3]
TMP = Path("/tmp")

ATTEMPTS = """
import os
print(os.getuid(), os.getgid(), open("/proc/self/status").read().partition("CapEff:")[2].split()[0])
for path in ("{volume}/x", "/tmp/x", "/x", "/var/tmp/x", "{package}/x", os.path.expanduser("~/x")):
    try:
        open(path, "w").close()
        print("written")
    except OSError:
        print("refused")
"""


@pytest.fixture
def volume() -> Iterator[Path]:
    """A folder for data; not in /tmp, which is another one inside."""
    folder = Path(tempfile.mkdtemp(prefix="flora-test-volume-", dir="/var/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def locked_python(volume: Path, tmp_path: Path) -> Path:
    """A Python that runs as a pod would, with ``volume`` mounted."""
    script = tmp_path / "python"
    keep = ""
    if CODE.is_relative_to(TMP):
        keep = KEEP.format(place=Path("/mnt") / CODE.relative_to(TMP), code=CODE)
    python = shlex.quote(sys.executable)
    script.write_text(LOCKED.format(user=USER, volume=shlex.quote(str(volume)), python=python, keep=keep))
    script.chmod(0o755)
    try:
        subprocess.run([script, "-c", ""], check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", b"") or str(error).encode()
        pytest.skip(f"this machine lets nobody make mount and user namespaces: {reason.decode()[-200:]}")
    return script


@pytest.fixture
async def fleet(volume: Path, locked_python: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fleet]:
    """Gateway and runtime pod locked down; their control plane and Discord in this process."""
    monkeypatch.setattr(sys, "executable", str(locked_python))
    running = Fleet(volume)
    await running.start()
    await running.deploy(
        "on('messageCreate', async (ctx) => {"
        " await ctx.reply('re: ' + ctx.msg.content + ' ' + await kv.store('count').incr('n')); });"
    )
    await running.ready()
    yield running
    await running.stop()


def test_the_lock_is_one(volume: Path, locked_python: Path) -> None:
    code = ATTEMPTS.format(volume=volume, package=Path(flora_runtime.__file__).parent)
    done = subprocess.run([locked_python, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == [str(USER), str(USER), "0" * 16, "written", "written", *["refused"] * 4]


async def test_messages_are_answered_and_values_kept(fleet: Fleet) -> None:
    for number in range(3):
        await fleet.people.post(str(number))
        await fleet.wait_answers({f"re: {number} {number + 1}"})
    metrics = await fleet.metrics(fleet.runtime)
    for wall in ("landlock", "seccomp"):
        assert f'flora_runtime_walls{{wall="{wall}"}} 1.0' in metrics
    assert "flora_runtime_restarts_total{" not in metrics


async def test_a_restart_finds_what_the_volume_keeps(fleet: Fleet) -> None:
    assert fleet.runtime is not None
    assert fleet.gateway is not None
    await fleet.people.post("one")
    await fleet.wait_answers({"re: one 1"})
    await fleet.stop_control()
    await fleet.runtime.stop()
    await fleet.gateway.stop()
    await fleet.start_gateway()
    await fleet.start_runtime()
    await fleet.people.post("two")
    await fleet.wait_answers({"re: two 2"})
    await fleet.ready()


async def test_a_worker_that_is_killed_is_replaced(fleet: Fleet) -> None:
    assert fleet.runtime is not None
    for worker in psutil.Process(fleet.runtime.pid).children(recursive=True):
        worker.kill()
    await fleet.people.post("after")
    await fleet.wait_answers({"re: after 1"})


async def test_the_simulator_needs_no_more(locked_python: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        locked_python, "-m", "flora_simulator.main", "--port", "0", stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    url = json.loads(await process.stdout.readline())["url"]
    async with SimulatorClient(url) as people:
        assert (await people.post_in(DEV_GUILD, "hello")).listeners == 0
    process.terminate()
    async with asyncio.timeout(10):
        assert await process.wait() == 0
