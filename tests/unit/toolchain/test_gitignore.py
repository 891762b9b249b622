from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.toolchain.ignore import Ignore


def ignored(rules: str, path: str) -> bool:
    return Ignore(rules).ignores(path.rstrip("/"), folder=path.endswith("/"))


@pytest.mark.parametrize(
    ("rules", "path", "expected"),
    [
        ("a.ts", "a.ts", True),
        ("a.ts", "deep/er/a.ts", True),
        ("a.ts", "aa.ts", False),
        ("/a.ts", "a.ts", True),
        ("/a.ts", "b/a.ts", False),
        ("b/a.ts", "b/a.ts", True),
        ("b/a.ts", "c/b/a.ts", False),
        ("*.json", "x/y.json", True),
        ("*.json", "x.jsonc", False),
        ("a?.ts", "ab.ts", True),
        ("a?.ts", "a/.ts", False),
        ("a*b", "a/b", False),
        ("[ab].ts", "a.ts", True),
        ("[!ab].ts", "a.ts", False),
        ("[a-c]x", "bx", True),
        ("gen/", "gen/", True),
        ("gen/", "gen", False),
        ("gen/", "x/gen/", True),
        ("/gen/", "x/gen/", False),
        ("**/gen", "gen", True),
        ("**/gen", "a/b/gen", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**", "a/x/y", True),
        ("a/**", "a", False),
        ("# a.ts", "# a.ts", False),
        (r"\#a.ts", "#a.ts", True),
        (r"\!a.ts", "!a.ts", True),
        ("a.ts   ", "a.ts", True),
        ("", "a.ts", False),
        ("*.ts\n!keep.ts", "keep.ts", False),
        ("*.ts\n!keep.ts", "drop.ts", True),
        ("!keep.ts\n*.ts", "keep.ts", True),
        ("a.b", "axb", False),
        ("a+(b)", "a+(b)", True),
        ("[", "[", False),
    ],
)
def test_rules_mean_what_they_mean_in_git(rules: str, path: str, expected: bool) -> None:
    assert ignored(rules, path) is expected


@pytest.mark.parametrize("rule", ["[]", "[", "a[!]", "x[^]", "[!"])
def test_a_set_without_end_matches_nothing(rule: str) -> None:
    assert not any(ignored(rule, path) for path in ("[]", "[", "a[!]", "x", rule))


@pytest.mark.parametrize(
    ("rule", "path", "expected"),
    [
        ("[]a]", "]", True),
        ("[[]", "[", True),
        ("[a&&b]", "&", True),
        ("[!a--]", "b", True),
        ("[!a--]", "a", False),
        ("[--a]", "]", True),
        ("[--a]", "b", False),
        ("[z-a]", "z", True),
        ("[z-a]", "m", False),
        (r"[\]x]", "]", True),
        ("[.~|]", "~", True),
    ],
)
def test_sets_of_odd_characters(rule: str, path: str, expected: bool) -> None:
    assert ignored(rule, path) is expected


@given(
    rules=st.text() | st.text("[]!^-\\*?/.a&~|\n", max_size=12),
    path=st.text(min_size=1),
    folder=st.booleans(),
)
def test_any_text_can_be_rules(rules: str, path: str, folder: bool) -> None:
    assert Ignore(rules).ignores(path, folder=folder) in (True, False)


@given(name=st.from_regex(r"[a-z][a-z._-]{0,10}", fullmatch=True))
def test_a_plain_name_ignores_itself_everywhere(name: str) -> None:
    assert ignored(name, name)
    assert ignored(name, f"x/{name}")
    assert not ignored(name, f"{name}x")
