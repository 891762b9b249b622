"""The rate of one guild's calls: what it holds back, and what it leaves alone."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limiter_world import World, make_call, make_limiter

from flora_gateway.rest.calls import Refused, Why
from flora_gateway.rest.limiter import BYTES_A_CALL, GUILD_SECONDS


def world(guild_limit: int = 5, **options: int) -> World:
    return World(make_limiter(guild_limit=guild_limit, **options), lambda: (0.01, 0.01))


@pytest.mark.parity(43)
def test_calls_above_the_rate_wait_for_it() -> None:
    under_test = world(5)
    for _ in range(12):
        under_test.submit(make_call())
    under_test.run()
    starts = [at - 1000.0 for at, _ in under_test.started]
    assert [start < 1 for start in starts] == [True] * 5 + [False] * 7
    assert starts[5] >= GUILD_SECONDS
    assert starts[10] >= 2 * GUILD_SECONDS
    assert len(under_test.finished) == 12


def test_one_guilds_rate_is_not_anothers() -> None:
    under_test = world(2)
    for n in range(6):
        under_test.submit(make_call(guild=str(n % 3), major=str(n)))
    under_test.run()
    assert all(at < 1001 for at, _ in under_test.started)


def test_answers_to_interactions_are_not_counted() -> None:
    under_test = world(2)
    for n in range(2):
        under_test.submit(make_call(major=str(n)))
    for n in range(20):
        under_test.submit(make_call(route="callback", major=str(n), tokenised=True), after=0.5)
    under_test.run()
    assert all(at < 1002 for at, _ in under_test.started)


def test_a_call_whose_turn_comes_too_late_is_refused_at_once_and_told_when() -> None:
    limiter = make_limiter(guild_limit=1)
    assert limiter.admit(make_call(), 1000.0) is True
    found = limiter.admit(make_call(major="2", give_up_at=1005.0), 1001.0)
    assert found == Refused(Why.TOO_LATE, pytest.approx(9.0))


def test_calls_that_waited_for_too_long_are_told_when_to_try_again() -> None:
    limiter = make_limiter(guild_limit=1)
    assert limiter.admit(make_call(), 1000.0) is True
    late = make_call(major="2", give_up_at=1010.5)
    for call in (make_call(major="3", give_up_at=2000.0), late):
        assert limiter.admit(call, 1000.0) is False
    first = limiter.next(1010.0)
    assert first is not None
    assert limiter.next(1010.5) is None
    assert limiter.expired(1010.6) == [late]
    assert limiter.opens_in(late, 1010.6) == pytest.approx(9.4)


def test_large_bodies_count_for_more() -> None:
    limiter = make_limiter(guild_limit=5)
    assert limiter.admit(make_call(body=b"x" * (3 * BYTES_A_CALL)), 1000.0) is True
    assert limiter.admit(make_call(major="2"), 1000.0) is True
    assert limiter.admit(make_call(major="3"), 1000.0) is False


def test_a_body_larger_than_the_whole_rate_still_goes_out() -> None:
    limiter = make_limiter(guild_limit=2)
    assert limiter.admit(make_call(body=b"x" * (9 * BYTES_A_CALL)), 1000.0) is True


def test_no_limit_is_no_limit() -> None:
    under_test = world(0)
    for n in range(100):
        under_test.submit(make_call(major=str(n)))
    under_test.run()
    assert all(at < 1002 for at, _ in under_test.started)


@given(
    guild_limit=st.integers(1, 6),
    global_limit=st.sampled_from([0, 3]),
    calls=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 3), st.floats(0, 30), st.booleans()), max_size=60
    ),
)
def test_no_guild_ever_starts_more_than_its_rate_in_any_ten_seconds_and_every_call_ends(
    guild_limit: int, global_limit: int, calls: list[tuple[int, int, float, bool]]
) -> None:
    under_test = World(make_limiter(guild_limit=guild_limit, global_limit=global_limit), lambda: (0.05, 0.05))
    for guild, major, after, tokenised in calls:
        route = "callback" if tokenised else "sendMessage"
        call = make_call(guild=str(guild), route=route, major=str(major), tokenised=tokenised)
        under_test.submit(call, after=after)
    under_test.run()
    assert len(under_test.finished) == len(calls)
    starts: dict[str, list[float]] = {}
    for at, call in under_test.started:
        if not call.tokenised:
            starts.setdefault(call.guild, []).append(at)
    for of_guild in starts.values():
        for earlier, later in zip(of_guild, of_guild[guild_limit:], strict=False):
            assert later - earlier >= GUILD_SECONDS - 1e-6


def test_a_flooding_guild_leaves_the_global_limit_to_others() -> None:
    under_test = world(10, global_limit=20)
    for n in range(200):
        under_test.submit(make_call(guild="loud", major=str(n)))
    for n in range(40):
        under_test.submit(make_call(guild="quiet" + str(n % 8), major=str(n)), after=0.5)
    under_test.run(until=1004.0)
    started = Counter(call.guild[:5] for _, call in under_test.started)
    assert started["quiet"] == 40
    assert started["loud"] == 10
