"""The REST proxy's metrics. Routes are labels, guilds never are."""

from __future__ import annotations

from functools import cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from flora_core.telemetry import Series

REQUESTS: Final = Series(
    Counter(
        "flora_gateway_rest_requests",
        "Requests to Discord, repeats included, by route and status (or why there was none).",
        ("route", "status"),
    )
)
SECONDS: Final = Histogram(
    "flora_gateway_rest_seconds",
    "From taking an op to its result, waiting for rate limits and repeats included.",
    ("route",),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
RETRIES: Final = Counter(
    "flora_gateway_rest_retries", "Requests that were made again, by reason.", ("reason",)
)
QUEUE_DEPTH: Final = Gauge("flora_gateway_rest_queue_depth", "Calls that wait for a rate limit.")
INVALID: Final = Counter(
    "flora_gateway_invalid_requests",
    "Answers that count towards Discord's ban at 10,000 in 10 minutes, by status.",
    ("status",),
)
SUSPENSIONS: Final = Counter(
    "flora_gateway_rest_suspensions",
    "Guilds whose calls were refused for a time after too many such answers.",
)
SCOPE_FORBIDDEN: Final = Counter(
    "flora_gateway_scope_forbidden", "Ops that reached for something outside their guild."
)


class RouteMetrics:
    """One route's series, looked up once."""

    __slots__ = ("_route", "observe")

    def __init__(self, route: str) -> None:
        self._route = route
        self.observe = SECONDS.labels(route).observe

    def count(self, status: int | str) -> None:
        """One request came back."""
        REQUESTS[self._route, status].inc()


@cache
def of_route(name: str) -> RouteMetrics:
    """The series of the route ``name``."""
    return RouteMetrics(name)
