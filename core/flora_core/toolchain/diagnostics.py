"""What the bundler and the type checker have to say about an author's code, and how it is shown.

Both tools answer in this one shape; the JavaScript glue makes it and cuts what is too long. As JSON, a
list of these is what ``flora check --json`` prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

SHOWN: Final = 10
"""Diagnostics that a text shows; the rest is counted."""


class Diagnostic(Struct, frozen=True):
    """One message, and the place it is about."""

    text: str
    file: str = ""
    """Path in the project; empty when the message is about no file."""
    line: int = 0
    """From 1; 0 when there is no place."""
    column: int = 0
    """From 1, in UTF-16 code units, as editors and V8 count."""
    length: int = 1
    """How much of ``source_line`` is meant, from ``caret`` on."""
    source_line: str = ""
    """The line itself; of a very long one the part around the column, with ``…`` where it was cut."""
    caret: int = 0
    """Where in ``source_line`` the column is, from 0."""
    notes: list[str] = []
    severity: Literal["error", "warning"] = "error"
    code: str = ""
    """``TS2322`` from the checker; from the bundler the name of a warning, or nothing."""

    @property
    def place(self) -> str:
        """``src/main.ts:3:16``, as far as it is known."""
        if not self.file or not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


def render(diagnostic: Diagnostic) -> str:
    """``diagnostic`` with its code frame, as several lines without a trailing newline::

    src/main.ts:3:16: error: Expected ";" but found "x"
      3 | let y = "a" x
        |             ^
    """
    kind = diagnostic.severity
    if diagnostic.code.startswith("TS"):
        kind = f"{kind} {diagnostic.code}"
    place = f"{diagnostic.place}: " if diagnostic.place else ""
    first, *rest = diagnostic.text.split("\n")
    lines = [f"{place}{kind}: {first}", *(f"  {line}" for line in rest), *_frame(diagnostic)]
    lines += [f"  note: {note}" for note in diagnostic.notes]
    return "\n".join(lines)


def render_all(diagnostics: Sequence[Diagnostic], *, shown: int = SHOWN) -> str:
    """The first ``shown`` diagnostics as text, and how many there are beyond."""
    texts = [render(diagnostic) for diagnostic in diagnostics[:shown]]
    if len(diagnostics) > shown:
        texts.append(f"… and {len(diagnostics) - shown} more")
    return "\n".join(texts)


def _frame(diagnostic: Diagnostic) -> list[str]:
    """The source line and a line of carets under it, or nothing."""
    if not diagnostic.line:
        return []
    number = str(diagnostic.line)
    before, marked = _split(diagnostic)
    # Tabs stay tabs, so that the caret stands under its column however wide they are shown.
    indent = "".join("\t" if char == "\t" else " " for char in before)
    return [
        f"  {number} | {diagnostic.source_line}".rstrip(),
        f"  {' ' * len(number)} | {indent}{'^' * max(1, len(marked))}",
    ]


def _split(diagnostic: Diagnostic) -> tuple[str, str]:
    """The text before the marked part and the marked part, cut at UTF-16 units."""
    units = diagnostic.source_line.encode("utf-16-le", "replace")
    start = 2 * diagnostic.caret
    end = start + 2 * diagnostic.length
    return units[:start].decode("utf-16-le", "replace"), units[start:end].decode("utf-16-le", "replace")
