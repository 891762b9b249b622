"""Reading slash commands as they are typed: no world, no sockets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_simulator.errors import ActRefused
from flora_simulator.slash_text import Invocation, read, usages


def command(name: str, *options: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "type": 1, "options": list(options)}


def option(name: str, kind: int = 3, *options: dict[str, Any], required: bool = False) -> dict[str, Any]:
    return {"name": name, "type": kind, "required": required, "options": list(options)}


PING = command("ping")
ECHO = command("echo", option("text", required=True), option("times", 4))
ADMIN = command(
    "admin",
    option("ban", 1, option("who", 6, required=True)),
    option("role", 2, option("add", 1, option("name")), option("remove", 1)),
)
COMMANDS = [PING, ECHO, ADMIN]


def values(text: str) -> dict[str, str]:
    return read(text, COMMANDS).values


def test_a_command_without_options() -> None:
    assert read("/ping", COMMANDS) == Invocation(PING, [], PING, {})


def test_options_may_come_in_any_order() -> None:
    assert values("/echo times:2 text:hi") == {"times": "2", "text": "hi"}


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ('text:"two words"', "two words"),
        ("text:two words", "two words"),
        ("text:two  words", "two words"),
        ('text:"two  words"', "two  words"),
        ("text:see http://example.org now", "see http://example.org now"),
        ("text:a:b c:d", "a:b c:d"),
        ('text:"say \\"hi\\""', 'say "hi"'),
        ('text:"times:3"', "times:3"),
        ("text:", ""),
        ('text:""', ""),
        ('text:pre"mid dle"post', "premid dlepost"),
        ('text:"open', '"open'),
        ("text:émoji 👍", "émoji 👍"),
        ("text:it's", "it's"),
    ],
)
def test_what_is_typed_for_an_option(typed: str, text: str) -> None:
    assert values(f"/echo {typed}") == {"text": text}


def test_an_option_begins_only_where_its_name_is_declared() -> None:
    assert values("/echo text:a other:b times:3") == {"text": "a other:b", "times": "3"}


def test_subcommands_are_walked_down() -> None:
    found = read("/admin role add name:mods", COMMANDS)
    assert found.path == ["role", "add"]
    assert found.leaf["name"] == "add"
    assert found.name == "/admin role add"
    assert found.values == {"name": "mods"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ping", "'ping' is no slash command; it starts with /"),
        ("", "'' is no slash command"),
        ("/", "there is no command /; there are: /ping, /echo text:<string>"),
        ("/pong", "there is no command /pong"),
        ("/admin", "/admin needs a subcommand: ban, role"),
        ("/admin kick", "/admin has no subcommand kick; it has: ban, role"),
        ("/admin role", "/admin role needs a subcommand: add, remove"),
        ("/ping now", "/ping does not understand 'now'; usage: /ping"),
        ("/echo count:3", r"/echo has no option count; usage: /echo text:<string> \[times:<integer>\]"),
        ("/echo text:a text:b", "/echo: option text is given twice"),
    ],
)
def test_mistakes_say_what_would_have_been_right(text: str, complaint: str) -> None:
    with pytest.raises(ActRefused, match=complaint):
        read(text, COMMANDS)


def test_with_nothing_registered_the_error_says_that() -> None:
    with pytest.raises(ActRefused, match="there are: none are registered"):
        read("/ping", [])


def test_the_first_command_of_a_name_counts() -> None:
    other = command("ping", option("new"))
    assert read("/ping new:x", [other, PING]).command is other


def test_usages_list_every_subcommand() -> None:
    assert usages(COMMANDS) == [
        "/ping",
        "/echo text:<string> [times:<integer>]",
        "/admin ban who:<user>",
        "/admin role add [name:<string>]",
        "/admin role remove",
    ]


@given(st.text())
def test_whatever_is_typed_is_either_read_or_refused(text: str) -> None:
    try:
        found = read(f"/echo {text}", COMMANDS)
    except ActRefused:
        return
    assert set(found.values) <= {"text", "times"}


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_any_word_can_be_quoted(word: str) -> None:
    quoted = word.replace("\\", "\\\\").replace('"', '\\"')
    assert values(f'/echo text:"{quoted}"') == {"text": word}
