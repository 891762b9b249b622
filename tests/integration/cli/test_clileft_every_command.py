"""What holds for every command of ``flora``: help, JSON, exit codes; and at a terminal, a pipe, Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup

from flora_cli.commands import COMMANDS
from flora_cli.lazy import load
from tests.integration.cli.conftest import Command
from tests.integration.cli.played_api import GUILD, TOKEN, PlayedApi, Stream
from tests.integration.flora_command import FLORA
from tests.waiting import eventually

NO_DATA = {"init", "types", "render", "login", "logout", "open", "token revoke"}
"""Commands that have nothing for programs to read, or are files themselves."""

WITHOUT_A_CALL = {"open": 0, "logout": 3}
"""Commands with an API that they need not ask, and how they end for somebody who has not logged in."""

CALLS = {
    "login": ("--token", "-"),
    "logout": (),
    "whoami": (),
    "token create": (),
    "token list": (),
    "token revoke": ("abc",),
    "deploy": (".",),
    "diff": (".",),
    "status": (),
    "list": (),
    "history": (),
    "rollback": ("--yes",),
    "undeploy": ("--yes",),
    "logs": (),
    "kv stores": (),
    "kv list": ("--store", "s"),
    "kv get": ("k", "--store", "s"),
    "kv put": ("k", "v", "--store", "s"),
    "kv delete": ("k", "--store", "s"),
    "kv clear": ("--store", "s", "--yes"),
    "kv bulk": ("entries.json", "--store", "s"),
    "kv export": (),
    "kv exports": (),
    "kv import": ("entries.json",),
    "secret put": ("NAME",),
    "secret list": (),
    "secret delete": ("NAME",),
    "cron list": (),
    "cron run": ("tidy",),
    "top": (),
    "health": (),
    "open": ("--print",),
}
"""Every command that speaks to an API, with the least that it wants to be told."""


def leaves() -> Iterator[tuple[str, Any]]:
    for row in COMMANDS:
        command = load(row)
        if isinstance(command, TyperGroup):
            for name, inner in command.commands.items():
                yield f"{row.name} {name}", inner
        else:
            yield row.name, command


EVERY = dict(leaves())


def options(command: Any) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts}


@pytest.fixture
def ready(known: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """In the folder of a project, with a guild that is clear."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.ts").write_text("console.log(1);\n")
    (tmp_path / "entries.json").write_text('[{"key": "a", "value": "1"}]')
    monkeypatch.setenv("FLORA_GUILD", GUILD)
    return known


def test_the_list_of_those_that_speak_to_an_api_is_complete() -> None:
    speaking = {name for name, command in EVERY.items() if "--api" in options(command)}
    assert set(CALLS) == speaking - {"dev"}, "for `flora dev`, --api says whether it has one"


@pytest.mark.parametrize("name", EVERY)
def test_help_has_an_example(name: str) -> None:
    assert re.search(r"^Examples?: flora ", EVERY[name].help or "", re.MULTILINE), name


@pytest.mark.parametrize("name", sorted(set(EVERY) - NO_DATA))
def test_what_prints_data_prints_json(name: str) -> None:
    assert "--json" in options(EVERY[name])


def test_what_has_no_data_has_no_json() -> None:
    assert {name for name in EVERY if "--json" not in options(EVERY[name])} == NO_DATA


@pytest.mark.parametrize("name", EVERY)
def test_a_wrong_option_is_exit_code_2(bare: Command, name: str) -> None:
    ended = bare(*name.split(), "--no-such-option")
    assert (ended.code, ended.out) == (2, "")
    assert "--no-such-option" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("name", CALLS)
