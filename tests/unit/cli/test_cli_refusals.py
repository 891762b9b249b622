"""What an API's answers mean for whoever called: exit codes, texts, paths."""

from __future__ import annotations

from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_cli.client import code_of, refusal, segment
from flora_cli.main import exit_code
from flora_cli.revisions import compare

URL = "https://flora.example.com"


def body(message: str = "no", code: str = "NO") -> bytes:
    return msgspec.json.encode({"message": message, "code": code, "details": {"a": 1}})


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, 2),
        (413, 2),
        (401, 3),
        (403, 3),
        (404, 4),
        (409, 1),
        (507, 1),
        (429, 5),
        (500, 5),
        (502, 5),
        (503, 5),
        (504, 5),
    ],
)
def test_a_status_is_an_exit_code(status: int, code: int) -> None:
    error = refusal(status, body(), url=URL)
    assert (exit_code(error), code_of(error)) == (code, "NO")
    assert str(error).startswith("no")


@given(st.integers(400, 599), st.binary(max_size=200))
def test_any_answer_is_some_error(status: int, content: bytes) -> None:
    error = refusal(status, content, url=URL)
    assert str(error)
    assert exit_code(error) in {1, 2, 3, 4, 5}


def test_who_is_not_logged_in_hears_how() -> None:
    assert f"flora login --api {URL}" in str(refusal(401, body(), url=URL))


def test_a_server_that_is_no_api_is_suspected() -> None:
    assert "is it an API of flora?" in str(refusal(404, b"<h1>nginx</h1>", url=URL))


def test_when_to_come_back_is_said() -> None:
    assert "try again in 7 s" in str(refusal(429, body(), url=URL, retry_after=7.0))


@given(st.text(min_size=1))
def test_any_text_is_one_part_of_a_path(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    part = segment(text)
    assert unquote(part) == text
    assert "/" not in part
    assert part not in {".", ".."}


@given(
    st.dictionaries(st.sampled_from("abcd"), st.text(), max_size=4),
    st.dictionaries(st.sampled_from("abcd"), st.text(), max_size=4),
)
def test_only_what_differs_is_told(before: dict[str, str], after: dict[str, str]) -> None:
    changes = {each["path"]: each["change"] for each in compare(before, after)}
    for path in {*before, *after}:
        if before.get(path) == after.get(path):
            assert path not in changes
        elif path not in before:
            assert changes[path] == "added"
        elif path not in after:
            assert changes[path] == "removed"
        else:
            assert changes[path] == "modified"


def test_a_change_is_shown_as_a_unified_diff() -> None:
    (change,) = compare({"a.ts": "one\ntwo\n"}, {"a.ts": "one\nthree\n"})
    assert change["diff"].splitlines() == [
        "--- a/a.ts",
        "+++ b/a.ts",
        "@@ -1,2 +1,2 @@",
        " one",
        "-two",
        "+three",
    ]


def test_what_to_do_is_said_once() -> None:
    content = b'{"message": "the database is away; try again in a moment", "code": "DATABASE_UNAVAILABLE"}'
    error = refusal(503, content, url=URL, retry_after=2.0)
    assert str(error) == "the database is away; try again in a moment"
