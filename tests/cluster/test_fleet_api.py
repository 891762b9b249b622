"""A guild's admin at the API of a whole fleet: by the CLI, from another machine, with no rights in the cluster."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from flora_simulator.world_spec import DEV_USER
from tests.cluster.installed import Installed
from tests.cluster.pods import log
from tests.waiting import eventually

GUILD = "200000000000009001"
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

    def write(self, version: str, *, script: str = SCRIPT) -> None:
        source = self.folder / "bot" / "src"
        source.mkdir(parents=True, exist_ok=True)
        (source / "main.ts").write_text(script.replace("VERSION", version))

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


@pytest.fixture(scope="module")
def guild(fleet: Installed) -> str:
    fleet.control("POST", "/guilds", {"name": "of an admin", "id": GUILD, "owner": "you"})
    return GUILD


@pytest.fixture(scope="module")
def admin(fleet: Installed, guild: str, tmp_path_factory: pytest.TempPathFactory) -> Admin:
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
    admin.flora("rollback", *at)
    assert fleet.ask(GUILD, "!who") == "one"
    history = json.loads(admin.flora("history", *at, "--json"))["revisions"]
    assert [one["status"] for one in history] == ["success", "failed", "success", "success"]

    admin.flora("undeploy", *at, "--yes")
    fleet.until(lambda: [] if fleet.condition(GUILD) is None else [GUILD], seconds=60)


def test_what_kubectl_applies_is_in_the_history(fleet: Installed, admin: Admin) -> None:
    fleet.apply(GUILD)
    fleet.until(lambda: [] if fleet.is_ready(GUILD) else [GUILD], seconds=60)
    newest = eventually(lambda: _newest(admin, source="kubectl"))
    assert newest["status"] == "success"
    fleet.api.delete(fleet.deployment(GUILD))


def test_a_stranger_is_told_what_he_lacks(fleet: Installed, admin: Admin) -> None:
    said = admin.flora("status", "--guild", fleet.guilds[0], code=3)
    assert "Manage Server" in said
    said = admin.flora("status", "--guild", "200000000000009999", code=4)
    assert "invite" in said


def test_a_replica_that_is_replaced_is_not_missed(fleet: Installed, admin: Admin) -> None:
    fleet.restart("Deployment", "flora-api")
    for _ in range(20):
        admin.flora("list")
    fleet.wait_ready()


def test_nobody_finds_secrets_in_the_logs_of_the_api(fleet: Installed, admin: Admin) -> None:
    for pod in fleet.pods("api"):
        text = log(fleet.api, pod)
        assert "hunter2" not in text
        assert admin._environment["FLORA_TOKEN"] not in text


def _log(admin: Admin) -> list[dict[str, str]]:
    return [json.loads(line) for line in admin.flora("logs", "--guild", GUILD, "--json").splitlines()]


def _newest(admin: Admin, *, source: str) -> dict[str, str] | None:
    revisions = json.loads(admin.flora("history", "--guild", GUILD, "--json"))["revisions"]
    found = [one for one in revisions if one["deploy_source"] == source]
    return found[0] if found and found[0]["status"] != "pending" else None
