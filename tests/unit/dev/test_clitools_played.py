"""What a script finds around it in a test, and how results are found and shown. No engine here."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from flora_core.toolchain import Diagnostic, Project
from flora_core.wire.control import ScriptError
from flora_core.wire.gateway import OpError
from flora_dev.testing.played import PlayedDiscord, PlayedServers, Refused, Stub
from flora_dev.testing.report import Report, details, difference
from flora_dev.testing.runner import Result, find_tests, frame_of, with_harness

NOW = "2026-01-01T00:00:00.000Z"


def raw(**args: Any) -> Raw:
    return Raw(msgspec.json.encode(args))


def call(discord: PlayedDiscord, name: str, **args: Any) -> Any:
    return discord.call(name, raw(**args), now=NOW)


# ---------------------------------------------------------------- Discord


def test_a_message_comes_back_with_an_id_and_can_be_fetched_and_edited() -> None:
    discord = PlayedDiscord()
    sent = call(discord, "sendMessage", path={"channel": "7"}, body={"content": "hi", "nonce": "n"})
    assert (sent["channel_id"], sent["content"], sent["author"]["bot"]) == ("7", "hi", True)
    path = {"channel": "7", "message": sent["id"]}
    edited = call(discord, "editMessage", path=path, body={"content": "ho"})
    assert (edited["id"], edited["content"], edited["nonce"]) == (sent["id"], "ho", "n")
    assert call(discord, "fetchMessage", path=path) == edited


def test_the_answer_to_an_interaction_has_its_message_inside() -> None:
    body = {"type": 4, "data": {"content": "hi"}}
    answer = call(PlayedDiscord(), "sendInteractionResponse", path={"token": "t"}, body=body)
    assert answer["resource"]["message"]["content"] == "hi"


@pytest.mark.parametrize(
    ("name", "path", "body", "expected"),
    [
        ("createRole", {}, {"name": "gold"}, {"name": "gold"}),
        ("editChannel", {"channel": "8"}, {"name": "x"}, {"id": "8", "name": "x"}),
        ("editMember", {"user": "5"}, {"nick": "n"}, {"nick": "n", "roles": []}),
        ("createThread", {"channel": "8"}, {"name": "t"}, {"name": "t"}),
    ],
)
def test_what_is_made_or_changed_comes_back_as_it_is_wanted(
    name: str, path: dict[str, str], body: dict[str, Any], expected: dict[str, Any]
) -> None:
    answer = call(PlayedDiscord(), name, path=path, body=body)
    assert expected.items() <= answer.items()


def test_a_new_thing_has_an_id_of_its_own() -> None:
    discord = PlayedDiscord()
    ids = {call(discord, "createThread", path={"channel": "8"}, body={"name": "t"})["id"] for _ in range(3)}
    assert len(ids) == 3
    assert "8" not in ids


def test_what_has_no_body_has_no_answer() -> None:
    assert call(PlayedDiscord(), "addReaction", path={"channel": "1", "message": "2", "emoji": "x"}) is None


@pytest.mark.parametrize("name", ["fetchMember", "listRoles", "getGuildCommands", "searchMembers"])
def test_questions_are_refused_with_what_to_write(name: str) -> None:
    with pytest.raises(Refused, match=rf"t\.discord\.reply\('{name}', …\)") as refused:
        call(PlayedDiscord(), name, path={})
    assert refused.value.error.status == 404


def test_what_the_test_says_goes_first_and_every_call_is_remembered() -> None:
    discord = PlayedDiscord()
    discord.replies["fetchGuild"] = {"name": "g"}
    discord.refusals["kickMember"] = OpError("DISCORD_HTTP_ERROR", "no", status=403)
    assert call(discord, "fetchGuild", query={"with_counts": "true"}) == {"name": "g"}
    with pytest.raises(Refused, match="no"):
        call(discord, "kickMember", path={"user": "5"}, reason="spam")
    assert [(made.name, made.query, made.reason) for made in discord.calls] == [
        ("fetchGuild", {"with_counts": "true"}, None),
        ("kickMember", {}, "spam"),
    ]


# ---------------------------------------------------------------- other servers


def fetched(servers: PlayedServers, url: str, method: str = "GET") -> tuple[int, str | None]:
    answer = servers.fetch(raw(url=url, method=method, headers=[]))
    return answer.status, answer.text


def test_the_newest_stub_that_fits_answers() -> None:
    servers = PlayedServers(
        stubs=[
            Stub("https://a.example/*", text="all"),
            Stub("https://a.example/one", text="one", status=201),
            Stub("https://a.example/*", text="posted", method="post"),
            Stub("https://a.example/two", text="once", times=1),
        ]
    )
    assert fetched(servers, "https://a.example/one") == (201, "one")
    assert fetched(servers, "https://a.example/other") == (200, "all")
    assert fetched(servers, "https://a.example/one", "POST") == (200, "posted")
    assert fetched(servers, "https://a.example/two") == (200, "once")
    assert fetched(servers, "https://a.example/two") == (200, "all")
    assert len(servers.requests) == 5


def test_without_a_stub_nobody_answers() -> None:
    with pytest.raises(Refused, match=r"no server in this test answers GET https://b\.example/"):
        fetched(PlayedServers([Stub("https://a.example/")]), "https://b.example/")


def test_requests_that_a_pod_would_refuse_are_refused() -> None:
    with pytest.raises(Refused, match="Invalid input for method"):
        fetched(PlayedServers([Stub("https://a.example/*")]), "https://a.example/", "TRACE")


# ---------------------------------------------------------------- files and places


def test_tests_are_found_by_their_names() -> None:
    paths = ["src/main.ts", "src/b.test.ts", "a.spec.mjs", "src/test.ts", "src/c.test.json", "src/d.test.tsx"]
    files = dict.fromkeys(paths, "")
    assert find_tests(files) == ["a.spec.mjs", "src/b.test.ts", "src/d.test.tsx"]
    assert find_tests(files, ["b.", "d."]) == ["src/b.test.ts", "src/d.test.tsx"]
    assert find_tests(files, ["nowhere"]) == []


def test_the_harness_is_a_dependency_and_the_test_file_the_start() -> None:
    project = Project({"main.ts": "", "a.test.ts": ""}, "main.ts")
    made = with_harness(project, "a.test.ts")
    assert 'import "./a.test.ts"' in made.files[made.entrypoint]
    assert "node_modules/flora-test/index.js" in made.dependencies


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        ("at src/main.ts:2:3", (2, 3, "two")),
        ("at ping (src/main.ts:1:1)", (1, 1, "one")),
        ("at async src/main.ts:2:1", (2, 1, "two")),
        ("at Array.map (<anonymous>)\nat node_modules/x/y.js:1:1\nat src/main.ts:1:2", (1, 2, "one")),
        ("at src/main.ts:9:1", None),
        ("at src/other.ts:1:1", None),
        ("", None),
    ],
)
def test_the_frame_is_the_innermost_line_of_the_project(
    stack: str, expected: tuple[int, int, str] | None
) -> None:
    frame = frame_of(stack, {"src/main.ts": "one\ntwo\n"})
    assert (None if frame is None else (frame.line, frame.column, frame.source)) == expected


@given(st.text(max_size=200))
def test_any_text_is_a_stack_with_or_without_a_place(text: str) -> None:
    frame_of(text, {"a.ts": "x"})


# ---------------------------------------------------------------- what is shown


def shown(result: Result) -> str:
    return "\n".join(line.plain for line in details(result))


def test_a_difference_shows_what_changed_and_a_little_around_it() -> None:
    lines = [line.plain.strip() for line in difference("{\n  a: 1,\n  b: 2,\n}", "{\n  a: 1,\n  b: 3,\n}")]
    assert lines == ["- expected  + actual", "{", "a: 1,", "-  b: 2,", "+  b: 3,", "}"]


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_two_texts_can_be_compared(expected: str, actual: str) -> None:
    assert difference(expected, actual)


def test_a_failed_test_shows_message_place_stack_and_log() -> None:
    stack = "at src/main.ts:1:2"
    frame = frame_of(stack, {"src/main.ts": "throw it"})
    result = Result(
        "a.test.ts", "a", "failed", 1.0, ScriptError("Error: no\x1b[2J", stack), frame, logs=[("warn", "w")]
    )
    assert shown(result).splitlines() == [
        "    Error: no\\x1b[2J",
        "    src/main.ts:1:2",
        "      1 | throw it",
        "        |  ^",
        "      at src/main.ts:1:2".replace("      ", "      ", 1),
        "    warn: w",
    ]


def test_a_file_that_cannot_be_bundled_shows_the_bundlers_own_words() -> None:
    diagnostic = Diagnostic(
        'Could not resolve "./x"', file="a.test.ts", line=1, column=8, source_line='import "./x"'
    )
    result = Result("a.test.ts", "", "failed", error=ScriptError("many"), diagnostics=[diagnostic])
    assert 'a.test.ts:1:8: error: Could not resolve "./x"' in shown(result)


def test_nothing_that_ran_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(as_json=False)
    report.finish(0.1)
    assert "no test has such a name" in capsys.readouterr().out
    assert not report.failed
