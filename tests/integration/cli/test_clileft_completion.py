"""TAB: commands, options, guilds of flora.toml, stores and jobs of the guild that is meant."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import deque
from pathlib import Path
from threading import Event

import pytest

from flora_cli.in_time import answer_within
from tests.integration.cli.conftest import process
from tests.integration.cli.played_api import GUILD, OTHER, TOKEN, PlayedApi, Stream

FLORA = Path(sys.executable).parent / "flora"
"""The command itself: its name is in what shells call."""

TOML = f"""
[env.production]
guilds = ["{GUILD}"]

[env.preview]
guilds = ["{GUILD}", "{OTHER}"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "bot"
    (folder / "src").mkdir(parents=True)
    (folder / "flora.toml").write_text(TOML)
    return folder


PATIENT = """
import sys
from flora_cli import completion
from flora_cli.main import main
completion.ANSWER_SECONDS = {seconds}
sys.argv = ["flora"]
main()
"""


def ask(shell: str, line: str, folder: Path, *, seconds: float = 60.0, **env: str) -> list[str]:
    """What ``shell`` is told when TAB is pressed at the end of ``line``; an API has ``seconds`` to answer."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FLORA_")}
    words = line.split(" ")
    protocol = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    ended = subprocess.run(
        [sys.executable, "-c", PATIENT.format(seconds=seconds)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
        env={
            **clean,
            "XDG_CONFIG_HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "_FLORA_COMPLETE": f"complete_{shell}",
            **protocol,
            **env,
        },
    )
    assert ended.stderr == ""
    return [line for line in ended.stdout.splitlines() if line]


def at(api: PlayedApi, **more: str) -> dict[str, str]:
    return {"FLORA_API_URL": api.url, "FLORA_TOKEN": TOKEN, **more}


# ---------------------------------------------------------------- the shells


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_the_script_of_a_shell_is_printed(shell: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [str(FLORA)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "_FLORA_COMPLETE": f"source_{shell}"},
    )
    assert "flora" in ended.stdout
    assert f"complete_{shell}" in ended.stdout
    if found := shutil.which(shell if shell != "powershell" else "pwsh"):
        parsed = [found, "-n"] if shell in {"bash", "zsh"} else [found, "--no-execute"]
        if shell != "powershell":
            subprocess.run(parsed, input=ended.stdout, text=True, check=True, timeout=60)


@pytest.mark.skipif(shutil.which("bash") is None, reason="this system has no bash")
def test_bash_itself_completes_a_command(project: Path) -> None:
    script = (
        f'PATH="{FLORA.parent}:$PATH"\n'
        'source <(_FLORA_COMPLETE=source_bash flora)\n'
        "COMP_WORDS=(flora deploy --env p); COMP_CWORD=3\n"
        "_flora_completion flora; printf '%s\\n' \"${COMPREPLY[@]}\"\n"
    )  # fmt: skip
    ended = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, check=True, timeout=60, cwd=project
    )
    assert (ended.stdout.split(), ended.stderr) == (["production", "preview"], "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_commands_and_options_are_offered(shell: str, tmp_path: Path) -> None:
    commands = " ".join(ask(shell, "flora de", tmp_path))
    assert ("deploy" in commands, "dev" in commands, "logs" in commands) == (True, True, False)
    assert "--guild" in " ".join(ask(shell, "flora deploy --gu", tmp_path))
    assert "stores" in " ".join(ask(shell, "flora kv st", tmp_path))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_guilds_are_those_of_the_project_around(shell: str, project: Path) -> None:
    offered = " ".join(ask(shell, "flora deploy --guild 1", project / "src"))
    assert (GUILD in offered, OTHER in offered) == (True, True)
    if shell != "bash":
        assert "production, preview" in offered


# ---------------------------------------------------------------- what is offered


def test_environments_come_with_how_many_guilds_they_have(project: Path) -> None:
    assert ask("fish", "flora logs --env ", project) == ["production\t1 guild", "preview\t2 guilds"]


def test_stores_are_those_of_the_guild_that_is_meant(project: Path, api: PlayedApi) -> None:
    api.stores = {"people": {"a": {"value": "1"}}, "places": {}, "counters": {}}
    asked = f"flora kv list --guild {OTHER} --store p"
    assert ask("bash", asked, project, **at(api)) == ["people", "places"]
    assert api.last("GET", "/kv/stores").query == {"guild_id": OTHER}


def test_without_a_guild_the_only_one_is_meant(project: Path, api: PlayedApi) -> None:
    api.stores = {"people": {"a": {"value": "1"}}}
    assert ask("fish", "flora kv get a --store ", project, **at(api)) == ["people\t1 keys"]
    assert ask("fish", "flora kv get a --env production -s ", project, **at(api)) == ["people\t1 keys"]
    assert {asked.query["guild_id"] for asked in api.requests("GET", "/kv/stores")} == {GUILD}


def test_jobs_are_offered_to_be_run(project: Path, api: PlayedApi) -> None:
    api.answers[f"GET /crons/{GUILD}"] = [
        {"name": "tidy", "expression": "0 9 * * *"},
        {"name": "remind", "expression": "* * * * *"},
    ]
    assert ask("bash", "flora cron run t", project, **at(api, FLORA_GUILD=GUILD)) == ["tidy"]


@pytest.mark.parametrize(
    "line", ["flora kv list --store ", "flora cron run ", "flora deploy --env ", "flora logs --guild "]
)
def test_what_goes_wrong_offers_nothing_and_says_nothing(line: str, tmp_path: Path) -> None:
    (tmp_path / "flora.toml").write_text("not [toml")
    assert ask("bash", line, tmp_path, FLORA_API_URL="http://127.0.0.1:1") == []
    assert ask("bash", line, tmp_path) == []


def test_an_api_that_does_not_answer_is_not_waited_for(project: Path, api: PlayedApi) -> None:
    api.streams["/kv/stores"] = deque([Stream("", ends=False)])
    assert ask("bash", f"flora kv list --guild {GUILD} --store ", project, seconds=0.2, **at(api)) == []


def test_a_guild_that_is_not_clear_is_not_asked_for(project: Path, api: PlayedApi) -> None:
    api.guilds.append({**api.guilds[0], "id": OTHER})
    assert ask("bash", "flora kv list --store ", project, **at(api)) == []


def test_an_answer_that_takes_too_long_is_none() -> None:
    assert answer_within(0.01, Event().wait, otherwise="none") == "none"
    assert answer_within(30.0, lambda: 7, otherwise=0) == 7
    assert answer_within(30.0, lambda: 1 // 0, otherwise=0) == 0


def test_completing_imports_nothing_heavy(project: Path) -> None:
    """TAB is pressed often: a command's options must not cost an HTTP client."""
    ended = process("--help", env={}, cwd=project)
    assert ended.code == 0
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(sorted({'httpx', 'aiohttp', 'asyncio'} & set(sys.modules)), file=sys.stderr))\n"
        "sys.argv = ['flora']\n"
        "from flora_cli.main import main\n"
        "main()\n"
    )
    env = {
        **os.environ,
        "_FLORA_COMPLETE": "complete_bash",
        "COMP_WORDS": "flora kv list --g",
        "COMP_CWORD": "3",
    }
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60, env=env, cwd=project)  # fmt: skip
    assert told.stdout.split() == ["--guild"]
    assert told.stderr.strip() == "[]"
