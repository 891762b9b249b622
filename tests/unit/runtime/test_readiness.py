"""When a pod is ready, what it says when it is not, and what does not hold it back for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_runtime.supervisor.readiness import (
    CONTROL_SECONDS,
    GUILDS_SECONDS,
    WORKER_SECONDS,
    Parts,
    Readiness,
    unhealthy,
)

ALL = Parts(assignments=True, control=True, gateway=True, workers_down=())


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (replace(ALL, assignments=False), "no assignments yet"),
        (replace(ALL, control=False), "the control plane has not answered yet"),
        (replace(ALL, gateway=False), "no stream from the gateway"),
        (replace(ALL, workers_down=(1, 3)), "workers not ready: 1, 3"),
    ],
)
def test_what_is_missing_is_named(parts: Parts, text: str) -> None:
    missing = Readiness(0.0).missing(0.0, parts, list)
    assert missing is not None
    assert missing.startswith(text)
    assert "\n" not in missing


def test_guilds_that_have_not_loaded_are_counted_and_some_named() -> None:
    readiness = Readiness(0.0)
    assert readiness.missing(0.0, ALL, lambda: ["1", "2"]) == "guilds not loaded yet: 2 (1, 2)"
    many = [str(number) for number in range(500)]
    assert readiness.missing(0.0, ALL, lambda: many) == "guilds not loaded yet: 500 (0, 1, 2, …)"
    assert readiness.missing(1.0, ALL, list) is None


def test_a_pod_without_guilds_is_ready() -> None:
    assert Readiness(0.0).missing(0.0, ALL, list) is None


def test_what_is_kept_on_disk_is_served_without_a_control_plane_after_a_moment() -> None:
    readiness, alone = Readiness(100.0), replace(ALL, control=False)
    assert readiness.missing(100.0 + CONTROL_SECONDS - 0.1, alone, list) is not None
    assert readiness.missing(100.0 + CONTROL_SECONDS, alone, list) is None


def test_without_anything_on_disk_the_control_plane_is_waited_for() -> None:
    nothing = replace(ALL, control=False, assignments=False)
    assert Readiness(0.0).missing(CONTROL_SECONDS * 100, nothing, list) is not None


def test_a_gateway_that_goes_away_later_shows() -> None:
    readiness = Readiness(0.0)
    assert readiness.missing(0.0, ALL, list) is None
    assert readiness.missing(1.0, replace(ALL, gateway=False), list) == "no stream from the gateway"


def test_a_guild_that_cannot_load_holds_a_pod_back_for_a_bounded_time() -> None:
    readiness = Readiness(0.0)
    assert readiness.missing(5.0, ALL, lambda: ["1"]) is not None
    assert readiness.missing(5.0 + GUILDS_SECONDS - 0.1, ALL, lambda: ["1"]) is not None
    assert readiness.missing(5.0 + GUILDS_SECONDS, ALL, lambda: ["1"]) is None


def test_the_guilds_time_begins_when_all_else_is_there() -> None:
    readiness = Readiness(0.0)
    readiness.missing(0.0, replace(ALL, gateway=False), lambda: ["1"])
    assert readiness.missing(GUILDS_SECONDS, ALL, lambda: ["1"]) is not None


def test_a_guild_that_is_assigned_to_a_pod_that_serves_does_not_make_it_unready() -> None:
    readiness = Readiness(0.0)
    assert readiness.missing(0.0, ALL, list) is None
    assert readiness.missing(1.0, ALL, lambda: ["new"]) is None


parts = st.builds(
    Parts,
    assignments=st.booleans(),
    control=st.booleans(),
    gateway=st.booleans(),
    workers_down=st.lists(st.integers(0, 3), max_size=2),
)


@given(
    history=st.lists(st.tuples(st.integers(0, 100), parts, st.lists(st.just("1"), max_size=1)), max_size=20)
)
def test_a_pod_that_has_what_it_needs_is_ready_in_the_end_whatever_was_before(
    history: list[tuple[int, Parts, list[str]]],
) -> None:
    readiness, now = Readiness(0.0), 0
    for pause, seen, unsettled in history:
        now += pause
        missing = readiness.missing(now, seen, lambda unsettled=unsettled: unsettled)
        if missing is None:
            assert seen.gateway
            assert seen.assignments
            assert not seen.workers_down
    readiness.missing(now, ALL, lambda: ["1"])
    assert readiness.missing(now + GUILDS_SECONDS, ALL, lambda: ["1"]) is None


def test_a_worker_that_does_not_come_back_makes_the_pod_unhealthy() -> None:
    assert unhealthy([]) is None
    assert unhealthy([0.0, WORKER_SECONDS]) is None
    assert unhealthy([0.0, WORKER_SECONDS + 1, 0.0]) == "workers not ready for 120 s: 1"
