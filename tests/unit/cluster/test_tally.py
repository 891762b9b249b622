"""What the traffic tool makes of the answers it sees."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.traffic import Tally


def tally(*names: str) -> Tally:
    return Tally({name: 100.0 + number for number, name in enumerate(names)})


def test_a_message_without_an_answer_is_lost() -> None:
    counted = tally("a", "b", "c")
    counted.note("b", 101.5)
    assert (counted.sent, counted.answered, counted.lost, counted.duplicated) == (3, 1, ["a", "c"], 0)
    assert "lost 2" in str(counted)
    assert str(counted).endswith("lost: a, c")


def test_a_second_answer_is_a_duplicate_and_does_not_count_for_the_delay() -> None:
    counted = tally("a")
    counted.note("a", 100.25)
    counted.note("a", 190.0)
    assert (counted.answered, counted.duplicated, counted.worst) == (1, 1, 0.25)


def test_what_others_say_is_not_counted() -> None:
    counted = tally("a")
    counted.note("hello", 101.0)
    assert (counted.answered, counted.duplicated, counted.delays) == (0, 0, [])


def test_nothing_sent_is_nothing_lost() -> None:
    assert str(Tally()).startswith("sent 0, answered 0, lost 0, duplicated 0; delay p50 0 ms, worst 0.00 s")


@given(st.lists(st.integers(0, 9), max_size=50))
def test_every_answer_is_a_first_one_or_a_duplicate(seen: list[int]) -> None:
    counted = tally(*map(str, range(10)))
    for number in seen:
        counted.note(str(number), 200.0)
    assert counted.answered + counted.duplicated == len(seen)
    assert counted.answered + len(counted.lost) == counted.sent
    assert len(counted.delays) == counted.answered
