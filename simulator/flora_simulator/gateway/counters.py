"""What happened on the gateway, for tests to ask about."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class GatewayCounters:
    """Totals since the start."""

    identifies: int = 0
    identifies_refused: int = 0
    """Told op 9 because they came too fast."""
    resumes: int = 0
    resumes_failed: int = 0
    resumes_elsewhere: int = 0
    """That did not come to the resume_gateway_url."""
    events_sent: int = 0
    bytes_sent: int = 0
    """After compression, without WebSocket framing."""
    closes: Counter[int] = field(default_factory=Counter)
    """Ended connections by code; 1006 for those that just broke."""
