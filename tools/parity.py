"""Makes docs/parity.md: each feature of the original flora, and the tests that prove it here.

    python -m tools.parity           write the page
    python -m tools.parity --check   say whether it is as it should be (exit code 1 when not)

Rows stand in docs/parity.toml. Tests name theirs: ``@pytest.mark.parity(22, 73)``, on a function, a class, a
``pytest.param`` or as a module's ``pytestmark``. Tests are read, not imported.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
ROWS: Final = ROOT / "docs" / "parity.toml"
PAGE: Final = ROOT / "docs" / "parity.md"
SHOWN: Final = 3
"""Tests of a row that are named; the others are counted."""

HEAD: Final = """\
# What the original flora could do, and whether this one can

Made by `python -m tools.parity` from the tests; do not edit. A row is proven by the tests that name it.
"""


class Wrong(Exception):
    """Something in the rows or in a test's marker that cannot be meant."""


@dataclass(frozen=True)
class Row:
    """A feature."""

    number: int
    area: str
    feature: str
    note: str = ""
    later: str = ""
    """What it waits for while no test proves it."""
    differs: str = ""
    """How it is different on purpose."""


@dataclass(frozen=True, order=True)
class Proof:
    """A test that proves a row."""

    file: str
    """Relative to the repository."""
    name: str
    """Empty for a whole file."""


def read_rows(text: str) -> list[Row]:
    """The rows of the data file; raises Wrong for gaps, doubles and unknown fields."""
    try:
        rows = [Row(**entry) for entry in tomllib.loads(text)["row"]]
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise Wrong(f"docs/parity.toml: {error}") from None
    numbers = [row.number for row in rows]
    if numbers != list(range(1, len(rows) + 1)):
        raise Wrong("docs/parity.toml: rows should be numbered from 1 without a gap, in order")
    return rows


def read_proofs(files: Mapping[str, str]) -> dict[int, list[Proof]]:
    """Row number -> tests, from the texts of test files by their path; raises Wrong."""
    proofs: defaultdict[int, set[Proof]] = defaultdict(set)
    for file, text in files.items():
        if "parity(" not in text:
            continue
        for call, name in _markers(ast.parse(text, file)):
            for number in _numbers(call, file):
                proofs[number].add(Proof(file, name))
    return {number: sorted(found) for number, found in proofs.items()}


def _markers(tree: ast.AST, name: str = "") -> Iterator[tuple[ast.Call, str]]:
    """Every ``mark.parity(…)`` below ``tree``, with the test that it is about."""
    for node in ast.iter_child_nodes(tree):
        within = name
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            within = f"{name}::{node.name}" if name else node.name
        if isinstance(node, ast.Call) and _is_marker(node.func):
            yield node, within
        yield from _markers(node, within)


def _is_marker(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "parity"
        and isinstance(function.value, ast.Attribute)
        and function.value.attr == "mark"
    )


def _numbers(call: ast.Call, file: str) -> list[int]:
    numbers = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    whole = [number for number in numbers if type(number) is int]
    if not whole or len(whole) != len(call.args) or call.keywords:
        raise Wrong(f"{file}:{call.lineno}: write the rows as plain numbers: parity(21, 34)")
    return whole


def render(rows: Sequence[Row], proofs: Mapping[int, Sequence[Proof]]) -> str:
    """The page; raises Wrong when a test names a row that is not there."""
    unknown = sorted(set(proofs) - {row.number for row in rows})
    if unknown:
        raise Wrong(f"{proofs[unknown[0]][0].file}: there is no row {unknown[0]} in docs/parity.toml")
    proven = sum(bool(proofs.get(row.number)) for row in rows)
    lines = [
        HEAD,
        f"{proven} of {len(rows)} rows are proven.",
        "",
        "| # | area | feature | state |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row.number} | {row.area} | {row.feature} | {_state(row, proofs.get(row.number, ()))} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _state(row: Row, proofs: Sequence[Proof]) -> str:
    parts: list[str] = []
    if row.differs:
        parts.append(f"**different on purpose**: {row.differs}")
    if proofs:
        parts.append(f"**proven**: {_links(proofs)}")
    elif not row.differs:
        parts.append(f"not yet: {row.later}" if row.later else "not yet")
    if row.note:
        parts.append(row.note)
    return "; ".join(parts)


def _links(proofs: Sequence[Proof]) -> str:
    shown = [f"[{proof.name or Path(proof.file).name}](../{proof.file})" for proof in proofs[:SHOWN]]
    more = len(proofs) - len(shown)
    return ", ".join([*shown, f"{more} more"] if more else shown)


def page() -> str:
    """The page as it should be now."""
    tests = sorted((ROOT / "tests").rglob("test_*.py"))
    files = {path.relative_to(ROOT).as_posix(): path.read_text() for path in tests}
    return render(read_rows(ROWS.read_text()), read_proofs(files))


def main(arguments: Sequence[str]) -> int:
    """Write or check; the exit code."""
    try:
        wanted = page()
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        return 1
    if "--check" in arguments:
        fresh = PAGE.exists() and PAGE.read_text() == wanted
        print("as it should be" if fresh else "stale: run python -m tools.parity")
        return 0 if fresh else 1
    PAGE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
