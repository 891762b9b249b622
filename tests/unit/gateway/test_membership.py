"""Which guilds the bot is in: what is told, when, and how a resumed session's guilds are found out."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from flora_core.wire.control import GUILDS_A_LINE, Guilds, Joined, Left, guilds_in_parts
from flora_gateway.shards.membership import CREATED, DELETED, READY, RESUMED, Membership, shard_of

SHARDS = 2


def guild_of(shard: int, number: int = 1) -> str:
    """The id of a guild of a shard, of two."""
    return str((number * SHARDS + shard) << 22 | 7)


A, B, C = guild_of(0), guild_of(1), guild_of(0, 2)


class Bot:
    """A membership, and what it told."""

    def __init__(self, shards: int = SHARDS) -> None:
        self.told: list[Guilds | Joined | Left] = []
        self.membership = Membership(shards=lambda: shards, tell=self.told.append)

    def event(self, shard: int, type_: str, **data: Any) -> None:
        self.membership.observe(shard, type_, Raw(msgspec.json.encode(data)))

    def ready(self, shard: int, *guilds: str) -> None:
        entries = [{"id": guild, "unavailable": True} for guild in guilds]
        self.event(shard, READY, session_id="x", guilds=entries)

    def joined(self, guild: str) -> None:
        self.event(shard_of(guild, SHARDS), CREATED, id=guild, channels=[])

    def left(self, guild: str, **data: Any) -> None:
        self.event(shard_of(guild, SHARDS), DELETED, id=guild, **data)

    @property
    def guilds(self) -> list[str]:
        return [guild for frame in self.membership.frames() for guild in frame.guilds]


def test_nothing_is_told_before_every_shard_has_said_its_guilds() -> None:
    bot = Bot()
    bot.ready(0, A)
    bot.joined(A)
    assert (bot.told, bot.guilds, bot.membership.known) == ([], [], False)
    bot.ready(1, B)
    assert bot.told == [Guilds(sorted([A, B]))]
    assert bot.guilds == sorted([A, B])


def test_before_it_is_known_how_many_shards_there_are_nothing_is() -> None:
    assert not Bot(shards=0).membership.known


def test_a_bot_in_no_guild_says_so() -> None:
    bot = Bot()
    bot.ready(0)
    bot.ready(1)
    assert bot.told == [Guilds([])]


def test_guilds_that_come_up_after_ready_were_not_joined() -> None:
    bot = Bot()
    bot.ready(0, A)
    bot.ready(1)
    bot.joined(A)
    assert bot.told == [Guilds([A])]


def test_a_guild_that_is_joined_or_left_is_told_once() -> None:
    bot = Bot()
    bot.ready(0)
    bot.ready(1)
    for _ in range(2):
        bot.joined(A)
    for _ in range(2):
        bot.left(A)
    assert bot.told == [Guilds([]), Joined(A), Left(A)]


def test_a_guild_that_is_unavailable_has_not_left_and_does_not_join_when_it_is_back() -> None:
    bot = Bot()
    bot.ready(0, A)
    bot.ready(1)
    bot.left(A, unavailable=True)
    bot.joined(A)
    assert bot.told == [Guilds([A])]


def test_a_new_session_of_a_shard_tells_the_list_anew() -> None:
    bot = Bot()
    bot.ready(0, A)
    bot.ready(1, B)
    bot.ready(0, C)
    assert bot.told[-1] == Guilds(sorted([B, C]))


def test_a_resumed_session_of_an_earlier_process_waits_for_the_list_over_rest() -> None:
    bot = Bot()
    bot.ready(1, B)
    bot.joined(C)
    bot.left(A)
    assert not bot.membership.unlisted.is_set()
    bot.event(0, RESUMED)
    assert bot.membership.unlisted.is_set()
    bot.membership.listed([A, B])
    assert not bot.membership.unlisted.is_set()
    assert bot.told == [Guilds(sorted([B, C]))], "its events came after what REST knew"


def test_a_resume_of_this_process_own_session_needs_no_list() -> None:
    bot = Bot()
    bot.ready(0, A)
    bot.event(0, RESUMED)
    assert not bot.membership.unlisted.is_set()


def test_a_list_is_taken_only_for_shards_that_asked() -> None:
    bot = Bot()
    bot.event(0, RESUMED)
    bot.ready(1, B)
    bot.membership.listed([A])
    assert bot.told == [Guilds(sorted([A, B]))]


def test_what_is_no_event_of_discords_changes_nothing() -> None:
    bot = Bot()
    bot.ready(0, A)
    bot.ready(1)
    for type_ in (READY, CREATED, DELETED):
        bot.membership.observe(0, type_, Raw(b'{"guilds": 3, "id": []}'))
    assert bot.guilds == [A]


@given(guilds=st.lists(st.integers(1, 1 << 63).map(str), unique=True, max_size=60))
def test_a_list_in_parts_is_the_whole_list(guilds: list[str]) -> None:
    many = guilds * (GUILDS_A_LINE // 25)
    parts = guilds_in_parts(many)
    assert [guild for part in parts for guild in part.guilds] == many
    assert [part.first for part in parts] == [True] + [False] * (len(parts) - 1)
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
    assert max(len(part.guilds) for part in parts) <= GUILDS_A_LINE


moves = st.lists(
    st.tuples(st.booleans(), st.integers(0, 1), st.integers(1, 4)),
    max_size=30,
)


@given(at_start=st.sets(st.integers(1, 4)), before=moves, after=moves)
def test_whoever_follows_what_is_told_knows_the_guilds(
    at_start: set[int], before: list[tuple[bool, int, int]], after: list[tuple[bool, int, int]]
) -> None:
    """One shard resumes, so that its list comes over REST; events come at any time."""
    bot = Bot()
    truth = {guild_of(0, number) for number in at_start}
    bot.ready(1)

    def move(joined: bool, shard: int, number: int) -> None:
        guild = guild_of(shard, number)
        (truth.add if joined else truth.discard)(guild)
        (bot.joined if joined else bot.left)(guild)

    for step in before:
        move(*step)
    bot.event(0, RESUMED)
    listed = set(truth)
    for step in after:
        move(*step)
    bot.membership.listed(listed)
    follower: set[str] = set()
    for frame in bot.told:
        if isinstance(frame, Guilds):
            follower = set(frame.guilds)
        elif isinstance(frame, Joined):
            follower.add(frame.guild)
        else:
            follower.discard(frame.guild)
    assert follower == truth == set(bot.guilds)
