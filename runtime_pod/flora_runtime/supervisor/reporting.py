"""What this pod tells others about its guilds: reports of what loaded, and the scripts' logs.

Reports are levels, not edges: the latest of each guild is kept, and all of them are sent again on every new
connection, so that whoever decides can be restarted at any time. Log lines are a stream: they wait for the
connection in a bounded queue, oldest given up first and counted; scripts never wait for them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

import aiohttp
import msgspec

from flora_core.streams import KeptWriter, Token
from flora_core.telemetry import logger
from flora_core.wire.control import (
    Adopted,
    Beat,
    Draining,
    Exported,
    Failed,
    Forgotten,
    Loaded,
    LogLine,
    logs,
    reports,
)
from flora_runtime.supervisor import metrics

LOG_LINES_KEPT: Final = 10_000

_log = logger(__name__)
_guild_log = logger("flora.guild")


class Reports:
    """``run`` keeps a stream of reports up."""

    def __init__(self, url: str, pod: str, *, token: Token) -> None:
        self._latest: dict[tuple[str, bool], Loaded | Failed | Exported | Adopted | Forgotten] = {}
        self._draining: Draining | None = None
        self._stream = KeptWriter(
            f"{url}/v1/pods/{pod}/reports", token=token, beat=reports.encode(Beat(0)), greet=self._tell_all
        )

    def report(self, report: Loaded | Failed | Exported | Adopted | Forgotten) -> None:
        """Tell what became of an assignment, or of a guild's data."""
        self._latest[report.guild, isinstance(report, Loaded | Failed)] = report
        self._stream.write(reports.encode(report))

    def drains(self, process: str) -> None:
        """Tell that this process was told to stop."""
        self._draining = Draining(process)
        self._stream.write(reports.encode(self._draining))

    def forget(self, guild: str) -> None:
        """The guild no longer runs here."""
        self._latest.pop((guild, True), None)

    def stays(self, guild: str) -> None:
        """The guild is here and was not asked to go: what became of its data before is over."""
        self._latest.pop((guild, False), None)

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Send until cancelled."""
        await self._stream.run(session, lambda error: _log.info("report_stream_broken", error=error))

    def _tell_all(self, write: Callable[[bytes], None]) -> None:
        for report in self._latest.values():
            write(reports.encode(report))
        if self._draining is not None:
            write(reports.encode(self._draining))


class Logs:
    """Scripts' log lines, to a log service or, without one, to this process's own log."""

    def __init__(self, url: str, pod: str, *, token: Token) -> None:
        self._to_service = bool(url)
        self._waiting: deque[bytes] = deque()
        self.written = 0
        """Lines so far, of all guilds."""
        self._stream = KeptWriter(
            f"{url}/v1/pods/{pod}/logs", token=token, beat=logs.encode(Beat(0)), greet=self._catch_up
        )

    def log(self, line: LogLine) -> None:
        """Add a line; its time is now."""
        line = msgspec.structs.replace(line, at=time.time_ns() // 1_000_000)
        self.written += 1
        if not self._to_service:
            _guild_log.info("script_log", **_fields(line))
            return
        encoded = logs.encode(line)
        if not self._stream.write(encoded):
            if len(self._waiting) >= LOG_LINES_KEPT:
                self._waiting.popleft()
                metrics.logs_dropped.inc()
            self._waiting.append(encoded)

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Send until cancelled; returns at once when there is no log service."""
        if self._to_service:
            await self._stream.run(session, lambda error: _log.info("log_stream_broken", error=error))

    def _catch_up(self, write: Callable[[bytes], None]) -> None:
        while self._waiting:
            write(self._waiting.popleft())


def _fields(line: LogLine) -> dict[str, object]:
    fields = msgspec.structs.asdict(line)
    fields["guild_id"] = fields.pop("guild")
    fields["script_level"] = fields.pop("level")
    fields["script_event"] = fields.pop("event")
    return {name: value for name, value in fields.items() if value not in ("", None)}
