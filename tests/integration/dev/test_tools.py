"""``flora kv`` and ``flora logs`` against a ``flora dev`` that runs: as their user meets them."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flora_core.running import Running
from tests.integration.flora_command import FLORA, Ended, run_here
from tests.waiting import eventually

SECONDS = 60.0
SCRIPT = """
const marks = kv.store("marks");
cron("tick", "0 9 * * *", async () => console.log("ticked", await marks.incr("ticks")));
on("messageCreate", async ({ msg, reply }) => {
  const [word, ...rest] = msg.content.split(" ");
  if (word === "!say") console.log(rest.join(" "));
  if (word === "!warn") console.warn(rest.join(" "));
  if (word === "!fail") throw new Error(rest.join(" "));
  await reply("done");
});
"""


@dataclass
class Dev:
    """A ``flora dev --json`` of its own user."""

    process: subprocess.Popen[str]
    home: Path
    seen: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def start(cls, project: Path, home: Path, *more: str) -> Dev:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DISCORD_")}
        process = subprocess.Popen(
            [*FLORA, "dev", str(project), "--json", *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment, "XDG_RUNTIME_DIR": str(home)},
        )
        dev = cls(process, home)
        assert dev.until("api")["url"], dev.seen
        return dev

    def until(self, event: str) -> dict[str, Any]:
        assert self.process.stdout is not None
        for raw in self.process.stdout:
            self.seen.append(msgspec.json.decode(raw))
            if self.seen[-1]["event"] == event:
                return self.seen[-1]
        raise AssertionError(f"it ended before {event!r}: {self.seen}")

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def say(self, text: str) -> None:
        self.type(text)
        self.until("answer")

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=SECONDS)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bot")
    (folder / "src").mkdir()
    (folder / "src" / "main.ts").write_text(SCRIPT)
    return folder


@pytest.fixture(scope="module")
def dev(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    dev = Dev.start(project, tmp_path_factory.mktemp("home"))
    yield dev
    dev.stop()


Flora = Callable[..., Ended]


@pytest.fixture
def flora(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Flora:
    """The ``flora`` command in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nothing"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: str | Path, stdin: bytes = b"") -> Ended:
        return run_here(monkeypatch, capfd, *arguments, stdin=stdin)

    return run


