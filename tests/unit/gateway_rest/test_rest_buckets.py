"""What is believed of Discord's buckets, and what its answers make of that."""

from __future__ import annotations

import gc
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limiter_world import World, limits, make_call, make_limiter

from flora_gateway.rest.buckets import KEPT, NEVER, Bucket, BucketTable, RateLimits, read_limits

HEADERS = {
    b"x-ratelimit-bucket": b"abc",
    b"x-ratelimit-limit": b"5",
    b"x-ratelimit-remaining": b"3",
    b"x-ratelimit-reset-after": b"1.234",
}


def started(bucket: Bucket, calls: int) -> Bucket:
    for _ in range(calls):
        bucket.start()
    return bucket


def known(*, remaining: int = 4, limit: int = 5, reset_after: float = 5.0, now: float = 0.0) -> Bucket:
    bucket = started(Bucket(), 1)
    bucket.answered(limits(remaining=remaining, limit=limit, reset_after=reset_after), now)
    return bucket


def room(bucket: Bucket, now: float) -> int:
    """How many calls it lets start at ``now``."""
    count = 0
    while bucket.opens_at(now) <= now and count < 50:
        bucket.start()
        count += 1
    return count


# Reading


def test_the_headers_of_an_answer_are_read() -> None:
    assert read_limits(HEADERS) == RateLimits(b"abc", 5, 3, 1.234)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-ratelimit-limit", b"0"),
        (b"x-ratelimit-limit", b"many"),
        (b"x-ratelimit-remaining", b"-1"),
        (b"x-ratelimit-reset-after", b"inf"),
        (b"x-ratelimit-reset-after", b"nan"),
        (b"x-ratelimit-reset-after", b""),
    ],
)
def test_headers_that_make_no_sense_are_as_good_as_none(name: bytes, value: bytes) -> None:
    assert read_limits(HEADERS | {name: value}) is None


@pytest.mark.parametrize("missing", list(HEADERS))
def test_headers_that_are_not_all_there_are_as_good_as_none(missing: bytes) -> None:
    assert read_limits({name: value for name, value in HEADERS.items() if name != missing}) is None


# One bucket


def test_it_counts_down_by_itself_between_answers() -> None:
    assert room(known(remaining=2), 1.0) == 2


def test_it_opens_again_with_its_whole_limit() -> None:
    bucket = known(remaining=0, limit=5, reset_after=5.0)
    assert bucket.opens_at(1.0) == 5.0
    assert room(bucket, 5.0) == 5


def test_after_a_window_it_waits_for_an_answer_to_know_the_next_one() -> None:
    bucket = known(remaining=0, limit=2, reset_after=5.0)
    assert room(bucket, 5.0) == 2
    assert bucket.opens_at(100.0) == NEVER
    bucket.answered(limits(remaining=1, limit=2, reset_after=4.0), 6.0)
    assert bucket.opens_at(6.0) == 10.0


def test_an_answer_that_was_overtaken_does_not_give_calls_back() -> None:
    bucket = started(known(remaining=4), 4)
    bucket.answered(limits(remaining=0), 1.0)
    bucket.answered(limits(remaining=3), 1.1)
    assert bucket.opens_at(1.1) == 6.1


def test_an_answer_from_the_last_window_does_not_shorten_this_one() -> None:
    bucket = started(known(remaining=4, limit=5, reset_after=1.0), 2)
    bucket.answered(limits(remaining=2, reset_after=5.0), 2.0)  # the first of a new window
    bucket.answered(limits(remaining=0, reset_after=0.1), 2.1)  # late, from the old one
    assert bucket.opens_at(2.2) == 7.0


def test_when_every_call_is_lost_it_goes_on_with_one_at_a_time() -> None:
    bucket = started(known(remaining=0, limit=1, reset_after=1.0), 0)
    assert room(bucket, 1.0) == 1
    bucket.answered(None, 2.0, telling=False)
    assert room(bucket, 2.0) == 1


def test_a_refusal_closes_it_for_as_long_as_it_says() -> None:
    bucket = known(remaining=4)
    bucket.block(3.0)
    assert bucket.opens_at(1.0) == 3.0
    assert bucket.opens_at(3.0) == 3.0


