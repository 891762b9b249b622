"""What becomes of each of Discord's events: which pod gets it, or why none does."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from prometheus_client import REGISTRY

from flora_core.wire.gateway import Event, Result, Subscribe, downstream
from flora_gateway.fanout.hub import Hub
from flora_gateway.rest import ScopeMap
from flora_gateway.shards.sessions import LowWater
from flora_gateway.shards.shard import Dispatch

BOT, ADA = "3", "4"
ROUTES = {"1": "pod-0", "2": "pod-1"}


class HubUnderTest:
    """A hub with two pods, and a shard's side of it."""

    def __init__(self, *, byte_limit: int = 1 << 20, guild_limit: int = 100) -> None:
        self.scope = ScopeMap()
        self.hub = Hub(
            pod_of=ROUTES.get,
            all_pods=lambda: set(ROUTES.values()),
            scope=self.scope,
            byte_limit=byte_limit,
            guild_limit=guild_limit,
        )
        self.hub.know_bot(BOT)
        self.low_water = LowWater()
        self._sequence = 0

    def event(self, type_: str, **data: Any) -> int:
        """An event of Discord's; returns its sequence number."""
        return self.raw(type_, json.dumps(data).encode())

    def raw(self, type_: str, data: bytes) -> int:
        self._sequence += 1
        self.hub.on_dispatch(Dispatch(0, "session", self.low_water, type_, self._sequence, Raw(data)))
        return self._sequence

    def message(self, guild: str = "1", author: str = ADA, **more: Any) -> int:
        return self.event(
            "MESSAGE_CREATE", id="9", guild_id=guild, channel_id="5", author={"id": author}, **more
        )

    def sent(self, pod: str = "pod-0") -> list[Event | Result]:
        """What the stream of ``pod`` takes now."""
        frames = self.hub.take_unsent(self.hub.pod(pod))
        decoded = [downstream.decode(frame.line.rstrip(b"\n")) for frame in frames]
        assert all(isinstance(frame, Event | Result) for frame in decoded)
        return decoded  # pyright: ignore[reportReturnType]


@pytest.fixture
def under_test() -> HubUnderTest:
    return HubUnderTest()


def dropped(type_: str, reason: str) -> float:
    labels = {"type": type_, "reason": reason}
    return REGISTRY.get_sample_value("flora_gateway_events_dropped_total", labels) or 0.0


def test_an_event_reaches_the_pod_of_its_guild_as_discord_sent_it(under_test: HubUnderTest) -> None:
    sequence = under_test.message(content="hällo \n", nonce=None)
    (event,) = under_test.sent("pod-0")
    assert isinstance(event, Event)
    assert (event.offset, event.type, event.guild) == (1, "MESSAGE_CREATE", "1")
    assert (event.session, event.sequence) == ("session", sequence)
    assert json.loads(bytes(event.data))["content"] == "hällo \n"
    assert under_test.sent("pod-1") == []


def test_frames_of_a_pod_are_numbered_without_gaps(under_test: HubUnderTest) -> None:
    under_test.message()
    under_test.message("2")
    under_test.hub.result("pod-0", "1", 8, ok=True, value=b"null")
    under_test.message()
    assert [frame.offset for frame in under_test.sent("pod-0")] == [1, 2, 3]
    assert [frame.offset for frame in under_test.sent("pod-1")] == [1]


def test_ready_goes_to_every_pod_without_the_list_of_guilds(under_test: HubUnderTest) -> None:
    user = {"id": BOT, "username": "flora", "email": "bot@example.org"}
    under_test.event("READY", user=user, application={"id": "7"}, guilds=[{"id": "1"}], session_id="s")
    for pod in ("pod-0", "pod-1"):
        (event,) = under_test.sent(pod)
        assert isinstance(event, Event)
        data = json.loads(bytes(event.data))
        assert (event.guild, data["user"]["id"], data["application"]) == ("", BOT, {"id": "7"})
        assert "guilds" not in data
        assert "email" not in data["user"]
        assert "session_id" not in data


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"guild": "1", "author": BOT}, "own_message"),
        ({"guild": "9"}, "no_route"),
        ({"guild": None}, "no_guild"),
    ],
    ids=["the bot's own", "of an unknown guild", "direct message"],
)
def test_messages_that_go_nowhere_are_counted_by_reason(
    under_test: HubUnderTest, event: dict[str, Any], reason: str
) -> None:
    before = dropped("MESSAGE_CREATE", reason)
    sequence = under_test.message(**event)
    assert dropped("MESSAGE_CREATE", reason) == before + 1
    assert under_test.sent("pod-0") == []
    assert under_test.low_water.mark == sequence


def test_the_bots_own_messages_come_when_the_script_asked_for_them(under_test: HubUnderTest) -> None:
    under_test.hub.subscribe("pod-0", Subscribe("1", ["messageCreate"], own=True))
    under_test.message(author=BOT)
    assert len(under_test.sent()) == 1


def test_what_no_handler_wants_stays_in_the_gateway(under_test: HubUnderTest) -> None:
    under_test.hub.subscribe("pod-0", Subscribe("1", ["reactionAdd"]))
    under_test.message()
    under_test.event("MESSAGE_REACTION_ADD", guild_id="1", channel_id="5", user_id=ADA)
    assert [frame.type for frame in under_test.sent() if isinstance(frame, Event)] == ["MESSAGE_REACTION_ADD"]


