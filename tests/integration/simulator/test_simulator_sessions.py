"""Sessions, what they may see, and the hub that keeps them: without sockets."""

from __future__ import annotations

from typing import Any

import discord
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_simulator import GuildSpec, MemberSpec, SimulatorSettings, WorldSpec
from flora_simulator.gateway import Hub
from flora_simulator.gateway.hub import InvalidSession, Refused
from flora_simulator.gateway.session import EventsLost, Session, frame, guild_of
from flora_simulator.gateway.visibility import View, disallowed
from flora_simulator.live_backend import LiveBackend
from flora_simulator.simcord_port import serializers
from flora_simulator.world import World

ALL = discord.Intents.all().value


def intents(*names: str) -> int:
    return discord.Intents(**dict.fromkeys(names, True)).value


# ---------------------------------------------------------------- sessions


def session(keep: int = 100, shard: tuple[int, int] = (0, 1)) -> Session:
    return Session(shard, ALL, keep)


def numbers(frames: list[bytes]) -> list[int]:
    return [msgspec.json.decode(data)["s"] for data in frames]


def test_a_frame_is_discords_payload_in_discords_order() -> None:
    assert frame(0, b"{}", event="READY", sequence=1) == b'{"t":"READY","s":1,"op":0,"d":{}}'
    assert frame(11, b"null") == b'{"t":null,"s":null,"op":11,"d":null}'


def test_events_are_numbered_from_one() -> None:
    one = session()
    for _ in range(3):
        one.append("X", b"{}")
    assert numbers(one.after(0, 10)) == [1, 2, 3]
    assert numbers(one.after(1, 1)) == [2]
    assert one.after(3, 10) == []


def test_what_was_pushed_out_is_lost() -> None:
    one = session(keep=3)
    for _ in range(5):
        one.append("X", b"{}")
    assert numbers(one.after(2, 10)) == [3, 4, 5]
    assert one.can_replay(2)
    assert not one.can_replay(1)
    with pytest.raises(EventsLost):
        one.after(1, 10)


@given(st.integers(1, 20), st.integers(0, 60), st.data())
def test_a_reader_gets_every_event_once_or_is_told(keep: int, count: int, data: st.DataObject) -> None:
    one, read, position = session(keep), [], 0
    for number in range(count):
        one.append("X", b"%d" % number)
        if data.draw(st.booleans()):
            try:
                frames = one.after(position, data.draw(st.integers(1, 5)))
            except EventsLost:
                assert one.last - position > keep
                return
            read += numbers(frames)
            position += len(frames)
    assert read == list(range(1, position + 1))


@given(st.integers(1, 1 << 63), st.integers(1, 50))
def test_a_guild_is_on_exactly_one_shard(guild: int, count: int) -> None:
    seeing = [n for n in range(count) if session(shard=(n, count)).sees_shard(guild)]
    assert seeing == [(guild >> 22) % count]


def test_what_has_no_guild_is_on_shard_zero() -> None:
    assert session(shard=(0, 2)).sees_shard(None)
    assert not session(shard=(1, 2)).sees_shard(None)


@pytest.mark.parametrize(
    ("event", "payload", "guild"),
    [
        ("MESSAGE_CREATE", {"guild_id": "5", "id": "6"}, 5),
        ("MESSAGE_CREATE", {"id": "6"}, None),
        ("GUILD_CREATE", {"id": "6"}, 6),
        ("GUILD_DELETE", {"id": "6", "unavailable": True}, 6),
        ("ENTITLEMENT_CREATE", {"guild_id": "5"}, None),
        ("READY", {}, None),
        ("ODD", None, None),
    ],
)
def test_the_guild_of_an_event(event: str, payload: Any, guild: int | None) -> None:
    assert guild_of(event, payload) == guild


# -------------------------------------------------------------- visibility


@pytest.fixture
def world() -> World:
    guild = GuildSpec("garden", id="1001", owner="ada", members=(MemberSpec("ada"), MemberSpec("bob")))
    return World(WorldSpec(guilds=(guild,)), LiveBackend())


def message(world: World, content: str, author: str = "bob") -> dict[str, Any]:
    with world.backend.silently():
        made = world.backend.create_message(world.channel("general").id, world.user(author).id, content)
    return dict(serializers.message_payload(world.backend, made))


def seen(world: World, event: str, payload: dict[str, Any], mask: int) -> Any:
    data = View(world.backend, event, payload).for_intents(mask)
    return msgspec.json.decode(data) if data is not None else None