def test_an_api_that_cannot_be_reached_is_exit_code_5(
    ready: Command, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLORA_API_URL", "http://127.0.0.1:1")
    ended = ready(*name.split(), *CALLS[name], stdin=b"flora_a_token")
    assert ended.code == WITHOUT_A_CALL.get(name, 5), ended.err
    if name not in WITHOUT_A_CALL:
        assert (ended.out, "cannot be reached" in ended.err) == ("", True)
        assert "FLORA_API_URL" in ended.err


@pytest.mark.parametrize("name", CALLS)
def test_a_token_that_is_no_longer_good_is_exit_code_3(ready: Command, api: PlayedApi, name: str) -> None:
    api.tokens.clear()
    ended = ready(*name.split(), *CALLS[name], stdin=b"flora_a_token")
    assert ended.code == WITHOUT_A_CALL.get(name, 3), ended.err
    if name not in WITHOUT_A_CALL:
        assert (ended.out, "flora login --api" in ended.err) == ("", True)


@pytest.mark.parametrize("name", CALLS)
def test_nobody_who_is_not_there_is_asked(bare: Command, name: str) -> None:
    """Without an API that is configured each says how to have one."""
    ended = bare(*name.split(), *CALLS[name], stdin=b"flora_a_token")
    assert (ended.out, "flora login --api" in ended.err) == ("", True) or name in {"deploy", "diff", "kv bulk", "kv import"}, ended.err  # fmt: skip
    assert ended.code != 0


# ---------------------------------------------------------------- as processes


def environment(api: PlayedApi, folder: Path, **more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FLORA_")}
    dropped = {"NO_COLOR", "FORCE_COLOR", "COLUMNS"}
    return {
        **{name: value for name, value in clean.items() if name not in dropped},
        "FLORA_API_URL": api.url,
        "FLORA_TOKEN": TOKEN,
        "FLORA_GUILD": GUILD,
        "XDG_CONFIG_HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "TERM": "xterm",
        **more,
    }


@pytest.mark.parametrize("command", [["cron", "run", "tidy"], ["status"], ["logs"], ["kv", "export"]])
def test_control_c_ends_a_command_with_130_and_says_nothing(
    api: PlayedApi, tmp_path: Path, command: list[str]
) -> None:
    hangs = {
        "cron": f"/crons/{GUILD}/run",
        "status": f"/deployments/{GUILD}/status",
        "logs": f"/logs/{GUILD}",
        "kv": f"/kv/export/{GUILD}",
    }
    path = hangs[command[0]]
    api.streams[path] = deque([Stream(": wait\n\n", ends=False)])
    process = subprocess.Popen(
        [*FLORA, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(api, tmp_path),
    )
    try:
        eventually(lambda: any(asked.path == path for asked in api.asked), seconds=60)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out, err.strip()) == (130, "", "")


def test_control_c_before_anything_was_imported_says_nothing(tmp_path: Path) -> None:
    code = (
        "import builtins, os, signal\n"
        "from flora_cli import start\n"
        "real = builtins.__import__\n"
        "def importing(name, *rest):\n"
        "    if name == 'flora_cli.main': os.kill(os.getpid(), signal.SIGINT)\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = importing\n"
        "start.main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


def test_the_command_begins_at_its_start() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "flora_cli.start", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", ended.stdout)


def many_lines(api: PlayedApi) -> None:
    api.answers[f"GET /logs/{GUILD}"] = [
        {"id": f"{n}-0", "timestamp": n, "level": "info", "target": "script", "guild_id": GUILD, "message": "x" * 200}
        for n in range(1, 2000)
    ]  # fmt: skip


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_pipe_that_is_closed_ends_a_command_quietly(
    api: PlayedApi, tmp_path: Path, more: list[str]
) -> None:
    many_lines(api)
    process = subprocess.Popen(
        [*FLORA, "logs", "-n", "1000", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(api, tmp_path),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) in (0, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_disk_that_is_full_is_said_in_a_line(api: PlayedApi, tmp_path: Path, more: list[str]) -> None:
    many_lines(api)
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [*FLORA, "logs", "-n", "1000", *more],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
            env=environment(api, tmp_path),
        )
    assert ended.returncode == 1
    assert ended.stderr == "error: what this prints has no room any more: No space left on device\n"


def on_screen(api: PlayedApi, folder: Path, *command: str, columns: int = 80, **more: str) -> str:
    """What a command shows on a terminal of its own."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [*FLORA, *command], stdin=theirs, stdout=theirs, stderr=theirs, env=environment(api, folder, **more)
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # Linux: nobody has the other end any more
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    process.wait(60)
    return seen.decode().replace("\r\n", "\n")


def history(api: PlayedApi) -> None:
    api.answers[f"GET /deployments/{GUILD}/history"] = {
        "revisions": [
            {
                "id": f"5b1f0c7e-0000-4000-8000-00000000000{number}",
                "status": "success",
                "deployed_at": "2026-11-22T20:10:11.123456Z",
                "deploy_source": "cli",
                "message": "greets newcomers, and says what there is to do",
                "actor": {"type": "session", "user_id": "42", "username": "ann"},
            }
            for number in range(2)
        ]
    }


def test_a_wide_terminal_gets_a_table(api: PlayedApi, tmp_path: Path) -> None:
    history(api)
    lines = on_screen(api, tmp_path, "history", columns=120, NO_COLOR="1").splitlines()
    assert "5b1f0c7e-0000-4000-8000-000000000000  success  2026-11-22 20:10:11Z  ann  cli" in lines[1]


def test_on_a_narrow_terminal_rows_stand_below_each_other_and_nothing_is_lost(
    api: PlayedApi, tmp_path: Path
) -> None:
    history(api)
    shown = on_screen(api, tmp_path, "history", columns=60, NO_COLOR="1")
    lines = [re.sub("\x1b\\[[0-9;]*m", "", line).rstrip() for line in shown.splitlines()]
    assert lines[0] == "revision  5b1f0c7e-0000-4000-8000-000000000000"
    assert lines[2:5] == ["deployed  2026-11-22 20:10:11Z", "by        ann", "from      cli"]
    assert max(map(len, lines)) <= 60
    assert "" in lines


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_errors_are_coloured_on_a_terminal_unless_nobody_wants_that(
    api: PlayedApi, tmp_path: Path, *, no_color: str, coloured: bool
) -> None:
    api.tokens.clear()
    seen = on_screen(api, tmp_path, "list", NO_COLOR=no_color)
    assert "the token is not good" in seen
    assert bool(re.search("\x1b\\[[0-9;]*3[0-7]m", seen)) is coloured
