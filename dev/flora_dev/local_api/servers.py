"""A database server as a child: started, waited for, stopped in order, and never left behind.

Whoever starts one is a child of ``flora dev`` itself and ends with it (``outlive_no_parent``). Should that
process be killed, Linux tells the server to stop; elsewhere the next session finds it by what it left in its
folder, and ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib.util
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from flora_core.errors import FloraError
from flora_dev.processes import last_words

READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 3.0
"""For each of two signals, before SIGKILL."""
POLL_SECONDS: Final = 0.05

_PR_SET_PDEATHSIG: Final = 1


class CannotServe(FloraError):
    """A database server cannot be had here; the text says why."""


class Server:
    """A running one."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name: Final = name
        self._process = process
        self._log = log

    @classmethod
    async def start(cls, name: str, command: Sequence[str | Path], *, log: Path, **options: Any) -> Server:
        """Start ``command``; what it says goes to ``log``. Raises CannotServe."""
        try:
            with log.open("ab") as out:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,  # Ctrl-C is ours to pass on, in order
                    preexec_fn=_end_with_parent(),
                    **options,
                )
        except OSError as error:
            raise CannotServe(f"{name} cannot be started: {error.strerror or error}") from None
        return cls(name, process, log)

    async def wait_until(self, answers: Callable[[], Awaitable[bool]]) -> None:
        """Return when it ``answers``; raises CannotServe when it ends instead, or takes too long."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not await answers():
                    if self._process.returncode is not None:
                        raise CannotServe(f"{self.name} ended at once: {last_words(self._log)}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            text = f"{self.name} was not ready within {READY_SECONDS:g} s: {last_words(self._log)}"
            raise CannotServe(text) from None

    async def stop(self, *signals: signal.Signals) -> None:
        """Each of ``signals`` in its turn, then SIGKILL."""
        for number in (*signals, signal.SIGKILL):
            if self._process.returncode is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self._process.wait()


def installed(package: str) -> Path:
    """The folder of a wheel that brings programs, without importing it; raises CannotServe."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise CannotServe(
            f"the package {package.replace('_', '-')} is not installed: pip install 'flora[dev]'"
        )
    return Path(spec.origin).parent


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _end_with_parent() -> Callable[[], None] | None:
    """What the child does before it becomes the server: ask Linux for SIGINT when its parent is gone."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
