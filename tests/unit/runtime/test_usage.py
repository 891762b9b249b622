"""What a guild has used, counted."""

from __future__ import annotations

from flora_core.wire.control import Outcome
from flora_runtime.supervisor import usage as usage_module
from flora_runtime.supervisor.usage import Usage


def test_jobs_are_counted_together() -> None:
    usage = Usage(7.0)
    for type_ in ("MESSAGE_CREATE", "__cron:a", "__cron:b", "MESSAGE_CREATE"):
        usage.event(type_)
    assert usage.row(kv=None, awake=False, quarantined=False, quarantine_reason="", now=8.0).events == {
        "MESSAGE_CREATE": 2,
        "cron": 2,
    }


def test_kinds_of_events_are_bounded() -> None:
    usage = Usage(0.0)
    for number in range(usage_module.TYPES_MOST + 50):
        usage.event(f"T{number}")
    assert len(usage.events) == usage_module.TYPES_MOST + 1
    assert usage.events[usage_module.OTHERS] == 50


def test_a_suspension_that_is_over_is_not_told() -> None:
    usage = Usage(0.0)
    usage.suspended_until = 50.0
    told = [
        usage.row(kv=None, awake=True, quarantined=False, quarantine_reason="", now=now).suspended_until
        for now in (49.0, 50.0, 51.0)
    ]
    assert told == [50.0, 0.0, 0.0]


def test_a_row_has_names_and_milliseconds() -> None:
    usage = Usage(7.0)
    usage.cpu_ns = 1_234_567
    usage.outcomes[Outcome.EXCEEDED_CPU] += 2
    told = usage.row(kv=None, awake=False, quarantined=True, quarantine_reason="why", now=8.0)
    assert (told.since, told.cpu_milliseconds, told.outcomes) == (7.0, 1.235, {"exceededCpu": 2})
    assert (told.quarantined, told.quarantine_reason, told.kv) == (True, "why", None)