def test_before_a_script_says_what_it_handles_it_gets_everything(under_test: HubUnderTest) -> None:
    under_test.message()
    under_test.event("MESSAGE_DELETE", id="9", guild_id="1", channel_id="5")
    assert len(under_test.sent()) == 2


def test_an_interaction_nobody_can_handle_goes_nowhere(under_test: HubUnderTest) -> None:
    before = dropped("INTERACTION_CREATE", "not_supported")
    under_test.event("INTERACTION_CREATE", id="1", token="t", guild_id="1", channel_id="5", type=99)
    assert dropped("INTERACTION_CREATE", "not_supported") == before + 1
    assert under_test.sent() == []


def test_events_teach_which_guild_owns_a_channel(under_test: HubUnderTest) -> None:
    under_test.message()
    under_test.event("CHANNEL_CREATE", id="6", guild_id="2", type=0)
    assert under_test.scope.guild_of_channel("5") == "1"
    assert under_test.scope.guild_of_channel("6") == "2"
    assert [frame.guild for frame in under_test.sent()] == ["1"]


@pytest.mark.parametrize("data", [b"[]", b"7", b'{"guild_id":5}', b'{"author":[]}', b'"text"'])
def test_an_event_that_is_not_what_discord_sends_is_dropped_alone(
    under_test: HubUnderTest, data: bytes
) -> None:
    before = dropped("MESSAGE_CREATE", "malformed")
    sequence = under_test.raw("MESSAGE_CREATE", data)
    assert dropped("MESSAGE_CREATE", "malformed") == before + 1
    assert under_test.low_water.mark == sequence
    under_test.message()
    assert len(under_test.sent()) == 1


@pytest.mark.parametrize("type_", ["READY", "GUILD_CREATE", "CHANNEL_CREATE", "MESSAGE_CREATE"])
def test_bytes_that_are_no_text_end_nothing(under_test: HubUnderTest, type_: str) -> None:
    odd = b'"\xff"'
    before = dropped(type_, "malformed")
    data = b'{"id":%b,"guild_id":%b,"channel_id":%b,"user":{"id":%b}}' % (odd, odd, odd, odd)
    sequence = under_test.raw(type_, data)
    assert dropped(type_, "malformed") == before + 1
    assert under_test.low_water.mark == sequence


def test_messages_beyond_a_guilds_share_are_dropped_and_others_are_not() -> None:
    under_test = HubUnderTest(guild_limit=3)
    before = dropped("MESSAGE_CREATE", "backlog")
    for _ in range(5):
        under_test.message()
    under_test.event("MESSAGE_DELETE", id="9", guild_id="1", channel_id="5")
    assert dropped("MESSAGE_CREATE", "backlog") == before + 2
    assert len(under_test.sent()) == 4


def test_a_full_buffer_takes_no_event_but_every_result() -> None:
    under_test = HubUnderTest(byte_limit=1000)
    before = dropped("MESSAGE_CREATE", "overflow")
    under_test.message(content="x" * 700)
    under_test.message(content="x" * 700)
    under_test.hub.result("pod-0", "1", 8, ok=False, value=b'{"code":"X"}')
    assert dropped("MESSAGE_CREATE", "overflow") == before + 1
    assert [type(frame) for frame in under_test.sent()] == [Event, Result]


def test_an_event_too_large_for_a_line_is_dropped_alone() -> None:
    under_test = HubUnderTest(byte_limit=64 << 20)
    before = dropped("MESSAGE_CREATE", "too_large")
    under_test.message(content="x" * (10 << 20))
    under_test.message(content="small")
    assert dropped("MESSAGE_CREATE", "too_large") == before + 1
    assert len(under_test.sent()) == 1


def test_a_session_may_be_forgotten_up_to_what_the_pods_have(under_test: HubUnderTest) -> None:
    under_test.message()
    under_test.message("2")
    last = under_test.message()
    under_test.sent("pod-0")
    under_test.sent("pod-1")
    assert under_test.low_water.mark == 0
    under_test.hub.pod("pod-0").buffer.acknowledge(2)
    assert under_test.low_water.mark == 1
    under_test.hub.pod("pod-1").buffer.acknowledge(1)
    assert under_test.low_water.mark == last


def test_a_restarted_pod_numbers_its_ops_anew(under_test: HubUnderTest) -> None:
    pod = under_test.hub.pod_process("pod-0", "first")
    pod.last_op = 40
    assert under_test.hub.pod_process("pod-0", "first").last_op == 40
    assert under_test.hub.pod_process("pod-0", "second").last_op == 0


def test_a_result_carries_what_discord_said(under_test: HubUnderTest) -> None:
    value = msgspec.json.encode({"id": "77", "content": "ä"})
    under_test.hub.result("pod-0", "1", 1 << 40, ok=True, value=value)
    (result,) = under_test.sent()
    assert isinstance(result, Result)
    assert (result.guild, result.op, result.ok, bytes(result.value)) == ("1", 1 << 40, True, value)
