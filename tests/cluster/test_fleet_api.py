"""A guild's admin at the API of a whole fleet: by the CLI, from another machine, with no rights in the cluster."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from flora_simulator.world_spec import DEV_USER
from tests.cluster.installed import NAMESPACE, Installed
from tests.cluster.pods import log
from tests.waiting import eventually

GUILD = "200000000000009001"
ROLLED = "200000000000009002"
"""Of the same owner: where the API's pods are replaced meanwhile."""
FOREIGN = "200000000000009003"
"""Of somebody else."""
TEST_GUILD = "100000000000009001"
"""Of `helm test`."""
VERIFIER = "v" * 64
SCRIPT = """
const visits = kv.store("visits");
cron("tidy", "0 4 * * *", () => console.log("tidied"));
createBot({
  prefix: "!",
  prefixCommands: [
    prefix({ name: "who", run: (ctx) => ctx.reply("VERSION") }),
    prefix({
      name: "visit",
      run: async (ctx) => {
        const count = await visits.incr("count");
        console.log(`visit ${count}`);
        await ctx.reply(`visit ${count}`);
      },
    }),
    prefix({ name: "key", run: (ctx) => ctx.reply(String(secrets.get("KEY") !== undefined)) }),
    prefix({
      name: "fetch",
      run: async (ctx) => {
        const headers = { Authorization: `Bearer ${secrets.get("KEY")}` };
        const asked = fetch("SERVER", { headers });
        await ctx.reply(await asked.then((answer) => String(answer.status), (error) => error.code));
      },
    }),
  ],
});
"""


