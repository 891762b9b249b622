"""Storage and logs as a person reads them."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from flora_cli import show
from flora_core.wire.control import LogLine, Outcome


def shown(part: RenderableType, *, colour: bool = False) -> str:
    out = StringIO()
    Console(file=out, highlight=False, soft_wrap=True, width=200, force_terminal=colour).print(part)
    return out.getvalue()


def rows(part: RenderableType) -> list[list[str]]:
    return [line.split() for line in shown(part).splitlines()]


def test_stores_have_their_size_in_the_unit_that_suits_them() -> None:
    table = show.stores_table(
        [{"name": "a", "keys": 2, "bytes": 900}, {"name": "b", "keys": 1, "bytes": 3 << 20}]
    )
    assert rows(table)[1:] == [["a", "2", "900", "B"], ["b", "1", "3.0", "MiB"]]


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1 << 20, "1.0 MiB")]
)
def test_sizes(count: int, text: str) -> None:
    assert show.size(count) == text


def test_values_have_a_column_only_where_they_are_known() -> None:
    assert rows(show.keys_table([{"name": "k"}]))[0] == ["KEY", "EXPIRES", "METADATA"]
    assert rows(show.keys_table([{"name": "k", "value": "v"}]))[0] == ["KEY", "VALUE", "EXPIRES", "METADATA"]


def test_keys_show_expiry_and_metadata() -> None:
    table = show.keys_table([{"name": "k", "value": "v", "expiration": 0.0, "metadata": {"a": [1]}}])
    assert rows(table)[1] == ["k", "v", "1970-01-01", "00:00:00Z", '{"a":[1]}']


def test_long_values_are_cut_and_lines_joined() -> None:
    text = shown(show.keys_table([{"name": "k", "value": "a\nb" + "x" * 500}]))
    assert "a⏎b" in text
    assert "…" in text
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize("hostile", ["[red]x[/red]", "[/]", "[link=http://x]y"])
def test_what_a_script_stored_is_no_markup(hostile: str) -> None:
    row: dict[str, Any] = {"name": hostile, "value": hostile}
    assert shown(show.keys_table([row])).count(hostile) == 2
    assert hostile in shown(show.log_line(LogLine("1", 0, "info", hostile)))
    assert hostile in shown(show.stores_table([{"name": hostile, "keys": 1, "bytes": 1}]))


@pytest.mark.parametrize("seconds", [1e18, -1e18, float(1 << 62)])
def test_a_time_that_no_calendar_has_is_a_number(seconds: float) -> None:
    assert show.moment(seconds) == f"{seconds:.0f}"


def test_a_log_line_has_time_level_outcome_and_where_wanted_its_guild() -> None:
    line = LogLine("17", 0, "error", "boom", outcome=Outcome.EXCEPTION)
    assert shown(show.log_line(line)).strip().endswith("error boom [exception]")
    assert shown(show.log_line(line, guild=True)).strip().endswith("17 boom [exception]")
    assert shown(show.log_line(line, date=True)).startswith(("1970-01-01", "1969-12-31"))


@pytest.mark.parametrize("control", ["\x1b]0;title\x07", "\x1b[2J", "\x9b31m", "a\rb", "\x00", "\x7f"])
def test_a_script_cannot_command_the_terminal(control: str) -> None:
    row: dict[str, Any] = {"name": control, "value": control, "metadata": control}
    parts = [
        show.log_line(LogLine("1", 0, "info", control)),
        show.keys_table([row]),
        show.stores_table([{"name": control, "keys": 1, "bytes": 1}]),
        *show.stack_lines(control),
    ]
    for part in parts:
        assert not [
            char for char in shown(part) if ord(char) in (*range(9), *range(11, 32), *range(127, 160))
        ]


def test_lines_and_tabs_of_a_log_stay() -> None:
    assert show.plain("a\n\tb") == "a\n\tb"


def test_there_is_colour_on_a_terminal_only() -> None:
    line = show.log_line(LogLine("1", 0, "error", "boom"))
    assert "\x1b[" not in shown(line)
    assert "\x1b[" in shown(line, colour=True)


def test_a_stack_is_a_line_a_frame() -> None:
    assert [text.plain for text in show.stack_lines("at a\n at b")] == ["    at a", "    at b"]
    assert show.stack_lines("") == []


def test_a_pipe_gets_whole_rows(capsys: pytest.CaptureFixture[str]) -> None:
    made = show.table("GUILD", "MESSAGE")
    made.add_row(*show.cells(["1" * 18, "m" * 50]))
    show.console().print(made)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_what_is_copied_is_not_broken_on_a_narrow_terminal() -> None:
    revision = "38d67272-aa63-4e56-8bfb-bd9a819adca5"
    made = show.table("REVISION", "MESSAGE")
    made.add_row(*show.cells([revision, "a b " * 10]))
    out = StringIO()
    Console(width=50, force_terminal=True, color_system=None, file=out).print(made)
    assert revision in out.getvalue()


def test_times_are_shown_to_the_second() -> None:
    assert show.when("2026-11-22T21:26:07.686434Z") == "2026-11-22 21:26:07Z"
    assert show.when("2026-11-22T21:26:07+01:00") == "2026-11-22 21:26:07+01:00"
    assert show.when(None) == ""
