"""What is asked of ``flora dev`` besides talking: how a line is read, and which guild is meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.errors import InvalidInput
from flora_core.ids import GuildId
from flora_dev.asks import LINES_SHOWN, Ask, RunJob, ShowKv, ShowLogs, parse_ask, parse_kv, the_guild
from flora_dev.command import ordered_says
from flora_dev.controller import GuildStatus
from flora_dev.talk import Said

LINES: dict[str, Ask | None] = {
    ":cron tick": RunJob("tick"),
    ":cron  two words ": RunJob("two words"),
    ":kv": ShowKv(),
    ":kv marks": ShowKv("marks"),
    ":kv marks user/": ShowKv("marks", "user/"),
    ":kv marks  a b ": ShowKv("marks", "a b"),
    ":logs": ShowLogs(LINES_SHOWN),
    ":logs 5": ShowLogs(5),
    "!ping": None,
    "/kv": None,
    ":click kv": None,
    ":kvx": None,
}


@pytest.mark.parametrize(("text", "expected"), LINES.items(), ids=LINES)
def test_a_line_is_an_ask_or_something_to_say(text: str, expected: Ask | None) -> None:
    assert parse_ask(text) == expected


@pytest.mark.parametrize(
    "text",
    [":cron", ":cron ", ":logs all", ":logs -1", ":logs ²", ":logs " + "9" * 5000],
    ids=lambda text: text[:12],
)
def test_a_wrong_ask_says_what_to_write(text: str) -> None:
    with pytest.raises(InvalidInput, match="write"):
        parse_ask(text)


@given(st.text())
def test_any_line_is_read_or_refused(text: str) -> None:
    try:
        parse_ask(text)
        parse_ask(f":cron {text}")
        parse_ask(f":kv {text}")
        parse_ask(f":logs {text}")
    except InvalidInput:
        pass


@pytest.mark.parametrize(
    ("text", "expected"),
    [("marks", ShowKv("marks")), ("marks/user/1", ShowKv("marks", "user/1")), ("", ShowKv())],
)
def test_on_the_command_line_a_prefix_stands_behind_a_slash(text: str, expected: ShowKv) -> None:
    assert parse_kv(text) == expected


@pytest.mark.parametrize("ask", [RunJob("tick"), ShowKv("marks", "a"), ShowKv()])
def test_an_ask_is_called_as_it_is_typed(ask: Ask) -> None:
    assert parse_ask(str(ask)) == ask


def test_asks_keep_their_place_among_what_is_said() -> None:
    says = ordered_says(
        ["dev", "x", "--send", "a", "--cron", "tick", "--kv=marks", "--send=b", "--cron=last"]
    )
    assert [said.text if isinstance(said, Said) else said for said in says] == [
        "a",
        RunJob("tick"),
        ShowKv("marks"),
        "b",
        RunJob("last"),
    ]


# ---------------------------------------------------------------- which guild


def statuses(*guilds: str) -> list[GuildStatus]:
    return [GuildStatus(GuildId(guild), f"guild-{guild}") for guild in guilds]


def test_the_only_guild_is_meant() -> None:
    assert the_guild(statuses("1"), None) == "1"


def test_documents_that_cannot_be_read_are_no_guilds() -> None:
    assert the_guild(statuses("0", "1"), None) == "1"


def test_of_several_the_named_one_is_meant() -> None:
    assert the_guild(statuses("1", "2"), GuildId("2")) == "2"


@pytest.mark.parametrize(("guilds", "wanted"), [(["1", "2"], None), (["1"], "3"), ([], None), (["0"], None)])
def test_when_it_is_not_clear_the_guilds_are_named(guilds: list[str], wanted: str | None) -> None:
    with pytest.raises(InvalidInput, match="--guild") as caught:
        the_guild(statuses(*guilds), None if wanted is None else GuildId(wanted))
    real = [guild for guild in guilds if guild != "0"]
    assert ", ".join(real) or "none" in str(caught.value)
