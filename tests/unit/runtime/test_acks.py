"""What the gateway may forget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flora_runtime.supervisor.acks import PATIENCE_SECONDS, AckTracker, Seen


def test_the_mark_stops_before_the_oldest_frame_that_is_not_safe() -> None:
    acks = AckTracker()
    for offset in (1, 2, 3):
        acks.received(offset, now=0.0)
    acks.safe(1)
    acks.safe(3)
    assert acks.low_water == 1
    acks.safe(2)
    assert acks.low_water == 3


def test_the_gateway_is_told_each_mark_once() -> None:
    acks = AckTracker()
    acks.received_safe(5)
    assert acks.to_tell() == 5
    assert acks.to_tell() is None


def test_one_guilds_backlog_cannot_hold_the_mark_back_for_long() -> None:
    acks = AckTracker()
    acks.received(1, now=0.0)
    acks.received(2, now=PATIENCE_SECONDS / 2)
    acks.expire(PATIENCE_SECONDS - 0.1)
    assert acks.low_water == 0
    acks.expire(PATIENCE_SECONDS)
    assert acks.low_water == 1


def test_another_gateway_numbers_anew() -> None:
    acks = AckTracker()
    acks.received(10, now=0.0)
    acks.restart(0)
    assert acks.highest == 0
    acks.safe(10)  # an event of the old numbering ends
    acks.received_safe(1)
    assert acks.to_tell() == 1


@given(st.data())
def test_the_mark_is_the_longest_safe_beginning(data: st.DataObject) -> None:
    offsets = list(range(1, data.draw(st.integers(1, 40)) + 1))
    safe = data.draw(st.sets(st.sampled_from(offsets)))
    acks = AckTracker()
    for offset in offsets:
        acks.received(offset, now=0.0)
    for offset in data.draw(st.permutations(sorted(safe))):
        acks.safe(offset)
    expected = 0
    while expected + 1 in safe:
        expected += 1
    assert acks.low_water == expected


def test_a_replay_after_a_resume_is_recognised() -> None:
    seen = Seen()
    assert [seen.is_new("1", "a", n) for n in (1, 2, 5)] == [True, True, True]
    assert [seen.is_new("1", "a", n) for n in (2, 5, 6)] == [False, False, True]
    assert seen.is_new("1", "b", 1)


def test_a_guild_whose_events_have_waited_is_behind_the_others_of_its_session() -> None:
    seen = Seen()
    assert seen.is_new("1", "a", 9)
    assert seen.is_new("2", "a", 3)
    assert not seen.is_new("2", "a", 3)


def test_what_another_pod_has_handled_is_seen() -> None:
    seen, other = Seen(), Seen()
    seen.is_new("1", "a", 9)
    other.know("1", seen.of("1"))
    assert [other.is_new("1", "a", n) for n in (8, 9, 10)] == [False, False, True]
    assert other.of("2") == {}


def test_guilds_are_remembered_up_to_a_bound() -> None:
    seen = Seen()
    for number in range(Seen.GUILDS + 1):
        seen.is_new(f"{number}", "a", 9)
    assert seen.is_new("0", "a", 9), "the oldest was forgotten"
    assert not seen.is_new(f"{Seen.GUILDS}", "a", 9)