@pytest.fixture
def ask(dev: Dev, flora: Flora, monkeypatch: pytest.MonkeyPatch) -> Flora:
    """The same, where the ``flora dev`` is found."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(dev.home))
    return flora


@pytest.fixture
def store(ask: Flora) -> Iterator[str]:
    yield "notes"
    ask("kv", "clear", "--store", "notes", "--yes")


# ---------------------------------------------------------------- kv


@pytest.mark.parity(79, 102)
def test_a_value_goes_in_and_comes_out(ask: Flora, store: str) -> None:
    assert ask("kv", "put", "greeting", "hello", "--store", store) == Ended(0, "", "")
    got = ask("kv", "get", "greeting", "--store", store)
    assert got == Ended(0, "hello", ""), "as it is, without a newline more"


@pytest.mark.parity(102)
def test_keys_and_stores_are_listed(ask: Flora, store: str) -> None:
    ask("kv", "put", "user/1", "a", "-s", store, "--metadata", '{"x": [1]}', "--ttl", "10m")
    ask("kv", "put", "user/2", "bb", "-s", store)
    ask("kv", "put", "zoo", "c", "-s", store)
    page = ask("kv", "list", "-s", store, "--prefix", "user/", "--json").json
    assert [key["name"] for key in page["keys"]] == ["user/1", "user/2"]
    assert page["keys"][0]["metadata"] == {"x": [1]}
    assert 500 < page["keys"][0]["expiration"] - time.time() < 700
    table = ask("kv", "list", "-s", store)
    assert [line.split()[0] for line in table.out.splitlines()] == ["KEY", "user/1", "user/2", "zoo"]
    assert store in [row["store_name"] for row in ask("kv", "stores", "--json").json]
    assert ask("kv", "stores").out.splitlines()[0].split() == ["STORE", "KEYS", "SIZE"]


@pytest.mark.parity(77, 102)
def test_a_long_list_comes_in_pages(ask: Flora, store: str) -> None:
    for number in range(5):
        ask("kv", "put", f"k{number}", "x", "-s", store)
    first = ask("kv", "list", "-s", store, "--limit", "3")
    assert "--cursor 'k2'" in first.err
    rest = ask("kv", "list", "-s", store, "--limit", "3", "--cursor", "k2", "--json").json
    assert ([key["name"] for key in rest["keys"]], rest["list_complete"]) == (["k3", "k4"], True)


@pytest.mark.parametrize("value", ["two\nlines\n", "ümläut 😀", "", " spaces ", "\x00\x1b[31m"])
def test_standard_input_is_taken_as_it_is(ask: Flora, store: str, value: str) -> None:
    assert ask("kv", "put", "k", "-", "-s", store, stdin=value.encode()).code == 0
    assert ask("kv", "get", "k", "-s", store, "--json").json["value"] == value


def test_bytes_that_are_no_text_are_refused(ask: Flora, store: str) -> None:
    refused = ask("kv", "put", "k", "-", "-s", store, stdin=b"\xff\xfe")
    assert (refused.code, "UTF-8" in refused.err) == (2, True)


@pytest.mark.parity(102)
def test_a_deleted_key_is_gone_and_said_to_be(ask: Flora, store: str) -> None:
    ask("kv", "put", "a", "1", "-s", store)
    ask("kv", "put", "b", "1", "-s", store)
    assert ask("kv", "put", "c", "1", "-s", store, "--json").json == {"written": True}
    assert ask("kv", "delete", "c", "-s", store, "--json").json == {"deleted": True}
    assert ask("kv", "delete", "a", "-s", store) == Ended(0, "", "")
    for command in ("get", "delete"):
        gone = ask("kv", command, "a", "-s", store)
        assert (gone.code, gone.out) == (4, "")
        assert f"there is no key 'a' in store '{store}'; see: flora kv list --store {store}" in gone.err


def test_a_store_that_is_not_there_names_those_that_are(ask: Flora, store: str) -> None:
    ask("kv", "put", "a", "1", "-s", store)
    for command in (["get", "a"], ["delete", "a"], ["list"], ["clear", "--yes"]):
        refused = ask("kv", *command, "-s", "nowhere")
        assert refused.code == 4
        assert "there is no store 'nowhere'; there are" in refused.err
        assert store in refused.err


def test_clearing_wants_to_be_meant(ask: Flora, store: str) -> None:
    ask("kv", "put", "a/1", "1", "-s", store)
    ask("kv", "put", "b", "1", "-s", store)
    refused = ask("kv", "clear", "-s", store)
    assert (refused.code, "deletes 2 keys" in refused.err, "--yes" in refused.err) == (2, True, True)
    assert ask("kv", "clear", "-s", store, "--prefix", "a/", "--yes", "--json").json == {"removed": 1}
    assert ask("kv", "clear", "-s", store, "--yes").out == "1 keys deleted\n"


WRONG: dict[str, tuple[list[str], str]] = {
    "no store": (["kv", "list"], "--store"),
    "a store that is none": (["kv", "get", "k", "-s", "a/b"], "without / and ."),
    "an empty key": (["kv", "get", "", "-s", "x"], "key: has 0 bytes"),
    "metadata that is no JSON": (
        ["kv", "put", "k", "v", "-s", "x", "--metadata", "{"],
        "--metadata: not JSON",
    ),
    "a ttl that is none": (
        ["kv", "put", "k", "v", "-s", "x", "--ttl", "soon"],
        "--ttl: 'soon' is no duration",
    ),
    "both ends": (["kv", "put", "k", "v", "-s", "x", "--ttl", "1", "--expiration", "1"], "use one"),
    "no guild at all": (["kv", "stores", "--guild", "x"], "--guild"),
    "a limit of nothing": (["kv", "list", "-s", "x", "--limit", "0"], "--limit"),
    "an odd level": (["logs", "--level", "loud"], "--level"),
    "an odd time": (["logs", "--since", "yesterday"], "--since: 'yesterday' is no time"),
    "too many lines": (["logs", "-n", "5000"], "--limit"),
}


@pytest.mark.parametrize(("arguments", "text"), WRONG.values(), ids=WRONG)
def test_a_wrong_call_is_exit_code_2_and_says_why(ask: Flora, arguments: list[str], text: str) -> None:
    finished = ask(*arguments)
    assert (finished.code, finished.out) == (2, "")
    assert text in " ".join(finished.err.replace("│", " ").split())


# ---------------------------------------------------------------- what is found


@pytest.mark.parametrize("command", [["kv", "stores"], ["logs"], ["kv", "get", "k", "-s", "x"]])
def test_when_nothing_runs_it_says_how_to_start_one(flora: Flora, command: list[str]) -> None:
    finished = flora(*command)
    assert (finished.code, finished.out) == (1, "")
    assert "start one: flora dev my-bot" in finished.err


def test_a_guild_that_the_bot_is_not_in_is_not_there(ask: Flora) -> None:
    refused = ask("kv", "stores", "--guild", "500000000000000001")
    assert (refused.code, "the bot is not in this guild" in refused.err) == (4, True)


def test_a_project_is_found_by_its_folder_and_no_other(ask: Flora, project: Path, tmp_path: Path) -> None:
    assert ask("kv", "stores", "--project", project).code == 0
    other = ask("kv", "stores", "--project", tmp_path)
    assert (other.code, "no `flora dev` runs for" in other.err) == (1, True)


def test_a_wrong_token_opens_nothing(
    ask: Flora, dev: Dev, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = (dev.home / "flora" / "dev").glob("*.json")
    forged = msgspec.structs.replace(msgspec.json.decode(file.read_bytes(), type=Running), api_token="guess")
    (tmp_path / "flora" / "dev").mkdir(parents=True)
    (tmp_path / "flora" / "dev" / file.name).write_bytes(msgspec.json.encode(forged))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    refused = ask("kv", "stores")
    assert (refused.code, "this token is not good" in refused.err) == (3, True)


# ---------------------------------------------------------------- logs


def logged(ask: Flora, text: str, *arguments: str) -> Ended:
    """What ``flora logs`` shows once ``text`` is there: lines go to the API in batches, a moment later."""

    def shown() -> Ended | None:
        finished = ask("logs", *arguments)
        return finished if text in finished.out else None

    found = eventually(shown)
    assert found is not None
    return found


@pytest.mark.parity(94, 101)
def test_logs_are_shown_with_level_and_text(ask: Flora, dev: Dev) -> None:
    dev.say("!say something nice")
    dev.say("!warn something less nice")
    shown = logged(ask, "less nice", "-n", "2")
    assert [line.split(maxsplit=2)[2] for line in shown.out.splitlines()] == [
        "info  something nice",
        "warn  something less nice",
    ]
    assert [line["message"] for line in ask("logs", "--level", "warn", "--grep", "LESS", "--json").lines] == [
        "something less nice"
    ]
    assert ask("logs", "--grep", "no such text") == Ended(0, "", "")
    assert ask("logs", "-n", "0") == Ended(0, "", "")


@pytest.mark.parity(52, 96, 101)
def test_errors_have_outcome_and_the_authors_line(ask: Flora, dev: Dev) -> None:
    dev.type("!fail for once")
    dev.until("log")
    (error,) = logged(ask, "for once", "--level", "error", "--json", "-n", "1").lines
    assert (error["message"], error["outcome"], error["target"]) == (
        "Error: for once",
        "exception",
        "runtime",
    )
    assert error["stack"].endswith("src/main.ts:8:31")
    assert "    at src/main.ts:8:31" in ask("logs", "--level", "error", "-n", "1").out
    dev.until("answer")


def test_since_leaves_out_what_is_older(ask: Flora, dev: Dev) -> None:
    dev.say("!say recent")
    assert logged(ask, "recent", "--since", "1h", "--json").lines[-1]["message"] == "recent"
    assert ask("logs", "--since", "2100-01-01").out == ""


@pytest.mark.parity(96)
def test_a_deploy_that_fails_is_in_the_log(ask: Flora, dev: Dev, project: Path) -> None:
    source = project / "src" / "main.ts"
    source.write_text("const a = ;\n")
    dev.until("error")
    source.write_text(SCRIPT)
    (line,) = logged(ask, "not deployed", "--grep", "not deployed", "--json", "-n", "1").lines
    assert line["level"] == "error"
    assert line["message"].startswith("not deployed: ")
    assert "src/main.ts:1:11" in line["message"]


class Follower:
    """A ``flora logs --follow`` that goes on."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*FLORA, "logs", "--follow", "--json", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "XDG_RUNTIME_DIR": str(home)},
        )
        self.remarks: list[str] = []
        self._listening = threading.Thread(target=self._listen)
        self._listening.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            self.remarks += lines

    def next(self) -> dict[str, Any]:
        """The next line of the script."""
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            told = msgspec.json.decode(line)
            if told["target"] == "script":
                return told
        raise AssertionError(f"it ended: {self.remarks}")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(SECONDS)
        self._listening.join(SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.mark.parity(95, 101)
def test_a_follower_hears_what_comes_and_finds_the_next_session(project: Path, tmp_path: Path) -> None:
    first = Dev.start(project, tmp_path)
    first.say("!say before")
    follower = Follower(tmp_path)
    try:
        assert follower.next()["message"] == "before"
        first.say("!say live")
        assert follower.next()["message"] == "live"
        first.process.kill()
        first.process.communicate(timeout=SECONDS)
        second = Dev.start(project, tmp_path)
        second.say("!say again")
        assert follower.next()["message"] == "again"
        assert any("cannot be reached" in remark for remark in follower.remarks)
        second.stop()
    finally:
        ended = follower.stop()
    assert ended == 0, "Ctrl-C is how it ends"


# ---------------------------------------------------------------- jobs


def test_jobs_are_listed_and_run(ask: Flora, dev: Dev) -> None:
    (job,) = ask("cron", "list", "--json").json
    assert (job["name"], job["expression"]) == ("tick", "0 9 * * *")
    assert job["next"] > time.time()
    ran = ask("cron", "run", "tick", "--json").json
    assert (ran["name"], ran["outcome"]) == ("tick", "ok")
    assert ask("cron", "list").out.splitlines()[1].startswith("tick")
    missing = ask("cron", "run", "tock")
    assert (missing.code, "the script has tick" in missing.err) == (4, True)
    ask("kv", "clear", "-s", "marks", "--yes")


# ---------------------------------------------------------------- at the prompt


def test_the_prompt_runs_jobs_and_shows_storage_and_logs(dev: Dev, ask: Flora) -> None:
    dev.type(":cron tick")
    ran = dev.until("cron")
    assert (ran["name"], ran["outcome"]) == ("tick", "ok")
    dev.type(":kv marks")
    assert dev.until("kv")["keys"] == [{"name": "ticks", "value": "1"}]
    dev.type(":kv")
    assert [row["name"] for row in dev.until("kv")["stores"]] == ["marks"]
    dev.type(":logs 1")
    assert [line["text"] for line in dev.until("logs")["lines"]] == ["ticked 1"]
    dev.type(":cron tock")
    assert dev.until("refused")["message"] == "there is no cron job 'tock'; the script has tick"
    assert ask("kv", "get", "ticks", "-s", "marks").out == "1", "the same storage"
