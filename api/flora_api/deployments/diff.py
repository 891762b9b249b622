"""What changed between two sets of files, as unified diffs of bounded size and effort. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import unified_diff
from typing import Final, Literal, NamedTuple

CONTEXT: Final = 3
LINES_COMPARED: Final = 4_000
"""Changed lines, of all files together, that are compared line by line: it takes the square of them."""

CHARACTERS_SHOWN: Final = 256 << 10
"""Of all diffs together."""

LINE_SHOWN: Final = 2_000
"""Characters of one line: a minified file has one line."""


class FileDiff(NamedTuple):
    """One file that is not the same."""

    path: str
    change: Literal["added", "removed", "modified"]
    diff: str
    """Empty when there was too much to show."""


def diff_files(before: Mapping[str, str], after: Mapping[str, str]) -> list[FileDiff]:
    """In order of their paths."""
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    compared = shown = 0
    diffs: list[FileDiff] = []
    for path in changed:
        old, new = before.get(path), after.get(path)
        change = "added" if old is None else "removed" if new is None else "modified"
        cost, text = _diff(path, old, new, LINES_COMPARED - compared)
        compared += cost
        if shown + len(text) > CHARACTERS_SHOWN:
            text = ""
        shown += len(text)
        diffs.append(FileDiff(path, change, text))
    return diffs


def _diff(path: str, old: str | None, new: str | None, budget: int) -> tuple[int, str]:
    """What it cost in compared lines, and the text; nothing when it would cost more than ``budget``."""
    a, b = _lines(old), _lines(new)
    head = _common(a, b)
    tail = _common(a[head:][::-1], b[head:][::-1])
    cost = (len(a) + len(b) - 2 * (head + tail)) if a and b else 0
    if cost > budget:
        return 0, ""
    # What is the same at both ends need not be compared, only shown a little of.
    start, stop = max(0, head - CONTEXT), max(0, tail - CONTEXT)
    lines = unified_diff(
        a[start : len(a) - stop],
        b[start : len(b) - stop],
        f"a/{path}" if old is not None else "/dev/null",
        f"b/{path}" if new is not None else "/dev/null",
        n=CONTEXT,
        lineterm="",
    )
    return cost, "".join(f"{_cut(_shifted(line, start))}\n" for line in lines)


def _lines(text: str | None) -> list[str]:
    """Split as editors do; a missing newline at the end is shown as git shows it."""
    if not text:
        return []
    lines = text.split("\n")
    if lines[-1]:
        return [*lines[:-1], f"{lines[-1]}\n\\ No newline at end of file"]
    return lines[:-1]


def _cut(line: str) -> str:
    return line if len(line) <= LINE_SHOWN else f"{line[:LINE_SHOWN]}…"


def _common(a: list[str], b: list[str]) -> int:
    count = 0
    for one, other in zip(a, b, strict=False):
        if one != other:
            break
        count += 1
    return count


def _shifted(line: str, by: int) -> str:
    """A hunk's head with the lines of the whole file, not of the part that was compared."""
    if not by or not line.startswith("@@ -"):
        return line
    _, old, new, _ = line.split(" ", 3)
    return f"@@ {_moved(old, by)} {_moved(new, by)} @@"


def _moved(part: str, by: int) -> str:
    sign, (start, *length) = part[0], part[1:].split(",")
    return f"{sign}{','.join([str(int(start) + by), *length])}"
