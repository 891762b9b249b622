"""HTTP routes of the control streams, to be added to an aiohttp application."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import msgspec
from aiohttp import web
from msgspec import Struct

from flora_core.control.state import DesiredState
from flora_core.errors import InvalidInput, MalformedFrame, WireError
from flora_core.identity import RETRY_AFTER, CannotIdentify, Identities, Role, require
from flora_core.ids import PodName, Sha256, parse_sha256
from flora_core.remote_identities import TokenIs, WhoseToken
from flora_core.serving import number_in_query, pod_in_path, read_stream_body, start_stream
from flora_core.telemetry import logger
from flora_core.wire import UNREADABLE
from flora_core.wire.control import (
    Beat,
    Draining,
    GatewayNews,
    Guilds,
    LogLine,
    PodReport,
    desired,
    gateway_reports,
    logs,
    reports,
    route_table,
)
from flora_core.wire.gateway import BEAT_SECONDS

IDENTITIES: Final = "/v1/identities"
WRITE_SECONDS: Final = 30.0
GUILDS_MOST: Final = 1_000_000
"""Guilds that one gateway may report: about ten times what the largest bots are in."""

_log = logger(__name__)


class Controller(Protocol):
    """What whoever decides has to offer besides its ``DesiredState``."""

    async def bundle(self, sha256: Sha256) -> bytes | None:
        """A bundle's bytes; None when there is none of that hash."""
        ...

    def on_report(self, pod: PodName, report: PodReport) -> None:
        """What became of an assignment. ``Draining`` is answered with ``DesiredState.retire``."""
        ...

    def on_gateway_report(self, report: GatewayNews) -> None:
        """Which guilds the bot is in: ``Guilds`` names all, once they are known and again whenever the
        gateway has dialled anew; its parts were put together. And whose events it holds (``Held``)."""
        ...

    def on_log(self, pod: PodName, line: LogLine) -> None: ...


class GuildParts:
    """Puts the parts of ``Guilds`` together that come up on one connection."""

    def __init__(self) -> None:
        self._so_far: list[str] | None = None

    def add(self, part: Guilds) -> Guilds | None:
        """The whole list once its last part is here. Raises MalformedFrame for a part out of its place, or
        when there are more guilds than a bot can be in."""
        if part.first:
            self._so_far = []
        if self._so_far is None:
            raise MalformedFrame("a part of the guilds without those before it")
        self._so_far += part.guilds
        if len(self._so_far) > GUILDS_MOST:
            self._so_far = None
            raise MalformedFrame(f"more than {GUILDS_MOST} guilds")
        if not part.last:
            return None
        whole, self._so_far = Guilds(self._so_far), None
        return whole


