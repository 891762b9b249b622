"""Which pod has which guild."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flora_core.ids import GuildId
from flora_operator.placement import Place, place, pods_of

guilds = st.integers(1, 2**64 - 1).map(lambda number: GuildId(str(number)))
sizes = st.integers(1, 12)


def test_pods_are_named_by_the_statefulset() -> None:
    assert pods_of("flora-runtime", 2) == ("flora-runtime-0", "flora-runtime-1")
    assert pods_of("flora-runtime", 2, start=5) == ("flora-runtime-5", "flora-runtime-6")
    assert pods_of("flora-runtime", 0) == ()


@given(guilds, sizes)
def test_where_a_guild_is_placed_it_stays(guild: GuildId, size: int) -> None:
    pods = pods_of("r", size)
    first = place(guild, "", pods, has_data=False)
    assert first.pod in pods
    assert first.move_to is None
    assert place(guild, str(first.pod), pods, has_data=True) == first


@given(st.sets(guilds, min_size=20, max_size=60), sizes)
def test_one_pod_more_moves_guilds_to_it_alone(some: set[GuildId], size: int) -> None:
    before, after = pods_of("r", size), pods_of("r", size + 1)
    for guild in some:
        home = str(place(guild, "", before, has_data=False).pod)
        now = place(guild, home, after, has_data=True)
        assert now.pod == home
        assert now.move_to in (None, after[-1])


@given(st.sets(guilds, min_size=20, max_size=60), sizes)
def test_one_pod_fewer_moves_its_own_guilds_alone(some: set[GuildId], size: int) -> None:
    before, after = pods_of("r", size + 1), pods_of("r", size)
    for guild in some:
        home = str(place(guild, "", before, has_data=False).pod)
        now = place(guild, home, after, has_data=True)
        assert (now.move_to is not None) == (home == before[-1])


@given(guilds, sizes, sizes)
def test_scaling_there_and_back_wants_nothing_moved(guild: GuildId, size: int, other: int) -> None:
    home = str(place(guild, "", pods_of("r", size), has_data=False).pod)
    place(guild, home, pods_of("r", other), has_data=True)
    assert place(guild, home, pods_of("r", size), has_data=True).move_to is None


@given(guilds, sizes)
def test_what_has_no_data_is_not_moved_but_placed(guild: GuildId, size: int) -> None:
    where = place(guild, "somewhere-else-3", pods_of("r", size), has_data=False)
    assert where == place(guild, "", pods_of("r", size), has_data=False)


def test_without_pods_a_guild_stays_with_the_one_it_had() -> None:
    assert place(GuildId("1"), "r-0", (), has_data=True) == Place("r-0")  # type: ignore[arg-type]
    assert place(GuildId("1"), "", (), has_data=False) == Place(None)


def test_a_third_of_the_guilds_or_fewer_move_to_the_fourth_pod() -> None:
    """0.25 in the mean; the bound is the issue's 26 % at 10,000."""
    before, after = pods_of("flora-runtime", 3), pods_of("flora-runtime", 4)
    some = [GuildId(str(10**17 + number * 7919)) for number in range(10_000)]
    moved = sum(
        place(guild, str(place(guild, "", before, has_data=False).pod), after, has_data=True).move_to
        is not None
        for guild in some
    )
    assert moved <= 2600
