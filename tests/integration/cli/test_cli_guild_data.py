"""KV, secrets, tokens, jobs and usage of a guild at an API, as their user meets them."""

from __future__ import annotations

import itertools
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flora_cli import top
from flora_cli.options import connect
from flora_core.running import Running, register
from tests.integration.cli.conftest import Command, process
from tests.integration.cli.played_api import CUT, GUILD, OTHER, TOKEN, Fault, PlayedApi, refusal
from tests.integration.flora_command import Ended

VALUE = "s3cret-value"

# ---------------------------------------------------------------- kv


@pytest.mark.parity(102)
def test_a_value_goes_in_and_comes_out(known: Command, api: PlayedApi) -> None:
    put = known("kv", "put", "user/1", "hello", "-s", "notes", "--ttl", "10m", "--metadata", '{"a": [1]}')
    assert put == Ended(0, "", "")
    assert api.stores["notes"]["user%2F1"] == {"value": "hello", "ttl": 600, "metadata": {"a": [1]}}
    assert known("kv", "get", "user/1", "-s", "notes") == Ended(0, "hello", "")
    assert known("kv", "get", "user/1", "-s", "notes", "--json").json == {
        "value": "hello",
        "metadata": {"a": [1]},
    }
    assert known("kv", "delete", "user/1", "-s", "notes", "--json").json == {"deleted": True}


@pytest.mark.parity(102)
def test_keys_and_stores_are_listed(known: Command, api: PlayedApi) -> None:
    api.stores["notes"] = {f"k{number}": {"value": ""} for number in range(5)}
    assert known("kv", "stores").out.split() == ["STORE", "KEYS", "SIZE", "notes", "5", "50", "B"]
    assert known("kv", "stores", "--json").json == [
        {"guild_id": GUILD, "store_name": "notes", "keys": 5, "bytes": 50}
    ]
    page = known("kv", "list", "-s", "notes", "--limit", "2")
    assert (page.out.split(), "--cursor 'k1'" in page.err) == (
        ["KEY", "EXPIRES", "METADATA", "k0", "k1"],
        True,
    )
    rest = known("kv", "list", "-s", "notes", "--cursor", "k1", "--json").json
    assert (len(rest["keys"]), rest["list_complete"]) == (3, True)


def test_what_is_not_there_is_named(known: Command, api: PlayedApi) -> None:
    api.stores["notes"] = {"a": {"value": "1"}}
    for command in ("get", "delete"):
        missing = known("kv", command, "b", "-s", "notes")
        assert (missing.code, "there is no key 'b' in store 'notes'" in missing.err) == (4, True)
        nowhere = known("kv", command, "b", "-s", "other")
        assert (nowhere.code, "there is no store 'other'; there are notes" in nowhere.err) == (4, True)


@pytest.mark.parametrize("store", ["", "a/b", "../x"])
def test_a_store_that_would_be_another_is_refused(known: Command, api: PlayedApi, store: str) -> None:
    ended = known("kv", "put", "k", "v", "-s", store, "-g", GUILD)
    assert (ended.code, "is no store's name" in ended.err) == (2, True)
    assert api.asked == []


@pytest.mark.parity(102)
def test_a_store_is_cleared_when_that_is_meant(known: Command, api: PlayedApi) -> None:
    api.stores["notes"] = {f"k{number:04}": {"value": ""} for number in range(1500)} | {"z": {"value": ""}}
    refused = known("kv", "clear", "-s", "notes")
    assert (refused.code, "deletes 1501 keys of notes: say --yes" in refused.err) == (2, True)
    assert known("kv", "clear", "-s", "notes", "--prefix", "k", "--yes").out == "1500 keys deleted\n"
    assert list(api.stores["notes"]) == ["z"]
    assert known("kv", "clear", "-s", "notes", "--yes", "--json").json == {"removed": 1}


def test_many_values_go_in_parts(known: Command, api: PlayedApi, tmp_path: Path) -> None:
    api.stores["s"] = {"old": {"value": ""}}
    put = [{"key": f"k{number}", "value": "v", "ttl": 60} for number in range(2400)]
    (tmp_path / "all.json").write_bytes(msgspec.json.encode({"put": put, "delete": ["old", "never"]}))
    ended = known("kv", "bulk", "all.json", "-s", "s", "--json")
    assert ended.json == {"written": 2400, "deleted": 1}
    assert len(api.stores["s"]) == 2400
    assert len(api.requests("POST", f"/kv/{GUILD}/s/bulk")) == 3
    from_stdin = known("kv", "bulk", "-", "-s", "t", stdin=b'[{"key": "a", "value": "1"}]')
    assert (from_stdin.out, api.stores["t"]) == ("1 written, 0 deleted\n", {"a": {"value": "1"}})


