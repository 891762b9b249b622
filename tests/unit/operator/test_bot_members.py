"""Which guilds the bot is in: whole lists, and what changes between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flora_core.ids import GuildId
from flora_core.wire.control import Guilds, Held, Joined, Left
from flora_operator.membership import Membership


def listening() -> tuple[Membership, list[frozenset[GuildId]]]:
    told: list[frozenset[GuildId]] = []
    return Membership(told.append), told


def test_nothing_is_known_before_the_gateway_knows_all() -> None:
    membership, told = listening()
    membership.on_news(Joined("1"))
    membership.on_news(Left("2"))
    assert (membership.guilds, told) == (None, [])


def test_a_list_takes_the_place_of_the_one_before() -> None:
    membership, told = listening()
    membership.on_news(Guilds(["1", "2"]))
    membership.on_news(Guilds(["2", "3"]))
    assert told == [frozenset("12"), frozenset("23")]


def test_joining_and_leaving_are_told_once() -> None:
    membership, told = listening()
    membership.on_news(Guilds(["1"]))
    for news in (Joined("2"), Joined("2"), Left("1"), Left("1"), Held("2", "h"), Guilds(["2"])):
        membership.on_news(news)
    assert told == [frozenset("1"), frozenset("12"), frozenset("2")]


@given(st.sets(st.integers(1, 99).map(str)), st.lists(st.tuples(st.booleans(), st.integers(1, 99).map(str))))
def test_it_ends_with_what_a_set_would_hold(guilds: set[str], changes: list[tuple[bool, str]]) -> None:
    membership, _ = listening()
    membership.on_news(Guilds(sorted(guilds)))
    for joined, guild in changes:
        membership.on_news(Joined(guild) if joined else Left(guild))
        (guilds.add if joined else guilds.discard)(guild)
    assert membership.guilds == guilds
