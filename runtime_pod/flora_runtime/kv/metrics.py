"""What Prometheus learns about KV."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from flora_core.telemetry import Series

calls = Series(Counter("flora_kv_calls_total", "Calls of scripts to their stores", ["op"]))
refused = Series(Counter("flora_kv_refused_total", "Calls that failed", ["code"]))
commit_calls = Histogram(
    "flora_kv_commit_calls", "Calls that shared one flush to disk", buckets=(1, 2, 5, 10, 50, 100, 500, 2000)
)
commit_seconds = Histogram(
    "flora_kv_commit_seconds",
    "Writing a batch, flush included",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5),
)
