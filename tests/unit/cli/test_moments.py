"""Times as they are typed on the command line."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_cli.moments import parse_moment, parse_seconds
from flora_core.errors import InvalidInput

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("7d", 604_800), ("1w", 604_800), ("1h30m", 5400)],
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_seconds(text, option="--ttl") == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "-5", "1.5h", "10y", "h", "1h 30m", "10 m", "5m5", "١٠", "999999999w", "1e3", "0s"]
)
def test_what_is_no_duration_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^--ttl:"):
        parse_seconds(text, option="--ttl")


def test_a_duration_lies_that_long_ago() -> None:
    assert parse_moment("10m", now=NOW, option="--since") == NOW - 600


@pytest.mark.parametrize("text", ["2026-01-31", "2026-01-31T09:00", "2026-01-31T09:00:00+02:00"])
def test_a_date_is_meant_as_it_is(text: str) -> None:
    assert parse_moment(text, now=NOW, option="--since") == datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "10y", "", "09:99", "0001-01-01"])
def test_what_is_no_time_names_its_option(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^--since:"):
        parse_moment(text, now=NOW, option="--since")


@given(st.text(max_size=20))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        parse_moment(text, now=NOW, option="--since")
        parse_seconds(text, option="--ttl")
    except InvalidInput:
        pass
