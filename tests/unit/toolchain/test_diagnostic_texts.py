from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.toolchain import Diagnostic, render, render_all


def test_a_diagnostic_is_shown_with_its_line_and_a_caret() -> None:
    diagnostic = Diagnostic('Expected ";"', "src/main.ts", 3, 5, 3, "let abc = 1", 4)
    assert render(diagnostic).split("\n") == [
        'src/main.ts:3:5: error: Expected ";"',
        "  3 | let abc = 1",
        "    |     ^^^",
    ]


def test_a_diagnostic_without_a_place_is_one_line() -> None:
    assert render(Diagnostic("nothing works")) == "error: nothing works"


def test_a_diagnostic_about_a_whole_file_names_it() -> None:
    assert render(Diagnostic("odd", "tsconfig.json", severity="warning")) == "tsconfig.json: warning: odd"


def test_the_checkers_code_is_shown_and_the_bundlers_name_of_a_warning_is_not() -> None:
    assert render(Diagnostic("x", code="TS2322")) == "error TS2322: x"
    assert render(Diagnostic("x", code="empty-import-meta")) == "error: x"


def test_further_lines_and_notes_are_indented() -> None:
    diagnostic = Diagnostic("one\n  two", "a.ts", 1, 1, 1, "x", 0, notes=["b.ts:1:1: here"])
    assert render(diagnostic).split("\n") == [
        "a.ts:1:1: error: one", "    two", "  1 | x", "    | ^", "  note: b.ts:1:1: here",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "caret", "under"),
    [
        ("\t\tx", 2, "\t\t^"),
        ("é = x", 4, "    ^"),
        ("😀 = x", 5, "    ^"),  # a pair of units, one character
        ("x", 99, " ^"),
        ("", 0, "^"),
    ],
)
def test_the_caret_stands_under_its_column(line: str, caret: int, under: str) -> None:
    diagnostic = Diagnostic("x", "a.ts", 7, 1, 1, line, caret)
    assert render(diagnostic).split("\n")[-1] == f"    | {under}"


def test_a_line_number_of_many_digits_keeps_the_frame_straight() -> None:
    _, source, carets = render(Diagnostic("x", "a.ts", 1234, 1, 1, "abc", 0)).split("\n")
    assert source.index("|") == carets.index("|")


def test_only_the_first_ten_are_shown() -> None:
    text = render_all([Diagnostic(str(n)) for n in range(12)])
    assert text.endswith("error: 9\n… and 2 more")
    assert render_all([]) == ""


@given(line=st.text(max_size=30), caret=st.integers(0, 60), length=st.integers(1, 60))
def test_any_line_can_be_shown(line: str, caret: int, length: int) -> None:
    shown = render(Diagnostic("x", "a.ts", 1, 1, length, line, caret))
    assert shown.encode(errors="replace")
    assert "^" in shown
