"""Events of a guild that moves: kept in order, under a buffer's bounds, and given to whichever pod has it then."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from prometheus_client import REGISTRY

from flora_core.wire.control import Held, Hold
from flora_core.wire.gateway import Event, Subscribe, downstream
from flora_gateway.fanout import buffer
from flora_gateway.fanout.buffer import EVENT_LIMIT, Drop
from flora_gateway.fanout.holds import Event as HeldEvent
from flora_gateway.fanout.holds import Holds
from flora_gateway.fanout.hub import Hub
from flora_gateway.rest import ScopeMap
from flora_gateway.shards.sessions import LowWater
from flora_gateway.shards.shard import Dispatch

A, B = "pod-a", "pod-b"
BOT, ADA = "3", "4"


class MovingHub:
    """A hub with one guild of two pods, and the route table that says where it is."""

    def __init__(self, *, byte_limit: int = 1 << 20, guild_limit: int = 100) -> None:
        self.pods = {"1": A, "2": A}
        self.held: dict[str, Hold] = {}
        self.said: list[Held] = []
        self.hub = Hub(
            pod_of=self.pods.get,
            all_pods=lambda: {A, B},
            scope=ScopeMap(),
            byte_limit=byte_limit,
            guild_limit=guild_limit,
            held=lambda: self.held,
        )
        self.hub.on_held = self.said.append
        self.hub.know_bot(BOT)
        self.low_water = LowWater()
        self._sequence = 0

    def hold(self, handoff: str = "h") -> None:
        self.held["1"] = Hold(handoff, B)
        self.hub.routes_changed()

    def route(self, pod: str) -> None:
        """The guild is ``pod``'s, and no longer held."""
        self.pods["1"] = pod
        self.held.clear()
        self.hub.routes_changed()

    def event(self, type_: str, guild: str = "1", **data: Any) -> int:
        self._sequence += 1
        raw = Raw(json.dumps({"guild_id": guild, "channel_id": "5", **data}).encode())
        self.hub.on_dispatch(Dispatch(0, "session", self.low_water, type_, self._sequence, raw))
        return self._sequence

    def message(self, content: str = "", guild: str = "1", author: str = ADA) -> int:
        return self.event("MESSAGE_CREATE", guild, id="9", content=content, author={"id": author})

    def sent(self, pod: str) -> list[str]:
        """Contents of the messages that ``pod``'s stream takes now."""
        frames = self.hub.take_unsent(self.hub.pod(pod))
        events = [downstream.decode(frame.line.rstrip(b"\n")) for frame in frames]
        return [
            json.loads(bytes(event.data)).get("content", "") for event in events if isinstance(event, Event)
        ]

    def acknowledge(self, pod: str) -> None:
        """``pod`` has everything that was sent."""
        self.hub.acknowledge(self.hub.pod(pod), self.hub.pod(pod).buffer.next_offset - 1)


@pytest.fixture
def moving() -> MovingHub:
    return MovingHub()


def dropped(type_: str, reason: str) -> float:
    labels = {"type": type_, "reason": reason}
    return REGISTRY.get_sample_value("flora_gateway_events_dropped_total", labels) or 0.0


def test_events_of_a_held_guild_wait_and_others_go_on(moving: MovingHub) -> None:
    moving.hold()
    moving.message("held")
    moving.message("not held", guild="2")
    assert moving.sent(A) == ["not held"]


def test_what_waited_goes_to_the_new_pod_in_order_before_what_comes_then(moving: MovingHub) -> None:
    moving.hold()
    for number in range(5):
        moving.message(str(number))
    moving.route(B)
    moving.message("5")
    assert moving.sent(B) == [str(number) for number in range(6)]
    assert moving.sent(A) == []


def test_what_waited_goes_back_to_the_old_pod_when_the_move_is_undone(moving: MovingHub) -> None:
    moving.message("before")
    moving.hold()
    moving.message("meanwhile")
    moving.route(A)
    assert moving.sent(A) == ["before", "meanwhile"]


def test_it_is_said_once_that_nothing_is_on_its_way_any_more(moving: MovingHub) -> None:
    moving.message("on its way")
    moving.hold()
    assert moving.said == []
    assert moving.sent(A) == ["on its way"]
    moving.message("kept")
    assert moving.said == [], "sent is not acknowledged"
    moving.acknowledge(A)
    moving.acknowledge(A)
    assert moving.said == [Held("1", "h")]
    assert moving.hub.all_held == [Held("1", "h")], "and again to whoever dials anew"


def test_a_guild_without_events_on_their_way_is_held_at_once(moving: MovingHub) -> None:
    moving.hold()
    assert moving.said == [Held("1", "h")]


def test_events_of_other_guilds_on_their_way_do_not_matter(moving: MovingHub) -> None:
    moving.message("another guild's", guild="2")
    moving.hold()
    assert moving.said == [Held("1", "h")]


def test_another_handoff_of_the_same_guild_is_said_again(moving: MovingHub) -> None:
    moving.hold("one")
    moving.message("waits on")
    moving.hold("two")
    assert moving.said == [Held("1", "one"), Held("1", "two")]
    moving.route(B)
    assert moving.sent(B) == ["waits on"]


