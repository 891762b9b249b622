"""The gateway's HTTP side: event streams down to runtime pods, op streams up from them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

import msgspec
from aiohttp import web

from flora_core.errors import WireError
from flora_core.identity import Identities, Role, require
from flora_core.ids import PodName
from flora_core.serving import number_in_query, pod_in_path, read_stream_body, start_stream
from flora_core.streams import Coalescer, takes_more, write_chunk
from flora_core.telemetry import add_telemetry_routes, logger
from flora_core.wire.gateway import (
    BEAT_SECONDS,
    OP_LINE_LIMIT,
    Ack,
    Beat,
    Hello,
    Op,
    OpError,
    Subscribe,
    downstream,
    upstream,
)
from flora_gateway import metrics
from flora_gateway.fanout.hub import Hub, Pod

WRITE_SECONDS: Final = 30.0
"""A pod that takes nothing off its stream for this long is cut off; its frames wait for its return."""

_NOT_YOURS: Final = msgspec.json.encode(
    OpError("SCOPE_FORBIDDEN", "Forbidden: this pod does not run the guild (any more)")
)

_log = logger(__name__)


class Proxy(Protocol):
    """Carries out scripts' calls."""

    def execute(self, op: Op, done: Callable[[bool, bytes], None]) -> None:
        """Call ``done`` once, now or later, with whether it worked and JSON on one line.

        A proxy that closes leaves calls unanswered; their pods make them again, with the next gateway.
        """
        ...


class EventStream:
    """One pod's open event stream: everything in its buffer, as soon as it is there, and beats.

    Frames are written where they are made, without waking a task for each. Only a socket that takes no more
    is a task's business: ``run`` then waits until it does, and gives up after a while.
    """

    def __init__(self, hub: Hub, pod: Pod, request: web.Request, response: web.StreamResponse) -> None:
        assert request.transport is not None
        self._hub = hub
        self._pod = pod
        self._transport = cast("asyncio.Transport", request.transport)
        self._response = response
        self._wake = asyncio.Event()
        self._ended = False

    def end(self) -> None:
        """Close the stream properly: the pod has opened another one, or the gateway stops."""
        self._ended = True
        self._wake.set()

    async def run(self) -> None:
        """Serve until ``end``; raises TimeoutError, or ConnectionError when the pod is gone."""
        hub, pod, loop = self._hub, self._pod, asyncio.get_running_loop()
        hello = Hello(hub.epoch, pod.buffer.first_offset, pod.last_op, hub.bot_user)
        await self._response.write(downstream.encode(hello))
        pod.connected = True
        pod.added = added = Coalescer(self._flush).added
        beat = loop.call_later(BEAT_SECONDS, self._wake.set)
        next_beat = loop.time() + BEAT_SECONDS
        try:
            async with asyncio.timeout(WRITE_SECONDS) as taken:
                while not self._ended:
                    lines = [frame.line for frame in hub.take_unsent(pod)]
                    now = loop.time()
                    if now >= next_beat:
                        next_beat = now + BEAT_SECONDS
                        beat = loop.call_at(next_beat, self._wake.set)
                        lines.append(downstream.encode(Beat(pod.buffer.next_offset - 1, pod.last_op)))
                        taken.reschedule(now + WRITE_SECONDS)  # beats come often enough
                    if lines:
                        await self._response.write(b"".join(lines))
                    elif not pod.buffer.has_unsent:
                        self._wake.clear()
                        await self._wake.wait()
        finally:
            beat.cancel()
            if pod.added == added:
                pod.added = lambda: None
                pod.connected = False

    def _flush(self) -> None:
        if takes_more(self._transport):
            write_chunk(self._transport, [frame.line for frame in self._hub.take_unsent(self._pod)])
        if self._pod.buffer.has_unsent:
            self._wake.set()


