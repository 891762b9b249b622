"""Up to where Discord need not send events again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flora_gateway.shards.sessions import LowWater


def test_events_nobody_waits_for_raise_the_mark_at_once() -> None:
    low_water = LowWater()
    low_water.passed(7)
    assert low_water.mark == 7


def test_the_mark_waits_for_the_oldest_event_on_its_way() -> None:
    low_water = LowWater(10)
    for sequence in (11, 12, 13):
        low_water.opened(sequence)
    low_water.closed(12)
    assert low_water.mark == 10
    low_water.closed(11)
    assert low_water.mark == 12
    low_water.closed(13)
    assert low_water.mark == 13


def test_an_event_for_two_pods_is_safe_when_both_have_it() -> None:
    low_water = LowWater()
    low_water.opened(1)
    low_water.opened(1)
    low_water.closed(1)
    assert low_water.mark == 0
    low_water.closed(1)
    assert low_water.mark == 1


@given(st.lists(st.booleans(), min_size=1, max_size=50), st.data())
def test_nothing_that_is_still_on_its_way_is_ever_below_the_mark(
    on_its_way: list[bool], data: st.DataObject
) -> None:
    low_water = LowWater()
    opened = [n for n, waits in enumerate(on_its_way, start=1) if waits]
    for sequence, waits in enumerate(on_its_way, start=1):
        (low_water.opened if waits else low_water.passed)(sequence)
    for sequence in data.draw(st.permutations(opened)) if opened else []:
        assert low_water.mark < min(opened)
        opened.remove(sequence)
        low_water.closed(sequence)
    assert low_water.mark == len(on_its_way)