def test_the_low_water_mark_stays_below_what_waits(moving: MovingHub) -> None:
    first = moving.message("acknowledged")
    moving.sent(A)
    moving.acknowledge(A)
    moving.hold()
    moving.message("waits")
    last = moving.message("another guild's", guild="2")
    moving.sent(A)
    moving.acknowledge(A)
    assert moving.low_water.mark == first, "a gateway that dies now is sent it again"
    moving.route(B)
    moving.sent(B)
    moving.acknowledge(B)
    assert moving.low_water.mark == last


def test_subscriptions_of_the_pod_that_gets_them_decide(moving: MovingHub) -> None:
    moving.hub.subscribe(B, Subscribe("1", ["messageDelete"]))
    moving.hold()
    moving.message("B's script does not handle messages")
    before = dropped("MESSAGE_CREATE", "not_subscribed")
    moving.route(B)
    assert moving.sent(B) == []
    assert dropped("MESSAGE_CREATE", "not_subscribed") == before + 1
    assert moving.low_water.mark == 1


def test_what_the_old_pods_script_does_not_handle_takes_no_room(moving: MovingHub) -> None:
    moving.hub.subscribe(A, Subscribe("1", ["messageDelete"]))
    moving.hold()
    moving.message("nobody's")
    moving.route(A)
    assert moving.sent(A) == []


def test_the_bots_own_messages_stay_out(moving: MovingHub) -> None:
    moving.hold()
    moving.message("mine", author=BOT)
    moving.route(B)
    assert moving.sent(B) == []


def test_a_flood_is_dropped_as_in_a_buffer() -> None:
    moving = MovingHub(guild_limit=3)
    before = dropped("MESSAGE_CREATE", "backlog")
    moving.hold()
    for number in range(5):
        moving.message(str(number))
    moving.event("GUILD_BAN_ADD", user={"id": "7"})
    assert dropped("MESSAGE_CREATE", "backlog") == before + 2
    moving.route(B)
    assert moving.sent(B) == ["0", "1", "2", ""], "what is not droppable is kept"


def test_interactions_that_waited_too_long_are_not_sent(
    moving: MovingHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving.hold()
    moving.event("INTERACTION_CREATE", id="1", type=2, token="t")
    monkeypatch.setattr(buffer, "INTERACTION_SECONDS", -1.0)
    before = dropped("INTERACTION_CREATE", "expired")
    moving.route(B)
    assert moving.sent(B) == []
    assert dropped("INTERACTION_CREATE", "expired") == before + 1


def test_a_guild_that_nobody_has_any_more_leaves_nothing_behind(moving: MovingHub) -> None:
    moving.hold()
    moving.message("nobody's")
    del moving.pods["1"]
    moving.held.clear()
    moving.hub.routes_changed()
    assert moving.low_water.mark == 1


def test_the_pod_that_gets_the_guild_may_call_for_it_before_it_has_it(moving: MovingHub) -> None:
    assert not moving.hub.runs(B, "1")
    moving.hold()
    assert moving.hub.runs(A, "1")
    assert moving.hub.runs(B, "1")
    moving.route(B)
    assert not moving.hub.runs(A, "1")


def test_a_table_that_says_otherwise_before_it_was_looked_at_keeps_the_order(moving: MovingHub) -> None:
    moving.hold()
    moving.message("0")
    moving.pods["1"] = B
    moving.held.clear()  # the table has changed; routes_changed comes when it is on disk
    moving.message("1")
    moving.hub.routes_changed()
    moving.message("2")
    assert moving.sent(B) == ["0", "1", "2"]


# ------------------------------------------------------------------------------------------------- bounds


def held_event(size: int, type_: str = "MESSAGE_CREATE") -> HeldEvent:
    return HeldEvent(type_, "messageCreate", lambda _offset: b"", size, 0.0, lambda: None)


def test_one_guilds_bytes_are_all_guilds_bound() -> None:
    holds = Holds(byte_limit=2000, guild_limit=100)
    holds.begin("1", "h", 0.0)
    holds.begin("2", "h", 0.0)
    holds.add("1", held_event(1000))
    assert holds.refuses("GUILD_BAN_ADD", "2", 1000) is Drop.OVERFLOW
    assert holds.refuses("MESSAGE_CREATE", "2", EVENT_LIMIT + 1) is Drop.TOO_LARGE
    holds.end("1")
    assert holds.refuses("GUILD_BAN_ADD", "2", 1000) is None


@given(st.lists(st.tuples(st.sampled_from(["1", "2"]), st.integers(0, 100) | st.none()), max_size=50))
def test_what_ends_gives_back_all_that_it_took(steps: list[tuple[str, int | None]]) -> None:
    holds = Holds(byte_limit=1 << 20, guild_limit=100)
    for guild, size in steps:
        if size is None:
            if holds.of(guild) is not None:
                holds.end(guild)
        else:
            holds.begin(guild, "h", 0.0)
            holds.add(guild, held_event(size))
    for guild in holds.guilds:
        holds.end(guild)
    assert (holds.bytes, len(holds)) == (0, 0)
