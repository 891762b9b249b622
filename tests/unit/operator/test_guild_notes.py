"""Events: what is told on the object when its status changes."""

from __future__ import annotations

import msgspec

from flora_operator.notes import transitions
from flora_operator.plan import Unbuilt, plan
from flora_operator.status import NOTHING
from tests.unit.operator.guilds import BETTER, assigned, failed, live, loaded, seen


def told(was: object, now: object) -> list[tuple[str, str]]:
    return [(note.kind, note.reason) for note in transitions(was, now)]  # type: ignore[arg-type]


def test_the_way_of_a_script_is_told_once() -> None:
    first = plan(seen())
    assert told(NOTHING, first.status) == [("Normal", "Bundled"), ("Normal", "Assigned")]
    second = plan(seen(first.status, reports=loaded(first)))
    assert told(first.status, second.status) == [("Normal", "Loaded")]
    assert told(second.status, second.status) == []


def test_failures_are_warnings() -> None:
    before = live()
    bad = plan(seen(before.status, build=Unbuilt("BundleFailed", "src/main.ts:1:1")))
    [note] = transitions(before.status, bad.status)
    assert (note.kind, note.reason) == ("Warning", "Failed")
    assert note.message == "BundleFailed: src/main.ts:1:1; revision 1 runs on"
    quarantined = plan(seen(before.status, reports=failed(before, quarantined=True)))
    assert told(before.status, quarantined.status) == [("Warning", "Quarantined")]
    better = plan(seen(before.status, build=BETTER))
    thrown = plan(seen(better.status, build=BETTER, reports=failed(better)))
    assert told(better.status, thrown.status) == [("Warning", "Failed")]


def test_a_good_script_again_after_a_bad_one_is_not_told_as_a_new_load() -> None:
    """What ran has run on."""
    before = live()
    bad = plan(seen(before.status, build=Unbuilt("BundleFailed", "src/main.ts:1:1")))
    again = plan(seen(bad.status, reports=loaded(before)))
    assert told(bad.status, again.status) == []


def test_another_pod_is_a_move() -> None:
    before = live()
    assert before.status.assignment is not None
    other = msgspec.structs.replace(before.status.assignment, pod="flora-runtime-9")
    moved = msgspec.structs.replace(before.status, assignment=other)
    assert [note.reason for note in transitions(before.status, moved)] == ["Moved"]


def test_suspended_is_no_warning_and_a_missing_secret_is() -> None:
    before = live()
    suspended = plan(seen(before.status, suspended=True))
    assert told(before.status, suspended.status) == [("Normal", "Suspended")]
    gone = plan(seen(before.status, gone=[assigned(before)[0]]))
    assert told(before.status, gone.status) == [("Warning", "PodGone")]
    missing = plan(seen(before.status, missing_secrets=["secret KEY: there is no Secret s"]))
    assert told(before.status, missing.status) == [("Warning", "SecretMissing")]


def test_a_new_generation_with_nothing_new_tells_nothing() -> None:
    before = live()
    assert told(before.status, plan(seen(before.status, generation=2)).status) == []
