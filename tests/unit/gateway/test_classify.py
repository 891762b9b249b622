"""What an event is and whom it concerns, from raw JSON."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from flora_core.errors import MalformedFrame
from flora_core.events import EVENTS
from flora_gateway.fanout.classify import classify


def raw(**fields: object) -> Raw:
    return Raw(msgspec.json.encode(fields))


def test_a_message_has_a_guild_a_channel_and_an_author() -> None:
    found = classify(
        "MESSAGE_CREATE", raw(id="1", guild_id="2", channel_id="3", author={"id": "4", "bot": True})
    )
    assert (found.name, found.guild, found.channel, found.author) == ("messageCreate", "2", "3", "4")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (2, "interactionCreate"),
        (3, "componentInteraction"),
        (5, "modalSubmit"),
        (4, "autocomplete"),
        (1, None),
        (99, None),
    ],
)
def test_interactions_are_several_events_of_ours(kind: int, name: str | None) -> None:
    assert classify("INTERACTION_CREATE", raw(type=kind, guild_id="1")).name == name


def test_the_guild_of_a_guild_update_is_its_id() -> None:
    found = classify("GUILD_UPDATE", raw(id="2", name="x", guild_id="3"))
    assert (found.name, found.guild) == ("guildUpdate", "2")
    with pytest.raises(MalformedFrame, match="GUILD_UPDATE"):
        classify("GUILD_UPDATE", raw(guild_id="3"))


def test_an_event_without_a_guild_says_so() -> None:
    assert classify("MESSAGE_CREATE", raw(id="1", channel_id="3", author={"id": "4"})).guild == ""
    assert classify("MESSAGE_DELETE", raw(guild_id=None)).guild == ""


def test_pretty_printed_json_becomes_one_line() -> None:
    data = Raw(b'{\n  "guild_id": "1",\n  "channel_id": "2"\n}')
    assert classify("MESSAGE_DELETE", data).data == b'{"guild_id":"1","channel_id":"2"}'


@pytest.mark.parametrize("data", [b"[]", b"7", b'"x"', b'{"guild_id":7}', b'{"guild_id":"1"', b"\xff"])
def test_what_is_no_event_is_a_typed_error(data: bytes) -> None:
    with pytest.raises(MalformedFrame, match="MESSAGE_DELETE"):
        classify("MESSAGE_DELETE", Raw(data))


@given(st.binary(max_size=100))
def test_any_bytes_are_classified_or_refused(data: bytes) -> None:
    for type_ in EVENTS:
        with contextlib.suppress(MalformedFrame):
            classify(type_, Raw(data))
