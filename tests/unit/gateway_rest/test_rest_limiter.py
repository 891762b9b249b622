"""The limiter as a state machine, in a world with its own clock."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limiter_world import World, limits, make_call, make_limiter

from flora_gateway.rest.buckets import NEVER
from flora_gateway.rest.calls import Call, Refused, Why
from flora_gateway.rest.limiter import GLOBAL_SECONDS, QUEUE_BYTES, Limiter


def drain(limiter: Limiter, now: float) -> list[Call]:
    calls: list[Call] = []
    while (call := limiter.next(now)) is not None:
        calls.append(call)
    return calls


def known_bucket(
    limiter: Limiter, call: Call, now: float, *, remaining: int = 4, reset_after: float = 5.0
) -> None:
    """Have ``call`` start and be answered, so that its bucket is known."""
    assert limiter.admit(call, now) is True
    limiter.answered(call, limits(remaining=remaining, reset_after=reset_after), now)


# Starting


def test_a_call_starts_at_once_when_nothing_is_in_its_way() -> None:
    limiter = make_limiter(global_limit=50)
    assert limiter.admit(make_call(), 0.0) is True
    assert limiter.in_flight == 1
    assert limiter.queued == 0


def test_an_unknown_bucket_is_probed_by_one_call_at_a_time() -> None:
    limiter = make_limiter()
    calls = [make_call() for _ in range(3)]
    assert [limiter.admit(call, 0.0) for call in calls] == [True, False, False]
    assert limiter.next(0.0) is None
    limiter.answered(calls[0], limits(remaining=4), 0.1)
    assert drain(limiter, 0.1) == calls[1:]


def test_other_channels_of_the_route_are_probed_on_their_own() -> None:
    limiter = make_limiter()
    assert limiter.admit(make_call(major="10"), 0.0) is True
    assert limiter.admit(make_call(major="11"), 0.0) is True


def test_a_route_without_rate_limits_is_not_slowed_after_its_first_answer() -> None:
    limiter = make_limiter()
    probe = make_call()
    limiter.admit(probe, 0.0)
    limiter.answered(probe, None, 0.1)
    assert [limiter.admit(make_call(), 0.1) for _ in range(4)] == [True] * 4


def test_an_answer_of_a_proxy_on_the_way_says_nothing_about_the_bucket() -> None:
    limiter = make_limiter()
    probe = make_call()
    limiter.admit(probe, 0.0)
    limiter.answered(probe, None, 0.1, telling=False)
    assert [limiter.admit(make_call(), 0.1) for _ in range(2)] == [True, False]


def test_an_exhausted_bucket_waits_until_discord_resets_it() -> None:
    limiter = make_limiter()
    known_bucket(limiter, make_call(), 0.0, remaining=1, reset_after=5.0)
    first, second = make_call(), make_call()
    assert limiter.admit(first, 1.0) is True
    assert limiter.admit(second, 1.0) is False
    assert limiter.next(1.0) is None
    assert limiter.wake_at(1.0) == 5.0
    assert limiter.next(4.9) is None
    assert limiter.next(5.0) is second


def test_calls_in_flight_when_a_window_ends_count_in_the_next() -> None:
    limiter = make_limiter(guild_concurrency=10)
    known_bucket(limiter, make_call(), 0.0, remaining=4, reset_after=5.0)
    for _ in range(4):
        assert limiter.admit(make_call(), 1.0) is True
    waiting = [make_call() for _ in range(5)]
    assert [limiter.admit(call, 1.0) for call in waiting] == [False] * 5
    assert drain(limiter, 5.0) == waiting[:1]  # of five, four may still be on their way


def test_calls_of_one_bucket_start_in_the_order_in_which_they_came() -> None:
    limiter = make_limiter()
    calls = [make_call() for _ in range(20)]
    started = [calls[0]] if limiter.admit(calls[0], 0.0) is True else []
    for call in calls[1:]:
        limiter.admit(call, 0.0)
    for index in range(20):
        limiter.answered(started[index], None, float(index))
        started += drain(limiter, float(index))
    assert started == calls


# Buckets that routes share


def test_routes_that_share_a_bucket_share_its_count() -> None:
    limiter = make_limiter()
    known_bucket(limiter, make_call(route="a"), 0.0, remaining=3)
    probe = make_call(route="b")
    assert limiter.admit(probe, 0.0) is True
    limiter.answered(probe, limits(remaining=2), 0.1)
    assert [limiter.admit(make_call(route=route), 0.2) for route in "abab"] == [True, True, False, False]


def test_what_waits_for_a_probe_follows_it_into_the_shared_bucket() -> None:
    limiter = make_limiter()
    known_bucket(limiter, make_call(route="a"), 0.0, remaining=1, reset_after=3.0)
    probe, waiting = make_call(route="b"), make_call(route="b")
    limiter.admit(probe, 0.0)
    limiter.admit(waiting, 0.0)
    limiter.answered(probe, limits(remaining=0, reset_after=2.9), 0.1)
    assert limiter.next(0.2) is None
    assert limiter.wake_at(0.2) == 3.0
    assert limiter.next(3.0) is waiting


def test_the_same_route_in_another_channel_does_not_share_the_count() -> None:
    limiter = make_limiter()
    known_bucket(limiter, make_call(major="10"), 0.0, remaining=0)
    assert limiter.admit(make_call(major="10"), 0.1) is False
    assert limiter.next(0.1) is None
    assert limiter.admit(make_call(major="11"), 0.1) is True


# Guilds


@pytest.mark.parity(43)
def test_a_guild_has_only_so_many_calls_in_flight() -> None:
    limiter = make_limiter(guild_concurrency=4)
    calls = [make_call(major=str(n)) for n in range(6)]
    assert [limiter.admit(call, 0.0) for call in calls] == [True] * 4 + [False] * 2
    assert limiter.admit(make_call(guild="2", major="x"), 0.0) is True
    limiter.answered(calls[0], None, 0.1)
    assert drain(limiter, 0.1) == [calls[4]]


def test_the_channels_of_a_guild_take_turns_at_its_places() -> None:
    limiter = make_limiter(guild_concurrency=1)
    for major in ("loud", "quiet"):
        known_bucket(limiter, make_call(major=major), 0.0)
    busy, quiet = make_call(major="loud"), make_call(major="quiet")
    loud = [make_call(major="loud") for _ in range(3)]
    for call in [busy, *loud, quiet]:
        limiter.admit(call, 0.0)
    order = [busy]
    for _ in range(4):
        assert limiter.next(0.0) is None
        limiter.answered(order[-1], None, 0.0)
        order += drain(limiter, 0.0)
    assert order[1:] == [loud[0], quiet, loud[1], loud[2]]


def test_a_guild_over_its_queue_is_refused_at_once() -> None:
    limiter = make_limiter(guild_queue=2)
    known_bucket(limiter, make_call(), 0.0, remaining=0, reset_after=5.0)
    assert [limiter.admit(make_call(), 1.0) for _ in range(3)] == [
        False,
        False,
        Refused(Why.QUEUE_FULL, 4.0),
    ]
    assert limiter.next(1.0) is None
    assert limiter.admit(make_call(guild="2", major="20"), 1.0) is True


def test_a_guild_whose_waiting_bodies_are_too_large_together_is_refused() -> None:
    limiter = make_limiter()
    known_bucket(limiter, make_call(), 0.0, remaining=0, reset_after=5.0)
    half = b"x" * (QUEUE_BYTES // 2)
    assert [limiter.admit(make_call(body=half), 1.0) for _ in range(3)] == [
        False,
        False,
        Refused(Why.QUEUE_FULL, 4.0),
    ]
    assert len(drain(limiter, 5.0)) == 2
    assert limiter.admit(make_call(body=half), 5.0) is True


def test_a_call_that_cannot_start_before_its_deadline_is_refused_at_once() -> None:
    limiter = make_limiter()
    known_bucket(limiter, make_call(), 0.0, remaining=0, reset_after=600.0)
    assert limiter.admit(make_call(give_up_at=31.0), 1.0) == Refused(Why.TOO_LATE, 599.0)


def test_a_call_that_waits_past_its_deadline_is_given_up() -> None:
    limiter = make_limiter()
    probe, late = make_call(), make_call(give_up_at=3.0)
    limiter.admit(probe, 0.0)
    assert limiter.admit(late, 0.0) is False
    assert limiter.next(0.0) is None
    assert limiter.wake_at(0.0) == 3.0
    assert limiter.expired(2.9) == []
    assert limiter.expired(3.0) == [late]
    assert limiter.queued == 0
    limiter.answered(probe, limits(remaining=4), 3.1)
    assert limiter.next(3.1) is None


def test_a_queue_that_emptied_by_expiry_takes_new_calls() -> None:
    limiter = make_limiter()
    probe = make_call()
    limiter.admit(probe, 0.0)
    limiter.admit(make_call(give_up_at=1.0), 0.0)
    limiter.expired(1.0)
    after = make_call()
    assert limiter.admit(after, 1.5) is False
    limiter.answered(probe, limits(remaining=4), 2.0)
    assert limiter.next(2.0) is after


def test_drain_takes_out_everything_that_waits() -> None:
    limiter = make_limiter(global_limit=1)
    calls = [make_call(guild=str(n), major=str(n)) for n in range(4)]
    for call in calls:
        limiter.admit(call, 0.0)
    limiter.admit(make_call(guild="9", tokenised=True, major="t"), 0.0)
    assert sorted(call.guild for call in limiter.drain()) == ["1", "2", "3"]
    assert limiter.queued == 0
    assert drain(limiter, 10.0) == []


# The bot as a whole


def test_the_global_limit_holds_in_any_second_and_not_only_on_average() -> None:
    limiter = make_limiter(global_limit=3)
    calls = [make_call(guild=str(n), major=str(n)) for n in range(5)]
    assert [limiter.admit(call, 0.9) for call in calls] == [True] * 3 + [False] * 2
    assert limiter.next(1.5) is None
    assert limiter.wake_at(1.5) == 0.9 + GLOBAL_SECONDS
    assert drain(limiter, 0.9 + GLOBAL_SECONDS) == calls[3:]


def test_a_new_call_does_not_overtake_those_that_wait_for_the_global_limit() -> None:
    limiter = make_limiter(global_limit=1)
    first, second, third = (make_call(guild=str(n), major=str(n)) for n in range(3))
    limiter.admit(first, 0.0)
    limiter.admit(second, 0.0)
    assert limiter.admit(third, 10.0) is False
    assert limiter.next(10.0) is second


def test_guilds_take_turns_at_the_global_limit() -> None:
    limiter = make_limiter(global_limit=1)
    limiter.admit(make_call(guild="0", major="00"), 0.0)
    loud = [make_call(guild="1", major=str(n)) for n in range(3)]
    quiet = make_call(guild="2", major="20")
    for call in [*loud, quiet]:
        limiter.admit(call, 0.0)
    order = [limiter.next(float(2 * n)) for n in range(1, 5)]
    assert order == [loud[0], quiet, loud[1], loud[2]]


def test_a_global_429_stops_everything_but_interactions() -> None:
    limiter = make_limiter(global_limit=50)
    limiter.pause(10.0)
    waiting = make_call()
    assert limiter.admit(waiting, 1.0) is False
    assert limiter.admit(make_call(tokenised=True, major="t"), 1.0) is True
    assert limiter.wake_at(1.0) == 10.0
    assert limiter.next(9.9) is None
    assert limiter.next(10.0) is waiting


def test_a_ban_of_the_address_stops_interactions_too() -> None:
    limiter = make_limiter()
    limiter.pause(10.0, everything=True)
    call = make_call(tokenised=True)
    assert limiter.admit(call, 1.0) is False
    assert limiter.wake_at(1.0) == 10.0
    assert limiter.next(10.0) is call


def test_interactions_do_not_wait_for_the_global_limit_or_spend_it() -> None:
    limiter = make_limiter(global_limit=1)
    limiter.admit(make_call(guild="1"), 0.0)
    for n in range(10):
        assert limiter.admit(make_call(guild=str(n), tokenised=True, major=f"t{n}"), 0.0) is True
    assert limiter.admit(make_call(guild="2", major="20"), GLOBAL_SECONDS) is True


def test_interactions_do_not_wait_behind_their_guilds_other_calls() -> None:
    limiter = make_limiter(guild_concurrency=2)
    for n in range(5):
        limiter.admit(make_call(major=str(n)), 0.0)
    assert limiter.admit(make_call(tokenised=True, major="token"), 0.0) is True


# Repeats


def test_a_repeat_goes_before_the_calls_that_came_after_it() -> None:
    limiter = make_limiter()
    known_bucket(limiter, make_call(), 0.0, remaining=2)
    first, second, third = make_call(), make_call(), make_call()
    limiter.admit(first, 0.1)
    limiter.admit(second, 0.1)
    limiter.admit(third, 0.1)
    limiter.answered(second, None, 0.2, telling=False)
    limiter.requeue(second, 0.2, delay=0.0)
    limiter.answered(first, None, 0.3, telling=False)
    limiter.requeue(first, 0.3, delay=0.0)
    assert drain(limiter, 5.0) == [first, second, third]


def test_a_repeat_waits_for_its_pause() -> None:
    limiter = make_limiter()
    call = make_call()
    limiter.admit(call, 0.0)
    limiter.answered(call, None, 0.1, telling=False)
    limiter.requeue(call, 0.1, delay=0.5)
    assert limiter.next(0.5) is None
    assert limiter.wake_at(0.5) == 0.6
    assert limiter.next(0.6) is call
    assert call.attempts == 2


def test_a_new_call_does_not_overtake_a_repeat_in_its_pause() -> None:
    limiter = make_limiter()
    known_bucket(limiter, make_call(), 0.0)
    call, later = make_call(), make_call()
    limiter.admit(call, 0.0)
    limiter.answered(call, None, 0.1, telling=False)
    limiter.requeue(call, 0.1, delay=0.5)
    assert limiter.next(0.2) is None
    assert limiter.admit(later, 0.2) is False
    assert drain(limiter, 0.6) == [call, later]


def test_a_refused_bucket_stays_closed_for_as_long_as_discord_says() -> None:
    limiter = make_limiter()
    call = make_call()
    limiter.admit(call, 0.0)
    limiter.answered(call, None, 0.1, telling=False)
    limiter.block(call, 2.1, 0.1)
    limiter.requeue(call, 0.1, delay=0.0)
    assert limiter.next(2.0) is None
    assert limiter.wake_at(2.0) == 2.1
    assert limiter.next(2.1) is call


def test_a_repeat_is_given_up_at_its_first_deadline() -> None:
    limiter = make_limiter()
    call = make_call(give_up_at=1.0)
    limiter.admit(call, 0.0)
    limiter.answered(call, None, 0.5, telling=False)
    limiter.requeue(call, 0.5, delay=2.0)
    assert limiter.expired(1.0) == [call]


# Whatever happens


routes = st.sampled_from(["sendMessage", "editMessage", "addReaction", "free"])
arrivals = st.lists(
    st.tuples(
        st.integers(0, 3),  # guild
        routes,
        st.integers(0, 2),  # channel within the guild
        st.floats(0, 8),  # when
        st.booleans(),  # with an interaction's token
    ),
    min_size=1,
    max_size=60,
)


def build(arrivals: list[tuple[int, str, int, float, bool]], world: World) -> list[Call]:
    calls: list[Call] = []
    for guild, route, channel, when, tokenised in sorted(arrivals, key=lambda arrival: arrival[3]):
        major = f"{guild}-{channel}" + ("-token" if tokenised else "")
        call = make_call(guild=str(guild), route=route, major=major, tokenised=tokenised)
        calls.append(call)
        world.submit(call, after=when)
    return calls


@given(
    arrivals=arrivals,
    limit=st.integers(1, 5),
    seconds=st.floats(0.25, 6),
    slowest=st.floats(0.001, 1.5),
    seed=st.integers(0, 1000),
    global_limit=st.sampled_from([0, 2, 10]),
)
@settings(max_examples=150, deadline=None)
def test_discord_never_gets_more_than_its_limits_and_every_call_is_made(
    arrivals: list[tuple[int, str, int, float, bool]],
    limit: int,
    seconds: float,
    slowest: float,
    seed: int,
    global_limit: int,
) -> None:
    dice = random.Random(seed)
    world = World(
        make_limiter(global_limit=global_limit, guild_concurrency=3),
        lambda: (dice.uniform(0, slowest), dice.uniform(0, slowest)),
        # Two routes share a bucket, which is only found out on the way.
        buckets={"sendMessage": "A", "editMessage": "B", "addReaction": "B"},
        limit=limit,
        seconds=seconds,
    )
    calls = build(arrivals, world)
    world.run()
    assert world.over_limit <= shared_probes(calls)
    assert Counter(map(id, world.finished)) == Counter(map(id, calls))
    assert world.limiter.queued == world.limiter.in_flight == 0
    assert all(most <= 3 for most in world.most_in_flight.values())
    for key in {call.key for call in calls}:
        for guild in {call.guild for call in calls}:
            starts = [call.number for _, call in world.started if (call.key, call.guild) == (key, guild)]
            assert starts == sorted(starts)
    if global_limit:
        spent = [when for when, call in world.started if not call.tokenised]
        for earlier, later in zip(spent, spent[global_limit:], strict=False):
            assert later - earlier >= 1.0


def shared_probes(calls: list[Call]) -> int:
    """Calls that may be one too many: two routes that turn out to share a bucket are first counted apart."""
    by_major = Counter(
        key[1] for key in {call.key for call in calls} if key[0] in {"editMessage", "addReaction"}
    )
    return sum(count - 1 for count in by_major.values())


@given(
    loud=st.integers(50, 200), quiet=st.integers(1, 5), global_limit=st.integers(1, 10), late=st.floats(0, 3)
)
@settings(max_examples=40, deadline=None)
def test_a_loud_guild_does_not_starve_a_quiet_one(
    loud: int, quiet: int, global_limit: int, late: float
) -> None:
    world = World(make_limiter(global_limit=global_limit), lambda: (0.05, 0.05))
    for n in range(loud):
        world.submit(make_call(guild="loud", route="free", major=str(n)))
    ours = [make_call(guild="quiet", route="free", major="q") for _ in range(quiet)]
    for call in ours:
        world.submit(call, after=late)
    world.run(until=1e6)
    done = {id(call): index for index, (_, call) in enumerate(world.started)}
    first = next(when for when, call in world.started if call is ours[0])
    assert first <= 1000 + late + 2 * GLOBAL_SECONDS + 0.2
    # From its first start on, at least every second start is its own: the others take turns with it. (While
    # its one channel is probed it has nothing to start, so that one start does not count.)
    indexes = [done[id(call)] for call in ours]
    assert all(later - earlier <= 2 + 4 for earlier, later in pairwise(indexes))


@given(st.lists(st.floats(0, 30), min_size=1, max_size=40), st.floats(0.1, 5))
@settings(max_examples=60, deadline=None)
def test_no_call_waits_past_its_deadline(arrivals: list[float], patience: float) -> None:
    world = World(make_limiter(), lambda: (0.1, 0.1), buckets={"sendMessage": "A"}, limit=2, seconds=4.0)
    for when in sorted(arrivals):
        world.submit(make_call(give_up_at=world.now + when + patience), after=when)
    world.run()
    assert len(world.finished) + len(world.expired) + len(world.refused) == len(arrivals)
    assert all(when <= call.give_up_at for when, call in world.started)
    assert world.limiter.queued == 0
    assert world.limiter.wake_at(world.now) == NEVER
