"""The table of events: what the gateway asks for, names, drops, and what must not be in it."""

from __future__ import annotations

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.events import (
    DROPPABLE,
    EVENTS,
    INTENTS,
    INTERACTION,
    PRIVILEGED,
    TABLE,
    EventKind,
    InteractionType,
    name_of,
)
from flora_gateway.shards.launch import _intents
from flora_simulator.simcord_port import simcord_intents


def test_no_two_events_have_a_name_in_common() -> None:
    names = [kind.name for kind in TABLE]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.name)
def test_every_event_of_the_table_has_its_name(kind: EventKind) -> None:
    assert name_of(kind.type, interaction=kind.interaction or 0) == kind.name
    assert kind in EVENTS[kind.type]


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.name)
def test_every_event_says_when_it_comes_in_a_line(kind: EventKind) -> None:
    assert kind.payload.startswith("Event")
    assert kind.when
    assert "|" not in kind.when
    assert "\n" not in kind.when


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.name)
def test_every_event_names_the_intent_it_needs(kind: EventKind) -> None:
    required = simcord_intents.required_intent(kind.type, {"guild_id": "1"})
    flags = discord.Intents.VALID_FLAGS
    assert flags.get(kind.intent) == (flags[required] if required else None)


def test_an_interaction_is_named_by_its_type_and_a_ping_not_at_all() -> None:
    named = {kind: name_of(INTERACTION, interaction=kind) for kind in range(10)}
    assert {name for name in named.values() if name} == {kind.name for kind in EVENTS[INTERACTION]}
    assert named[InteractionType.PING] is None
    assert named[InteractionType.AUTOCOMPLETE] == "autocomplete"


@given(st.text())
def test_what_is_not_in_the_table_has_no_name(type_: str) -> None:
    assert (name_of(type_) is None) == (type_ not in EVENTS or type_ == INTERACTION)


def test_only_messages_and_states_may_be_dropped_and_never_what_somebody_waits_for() -> None:
    states = {"GUILD_MEMBER_UPDATE", "VOICE_STATE_UPDATE"}
    assert {"MESSAGE_CREATE", "MESSAGE_UPDATE"} | states == DROPPABLE


@pytest.mark.parametrize("type_", ["PRESENCE_UPDATE", "TYPING_START", "GUILD_CREATE", "ENTITLEMENT_CREATE"])
def test_floods_and_what_concerns_no_script_stay_outside(type_: str) -> None:
    assert type_ not in EVENTS


def test_the_gateway_asks_for_what_the_table_needs_and_no_more() -> None:
    asked = _intents(privileged=True)
    for kind in TABLE:
        assert not kind.intent or getattr(asked, kind.intent), kind.name
    assert asked.guilds
    assert asked.message_content
    unwanted = {"presences", "guild_typing", "dm_messages", "integrations"}
    assert not any(getattr(asked, name) for name in unwanted)


def test_without_the_privileged_intents_only_those_are_missing() -> None:
    asked, allowed = _intents(privileged=True), _intents(privileged=False)
    missing = {name for name in INTENTS if getattr(asked, name) and not getattr(allowed, name)}
    assert missing == INTENTS & PRIVILEGED == {"members", "message_content"}