class ControlServer:
    """Adds its routes to ``app``."""

    def __init__(
        self, app: web.Application, state: DesiredState, controller: Controller, identities: Identities
    ) -> None:
        self._state = state
        self._controller = controller
        self._identities = identities
        self._dialled = Counter[PodName]()
        app.router.add_get("/v1/pods/{pod}/desired", self._desired)
        app.router.add_get("/v1/routes", self._routes)
        app.router.add_post(IDENTITIES, self._identify)
        app.router.add_get("/v1/bundles/{sha256}", self._bundle)
        app.router.add_post("/v1/pods/{pod}/reports", self._reports)
        app.router.add_post("/v1/pods/{pod}/logs", self._logs)
        app.router.add_post("/v1/gateway/reports", self._gateway_reports)

    def listens(self, pod: PodName) -> bool:
        """Whether ``pod`` has its stream open."""
        return self._dialled[pod] > 0

    # ---------------------------------------------------------------- down

    async def _desired(self, request: web.Request) -> web.StreamResponse:
        pod = await self._require_pod(request)
        state = self._state
        self._dialled[pod] += 1
        try:
            return await self._serve(
                request,
                encode=desired.encode,
                snapshot=lambda: state.snapshot(pod),
                changes=lambda after: state.changes(pod, after=after),
            )
        finally:
            self._dialled[pod] -= 1

    async def _routes(self, request: web.Request) -> web.StreamResponse:
        await require(request, self._identities, role=(Role.GATEWAY, Role.API))
        state = self._state
        return await self._serve(
            request,
            encode=route_table.encode,
            snapshot=state.routes,
            changes=lambda after: state.route_changes(after=after),
        )

    async def _serve(
        self,
        request: web.Request,
        *,
        encode: Callable[[Any], bytes],
        snapshot: Callable[[], Struct],
        changes: Callable[[int], Sequence[Struct]],
    ) -> web.StreamResponse:
        """A snapshot where one is needed, then changes as they come, and a beat when there are none."""
        state = self._state
        after, epoch = number_in_query(request, "after"), request.query.get("epoch", "")
        response = await start_stream(request)
        frames: list[Struct] = []
        if not state.covers(epoch, after):
            frames, after = [snapshot()], state.revision
        loop = asyncio.get_running_loop()
        silent_until = loop.time()
        try:
            while True:
                if state.covers(state.epoch, after):
                    frames += changes(after)
                else:
                    frames = [snapshot()]
                after = state.revision
                if frames or loop.time() >= silent_until:  # what concerns others is no reason to beat
                    lines = [encode(frame) for frame in frames or [Beat(after)]]
                    async with asyncio.timeout(WRITE_SECONDS):
                        await response.write(b"".join(lines))
                    frames = []
                    silent_until = loop.time() + BEAT_SECONDS
                await state.wait_beyond(after, seconds=silent_until - loop.time())
        except (ConnectionError, TimeoutError) as error:
            _log.info("control_stream_broken", path=request.path, error=str(error) or type(error).__name__)
        return response

    async def _bundle(self, request: web.Request) -> web.Response:
        await require(request, self._identities, role=Role.RUNTIME)
        try:
            sha256 = parse_sha256(request.match_info["sha256"])
        except InvalidInput as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        data = await self._controller.bundle(sha256)
        if data is None:
            raise web.HTTPNotFound(text=f"there is no bundle {sha256}\n")
        return web.Response(
            body=data, content_type="application/json", headers={"Cache-Control": "immutable"}
        )

    async def _identify(self, request: web.Request) -> web.Response:
        """Whose token somebody was shown, for those who cannot ask the API server themselves."""
        await require(request, self._identities, role=(Role.RUNTIME, Role.API))
        try:
            asked = msgspec.json.decode(await request.read(), type=WhoseToken)
        except UNREADABLE:
            raise web.HTTPBadRequest(text='write {"token": …}\n') from None
        try:
            found = await self._identities.identify(asked.token)
        except CannotIdentify:
            raise web.HTTPServiceUnavailable(
                text="whose token this is cannot be known now; try again\n",
                headers={"Retry-After": str(RETRY_AFTER)},
            ) from None
        answer = TokenIs(found.role, found.pod) if found is not None else TokenIs()
        return web.Response(
            body=msgspec.json.encode(answer),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    # ---------------------------------------------------------------- up

    async def _reports(self, request: web.Request) -> web.Response:
        pod = await self._require_pod(request)

        def take(line: bytes) -> None:
            report = reports.decode(line)
            if isinstance(report, Draining):
                self._state.drains(pod, report.process)
            if not isinstance(report, Beat):
                self._controller.on_report(pod, report)

        return await self._take_all(request, take)

    async def _gateway_reports(self, request: web.Request) -> web.Response:
        await require(request, self._identities, role=Role.GATEWAY)
        parts = GuildParts()

        def take(line: bytes) -> None:
            report = gateway_reports.decode(line)
            if isinstance(report, Guilds):
                report = parts.add(report)
            if report is not None and not isinstance(report, Beat):
                self._controller.on_gateway_report(report)

        return await self._take_all(request, take)

    async def _logs(self, request: web.Request) -> web.Response:
        pod = await self._require_pod(request)

        def take(line: bytes) -> None:
            entry = logs.decode(line)
            if not isinstance(entry, Beat):
                self._controller.on_log(pod, entry)

        return await self._take_all(request, take)

    async def _take_all(self, request: web.Request, take: Callable[[bytes], None]) -> web.Response:
        """Read an upward stream to its end; bad frames are logged and skipped."""

        def bad_frame(error: WireError) -> None:
            _log.warning("bad_frame", path=request.path, error=str(error))

        taken = 0
        async for batch in read_stream_body(request, on_error=bad_frame):
            for line in batch:
                try:
                    take(line)
                except WireError as error:
                    bad_frame(error)
            taken += len(batch)
        return web.Response(text=f"{taken}\n")

    async def _require_pod(self, request: web.Request) -> PodName:
        pod = pod_in_path(request)
        await require(request, self._identities, role=Role.RUNTIME, pod=pod)
        return pod
