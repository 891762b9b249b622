"""What users are told when the isolate that should have answered is gone."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from flora_core.events import INTERACTION
from flora_core.wire.control import Assignment, Outcome
from flora_core.wire.pipe import Call, Done, LoadedIn, Recycled, Turn
from flora_runtime.supervisor.guild import Guild, Script
from flora_runtime.supervisor.unanswered import APOLOGY, OPEN_LIMIT, ApologyCall, Unanswered
from tests.unit.runtime.test_guild import RecordingPort

EPHEMERAL = 64
SDK = Path(__file__).parents[3] / "sdk" / "src"
ANSWERED = [
    *("sendInteractionResponse", "updateInteractionResponse", "openModal", "createFollowupMessage"),
    *("editOriginalInteractionResponse", "deleteOriginalInteractionResponse"),
]


def event(number: int = 1, kind: int = 2) -> bytes:
    data = {"id": f"{number}0", "token": f"token{number}", "type": kind, "guild_id": "5"}
    return msgspec.json.encode({"t": INTERACTION, "d": data})


def args(number: int = 1, **body: Any) -> Raw:
    return Raw(msgspec.json.encode({"path": {"interaction": "10", "token": f"token{number}"}, "body": body}))


def told(call: ApologyCall | None) -> tuple[str, Any, Any]:
    assert call is not None
    decoded = msgspec.json.decode(call.args)
    return call.name, decoded["path"], decoded["body"]


@pytest.fixture
def unanswered() -> Unanswered:
    return Unanswered()


def test_what_was_not_answered_is_answered_for_its_user_alone(unanswered: Unanswered) -> None:
    unanswered.started(1, event())
    assert told(unanswered.give_up(1)) == (
        "sendInteractionResponse",
        {"token": "token1", "interaction": "10"},
        {"type": 4, "data": {"content": APOLOGY, "flags": EPHEMERAL}},
    )
    assert len(unanswered) == 0


def test_a_deferred_message_is_filled(unanswered: Unanswered) -> None:
    unanswered.started(1, event())
    unanswered.called("deferInteractionResponse", args(type=5))
    assert told(unanswered.give_up(1)) == (
        "editOriginalInteractionResponse",
        {"token": "token1"},
        {"content": APOLOGY},
    )


def test_after_a_deferred_update_there_is_a_message_of_its_own(unanswered: Unanswered) -> None:
    unanswered.started(1, event(kind=3))
    unanswered.called("deferInteractionResponse", args(type=6))
    assert told(unanswered.give_up(1)) == (
        "createFollowupMessage",
        {"token": "token1"},
        {"content": APOLOGY, "flags": EPHEMERAL},
    )


@pytest.mark.parametrize("name", ANSWERED)
@pytest.mark.parametrize("deferred", [False, True])
def test_who_was_answered_is_told_nothing(unanswered: Unanswered, name: str, deferred: bool) -> None:
    unanswered.started(1, event())
    if deferred:
        unanswered.called("deferInteractionResponse", args(type=5))
    unanswered.called(name, args())
    assert len(unanswered) == 0
    assert unanswered.give_up(1) is None


@pytest.mark.parametrize("name", ["sendMessage", "addReaction", "getOriginalInteractionResponse"])
def test_other_calls_answer_nothing(unanswered: Unanswered, name: str) -> None:
    unanswered.started(1, event())
    unanswered.called(name, args())
    assert unanswered.give_up(1) is not None


def test_an_answer_to_one_leaves_the_others_open(unanswered: Unanswered) -> None:
    unanswered.started(1, event(1))
    unanswered.started(2, event(2))
    unanswered.called("sendInteractionResponse", args(1))
    assert unanswered.give_up(1) is None
    assert told(unanswered.give_up(2))[1]["token"] == "token2"


def test_what_settled_is_forgotten(unanswered: Unanswered) -> None:
    unanswered.started(1, event())
    unanswered.settled(1)
    unanswered.settled(1)
    assert unanswered.give_up(1) is None
    unanswered.called("sendInteractionResponse", args())


def test_suggestions_cannot_say_sorry(unanswered: Unanswered) -> None:
    unanswered.started(1, event(kind=4))
    assert unanswered.give_up(1) is None


@pytest.mark.parametrize(("text", "said"), [("Oops", "Oops"), ("x" * 5000, "x" * 2000)])
def test_the_text_is_the_scripts(unanswered: Unanswered, text: str, said: str) -> None:
    unanswered.text = text
    unanswered.started(1, event())
    assert told(unanswered.give_up(1))[2]["data"]["content"] == said


def test_a_script_that_wants_no_apology_makes_none(unanswered: Unanswered) -> None:
    unanswered.text = ""
    unanswered.started(1, event())
    assert unanswered.give_up(1) is None


def test_a_flood_of_open_interactions_is_not_remembered_for_ever(unanswered: Unanswered) -> None:
    for number in range(OPEN_LIMIT + 10):
        unanswered.started(number, event(number))
    assert len(unanswered) == OPEN_LIMIT


@given(st.binary(max_size=60), st.sampled_from([*ANSWERED, "deferInteractionResponse"]))
def test_nothing_a_script_sends_breaks_it(data: bytes, name: str) -> None:
    unanswered = Unanswered()
    unanswered.started(1, data)
    unanswered.started(2, event())
    with contextlib.suppress(UnicodeDecodeError):
        unanswered.called(name, Raw(data))
    unanswered.give_up(1)
    assert unanswered.give_up(2) is not None


def test_the_sdk_says_the_same_words() -> None:
    assert f'let apology = "{APOLOGY}";' in (SDK / "bot" / "unanswered.ts").read_text()


# ---------------------------------------------------------------- in a guild


@pytest.fixture
def port() -> RecordingPort:
    return RecordingPort()


@pytest.fixture
def live(port: RecordingPort) -> Guild:
    guild = Guild(Assignment("123", 1, "ab" * 32), port, worker=0, slot=3, backlog=10)
    guild.assign(guild.assignment)
    guild.deploying(Script("code", "map"))
    load(guild)
    return guild


def load(guild: Guild, apology: str | None = None) -> None:
    names = ["interactionCreate"]
    guild.on_loaded(LoadedIn(1, 4.0, names, own_messages=False, commands=Raw(b"null"), apology=apology))


def begin(guild: Guild, number: int = 1) -> None:
    """An interaction arrives and its handlers start."""
    guild.add_event(INTERACTION, number, event(number))
    guild.on_turn(Turn(started=number))


def test_a_thrown_away_isolate_is_apologised_for(live: Guild, port: RecordingPort) -> None:
    begin(live)
    live.on_recycled(Recycled(outcome=Outcome.EXCEEDED_MEMORY, lost=[1]))
    ((name, _),) = port.apologies
    assert name == "sendInteractionResponse"


def test_a_turn_that_never_ended_is_apologised_for(live: Guild, port: RecordingPort) -> None:
    live.add_event(INTERACTION, 1, event())
    live.on_worker_gone(1)
    assert len(port.apologies) == 1


def test_what_was_not_started_comes_again_and_needs_no_apology(live: Guild, port: RecordingPort) -> None:
    live.add_event(INTERACTION, 1, event())
    live.on_worker_gone(0)
    assert port.apologies == []


def test_what_was_answered_needs_none(live: Guild, port: RecordingPort) -> None:
    begin(live)
    live.on_turn(Turn(ops=[Call(7, "sendInteractionResponse", args())]))
    live.on_worker_gone(1)
    assert port.apologies == []
    assert port.calls == [(7, "sendInteractionResponse")]


@pytest.mark.parametrize(
    ("outcome", "apologies"),
    [
        (Outcome.OK, 0),
        (Outcome.EXCEPTION, 0),
        (Outcome.CANCELED, 0),
        (Outcome.EXCEEDED_CPU, 1),
        (Outcome.EXCEEDED_MEMORY, 1),
        (Outcome.KILLED, 1),
    ],
)
def test_only_who_was_cut_off_is_spoken_for(
    live: Guild, port: RecordingPort, outcome: Outcome, apologies: int
) -> None:
    begin(live)
    live.on_turn(Turn(done=[Done(1, outcome, 5.0)]))
    assert len(port.apologies) == apologies
    live.on_worker_gone(1)
    assert len(port.apologies) == apologies


def test_messages_need_no_apology(live: Guild, port: RecordingPort) -> None:
    live.add_event("MESSAGE_CREATE", 1, b'{"t":"MESSAGE_CREATE","d":{"id":"1","token":"x","type":2}}')
    live.on_turn(Turn(started=1))
    live.on_worker_gone(1)
    assert port.apologies == []


def test_what_a_script_declared_is_what_is_said(live: Guild, port: RecordingPort) -> None:
    load(live, apology="Oh dear")
    begin(live)
    live.on_worker_gone(1)
    assert b"Oh dear" in bytes(port.apologies[0][1])
    load(live, apology="")
    begin(live, 2)
    live.on_worker_gone(2)
    assert len(port.apologies) == 1
