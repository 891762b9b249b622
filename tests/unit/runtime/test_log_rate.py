"""A script's log has a rate; what is beyond is counted and told once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flora_runtime.log_rate import LINES, SECONDS, LogRate


def write(rate: LogRate, lines: int, now: float) -> int:
    """How many of ``lines`` are taken."""
    return sum(rate.take(now) for _ in range(lines))


def test_a_hundred_lines_are_taken_and_the_rest_is_counted() -> None:
    rate = LogRate()
    assert write(rate, 130, 1000.0) == LINES
    assert rate.overdue(1000.0 + SECONDS - 0.1) == 0
    assert rate.overdue(1000.0 + SECONDS) == 30
    assert rate.overdue(1000.0 + SECONDS) == 0


def test_the_next_window_begins_with_its_first_line() -> None:
    rate = LogRate()
    write(rate, LINES, 1000.0)
    assert write(rate, 5, 1000.0 + SECONDS) == 5
    assert write(rate, LINES, 1019.0) == LINES - 5


def test_a_quiet_script_is_never_told_of_anything() -> None:
    rate = LogRate()
    for second in range(100):
        assert rate.take(float(second))
        assert rate.overdue(float(second)) == 0


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 250)), max_size=30))
def test_every_line_is_taken_or_told_of(bursts: list[tuple[int, int]]) -> None:
    rate, now, taken, told, written = LogRate(), 0.0, 0, 0, 0
    for pause, lines in bursts:
        now += pause
        told += rate.overdue(now)
        taken += write(rate, lines, now)
        written += lines
    told += rate.overdue(now + SECONDS)
    assert taken + told == written


def test_lines_that_somebody_else_left_out_are_told_with_ours() -> None:
    rate = LogRate()
    rate.suppress(7, 1000.0)
    assert write(rate, 103, 1000.0) == LINES
    assert rate.overdue(1000.0 + SECONDS) == 10
    assert rate.overdue(1000.0 + SECONDS) == 0
