"""Diffs of files: right, and bounded whatever the files are."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_api.deployments import diff
from flora_api.deployments.diff import diff_files

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "@@ -1 +1 @@", "--- a/x", "\t{"]), max_size=30)
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + ("\n" if end else ""), LINES, st.booleans())


def test_what_is_the_same_is_not_shown() -> None:
    assert diff_files({"a.ts": "1"}, {"a.ts": "1"}) == []


def test_each_kind_of_change_is_named() -> None:
    found = diff_files(
        {"gone.ts": "1\n", "same.ts": "1", "x.ts": "1\n"}, {"new.ts": "1\n", "same.ts": "1", "x.ts": "2\n"}
    )
    assert [(each.path, each.change) for each in found] == [
        ("gone.ts", "removed"),
        ("new.ts", "added"),
        ("x.ts", "modified"),
    ]


def test_lines_are_numbered_as_in_the_whole_file() -> None:
    before = [f"line {n}" for n in range(1, 101)]
    after = [*before[:49], "changed", *before[50:]]
    [found] = diff_files({"a": "\n".join(before) + "\n"}, {"a": "\n".join(after) + "\n"})
    assert "@@ -47,7 +47,7 @@\n line 47\n" in found.diff
    assert "-line 50\n+changed\n" in found.diff


@given(before=TEXTS, after=TEXTS)
def test_a_diff_can_be_applied(tmp_path_factory: pytest.TempPathFactory, before: str, after: str) -> None:
    """``git apply`` makes the second text of the first."""
    if before == after:
        assert diff_files({"a": before}, {"a": after}) == []
        return
    if not before or not after:  # to git those are other kinds of change
        return
    folder: Path = tmp_path_factory.mktemp("diff")
    (folder / "a").write_text(before)
    [found] = diff_files({"a": before}, {"a": after})
    done = subprocess.run(
        ["git", "apply", "--unidiff-zero", "-"],
        input=found.diff,
        text=True,
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, (done.stderr, found.diff)
    assert (folder / "a").read_text() == after


def test_what_is_the_same_at_both_ends_costs_nothing() -> None:
    same = "\n".join(f"line {n}" for n in range(50_000))
    [found] = diff_files({"a": f"{same}\nold\n{same}"}, {"a": f"{same}\nnew\n{same}"})
    assert "-old\n+new\n" in found.diff


def test_more_than_is_compared_is_named_and_not_shown() -> None:
    old, new = ("\n".join(f"{word} {n}" for n in range(diff.LINES_COMPARED)) for word in ("old", "new"))
    first, second = diff_files({"a": old, "b": "1\n"}, {"a": new, "b": "2\n"})
    assert (first.change, first.diff) == ("modified", "")
    assert "-1\n+2\n" in second.diff


def test_hostile_texts_take_a_bounded_time() -> None:
    """Lines that repeat are the worst for the comparison."""
    lines = diff.LINES_COMPARED // 2
    old = "\n".join(str(n % 40) for n in range(lines))
    new = "\n".join(str(n * 7 % 41) for n in range(lines - 1))
    began = time.process_time()
    diff_files({"a": old}, {"a": new})
    assert time.process_time() - began < 30


def test_long_lines_and_much_text_are_cut() -> None:
    [found] = diff_files({"a": "x"}, {"a": "y" * 100_000 + "\n"})
    assert len(found.diff) < 2 * diff.LINE_SHOWN + 200
    many = {f"{n}.ts": "z" * 1_900 + "\n" * 20 for n in range(200)}
    assert sum(len(each.diff) for each in diff_files({}, many)) <= diff.CHARACTERS_SHOWN
