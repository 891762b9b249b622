"""One worker process, from spawn to reap, and the pipe to it.

The process is started, never forked from here: V8 and threads do not survive a fork. It gets an empty
environment but for what Python needs to find flora, no files but its end of the pipe and the flight
recorder's page, and no standard input. Closing the pipe ends it; so does SIGKILL, which is the only signal
that helps when V8 hangs.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from flora_core.errors import WireError
from flora_core.streams import Coalescer
from flora_core.wire import pipe
from flora_core.wire.pipe import Frame, Kind
from flora_runtime.flight import FlightRecorder, open_page

PIPE_BUFFER: Final = 1 << 20
REAP_SECONDS: Final = 5.0


class Ended(StrEnum):
    """Why a worker process is gone."""

    BY_ITSELF = "died"
    PROTOCOL = "protocol"
    SILENT = "silent"
    STUCK = "stuck"
    MEMORY = "memory"
    STOPPED = "stopped"


OnFrame = Callable[[Frame], None]
OnGone = Callable[[Ended, str], None]


class WorkerProcess(asyncio.Protocol):
    """A running worker. ``on_gone`` is called once, with the reason, when its pipe is closed."""

    def __init__(
        self,
        *,
        on_frame: OnFrame,
        on_gone: OnGone,
        program: Sequence[str] = ("-m", "flora_runtime.worker.main"),
    ) -> None:
        self._on_frame = on_frame
        self._on_gone = on_gone
        self._splitter = pipe.FrameSplitter()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._coalescer = Coalescer(self._flush)
        self._loop = asyncio.get_running_loop()
        self._reason, self._detail = Ended.BY_ITSELF, "it ended by itself"
        self._lived = True
        """Whether there was a sign of life since the last look."""
        self._written = 0
        self._waiting = self._taken = 0
        """Bytes that waited, and that had left, at the last look."""
        page = open_page()
        self.recorder: Final = FlightRecorder(page)
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PIPE_BUFFER)
        self._socket = ours
        self.process: Final = subprocess.Popen(  # noqa: S603  our own interpreter and module
            [sys.executable, *program, str(theirs.fileno()), str(page)],
            pass_fds=[theirs.fileno(), page],
            env=_environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=False,
        )
        theirs.close()
        os.close(page)

    async def connect(self) -> None:
        """Take up the pipe."""
        await self._loop.connect_accepted_socket(lambda: self, self._socket)

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, kind: Kind, body: bytes = b"", *, guild: str = "") -> None:
        """Send a frame, or queue it: those of a burst are written at once."""
        self._out.append(pipe.encode(kind, body, guild=guild))
        self._coalescer.added()

    def kill(self, reason: Ended, detail: str) -> None:
        """End the process now. ``on_gone`` follows."""
        self._reason, self._detail = reason, detail
        self.process.kill()
        if self._transport is not None:
            self._transport.abort()

    async def reap(self) -> int:
        """Wait for the process to be gone, killing it after a while; its exit status."""
        deadline = self._loop.time() + REAP_SECONDS
        try:
            while self.process.poll() is None:
                if self._loop.time() > deadline:
                    self.process.kill()
                await asyncio.sleep(0.01)
        finally:  # cancelled: the last thing that is waited for, and after SIGKILL not for long
            self.process.kill()
            self.process.wait(REAP_SECONDS)
            self.recorder.close()
        return self.process.returncode

    def lived(self) -> bool:
        """Whether it said something since the last call, or took something of what waits for it.

        A ping waits behind what was sent before it, which may be a hundred megabytes of answers to fetches.
        While some of it waits here the socket is full, and what leaves then was read on the other side.
        """
        waiting = self._transport.get_write_buffer_size() if self._transport is not None else 0
        taken = self._written - waiting
        lived = self._lived or (self._waiting > 0 and taken > self._taken)
        self._lived, self._waiting, self._taken = False, waiting, taken
        return lived

    def rss_bytes(self) -> int:
        """Resident memory; 0 where the platform does not tell."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    # ---------------------------------------------------------------- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._lived = True
        try:
            for frame in self._splitter.feed(data):
                self._on_frame(frame)
        except WireError as error:
            self.kill(Ended.PROTOCOL, str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self.process.kill()
        self._on_gone(self._reason, self._detail)

    def _flush(self) -> None:
        data, self._out = b"".join(self._out), []
        if self._transport is not None:
            self._written += len(data)
            self._transport.write(data)


def _environment() -> dict[str, str]:
    """What a worker may know of ours: where Python's modules are."""
    kept = ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SYSTEMROOT")
    return {"PYTHONUNBUFFERED": "1", "TZ": "UTC"} | {
        name: os.environ[name] for name in kept if name in os.environ
    }