@pytest.mark.parametrize(
    ("event", "payload", "intent"),
    [
        ("GUILD_MEMBER_ADD", {"guild_id": "1", "user": {"id": "2"}}, "members"),
        ("GUILD_BAN_ADD", {"guild_id": "1"}, "moderation"),
        ("CHANNEL_CREATE", {"guild_id": "1"}, "guilds"),
        ("TYPING_START", {"guild_id": "1"}, "guild_typing"),
        ("TYPING_START", {}, "dm_typing"),
        ("MESSAGE_REACTION_ADD", {"guild_id": "1"}, "guild_reactions"),
        ("WEBHOOKS_UPDATE", {"guild_id": "1"}, "webhooks"),
        ("VOICE_STATE_UPDATE", {"guild_id": "1"}, "voice_states"),
    ],
)
def test_an_event_needs_its_intent(world: World, event: str, payload: dict[str, Any], intent: str) -> None:
    assert seen(world, event, payload, intents(intent)) == payload
    assert seen(world, event, payload, ALL & ~intents(intent)) is None


@pytest.mark.parametrize("event", ["INTERACTION_CREATE", "GUILD_MEMBERS_CHUNK", "SOMETHING_NEW"])
def test_some_events_need_none(world: World, event: str) -> None:
    assert seen(world, event, {"guild_id": "1"}, 0) == {"guild_id": "1"}


def test_a_bot_always_hears_of_its_own_roles(world: World) -> None:
    mine = {"guild_id": "1001", "user": {"id": str(world.backend.bot_user.id)}}
    assert seen(world, "GUILD_MEMBER_UPDATE", mine, 0) == mine
    assert seen(world, "GUILD_MEMBER_UPDATE", mine | {"user": {"id": "5"}}, 0) is None


def test_content_is_blank_without_its_intent_and_the_original_stays(world: World) -> None:
    payload = message(world, "secret")
    assert seen(world, "MESSAGE_CREATE", payload, intents("guild_messages"))["content"] == ""
    assert seen(world, "MESSAGE_CREATE", payload, ALL)["content"] == "secret"
    assert payload["content"] == "secret"


def test_a_message_to_the_bot_or_of_the_bot_can_be_read(world: World) -> None:
    mask = intents("guild_messages")
    mention = message(world, f"<@{world.backend.bot_user.id}> hi")
    own = message(world, "mine", author="flora")
    assert seen(world, "MESSAGE_CREATE", mention, mask)["content"].endswith("hi")
    assert seen(world, "MESSAGE_CREATE", own, mask)["content"] == "mine"


def test_the_message_that_was_acted_on_can_be_read(world: World) -> None:
    clicked = message(world, "clicked")
    payload = {"guild_id": "1001", "type": 3, "message": clicked, "data": {}}
    assert seen(world, "INTERACTION_CREATE", payload, 0)["message"]["content"] == "clicked"


def test_of_resolved_messages_only_the_target_can_be_read(world: World) -> None:
    target, other = message(world, "target"), message(world, "other")
    resolved = {"messages": {target["id"]: target, other["id"]: other}}
    payload = {"type": 2, "data": {"type": 3, "target_id": target["id"], "resolved": resolved}}
    shown = seen(world, "INTERACTION_CREATE", payload, 0)["data"]["resolved"]["messages"]
    assert (shown[target["id"]]["content"], shown[other["id"]]["content"]) == ("target", "")


def test_an_event_is_encoded_once_for_all_who_see_the_same(world: World) -> None:
    view = View(world.backend, "MESSAGE_CREATE", message(world, "x"))
    mask = intents("guild_messages")
    assert view.for_intents(mask) is view.for_intents(mask | intents("guilds"))
    assert view.for_intents(mask) is not view.for_intents(ALL)


def test_privileged_intents_need_approval() -> None:
    assert disallowed(ALL, frozenset()) == ["members", "presences", "message_content"]
    assert disallowed(ALL, frozenset(("members", "presences"))) == ["message_content"]
    assert disallowed(intents("guilds"), frozenset()) == []


# --------------------------------------------------------------------- hub


