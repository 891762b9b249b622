"""What Prometheus learns from the operator. Guilds by condition are counted when it asks."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flora_core.telemetry import Series

_SECONDS = (0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30)

reconcile_seconds = Histogram(
    "flora_operator_reconcile_seconds",
    "From taking a guild off the queue to being done with it",
    buckets=_SECONDS,
)
reconcile_errors = Series(
    Counter("flora_operator_reconcile_errors_total", "Reconciles to be tried again", ["reason"])
)
queue_depth = Gauge("flora_operator_queue_depth", "Keys that wait for a worker", ["queue"])
status_writes = Counter("flora_operator_status_writes_total", "Statuses written")
moves = Series(Counter("flora_operator_moves_total", "Guilds that got another pod", ["how"]))
bundle_seconds = Histogram(
    "flora_operator_bundle_seconds",
    "From having sources to their bundle, or the verdict on them",
    buckets=_SECONDS,
)
requests = Series(
    Counter("flora_operator_kube_requests_total", "Requests to the API server", ["verb", "resource", "code"])
)
throttled_seconds = Counter(
    "flora_operator_kube_throttled_seconds_total", "How long the API server asked us to wait"
)
watch_restarts = Series(
    Counter("flora_operator_watch_restarts_total", "Watches that began anew", ["resource", "reason"])
)
echoes = Counter(
    "flora_operator_watch_echoes_total", "Events that told what the answer to a write of ours had told"
)
events_dropped = Counter("flora_operator_events_dropped_total", "Events that were too many to be told")
reports_ignored = Series(
    Counter(
        "flora_operator_reports_ignored_total", "Reports of pods about guilds that are not theirs", ["why"]
    )
)
started = Counter("flora_operator_starters_total", "Guilds that got the starter script")
let_go_unconfirmed = Counter(
    "flora_operator_deletions_unconfirmed_total", "Deletions that did not wait longer for a pod to confirm"
)


class GuildsByCondition(Collector):
    """``flora_operator_guilds``, from ``ready``: the (status, reason) of each guild's Ready condition."""

    def __init__(self, ready: Callable[[], Iterable[tuple[str, str]]]) -> None:
        self._ready = ready

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "flora_operator_guilds", "GuildDeployments by their Ready condition", labels=["ready", "reason"]
        )
        for (status, reason), count in Tally(self._ready()).items():
            family.add_metric([status, reason], count)
        yield family
