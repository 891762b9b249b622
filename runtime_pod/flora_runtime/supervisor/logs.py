"""Scripts' log lines on their way to whoever keeps them: the API, or ``flora dev``.

Lines go in batches, each a request that is answered when they are kept; a batch that is not answered well is
sent again, under the same number, so that the other side can tell it from a new one. While one is on its way
the next gathers. Scripts never wait: what finds no room replaces the oldest line, and once lines go through
again each guild's log says how many of its are lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from typing import Final

import aiohttp
import msgspec

from flora_core.streams import BROKEN, CONTENT_TYPE, Backoff, StreamRefused, Token
from flora_core.telemetry import logger
from flora_core.wire.control import LogLine, logs
from flora_runtime.supervisor import metrics

LINES_KEPT: Final = 10_000
BYTES_KEPT: Final = 32 << 20
BATCH_LINES: Final = 1000
BATCH_BYTES: Final = 512 << 10
SEND_SECONDS: Final = 10.0

PAUSE_SECONDS: Final = 0.02
"""Between batches: a guild that logs line by line must not cost a request a line."""

UNUSABLE: Final = (400, 413, 422)
"""Answers to a batch that will never be taken."""

_log = logger(__name__)
_guild_log = logger("flora.guild")


class Logs:
    """Lines to ``url``, or to this process's own log without one."""

    def __init__(self, url: str, pod: str, *, token: Token) -> None:
        self._url = f"{url}/v1/pods/{pod}/logs" if url else ""
        self._token = token
        self._process = secrets.token_hex(8)
        self._batches = 0
        self._waiting: deque[tuple[str, bytes]] = deque()
        """Lines with their guild, those under way at the front."""
        self._size = 0
        self._under_way = 0
        """How many of them are in a batch that was not answered yet."""
        self._lost: dict[str, int] = {}
        self._added = asyncio.Event()
        self._away = False
        self.written = 0
        """Lines so far, of all guilds."""

    def log(self, line: LogLine) -> None:
        """Add a line; its time is now."""
        line = msgspec.structs.replace(line, at=time.time_ns() // 1_000_000)
        self.written += 1
        if self._url:
            self._add(line)
        else:
            _guild_log.info("script_log", **_fields(line))

    def pass_on(self, line: LogLine) -> None:
        """Add a line that has its time already."""
        self.written += 1
        self._add(line)

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Send until cancelled; returns at once when there is nowhere to send to."""
        backoff = Backoff()
        while self._url:
            await self._added.wait()
            batch = self._next_batch()
            try:
                await self._send(session, batch)
            except BROKEN as error:
                if not _is_unusable(error):
                    self._say(error)
                    await backoff.pause()
                    continue
                _log.error("log_batch_refused", lines=len(batch), error=str(error))
                self._lose(batch)
            else:
                self._say(None)
            backoff.reset()
            self._settle(len(batch))
            await asyncio.sleep(PAUSE_SECONDS)

    async def flush(self, *, seconds: float) -> None:
        """Wait until all lines were taken, for at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._waiting and not self._away:
                    await asyncio.sleep(PAUSE_SECONDS / 2)

    # ---------------------------------------------------------------- what waits

    def _add(self, line: LogLine) -> None:
        encoded = logs.encode(line)
        self._waiting.append((line.guild, encoded))
        self._size += len(encoded)
        while len(self._waiting) > LINES_KEPT or self._size > BYTES_KEPT:
            if not self._drop_oldest():
                break
        self._added.set()

    def _drop_oldest(self) -> bool:
        """Give up the oldest line that is not under way; whether there was one."""
        if len(self._waiting) <= self._under_way:
            return False
        guild, encoded = self._waiting[self._under_way]
        del self._waiting[self._under_way]
        self._size -= len(encoded)
        self._lose([(guild, encoded)])
        return True

    def _lose(self, lines: list[tuple[str, bytes]]) -> None:
        for guild, _ in lines:
            self._lost[guild] = self._lost.get(guild, 0) + 1
        metrics.logs_dropped.inc(len(lines))

    def _next_batch(self) -> list[tuple[str, bytes]]:
        """The lines that are under way, or else those that come next: first how many are lost before them."""
        if not self._under_way:
            self._batches += 1
            self._tell_lost()
            size = 0
            for _, encoded in self._waiting:
                size += len(encoded)
                if self._under_way and (self._under_way >= BATCH_LINES or size > BATCH_BYTES):
                    break
                self._under_way += 1
        return [self._waiting[index] for index in range(self._under_way)]

    def _settle(self, count: int) -> None:
        """The first ``count`` lines are no longer ours."""
        for _ in range(count):
            _, encoded = self._waiting.popleft()
            self._size -= len(encoded)
        self._under_way = 0
        if not self._waiting and not self._lost:
            self._added.clear()

    def _tell_lost(self) -> None:
        lost, self._lost = self._lost, {}
        for guild, number in lost.items():
            text = f"{number} {'line' if number == 1 else 'lines'} lost: the log could not be reached"
            line = LogLine(guild, time.time_ns() // 1_000_000, "warn", text, source="runtime")
            encoded = logs.encode(line)
            self._waiting.appendleft((guild, encoded))
            self._size += len(encoded)

    # ---------------------------------------------------------------- sending

    async def _send(self, session: aiohttp.ClientSession, batch: list[tuple[str, bytes]]) -> None:
        body = b"".join(encoded for _, encoded in batch)
        params = {"process": self._process, "batch": str(self._batches)}
        headers = {"Content-Type": CONTENT_TYPE, **self._token.headers()}
        async with (
            asyncio.timeout(SEND_SECONDS),
            session.post(self._url, data=body, params=params, headers=headers) as response,
        ):
            text = (await response.content.read(2048)).decode(errors="replace")
            if response.status != 200:
                raise StreamRefused(self._url, response.status, text)

    def _say(self, error: BaseException | None) -> None:
        """Tell that lines do not go through, or do again: once."""
        if (error is not None) == self._away:
            return
        self._away = error is not None
        if error is not None:
            _log.warning("logs_wait", error=str(error) or type(error).__name__)
        else:
            _log.info("logs_go_through_again", waiting=len(self._waiting))


def _is_unusable(error: BaseException) -> bool:
    return isinstance(error, StreamRefused) and error.status in UNUSABLE


def _fields(line: LogLine) -> dict[str, object]:
    fields = msgspec.structs.asdict(line)
    fields["guild_id"] = fields.pop("guild")
    fields["script_level"] = fields.pop("level")
    fields["script_event"] = fields.pop("event")
    return {name: value for name, value in fields.items() if value not in ("", None)}
