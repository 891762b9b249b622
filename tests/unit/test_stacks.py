from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.stacks import (
    FRAME_LIMIT,
    MESSAGE_LIMIT,
    SHOWN_FRAMES,
    Frame,
    Position,
    bundle_positions,
    describe_parse_error,
    parse_stack,
    render,
)

STACK = """\
TypeError: x is not a function
    at new Foo (bundle.js:3:34)
    at Array.map (<anonymous>)
    at bundle.js:4:7
    at emit (flora:prelude:1:200)
    at async ping (bundle.js:12:7)
    at async Promise.all (index 0)
    at async bundle.js:4:7"""

POSITIONS = [
    Position("src/foo.ts", 2, 9),
    Position("src/main.ts", 10, 1),
    Position("src/main.ts", 20, 3, "ping"),
]


def frames(*lines: str) -> str:
    return "\n".join(["Error: x", *(f"    at {line}" for line in lines)])


# ---------------------------------------------------------------- reading


def test_a_stack_is_a_message_and_frames() -> None:
    stack = parse_stack(STACK)
    assert stack.message == "TypeError: x is not a function"
    assert stack.frames[0] == Frame("new Foo (bundle.js:3:34)", "bundle.js", 3, 34)
    assert [frame.source for frame in stack.frames] == [
        "bundle.js", "<anonymous>", "bundle.js", "flora:prelude", "bundle.js", "", "bundle.js",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "source", "line", "column"),
    [
        ("ping (bundle.js:12:7)", "bundle.js", 12, 7),
        ("bundle.js:12:7", "bundle.js", 12, 7),
        ("async bundle.js:3:1", "bundle.js", 3, 1),
        ("async Foo.bar (bundle.js:3:1)", "bundle.js", 3, 1),
        ("Object.s [as bar] (bundle.js:3:75)", "bundle.js", 3, 75),
        ("a b (c) (bundle.js:5:32)", "bundle.js", 5, 32),
        ("<static_initializer> (bundle.js:8:115)", "bundle.js", 8, 115),
        ("JSON.parse (<anonymous>)", "<anonymous>", 0, 0),
        ("f (<anonymous>:1:9)", "<anonymous>", 1, 9),
        ("async Promise.all (index 0)", "", 0, 0),
        ("dispatch (flora:prelude:1:9)", "flora:prelude", 1, 9),
        ("eval (eval at f (bundle.js:4:83), <anonymous>:1:7)", "", 0, 0),
        ("", "", 0, 0),
        ("ping (bundle.js:99999999999999999999:1)", "", 0, 0),
    ],
)
def test_where_a_frame_is(text: str, source: str, line: int, column: int) -> None:
    (frame,) = parse_stack(frames(text)).frames
    assert (frame.source, frame.line, frame.column) == (source, line, column)


def test_a_message_may_have_lines_that_look_like_frames() -> None:
    stack = parse_stack("Error: it broke\n    at noon\nor so\n    at f (bundle.js:1:2)")
    assert stack.message == "Error: it broke\n    at noon\nor so"
    assert [frame.text for frame in stack.frames] == ["f (bundle.js:1:2)"]


@pytest.mark.parametrize("text", ["", "boom", "Error: boom\n", "at home", "\n\n"])
def test_a_text_without_frames_is_a_message(text: str) -> None:
    assert parse_stack(text).frames == []
    assert parse_stack(text).message == text.rstrip()


def test_the_text_of_an_exception_is_its_stack_without_the_source_line() -> None:
    text = (
        "bundle.js:3: Error: boo\nbar\nthrow new Error('boo\\nbar')\n^\n\n"
        "Error: boo\nbar\n    at f (bundle.js:3:7)\n    at bundle.js:4:1\n"
    )
    stack = parse_stack(text)
    assert stack.message == "Error: boo\nbar"
    assert [frame.text for frame in stack.frames] == ["f (bundle.js:3:7)", "bundle.js:4:1"]


def test_the_text_of_an_exception_that_is_no_error_has_its_place() -> None:
    stack = parse_stack("<anonymous>:1: x\n  throw 'x'\n  ^\n")
    assert stack == parse_stack("x\n    at bundle.js:1:3")


def test_a_log_line_that_begins_like_an_exception_is_none() -> None:
    text = "bundle.js:3: starting\n    at f (bundle.js:3:7)"
    assert parse_stack(text).message == "bundle.js:3: starting"


# ---------------------------------------------------------------- positions


def test_positions_to_look_up_come_once_and_in_order() -> None:
    assert bundle_positions(parse_stack(STACK)) == [(3, 34), (4, 7), (12, 7)]


def test_code_of_eval_is_looked_up_where_it_was_evaluated() -> None:
    stack = parse_stack(frames("eval (eval at f (bundle.js:4:83), <anonymous>:1:7)"))
    assert bundle_positions(stack) == [(4, 83)]
    rendered = render(stack, [Position("a.ts", 1, 2)])
    assert rendered.stack == "at eval (eval at f (a.ts:1:2), <anonymous>:1:7)"


def test_another_file_that_ends_alike_is_not_the_bundle() -> None:
    assert bundle_positions(parse_stack(frames("f (my-bundle.js:1:2)", "f (x/bundle.js:1:2)"))) == []


# ---------------------------------------------------------------- writing