def test_it_is_idle_once_nothing_is_remembered_that_matters() -> None:
    bucket = known(remaining=4, reset_after=5.0)
    assert not bucket.idle(4.9)
    assert bucket.idle(5.0)
    bucket.block(9.0)
    assert not bucket.idle(5.0)
    assert not started(Bucket(), 1).idle(100.0)


@given(
    bursts=st.lists(st.tuples(st.floats(0, 20), st.integers(1, 12)), min_size=1, max_size=8),
    limit=st.integers(1, 10),
    seconds=st.floats(0.25, 6),
    slowest=st.floats(0.001, 3),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=300, deadline=None)
def test_with_any_delays_on_the_way_discord_counts_no_more_than_its_limit(
    bursts: list[tuple[float, int]], limit: int, seconds: float, slowest: float, seed: int
) -> None:
    dice = random.Random(seed)
    world = World(
        make_limiter(guild_concurrency=20),
        lambda: (dice.uniform(0, slowest), dice.uniform(0, slowest)),
        buckets={"sendMessage": "A"},
        limit=limit,
        seconds=seconds,
    )
    for when, calls in bursts:
        for _ in range(calls):
            world.submit(make_call(), after=when)
    world.run()
    assert world.over_limit == 0
    assert len(world.finished) == sum(calls for _, calls in bursts)


def test_a_full_bucket_is_used_to_its_limit_in_every_window() -> None:
    world = World(
        make_limiter(guild_concurrency=20), lambda: (0.05, 0.05), {"sendMessage": "A"}, limit=5, seconds=5.0
    )
    for _ in range(22):
        world.submit(make_call())
    world.run()
    assert world.over_limit == 0
    assert world.now - 1000.0 < 4 * (5.0 + 0.2) + 0.2  # 22 calls, 5 a window: four windows must end


# All buckets


def test_routes_that_turn_out_to_share_a_bucket_do_so_for_other_channels_at_once() -> None:
    table = BucketTable()
    for route in ("a", "b"):
        key = (route, "1")
        bucket = table.find(key, 0.0)
        bucket.start()
        table.answered(key, bucket, limits(remaining=4), 0.0, telling=True)
    assert table.find(("a", "1"), 0.0) is table.find(("b", "1"), 0.0)
    assert table.find(("a", "2"), 0.0) is table.find(("b", "2"), 0.0)
    assert table.find(("a", "1"), 0.0) is not table.find(("a", "2"), 0.0)


def test_a_route_that_moves_to_another_bucket_is_counted_there() -> None:
    table = BucketTable()
    key = ("a", "1")
    old = table.find(key, 0.0)
    for name in (b"old", b"new"):
        old.start()
        table.answered(key, old, limits(remaining=4, bucket=name), 0.0, telling=True)
    new = table.find(key, 0.0)
    assert new is not old
    assert (old.in_flight, new.in_flight) == (0, 0)
    assert new.name == b"new"


def test_a_call_in_flight_is_counted_where_its_answer_says() -> None:
    table = BucketTable()
    first, second = ("a", "1"), ("b", "1")
    shared = table.find(first, 0.0)
    shared.start()
    table.answered(first, shared, limits(remaining=4), 0.0, telling=True)
    probing = table.find(second, 0.0)
    probing.start()
    assert table.answered(second, probing, limits(remaining=2), 0.1, telling=True) is shared
    assert room(shared, 0.2) == 2


def test_idle_buckets_are_forgotten_when_there_are_many() -> None:
    table = BucketTable()
    for n in range(3 * KEPT):
        key = ("a", str(n))
        bucket = table.find(key, float(n))
        bucket.start()
        table.answered(key, bucket, limits(remaining=4, reset_after=5.0), float(n), telling=True)
    assert len(table) <= KEPT + 20
    del bucket
    gc.collect()
    assert len(table._shared) <= KEPT + 20


def test_buckets_in_use_are_never_forgotten() -> None:
    table = BucketTable()
    busy = table.find(("a", "busy"), 0.0)
    busy.start()
    for n in range(KEPT + 100):
        table.find(("a", str(n)), 0.0)
    assert table.find(("a", "busy"), 0.0) is busy
