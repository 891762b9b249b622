"""The application put together from the routers of its parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from flora_api.answers import of_error, refusal, refusals
from flora_api.errors import ApiError
from flora_api.principal import DOCUMENTED, Guard
from flora_core.errors import DatabaseError, DatabaseGone
from flora_core.telemetry import logger

PREFIX = "/api"

_log = logger(__name__)


def make_app(guard: Guard, routers: Iterable[APIRouter]) -> FastAPI:
    """All ``routers`` under ``/api``, with errors as ``flora_api.errors`` has them."""
    app = FastAPI(
        title="flora",
        version="1",
        description="Deploy, watch and manage the scripts of Discord guilds.",
        openapi_url="/api-docs/openapi.json",
        docs_url="/api-docs",
        redoc_url=None,
        responses=refusals(429, 503, 504),
    )
    app.state.guard = guard
    for router in routers:
        app.include_router(router, prefix=PREFIX, dependencies=DOCUMENTED)
    app.add_exception_handler(ApiError, _refused)
    app.add_exception_handler(DatabaseError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)
    described = app.openapi
    app.openapi = lambda: _with_our_errors(described())
    return app


def _with_our_errors(document: dict[str, Any]) -> dict[str, Any]:
    """FastAPI describes requests that cannot be read as 422 with a body of its own; here they are 400. A body
    may be too large wherever there is one."""
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
    for operations in document["paths"].values():
        for operation in operations.values():
            responses: dict[str, Any] = operation["responses"]
            if responses.pop("422", None) is not None:
                responses.setdefault("400", {"description": "What to write instead.", "content": body})
            if "requestBody" in operation:
                responses.setdefault("413", {"description": "Too large.", "content": body})
            for status, response in responses.items():
                if status >= "400" and "content" in response:  # also where success is plain text
                    response["content"] = {"application/json": next(iter(response["content"].values()))}
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    return document


def refused(error: ApiError | DatabaseError) -> JSONResponse:
    """The answer to what could not be done."""
    if isinstance(error, ApiError):
        return of_error(error)
    if isinstance(error, DatabaseGone):
        text = "the database cannot be reached now; try again in a moment"
        return refusal(503, text, "DATABASE_UNAVAILABLE", retry_after=2)
    _log.error("database_error", error=str(error))
    return refusal(500, "the API's database would not do this; its log says why", "INTERNAL")


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError | DatabaseError)
    return refused(error)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """What is wrong, and where; never what was given, which may be a secret."""
    assert isinstance(error, RequestValidationError)
    found = [
        {"where": ".".join(map(str, each["loc"])), "what": each["msg"].removeprefix("Value error, ")}
        for each in error.errors()
    ]
    first = found[0] if found else {"where": "the request", "what": "cannot be read"}
    return refusal(400, f"{first['where']}: {first['what']}", "INVALID_REQUEST", details={"errors": found})


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    codes = {404: "NO_SUCH_ROUTE", 405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE"}
    answer = refusal(error.status_code, str(error.detail), codes.get(error.status_code, "HTTP_ERROR"))
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error("request_failed", path=request.url.path, exc_info=error)
    return refusal(500, "something went wrong here that should not; the API's log says what", "INTERNAL")
