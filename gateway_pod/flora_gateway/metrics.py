"""What Prometheus learns from the gateway pod (the REST side has its own in ``rest``)."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from flora_core.telemetry import Series

events = Series(Counter("flora_gateway_events_total", "Events from Discord", ["type"]))
dropped = Series(
    Counter("flora_gateway_events_dropped_total", "Events that went to no pod", ["type", "reason"])
)
sent = Counter("flora_gateway_frames_sent_total", "Frames written to runtime pods")
shards_up = Gauge("flora_gateway_shards_connected", "Shards with a live connection")
dials = Counter("flora_gateway_shard_dials_total", "Connections to Discord", ["how", "outcome"])
garbage = Counter("flora_gateway_garbage_total", "What Discord's side sent and was no frame")
buffered_bytes = Gauge("flora_gateway_buffered_bytes", "Frames that pods have not acknowledged")
pods_connected = Gauge("flora_gateway_pods_connected", "Runtime pods with an open event stream")
bad_frames = Counter("flora_gateway_bad_frames_total", "Frames of pods that could not be read", ["reason"])
refused = Counter("flora_gateway_streams_refused_total", "Streams refused", ["status"])
session_saves = Counter("flora_gateway_session_saves_total", "Session states written")
session_errors = Counter(
    "flora_gateway_session_errors_total", "Session states that Redis did not take or give"
)
hold_seconds = Histogram(
    "flora_gateway_hold_seconds",
    "How long events of a guild that moved were kept from the pods",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
delay_seconds = Histogram(
    "flora_gateway_delay_seconds",
    "From taking an event off the socket to writing it to a pod's stream; of the oldest in each write",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30),
)
