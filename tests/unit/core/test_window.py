"""Sliding windows and the budget of invalid requests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flora_core.window import SlidingWindow
from flora_gateway.rest.calls import Refused, Why
from flora_gateway.rest.invalid import SUSPENSION_SECONDS, WINDOW_SECONDS, InvalidRequests


def test_a_window_opens_when_its_oldest_mark_is_old_enough() -> None:
    window = SlidingWindow(2, seconds=10.0)
    for now in (0.0, 3.0):
        assert window.opens_at(now) == now
        window.mark(now)
    assert window.opens_at(4.0) == 10.0
    assert window.opens_at(10.0) == 10.0
    window.mark(10.0)
    assert window.opens_at(10.0) == 13.0


def test_marks_over_the_limit_keep_the_window_full_for_longer() -> None:
    window = SlidingWindow(2, seconds=10.0)
    for now in (0.0, 1.0, 5.0):
        window.mark(now)
    assert window.opens_at(6.0) == 11.0


def test_counting_forgets_what_is_too_old() -> None:
    window = SlidingWindow(5, seconds=10.0)
    for now in (0.0, 1.0, 2.0):
        window.mark(now)
    assert window.count(9.0) == 3
    assert window.count(11.0) == 1
    assert window.count(100.0) == 0


@given(
    gaps=st.lists(st.floats(0, 2), min_size=1, max_size=60),
    limit=st.integers(1, 8),
    seconds=st.floats(0.5, 5),
)
def test_no_window_ever_holds_more_than_its_limit(gaps: list[float], limit: int, seconds: float) -> None:
    window = SlidingWindow(limit, seconds=seconds)
    passed: list[float] = []
    now = 0.0
    for gap in gaps:
        now += gap
        if window.opens_at(now) <= now:
            window.mark(now)
            passed.append(now)
    pairs = zip(passed, passed[limit:], strict=False)
    assert all(later - earlier >= seconds * (1 - 1e-9) for earlier, later in pairs)


# Invalid requests


def budget(*, limit: int = 9000, guild_limit: int = 30) -> InvalidRequests:
    return InvalidRequests(limit=limit, guild_limit=guild_limit)


def test_nobody_is_refused_before_anything_went_wrong() -> None:
    assert budget().refusal("1", 0.0) is None


def test_everybody_is_refused_once_the_bot_has_had_too_many() -> None:
    invalid = budget(limit=3)
    for now in range(3):
        invalid.count(str(now), float(now))
    assert invalid.refusal("9", 5.0) == Refused(Why.INVALID_REQUESTS, WINDOW_SECONDS - 5.0)
    assert invalid.refusal("9", WINDOW_SECONDS) is None


def test_a_guild_is_suspended_by_its_own_and_no_other_is() -> None:
    invalid = budget(guild_limit=3)
    assert [invalid.count("1", float(now)) for now in range(3)] == [False, False, True]
    assert invalid.refusal("1", 2.0) == Refused(Why.SUSPENDED, SUSPENSION_SECONDS)
    assert invalid.refusal("2", 2.0) is None
    assert invalid.refusal("1", 2.0 + SUSPENSION_SECONDS) is None


def test_a_guild_is_not_suspended_for_the_same_number_over_a_longer_time() -> None:
    invalid = budget(guild_limit=3)
    assert not any(invalid.count("1", 31.0 * n) for n in range(20))


def test_answers_that_were_on_their_way_do_not_suspend_twice() -> None:
    invalid = budget(guild_limit=2)
    assert [invalid.count("1", 0.0) for _ in range(4)] == [False, True, False, False]
    assert invalid.refusal("1", 1.0) == Refused(Why.SUSPENDED, SUSPENSION_SECONDS - 1.0)


def test_after_a_suspension_a_guild_has_its_whole_budget_again() -> None:
    invalid = budget(guild_limit=2)
    invalid.count("1", 0.0)
    invalid.count("1", 0.0)
    later = SUSPENSION_SECONDS + 1.0
    assert invalid.refusal("1", later) is None
    assert invalid.count("1", later) is False


def test_guilds_that_are_quiet_again_take_no_memory() -> None:
    invalid = budget(guild_limit=2)
    for guild in range(100):
        invalid.count(str(guild), 0.0)
        invalid.count(str(guild), 0.0)
    for guild in range(100, 150):
        invalid.count(str(guild), 0.0)
    invalid.count("new", 10_000.0)
    assert set(invalid._guilds) == {"new"}
    assert invalid._suspended == {}


def test_several_marks_fit_together_or_wait_together() -> None:
    window = SlidingWindow(3, seconds=10)
    window.mark(0.0, count=2)
    assert window.opens_at(1.0) == 1.0
    assert window.opens_at(1.0, count=2) == 10.0
    assert window.opens_at(1.0, count=4) == 11.0
    window.mark(1.0)
    assert window.opens_at(2.0, count=3) == 11.0