class GatewayServer:
    """Routes of the gateway pod.

    ``proxy`` gives None as long as the gateway does not know its routes or its bot: pods are asked to dial
    again then, because what they send could neither be carried out nor rightly be refused.
    """

    def __init__(
        self,
        hub: Hub,
        proxy: Callable[[], Proxy | None],
        identities: Identities,
        *,
        ready: Callable[[], str | None],
    ) -> None:
        self._hub = hub
        self._proxy = proxy
        self._identities = identities
        self._streams: dict[PodName, EventStream] = {}
        self._stopping = False
        self.app: Final = web.Application()
        self.app.router.add_get("/v1/pods/{pod}/events", self._events)
        self.app.router.add_post("/v1/pods/{pod}/ops", self._ops)
        add_telemetry_routes(self.app, healthy=lambda: None, ready=ready)

    def stop(self) -> None:
        """End all streams; pods dial again, and find the next gateway."""
        self._stopping = True
        for stream in self._streams.values():
            stream.end()

    # ---------------------------------------------------------------- down

    async def _events(self, request: web.Request) -> web.StreamResponse:
        name = await self._require(request)
        pod = self._hub.pod_process(name, request.query.get("process", ""))
        known = request.query.get("epoch") == self._hub.epoch
        after = number_in_query(request, "after")
        response = await start_stream(request)
        self._hub.rewind(pod, after if known else 0)
        earlier = self._streams.get(name)
        if earlier is not None:
            earlier.end()
        self._streams[name] = stream = EventStream(self._hub, pod, request, response)
        if self._stopping:
            stream.end()
        metrics.pods_connected.inc()
        _log.info("pod_connected", pod=name, resumed=known, waiting=len(pod.buffer))
        try:
            await stream.run()
        except (ConnectionError, TimeoutError) as error:
            _log.info("pod_stream_broken", pod=name, error=str(error) or type(error).__name__)
        finally:
            if self._streams.get(name) is stream:
                del self._streams[name]
            metrics.pods_connected.dec()
        return response

    # ---------------------------------------------------------------- up

    async def _ops(self, request: web.Request) -> web.Response:
        name = await self._require(request)
        pod = self._hub.pod_process(name, request.query.get("process", ""))
        taken = 0
        async for batch in read_stream_body(request, on_error=self._bad_frame, limit=OP_LINE_LIMIT):
            for line in batch:
                self._take_line(name, pod, line)
            taken += len(batch)
        return web.Response(text=f"{taken}\n")

    def _take_line(self, name: PodName, pod: Pod, line: bytes) -> None:
        try:
            frame = upstream.decode(line)
        except WireError as error:
            self._bad_frame(error)
            return
        if isinstance(frame, Op):
            if frame.sequence > pod.last_op:
                self._execute(name, frame)
                pod.last_op = frame.sequence
        elif isinstance(frame, Ack):
            self._hub.acknowledge(pod, frame.offset)
        elif isinstance(frame, Subscribe):
            self._hub.subscribe(name, frame)

    def _execute(self, pod: PodName, op: Op) -> None:
        def done(ok: bool, value: bytes) -> None:
            self._hub.result(pod, op.guild, op.id, ok=ok, value=value)

        proxy = self._proxy()
        assert proxy is not None, "without one no stream is opened"
        if self._hub.runs(pod, op.guild):
            proxy.execute(op, done)
        else:
            done(ok=False, value=_NOT_YOURS)

    # ---------------------------------------------------------------- both

    async def _require(self, request: web.Request) -> PodName:
        """The pod whose stream it is, when the caller is that pod."""
        pod = pod_in_path(request)
        try:
            await require(request, self._identities, role=Role.RUNTIME, pod=pod)
        except web.HTTPException as refusal:
            metrics.refused.labels(str(refusal.status)).inc()
            raise
        if self._proxy() is None:
            raise web.HTTPServiceUnavailable(text="the gateway is starting; dial again\n")
        return pod

    def _bad_frame(self, error: WireError) -> None:
        metrics.bad_frames.labels(error.reason).inc()
        _log.warning("bad_frame", stream="ops", error=str(error))
