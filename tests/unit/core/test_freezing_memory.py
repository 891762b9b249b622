"""What stays is kept from the garbage collector as it grows, and not over and over."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.throughput import Freezer


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_a_few_things_are_not_worth_it() -> None:
    assert not Freezer(step=500).look(499)


def test_it_is_done_once_for_what_is_there() -> None:
    freezer = Freezer(step=10)
    before = gc.get_freeze_count()
    assert freezer.look(10)
    assert gc.get_freeze_count() > before
    assert not freezer.look(10)


def test_it_is_done_again_when_there_is_a_quarter_more() -> None:
    freezer = Freezer(step=0)
    assert freezer.look(1000)
    assert not freezer.look(1249)
    assert freezer.look(1250)


def test_what_is_frozen_is_freed_when_nobody_has_it() -> None:
    class Kept:
        alive = 0

        def __init__(self) -> None:
            Kept.alive += 1

        def __del__(self) -> None:
            Kept.alive -= 1

    kept = [Kept() for _ in range(100)]
    assert Freezer(step=0).look(len(kept))
    kept.clear()
    assert Kept.alive == 0


def test_garbage_is_not_kept_with_it() -> None:
    class Cycle:
        alive = 0

        def __init__(self) -> None:
            Cycle.alive += 1
            self.itself = self

        def __del__(self) -> None:
            Cycle.alive -= 1

    gc.collect()
    for _ in range(10):
        Cycle()
    assert Freezer(step=0).look(1)
    assert Cycle.alive == 0


@given(st.lists(st.integers(1, 1000), max_size=60))
def test_however_it_grows_it_is_not_done_often(steps: list[int]) -> None:
    freezer, kept, times = Freezer(step=100), 0, 0
    for step in steps:
        kept += step
        times += freezer.look(kept)
    assert 100 * (1.25**times - 1) / 0.25 <= kept + 1e-6
