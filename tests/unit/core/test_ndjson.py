"""Lines and frames: whatever bytes come, a frame or a typed error."""

from __future__ import annotations

import contextlib
import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from flora_core.errors import FrameTooLarge, MalformedFrame, TruncatedStream, UnknownFrame, WireError
from flora_core.wire.gateway import Ack, Beat, Event, Hello, Op, Result, Subscribe, downstream, upstream
from flora_core.wire.ndjson import LineSplitter, flat


class Splitting:
    """A splitter and what it complained of."""

    def __init__(self, limit: int = 1000) -> None:
        self.errors: list[WireError] = []
        self.splitter = LineSplitter(self.errors.append, limit=limit)


@given(
    lines=st.lists(st.binary(max_size=50).map(lambda line: line.replace(b"\n", b"")), max_size=20),
    cuts=st.lists(st.integers(0, 1000), max_size=20),
)
def test_lines_come_out_as_they_went_in_however_they_are_cut(lines: list[bytes], cuts: list[int]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    splitter = Splitting().splitter
    out = [line for a, b in itertools.pairwise(edges) for line in splitter.feed(data[a:b])]
    assert out == [line for line in lines if line]
    splitter.close()


def test_a_line_over_the_limit_is_dropped_and_its_neighbours_are_kept() -> None:
    splitting = Splitting(limit=10)
    assert splitting.splitter.feed(b"one\n" + b"x" * 50 + b"\ntwo\n") == [b"one", b"two"]
    assert [type(error) for error in splitting.errors] == [FrameTooLarge]


def test_a_line_that_grows_over_the_limit_is_never_held() -> None:
    splitting = Splitting(limit=10)
    for _ in range(100):
        assert splitting.splitter.feed(b"x" * 8) == []
    assert splitting.splitter.feed(b"tail\nnext\n") == [b"next"]
    assert len(splitting.errors) == 1


def test_a_stream_that_ends_inside_a_line_is_truncated() -> None:
    splitter = Splitting().splitter
    splitter.feed(b'{"k":"be')
    with pytest.raises(TruncatedStream):
        splitter.close()


DOWN = [
    Hello("epoch", 7, 3),
    Event(8, "MESSAGE_CREATE", "123", "session", 44, 1_700_000_000_000, Raw(b'{"id":"1"}')),
    Result(9, "123", 5, True, Raw(b"null")),
    Beat(9, 3),
]
UP = [
    Op(1, "123", 5, "sendMessage", Raw(b"{}")),
    Op(2, "123", 6, "sendMessage", Raw(b"{}"), repeated=True),
    Ack(9),
    Subscribe("123", ["messageCreate"], own=True),
    Beat(9, 3),
]


@pytest.mark.parametrize("frame", DOWN, ids=lambda frame: type(frame).__name__)
def test_frames_down_survive_the_trip(frame: Hello | Event | Result | Beat) -> None:
    line = downstream.encode(frame)
    assert line.count(b"\n") == 1
    assert downstream.decode(line.rstrip()) == frame


@pytest.mark.parametrize("frame", UP, ids=lambda frame: type(frame).__name__)
def test_frames_up_survive_the_trip(frame: Op | Ack | Subscribe | Beat) -> None:
    assert upstream.decode(upstream.encode(frame).rstrip()) == frame


def test_fields_of_a_newer_writer_are_ignored() -> None:
    assert upstream.decode(b'{"k":"ack","o":4,"why":["not"]}') == Ack(4)


def test_an_unknown_kind_is_an_error_that_names_it() -> None:
    with pytest.raises(UnknownFrame, match="'teleport'"):
        upstream.decode(b'{"k":"teleport","o":4}')
    with pytest.raises(UnknownFrame, match="'event'"):
        upstream.decode(b'{"k":"event","o":4}')


def test_a_missing_field_is_named() -> None:
    with pytest.raises(MalformedFrame, match=r"'op'.*missing required field `n`"):
        upstream.decode(b'{"k":"op","q":1,"g":"1","i":1,"a":{}}')


@given(st.binary(max_size=400))
def test_any_bytes_give_a_frame_or_a_typed_error(line: bytes) -> None:
    for codec in (downstream, upstream):
        with contextlib.suppress(WireError):
            codec.decode(line)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
)


@given(
    st.dictionaries(st.sampled_from(["k", "o", "g", "i", "n", "a", "e", "q", "x"]), json_values), json_values
)
def test_any_json_gives_a_frame_or_a_typed_error(fields: dict[str, object], kind: object) -> None:
    for tag in (kind, "op", "event", "subscribe"):
        line = msgspec.json.encode({**fields, "k": tag})
        for codec in (downstream, upstream):
            with contextlib.suppress(WireError):
                codec.decode(line)


def test_deep_nesting_is_malformed_and_no_crash() -> None:
    with pytest.raises(MalformedFrame):
        upstream.decode(b'{"k":"op","a":' + b"[" * 100_000)


@given(json_values)
def test_flattened_json_has_no_newline_and_means_the_same(value: object) -> None:
    pretty = msgspec.json.format(msgspec.json.encode(value), indent=2)
    assert b"\n" not in flat(pretty)
    assert msgspec.json.decode(flat(pretty)) == msgspec.json.decode(pretty)


def test_what_is_not_json_cannot_forge_a_line() -> None:
    with pytest.raises(MalformedFrame):
        flat(b'{}\n{"k":"ack","o":99}')
