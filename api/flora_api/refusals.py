"""The answers of routes that are no success, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

ALWAYS: Final = (401, 403, 404, 429, 503)
"""What any route of a guild may answer: who asks, whether he may, whether the bot is there."""


class Refusal(BaseModel):
    """The body of every answer that is no success."""

    message: str
    code: str
    details: dict[str, Any]


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For ``responses=`` of a guild's route: these statuses besides those that any has."""
    return {status: {"model": Refusal} for status in sorted({*ALWAYS, *statuses})}
