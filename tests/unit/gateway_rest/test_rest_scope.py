"""Whose a channel or an interaction is."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_gateway.rest.calls import Refused, Verdict, Why
from flora_gateway.rest.lookup import NOBODY_KEPT, NOBODY_SECONDS, WAITING, Owner, OwnerLookup
from flora_gateway.rest.scope import ScopeMap
from flora_gateway.rest.transport import RequestTimedOut, Response


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scope(clock: Clock) -> ScopeMap:
    return ScopeMap(clock=clock)


def observe(scope: ScopeMap, event: str, **data: Any) -> None:
    scope.observe(event, json.dumps(data).encode())


def guild_create(scope: ScopeMap, guild: str = "1", channels: str = "a b", threads: str = "t") -> None:
    observe(
        scope,
        "GUILD_CREATE",
        id=guild,
        name="x",
        members=[],
        channels=[{"id": channel, "type": 0} for channel in channels.split()],
        threads=[{"id": thread, "type": 11} for thread in threads.split()],
    )


# Channels


def test_a_guild_brings_its_channels_and_threads(scope: ScopeMap) -> None:
    guild_create(scope)
    assert [scope.guild_of_channel(channel) for channel in ("a", "b", "t", "z")] == ["1", "1", "1", None]


@pytest.mark.parametrize("event", ["CHANNEL_CREATE", "CHANNEL_UPDATE", "THREAD_CREATE", "THREAD_UPDATE"])
@pytest.mark.parity(41)
def test_channels_and_threads_are_learned_as_they_come(scope: ScopeMap, event: str) -> None:
    observe(scope, event, id="c", guild_id="1", type=0)
    assert scope.guild_of_channel("c") == "1"


@pytest.mark.parametrize("event", ["CHANNEL_DELETE", "THREAD_DELETE"])
@pytest.mark.parity(41)
def test_channels_and_threads_are_forgotten_as_they_go(scope: ScopeMap, event: str) -> None:
    guild_create(scope)
    observe(scope, event, id="a", guild_id="1")
    assert scope.guild_of_channel("a") is None
    assert scope.guild_of_channel("b") == "1"


def test_threads_are_learned_when_a_channel_becomes_visible(scope: ScopeMap) -> None:
    observe(scope, "THREAD_LIST_SYNC", guild_id="1", threads=[{"id": "t1"}, {"id": "t2"}], members=[])
    assert scope.guild_of_channel("t2") == "1"


def test_any_event_with_channel_and_guild_teaches(scope: ScopeMap) -> None:
    observe(scope, "MESSAGE_CREATE", id="m", channel_id="c", guild_id="1", content="x")
    assert scope.guild_of_channel("c") == "1"


def test_what_a_message_quotes_does_not_teach(scope: ScopeMap) -> None:
    quoted = {"message_reference": {"channel_id": "theirs", "guild_id": "2"}}
    observe(scope, "MESSAGE_CREATE", id="m", channel_id="c", guild_id="1", **quoted)
    assert scope.guild_of_channel("theirs") is None


@pytest.mark.parametrize(
    "data", [{"channel_id": "c"}, {"guild_id": "1"}, {"channel_id": None, "guild_id": "1"}, {}]
)
def test_events_without_both_teach_nothing(scope: ScopeMap, data: dict[str, Any]) -> None:
    observe(scope, "VOICE_STATE_UPDATE", **data)
    assert len(scope) == 0


def test_an_event_that_is_a_list_teaches_nothing(scope: ScopeMap) -> None:
    scope.observe("PRESENCES_REPLACE", b"[]")
    assert len(scope) == 0


def test_a_direct_message_channel_is_nobodys(scope: ScopeMap) -> None:
    observe(scope, "CHANNEL_CREATE", id="dm", type=1)
    assert scope.guild_of_channel("dm") is None


def test_leaving_a_guild_forgets_its_channels(scope: ScopeMap) -> None:
    guild_create(scope)
    guild_create(scope, "2", "x", "")
    observe(scope, "GUILD_DELETE", id="1")
    assert [scope.guild_of_channel(channel) for channel in ("a", "t", "x")] == [None, None, "2"]
    assert len(scope) == 1


def test_only_leaving_a_guild_is_told(clock: Clock) -> None:
    gone: list[str] = []
    scope = ScopeMap(on_guild_gone=gone.append, clock=clock)
    observe(scope, "GUILD_DELETE", id="1", unavailable=True)
    assert gone == []
    observe(scope, "GUILD_DELETE", id="1")
    assert gone == ["1"]


def test_an_outage_of_discords_forgets_nothing(scope: ScopeMap) -> None:
    guild_create(scope)
    observe(scope, "GUILD_DELETE", id="1", unavailable=True)
    assert scope.guild_of_channel("a") == "1"


def test_a_guild_that_is_unavailable_at_the_start_has_no_channels_yet(scope: ScopeMap) -> None:
    observe(scope, "GUILD_CREATE", id="1", unavailable=True)
    assert len(scope) == 0


def test_an_event_that_is_not_what_discord_sends_is_an_error(scope: ScopeMap) -> None:
    with pytest.raises(msgspec.DecodeError):
        observe(scope, "CHANNEL_CREATE", id=5)


@pytest.mark.parity(41)
def test_memory_is_bounded_and_the_oldest_go_first(clock: Clock) -> None:
    scope = ScopeMap(channels=160, clock=clock)
    for n in range(1000):
        scope.learn_channel(str(n), str(n % 7))
    assert 140 <= len(scope) <= 160
    assert scope.guild_of_channel("999") == str(999 % 7)
    assert scope.guild_of_channel("0") is None
    assert sum(map(len, scope._channels.values())) == len(scope)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["learn", "forget", "leave"]),
            st.integers(0, 9).map(str),
            st.integers(0, 3).map(str),
        )
    )
)
def test_both_sides_of_the_map_always_agree(steps: list[tuple[str, str, str]]) -> None:
    scope, truth = ScopeMap(), dict[str, str]()
    for what, channel, guild in steps:
        if what == "learn":
            scope.learn_channel(channel, guild)
            truth[channel] = guild
        elif what == "forget":
            observe(scope, "CHANNEL_DELETE", id=channel, guild_id=guild)
            truth.pop(channel, None)
        else:
            observe(scope, "GUILD_DELETE", id=guild)
            truth = {c: g for c, g in truth.items() if g != guild}
    assert scope._guilds == truth
    assert {(c, g) for g, cs in scope._channels.items() for c in cs} == set(truth.items())


# Webhooks


def test_webhooks_are_remembered_as_they_were_learned(scope: ScopeMap) -> None:
    scope.learn_webhook("w", "1")
    assert (scope.guild_of_webhook("w"), scope.guild_of_webhook("v")) == ("1", None)


def test_memory_for_webhooks_is_bounded(scope: ScopeMap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flora_gateway.rest.scope.WEBHOOKS", 3)
    for n in range(5):
        scope.learn_webhook(str(n), "1")
    assert [scope.guild_of_webhook(str(n)) for n in range(5)] == [None, None, "1", "1", "1"]


# Interactions


def interaction(scope: ScopeMap, token: str = "tok", guild: str = "1", number: str = "40") -> None:
    observe(scope, "INTERACTION_CREATE", id=number, token=token, guild_id=guild, channel_id="c", type=2)


@pytest.mark.parity(35)
def test_an_interaction_is_its_guilds_for_fifteen_minutes(scope: ScopeMap, clock: Clock) -> None:
    interaction(scope)
    assert scope.guild_of_channel("c") == "1"
    clock.now += 2.0
    assert scope.interaction_age("1", "tok") == 2.0
    assert scope.interaction_age("1", "tok", interaction="40") == 2.0
    clock.now += 15 * 60
    assert scope.interaction_age("1", "tok") is None


def test_another_guild_cannot_use_it(scope: ScopeMap) -> None:
    interaction(scope)
    assert scope.interaction_age("2", "tok") is None


def test_a_token_goes_with_its_own_interaction_only(scope: ScopeMap) -> None:
    interaction(scope)
    assert scope.interaction_age("1", "tok", interaction="41") is None


def test_a_token_that_was_never_sent_is_nobodys(scope: ScopeMap) -> None:
    assert scope.interaction_age("1", "made-up") is None


def test_interactions_are_forgotten_when_they_are_over(scope: ScopeMap, clock: Clock) -> None:
    for n in range(100):
        interaction(scope, f"tok{n}")
        clock.now += 60
    assert len(scope._interactions) <= 16


def test_memory_for_interactions_is_bounded(clock: Clock) -> None:
    scope = ScopeMap(interactions=10, clock=clock)
    for n in range(50):
        interaction(scope, f"tok{n}")
    assert len(scope._interactions) == 10
    assert scope.interaction_age("1", "tok49") == 0.0


def test_after_a_resume_unknown_interactions_are_let_through_for_a_while(clock: Clock) -> None:
    scope = ScopeMap(lenient_seconds=900, clock=clock)
    assert scope.interaction_age("1", "from-before") == 0.0
    interaction(scope, guild="2")
    assert scope.interaction_age("1", "tok") is None
    clock.now += 900
    assert scope.interaction_age("1", "from-before") is None


# Asking Discord


@dataclass
class Desk:
    """A lookup whose questions a test answers."""

    scope: ScopeMap
    clock: Clock
    per_minute: int = 3
    asked: list[tuple[str, str]] = field(default_factory=list)
    owners: list[Owner] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._answers: list[Any] = []
        self.lookup = OwnerLookup(
            self._ask, self.scope.learn_channel, per_minute=self.per_minute, clock=self.clock
        )

    def _ask(self, guild: str, channel: str, on_verdict: Any) -> None:
        self.asked.append((guild, channel))
        self._answers.append(on_verdict)

    def owner(self, guild: str, channel: str) -> None:
        self.lookup.owner(guild, channel, self.owners.append)

    def answer(self, verdict: Verdict) -> None:
        self._answers.pop(0)(verdict)


@pytest.fixture
def desk(scope: ScopeMap, clock: Clock) -> Desk:
    return Desk(scope, clock)


def channel(guild: str | None) -> Response:
    return Response(200, {}, json.dumps({"id": "c", "guild_id": guild} if guild else {"id": "c"}).encode())


GONE = Response(404, {}, b'{"message":"Unknown Channel"}')


@pytest.mark.parity(41)
def test_the_owner_is_asked_for_once_and_remembered(desk: Desk) -> None:
    desk.owner("1", "c")
    desk.owner("2", "c")
    assert desk.asked == [("1", "c")]
    desk.answer(channel("1"))
    assert desk.owners == ["1", "1"]
    assert desk.scope.guild_of_channel("c") == "1"


@pytest.mark.parametrize("verdict", [GONE, Response(403, {}, b"{}"), channel(None)])
@pytest.mark.parity(41)
def test_what_is_no_guilds_is_remembered_for_a_minute(desk: Desk, clock: Clock, verdict: Response) -> None:
    desk.owner("1", "c")
    desk.answer(verdict)
    desk.owner("2", "c")
    assert desk.owners == [None, None]
    assert len(desk.asked) == 1
    clock.now += NOBODY_SECONDS
    desk.owner("2", "c")
    assert len(desk.asked) == 2


@pytest.mark.parametrize(
    "verdict",
    [RequestTimedOut("x"), Refused(Why.QUEUE_FULL), Response(500, {}, b""), Response(200, {}, b"<html>")],
)
def test_a_question_without_an_answer_says_so_and_is_not_remembered(desk: Desk, verdict: Verdict) -> None:
    desk.owner("1", "c")
    desk.answer(verdict)
    assert desk.owners == [verdict]
    desk.owner("1", "c")
    assert len(desk.asked) == 2


def test_a_guild_may_cause_only_so_many_questions_a_minute(desk: Desk, clock: Clock) -> None:
    for n in range(5):
        desk.owner("1", f"made-up-{n}")
    assert len(desk.asked) == 3
    assert desk.owners == [None, None]
    desk.owner("2", "made-up-9")
    assert len(desk.asked) == 4
    clock.now += 60
    desk.owner("1", "made-up-8")
    assert len(desk.asked) == 5


def test_ops_that_wait_for_an_answer_are_bounded(desk: Desk) -> None:
    for _ in range(WAITING + 5):
        desk.owner("1", "c")
    assert desk.owners == [Refused(Why.QUEUE_FULL)] * 5
    desk.owner("2", "c")
    desk.answer(channel("1"))
    assert desk.owners[5:] == ["1"] * (WAITING + 1)
    assert not desk.lookup._waiters


def test_what_is_remembered_of_nobodys_channels_is_bounded(scope: ScopeMap, clock: Clock) -> None:
    desk = Desk(scope, clock, per_minute=100_000)
    for n in range(NOBODY_KEPT + 50):
        desk.owner("1", str(n))
        desk.answer(GONE)
    assert len(desk.lookup._nobodys) == NOBODY_KEPT


def test_guilds_that_ask_no_more_take_no_memory(desk: Desk, clock: Clock) -> None:
    for n in range(50):
        desk.owner(str(n), f"c{n}")
    clock.now += 61
    desk.owner("99", "c99")
    assert set(desk.lookup._asked) == {"99"}