@pytest.mark.parametrize(
    "content", ["{", "[1]", '{"puts": []}', '[{"key": "a"}]', "\x00", '[{"key": 1, "value": ""}]']
)
def test_what_is_no_list_of_changes_is_refused(
    known: Command, api: PlayedApi, tmp_path: Path, content: str
) -> None:
    (tmp_path / "x.json").write_text(content)
    ended = known("kv", "bulk", "x.json", "-s", "s")
    assert (ended.code, '[{"key": …, "value": …}]' in ended.err) == (2, True)
    assert api.asked == []
    assert known("kv", "bulk", "nowhere.json", "-s", "s").code == 2


def exports(api: PlayedApi) -> None:
    made = {"backup_id": "b1", "bytes": 5, "keys": 2, "created_at": "2026-01-01T00:00:00Z"}
    api.answers[f"POST /kv/export/{GUILD}"] = made
    api.answers[f"GET /kv/export/{GUILD}"] = [made]
    api.answers[f"GET /kv/export/{GUILD}/b1"] = b"bytes"
    api.answers[f"DELETE /kv/export/{GUILD}/b1"] = 204


def test_an_export_becomes_a_file_and_is_tidied_up(known: Command, api: PlayedApi, tmp_path: Path) -> None:
    exports(api)
    ended = known("kv", "export", "-o", "x.flora", "--json")
    assert (ended.json["file"], ended.json["bytes"], ended.json["keys"]) == ("x.flora", 5, 2)
    assert (tmp_path / "x.flora").read_bytes() == b"bytes"
    assert len(api.requests("DELETE", f"/kv/export/{GUILD}/b1")) == 1
    assert known("kv", "export", "--keep").out == f"kv-{GUILD}-b1.flora  5 B\n"
    assert known("kv", "export", "--id", "b1", "-o", "again").code == 0
    assert len(api.requests("POST", f"/kv/export/{GUILD}")) == 2
    assert len(api.requests("DELETE", f"/kv/export/{GUILD}/b1")) == 1
    assert known("kv", "exports").out.splitlines()[1].split()[:2] == ["b1", "2"]


def test_a_download_that_broke_off_is_no_file(known: Command, api: PlayedApi, tmp_path: Path) -> None:
    exports(api)
    (tmp_path / "x.flora").write_text("before")
    api.faults_at[f"/kv/export/{GUILD}/b1"] = Fault(CUT)
    assert known("kv", "export", "-o", "x.flora").code == 5
    assert (tmp_path / "x.flora").read_text() == "before"
    assert not list(tmp_path.glob("*.part"))
    assert api.requests("DELETE", f"/kv/export/{GUILD}/b1") == [], "it can still be fetched"


def test_a_download_that_is_not_what_was_sent_is_no_file(
    known: Command, api: PlayedApi, tmp_path: Path
) -> None:
    exports(api)
    api.faults_at[f"/kv/export/{GUILD}/b1"] = Fault(
        200, b"bytez", {"X-Flora-SHA256": sha256(b"bytes").hexdigest()}
    )
    broken = known("kv", "export", "-o", "x.flora")
    assert (broken.code, "is not what the API sent" in broken.err) == (5, True)
    assert list(tmp_path.iterdir()) == []
    api.faults_at[f"/kv/export/{GUILD}/b1"] = Fault(
        200, b"bytes", {"X-Flora-SHA256": sha256(b"bytes").hexdigest()}
    )
    assert known("kv", "export", "-o", "x.flora", "--id", "b1").code == 0


def test_a_large_store_is_cleared_in_several_requests(known: Command, api: PlayedApi) -> None:
    api.stores["notes"] = {"a": {"value": ""}}
    answers = iter([{"removed": 7, "complete": False}, {"removed": 2, "complete": True}])
    api.answers[f"DELETE /kv/stores/{GUILD}/notes"] = lambda _asked: next(answers)
    assert known("kv", "clear", "-s", "notes", "--yes").out == "9 keys deleted\n"


