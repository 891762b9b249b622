"""One real worker process, driven over its real pipe by a loop that answers every op at once.

The driver stands where the supervisor stands, on the other core: it deploys, sends EVENT frames, and for
each op in a TURN frame sends the RESULT frame straight back. So what is measured is everything a worker
does for an event: frame in, JSON into the isolate, the turn with its limits and flight record, outbox out,
TURN frame, RESULT frame in, a second turn. No gateway, no supervisor, no backlog.

Synchronous on purpose: one socket, one thread, nothing to schedule.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from bench import payloads
from bench.machine import Meter, cores, pinned
from bench.processes import ProcessFailed
from flora_core.toolchain import Bundle
from flora_core.wire import pipe
from flora_core.wire.control import DEFAULT_LIMITS
from flora_core.wire.pipe import Configure, Deploy, FailedIn, Frame, Kind, LoadedIn, Turn
from flora_runtime.flight import open_page

PIPE_BUFFER: Final = 1 << 20
PATIENCE_SECONDS: Final = 15.0
DISTINCT_EVENTS: Final = 1000

_turn: Final = msgspec.json.Decoder(Turn).decode


class Spent(NamedTuple):
    """What a number of events took."""

    events: int
    cpu: float
    """Seconds of the worker process, all threads."""
    wall: float
    turns: int
    """Turns that started events."""

    @property
    def per_core(self) -> float:
        """Events a second of one core."""
        return self.events / self.cpu


class WorkerPipe:
    """A running worker with ``guilds`` isolates to be. Use ``worker_pipe`` to make one."""

    def __init__(self, process: subprocess.Popen[bytes], connection: socket.socket, guilds: int) -> None:
        self.process: Final = process
        self._socket = connection
        self._splitter = pipe.FrameSplitter()
        self._frames: deque[Frame] = deque()
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self.guilds: Final = guilds
        self._numbers = [0] * guilds
        self._next_guild = 0
        self._answer = payloads.sent_answer()
        # What is sent for an event is made beforehand, but for its number: the driver must not be the limit.
        self._events = [payloads.worker_event(0, number) for number in range(DISTINCT_EVENTS)]

    @property
    def pid(self) -> int:
        return self.process.pid

    # ---------------------------------------------------------------- deploying

    def configure(self, limits: Mapping[str, Any]) -> None:
        """Say what a supervisor says first, and wait until the worker is ready."""
        configure = Configure(index=0, cores=[cores().tested], **limits)
        self._send(Kind.CONFIGURE, msgspec.json.encode(configure))
        self._wait(Kind.READY)

    def deploy(self, guild: int, bundle: Bundle) -> float:
        """Create an isolate and load ``bundle`` in it; milliseconds as the worker counts them."""
        deploy = Deploy(
            revision=1,
            bundle=bundle.sha256,
            code=bundle.code,
            source_map=bundle.source_map,
            limits=DEFAULT_LIMITS,
            seed=f"s{guild}",
            slot=guild,
        )
        self._send(Kind.DEPLOY, msgspec.json.encode(deploy), guild=guild)
        return msgspec.json.decode(self._wait(Kind.LOADED).body, type=LoadedIn).milliseconds

    # ---------------------------------------------------------------- events

    def run(self, seconds: float, *, batch: int, in_flight: int) -> Spent:
        """Events for ``seconds``: ``in_flight`` guilds have ``batch`` events each at any time.

        A guild's next events are sent after those of all other guilds, when its handlers have long been
        answered: so an event is one turn, and the answers to a batch are one more.
        """
        meter = Meter([self.pid])
        end = time.monotonic() + seconds
        begun = answered = turns = 0
        out: list[bytes] = []
        for _ in range(in_flight):
            out += self._batch(batch)
            begun += batch
        self._socket.sendall(b"".join(out))
        while answered < begun:
            more = time.monotonic() < end
            out = []
            for frame in self._receive():
                if frame.kind is not Kind.TURN:
                    self._refuse(frame)
                    continue
                turn = _turn(frame.body)
                turns += bool(turn.started)
                guild = int(frame.guild)
                for call in turn.ops:
                    out.append(_encode(Kind.RESULT, guild, b"[%d,true,%b]" % (call.id, self._answer)))
                answered += len(turn.ops)
                if more and len(turn.ops) == batch:
                    out += self._batch(batch)
                    begun += batch
                elif more:  # a batch that was cut in two: make up for what its parts gave
                    self._short += len(turn.ops)
                    if self._short >= batch:
                        self._short -= batch
                        out += self._batch(batch)
                        begun += batch
            if out:
                self._socket.sendall(b"".join(out))
        return Spent(answered, meter.cpu, meter.wall, turns)

    _short = 0

    def _batch(self, size: int) -> list[bytes]:
        guild = self._next_guild
        self._next_guild = (guild + 1) % self.guilds
        first = self._numbers[guild] + 1
        self._numbers[guild] += size
        return [
            _encode(
                Kind.EVENT, guild + 1, number.to_bytes(8, "little") + self._events[number % DISTINCT_EVENTS]
            )
            for number in range(first, first + size)
        ]

    # ---------------------------------------------------------------- frames

    def _send(self, kind: Kind, body: bytes, *, guild: int | None = None) -> None:
        self._socket.sendall(_encode(kind, 0 if guild is None else guild + 1, body))

    def _receive(self) -> list[Frame]:
        if not self._poll.poll(PATIENCE_SECONDS * 1000):
            raise ProcessFailed(f"the worker said nothing for {PATIENCE_SECONDS:g} s")
        data = self._socket.recv(1 << 18)
        if not data:
            raise ProcessFailed("the worker ended")
        return self._splitter.feed(data)

    def _wait(self, kind: Kind) -> Frame:
        while True:
            while self._frames:
                frame = self._frames.popleft()
                if frame.kind is kind:
                    return frame
                self._refuse(frame)
            self._frames.extend(self._receive())

    def _refuse(self, frame: Frame) -> None:
        """Nothing may go wrong in a benchmark."""
        if frame.kind is Kind.FAILED:
            failed = pipe.decode(frame.body, FailedIn)
            raise ProcessFailed(f"the bench's script did not load: {failed.error.message}")
        if frame.kind in (Kind.RECYCLED, Kind.LOG):
            raise ProcessFailed(f"the bench's script went wrong: {frame.body[:300]!r}")


def _encode(kind: Kind, guild: int, body: bytes) -> bytes:
    return pipe.HEADER.pack(len(body), guild, kind) + body


@contextmanager
def worker_pipe(
    folder: Path, *, guilds: int, configure: Mapping[str, Any] | None = None
) -> Iterator[WorkerPipe]:
    """A worker process on the tested core, ready, with no isolate yet; killed at the end.

    ``configure`` has the fields of its first frame that differ from their defaults.
    """
    page = open_page()
    ours, theirs = socket.socketpair()
    with (folder / "worker.log").open("wb") as log, contextlib.ExitStack() as stack:
        stack.callback(ours.close)
        try:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PIPE_BUFFER)
            with pinned(cores().tested):
                process = subprocess.Popen(
                    [sys.executable, "-m", "flora_runtime.worker.main", str(theirs.fileno()), str(page)],
                    pass_fds=[theirs.fileno(), page],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                )
        finally:
            theirs.close()
            os.close(page)
        stack.callback(process.wait)
        stack.callback(process.kill)
        worker = WorkerPipe(process, ours, guilds)
        with pinned(cores().feeding):
            worker.configure(configure or {})
            yield worker
