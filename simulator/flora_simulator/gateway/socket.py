"""The protocol on one gateway WebSocket: HELLO, then what the client sends, until one side closes.

Two tasks a connection: this coroutine reads and answers, ``Connection.write`` writes. Closing is decided
here alone, by raising ``Refused``; the codes are Discord's (topics/opcodes-and-status-codes).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec
from aiohttp import WSMsgType, web

from flora_core.telemetry import logger
from flora_simulator.gateway.connection import Connection
from flora_simulator.gateway.hub import Hub, InvalidSession, Refused
from flora_simulator.gateway.members import MemberRequests
from flora_simulator.settings import SimulatorSettings

_log = logger("flora_simulator.gateway")

RESUME_PATH: Final = "/gateway/resume"
_LARGEST_FRAME: Final = 4096
_VERSIONS: Final = frozenset(("9", "10"))
_IGNORED: Final = frozenset((3, 4, 31))
"""Presence, voice state, soundboard: taken, without effect."""
_SECONDS_TO_CLOSE: Final = 1.0


async def serve(request: web.Request, hub: Hub, settings: SimulatorSettings) -> web.StreamResponse:
    """Carry one connection from upgrade to close."""
    if not hub.accept_connections:
        return web.Response(status=503, text="503: Service Unavailable")
    socket = web.WebSocketResponse(timeout=_SECONDS_TO_CLOSE, max_msg_size=1 << 20)
    await socket.prepare(request)
    compress = request.query.get("compress") == "zlib-stream"
    connection = Connection(request, socket, hub.counters, compress=compress)
    writer = asyncio.create_task(connection.write())
    code = None
    try:
        with contextlib.suppress(ConnectionError):
            code = await _Conversation(request, socket, connection, hub, settings).run()
    finally:
        writer.cancel()
        await asyncio.wait([writer])
        hub.left(connection, code)
    return socket


class _Conversation:
    """What the client may say, and when."""

    def __init__(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        connection: Connection,
        hub: Hub,
        settings: SimulatorSettings,
    ) -> None:
        self._request = request
        self._socket = socket
        self._connection = connection
        self._hub = hub
        self._settings = settings
        self._members = MemberRequests(hub)
        self._sends: deque[float] = deque(maxlen=settings.sends_per_minute)
        self._beaten_at = time.monotonic()

    async def run(self) -> int | None:
        """Until the end; the code that ended it, None when the connection just broke."""
        try:
            self._check_query()
            interval = round(self._settings.heartbeat_interval_secs * 1000)
            self._connection.say(10, {"heartbeat_interval": interval, "_trace": ["simulator"]})
            while (message := await self._receive()).type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                self._take_safely(message.data)
        except Refused as refused:
            await self._connection.close(refused.code, refused.reason)
        return self._connection.closed_with or self._socket.close_code

    def _check_query(self) -> None:
        if self._request.query.get("encoding", "json") != "json":
            raise Refused(4002, "Error while decoding payload: this gateway speaks JSON only.")
        if self._request.query.get("v", "10") not in _VERSIONS:
            raise Refused(4012, "Invalid API version.")

    async def _receive(self) -> Any:
        """The next message; a client whose heart stopped is closed with 4009."""
        patience = self._beaten_at + 2 * self._settings.heartbeat_interval_secs - time.monotonic()
        try:
            return await self._socket.receive(timeout=max(0.001, patience))
        except TimeoutError:
            raise Refused(4009, "Session timed out.") from None

    def _take_safely(self, data: str | bytes) -> None:
        try:
            self._take(data)
        except Refused:
            raise
        except Exception:  # noqa: BLE001  a bug here is Discord's 4000
            _log.exception("a gateway frame failed", frame=data[:200])
            raise Refused(4000, "Unknown error.") from None

    def _take(self, data: str | bytes) -> None:
        self._count_send()
        op, order = _decode(data)
        connection = self._connection
        if op == 1:
            self._beaten_at = time.monotonic()
            if self._hub.answer_heartbeats:
                connection.say(11)
        elif op in {2, 6}:
            self._open(op, order)
        elif connection.session is None:
            raise Refused(4003, "Not authenticated.")
        elif op == 8:
            self._members.answer(connection.session, _object(order))
        elif op not in _IGNORED:
            raise Refused(4001, "Unknown opcode.")

    def _open(self, op: int, order: object) -> None:
        if self._connection.session is not None:
            raise Refused(4005, "Already authenticated.")
        try:
            if op == 2:
                url = f"ws://{self._request.host}{RESUME_PATH}"
                self._hub.identify(self._connection, _object(order), resume_url=url)
            else:
                at_resume_url = self._request.path == RESUME_PATH
                self._hub.resume(self._connection, _object(order), at_resume_url=at_resume_url)
        except InvalidSession:
            self._connection.say(9, data=False)

    def _count_send(self) -> None:
        now = time.monotonic()
        if len(self._sends) == self._sends.maxlen and self._sends[0] > now - 60.0:
            raise Refused(4008, "You are being rate limited.")
        self._sends.append(now)


def _decode(data: str | bytes) -> tuple[int, object]:
    if len(data) > _LARGEST_FRAME:
        raise Refused(4002, "Error while decoding payload: larger than 4096 bytes.")
    try:
        payload = msgspec.json.decode(data)
    except msgspec.DecodeError:
        raise Refused(4002, "Error while decoding payload.") from None
    op = payload.get("op") if isinstance(payload, dict) else None
    if not isinstance(op, int):
        raise Refused(4001, "Unknown opcode.")
    return op, payload.get("d")


def _object(order: object) -> Mapping[str, Any]:
    if not isinstance(order, dict):
        raise Refused(4002, "Error while decoding payload.")
    return cast("dict[str, Any]", order)