def test_an_export_is_restored(known: Command, api: PlayedApi, tmp_path: Path) -> None:
    (tmp_path / "x.flora").write_bytes(b"\x00bytes")
    api.answers[f"POST /kv/restore/{GUILD}"] = {"keys": 7}
    assert known("kv", "import", "x.flora").out == "7 keys restored\n"
    asked = api.last("POST", f"/kv/restore/{GUILD}")
    assert (asked.body, asked.query) == (b"\x00bytes", {"mode": "merge"})
    refused = known("kv", "import", "x.flora", "--replace")
    assert (refused.code, "Replace everything" in refused.err) == (2, True)
    assert known("kv", "import", "x.flora", "--replace", "--yes", "--json").json == {"keys": 7}
    assert api.last("POST", f"/kv/restore/{GUILD}").query == {"mode": "replace"}
    assert known("kv", "import", "nowhere").code == 2


def test_a_guild_that_moves_is_waited_for(known: Command, api: PlayedApi) -> None:
    api.stores["s"] = {"a": {"value": "1"}}
    api.faults.append(Fault(503, b'{"message": "it moves", "code": "GUILD_MOVING"}', {"Retry-After": "1"}))
    assert known("kv", "get", "a", "-s", "s", "-g", GUILD).out == "1"
    api.faults_at["/kv/"] = refusal(507, "KV_QUOTA_EXCEEDED", "the guild's storage is full")
    full = known("kv", "put", "a", "2", "-s", "s", "-g", GUILD)
    assert (full.code, "is full" in full.err) == (1, True)


def test_a_dev_session_of_this_folder_is_not_meant_silently(
    known: Command, api: PlayedApi, tmp_path: Path
) -> None:
    here = Running(os.getpid(), str(tmp_path), "http://127.0.0.1:9", "t")
    register(here, within=tmp_path / "home/flora/dev")
    ended = known("kv", "stores")
    assert (ended.code, f"asking {api.url}" in ended.err) == (0, True)
    other = known("kv", "stores", "--project", ".")
    assert (other.code, f"the `flora dev` in {tmp_path}" in other.err) == (5, True)
    assert known("kv", "stores", "--project", ".", "--api", api.url).code == 2


# ---------------------------------------------------------------- secrets


def test_a_value_comes_from_standard_input_and_is_shown_nowhere(known: Command, api: PlayedApi) -> None:
    ended = known("secret", "put", "KEY", "--host", "api.example.com", stdin=f"{VALUE}\n".encode())
    assert (ended.code, ended.out) == (0, "")
    assert VALUE not in ended.err
    assert api.secrets["KEY"] == {"value": VALUE, "allowed_hosts": ["api.example.com"]}
    listed = known("secret", "list")
    assert listed.out.splitlines()[1].split() == ["KEY", "api", "api.example.com"]
    assert VALUE not in listed.out


def test_a_new_value_keeps_its_hosts(known: Command, api: PlayedApi) -> None:
    api.secrets["KEY"] = {"value": "old", "allowed_hosts": ["a.example"]}
    assert known("secret", "put", "KEY", stdin=b"new").code == 0
    assert api.secrets["KEY"] == {"value": "new", "allowed_hosts": ["a.example"]}
    nowhere = known("secret", "put", "OTHER", stdin=b"new")
    assert "OTHER may go nowhere yet" in nowhere.err


def test_the_project_says_which_hosts(known: Command, api: PlayedApi, tmp_path: Path) -> None:
    (tmp_path / "flora.toml").write_text('[secrets.KEY]\nallowed_hosts = ["b.example"]\n')
    known("secret", "put", "KEY", stdin=b"new")
    assert api.secrets["KEY"]["allowed_hosts"] == ["b.example"]
    known("secret", "put", "KEY", "--host", "c.example", stdin=b"new")
    assert api.secrets["KEY"]["allowed_hosts"] == ["c.example"], "what is said comes first"


