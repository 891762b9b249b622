"""The world as a service needs it: time, ids, bounds, files, names."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_simulator import ChannelSpec, GuildSpec, MemberSpec, WorldSpec
from flora_simulator.errors import ActRefused, BadWorld
from flora_simulator.live_backend import DISCORD_EPOCH_MS, LiveBackend, WallClock
from flora_simulator.simcord_port import SetupError, User
from flora_simulator.world import World


@pytest.fixture
def world() -> World:
    guild = GuildSpec("garden", owner="ada", members=(MemberSpec("bob"),))
    return World(WorldSpec(guilds=(guild,)), LiveBackend(messages_per_channel=5))


def made_at(snowflake: int) -> float:
    return ((snowflake >> 22) + DISCORD_EPOCH_MS) / 1000


def test_ids_grow_and_carry_the_current_time() -> None:
    backend = LiveBackend()
    ids = [backend.snowflake() for _ in range(2_000)]
    assert ids == sorted(set(ids))
    assert abs(made_at(ids[-1]) - time.time()) < 1


@given(st.lists(st.integers(-5_000, 5_000), min_size=1, max_size=30))
def test_ids_grow_even_when_the_clock_jumps(jumps: list[int]) -> None:
    backend = LiveBackend()
    now = dt.datetime.now(dt.UTC)
    last = backend.snowflake()
    for jump in jumps:
        now += dt.timedelta(milliseconds=jump)
        backend.clock.now = lambda moment=now: moment
        following = backend.snowflake()
        assert following > last
        last = following


def test_the_clock_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = WallClock()
    clock._last = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    assert clock.now() >= clock.now() >= clock._last


def test_an_id_can_be_chosen_for_the_next_thing_only() -> None:
    backend = LiveBackend()
    with backend.with_id(77):
        assert backend.make_user("a").id == 77
        assert backend.make_user("b").id != 77
    with backend.with_id(None):
        assert backend.make_user("c").id > 1 << 40
    with pytest.raises(SetupError, match="77 is already reserved"), backend.with_id(77):
        backend.make_user("d")


def test_a_chosen_id_is_not_left_over_when_nothing_was_made() -> None:
    backend = LiveBackend()
    with backend.with_id(78):
        pass
    assert backend.make_user("a").id != 78


def test_nothing_is_told_silently() -> None:
    backend, seen = LiveBackend(), []
    backend.subscribers.append(lambda event, _: seen.append(event))
    with backend.silently():
        backend.create_guild("quiet")
    backend.create_guild("loud")
    assert seen == ["GUILD_CREATE"]


def test_what_simcord_remembers_for_tests_is_bounded(world: World) -> None:
    backend = world.backend
    for _ in range(1_000):
        backend.emit("TYPING_START", {})
    assert len(backend.transcript) <= 200


def test_a_channel_keeps_its_newest_messages(world: World) -> None:
    backend, channel = world.backend, world.channel("general")
    bob = world.user("bob").id
    ids = [backend.create_message(channel.id, bob, f"{number}").id for number in range(8)]
    assert list(backend.messages[channel.id]) == ids[-5:]


def test_edits_keep_what_was_said_before_and_go_with_the_message(world: World) -> None:
    backend, channel = world.backend, world.channel("general")
    message = backend.create_message(channel.id, world.user("bob").id, "0")
    for number in range(1, 30):
        backend.edit_message(channel.id, message.id, {"content": f"{number}"})
    assert [edit.content for edit in backend.edits[message.id]] == [f"{n}" for n in range(9, 29)]
    backend.delete_message(channel.id, message.id)
    assert message.id not in backend.edits


def test_old_interactions_are_forgotten(world: World) -> None:
    backend, channel = world.backend, world.channel("general")
    old = backend.new_interaction(2, channel.id, world.user("bob").id, None)
    old.expires_at = backend.iso_after(-16 * 60)
    new = backend.new_interaction(2, channel.id, world.user("bob").id, None)
    assert list(backend.interactions) == [new.id]
    assert list(backend.interaction_tokens) == [new.token]


def test_the_interaction_window_can_be_shortened() -> None:
    backend = LiveBackend(interaction_window=0.5)
    record = backend.new_interaction(2, 1, 1, None)
    deadline = dt.datetime.fromisoformat(record.initial_response_deadline or "")
    assert 0 < (deadline - backend.clock.now()).total_seconds() <= 0.5


def test_files_have_an_address_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flora_simulator.live_backend._CDN_BYTES", 100)
    backend = LiveBackend()
    backend.files.base = "http://here"
    first = backend.files.store_attachment(1, 2, "a b.txt", b"x" * 60, "what")
    assert first["url"] == "http://here/attachments/2/1/a%20b.txt"
    assert (first["content_type"], first["size"]) == ("text/plain", 60)
    assert backend.files.file("attachments/2/1/a b.txt") == (b"x" * 60, "text/plain")
    backend.files.store_attachment(3, 2, "b", b"y" * 60, None)
    assert backend.files.file("attachments/2/1/a b.txt") is None
    assert backend.files.store_sticker(9, 1, b"png") == "http://here/stickers/9.png"


# ------------------------------------------------------------------- names


def test_things_are_found_by_id_and_by_name(world: World) -> None:
    guild = world.guild("garden")
    assert world.guild(str(guild.id)) is guild
    assert world.guild(None) is guild
    channel = world.channel("#general")
    assert world.channel("general") is channel
    assert world.channel(str(channel.id)) is channel
    bob = world.user("@bob")
    assert world.user(str(bob.id)) is bob
    assert world.role(guild, "@everyone").id == guild.id


def test_the_first_person_is_meant_when_nobody_is_named(world: World) -> None:
    assert world.user(None).name == "ada"


def test_an_empty_world_says_so() -> None:
    world = World(WorldSpec(), LiveBackend())
    with pytest.raises(ActRefused, match="there is no guild yet"):
        world.guild(None)
    with pytest.raises(ActRefused, match="there is nobody here yet"):
        world.user(None)
    with pytest.raises(ActRefused, match="there is no channel x; there are: none"):
        world.channel("x")


def test_the_bot_has_the_id_of_its_application(world: World) -> None:
    assert world.backend.bot_user.id == world.backend.application_id == 100000000000000004
    bots = [user for user in world.backend.users.values() if user.bot]
    assert bots == [world.backend.bot_user]


def test_the_same_name_is_the_same_person_in_every_guild(world: World) -> None:
    lab = world.create_guild(GuildSpec("lab", owner="bob", members=(MemberSpec("ada", nick="A"),)))
    assert lab.owner_id == world.user("bob").id
    assert lab.members[world.user("ada").id].nick == "A"
    people: list[User] = [user for user in world.backend.users.values() if not user.bot]
    assert sorted(user.name for user in people) == ["ada", "bob"]


@pytest.mark.parametrize("wrong", ["x", "-1", "0", "", str(1 << 64)])
def test_ids_are_checked(world: World, wrong: str) -> None:
    with pytest.raises(BadWorld, match="is not an id"):
        world.create_user("x", user_id=wrong)


def test_a_guild_that_exists_is_not_made_again(world: World) -> None:
    world.backend.reserve_id(5)
    with pytest.raises(BadWorld, match="guild twice: id 5 is already reserved"):
        world.create_guild(GuildSpec("twice", id="5"))
    assert [guild.name for guild in world.backend.guilds.values()] == ["garden"]


def test_a_guild_is_announced_once_and_whole(world: World) -> None:
    seen: list[tuple[str, int]] = []
    world.backend.subscribers.append(lambda e, p: seen.append((e, len(p.get("channels") or ()))))
    world.create_guild(GuildSpec("lab", channels=(ChannelSpec("a"), ChannelSpec("b"))))
    assert seen == [("GUILD_CREATE", 2)]
