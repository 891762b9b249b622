"""Statuses as values: what comes from the API server, and what goes there."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import yaml

from flora_core.wire.control import Limits
from flora_operator.status import (
    NOTHING,
    AssignmentStatus,
    BundleStatus,
    Condition,
    ErrorStatus,
    HandoffStatus,
    Status,
    parse,
    settle,
    timestamp,
    to_document,
)
from tests.unit.core.test_crd import CRD
from tests.unit.operator.guilds import LATER, NOW, as_stored, live

FULL = Status(
    observed_generation=3,
    conditions=(Condition("Ready", "True", "Loaded", "revision 2 is live", NOW, 3),),
    assignment=AssignmentStatus("flora-runtime-0", 1, 2, "ab" * 32, Limits(100, 64), "Auto"),
    bundle=BundleStatus("ab" * 32, 100, "cd" * 32),
    revision=2,
    loaded_at=NOW,
    subscribed_events=("guildMemberAdd", "messageCreate"),
    cron_jobs=1,
    last_error=ErrorStatus("boom", "at main (src/main.ts:1:1)", NOW),
    handoff=HandoffStatus("h1", "flora-runtime-0", "flora-runtime-1", "Held"),
)


def test_what_is_written_is_what_is_read() -> None:
    assert as_stored(FULL) == FULL
    made = live().status
    assert as_stored(made) == made


def test_every_field_is_one_of_the_crds() -> None:
    """What is not in the schema the API server drops; it would be written again for ever."""
    [version] = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["status"]
    document = to_document(msgspec.structs.replace(FULL, handoff=None))
    assert not list(unknown(document, schema, "status"))


def unknown(document: Any, schema: dict[str, Any], path: str) -> Any:
    if isinstance(document, dict):
        for name, value in document.items():
            known = schema.get("properties", {}).get(name)
            if known is None:
                yield f"{path}.{name}"
            else:
                yield from unknown(value, known, f"{path}.{name}")
    elif isinstance(document, (list, tuple)):
        for value in document:
            yield from unknown(value, schema["items"], path)


def test_an_empty_status_writes_nothing() -> None:
    assert to_document(NOTHING) == {}
    assert parse(None) == parse({}) == NOTHING


@pytest.mark.parametrize("nonsense", [{"conditions": 3}, {"revision": "two"}, {"bundle": []}, [], "x"])
def test_what_no_operator_wrote_counts_as_nothing(nonsense: Any) -> None:
    assert parse(nonsense) == NOTHING


def test_order_does_not_matter() -> None:
    document = to_document(live().status)
    turned = {**document, "conditions": list(reversed(document["conditions"]))}
    turned["subscribedEvents"] = list(reversed(document["subscribedEvents"]))
    assert parse(turned) == parse(document)


def test_a_condition_keeps_its_time_only_while_its_status_stays() -> None:
    was = Status(conditions=(Condition("Ready", "False", "Loading", "…", NOW, 1),))
    same = Condition("Ready", "False", "LoadFailed", "boom", LATER, 2)
    other = Condition("Ready", "True", "Loaded", "live", LATER, 2)
    assert settle([same], was)[0].last_transition_time == NOW
    assert settle([same], was)[0].reason == "LoadFailed"
    assert settle([other], was)[0].last_transition_time == LATER


def test_times_are_written_as_kubernetes_writes_them() -> None:
    assert len(timestamp()) == len("2026-01-01T00:00:00Z")
    assert timestamp().endswith("Z")
