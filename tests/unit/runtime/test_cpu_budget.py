"""CPU time by the minute: what a guild may use, and when it is held back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_runtime.worker.budget import MINUTE, CpuBudget

SECOND = 1e9


def budget(seconds: float = 12.0) -> CpuBudget:
    return CpuBudget(seconds, now=1000.0)


def test_a_guild_that_uses_little_never_waits() -> None:
    guild = budget()
    for step in range(1000):
        now = 1000.0 + step
        guild.spend(0.19 * SECOND, now)
        assert guild.wait(now) == 0
        assert guild.news(now) is None


def test_what_was_saved_up_may_be_used_at_once() -> None:
    guild = budget()
    guild.spend(11.9 * SECOND, 1000.0)
    assert guild.wait(1000.0) == 0


def test_then_it_waits_until_some_is_back() -> None:
    guild = budget()
    guild.spend(12.2 * SECOND, 1000.0)
    wait = guild.wait(1000.0)
    assert wait == pytest.approx(1.0)
    assert guild.wait(1000.0 + wait) == 0
    assert guild.over


def test_nothing_is_saved_up_beyond_a_minutes_worth() -> None:
    guild = budget()
    guild.spend(12.1 * SECOND, 5000.0)
    assert guild.wait(5000.0) > 0


def test_the_beginning_and_every_minute_are_told_once() -> None:
    guild = budget()
    told: list[float] = []
    for step in range(200):
        now = 1000.0 + step
        while not guild.wait(now):
            guild.spend(1 * SECOND, now)
        news = guild.news(now)
        if news is not None:
            told.append(news)
    assert told == [0, 1, 2, 3]


def test_a_guild_that_calmed_down_is_not_over_any_more() -> None:
    guild = budget()
    guild.spend(13 * SECOND, 1000.0)
    assert guild.wait(1000.0) > 0
    assert guild.news(1000.0) == 0
    assert guild.news(1020.0) is None
    assert guild.over
    assert guild.news(1040.0) is None
    assert not guild.over


def test_without_a_limit_nobody_waits() -> None:
    guild = budget(0)
    guild.spend(1000 * SECOND, 1000.0)
    assert guild.wait(1000.0) == 0


@given(
    seconds=st.floats(0.5, 60),
    steps=st.lists(st.tuples(st.floats(0, 30), st.floats(0.001, 2)), min_size=1, max_size=60),
)
def test_over_any_time_a_guild_gets_its_share_and_what_it_saved_up(
    seconds: float, steps: list[tuple[float, float]]
) -> None:
    """Turns are started whenever that is allowed; the sum stays below rate x time + burst + one turn."""
    guild, now, used = budget(seconds), 1000.0, 0.0
    for pause, cost in steps:
        now += pause
        if not guild.wait(now):
            guild.spend(cost * SECOND, now)
            used += cost
    assert used <= seconds * (now - 1000.0) / MINUTE + seconds + 2 + 1e-6


@given(owed=st.floats(0, 500), seconds=st.floats(0.5, 60))
def test_who_waits_as_long_as_told_may_run(owed: float, seconds: float) -> None:
    guild = budget(seconds)
    guild.spend((seconds + owed) * SECOND, 1000.0)
    assert guild.wait(1000.0 + guild.wait(1000.0) + 1e-6) == 0
