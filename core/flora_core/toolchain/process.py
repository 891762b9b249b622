"""One child process of the toolchain, as its parent sees it: start, ask, kill.

A child is asked by one task at a time. Whatever goes wrong, it is killed: nothing in it is worth saving.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio import IncompleteReadError
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from typing import Final

import msgspec

from flora_core.errors import ToolDied
from flora_core.toolchain.frames import ANSWER_LIMIT, HEADER, Answer, Request, encode

_INHERITED: Final = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""What an interpreter may need to start. All else stays here: the parent's environment holds secrets."""

_STDERR_SHOWN: Final = 500
_FATAL: Final = (-5, -4, -6)
"""SIGTRAP, SIGILL, SIGABRT: how V8 gives up, which it does when it gets no memory."""


class Child:
    """A running tool process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.answered = 0
        self.rss = 0
        """Bytes, as of its last answer."""
        self._ending: asyncio.Future[tuple[bytes, bytes]] | None = None

    @classmethod
    async def start(cls) -> Child:
        """A new process; raises ToolDied when the system has none to give."""
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        command = (sys.executable, "-I", "-m", "flora_core.toolchain.child", str(os.getpid()))
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment
            )
        except OSError as error:
            raise ToolDied(f"a tool process cannot be started: {error}") from None
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def ask(self, request: Request) -> Answer:
        """The child's answer; raises ToolDied when there will be none. Has no time limit of its own."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(encode(request))
            await stdin.drain()
            (size,) = HEADER.unpack(await stdout.readexactly(HEADER.size))
            if size > ANSWER_LIMIT:
                raise ToolDied(f"a tool process announced an answer of {size} bytes; it was ended")
            answer = msgspec.json.decode(await stdout.readexactly(size), type=Answer)
        except (IncompleteReadError, ConnectionError):
            raise ToolDied(await self._last_words()) from None
        except msgspec.DecodeError as error:
            raise ToolDied(f"a tool process answered with something else than an answer: {error}") from None
        self.answered += 1
        self.rss = answer.rss
        return answer

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> None:
        """``kill``, and wait until the process is gone and its pipes are closed."""
        if self._ending is None:
            self.kill()
            # Pipes close only when they are read to their end.
            self._ending = asyncio.ensure_future(self._process.communicate())
        await asyncio.shield(self._ending)  # goes on though the caller be cancelled again

    async def _last_words(self) -> str:
        """Why the process ended, as far as that shows from outside."""
        stderr = self._process.stderr
        assert stderr is not None
        said = (await stderr.read()).decode(errors="replace").strip()
        status = await self._process.wait()
        if status in _FATAL or "out of memory" in said.lower():
            return "a tool process ran out of memory; make the sources smaller"
        if status == -9:
            return (
                "a tool process was killed from outside, most likely because the machine is short of memory"
            )
        return f"a tool process ended with status {status}; it said: {said[-_STDERR_SHOWN:] or 'nothing'}"
