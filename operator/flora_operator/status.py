"""A GuildDeployment's status, as a value: compared to know whether to write, kept to know what was.

What the API server may reorder (lists that are sets or maps) is sorted, so that equal statuses are equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from flora_core.wire.control import Limits

BUNDLED: Final = "Bundled"
ASSIGNED: Final = "Assigned"
READY: Final = "Ready"

Truth = Literal["True", "False", "Unknown"]


class Condition(Struct, frozen=True, rename="camel"):
    """``Bundled``, ``Assigned`` or ``Ready`` (Kubernetes API conventions, "Typical status properties")."""

    type: str
    status: str
    reason: str
    message: str
    last_transition_time: str
    observed_generation: int = 0


class AssignmentStatus(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a pod was told; after a restart the operator tells it the same."""

    pod: str = ""
    worker: int | None = None
    revision: int = 0
    bundle: str = ""
    limits: Limits | None = None
    hibernation: str = ""


class BundleStatus(Struct, frozen=True, rename="camel", omit_defaults=True):
    sha256: str = ""
    bytes: int = 0
    sources: str = ""
    """SHA-256 over the sources it was made of."""


class ErrorStatus(Struct, frozen=True, rename="camel", omit_defaults=True):
    message: str = ""
    stack: str = ""
    at: str = ""


class HandoffStatus(Struct, frozen=True, rename={"from_": "from"}, omit_defaults=True):
    """A guild on its way; written by who moves it."""

    id: str = ""
    from_: str = ""
    to: str = ""
    step: str = ""


class Status(Struct, frozen=True, rename="camel", omit_defaults=True):
    """All of it; an empty one is that of an object nobody has looked at."""

    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()
    assignment: AssignmentStatus | None = None
    bundle: BundleStatus | None = None
    revision: int = 0
    loaded_at: str = ""
    subscribed_events: tuple[str, ...] = ()
    cron_jobs: int | None = None
    last_error: ErrorStatus | None = None
    handoff: HandoffStatus | None = None

    def condition(self, kind: str) -> Condition | None:
        """The condition of this type."""
        return next((condition for condition in self.conditions if condition.type == kind), None)

    def reason(self, kind: str) -> str:
        """Its reason; empty when there is none."""
        condition = self.condition(kind)
        return condition.reason if condition is not None else ""


NOTHING: Final = Status()


def parse(document: Any) -> Status:
    """What an object carries; what no operator could have written counts as nothing."""
    try:
        status = msgspec.convert(document or {}, Status)
    except msgspec.ValidationError:
        return NOTHING
    return msgspec.structs.replace(
        status,
        conditions=tuple(sorted(status.conditions, key=lambda condition: condition.type)),
        subscribed_events=tuple(sorted(status.subscribed_events)),
    )


def to_document(status: Status) -> dict[str, Any]:
    """As it is written."""
    return msgspec.to_builtins(status)


def settle(conditions: Iterable[Condition], was: Status) -> tuple[Condition, ...]:
    """``conditions`` with the time since when each has had its status."""
    settled: list[Condition] = []
    for condition in conditions:
        before = was.condition(condition.type)
        if before is not None and before.status == condition.status and before.last_transition_time:
            since = before.last_transition_time
            condition = msgspec.structs.replace(condition, last_transition_time=since)  # noqa: PLW2901
        settled.append(condition)
    return tuple(sorted(settled, key=lambda condition: condition.type))


def timestamp(at: datetime | None = None) -> str:
    """RFC 3339 in whole seconds, as Kubernetes writes times; now by default."""
    return (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_between(earlier: str, later: str) -> float:
    """From one timestamp to another; 0 where one of them is none."""
    try:
        return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except (TypeError, ValueError):
        return 0.0
