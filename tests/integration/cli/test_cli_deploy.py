"""Deploying to an API, and what becomes of it."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from flora_core.toolchain import Bundle, Project, Toolchain
from tests.integration.cli.conftest import Command, process
from tests.integration.cli.played_api import (
    CUT,
    GUILD,
    OTHER,
    TOKEN,
    Asked,
    Fault,
    PlayedApi,
    Stream,
    event,
    refusal,
)
from tests.integration.flora_command import FLORA

REVISION = "5b1f0c7e"
SCRIPT = "on('messageCreate', async (ctx) => { await ctx.reply('pong'); });\n"
PROGRESS = (
    event({"revision_id": REVISION, "step": "queued", "message": ""}, name="progress")
    + ": beat\n\n"
    + event({"revision_id": REVISION, "step": "assigned", "message": "to flora-runtime-2"}, name="progress")
)
READY = event({"revision_id": REVISION, "pod": "flora-runtime-2", "milliseconds": 812.5}, name="ready")


def progress_path(guild: str = GUILD) -> str:
    return f"/deployments/{guild}/revisions/{REVISION}/progress"


def accepted(guild: str = GUILD) -> dict[str, Any]:
    return {
        "guild_id": guild,
        "revision_id": REVISION,
        "entry": "src/main.ts",
        "created_at": "",
        "updated_at": "",
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "bot"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.ts").write_text(SCRIPT)
    return folder


@pytest.fixture
def takes(api: PlayedApi) -> PlayedApi:
    """The API takes deploys to both guilds, and they end well."""
    for guild in (GUILD, OTHER):
        api.answers[f"POST /deployments/{guild}"] = accepted(guild)
        api.streams[progress_path(guild)] = deque([Stream(PROGRESS + READY)])
    return api


# ---------------------------------------------------------------- what is sent


@pytest.mark.parity(99)
def test_a_folder_is_deployed_and_followed_until_it_runs(
    known: Command, takes: PlayedApi, project: Path
) -> None:
    ended = known("deploy", project, "--guild", GUILD, "-m", "greets")
    assert (ended.code, ended.out) == (0, f"{GUILD} ready on flora-runtime-2 in 0.8 s, revision {REVISION}\n")
    assert "assigned  to flora-runtime-2" in ended.err
    asked = takes.last("POST", f"/deployments/{GUILD}")
    assert asked.json == {
        "entry": "src/main.ts",
        "files": [{"path": "src/main.ts", "contents": SCRIPT}],
        "message": "greets",
    }
    assert asked.headers["X-Flora-Deploy-Source"] == "cli"
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"


def test_tests_and_what_floraignore_names_stay_here(known: Command, takes: PlayedApi, project: Path) -> None:
    (project / "src" / "main.test.ts").write_text("test('it works', () => {});\n")
    (project / "samples.json").write_text("[]")
    (project / ".floraignore").write_text("samples.json\n")
    ended = known("deploy", project, "--guild", GUILD)
    assert f"1 file, {len(SCRIPT)} B; left out: samples.json, src/main.test.ts" in ended.err
    sent = takes.last("POST", f"/deployments/{GUILD}").json["files"]
    assert [each["path"] for each in sent] == ["src/main.ts"]


def test_json_is_one_object_a_guild(known: Command, takes: PlayedApi, project: Path) -> None:
    takes.streams[progress_path(OTHER)] = deque(
        [Stream(event({"message": "Error: no", "code": "LOAD_FAILED"}, name="failed"))]
    )
    ended = known("deploy", project, "-g", GUILD, "-g", OTHER, "--json")
    assert ended.code == 1
    assert ended.lines == [
        {
            "guild_id": GUILD,
            "ok": True,
            "revision_id": REVISION,
            "pod": "flora-runtime-2",
            "milliseconds": 812.5,
        },
        {"guild_id": OTHER, "ok": False, "error": "Error: no"},
    ]
    assert "1 of 2 guilds failed" in ended.err


@pytest.mark.parity(99)
def test_npm_packages_are_bundled_here_as_they_would_be_anywhere(
    known: Command, takes: PlayedApi, project: Path
) -> None:
    package = project / "node_modules" / "pad"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name": "pad", "version": "1.0.0", "main": "index.js"}')
    (package / "index.js").write_text("module.exports = (text) => text.padStart(9);\n")
    (project / "package.json").write_text('{"dependencies": {"pad": "1"}}')
    (project / "src" / "main.ts").write_text("import pad from 'pad';\nconsole.log(pad('x'));\n")
    assert known("deploy", project, "-g", GUILD).code == 0
    sent = takes.last("POST", f"/deployments/{GUILD}").json
    assert {file["path"] for file in sent["files"]} == {"package.json", "src/main.ts"}
    bundle = Bundle(sent["entry"], sent["bundle"], sent["source_map"]["contents"])
    assert sent["source_map"]["path"] == "bundle.js.map"
    assert bundle.sha256 == _bundled(project).sha256


def _bundled(folder: Path) -> Bundle:
    async def bundle() -> Bundle:
        async with Toolchain() as toolchain:
            return (await toolchain.bundle(Project.from_folder(folder))).bundle

    return asyncio.run(bundle())


def test_a_package_that_is_broken_is_shown_with_its_line(
    known: Command, takes: PlayedApi, project: Path
) -> None:
    package = project / "node_modules" / "pad"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name": "pad", "version": "1.0.0", "main": "index.js"}')
    (package / "index.js").write_text("module.exports = ;\n")
    (project / "package.json").write_text('{"dependencies": {"pad": "1"}}')
    (project / "src" / "main.ts").write_text("import pad from 'pad';\npad();\n")
    ended = known("deploy", project, "-g", GUILD)
    assert (ended.code, "1 | module.exports = ;" in ended.err) == (1, True)
    assert takes.asked == []


def test_a_dry_run_changes_nothing(known: Command, api: PlayedApi, project: Path) -> None:
    warning = {"text": "odd", "file": "src/main.ts", "line": 1, "column": 1, "severity": "warning"}
    api.answers[f"POST /deployments/{GUILD}"] = {"ok": True, "warnings": [warning], "bytes": 1234}
    ended = known("deploy", project, "-g", GUILD, "--dry-run")
    assert (ended.code, ended.out) == (0, f"{GUILD} can be deployed: 1,234 bytes; nothing was changed\n")
    assert "src/main.ts:1:1: warning: odd" in ended.err
    assert api.last("POST", f"/deployments/{GUILD}").query == {"dry_run": "true"}
    assert known("deploy", project, "-g", GUILD, "--dry-run", "--json").json["bytes"] == 1234


def test_not_waiting_says_how_to_look(known: Command, takes: PlayedApi, project: Path) -> None:
    ended = known("deploy", project, "-g", GUILD, "--no-wait")
    assert (ended.code, ended.out) == (0, f"{GUILD} deployed, revision {REVISION}\n")
    assert f"flora status --guild {GUILD}" in ended.err
    assert takes.requests("GET", progress_path()) == []


def test_what_was_expected_is_sent_along(known: Command, takes: PlayedApi, project: Path) -> None:
    known("deploy", project, "-g", GUILD, "--expected-revision", "abc")
    assert takes.last("POST", f"/deployments/{GUILD}").json["expected_revision"] == "abc"
    both = known("deploy", project, "-g", GUILD, "-g", OTHER, "--expected-revision", "abc")
    assert (both.code, "one guild" in both.err) == (2, True)


# ---------------------------------------------------------------- where to


def test_an_environment_names_its_guilds(known: Command, takes: PlayedApi, project: Path) -> None:
    (project / "flora.toml").write_text(f'[env.production]\nguilds = ["{GUILD}", "{OTHER}"]\n')
    assert known("deploy", project, "--env", "production").code == 0
    assert len(takes.requests("POST", f"/deployments/{GUILD}")) == 1
    assert len(takes.requests("POST", f"/deployments/{OTHER}")) == 1
    wrong = known("deploy", project, "--env", "prod")
    assert (wrong.code, "there are: production" in wrong.err) == (2, True)


def test_the_only_guild_is_the_one(
    known: Command, takes: PlayedApi, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert known("deploy", project).code == 0
    takes.guilds.append({"id": OTHER, "name": "second"})
    ended = known("deploy", project)
    assert (ended.code, f"{OTHER} (second)" in ended.err) == (2, True)
    monkeypatch.setenv("FLORA_GUILD", OTHER)
    assert known("deploy", project, "--json").json["guild_id"] == OTHER


def test_the_entrypoint_of_the_config_counts(known: Command, takes: PlayedApi, project: Path) -> None:
    (project / "bot.ts").write_text(SCRIPT)
    (project / "flora.toml").write_text('entrypoint = "bot.ts"\n')
    known("deploy", project)
    assert takes.last("POST", f"/deployments/{GUILD}").json["entry"] == "bot.ts"


def test_without_an_api_it_says_how_to_name_one(bare: Command, project: Path) -> None:
    ended = bare("deploy", project)
    assert (ended.code, "flora login --api" in ended.err) == (1, True)


@pytest.mark.parametrize("guild", ["my-guild", "-1", "1" * 25])
def test_what_is_no_guild_is_refused(known: Command, takes: PlayedApi, project: Path, guild: str) -> None:
    ended = known("deploy", project, f"--guild={guild}")
    assert (ended.code, "--guild" in ended.err) == (2, True)
    assert takes.asked == []


# ---------------------------------------------------------------- how it ends


def test_code_that_does_not_bundle_is_shown_with_its_line(
    known: Command, api: PlayedApi, project: Path
) -> None:
    found = {
        "text": 'Expected ";" but found "x"',
        "file": "src/main.ts",
        "line": 3,
        "column": 13,
        "source_line": 'let y = "a" x',
        "caret": 12,
    }
    api.answers[f"POST /deployments/{GUILD}"] = refusal(
        400, "BUNDLE_FAILED", "it does not bundle", diagnostics=[found]
    )
    ended = known("deploy", project, "-g", GUILD)
    assert ended.code == 1
    assert 'src/main.ts:3:13: error: Expected ";" but found "x"' in ended.err
    assert '  3 | let y = "a" x\n    |             ^' in ended.err


def test_a_script_that_does_not_load_has_its_stack(known: Command, takes: PlayedApi, project: Path) -> None:
    failed = {
        "code": "LOAD_FAILED",
        "message": "Error: no key\x1b[2J",
        "stack": "at src/main.ts:4:9\nat src/b.ts:1:1",
    }
    takes.streams[progress_path()] = deque([Stream(PROGRESS + event(failed, name="failed"))])
    ended = known("deploy", project, "-g", GUILD)
    assert ended.code == 1
    assert "error: Error: no key\\x1b[2J\n    at src/main.ts:4:9\n    at src/b.ts:1:1\n" in ended.err


@pytest.mark.parametrize(
    ("fault", "code", "says"),
    [
        (refusal(401, "UNAUTHORIZED", "the token is not good"), 3, "flora login --api"),
        (refusal(403, "FORBIDDEN", "the token may not deploy"), 3, "may not deploy"),
        (refusal(404, "UNKNOWN_GUILD", "the bot is not in it"), 4, "not in it"),
        (refusal(409, "DEPLOY_UNDER_WAY", "ann deploys"), 1, "ann deploys"),
        (refusal(500, "INTERNAL", "something went wrong"), 5, "went wrong"),
        (Fault(CUT), 5, "it may have been done or not"),
    ],
)
def test_a_no_is_told_with_its_exit_code(
    known: Command, takes: PlayedApi, project: Path, fault: Fault, code: int, says: str
) -> None:
    takes.faults.append(fault)
    ended = known("deploy", project, "-g", GUILD)
    assert (ended.code, ended.out, says in ended.err) == (code, "", True)
    assert TOKEN not in ended.err


def test_a_stream_that_breaks_is_taken_up_again(known: Command, takes: PlayedApi, project: Path) -> None:
    takes.streams[progress_path()] = deque([Stream(PROGRESS, ends=False), Stream(PROGRESS + READY)])
    assert known("deploy", project, "-g", GUILD).code == 0
    assert len(takes.requests("GET", progress_path())) == 2


@pytest.mark.parametrize(("status", "code"), [("success", 0), ("failed", 1)])
def test_where_the_stream_tells_nothing_the_revision_does(
    known: Command, takes: PlayedApi, project: Path, status: str, code: int
) -> None:
    del takes.streams[progress_path()]
    states = iter(["pending", "pending", status])
    takes.answers[f"GET /deployments/{GUILD}/revisions/{REVISION}"] = lambda _asked: {
        "status": next(states),
        "error_message": "Error: no" if status == "failed" else None,
    }
    ended = known("deploy", project, "-g", GUILD)
    assert (ended.code, "Error: no" in ended.err) == (code, status == "failed")


def test_a_token_that_may_not_list_guilds_wants_one_to_be_named(
    known: Command, api: PlayedApi, project: Path
) -> None:
    api.faults_at["/guilds"] = refusal(403, "TOKEN_LIMITED", "this token is not for 'read'")
    ended = known("deploy", project)
    assert (ended.code, "Name it with --guild or FLORA_GUILD" in ended.err) == (2, True)


def test_a_token_for_deploys_alone_follows_by_the_stream(
    known: Command, takes: PlayedApi, project: Path
) -> None:
    takes.streams[progress_path()] = deque([Stream(PROGRESS), Stream(PROGRESS + READY)])
    takes.answers[f"GET /deployments/{GUILD}/revisions/{REVISION}"] = refusal(
        403, "TOKEN_LIMITED", "this token is not for 'read' in this guild"
    )
    ended = known("deploy", project, "-g", GUILD)
    assert (ended.code, "ready on flora-runtime-2" in ended.out) == (0, True)


# ---------------------------------------------------------------- as a process


def test_ci_needs_three_variables_and_asks_nothing(takes: PlayedApi, project: Path) -> None:
    env = {"FLORA_API_URL": takes.url, "FLORA_TOKEN": TOKEN, "FLORA_GUILD": GUILD}
    ended = process("deploy", env=env, cwd=project)
    assert (ended.code, ended.out.startswith(f"{GUILD} ready")) == (0, True)
    takes.guilds.append({"id": OTHER, "name": "second"})
    unclear = process("deploy", env={**env, "FLORA_GUILD": ""}, cwd=project)
    assert (unclear.code, "which guild?" in unclear.err) == (2, True)
    for each in (ended, unclear):
        assert TOKEN not in each.out + each.err
        assert "\x1b" not in each.out + each.err


# ---------------------------------------------------------------- before and after


def rolled_back(api: PlayedApi, path: str = "") -> None:
    api.answers[f"POST /deployments/{GUILD}/rollback{path}"] = accepted()
    api.streams[progress_path()] = deque([Stream(READY)])


def test_going_back_says_what_does_not_go_back(known: Command, api: PlayedApi) -> None:
    rolled_back(api)
    ended = known("rollback", "-g", GUILD, "--yes")
    assert (ended.code, "KV, and secrets, stay as they are" in ended.err) == (0, True)
    assert ended.out == f"{GUILD} ready on flora-runtime-2 in 0.8 s, revision {REVISION}\n"
    assert api.last("POST", f"/deployments/{GUILD}/rollback").json == {"message": ""}
    rolled_back(api, "/abc")
    assert known("rollback", "abc", "-g", GUILD, "--yes", "--force", "-m", "too loud", "--json").json["ok"]
    asked = api.last("POST", f"/deployments/{GUILD}/rollback/abc")
    assert (asked.json, asked.query) == ({"message": "too loud"}, {"force": "true"})


@pytest.mark.parametrize("command", ["rollback", "undeploy"])
def test_what_hurts_wants_to_be_meant(known: Command, api: PlayedApi, command: str) -> None:
    ended = known(command, "-g", GUILD)
    assert (ended.code, "--yes" in ended.err) == (2, True)
    assert api.asked == []


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_on_a_terminal_it_asks(api: PlayedApi, tmp_path: Path, answer: str, code: int) -> None:
    rolled_back(api)
    ours, theirs = pty.openpty()
    env = {**os.environ, "FLORA_API_URL": api.url, "FLORA_TOKEN": TOKEN, "XDG_CONFIG_HOME": str(tmp_path)}
    command = subprocess.Popen(
        [*FLORA, "rollback", "-g", GUILD],
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        env=env,
        cwd=tmp_path,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        asked = b""
        while b"[y/N]" not in asked:
            asked += os.read(ours, 1024)
        os.write(ours, f"{answer}\n".encode())
        out, _ = command.communicate(timeout=60)
    finally:
        os.close(ours)
    assert b"stay as they are now" in asked
    assert (command.returncode, b"ready" in out) == (code, code == 0)


def test_undeploying_takes_the_script_away(known: Command, api: PlayedApi) -> None:
    api.answers[f"DELETE /deployments/{GUILD}"] = 204
    assert known("undeploy", "-g", GUILD, "--yes", "--json").json == {"guild_id": GUILD, "undeployed": True}


@pytest.mark.parity(100)
def test_deployments_are_listed(known: Command, api: PlayedApi) -> None:
    api.answers["GET /deployments"] = [
        {"guild_id": GUILD, "entry": "src/main.ts", "revision_id": "r2", "ready": True, "reason": "Running"},
        {"guild_id": OTHER, "entry": "main.ts", "revision_id": "r1", "ready": False, "reason": "LoadFailed"},
    ]
    ended = known("list")
    assert [line.split()[:3] for line in ended.out.splitlines()] == [
        ["GUILD", "READY", "ENTRY"],
        [GUILD, "yes", "src/main.ts"],
        [OTHER, "no:", "LoadFailed"],
    ]
    assert len(known("list", "--json").json) == 2


@pytest.mark.parity(100)
def test_the_state_of_a_guild_is_shown(known: Command, api: PlayedApi) -> None:
    api.answers[f"GET /deployments/{GUILD}/status"] = {
        "guild_id": GUILD,
        "ready": False,
        "reason": "LoadFailed",
        "message": "it did not load\x1b[2J",
        "pod": "flora-runtime-0",
        "subscribed_events": ["messageCreate"],
        "cron_jobs": 2,
        "last_error": {"message": "Error: no", "stack": "at src/main.ts:4:9", "at": "2026-01-01T00:00:00Z"},
    }
    ended = known("status")
    assert ended.code == 0
    for text in (
        "not ready  LoadFailed",
        "flora-runtime-0",
        "messageCreate",
        "Error: no",
        "    at src/main.ts:4:9",
    ):
        assert text in ended.out
    assert "\x1b" not in ended.out
    assert known("status", "--json").json["pod"] == "flora-runtime-0"


def test_history_comes_in_pages(known: Command, api: PlayedApi) -> None:
    row = {
        "id": REVISION,
        "guild_id": GUILD,
        "entry": "src/main.ts",
        "status": "failed",
        "deployed_at": "2026-01-01T00:00:00Z",
        "deploy_source": "cli",
        "message": None,
        "error_message": "Error: no",
        "actor": {"type": "token", "user_id": "42", "username": "ann"},
    }
    api.answers[f"GET /deployments/{GUILD}/history"] = {"revisions": [row], "cursor": "next"}
    ended = known("history", "-n", "1")
    assert ended.out.splitlines()[1].split() == [
        REVISION,
        "failed",
        "2026-01-01",
        "00:00:00Z",
        "ann",
        "cli",
        "Error:",
        "no",
    ]
    assert "--cursor next" in ended.err
    assert known("history", "--cursor", "next", "--json").json["revisions"][0]["id"] == REVISION
    assert api.last("GET", f"/deployments/{GUILD}/history").query == {"limit": "25", "cursor": "next"}


# ---------------------------------------------------------------- what differs


def deployed(*files: tuple[str, str]) -> dict[str, Any]:
    return {"files": [{"path": path, "contents": text} for path, text in files]}


def test_a_folder_is_compared_with_what_runs(known: Command, api: PlayedApi, project: Path) -> None:
    api.answers[f"GET /deployments/{GUILD}"] = deployed(
        ("src/main.ts", SCRIPT.replace("pong", "ping")), ("src/old.ts", "gone\n")
    )
    ended = known("diff", project)
    assert ended.out.splitlines()[0].split() == ["modified", "src/main.ts"]
    assert "+" + SCRIPT.strip() in ended.out
    assert [each["change"] for each in known("diff", project, "--json").json["files"]] == [
        "modified",
        "removed",
    ]
    api.answers[f"GET /deployments/{GUILD}"] = deployed(("src/main.ts", SCRIPT))
    same = known("diff", project)
    assert (same.code, same.out, "nothing differs" in same.err) == (0, "", True)


def test_where_nothing_runs_everything_is_new(known: Command, api: PlayedApi, project: Path) -> None:
    api.answers[f"GET /deployments/{GUILD}"] = refusal(404, "NOT_DEPLOYED", "nothing is deployed")
    assert known("diff", project).out.splitlines()[0].split() == ["added", "src/main.ts"]
    missing = known("diff", project, "--from", "abc")
    assert missing.code == 4


def test_revisions_are_compared_by_the_api(known: Command, api: PlayedApi) -> None:
    def answer(asked: Asked) -> dict[str, Any]:
        assert asked.query == {"from": "a", "to": "b"}
        return {"from": "a", "to": "b", "files": [{"path": "x.ts", "change": "added", "diff": "+1\x1b[2J"}]}

    api.answers[f"GET /deployments/{GUILD}/diff"] = answer
    ended = known("diff", "--from", "a", "--to", "b")
    assert ended.out == "added    x.ts\n+1\\x1b[2J\n"


@pytest.mark.parity(100)
def test_an_api_that_answers_is_well(known: Command, api: PlayedApi) -> None:
    api.answers["GET /health"] = b"ok"
    assert known("health").out == f"{api.url} ok\n"
    assert known("health", "--json").json == {"api": api.url, "health": "ok"}
    api.faults_at["/health"] = refusal(503, "UNAVAILABLE", "starting")
    assert known("health").code == 5


def test_the_page_is_printed_where_no_browser_is_wanted(known: Command, api: PlayedApi) -> None:
    assert known("open", "--print").out == f"{api.url}/\n"
    assert known("open", "--docs", "--print").out == f"{api.url}/api-docs\n"
