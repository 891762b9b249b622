"""``flora dev`` with its API, as a developer works with it: every command in a process of its own."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from flora_simulator.world_spec import DEV_GUILD, DEV_USER
from tests.integration.flora_command import FLORA, Ended, run_apart
from tests.waiting import eventually

SECONDS = 120
SCRIPT = """
const marks = kv.store("marks");
cron("tick", "0 9 * * *", async () => console.log("ticked", await marks.incr("ticks")));
on("messageCreate", async ({ msg, reply }) => {
  console.log("heard", msg.content);
  if (msg.content === "!who") await reply("%s");
  if (msg.content === "!kept") await reply((await marks.get("greeting")) ?? "nothing");
  if (msg.content === "!fetch") {
    const key = secrets.get("KEY") ?? "";
    const answer = await fetch("%s", { headers: { Authorization: key } });
    await reply(`fetched ${await answer.text()}`);
  }
});
"""


class Asked:
    """A server that remembers with which Authorization it was asked."""

    def __init__(self) -> None:
        self.seen = seen = list[str]()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append(self.headers.get("Authorization", ""))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@dataclass
class Dev:
    """A ``flora dev --json`` that goes on; its output is read as it comes."""

    process: subprocess.Popen[str]
    lines: queue.Queue[dict[str, Any] | None] = field(default_factory=queue.Queue)
    seen: list[dict[str, Any]] = field(default_factory=list)

    def read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as out:
            for line in out:
                self.lines.put(msgspec.json.decode(line))
        self.lines.put(None)

    def until(self, event: str, **fields: Any) -> dict[str, Any]:
        while True:
            line = self.lines.get(timeout=SECONDS)
            assert line is not None, f"it ended before {event!r}: {self.seen}"
            self.seen.append(line)
            if line["event"] == event and all(line.get(name) == value for name, value in fields.items()):
                return line

    def say(self, text: str) -> list[str]:
        """What the bot answers."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()
        return [answer["content"] for answer in self.until("answer", said=text)["answers"]]

    def family(self) -> list[psutil.Process]:
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)


