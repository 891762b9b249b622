"""What Prometheus learns about fetches."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from flora_core.telemetry import Series

fetches = Series(Counter("flora_fetch_total", "Fetches of scripts", ["outcome"]))
seconds = Histogram(
    "flora_fetch_seconds",
    "From the first look-up to the last byte",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
received = Counter("flora_fetch_received_bytes_total", "Bytes of bodies, inflated")
in_flight = Gauge("flora_fetch_in_flight", "Fetches under way")
waiting = Gauge("flora_fetch_waiting", "Fetches that wait for others of their guild or pod")
