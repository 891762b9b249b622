"""Reading and following a guild's log at an API."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import deque
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.integration.cli.conftest import Command
from tests.integration.cli.played_api import GUILD, TOKEN, PlayedApi, Stream, event, refusal
from tests.integration.flora_command import FLORA

STREAM = f"/logs/{GUILD}/stream"


def line(place: str, text: str = "hello", **more: Any) -> dict[str, Any]:
    return {
        "id": place,
        "timestamp": int(place.split("-", maxsplit=1)[0]),
        "level": "info",
        "target": "script",
        "guild_id": GUILD,
        "message": text,
        **more,
    }


def sent(*places: str) -> str:
    return "".join(event(line(place, f"line {place}"), place=place) for place in places)


@pytest.mark.parity(101)
def test_lines_are_shown_with_level_text_and_stack(known: Command, api: PlayedApi) -> None:
    failed = line(
        "2-0",
        "Error: no\x1b[2J",
        level="error",
        outcome="exception",
        stack="at src/main.ts:4:9",
        event="messageCreate",
    )
    api.answers[f"GET /logs/{GUILD}"] = [line("1-0"), failed]
    ended = known("logs")
    shown = [row.split(maxsplit=2)[-1] for row in ended.out.splitlines()]
    assert shown == ["info  hello", "error Error: no\\x1b[2J [exception]", "src/main.ts:4:9"]
    assert known("logs", "--json").lines[1] == failed


def test_what_is_asked_for_goes_up(known: Command, api: PlayedApi) -> None:
    api.answers[f"GET /logs/{GUILD}"] = []
    known("logs", "-n", "5", "--level", "warn", "--grep", "a b", "--since", "2026-01-01T00:00:00+00:00")
    assert api.last("GET", f"/logs/{GUILD}").query == {
        "limit": "5",
        "level": "warn",
        "grep": "a b",
        "since": "1767225600000",
    }
    known("logs", "--until", "2026-01-01T00:00:00+00:00")
    assert api.last("GET", f"/logs/{GUILD}").query["until"] == "1767225600000"


@pytest.mark.parametrize(
    "arguments",
    [["--level", "loud"], ["--since", "yesterday"], ["-n", "1001"], ["-f", "--until", "1h"]],
)
def test_a_wrong_question_is_not_asked(known: Command, api: PlayedApi, arguments: list[str]) -> None:
    assert known("logs", "-g", GUILD, *arguments).code == 2
    assert api.asked == []


@pytest.mark.parity(101)
def test_following_shows_each_line_once_over_every_break(api: PlayedApi) -> None:
    api.answers[f"GET /logs/{GUILD}"] = [line("0-1"), line("0-2")]
    api.streams[STREAM] = deque(
        [
            Stream(sent("1-0", "1-1"), ends=False),
            Stream(": beat\n\n", ends=False),
            Stream(sent("1-1", "2-0") + "id: 3-0\ndata: {", ends=False),
            Stream(event({"missed": 12}, name="missed") + sent("3-0")),
            Stream(""),
        ]
    )
    api.faults.append(refusal(503, "UNAVAILABLE", "restarting"))

    following = subprocess_follow(api)
    try:
        assert following.stdout is not None
        seen = [msgspec.json.decode(following.stdout.readline())["id"] for _ in range(6)]
        assert seen == ["0-1", "0-2", "1-0", "1-1", "2-0", "3-0"]
        api.tokens.clear()
        out, err = following.communicate(timeout=60)
    finally:
        following.kill()
        following.wait()
    assert (following.returncode, out) == (3, "")
    assert "12 lines are missing here" in err
    assert "flora login" in err
    assert TOKEN not in err
    asked = api.requests("GET", STREAM)
    assert api.last("GET", f"/logs/{GUILD}").query == {"limit": "2", "level": "debug"}
    assert [each.headers.get("Last-Event-ID") for each in asked[:5]] == ["0-2", "1-1", "1-1", "2-0", "3-0"]
    assert all(each.query == {"level": "debug"} for each in asked)


@pytest.mark.parametrize(
    ("there", "number", "place", "shown"),
    [([], "5", "0-0", []), ([], "0", "0-0", []), (["1-0"], "0", "1-0", []), (["1-0"], "5", "1-0", ["1-0"])],
)
def test_a_quiet_log_has_a_place_to_go_on_from(
    known: Command, api: PlayedApi, there: list[str], number: str, place: str, shown: list[str]
) -> None:
    """What comes while a connection is broken is not lost, although nothing was seen before."""
    api.answers[f"GET /logs/{GUILD}"] = [line(each) for each in there]
    api.streams[STREAM] = deque([Stream(""), Stream(sent("2-0")), Stream("id: 3-0\ndata: {\n\n")])
    ended = known("logs", "-f", "-n", number, "--json")
    assert [row["id"] for row in ended.lines] == [*shown, "2-0"]
    assert [each.headers["Last-Event-ID"] for each in api.requests("GET", STREAM)] == [place, place, "2-0"]


def subprocess_follow(api: PlayedApi) -> subprocess.Popen[str]:
    """``flora logs -f`` as a process: what it does at Ctrl-C, and how it prints, is its own."""
    env = {**os.environ, "FLORA_API_URL": api.url, "FLORA_TOKEN": TOKEN, "XDG_CONFIG_HOME": "/nonexistent"}
    return subprocess.Popen(
        [*FLORA, "logs", "-f", "-n", "2", "--json", "-g", GUILD],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )


def test_control_c_is_how_following_ends(api: PlayedApi) -> None:
    api.answers[f"GET /logs/{GUILD}"] = []
    api.streams[STREAM] = deque([Stream(sent("1-0"), ends=False)])
    following = subprocess_follow(api)
    try:
        assert following.stdout is not None
        assert following.stdout.readline()
        following.send_signal(signal.SIGINT)
        _, err = following.communicate(timeout=60)
    finally:
        following.kill()
        following.wait()
    assert (following.returncode, err) == (0, "")


def test_a_line_that_cannot_be_read_does_not_end_following_in_silence(known: Command, api: PlayedApi) -> None:
    api.answers[f"GET /logs/{GUILD}"] = []
    api.streams[STREAM] = deque([Stream("id: 1-0\ndata: {\n\n", ends=False)])
    ended = known("logs", "-f")
    assert (ended.code, "cannot be read" in ended.err) == (5, True)


def test_without_an_api_and_without_dev_both_are_named(bare: Command, tmp_path: Path) -> None:
    ended = bare("logs")
    assert ended.code == 1
    assert "start one: flora dev my-bot" in ended.err
    assert "flora login --api" in ended.err
