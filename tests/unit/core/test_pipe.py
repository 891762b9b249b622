"""The binary frames between supervisor and worker."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from flora_core.errors import FrameTooLarge, MalformedFrame, UnknownFrame, WireError
from flora_core.wire import pipe
from flora_core.wire.control import Outcome
from flora_core.wire.pipe import Call, Done, Frame, FrameSplitter, Kind, Turn

frames = st.lists(
    st.builds(
        Frame,
        st.sampled_from(Kind),
        st.just("") | st.integers(1, 2**64 - 1).map(str),
        st.binary(max_size=200),
    ),
    max_size=20,
)


@given(frames, st.integers(1, 50))
def test_frames_come_out_as_they_went_in_however_they_are_cut(sent: list[Frame], step: int) -> None:
    data = b"".join(pipe.encode(frame.kind, frame.body, guild=frame.guild) for frame in sent)
    splitter = FrameSplitter()
    got = [frame for at in range(0, len(data), step) for frame in splitter.feed(data[at : at + step])]
    assert got == sent


def test_a_frame_over_the_limit_is_refused_by_its_header_alone() -> None:
    with pytest.raises(FrameTooLarge):
        FrameSplitter(limit=100).feed(pipe.HEADER.pack(101, 1, Kind.LOG))


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(UnknownFrame, match="200"):
        FrameSplitter().feed(pipe.HEADER.pack(0, 1, 200))


@given(st.binary(max_size=300))
def test_any_bytes_give_frames_or_a_typed_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        FrameSplitter().feed(data)


def test_a_turn_survives_the_trip() -> None:
    turn = Turn(
        started=7, ops=[Call(1, "sendMessage", Raw(b"{}"))], done=[Done(3, Outcome.OK, 1.5)], cpu_ns=9
    )
    assert pipe.decode(msgspec.json.encode(turn), Turn) == turn


@given(st.binary(max_size=200))
def test_any_body_gives_a_turn_or_a_typed_error(body: bytes) -> None:
    try:
        pipe.decode(body, Turn)
    except MalformedFrame as error:
        assert "Turn" in str(error)  # noqa: PT017  most bodies are broken, a few are not
