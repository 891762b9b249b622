"""What this pod reports of its guilds to whoever decides what they run.

Reports are levels, not edges: the latest of each guild is kept, and all of them are sent again on every new
connection, so that whoever decides can be restarted at any time.
"""

from __future__ import annotations

from collections.abc import Callable

import aiohttp

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
    reports,
)

_log = logger(__name__)


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
