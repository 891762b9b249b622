"""Child processes: started on a core, heard once, and gone when the benchmark is.

A child says where it listens in one JSON line on standard output, as flora's components do. It is started
in a session of its own, so that Ctrl-C reaches only this process, which then stops its children in order;
``FLORA_PARENT_PID`` lets them end by themselves when this process is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from bench.machine import pinned
from flora_core.process import PARENT_VARIABLE

START_SECONDS: Final = 20.0
STOP_SECONDS: Final = 8.0

_PASSED_ON: Final = ("PATH", "HOME", "LANG", "PYTHONPATH", "TMPDIR", "VIRTUAL_ENV")
_REPOSITORY: Final = Path(__file__).resolve().parent.parent


class ProcessFailed(Exception):
    """A child did not start, or is gone; the text has its last words."""


class _Listening(msgspec.Struct):
    url: str
    internal: str = ""


class Child:
    """A running child process."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name: Final = name
        self.process: Final = process
        self._log = log
        self.url = ""
        self.internal = ""
        """The API's port for pods; of others none."""

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    async def line(self, *, seconds: float) -> bytes:
        """The next line of its standard output; raises ProcessFailed when none comes in time."""
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(seconds):
                line = await self.process.stdout.readline()
        except TimeoutError:
            raise ProcessFailed(f"{self.name} said nothing for {seconds:g} s; {self.last_words()}") from None
        if not line:
            raise ProcessFailed(f"{self.name} ended; {self.last_words()}")
        return line

    async def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL after a while."""
        if not self.alive:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.process.wait()
        except TimeoutError:
            await self.kill()

    def last_words(self) -> str:
        """The end of what it wrote to standard error."""
        lines = [line for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        return (
            "its log ends: " + " | ".join(line[:300] for line in lines[-3:]) if lines else "it logged nothing"
        )


async def start(
    name: str,
    arguments: Sequence[str],
    *,
    core: int | None,
    logs: Path,
    environment: Mapping[str, str] | None = None,
    announces: bool = True,
) -> Child:
    """Start ``arguments`` on ``core`` (None: any), and wait for the address it announces.

    Raises ProcessFailed.
    """
    log = logs / f"{name}.log"
    passed = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    own = {PARENT_VARIABLE: str(os.getpid()), "FLORA_CONFIG": "", **(environment or {})}
    with log.open("ab") as stderr, pinned(core):
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env=passed | own,
            cwd=_REPOSITORY,
            start_new_session=True,
            limit=1 << 24,
        )
    child = Child(name, process, log)
    if announces:
        try:
            said = msgspec.json.decode(await child.line(seconds=START_SECONDS), type=_Listening)
            child.url, child.internal = said.url, said.internal
        except BaseException:
            await child.stop()
            raise
    return child


def python(module: str, *arguments: str) -> list[str]:
    """The command for a module under this interpreter."""
    return [sys.executable, "-m", module, *arguments]


@asynccontextmanager
async def running(child: Child) -> AsyncIterator[Child]:
    """Stop ``child`` at the end."""
    try:
        yield child
    finally:
        await child.stop()
