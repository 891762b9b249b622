"""Which guilds the bot is in: whole lists, parts of lists, and what changes between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flora_core.ids import GuildId
from flora_core.wire.control import Guilds, Held, Joined, Left, guilds_in_parts
from flora_operator.membership import Membership


def listening() -> tuple[Membership, list[frozenset[GuildId]]]:
    told: list[frozenset[GuildId]] = []
    return Membership(told.append), told


def test_nothing_is_known_before_the_gateway_knows_all() -> None:
    membership, told = listening()
    membership.on_news(Joined("1"))
    membership.on_news(Left("2"))
    assert (membership.guilds, told) == (None, [])


def test_a_list_in_parts_counts_when_its_last_part_is_there() -> None:
    membership, told = listening()
    membership.on_news(Guilds(["1", "2"], last=False))
    membership.on_news(Guilds(["3"], first=False, last=False))
    assert told == []
    membership.on_news(Guilds(["4"], first=False))
    assert told == [frozenset("1234")]


def test_what_changes_while_a_list_comes_is_in_it() -> None:
    membership, told = listening()
    membership.on_news(Guilds(["1", "2"], last=False))
    membership.on_news(Left("1"))
    membership.on_news(Joined("9"))
    membership.on_news(Guilds(["3"], first=False))
    assert told == [frozenset("239")]


def test_a_part_without_its_beginning_is_left_out() -> None:
    membership, told = listening()
    membership.on_news(Guilds(["3"], first=False))
    assert (membership.guilds, told) == (None, [])


def test_a_list_that_begins_anew_takes_the_place_of_the_half_one() -> None:
    membership, told = listening()
    membership.on_news(Guilds(["1"], last=False))
    membership.on_news(Guilds(["2"]))
    assert told == [frozenset("2")]


def test_joining_and_leaving_are_told_once() -> None:
    membership, told = listening()
    membership.on_news(Guilds(["1"]))
    for news in (Joined("2"), Joined("2"), Left("1"), Left("1"), Held("2", "h"), Guilds(["2"])):
        membership.on_news(news)
    assert told == [frozenset("1"), frozenset("12"), frozenset("2")]


@given(st.sets(st.integers(1, 99).map(str)), st.lists(st.tuples(st.booleans(), st.integers(1, 99).map(str))))
def test_it_ends_with_what_a_set_would_hold(guilds: set[str], changes: list[tuple[bool, str]]) -> None:
    membership, _ = listening()
    for part in guilds_in_parts(sorted(guilds)):
        membership.on_news(part)
    for joined, guild in changes:
        membership.on_news(Joined(guild) if joined else Left(guild))
        (guilds.add if joined else guilds.discard)(guild)
    assert membership.guilds == guilds
