"""Which pods are gone and have guilds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flora_core.ids import PodName
from flora_operator.absences import Absences
from flora_operator.placement import pods_of

A, B, C = pods_of("flora-runtime", 3)


class World:
    """A, B and C have guilds; A and B should be there."""

    def __init__(self) -> None:
        self.listening = {A, B}
        self.holders: set[PodName] = {A, B, C}
        self.wanted: tuple[PodName, ...] = (A, B)
        self.absences = Absences(self.listening.__contains__, patience=30)

    def look(self, now: float) -> set[PodName]:
        return self.absences.look(now, holders=self.holders, wanted=self.wanted)


def test_a_pod_that_was_scaled_away_with_guilds_is_gone_after_a_while() -> None:
    world = World()
    assert world.look(100) == set()
    assert world.look(129) == set()
    assert world.look(130) == {C}
    assert world.absences.gone == {C}
    assert world.look(135) == set(), "told once"


def test_a_pod_that_only_dials_anew_is_not_gone() -> None:
    world = World()
    world.look(100)
    world.listening.add(C)
    world.look(120)
    world.listening.discard(C)
    assert world.look(140) == set()
    assert world.look(170) == {C}


def test_a_pod_that_is_down_and_wanted_comes_back_by_itself() -> None:
    world = World()
    world.listening.clear()
    world.look(100)
    world.look(500)
    assert world.absences.gone == {C}


def test_a_pod_that_is_back_is_news_at_once() -> None:
    world = World()
    world.look(100)
    world.look(130)
    world.listening.add(C)
    assert world.look(135) == {C}
    assert world.absences.gone == frozenset()


def test_a_pod_that_is_wanted_again_is_not_gone_though_it_is_not_up_yet() -> None:
    world = World()
    world.look(100)
    world.look(130)
    world.wanted = (A, B, C)
    assert world.look(135) == {C}


def test_a_pod_whose_guilds_were_deleted_is_of_no_interest() -> None:
    world = World()
    world.look(100)
    world.look(130)
    world.holders.discard(C)
    assert world.look(135) == {C}
    assert world.absences.gone == frozenset()


def test_what_the_operator_before_found_gone_is_so_until_it_is_heard_of() -> None:
    world = World()
    world.absences.presume([C])
    assert world.absences.gone == {C}
    assert world.look(0) == set()
    world.listening.add(C)
    assert world.look(5) == {C}


pods = st.sets(st.sampled_from([A, B, C]))


@given(st.lists(st.tuples(st.integers(0, 20), pods, pods, pods), max_size=20))
def test_nobody_is_gone_who_listens_is_wanted_or_has_nothing(
    looks: list[tuple[int, set[PodName], set[PodName], set[PodName]]],
) -> None:
    listening = set[PodName]()
    absences, now, before = Absences(listening.__contains__, patience=30), 0, frozenset[PodName]()
    for seconds, listens, holders, wanted in looks:
        now += seconds
        listening.clear()
        listening.update(listens)
        news = absences.look(now, holders=holders, wanted=wanted)
        assert absences.gone <= holders - wanted - listens
        assert news == absences.gone ^ before
        before = absences.gone
