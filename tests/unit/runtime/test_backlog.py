"""A guild's waiting events: order, bounds, and what a dead worker had started."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_runtime.supervisor.backlog import KEPT_FACTOR, SENT_AHEAD, Backlog, Drop, Waiting

pytestmark = pytest.mark.parity(47, 48)


def filled(count: int, *, limit: int = 2000) -> Backlog:
    backlog = Backlog(limit=limit)
    for offset in range(1, count + 1):
        assert backlog.add("MESSAGE_CREATE", offset, b"{}") is None
    return backlog


def test_events_are_sent_in_order_and_numbered_from_one() -> None:
    backlog = filled(3)
    assert [(event.number, event.offset) for event in backlog.to_send()] == [(1, 1), (2, 2), (3, 3)]
    assert backlog.to_send() == []


def test_only_so_many_go_ahead_of_what_the_worker_has_started() -> None:
    backlog = filled(SENT_AHEAD + 10)
    assert len(backlog.to_send()) == SENT_AHEAD
    assert backlog.to_send() == []
    backlog.started(4)
    assert [event.number for event in backlog.to_send()] == [SENT_AHEAD + n for n in range(1, 5)]


def test_fewer_may_be_sent_and_interactions_always() -> None:
    backlog = filled(3)
    backlog.add("INTERACTION_CREATE", 4, b"{}")
    assert [event.offset for event in backlog.to_send(1)] == [4, 1]
    assert backlog.to_send(0) == []
    assert [event.offset for event in backlog.to_send()] == [2, 3]


def test_started_events_are_open_until_they_settle() -> None:
    backlog = filled(2)
    backlog.to_send()
    assert [event.offset for event in backlog.started(1)] == [1]
    assert backlog.open == {1: "MESSAGE_CREATE"}
    assert backlog.settled(1) == "MESSAGE_CREATE"
    assert backlog.settled(1) is None
    assert backlog.open == {}


def test_a_guild_that_cannot_keep_up_loses_messages_and_keeps_the_rest() -> None:
    backlog = filled(10, limit=10)
    assert backlog.add("MESSAGE_CREATE", 11, b"{}") is Drop.BACKLOG
    assert backlog.add("MESSAGE_UPDATE", 12, b"{}") is Drop.BACKLOG
    assert backlog.add("INTERACTION_CREATE", 13, b"{}") is None


def test_even_what_is_kept_has_an_end() -> None:
    backlog = Backlog(limit=10)
    for offset in range(10 * KEPT_FACTOR):
        assert backlog.add("INTERACTION_CREATE", offset, b"{}") is None
    assert backlog.add("INTERACTION_CREATE", 999, b"{}") is Drop.OVERFLOW


def test_after_a_death_only_what_had_not_started_waits_again_in_order() -> None:
    backlog = filled(6)
    backlog.to_send()
    backlog.started(2)
    lost = backlog.unsend(started=4)
    assert [event.number for event in lost] == [3, 4]
    assert list(backlog.open) == [1, 2, 3, 4]
    assert [(event.number, event.offset) for event in backlog.to_send()] == [(7, 5), (8, 6)]


def test_giving_up_returns_everything_that_had_not_started() -> None:
    backlog = filled(SENT_AHEAD + 5)
    backlog.to_send()
    backlog.started(1)
    assert [event.offset for event in backlog.forget()] == list(range(2, SENT_AHEAD + 6))
    assert len(backlog) == 0


def test_interactions_go_before_whatever_else_has_not_been_sent() -> None:
    backlog = filled(SENT_AHEAD + 3)
    backlog.to_send()
    for offset in (900, 901):
        backlog.add("INTERACTION_CREATE", offset, b"{}")
    backlog.started(4)
    assert [event.offset for event in backlog.to_send()] == [900, 901, SENT_AHEAD + 1, SENT_AHEAD + 2]


def test_they_go_first_again_after_a_worker_died() -> None:
    backlog = filled(2)
    backlog.to_send()
    backlog.add("INTERACTION_CREATE", 900, b"{}")
    backlog.unsend(started=0)
    assert [(event.number, event.offset) for event in backlog.to_send()] == [(3, 900), (4, 1), (5, 2)]


TYPES = st.sampled_from(["MESSAGE_CREATE", "INTERACTION_CREATE", "GUILD_MEMBER_ADD"])
STEPS = st.tuples(st.sampled_from(["add", "send", "start", "die"]), TYPES, st.integers(0, 40))


@given(st.lists(STEPS, max_size=80))
def test_no_event_is_ever_lost_or_doubled(steps: list[tuple[str, str, int]]) -> None:
    """Whatever happens, each event added is exactly once waiting, sent or started, and order holds."""
    backlog = Backlog(limit=10_000)
    added: dict[int, bool] = {}
    in_worker: list[Waiting] = []
    started: list[Waiting] = []
    numbers: list[int] = []
    for step, type_, amount in steps:
        if step == "add":
            for _ in range(amount):
                offset = len(added) + 1
                added[offset] = type_ == "INTERACTION_CREATE"
                backlog.add(type_, offset, b"{}")
        elif step == "send":
            sent = backlog.to_send()
            numbers += [event.number for event in sent]
            in_worker += sent
        elif step == "start":
            begun = in_worker[: amount + 1]
            del in_worker[: amount + 1]
            if begun:
                started += backlog.started(begun[-1].number)
        else:
            begun = in_worker[: amount // 4]
            started += backlog.unsend(begun[-1].number if begun else 0)
            in_worker.clear()
    rest = backlog.forget()
    assert numbers == sorted(set(numbers)), "a number names one event, and grows"
    assert sorted(event.offset for event in (*started, *rest)) == list(added)
    for first in (True, False):
        offsets = [event.offset for event in started if added[event.offset] is first]
        assert offsets == sorted(offsets), "order within a class"
    waiting = [event.offset for event in rest if event.number == 0]
    assert waiting == sorted(waiting, key=lambda offset: (not added[offset], offset)), "interactions first"
