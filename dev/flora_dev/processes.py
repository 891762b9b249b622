"""flora's components as child processes, as a pod would run them: configured by environment alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from flora_core.errors import FloraError
from flora_core.process import PARENT_VARIABLE

START_SECONDS: Final = 15.0
STOP_SECONDS: Final = 8.0

MODULES: Final = {
    "simulator": "flora_simulator.main",
    "gateway": "flora_gateway.main",
    "runtime": "flora_runtime.supervisor.main",
    "api": "flora_dev.local_api.main",
}

# Ours, and nothing else of the environment: a DISCORD_TOKEN meant for one component must not reach another.
_PASSED_ON: Final = (
    "PATH",
    "HOME",
    "LANG",
    "PYTHONPATH",
    "PYTHONHOME",
    "SSL_CERT_FILE",
    "TMPDIR",
    "VIRTUAL_ENV",
)


class ComponentFailed(FloraError):
    """A component ended, or did not start; the text says why, and where its log is."""


class Component:
    """A running component."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name: Final = name
        self._process = process
        self._log = log
        self.url = ""
        self.internal = ""
        """Where flora's own parts reach it, when that is another port."""

    @classmethod
    async def start(
        cls,
        name: str,
        environment: Mapping[str, str],
        *,
        logs: Path,
        seconds: float | None = None,
    ) -> Component:
        """Start ``name`` and wait until it says where it listens; raises ComponentFailed."""
        seconds = START_SECONDS if seconds is None else seconds
        log = logs / f"{name}.log"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                MODULES[name],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                env=_environment(environment),
                start_new_session=True,  # Ctrl-C is ours to pass on, in order
            )
        component = cls(name, process, log)
        try:
            async with asyncio.timeout(seconds):
                said = await component._listening()
                component.url, component.internal = said.url, said.internal
        except TimeoutError:
            await component.stop()
            raise ComponentFailed(f"{name} did not start within {seconds:g} s; see {log}") from None
        except BaseException:
            await component.stop()
            raise
        return component

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ended(self) -> None:
        """Return never; raises ComponentFailed when the process ends by itself."""
        status = await self.stopped()
        raise ComponentFailed(f"{self.name} ended with status {status}: {last_words(self._log)}")

    async def stopped(self) -> int:
        """Its exit status, once it has ended."""
        return await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL after a while."""
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _listening(self) -> _Listening:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            await self._process.wait()
            raise ComponentFailed(f"{self.name} did not start: {last_words(self._log)}")
        return msgspec.json.decode(line, type=_Listening)


def last_words(log: Path) -> str:
    """The end of a process's log, where the reason stands."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:500] if lines else f"it said nothing; see {log}"


class _Listening(msgspec.Struct):
    url: str
    internal: str = ""


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed, PARENT_VARIABLE: str(os.getpid()), "FLORA_CONFIG": "", **own}