def test_a_mapped_stack_is_in_the_authors_words() -> None:
    error = render(parse_stack(STACK), POSITIONS)
    assert error.message == "TypeError: x is not a function"
    assert error.stack.split("\n") == [
        "at new Foo (src/foo.ts:2:9)",
        "at Array.map (<anonymous>)",
        "at src/main.ts:10:1",
        "at async ping (src/main.ts:20:3)",
        "at async Promise.all (index 0)",
        "at async src/main.ts:10:1",
    ]


def test_internal_frames_are_shown_when_asked_for() -> None:
    error = render(parse_stack(STACK), [POSITIONS[0], None, POSITIONS[2]], show_internal=True)
    assert "at emit (flora:prelude:1:200)" in error.stack
    assert "at bundle.js:4:7" in error.stack


def test_code_that_the_bundler_added_is_left_out() -> None:
    error = render(parse_stack(STACK), [POSITIONS[0], None, POSITIONS[2]])
    assert "bundle.js" not in error.stack
    assert error.stack.count("\n") == 3


@pytest.mark.parametrize("positions", [[], [None, None, None]])
def test_without_a_map_the_frames_stay_as_v8_wrote_them(positions: list[None]) -> None:
    error = render(parse_stack(STACK), positions)
    assert error.stack.split("\n")[0] == "at new Foo (bundle.js:3:34)"
    assert "flora:prelude" not in error.stack


def test_at_most_twenty_frames_are_shown() -> None:
    text = frames(*(f"f{n} (bundle.js:{n}:1)" for n in range(1, 90)))
    assert len(render(parse_stack(text), []).stack.split("\n")) == SHOWN_FRAMES


def test_an_error_without_a_message_has_one() -> None:
    assert render(parse_stack("    at f (bundle.js:1:1)"), []).message == "Error"


def test_control_characters_are_replaced_and_emoji_are_not() -> None:
    error = render(parse_stack("Error: \x1b[31m👩‍👩‍👧\ttab\r"), [])
    assert error.message == "Error: \ufffd[31m👩‍👩‍👧\ttab"


# ---------------------------------------------------------------- parse errors


def test_a_parse_error_has_its_message_and_place() -> None:
    said = "SyntaxError: Unexpected token ';'"
    text = f"bundle.js:2: {said}\nlet y = ;\n        ^\n\n{said}\n"
    error = describe_parse_error(text)
    assert (error.message, error.stack) == ("SyntaxError: Unexpected token ';'", "at bundle.js:2:9")


def test_a_parse_error_found_before_the_name_was_seen_is_the_bundles() -> None:
    text = "<anonymous>:3: SyntaxError: Unexpected token '}'\n})()\n^\n\nSyntaxError: Unexpected token '}'\n"
    assert describe_parse_error(text).stack == "at bundle.js:3:1"


def test_a_parse_error_in_megabytes_on_one_line_is_short() -> None:
    for size in (5_000, 1 << 20):
        text = f"<anonymous>:1: SyntaxError: Unexpected identifier 'b'\n{'a b' * size}"
        error = describe_parse_error(text)
        assert error.message == "SyntaxError: Unexpected identifier 'b'"
        assert error.stack == "at bundle.js:1"


@pytest.mark.parametrize("text", ["", "what?", "x" * 10_000, "bundle.js:1: \n"])
def test_any_other_text_is_cut(text: str) -> None:
    assert len(describe_parse_error(text).message) <= MESSAGE_LIMIT


# ---------------------------------------------------------------- any text

lines = st.one_of(
    st.text(max_size=30),
    st.builds("    at {}".format, st.text(max_size=30)),
    st.builds("    at {} (bundle.js:{}:{})".format, st.text(max_size=10), st.integers(), st.integers()),
    st.sampled_from(["    at bundle.js:1:1", "bundle.js:2: x", "  ^^^", "", "    at ("]),
)
texts = st.one_of(st.text(), st.lists(lines).map("\n".join))
positions = st.lists(
    st.none() | st.builds(Position, st.text(), st.integers(), st.integers(), st.none() | st.text())
)


@given(text=texts, found=positions, show_internal=st.booleans())
def test_any_text_becomes_an_error_that_can_be_sent(
    text: str, found: list[Position | None], show_internal: bool
) -> None:
    error = render(parse_stack(text), found, show_internal=show_internal)
    assert error.message
    assert len(error.message) <= MESSAGE_LIMIT
    shown = error.stack.split("\n")
    assert len(shown) <= SHOWN_FRAMES
    assert all(len(line) <= FRAME_LIMIT + len("at ") for line in shown)
    assert msgspec.json.decode(msgspec.json.encode(error), type=type(error)) == error


@given(text=texts)
def test_any_text_can_be_a_parse_error(text: str) -> None:
    assert describe_parse_error(text).message


@given(
    places=st.lists(
        st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)), min_size=1, max_size=SHOWN_FRAMES
    ),
    names=st.lists(
        st.from_regex(r"(async |new )?[A-Za-z_$][\w$.]{0,10}", fullmatch=True), min_size=20, max_size=20
    ),
)
def test_every_place_is_found_and_every_found_place_is_written(
    places: list[tuple[int, int]], names: list[str]
) -> None:
    text = frames(
        *(f"{name} (bundle.js:{line}:{column})" for name, (line, column) in zip(names, places, strict=False))
    )
    stack = parse_stack(text)
    asked = bundle_positions(stack)
    assert asked == list(dict.fromkeys(places))
    error = render(stack, [Position("src/a.ts", line + 1, column + 1) for line, column in asked])
    assert error.stack.split("\n") == [
        f"at {name} (src/a.ts:{line + 1}:{column + 1})"
        for name, (line, column) in zip(names, places, strict=False)
    ]
