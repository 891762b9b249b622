"""docs/parity.md is what the tests' markers make of docs/parity.toml."""

from __future__ import annotations

from typing import Any

import pytest
from tools.parity import PAGE, ROOT, ROWS, Proof, Row, Wrong, page, read_proofs, read_rows, render

FILE = "tests/unit/test_x.py"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == page(), "stale: run python -m tools.parity"


def test_every_proof_is_a_test_that_is_there() -> None:
    tests = {path.relative_to(ROOT).as_posix(): path.read_text() for path in ROOT.glob("tests/**/test_*.py")}
    for proofs in read_proofs(tests).values():
        for proof in proofs:
            assert not proof.name or proof.name.split("::")[0].startswith(("test_", "Test")), proof


def test_all_rows_of_the_original_are_there() -> None:
    rows = read_rows(ROWS.read_text())
    assert len(rows) == 117
    assert len({row.feature for row in rows}) == 117


# ---------------------------------------------------------------- reading tests

PLACES: dict[str, tuple[str, dict[int, list[Proof]]]] = {
    "a function": (
        "@pytest.mark.parity(3, 1)\ndef test_a(): ...\n",
        {1: [Proof(FILE, "test_a")], 3: [Proof(FILE, "test_a")]},
    ),
    "a coroutine below other decorators": (
        "@pytest.mark.x\n@pytest.mark.parity(3)\n@pytest.mark.y(1)\nasync def test_a(): ...\n",
        {3: [Proof(FILE, "test_a")]},
    ),
    "a class": (
        "@pytest.mark.parity(3)\nclass TestA:\n    def test_b(self): ...\n",
        {3: [Proof(FILE, "TestA")]},
    ),
    "a method": (
        "class TestA:\n    @pytest.mark.parity(3)\n    def test_b(self): ...\n",
        {3: [Proof(FILE, "TestA::test_b")]},
    ),
    "a case": (
        "@pytest.mark.parametrize('x', [pytest.param(1, marks=pytest.mark.parity(3))])\ndef test_a(x): ...\n",
        {3: [Proof(FILE, "test_a")]},
    ),
    "a module": ("pytestmark = [pytest.mark.parity(3)]\ndef test_a(): ...\n", {3: [Proof(FILE, "")]}),
    "several tests": (
        "@pytest.mark.parity(3)\ndef test_b(): ...\n@pytest.mark.parity(3)\ndef test_a(): ...\n",
        {3: [Proof(FILE, "test_a"), Proof(FILE, "test_b")]},
    ),
    "twice the same": (
        "@pytest.mark.parity(3)\n@pytest.mark.parity(3)\ndef test_a(): ...\n",
        {3: [Proof(FILE, "test_a")]},
    ),
    "something else of that name": ("@mark.parity\ndef test_a(): other.parity(3); parity(3)\n", {}),
    "a comment": ("# @pytest.mark.parity(3)\ndef test_a(): ...\n", {}),
}


@pytest.mark.parametrize(("text", "expected"), PLACES.values(), ids=PLACES)
def test_a_marker_is_found_wherever_it_stands(text: str, expected: dict[int, list[Proof]]) -> None:
    assert read_proofs({FILE: text}) == expected


@pytest.mark.parametrize("call", ["()", "('3')", "(3, x)", "(*rows)", "(rows=3)", "(3.0)", "(True)"])
def test_a_marker_that_cannot_be_read_names_its_place(call: str) -> None:
    with pytest.raises(Wrong, match=r"^tests/unit/test_x\.py:2: write the rows as plain numbers"):
        read_proofs({FILE: f"\n@pytest.mark.parity{call}\ndef test_a(): ...\n"})


# ---------------------------------------------------------------- rows

WRONG_ROWS = {
    "a gap": "[[row]]\nnumber = 2\narea = 'a'\nfeature = 'f'\n",
    "a double": "[[row]]\nnumber = 1\narea = 'a'\nfeature = 'f'\n" * 2,
    "a misspelt field": "[[row]]\nnumber = 1\narea = 'a'\nfeatures = 'f'\n",
    "no rows": "x = 1\n",
    "no TOML": "[[row]\n",
}


@pytest.mark.parametrize("text", WRONG_ROWS.values(), ids=WRONG_ROWS)
def test_wrong_rows_are_refused(text: str) -> None:
    with pytest.raises(Wrong, match=r"^docs/parity\.toml"):
        read_rows(text)


def state(proofs: list[Proof], **fields: Any) -> str:
    text = render([Row(1, "area", "feature", **fields)], {1: proofs} if proofs else {})
    return text.splitlines()[-1].split(" | ")[3].rstrip(" |")


def test_a_row_without_proof_says_what_it_waits_for() -> None:
    assert state([]) == "not yet"
    assert state([], later="comes with the API") == "not yet: comes with the API"


def test_a_proven_row_links_its_tests_and_waits_for_nothing() -> None:
    proofs = [Proof(FILE, f"test_{name}") for name in "abcde"]
    assert state(proofs[:1], later="the API") == f"**proven**: [test_a](../{FILE})"
    assert state(proofs).endswith(f"[test_c](../{FILE}), 2 more")
    assert state([Proof(FILE, "")]) == f"**proven**: [test_x.py](../{FILE})"


def test_a_row_that_differs_says_how_with_or_without_proof() -> None:
    assert state([], differs="otherwise") == "**different on purpose**: otherwise"
    both = state([Proof(FILE, "test_a")], differs="otherwise", note="mind this")
    assert both.startswith("**different on purpose**: otherwise; **proven**: [test_a]")
    assert both.endswith("; mind this")


def test_a_proof_of_no_row_is_refused() -> None:
    with pytest.raises(Wrong, match=r"test_x\.py: there is no row 9"):
        render([Row(1, "a", "f")], {9: [Proof(FILE, "test_a")]})


def test_what_is_proven_is_counted() -> None:
    rows = [Row(1, "a", "f"), Row(2, "a", "g")]
    assert "1 of 2 rows are proven." in render(rows, {2: [Proof(FILE, "test_a")]})
