"""Log lines as they are kept, shown and asked for."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_api.errors import BadRequest
from flora_api.logs.lines import EMPTY, LEVELS, TEXT_LENGTH, Line, Wanted, parse_place, show, to_keep
from flora_core.wire.control import LogLine, Outcome

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


def kept(text: str = "hello", **fields: object) -> Line:
    return Line((1, 2), to_keep(LogLine("7", 1000, "info", text)) if not fields else _with(text, fields))


def _with(text: str, fields: dict[str, object]) -> bytes:
    return to_keep(msgspec.structs.replace(LogLine("7", 1000, "info", text), **fields))


@given(text=texts, stack=texts, event=texts, level=st.sampled_from(LEVELS), at=st.integers(0, 1 << 52))
def test_what_is_shown_is_what_was_logged(text: str, stack: str, event: str, level: str, at: int) -> None:
    line = Line((5, 9), to_keep(LogLine("7", at, level, text, "script", None, stack, event, 3)))
    shown = msgspec.json.decode(line.json)
    expected = {
        "id": "5-9",
        "timestamp": at,
        "level": level,
        "target": "script",
        "guild_id": "7",
        "message": text,
        "revision": 3,
    }
    expected |= {name: value for name, value in (("stack", stack), ("event", event)) if value}
    assert shown == expected


@given(text=st.text())
def test_no_text_breaks_the_stream_it_is_sent_in(text: str) -> None:
    """Half characters too: a script may log anything."""
    try:
        line = kept(text)
    except UnicodeEncodeError:
        return  # and a pod cannot have sent it
    head, rest = line.event.split(b"\n", 1)
    assert head == b"id: 1-2"
    assert rest.startswith(b"data: {")
    assert rest.endswith(b"}\n\n")
    assert rest.count(b"\n") == 2
    assert b"\r" not in rest


def test_of_what_flora_says_outcome_and_target_are_shown() -> None:
    line = kept(source="runtime", outcome=Outcome.EXCEEDED_CPU, level="error")
    shown = msgspec.json.decode(line.json)
    assert (shown["target"], shown["outcome"], shown["level"]) == ("runtime", "exceededCpu", "error")


def test_what_no_pod_should_send_is_made_harmless() -> None:
    shown = msgspec.json.decode(kept("x" * 100_000, level="shout", event="e" * 1000).json)
    assert (len(shown["message"]), shown["level"], len(shown["event"])) == (TEXT_LENGTH + 1, "info", 100)


@pytest.mark.parametrize("stored", [EMPTY, b"{}}", b"{nonsense", b'{"level":5}'])
def test_what_cannot_be_read_is_no_line_of_anybodys_and_no_error(stored: bytes) -> None:
    assert Line((1, 1), stored).parts.message == ""
    assert not Wanted(grep="x").takes(Line((1, 1), stored))


# ---------------------------------------------------------------- which


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_means_itself_and_the_more_serious_ones(level: str) -> None:
    found = [each for each in LEVELS if Wanted(level).takes(kept(level=each))]
    assert found == list(LEVELS[LEVELS.index(level) :])


@pytest.mark.parametrize(
    ("grep", "found"), [("", True), ("HELLO", True), ("main.ts", True), ("bye", False), ("o\nat", True)]
)
def test_a_part_of_text_or_stack_is_found_in_any_case(grep: str, found: bool) -> None:
    assert Wanted(grep=grep).takes(kept("Hello", stack="at src/main.ts")) is found


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [(0, None, True), (1000, 1000, True), (1001, None, False), (0, 999, False), (0, 0, False)],
)
def test_times_are_when_it_was_logged(since: int, until: int | None, found: bool) -> None:
    assert Wanted(since=since, until=until).takes(kept(at=1000)) is found


@pytest.mark.parametrize("wrong", [{"level": "loud"}, {"grep": "x" * 201}])
def test_what_cannot_be_asked_is_said(wrong: dict[str, str]) -> None:
    with pytest.raises(BadRequest, match=next(iter(wrong))):
        Wanted(**wrong)


# ---------------------------------------------------------------- ids


@given(st.integers(0, 10**19 - 1), st.integers(0, 10**19 - 1))
def test_an_id_is_read_as_it_is_shown(milliseconds: int, number: int) -> None:
    assert parse_place(show((milliseconds, number)), field="after") == (milliseconds, number)


@pytest.mark.parametrize(
    "text", ["", "-", "5", "5-", "-5", "5-x", "$", "+", "(5-1", "5-1 ", "1" * 20 + "-0", "٣-٤"]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match=r"after: .* is no id of a line"):
        parse_place(text, field="after")


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50))))
def test_ids_are_compared_by_number(places: list[tuple[int, int]]) -> None:
    assert [parse_place(show(place), field="x") for place in sorted(places)] == sorted(places)