def test_values_of_a_file_are_set_where_the_project_names_them(
    known: Command, api: PlayedApi, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("A=1\nMY_B=2\nDATABASE_URL=private\n")
    unnamed = known("secret", "put", "--from-dotenv", ".env")
    assert (unnamed.code, "which of its values are secrets?" in unnamed.err) == (2, True)
    (tmp_path / "flora.toml").write_text(
        '[secrets.A]\nallowed_hosts = ["a.example"]\n[secrets.B]\nallowed_hosts = ["b.example"]\nenv = "MY_B"\n'
    )
    ended = known("secret", "put", "--from-dotenv", ".env", "--json")
    assert [row["name"] for row in ended.json] == ["A", "B"]
    assert {name: each["value"] for name, each in api.secrets.items()} == {"A": "1", "B": "2"}
    assert known("secret", "put", "MISSING", "--from-dotenv", ".env").code == 2
    assert known("secret", "put", "A", "--from-dotenv", "nowhere").code == 2


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        ([], b"x", "name one secret"),
        (["A", "B"], b"x", "name one secret"),
        (["A"], b"", "is empty"),
        (["A"], b"\n", "is empty"),
        (["A"], b"\xff", "UTF-8"),
        (["A", "--host", "*.com"], b"x", "'*.com' is no host"),
    ],
)
def test_a_secret_that_is_none_is_refused(
    known: Command, api: PlayedApi, arguments: list[str], stdin: bytes, says: str
) -> None:
    ended = known("secret", "put", *arguments, stdin=stdin)
    assert (ended.code, says in ended.err) == (2, True)
    assert api.secrets == {}


def test_a_secret_is_deleted_once(known: Command, api: PlayedApi) -> None:
    api.secrets["KEY"] = {"value": "v", "allowed_hosts": []}
    assert known("secret", "delete", "KEY", "--json").json == {"deleted": True}
    missing = known("secret", "delete", "KEY")
    assert (missing.code, "there is no secret 'KEY'" in missing.err) == (4, True)


def test_no_value_is_an_argument(api: PlayedApi, tmp_path: Path) -> None:
    env = {"FLORA_API_URL": api.url, "FLORA_TOKEN": TOKEN}
    ended = process("secret", "put", "KEY", VALUE, env=env, cwd=tmp_path)
    assert (ended.code, VALUE in ended.err) == (2, False)
    assert api.secrets == {}


# ---------------------------------------------------------------- tokens


def test_a_new_token_is_all_that_goes_to_standard_output(known: Command, api: PlayedApi) -> None:
    api.answers["POST /tokens"] = {"token_id": "t9", "token": "flora_t9_new", "label": "ci"}
    ended = known(
        "token",
        "create",
        "-l",
        "ci",
        "-g",
        GUILD,
        "--scope",
        "deploy",
        "--scope",
        "read",
        "--expires-in-days",
        "30",
    )
    assert (ended.code, ended.out) == (0, "flora_t9_new\n")
    assert api.last("POST", "/tokens").json == {
        "label": "ci",
        "guilds": [GUILD],
        "scopes": ["deploy", "read"],
        "expires_in_days": 30,
    }
    assert known("token", "create", "--json").json["token_id"] == "t9"
    assert api.last("POST", "/tokens").json == {}


def test_tokens_are_listed_and_revoked(known: Command, api: PlayedApi) -> None:
    api.answers["GET /tokens"] = [{"token_id": "t9", "label": "ci", "guilds": None, "scopes": ["deploy"]}]
    api.answers["DELETE /tokens/t9"] = 204
    assert known("token", "list").out.splitlines()[1].split() == [
        "t9",
        "ci",
        "deploy",
        "never",
        "never",
        "all",
    ]
    assert known("token", "revoke", "t9").code == 0
    whole = known("token", "revoke", TOKEN)
    assert (whole.code, TOKEN in whole.err) == (2, False)


def test_where_a_token_may_not_make_tokens_the_browser_is_named(known: Command, api: PlayedApi) -> None:
    api.faults_at["/tokens"] = refusal(403, "SESSION_REQUIRED", "a token may not make tokens")
    ended = known("token", "create")
    assert (ended.code, "what you use now was made for a program" in ended.err) == (3, True)


@pytest.mark.parametrize("arguments", [["--scope", "all"], ["-g", "mine"], ["--expires-in-days", "0"]])
def test_a_limit_that_is_none_is_refused(known: Command, api: PlayedApi, arguments: list[str]) -> None:
    assert known("token", "create", *arguments).code == 2
    assert api.asked == []


# ---------------------------------------------------------------- jobs, usage


