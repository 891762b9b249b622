"""Server-sent events, however the bytes come."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_cli.sse import EVENT_LIMIT, Event, EventParser
from flora_core.errors import FrameTooLarge

STREAM = (
    ": hello\n\n"
    'id: 1-0\ndata: {"a": 1}\n\n'
    "event: missed\ndata: 5\n\n"
    ": beat\n\n"
    "id: 2-0\ndata: one\ndata: two\n\n"
    "event: nothing\n\n"
    "data\n\n"
    "data: unfinished"
)
EVENTS = [
    Event('{"a": 1}', id="1-0"),
    Event("5", "missed", "1-0"),
    Event("one\ntwo", id="2-0"),
    Event("", id="2-0"),
]


def parsed(*pieces: bytes) -> list[Event]:
    parser = EventParser()
    return [event for piece in pieces for event in parser.feed(piece)]


def test_events_have_data_name_and_id() -> None:
    assert parsed(STREAM.encode()) == EVENTS


@pytest.mark.parametrize("newline", ["\n", "\r", "\r\n"])
def test_lines_may_end_in_each_of_three_ways(newline: str) -> None:
    assert parsed(STREAM.replace("\n", newline).encode()) == EVENTS


@given(st.lists(st.integers(0, 200), max_size=30), st.sampled_from(["\n", "\r", "\r\n"]))
def test_where_the_bytes_are_cut_changes_nothing(cuts: list[int], newline: str) -> None:
    data = STREAM.replace("\n", newline).encode()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    assert parsed(*pieces) == EVENTS


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n")), min_size=1))
def test_any_text_comes_through(lines: list[str]) -> None:
    data = "".join(f"data: {line}\n" for line in lines) + "\n"
    assert [event.data for event in parsed(data.encode())] == ["\n".join(lines)]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert parsed(b"\xef\xbb\xbfdata: x\n\n") == [Event("x")]
    assert parsed(b"\xef", b"\xbb", b"\xbfdata: x\n\n") == [Event("x")]


def test_an_id_with_a_zero_is_none_and_others_are_kept() -> None:
    assert parsed(b"id: 7\ndata: a\n\nid: 8\0\ndata: b\n\nid\ndata: c\n\n") == [
        Event("a", id="7"),
        Event("b", id="7"),
        Event("c"),
    ]


@pytest.mark.parametrize("data", [b"data: " + b"x" * EVENT_LIMIT, b"data: abcdefg\n" * 90_000])
def test_an_event_without_end_is_not_kept(data: bytes) -> None:
    with pytest.raises(FrameTooLarge):
        parsed(data)
    with pytest.raises(FrameTooLarge):
        parsed(*[data[at : at + 50_000] for at in range(0, len(data), 50_000)])


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_no_bytes_are_too_odd(pieces: list[bytes]) -> None:
    parsed(*pieces)
