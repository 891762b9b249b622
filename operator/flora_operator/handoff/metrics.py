"""What Prometheus learns of moves."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from flora_core.telemetry import Series

handoffs = Series(Counter("flora_operator_handoffs_total", "Moves of guilds that are over", ["result"]))
"""``moved``, or why it was undone: ``late``, ``failed``, ``unwanted``, ``gone``."""
under_way = Gauge("flora_operator_handoffs_under_way", "Moves of guilds that go on")
waiting = Gauge("flora_operator_handoffs_waiting", "Moves of guilds that wait for their turn")
seconds = Histogram(
    "flora_operator_handoff_seconds",
    "From the start of a move until the guild is the new pod's; most of it its events are held",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
