"""The body of every answer that is no success, for handlers and layers alike; and how OpenAPI knows it."""

from __future__ import annotations

import math
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from flora_api.errors import ApiError


class ErrorBody(BaseModel):
    """What went wrong."""

    message: str = Field(description="For people: what to do.")
    code: str = Field(description="For programs; never changes.")
    details: dict[str, Any] = {}


_SAID = {
    400: "What to write instead.",
    401: "Nobody is logged in, or the token is not good.",
    403: "Not allowed.",
    404: "Not there.",
    409: "Not as things are now.",
    413: "Too large.",
    429: "Too often; Retry-After says when.",
    503: "Cannot be done now; Retry-After says when.",
    504: "Took too long.",
    507: "A quota is full.",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For ``responses=`` of a route; what any route may answer is there already."""
    return {status: {"model": ErrorBody, "description": _SAID[status]} for status in statuses}


EVERYWHERE = refusals(401, 403)
"""What any route may answer that asks who you are; 400, 429, 503 and 504 are added to all."""


def of_a_guild(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same of a route about one guild: also that it may not be yours, or not there."""
    return refusals(401, 403, 404, *statuses)


def stream_of(description: str, *names: str) -> dict[int | str, dict[str, Any]]:
    """For ``responses=`` of a route that answers with server-sent events of these names.

    The schema is that of each event; ``message`` is the name of those without any.
    """
    event = {
        "type": "object",
        "properties": {
            "event": {"enum": list(names)},
            "id": {"type": "string"},
            "data": {"type": "string", "contentMediaType": "application/json"},
        },
        "required": ["data"],
    }
    return {200: {"description": description, "content": {"text/event-stream": {"schema": event}}}}


def refusal(
    status: int, message: str, code: str, *, details: object = None, retry_after: float | None = None
) -> JSONResponse:
    """An answer that is no success."""
    headers = {"Retry-After": str(max(1, math.ceil(retry_after)))} if retry_after is not None else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = {"message": message, "code": code, "details": details or {}}
    return JSONResponse(body, status_code=status, headers=headers)


def of_error(error: ApiError) -> JSONResponse:
    """The answer for ``error``."""
    return refusal(error.status, str(error), error.code, details=error.details, retry_after=error.retry_after)
