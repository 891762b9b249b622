"""Components as child processes: what they are given, how they start, and how they are made to end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from flora_core.process import PARENT_VARIABLE
from flora_dev import processes
from flora_dev.processes import Component, ComponentFailed

SAYS = 'import sys, time\nprint(\'{"event":"listening","url":"http://here"}\', flush=True)\n'

SCRIPTS = {
    "obedient": SAYS + "print('first', file=sys.stderr)\ntime.sleep(60)",
    "deaf": "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SAYS + "time.sleep(60)",
    "mute": "import time\ntime.sleep(60)",
    "failing": "import sys\nprint('trying', file=sys.stderr)\nsys.exit('PORT: cannot listen\\n\\n')",
    "silent": "",
    "dying": SAYS + "print('out of luck', file=sys.stderr)\nsys.exit(3)",
}

Start = Callable[..., Awaitable[Component]]


@pytest.fixture
async def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    """Starts one of SCRIPTS as if it were a component."""
    for name, script in SCRIPTS.items():
        (tmp_path / f"component_{name}.py").write_text(script)
        monkeypatch.setitem(processes.MODULES, name, f"component_{name}")  # pyright: ignore[reportArgumentType]
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    started: list[Component] = []

    async def starter(name: str, **environment: str) -> Component:
        started.append(await Component.start(name, environment, logs=tmp_path))
        return started[-1]

    yield starter
    for component in started:
        await component.stop()


def children() -> list[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    return [child for child in found if "component_" in " ".join(_command_of(child))]


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.ZombieProcess:
        return []


async def test_a_component_is_up_when_it_says_where(start: Start, tmp_path: Path) -> None:
    component = await start("obedient")
    assert component.url == "http://here"
    log = tmp_path / "obedient.log"
    async with asyncio.timeout(5):
        while log.stat().st_size == 0:
            await asyncio.sleep(0.01)
    assert log.read_text() == "first\n"


async def test_a_component_gets_its_own_settings_and_no_secret_of_ours(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "secret")
    monkeypatch.setenv("GATEWAY_PORT", "1")
    monkeypatch.setenv("FLORA_CONFIG", "mine.toml")
    component = await start("obedient", RUNTIME_PORT="0")
    environment = psutil.Process(component.pid).environ()
    assert environment["RUNTIME_PORT"] == "0"
    assert environment[PARENT_VARIABLE] == str(os.getpid())
    assert environment["FLORA_CONFIG"] == ""
    assert "secret" not in environment.values()
    assert "GATEWAY_PORT" not in environment


async def test_ctrl_c_at_the_terminal_does_not_reach_a_component(start: Start) -> None:
    component = await start("obedient")
    assert os.getpgid(component.pid) == component.pid


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("failing", "failing did not start: PORT: cannot listen"),
        ("silent", "silent did not start: it said noth"),
    ],
)
async def test_a_component_that_ends_at_once_is_told_with_its_last_words(
    start: Start, name: str, text: str
) -> None:
    with pytest.raises(ComponentFailed, match=text):
        await start(name)
    assert children() == []


async def test_a_component_that_never_says_anything_is_not_left_behind(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "START_SECONDS", 0.2)
    with pytest.raises(ComponentFailed, match=r"mute did not start within 0\.2 s; see .*mute\.log"):
        await start("mute")
    assert children() == []


async def test_a_start_that_is_given_up_leaves_no_process(start: Start) -> None:
    starting = asyncio.ensure_future(start("mute"))
    async with asyncio.timeout(5):
        while not children():
            await asyncio.sleep(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert children() == []


async def test_a_component_that_dies_by_itself_says_how(start: Start) -> None:
    component = await start("dying")
    with pytest.raises(ComponentFailed, match="dying ended with status 3: out of luck"):
        await component.ended()
    await component.stop()


async def test_a_component_that_is_killed_says_so(start: Start) -> None:
    component = await start("obedient")
    os.kill(component.pid, signal.SIGKILL)
    with pytest.raises(ComponentFailed, match="obedient ended with status -9"):
        await component.ended()


async def test_a_component_that_does_not_listen_to_reason_is_killed(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.1)
    component = await start("deaf")
    await component.stop()
    assert not psutil.pid_exists(component.pid)
    await component.stop()
