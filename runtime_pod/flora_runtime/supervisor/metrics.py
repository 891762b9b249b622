"""What Prometheus learns from a runtime pod. The first block has the original flora's names."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from flora_core.telemetry import Series

isolates = Gauge("flora_isolate_count", "Guild scripts with a live isolate")
dispatched = Series(
    Counter("flora_dispatch_total", "Events whose handlers have settled", ["type", "outcome"])
)
dispatch_errors = Counter("flora_dispatch_errors_total", "Events whose handlers did not end well")
timeout_errors = Counter("flora_timeout_errors_total", "Handlers and loads stopped for the time they took")
oom_errors = Counter("flora_oom_errors_total", "Isolates thrown away for the memory they took")
isolate_restarts = Counter("flora_isolate_restarts_total", "Isolates replaced, by deploys and after limits")
rests = Counter("flora_runtime_rests_total", "Rests of scripts that went over a limit")
quarantines = Counter("flora_runtime_quarantines_total", "Scripts that went over their limits too often")
worker_restarts = Counter("flora_runtime_restarts_total", "Worker processes replaced", ["reason"])

dispatch_seconds = Histogram(
    "flora_dispatch_seconds",
    "From the start of an event's handlers until all have settled",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 10, 30),
)
load_seconds = Histogram(
    "flora_runtime_load_seconds",
    "Loading a bundle into a new isolate",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30),
)
loads = Counter("flora_runtime_loads_total", "Bundles loaded", ["outcome"])
events = Series(Counter("flora_runtime_events_total", "Events taken from the gateway", ["type"]))
dropped = Series(
    Counter("flora_runtime_events_dropped_total", "Events that reached no script", ["type", "reason"])
)
lost = Counter("flora_runtime_events_lost_total", "Events whose handlers were cut off", ["outcome"])
repeated = Counter("flora_runtime_events_repeated_total", "Events that Discord or the gateway sent again")
pending = Gauge("flora_runtime_events_pending", "Events that wait or are being handled")
ops = Counter("flora_runtime_ops_total", "Calls that scripts made")
ops_failed = Counter("flora_runtime_ops_failed_total", "Calls that failed", ["code"])
ops_waiting = Gauge("flora_runtime_ops_waiting", "Calls without an answer yet")
apologies = Counter("flora_runtime_apologies_total", "Interactions answered for an isolate that was gone")
cron_jobs = Gauge("flora_runtime_cron_jobs", "Jobs by the clock of all guilds")
cron_runs = Series(Counter("flora_runtime_cron_runs_total", "Runs that were due", ["outcome"]))
guilds_moved = Counter("flora_runtime_guilds_moved_total", "Guilds whose data went or came", ["what"])
bad_frames = Counter("flora_runtime_bad_frames_total", "Frames that could not be read", ["stream", "reason"])
stream_dials = Counter("flora_runtime_stream_dials_total", "Streams dialled", ["stream", "outcome"])
worker_rss = Gauge("flora_runtime_worker_rss_bytes", "Resident memory of a worker process", ["worker"])
walls = Gauge("flora_runtime_walls", "Whether a wall around the workers is up", ["wall"])
hibernated = Gauge("flora_runtime_hibernated_guilds", "Guilds that sleep")
hibernations = Counter("flora_runtime_hibernations_total", "Isolates given back by guilds without events")
cpu_throttled = Counter("flora_runtime_cpu_throttled_total", "Times a guild used up its CPU time of a minute")
logs_suppressed = Counter("flora_runtime_logs_suppressed_total", "Log lines of scripts that wrote too many")
logs_dropped = Counter("flora_runtime_logs_dropped_total", "Log lines that could not be delivered")
