"""The link to the gateway: the event stream down and the op stream up, as one.

Both are dialled together and torn down together, so that what the gateway says first on the one (how far it
has our ops) is true for the other. The link only moves frames: what they mean is the pool's business
(events, results) and ``upstream``'s (ops).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Final, Protocol

import aiohttp

from flora_core.errors import WireError
from flora_core.streams import (
    BROKEN,
    Backoff,
    StreamRefused,
    StreamWriter,
    Token,
    raise_if_cancelled,
    read_stream,
)
from flora_core.telemetry import logger
from flora_core.wire.gateway import BEAT_SECONDS, Beat, Event, Hello, Result, downstream
from flora_runtime.supervisor import metrics
from flora_runtime.supervisor.acks import AckTracker, Seen
from flora_runtime.supervisor.upstream import Upstream

ACK_SECONDS: Final = 0.1

_log = logger(__name__)


class Sink(Protocol):
    """Takes what the gateway sends."""

    def on_event(self, event: Event) -> None:
        """A new event; its offset becomes safe later, through ``GatewayLink.acks``."""
        ...

    def on_result(self, result: Result) -> None: ...


class GatewayLink:
    """``run`` keeps the link up until it is cancelled."""

    def __init__(self, url: str, pod: str, *, token: Token, sink: Sink, make_upstream: MakeUpstream) -> None:
        self._events_url = f"{url}/v1/pods/{pod}/events"
        self._process = secrets.token_hex(8)
        self._ops_url = f"{url}/v1/pods/{pod}/ops?process={self._process}"
        self._token = token
        self._sink = sink
        self._writer = StreamWriter()
        self.upstream: Final = make_upstream(self._writer)
        self.acks: Final = AckTracker()
        self.seen: Final = Seen()
        self._epoch = ""
        self._backoff = Backoff()
        self.connected = False
        self.bot = ""
        """User id of the bot, as the gateway said last."""

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Dial, read, write; again, whatever happens."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._expire())
            await self._keep_dialling(session)

    async def _keep_dialling(self, session: aiohttp.ClientSession) -> None:
        while True:
            try:
                async with asyncio.TaskGroup() as tasks:
                    writing = tasks.create_task(self._write(session))
                    ticking = tasks.create_task(self._tick())
                    await self._read(session)
                    writing.cancel()
                    ticking.cancel()
            except* BROKEN as group:
                self._say_broken(group.exceptions[0])
            raise_if_cancelled()
            self.connected = False
            self.upstream.disconnected()
            await self._backoff.pause()

    def _say_broken(self, error: BaseException) -> None:
        metrics.stream_dials.labels("gateway", "broken").inc()
        level = _log.warning if self.connected or isinstance(error, StreamRefused) else _log.info
        level("gateway_link_broken", error=str(error) or type(error).__name__)

    async def _read(self, session: aiohttp.ClientSession) -> None:
        params = {"after": self.acks.low_water, "epoch": self._epoch, "process": self._process}
        lines = read_stream(
            session, self._events_url, token=self._token, params=params, on_error=self._bad_frame
        )
        async for batch in lines:
            now = time.monotonic()
            for line in batch:
                try:
                    frame = downstream.decode(line)
                except WireError as error:
                    self._bad_frame(error)
                    continue
                self._take(frame, now)

    def _take(self, frame: Hello | Event | Result | Beat, now: float) -> None:
        if isinstance(frame, Event):
            if frame.offset <= self.acks.highest:
                return  # sent again because our acknowledgement was lost
            if frame.sequence and not self.seen.is_new(frame.guild, frame.session, frame.sequence):
                metrics.repeated.inc()
                self.acks.received_safe(frame.offset)
                return
            self.acks.received(frame.offset, now)
            self._sink.on_event(frame)
        elif isinstance(frame, Result):
            if frame.offset > self.acks.highest:
                self.acks.received_safe(frame.offset)
                self._sink.on_result(frame)
        elif isinstance(frame, Hello):
            self._hello(frame)

    def _hello(self, hello: Hello) -> None:
        metrics.stream_dials.labels("gateway", "connected").inc()
        if hello.epoch != self._epoch:
            self._epoch = hello.epoch
            self.acks.restart(hello.offset - 1)
        self._backoff.reset()
        self.connected = True
        self.bot = hello.bot or self.bot
        self.upstream.connected(hello)
        _log.info("gateway_link_up", epoch=hello.epoch, offset=hello.offset)

    async def _write(self, session: aiohttp.ClientSession) -> None:
        await self._writer.run(session, self._ops_url, token=self._token)

    async def _expire(self) -> None:
        """Fail ops that have waited too long, whether or not there is a gateway."""
        while True:
            await asyncio.sleep(ACK_SECONDS)
            self.upstream.expire(time.monotonic())

    async def _tick(self) -> None:
        next_beat = 0.0
        while True:
            await asyncio.sleep(ACK_SECONDS)
            now = time.monotonic()
            self.acks.expire(now)
            mark = self.acks.to_tell()
            if mark is not None:
                self.upstream.acknowledge(mark)
            if now >= next_beat:
                next_beat = now + BEAT_SECONDS
                self.upstream.beat()

    def _bad_frame(self, error: WireError) -> None:
        metrics.bad_frames.labels("gateway", error.reason).inc()
        _log.warning("bad_frame", stream="gateway", error=str(error))


MakeUpstream = Callable[[StreamWriter], Upstream]
