"""``/health`` and ``/metrics``: of this installation, not of a guild."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from flora_api.answers import refusals
from flora_api.principal import IsOperator


def router() -> APIRouter:
    routes = APIRouter(tags=["installation"])

    @routes.get("/health", response_class=PlainTextResponse, summary="Whether it is there")
    async def health() -> str:
        return "ok"

    @routes.get(
        "/metrics",
        response_class=PlainTextResponse,
        responses=refusals(401, 403, 429),
        summary="What Prometheus reads",
    )
    async def metrics(_operator: IsOperator) -> Response:
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return routes
