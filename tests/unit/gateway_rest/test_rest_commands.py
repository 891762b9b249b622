"""Slash commands are written only when they differ from what the guild has."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.errors import InvalidInput
from flora_gateway.rest.calls import Refused, Verdict, Why
from flora_gateway.rest.command_sync import WAITING, CommandSync, commands_differ
from flora_gateway.rest.transport import RequestTimedOut, Response

PING = {
    "name": "ping",
    "description": "Says pong",
    "options": [
        {"type": 3, "name": "text", "description": "What to say", "required": True},
        {"type": 4, "name": "times", "description": "How often", "min_value": 0},
    ],
}
CHOICE = {"name": "a", "value": "a"}
SERVER = {
    "id": "900",
    "application_id": "42",
    "guild_id": "1",
    "version": "901",
    "type": 1,
    "default_member_permissions": None,
    "dm_permission": True,
    "contexts": None,
    "integration_types": [0],
    "nsfw": False,
    "name_localizations": None,
    "description_localizations": None,
}


def as_stored(command: dict[str, Any]) -> dict[str, Any]:
    """``command`` as Discord gives it back."""
    stored = copy.deepcopy(SERVER | command)
    for option in stored.get("options", []):
        option.setdefault("required", False)
        option.setdefault("name_localizations", None)
    return stored


def changed(**fields: Any) -> dict[str, Any]:
    return copy.deepcopy(PING) | fields


# Comparing


def test_what_discord_fills_in_is_no_difference() -> None:
    assert not commands_differ([PING], [as_stored(PING)])


def test_the_order_of_commands_is_no_difference() -> None:
    pong = changed(name="pong")
    assert not commands_differ([PING, pong], [as_stored(pong), as_stored(PING)])


@pytest.mark.parametrize(
    "wanted",
    [
        changed(description="Says something else"),
        changed(name="pong"),
        changed(type=2),
        changed(nsfw=True),
        changed(default_member_permissions="8"),
        changed(name_localizations={"de": "pingpong"}),
        changed(options=[]),
        changed(options=PING["options"][::-1]),
        changed(options=[PING["options"][0]]),
        changed(options=[PING["options"][0] | {"required": False}, PING["options"][1]]),
        changed(options=[PING["options"][0], PING["options"][1] | {"min_value": 1}]),
        changed(
            options=[PING["options"][0] | {"choices": [{"name": "a", "value": "a"}]}, PING["options"][1]]
        ),
    ],
    ids=range(12),
)
def test_what_people_would_see_is_a_difference(wanted: dict[str, Any]) -> None:
    assert commands_differ([wanted], [as_stored(PING)])
    assert commands_differ([PING], [as_stored(wanted)])


def test_a_bound_of_zero_is_not_the_lack_of_one() -> None:
    without = changed(options=[PING["options"][0], {"type": 4, "name": "times", "description": "How often"}])
    assert commands_differ([without], [as_stored(PING)])


def test_the_order_of_choices_is_a_difference() -> None:
    choices = [{"name": "a", "value": "a"}, {"name": "b", "value": "b"}]
    one, other = (changed(options=[PING["options"][0] | {"choices": c}]) for c in (choices, choices[::-1]))
    assert commands_differ([one], [as_stored(other)])


def test_permissions_may_be_a_number_or_its_text() -> None:
    assert not commands_differ(
        [changed(default_member_permissions=8)], [as_stored(changed(default_member_permissions="8"))]
    )
    assert commands_differ([changed(default_member_permissions="0")], [as_stored(PING)])


def test_one_command_more_or_less_is_a_difference() -> None:
    assert commands_differ([], [as_stored(PING)])
    assert commands_differ([PING], [])
    assert not commands_differ([], [])


def test_two_commands_of_one_name_are_left_to_discord_to_refuse() -> None:
    assert commands_differ([PING, PING], [as_stored(PING)])


def test_channel_types_are_a_set() -> None:
    one, other = (
        changed(options=[{"type": 7, "name": "c", "description": "d", "channel_types": types}])
        for types in ([0, 5], [5, 0])
    )
    assert not commands_differ([one], [as_stored(other)])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
names = st.sampled_from(["name", "type", "options", "contexts", "channel_types", "nsfw", "x"])


@given(st.lists(st.dictionaries(names, json_values, max_size=5), max_size=3, unique_by=repr))
def test_whatever_a_script_registers_is_the_same_as_itself_stored(commands: list[dict[str, Any]]) -> None:
    stored = [{"type": 1} | command | {"id": "1", "version": "2"} for command in commands]
    assert not commands_differ(commands, stored)


# Synchronising


@dataclass
class Guilds:
    """Calls that a test answers, in the order in which they were made."""

    calls: list[tuple[str, str, bytes]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    kept_bytes: int = 1 << 20

    def __post_init__(self) -> None:
        self._answers: list[Any] = []
        self.sync = CommandSync(self._get, self._put, kept_bytes=self.kept_bytes)

    def _get(self, guild: str, _give_up_at: float, on_verdict: Any) -> None:
        self.calls.append(("GET", guild, b""))
        self._answers.append(on_verdict)

    def _put(self, guild: str, body: bytes, _give_up_at: float, on_verdict: Any) -> None:
        self.calls.append(("PUT", guild, body))
        self._answers.append(on_verdict)

    def upsert(self, commands: Any, guild: str = "1") -> None:
        self.sync.upsert(guild, json.dumps(commands).encode(), 1e9, self.verdicts.append)

    def answer(self, verdict: Verdict | list[Any]) -> None:
        if isinstance(verdict, list):
            verdict = Response(200, {}, json.dumps(verdict).encode())
        self._answers.pop(0)(verdict)

    @property
    def methods(self) -> list[str]:
        return [method for method, _, _ in self.calls]


@pytest.fixture
def guilds() -> Guilds:
    return Guilds()


def test_commands_that_the_guild_has_already_are_not_put(guilds: Guilds) -> None:
    guilds.upsert([PING])
    guilds.answer([as_stored(PING)])
    assert guilds.methods == ["GET"]
    (verdict,) = guilds.verdicts
    assert isinstance(verdict, Response)
    assert json.loads(verdict.body) == [as_stored(PING)]


def test_commands_that_differ_are_put_as_they_were_given(guilds: Guilds) -> None:
    guilds.upsert([PING])
    guilds.answer([])
    assert guilds.calls[1:] == [("PUT", "1", json.dumps([PING]).encode())]
    guilds.answer([as_stored(PING)])
    (verdict,) = guilds.verdicts
    assert isinstance(verdict, Response)
    assert json.loads(verdict.body) == [as_stored(PING)]


@pytest.mark.parity(42)
def test_the_same_again_asks_discord_for_nothing(guilds: Guilds) -> None:
    guilds.upsert([PING])
    guilds.answer([])
    guilds.answer([as_stored(PING) | {"discord": "has ideas of its own"}])
    guilds.upsert([PING])
    assert guilds.methods == ["GET", "PUT"]
    assert guilds.verdicts[0] == guilds.verdicts[1]


def test_a_change_is_put_without_fetching_again(guilds: Guilds) -> None:
    guilds.upsert([PING])
    guilds.answer([as_stored(PING)])
    guilds.upsert([])
    assert guilds.methods == ["GET", "PUT"]


def test_after_a_put_that_failed_what_the_guild_has_is_fetched_anew(guilds: Guilds) -> None:
    guilds.upsert([PING])
    guilds.answer([])
    guilds.answer(RequestTimedOut("x"))
    assert isinstance(guilds.verdicts[0], RequestTimedOut)
    guilds.upsert([PING])
    assert guilds.methods == ["GET", "PUT", "GET"]


@pytest.mark.parametrize("verdict", [Response(403, {}, b"{}"), Response(200, {}, b"<html>")])
def test_a_fetch_that_failed_is_the_answer(guilds: Guilds, verdict: Response) -> None:
    guilds.upsert([PING])
    guilds.answer(verdict)
    assert guilds.verdicts == [verdict]
    guilds.upsert([PING])
    assert guilds.methods == ["GET", "GET"]


def test_one_guilds_registrations_follow_each_other(guilds: Guilds) -> None:
    guilds.upsert([PING])
    guilds.upsert([])
    guilds.upsert([PING], guild="2")
    assert [(method, guild) for method, guild, _ in guilds.calls] == [("GET", "1"), ("GET", "2")]
    guilds.answer([])
    guilds.answer([as_stored(PING)])
    guilds.answer([as_stored(PING)])
    assert guilds.calls[-1] == ("PUT", "1", b"[]")
    assert len(guilds.verdicts) == 2


def test_registrations_that_wait_are_bounded(guilds: Guilds) -> None:
    for _ in range(WAITING + 3):
        guilds.upsert([PING])
    assert guilds.verdicts == [Refused(Why.QUEUE_FULL)] * 2


def test_a_guild_that_was_left_is_fetched_again(guilds: Guilds) -> None:
    guilds.upsert([PING])
    guilds.answer([as_stored(PING)])
    guilds.sync.forget("1")
    guilds.upsert([PING])
    assert guilds.methods == ["GET", "GET"]


def test_memory_is_bounded_and_the_least_recently_used_go_first() -> None:
    guilds = Guilds(kept_bytes=4000)
    for n in range(20):
        guilds.upsert([PING], guild=str(n))
        guilds.answer([as_stored(PING)])
        if n:
            guilds.upsert([PING], guild="0" if "0" in guilds.sync._known else str(n))
    assert guilds.sync._bytes <= 4000
    assert guilds.sync._bytes == sum(known.size for known in guilds.sync._known.values())
    assert "0" in guilds.sync._known
    assert "1" not in guilds.sync._known


@pytest.mark.parametrize("commands", [[5], ["x"], [[]], [None]])
def test_what_is_no_list_of_commands_is_refused(guilds: Guilds, commands: Any) -> None:
    with pytest.raises(InvalidInput, match="body: should be a list of commands"):
        guilds.upsert(commands)
    assert guilds.calls == []


@pytest.mark.parametrize("depth", [30, 400, 100_000])
def test_commands_nested_without_end_are_refused(guilds: Guilds, depth: int) -> None:
    body = b'[{"options":' + b"[" * depth + b"]" * depth + b"}]"
    with pytest.raises(InvalidInput, match="body: "):
        guilds.sync.upsert("1", body, 1e9, guilds.verdicts.append)
    assert guilds.calls == []
