"""When a call is made again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flora_cli.retries import (
    ATTEMPTS,
    LONGEST_PAUSE_SECONDS,
    LONGEST_RECONNECT_SECONDS,
    pause_before,
    reconnect_after,
)

draws = st.floats(0, 1)


@given(draws)
def test_a_call_is_made_so_many_times_and_no_more(draw: float) -> None:
    assert all(pause_before(attempt, draw=draw) is not None for attempt in range(2, ATTEMPTS + 1))
    assert pause_before(ATTEMPTS + 1, draw=draw) is None
    assert pause_before(ATTEMPTS + 1, draw=draw, wanted=1) is None


@given(draws)
def test_pauses_grow_and_stay_short(draw: float) -> None:
    pauses = [pause_before(attempt, draw=draw) or 0 for attempt in range(2, ATTEMPTS + 1)]
    assert pauses == sorted(pauses)
    assert 0 < sum(pauses) < 5


@given(draws, st.floats(0, LONGEST_PAUSE_SECONDS))
def test_what_a_server_wants_is_waited_for(draw: float, wanted: float) -> None:
    pause = pause_before(2, draw=draw, wanted=wanted)
    assert pause is not None
    assert wanted <= pause <= 1.1 * wanted


def test_a_server_that_wants_very_long_is_not_waited_for() -> None:
    assert pause_before(2, draw=0.5, wanted=LONGEST_PAUSE_SECONDS + 1) is None


@given(st.integers(0, 10_000), draws)
def test_a_stream_is_opened_again_for_ever_and_never_too_often(breaks: int, draw: float) -> None:
    pause = reconnect_after(breaks, draw=draw)
    assert 0.5 <= pause <= LONGEST_RECONNECT_SECONDS