def test_jobs_are_listed_and_run(known: Command, api: PlayedApi) -> None:
    api.answers[f"GET /crons/{GUILD}"] = [
        {"name": "tidy", "expression": "0 9 * * *", "next": 1767261600, "last": None, "skip_if_running": True}
    ]
    assert known("cron", "list").out.splitlines()[1].split()[:2] == ["tidy", "0"]
    assert known("cron", "list", "--json").json[0]["skip_if_running"] is True
    api.answers[f"POST /crons/{GUILD}/run"] = {"name": "tidy", "outcome": "ok", "milliseconds": 12.0}
    assert known("cron", "run", "tidy").out == "tidy ok after 12 ms\n"
    api.answers[f"POST /crons/{GUILD}/run"] = {"name": "tidy", "outcome": "exception", "milliseconds": 3.0}
    failed = known("cron", "run", "tidy", "--json")
    assert (failed.code, failed.json["outcome"]) == (1, "exception")
    api.faults_at["/run"] = refusal(404, "UNKNOWN_CRON", "there is no cron job 'x'; the script has tidy")
    assert known("cron", "run", "x").code == 4


def usage(count: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "guild_id": GUILD,
        "since": "2026-01-01T00:00:00Z",
        "events": {"messageCreate": 100 * count},
        "outcomes": {"ok": 99 * count, "exception": count},
        "cpu_milliseconds": 50 * count,
        "discord_calls": 7,
        "fetches": 0,
        "log_lines": 3,
        "kv": {"keys": 4, "bytes": 2048, "limit_bytes": 1 << 20},
        "awake": True,
        "quarantined": False,
        "quarantine_reason": None,
        "suspended_calls_until": None,
        **more,
    }


def test_usage_is_shown_once_where_there_is_no_terminal(known: Command, api: PlayedApi) -> None:
    api.answers[f"GET /usage/{GUILD}"] = usage()
    ended = known("top")
    assert ended.out.startswith(f"{GUILD} awake, loaded 2026-01-01T00:00:00Z\n")
    assert [line.split() for line in ended.out.splitlines() if "storage" in line] == [
        ["storage", "2.0", "KiB", "of", "1.0", "MiB,", "4", "keys"]
    ]
    assert known("top", "--json").json["events"] == {"messageCreate": 100}


def test_storage_that_cannot_be_read_is_said(known: Command, api: PlayedApi) -> None:
    api.answers[f"GET /usage/{GUILD}"] = usage(kv=None)
    assert "cannot be read now" in known("top").out


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"quarantined": True, "quarantine_reason": "exceededCpu"}, "quarantined: exceededCpu"),
        ({"suspended_calls_until": "2026-01-01T00:10:00Z"}, "calls to Discord are suspended until"),
        ({"awake": False}, "asleep until its next event"),
    ],
)
def test_what_is_wrong_comes_first(known: Command, api: PlayedApi, more: dict[str, Any], says: str) -> None:
    api.answers[f"GET /usage/{GUILD}"] = usage(**more)
    assert says in known("top", "--once").out.splitlines()[0]


def test_usage_goes_on_until_it_is_stopped(
    known: Command, api: PlayedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = itertools.count(1)
    api.answers[f"GET /usage/{GUILD}"] = lambda _asked: (
        refusal(503, "POD_UNREACHABLE", "its pod does not answer") if (n := next(looks)) == 3 else usage(n)
    )
    monkeypatch.setattr("flora_cli.client.pause_before", lambda *_args, **_more: None)
    pauses = iter([None, None, None, KeyboardInterrupt()])

    def pause(_seconds: float) -> None:
        if (end := next(pauses)) is not None:
            raise end

    monkeypatch.setattr(top.time, "sleep", pause)
    with connect(None, None) as client:
        top._live(lambda: client.get(f"/usage/{GUILD}", dict[str, Any]), 2.0)
    assert next(looks) == 5


def test_a_guild_that_is_not_ours_is_a_no(known: Command, api: PlayedApi) -> None:
    api.faults_at[OTHER] = refusal(403, "FORBIDDEN", "you may not")
    for command in (["kv", "stores", "--json"], ["cron", "list"], ["top"], ["secret", "list"], ["logs"]):
        if command[0] == "kv":
            api.faults_at["/kv/stores"] = refusal(403, "FORBIDDEN", "you may not")
        ended = known(*command, "-g", OTHER)
        assert (ended.code, ended.out, "you may not" in ended.err) == (3, "", True), command
