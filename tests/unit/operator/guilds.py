"""Guilds as the operator might see them, and what was seen of them."""

from __future__ import annotations

from typing import Any

import msgspec

from flora_core.ids import GuildId, PodName
from flora_core.manifest import Hibernation
from flora_core.wire.control import Assignment, Failed, Loaded, Outcome, ScriptError
from flora_operator.deployment import Deployment, SourceRef
from flora_operator.placement import pods_of
from flora_operator.plan import Built, Observed, Plan, plan
from flora_operator.status import NOTHING, Condition, Status

GUILD = GuildId("123456789012345678")
PODS = pods_of("flora-runtime", 3)
NOW = "2026-01-01T00:00:00Z"
LATER = "2026-01-01T00:05:00Z"
BUILT = Built("ab" * 32, 1234, "cd" * 32)
BETTER = Built("ef" * 32, 2345, "01" * 32)


def deployment(**fields: Any) -> Deployment:
    given: dict[str, Any] = {
        "key": ("default", f"guild-{GUILD}"),
        "uid": "0b8e8a4e-5b4c-4d1c-9a55-0c7ff8d1c0de",
        "resource_version": "10",
        "generation": 1,
        "created": NOW,
        "guild": GUILD,
        "source": SourceRef("src/main.ts", digest=BUILT.sources),
        "hibernation": Hibernation.AUTO,
        **fields,
    }
    return Deployment(**given)


def seen(was: Status = NOTHING, **fields: Any) -> Observed:
    """All is well, but for ``fields``; those of a deployment's may be among them."""
    ours = set(Observed.__dataclass_fields__)
    of_deployment = {name: value for name, value in fields.items() if name not in ours}
    observed: dict[str, Any] = {
        "deployment": deployment(**of_deployment, status=was),
        "was": was,
        "build": BUILT,
        "pods": PODS,
        "now": NOW,
        **{name: value for name, value in fields.items() if name in ours},
    }
    return Observed(**observed)


def assigned(made: Plan) -> tuple[PodName, Assignment]:
    assert made.run is not None
    return made.run


def loaded(made: Plan, **fields: Any) -> dict[PodName, Loaded | Failed]:
    """Its pod says that it runs."""
    pod, told = assigned(made)
    given = {"worker": 1, "milliseconds": 3.0, "events": ["messageCreate"], **fields}
    return {pod: Loaded(told.guild, told.revision, told.bundle, **given)}


def failed(made: Plan, *, quarantined: bool = False) -> dict[PodName, Loaded | Failed]:
    """Its pod says that it does not."""
    pod, told = assigned(made)
    error = ScriptError("ReferenceError: ponk is not defined", "at main (src/main.ts:3:1)\nat x")
    outcome = Outcome.EXCEEDED_CPU if quarantined else Outcome.EXCEPTION
    return {pod: Failed(told.guild, told.revision, told.bundle, outcome, error, quarantined)}


def live(**fields: Any) -> Plan:
    """A guild whose script runs."""
    first = plan(seen(**fields))
    return plan(seen(first.status, reports=loaded(first), **fields))


def ready(status: Status) -> Condition:
    condition = status.condition("Ready")
    assert condition is not None
    return condition


def as_stored(status: Status) -> Status:
    """As it comes back from the API server."""
    from flora_operator.status import parse, to_document  # noqa: PLC0415

    return parse(msgspec.json.decode(msgspec.json.encode(to_document(status))))