def log_in(fleet: Installed) -> str:
    """An API token, as `flora login` gets it: whoever sits at the browser is the guild's owner."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
    query = {"redirect": "http://127.0.0.1:9/back", "state": "s", "challenge": challenge}
    with httpx.Client(base_url=fleet.api_url, trust_env=False, timeout=30) as browser:
        to_discord = browser.get("/api/auth/cli", params=query).headers["location"]
        discord = urlsplit(to_discord)
        back = browser.get(f"{fleet.url}{discord.path}?{discord.query}").headers["location"]
        ended = browser.get(back).headers["location"]
        code = parse_qs(urlsplit(ended).query)["code"][0]
        answer = browser.post("/api/auth/cli/token", json={"code": code, "verifier": VERIFIER})
        assert answer.status_code == 200, answer.text
        assert answer.json()["user"]["id"] == DEV_USER
        return answer.json()["token"]


class Admin:
    """Somebody with the CLI and a token."""

    def __init__(self, fleet: Installed, folder: Path) -> None:
        self.folder = folder
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "FLORA_API_URL": fleet.api_url,
            "FLORA_TOKEN": log_in(fleet),
            "FLORA_PLAIN_HTTP": "1",
        }
        self.write("one")

    def write(self, version: str, *, script: str = SCRIPT, server: str = "") -> None:
        source = self.folder / "bot" / "src"
        source.mkdir(parents=True, exist_ok=True)
        (source / "main.ts").write_text(script.replace("VERSION", version).replace("SERVER", server))

    def flora(self, *words: str, code: int = 0, text: str | None = None) -> str:
        """What a command prints; it must end with ``code``."""
        done = subprocess.run(
            [sys.executable, "-m", "flora_cli.main", *words],
            cwd=self.folder / "bot",
            env=self._environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + (done.stderr if code else "")

    @contextmanager
    def following(self, guild: str) -> Iterator[Callable[[], list[str]]]:
        """`flora logs -f` beside the block, which asks for the messages that it has printed."""
        printed = self.folder / "followed.ndjson"
        words = ("logs", "--follow", "--guild", guild, "--json")
        with printed.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "flora_cli.main", *words],
                cwd=self.folder / "bot",
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            yield lambda: [
                json.loads(line)["message"] for line in printed.read_text().splitlines() if line[:1] == "{"
            ]
            assert process.poll() is None, printed.read_text()
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="module")
def admin(fleet: Installed, tmp_path_factory: pytest.TempPathFactory) -> Admin:
    for guild in (GUILD, ROLLED):
        fleet.control("POST", "/guilds", {"name": "of an admin", "id": guild, "owner": "you"})
    fleet.until(lambda: [] if _reached(fleet) else [fleet.api_url], seconds=60)
    return Admin(fleet, tmp_path_factory.mktemp("admin"))


def _reached(fleet: Installed) -> bool:
    try:
        return httpx.get(f"{fleet.api_url}/api/health", trust_env=False).text == "ok"
    except httpx.HTTPError:
        return False


def test_from_nothing_to_a_bot_that_answers_and_back(fleet: Installed, admin: Admin) -> None:
    at = ("--guild", GUILD)
    admin.flora("deploy", *at, "--message", "the first")
    assert fleet.ask(GUILD, "!who") == "one"
    assert fleet.ask(GUILD, "!visit") == "visit 1"

    status = json.loads(admin.flora("status", *at, "--json"))
    assert (status["ready"], status["reason"]) == (True, "Loaded")
    assert status["pod"].startswith("flora-runtime-")

    lines = eventually(lambda: [one for one in _log(admin) if one["message"] == "visit 1"])
    assert lines[0]["target"] == "script"

    assert admin.flora("kv", "get", "count", "--store", "visits", *at).strip() == "1"
    admin.flora("kv", "put", "count", "41", "--store", "visits", *at)
    assert fleet.ask(GUILD, "!visit") == "visit 42"

    assert fleet.ask(GUILD, "!key") == "false"
    admin.flora("secret", "put", "KEY", "--host", "api.example.com", *at, text="hunter2\n")
    eventually(lambda: fleet.ask(GUILD, "!key") == "true")
    assert "hunter2" not in admin.flora("secret", "list", *at)

    assert "tidy" in admin.flora("cron", "list", *at)
    assert json.loads(admin.flora("cron", "run", "tidy", *at, "--json"))["outcome"] == "ok"

    admin.write("two")
    admin.flora("deploy", *at)
    assert fleet.ask(GUILD, "!who") == "two"
    admin.write("three", script="createBot({")
    said = admin.flora("deploy", *at, code=1)
    assert "src/main.ts:1" in said
    assert fleet.ask(GUILD, "!who") == "two"
    admin.flora("rollback", *at, "--yes")
    assert fleet.ask(GUILD, "!who") == "one"
    history = json.loads(admin.flora("history", *at, "--json"))["revisions"]
    assert [one["status"] for one in history] == ["success", "failed", "success", "success"]

    undeploy(fleet, admin)


def undeploy(fleet: Installed, admin: Admin) -> None:
    """Wait too: nothing is deployed to a guild that is being undeployed."""
    admin.flora("undeploy", "--guild", GUILD, "--yes")
    fleet.until(lambda: [GUILD] if fleet.has(GUILD) else [], seconds=60)


def test_what_kubectl_applies_is_in_the_history(fleet: Installed, admin: Admin) -> None:
    fleet.apply(GUILD)
    fleet.until(lambda: [] if fleet.is_ready(GUILD) else [GUILD], seconds=60)
    newest = eventually(lambda: _newest(admin, source="kubectl"))
    assert newest["status"] == "success"
    undeploy(fleet, admin)


def test_a_stranger_is_told_what_he_lacks(fleet: Installed, admin: Admin) -> None:
    fleet.control("POST", "/guilds", {"name": "of somebody else", "id": FOREIGN, "owner": "somebody"})
    said = admin.flora("status", "--guild", FOREIGN, code=3)
    assert "Manage Server" in said
    said = admin.flora("status", "--guild", "200000000000009999", code=4)
    assert "invite" in said


@contextmanager
def listening(address: str) -> Iterator[tuple[str, list[str]]]:
    """A server of somebody else: its URL, and what it was shown as authorization."""
    shown: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers.get("Authorization", ""))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer((address, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://{address}:{server.server_port}", shown
        server.shutdown()
        thread.join()


def test_a_secret_reaches_the_server_it_is_for_and_no_script(fleet: Installed, admin: Admin) -> None:
    at = ("--guild", GUILD)
    with listening(fleet.here) as (url, shown):
        admin.write("fetches", server=url)
        admin.flora("deploy", *at)
        admin.flora("secret", "put", "KEY", "--host", "api.example.com", *at, text="hunter2\n")
        eventually(lambda: fleet.ask(GUILD, "!key") == "true")
        assert fleet.ask(GUILD, "!fetch") == "FETCH_SECRET_FORBIDDEN"
        admin.flora("secret", "put", "KEY", "--host", url, *at, text="hunter2\n")
        eventually(lambda: fleet.ask(GUILD, "!fetch") == "204")
        assert set(shown) == {"Bearer hunter2"}
    undeploy(fleet, admin)


def test_two_replicas_are_replaced_and_nobody_notices(fleet: Installed, admin: Admin) -> None:
    """Deploys go on, and whoever follows the log sees each line once."""
    at = ("--guild", ROLLED)
    fleet.scale(2, kind="Deployment", name="flora-api")
    fleet.wait_ready(api=2)
    before = {pod["metadata"]["uid"] for pod in fleet.pods("api")}
    admin.write("0")
    admin.flora("deploy", *at)
    visits, deploys = [fleet.ask(ROLLED, "!visit")], 1
    with admin.following(ROLLED) as lines:
        eventually(lambda: visits[0] in lines())
        fleet.restart("Deployment", "flora-api")
        while before & {pod["metadata"]["uid"] for pod in fleet.pods("api")}:
            admin.write(str(deploys))
            admin.flora("deploy", *at)
            assert fleet.ask(ROLLED, "!who") == str(deploys)
            visits.append(fleet.ask(ROLLED, "!visit"))
            deploys += 1
        fleet.wait_ready(api=2)
        eventually(lambda: visits[-1] in lines(), seconds=60)
        assert [line for line in lines() if line.startswith("visit ")] == visits
    assert visits == [f"visit {number}" for number in range(1, deploys + 1)]
    history = json.loads(admin.flora("history", *at, "--json"))["revisions"]
    assert [one["status"] for one in history] == ["success"] * min(deploys, len(history))
    assert len(history) == min(deploys, 25)
    fleet.scale(1, kind="Deployment", name="flora-api")
    fleet.wait_ready()


def test_nobody_finds_secrets_in_the_logs_of_the_api(fleet: Installed, admin: Admin) -> None:
    for pod in fleet.pods("api"):
        text = log(fleet.api, pod)
        assert "hunter2" not in text
        assert admin._environment["FLORA_TOKEN"] not in text


def test_helm_test_says_that_a_message_is_answered(fleet: Installed) -> None:
    said = fleet.helm.run("test", "flora", "--namespace", NAMESPACE, "--timeout", "100s")
    assert "Phase:          Succeeded" in said
    ask = fleet.named("v1", "Pod", "flora-test")
    assert f"guild {TEST_GUILD} answered" in log(fleet.api, ask)
    fleet.api.delete(ask)


def _log(admin: Admin) -> list[dict[str, str]]:
    return [json.loads(line) for line in admin.flora("logs", "--guild", GUILD, "--json").splitlines()]


def _newest(admin: Admin, *, source: str) -> dict[str, str] | None:
    revisions = json.loads(admin.flora("history", "--guild", GUILD, "--json"))["revisions"]
    found = [one for one in revisions if one["deploy_source"] == source]
    return found[0] if found and found[0]["status"] != "pending" else None