class Line:
    """A connection as far as the hub looks at it."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self.closed_with: int | None = None
        self.said: list[tuple[int, object]] = []
        self.cut = False

    def attach(self, session: Session, *, after: int) -> None:
        self.session = session
        session.connection = self  # pyright: ignore[reportAttributeAccessIssue]
        self.after = after

    def wake(self) -> None:
        pass

    def say(self, op: int, data: object = None) -> None:
        self.said.append((op, data))

    def abort(self) -> None:
        self.cut = True


def hub_of(world: World, **settings: Any) -> Hub:
    return Hub(world, SimulatorSettings(**{"identify_window_secs": 0.0, **settings}))


def identify(hub: Hub, world: World, **order: Any) -> Any:
    line: Any = Line()
    hub.identify(line, {"token": world.token, "intents": ALL, **order}, resume_url="ws://again")
    return line


def test_an_identify_is_answered_with_ready_and_the_guilds(world: World) -> None:
    line = identify(hub_of(world), world)
    frames = [msgspec.json.decode(data) for data in line.session.after(0, 10)]
    assert [data["t"] for data in frames] == ["READY", "GUILD_CREATE"]
    assert frames[0]["d"]["resume_gateway_url"] == "ws://again"


def test_the_token_may_say_bot(world: World) -> None:
    identify(hub_of(world), world, token=f"Bot {world.token}")
    with pytest.raises(Refused) as refused:
        identify(hub_of(world), world, token=None)
    assert refused.value.code == 4004


def test_without_the_guilds_intent_no_guild_comes(world: World) -> None:
    line = identify(hub_of(world), world, intents=0)
    assert line.session.last == 1


def test_each_concurrency_window_takes_one_identify(world: World) -> None:
    hub = hub_of(world, identify_window_secs=60.0, max_concurrency=4)
    for number in range(4):
        identify(hub, world, shard=[number, 8])
    for number in range(4, 8):
        with pytest.raises(InvalidSession):
            identify(hub, world, shard=[number, 8])
    assert (hub.counters.identifies, hub.counters.identifies_refused) == (4, 4)
    assert hub.identifies_left()[0] == 996


def test_leaving_keeps_the_session_unless_the_client_said_good_bye(world: World) -> None:
    hub = hub_of(world)
    kept, ended = identify(hub, world), identify(hub, world)
    hub.left(kept, 4000)
    hub.left(ended, 1000)
    assert hub.sessions == [kept.session]
    assert hub.counters.closes == {4000: 1, 1000: 1}


def test_a_close_of_our_own_does_not_end_the_session(world: World) -> None:
    hub = hub_of(world)
    line = identify(hub, world)
    line.closed_with = 1001
    hub.left(line, 1001)
    assert hub.sessions == [line.session]


def resume(hub: Hub, world: World, session_id: str, seq: Any) -> Any:
    line: Any = Line()
    order = {"token": world.token, "session_id": session_id, "seq": seq}
    hub.resume(line, order, at_resume_url=True)
    return line


def test_a_resume_goes_on_where_the_client_stopped(world: World) -> None:
    hub = hub_of(world)
    first = identify(hub, world)
    hub.left(first, 4000)
    hub.tell("CHANNEL_CREATE", {"guild_id": "1001", "id": "9"})
    second = resume(hub, world, first.session.id, 2)
    events = [msgspec.json.decode(data)["t"] for data in second.session.after(second.after, 10)]
    assert events == ["CHANNEL_CREATE", "RESUMED"]


def test_a_resume_of_a_live_session_cuts_the_old_connection(world: World) -> None:
    hub = hub_of(world)
    first = identify(hub, world)
    second = resume(hub, world, first.session.id, 2)
    assert first.cut
    hub.left(first, None)
    assert second.session.connection is second


@pytest.mark.parametrize(("seq", "error"), [(-1, Refused), (99, Refused), ("2", InvalidSession)])
def test_a_sequence_that_cannot_be_is_refused(world: World, seq: Any, error: type[Exception]) -> None:
    hub = hub_of(world)
    first = identify(hub, world)
    with pytest.raises(error):
        resume(hub, world, first.session.id, seq)
    assert hub.counters.resumes_failed == 1


def test_an_unknown_session_is_invalid(world: World) -> None:
    with pytest.raises(InvalidSession):
        resume(hub_of(world), world, "nope", 1)


def test_invalidating_detaches_the_connection(world: World) -> None:
    hub = hub_of(world)
    line = identify(hub, world)
    was = line.session
    hub.invalidate(was, resumable=True)
    assert line.said == [(9, True)]
    assert line.session is None
    assert hub.find(was.id) is was
    hub.invalidate(was, resumable=False)
    assert hub.find(was.id) is None


def test_listeners_are_the_connected_sessions_of_the_shard(world: World) -> None:
    hub = hub_of(world)
    for number in (0, 1):
        identify(hub, world, shard=[number, 2])
    away = identify(hub, world)
    hub.left(away, 4000)
    assert hub.listeners(1001) == 1
    assert hub.listeners(None) == 1


def test_the_number_of_idle_sessions_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flora_simulator.gateway.hub._MOST_SESSIONS", 3)
    hub = hub_of(world)
    for _ in range(6):
        hub.left(identify(hub, world, intents=0), 4000)
    assert len(hub.sessions) == 3


def test_encoded_events_go_to_those_with_the_intent(world: World) -> None:
    hub = hub_of(world)
    yes, no = identify(hub, world), identify(hub, world, intents=0)
    hub.tell_encoded("MESSAGE_CREATE", 1001, b'{"n":1}', intent=intents("guild_messages"))
    assert msgspec.json.decode(yes.session.after(2, 1)[0])["d"] == {"n": 1}
    assert no.session.last == 1