@dataclass
class Desk:
    """A developer's machine: a home, a folder to work in, and the commands."""

    folder: Path
    sessions: list[Dev] = field(default_factory=list)

    def __post_init__(self) -> None:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("DISCORD_", "FLORA_"))
        }
        self.environment = {
            **kept,
            "NO_COLOR": "1",
            "COLUMNS": "200",
            "XDG_RUNTIME_DIR": str(self.folder / "home"),
            "XDG_CONFIG_HOME": str(self.folder / "home"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "RUNTIME_FETCH_ALLOW": "127.0.0.1",
        }

    def flora(self, *arguments: str, stdin: str = "") -> Ended:
        return run_apart(*arguments, env=self.environment, cwd=self.folder, stdin=stdin, seconds=SECONDS)

    def works(self, *arguments: str, stdin: str = "") -> Ended:
        ended = self.flora(*arguments, stdin=stdin)
        assert ended.code == 0, (arguments, ended)
        return ended

    def start(self, *arguments: str, wait_for: str = "api", **environment: str) -> Dev:
        process = subprocess.Popen(
            [*FLORA, "dev", "bot", "--json", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={**self.environment, **environment},
        )
        self.sessions.append(dev := Dev(process))
        threading.Thread(target=dev.read, daemon=True).start()
        dev.until("ready")
        if wait_for == "api":
            assert dev.until("api")["url"], dev.seen
        return dev

    def write(self, name: str, *, url: str = "http://127.0.0.1:9") -> None:
        """The folder's script; it says who it is."""
        (self.folder / "bot" / "src").mkdir(parents=True, exist_ok=True)
        (self.folder / "bot" / "src" / "main.ts").write_text(SCRIPT % (name, url))


@pytest.fixture
def desk() -> Iterator[Desk]:
    with tempfile.TemporaryDirectory(prefix="flora-test-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # Postgres of a root's session runs as somebody else
        desk = Desk(Path(name))
        yield desk
        for dev in desk.sessions:
            if dev.process.poll() is None:
                dev.process.kill()
                dev.process.wait()
            assert dev.process.stdin is not None
            dev.process.stdin.close()


def gone(processes: list[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)


@pytest.mark.timeout(600)
def test_a_day_at_the_desk(desk: Desk) -> None:
    """init, dev, login, deploy, logs -f, secret put, kv put and get, a broken deploy, rollback, undeploy."""
    asked = Asked()
    desk.works("init", "bot")
    desk.write("folder", url=asked.url)
    dev = desk.start()
    assert dev.say("!who") == ["folder"]

    logged_in = desk.works("login", "--api", "dev")
    assert "as you" in logged_in.err
    who = desk.works("whoami", "--json").json
    assert (who["user"]["id"], who["type"]) == (DEV_USER, "token")

    other = desk.folder / "other" / "src"
    other.mkdir(parents=True)
    (other / "main.ts").write_text(SCRIPT % ("command", asked.url))
    deployed = desk.works("deploy", "other", "-m", "by hand", "--json").json
    assert (deployed["ok"], deployed["pod"]) == (True, "flora-runtime-0")
    assert dev.say("!who") == ["command"], "what was deployed last counts"

    follower = subprocess.Popen(
        [*FLORA, "logs", "-f", "--json", "-n", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=desk.folder,
        env=desk.environment,
    )
    try:
        assert follower.stdout is not None
        first = threading.Event()
        heard: list[str] = []

        def listen() -> None:
            assert follower.stdout is not None
            for line in follower.stdout:
                heard.append(msgspec.json.decode(line)["message"])
                first.set()

        listening = threading.Thread(target=listen, daemon=True)
        listening.start()
        count = 0
        while not first.wait(2):  # it may not have begun to listen yet
            count += 1
            assert count < SECONDS
            dev.say("!who")
        dev.say("!kept")
        eventually(lambda: "heard !kept" in heard)
    finally:
        follower.send_signal(signal.SIGINT)
        assert follower.wait(SECONDS) == 0
        listening.join(SECONDS)
        follower.stdout.close()

    desk.works("secret", "put", "KEY", "--host", asked.url, stdin="s3cret\n")
    (row,) = desk.works("secret", "list", "--json").json
    assert (row["name"], row["allowed_hosts"]) == ("KEY", [asked.url])

    def fetched() -> bool:
        return dev.say("!fetch") == ["fetched ok"] and asked.seen[-1] == "s3cret"

    eventually(fetched)

    desk.works("kv", "put", "greeting", "hello", "--store", "marks")
    assert desk.works("kv", "get", "greeting", "--store", "marks").out == "hello"
    assert dev.say("!kept") == ["hello"]
    ran = desk.works("cron", "run", "tick", "--json").json
    assert ran["outcome"] == "ok"
    assert desk.works("top", "--json").json["guild_id"] == DEV_GUILD

    (other / "main.ts").write_text("throw new Error('not today');\n")
    broken = desk.flora("deploy", "other")
    assert (broken.code, "not today" in broken.err, "src/main.ts:1:7" in broken.err) == (1, True, True)
    assert dev.say("!who") == ["command"], "what ran before goes on"
    status = desk.works("status", "--json").json
    assert (status["ready"], status["reason"]) == (False, "LoadFailed")

    (other / "main.ts").write_text("const a = ;\n")
    unread = desk.flora("deploy", "other")
    assert (unread.code != 0, "src/main.ts:1:11" in unread.err) == (True, True)

    desk.works("rollback", "--yes")
    assert desk.works("status", "--json").json["ready"]
    assert dev.say("!who") == ["command"], "the last good one before what is deployed"
    revisions = desk.works("history", "--json").json["revisions"]
    assert [(each["status"], each["deploy_source"]) for each in reversed(revisions)] == [
        ("success", "dev"),
        ("success", "cli"),
        ("failed", "cli"),
        ("failed", "cli"),
        ("success", "cli"),
    ]

    desk.works("undeploy", "--yes")
    eventually(lambda: desk.flora("status").code == 4)
    desk.write("saved", url=asked.url)
    dev.until("status", reason="Loaded")
    assert dev.say("!who") == ["saved"], "a save deploys it again"
    eventually(lambda: desk.works("history", "--json").json["revisions"][0]["deploy_source"] == "dev")
    entries = desk.works("token", "list", "--json").json
    assert [entry["label"] for entry in entries] == ["flora dev"]
    family = dev.family()
    assert dev.stop() == 0
    assert gone(family)
    nobody = desk.flora("status")
    assert (nobody.code, "flora dev" in nobody.err) == (1, True)


@pytest.mark.timeout(600)
def test_what_was_deployed_and_who_is_known_outlives_a_session_that_keeps_its_state(desk: Desk) -> None:
    desk.write("folder")
    state = str(desk.folder / "state")
    first = desk.start("--state-dir", state)
    desk.works("kv", "put", "greeting", "hello", "--store", "marks")
    desk.works("secret", "put", "KEY", "--host", "api.example.com", stdin="v\n")
    other = desk.folder / "other" / "src"
    other.mkdir(parents=True)
    (other / "main.ts").write_text(SCRIPT % ("command", ""))
    desk.works("deploy", "other")
    token = (desk.folder / "state" / "api" / "token").read_text()
    first.stop()

    second = desk.start("--state-dir", state)
    assert second.say("!who") == ["command"]
    assert (desk.folder / "state" / "api" / "token").read_text() == token
    assert desk.works("kv", "get", "greeting", "--store", "marks").out == "hello"
    assert [row["name"] for row in desk.works("secret", "list", "--json").json] == ["KEY"]
    sources = [each["deploy_source"] for each in desk.works("history", "--json").json["revisions"]]
    assert sources == ["cli", "dev"], "a restart is no deploy"
    assert any("heard" in line for line in desk.works("logs").out.splitlines())
    second.stop()
    logs = {file.name for file in (desk.folder / "state").glob("*.log")}
    assert logs == {"api.log", "dev.log", "gateway.log", "runtime.log", "simulator.log"}


@pytest.mark.timeout(600)
def test_nothing_outlives_a_session_that_is_killed_and_the_next_one_has_its_data(desk: Desk) -> None:
    desk.write("folder")
    state = str(desk.folder / "state")
    first = desk.start("--state-dir", state)
    desk.works("secret", "put", "KEY", "--host", "api.example.com", stdin="v\n")
    family = first.family()
    assert any(each.name() == "postgres" for each in family)
    first.process.kill()
    first.process.wait()
    eventually(lambda: gone(family))
    desk.start("--state-dir", state)
    assert [row["name"] for row in desk.works("secret", "list", "--json").json] == ["KEY"]


def test_without_an_api_the_bot_runs_and_the_commands_say_why(desk: Desk) -> None:
    desk.write("folder")
    dev = desk.start("--no-api", wait_for="ready")
    assert dev.say("!who") == ["folder"]
    refused = desk.flora("kv", "stores")
    assert (refused.code, "it was started with --no-api" in refused.err, ":kv" in refused.err) == (
        1,
        True,
        True,
    )
    assert dev.stop() == 0


def test_a_database_that_cannot_be_had_is_told_and_the_bot_goes_on(desk: Desk) -> None:
    desk.write("folder")
    url = "postgresql://flora:s3cret@127.0.0.1:9/flora"
    dev = desk.start(wait_for="ready", FLORA_DEV_POSTGRES_URL=url)
    told = dev.until("api")
    assert told["url"] is None
    assert "s3cret" not in told["message"]
    assert dev.say("!who") == ["folder"]
    refused = desk.flora("deploy", "bot")
    assert (refused.code, "has no API" in refused.err, "s3cret" in refused.err) == (1, True, False)
    assert dev.stop() == 0


@pytest.mark.timeout(600)
def test_an_api_that_ends_is_told_and_what_it_had_is_not_left_behind(desk: Desk) -> None:
    desk.write("folder")
    dev = desk.start()
    (api,) = [each for each in dev.family() if "flora_dev.local_api.main" in each.cmdline()]
    databases = api.children(recursive=True)
    assert {each.name() for each in databases} >= {"postgres", "redis-server"}
    api.kill()
    assert dev.until("api", url=None)["message"].startswith("api ended with status")
    if sys.platform == "linux":
        eventually(lambda: gone(databases))
    assert dev.say("!who") == ["folder"]
    assert desk.flora("kv", "stores").code == 1
    assert dev.stop() == 0
