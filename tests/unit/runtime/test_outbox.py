"""What an isolate hands over is read strictly: a script may have had its hands in it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from flora_core.errors import MalformedFrame
from flora_core.wire.pipe import Call
from flora_runtime.worker.outbox import Line, Outbox, Settled, TimerSet, read_outbox


def test_an_empty_outbox_asks_for_nothing() -> None:
    outbox = read_outbox(b"{}")
    assert (outbox.ops, outbox.timers_set, outbox.timers_cleared) == ([], [], [])
    assert (outbox.lines, outbox.settled, outbox.declaration, outbox.load) == ([], [], None, None)


def test_everything_a_turn_can_give_is_read() -> None:
    outbox = read_outbox(
        b'{"o":[[4294967296,"sendMessage",{"body":{"content":"hi"}}]],"t":[[1,2.5]],"c":[7],'
        b'"l":[["warn","careful"]],"d":[[3,1.25],[4,2,"Error: no"]],'
        b'"u":{"events":["messageCreate"],"own":true,"commands":[{"name":"a"}]},"b":true}'
    )
    assert [(call.id, call.name) for call in outbox.ops] == [(4294967296, "sendMessage")]
    assert bytes(outbox.ops[0].args) == b'{"body":{"content":"hi"}}'
    assert outbox.timers_set == [TimerSet(1, 2.5)]
    assert outbox.timers_cleared == [7]
    assert outbox.lines == [Line("warn", "careful")]
    assert outbox.settled == [Settled(3, 1.25), Settled(4, 2.0, "Error: no")]
    assert outbox.declaration is not None
    assert (outbox.declaration.events, outbox.declaration.own) == (["messageCreate"], True)
    assert outbox.declaration.commands is not None
    assert [bytes(command) for command in outbox.declaration.commands] == [b'{"name":"a"}']
    assert outbox.load is True


@pytest.mark.parametrize("commands", [b"5", b'"x"', b"{}", b"true"])
def test_commands_that_are_no_list_are_malformed(commands: bytes) -> None:
    with pytest.raises(MalformedFrame, match="commands"):
        read_outbox(b'{"u":{"events":[],"commands":%b}}' % commands)


def test_a_script_without_commands_has_none() -> None:
    declaration = read_outbox(b'{"u":{"events":[]}}').declaration
    assert declaration is not None
    assert (declaration.commands, declaration.own) == (None, False)


@pytest.mark.parametrize(
    ("text", "load"),
    [
        (b'{"b":true}', True),
        (b'{"b":false}', False),
        (b'{"b":"Error: x"}', "Error: x"),
        (b'{"b":null}', None),
    ],
)
def test_how_the_bundle_fared_is_a_truth_or_a_text(text: bytes, load: object) -> None:
    assert read_outbox(text).load == load


def test_arguments_of_a_call_are_passed_on_as_they_are() -> None:
    args = b'{ "z": 1.0, "a": [1e2, "\\u00e9"], "z": 2 }'
    assert bytes(read_outbox(b'{"o":[[1,"x",' + args + b"]]}").ops[0].args) == args


def test_what_a_newer_prelude_adds_is_ignored() -> None:
    outbox = read_outbox(b'{"zz":{"deep":[1]},"o":[[1,"a",null,"more"]],"d":[[1,2.0,null,9]]}')
    assert outbox.ops[0].name == "a"
    assert outbox.settled == [Settled(1, 2.0)]


MALFORMED = {
    "no text": b"",
    "no JSON": b"ok",
    "half of it": b'{"o":[[1,"a",{}]',
    "two values": b"{} {}",
    "null": b"null",
    "a list": b"[]",
    "a string": b'"{}"',
    "not UTF-8 in a value": b'{"l":[["info","\xff"]]}',
    "a NUL": b"{}\x00",
    "ops that are an object": b'{"o":{}}',
    "ops that are null": b'{"o":null}',
    "an op without arguments": b'{"o":[[1,"a"]]}',
    "an op that is an object": b'{"o":[{"id":1,"name":"a","args":{}}]}',
    "an op numbered by a text": b'{"o":[["1","a",{}]]}',
    "an op numbered by a fraction": b'{"o":[[1.5,"a",{}]]}',
    "an op whose name is none": b'{"o":[[1,null,{}]]}',
    "arguments that are no JSON": b'{"o":[[1,"a",undefined]]}',
    "a timer without a time": b'{"t":[[1]]}',
    "a timer at no time": b'{"t":[[1,null]]}',
    "a timer at NaN": b'{"t":[[1,NaN]]}',
    "a timer beyond all numbers": b'{"t":[[1,1e999]]}',
    "a timer named by a text": b'{"t":[["x",1]]}',
    "a cleared timer that is a fraction": b'{"c":[1.5]}',
    "a cleared timer that is a truth": b'{"c":[true]}',
    "a line without a text": b'{"l":[["info"]]}',
    "a line that is a text": b'{"l":["info"]}',
    "a line of a number": b'{"l":[["info",1]]}',
    "an event settled after no time": b'{"d":[[1]]}',
    "an event settled after a text": b'{"d":[[1,"2"]]}',
    "an error that is an object": b'{"d":[[1,2,{}]]}',
    "a declaration without events": b'{"u":{}}',
    "a declaration of a text": b'{"u":{"events":"messageCreate"}}',
    "a declaration of numbers": b'{"u":{"events":[1]}}',
    "own that is a number": b'{"u":{"events":[],"own":1}}',
    "a load that is a number": b'{"b":1}',
    "a load that is an object": b'{"b":{}}',
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_anything_unexpected_is_a_malformed_frame(text: bytes) -> None:
    with pytest.raises(MalformedFrame, match=r"^outbox: "):
        read_outbox(text)


@pytest.mark.parametrize("opening", [b"[", b'{"o":', b'{"o":[[1,"a",[', b'{"zz":['])
def test_nesting_without_end_is_a_malformed_frame(opening: bytes) -> None:
    with pytest.raises(MalformedFrame):
        read_outbox(opening * 50_000)


@given(st.binary(max_size=200))
def test_any_bytes_give_an_outbox_or_a_malformed_frame(text: bytes) -> None:
    try:
        assert isinstance(read_outbox(text), Outbox)
    except MalformedFrame as error:
        assert str(error).startswith("outbox: ")  # noqa: PT017  most are broken, a few are not


json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["o", "t", "c", "l", "d", "u", "b", "x"]), json_values))
def test_any_json_under_the_right_names_gives_an_outbox_or_a_malformed_frame(value: Any) -> None:
    try:
        outbox = read_outbox(msgspec.json.encode(value))
    except MalformedFrame:
        return
    assert all(isinstance(call.id, int) for call in outbox.ops)
    assert all(isinstance(line.text, str) for line in outbox.lines)


@given(
    ops=st.lists(
        st.builds(Call, st.integers(0, 2**53), st.text(max_size=10), st.just(Raw(b"{}"))), max_size=5
    ),
    timers=st.lists(st.builds(TimerSet, st.integers(0, 2**31), st.floats(0, 1e9)), max_size=5),
    lines=st.lists(st.builds(Line, st.sampled_from(["info", "error"]), st.text(max_size=20)), max_size=5),
    settled=st.lists(
        st.builds(Settled, st.integers(0, 2**53), st.floats(0, 1e6), st.none() | st.text()), max_size=5
    ),
)
def test_what_was_written_is_read(
    ops: list[Call], timers: list[TimerSet], lines: list[Line], settled: list[Settled]
) -> None:
    written = Outbox(ops=ops, timers_set=timers, lines=lines, settled=settled)
    read = read_outbox(msgspec.json.encode(written))
    assert (read.timers_set, read.lines, read.settled) == (timers, lines, settled)
    assert [(call.id, call.name) for call in read.ops] == [(call.id, call.name) for call in ops]
