"""Logs, metrics and health, the same in every component.

Logs are structlog events on standard error: JSON in a pod, coloured lines on a terminal. Context
(guild_id, pod, event_id) is bound once at the edge with ``structlog.contextvars``. Metrics live in
prometheus-client's default registry under ``flora_<component>_…``; a guild's id is never a label, since
thousands of guilds would make thousands of series.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TextIO, TypeVar

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from structlog.typing import EventDict

LogFormat = Literal["auto", "json", "console"]
M = TypeVar("M", Counter, Gauge, Histogram)
Health = Callable[[], str | None]
"""None when all is well, else what is not, in a few words."""


class Series(dict[Any, M]):
    """The series of a labelled metric by their label values: ``Series(events)["READY"].inc()``.

    For what is measured of every event: ``labels`` takes four times as long as counting does.
    """

    def __init__(self, metric: M) -> None:
        super().__init__()
        self._metric = metric

    def __missing__(self, labels: str | tuple[str | int, ...]) -> M:
        values = labels if isinstance(labels, tuple) else (labels,)
        series = self[labels] = self._metric.labels(*values)
        return series


def setup_logging(
    component: str, *, level: str = "INFO", style: LogFormat = "auto", stream: TextIO | None = None
) -> None:
    """Route structlog and the standard library's logging to ``stream``, by default standard error.

    ``auto`` means lines for a person on a terminal and JSON anywhere else.
    """
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_component(component),
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # rich's shows local variables: tokens, too
        )
        if console
        else structlog.processors.JSONRenderer(sort_keys=False)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info if not console else _keep,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Libraries that log each request, frame or object at INFO would drown ours.
    for chatty in ("aiohttp.access", "discord", "kopf.objects"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose events carry ``name``."""
    return structlog.stdlib.get_logger(name)


def _with_component(component: str) -> Callable[..., Any]:
    def add(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event.setdefault("component", component)
        return event

    return add


def _keep(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return event


def add_telemetry_routes(app: Any, *, healthy: Health, ready: Health) -> None:
    """``/metrics``, ``/healthz`` (restart me when not 200) and ``/readyz`` (send me work when 200)."""
    from aiohttp import web  # noqa: PLC0415  only components that serve HTTP have aiohttp

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def probe(check: Health) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_request: web.Request) -> web.Response:
            trouble = check()
            return web.Response(text=f"{trouble or 'ok'}\n", status=503 if trouble else 200)

        return answer

    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", probe(healthy))
    app.router.add_get("/readyz", probe(ready))
