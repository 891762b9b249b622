"""What the gateway tells the control plane, on a stream of its own (``POST /v1/gateway/reports``).

Reports are levels: whatever is true is said again on every new connection, so that whoever decides may be
restarted at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import aiohttp

from flora_core.streams import KeptWriter, Token
from flora_core.telemetry import logger
from flora_core.wire.control import Beat, GatewayReport, gateway_reports

_log = logger(__name__)


class GatewayReports:
    """``run`` keeps the stream up until it is cancelled."""

    def __init__(self, url: str, *, token: Token, truths: Callable[[], Iterable[GatewayReport]]) -> None:
        """``truths``: all there is to say to somebody who knows nothing."""
        self._truths = truths
        self._stream = KeptWriter(
            f"{url}/v1/gateway/reports",
            token=token,
            beat=gateway_reports.encode(Beat(0)),
            greet=self._tell_all,
        )

    def report(self, report: GatewayReport) -> None:
        """Say what has become true; without a connection ``truths`` says it when there is one."""
        self._stream.write(gateway_reports.encode(report))

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Send until cancelled."""
        await self._stream.run(session, lambda error: _log.info("report_stream_broken", error=error))

    def _tell_all(self, write: Callable[[bytes], None]) -> None:
        for report in self._truths():
            write(gateway_reports.encode(report))
