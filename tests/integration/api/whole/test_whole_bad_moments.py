"""What goes wrong because of when or where: two at once, full, cut off, gone, or no project at all.

Status, code and message by HTTP; line and exit code of the ``flora`` command; and nothing is lost or doubled.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from prometheus_client import REGISTRY

from flora_core.ids import GuildId
from tests.integration.api.auth.conftest import GARDEN
from tests.integration.api.whole.people import (
    DEPLOY,
    GOOD,
    Flora,
    flora,
    inhabited,
    kept,
    project,
    script,
    settled,
)
from tests.integration.api.whole.proxy import Proxy, canned
from tests.integration.api.whole.whole_api import WholeApi
from tests.integration.flora_command import FLORA, Ended
from tests.waiting import eventually

__all__ = ["flora", "inhabited", "kept", "project"]

AT_HOME = ("--guild", GARDEN)


def refused(ended: Ended, code: int, line: str) -> None:
    """It says so in a line, and exits with that."""
    assert ended.code == code, ended
    assert re.search(line, ended.err), ended.err
    assert (ended.out, "Traceback" in ended.err) == ("", False)


# ---------------------------------------------------------------- projects


def _blank(folder: Path) -> None:
    (folder / "src" / "main.ts").write_text(" \n\t")


def _binary(folder: Path) -> None:
    (folder / "src" / "logo.ts").write_bytes(b"\x89PNG\xff\xfe\0")


def _symlink(folder: Path) -> None:
    (folder / "src" / "passwd.ts").symlink_to("/etc/passwd")


def _many(folder: Path) -> None:
    for number in range(200):
        (folder / "src" / f"f{number}.ts").write_text("export {};")


def _large(folder: Path) -> None:
    (folder / "src" / "data.ts").write_text(f"export const data = '{'x' * 1_150_000}';")


@pytest.mark.parametrize(
    ("make", "code", "line"),
    [
        (_blank, 2, "the entrypoint 'src/main.ts' is empty; write your script in it"),
        (_binary, 2, "src/logo.ts.* (is not|no) "),
        (_symlink, 2, "src/passwd.ts.*(link|outside)"),
        (_many, 2, "there are 201 source files .* and a project may have 200; list what is not needed"),
        (_large, 2, "have 1,150,.* bytes and may have 1,048,576; the largest is src/data.ts"),
        (lambda folder: (folder / "src" / "main.ts").unlink(), 2, "looked for src/main.ts"),
    ],
    ids=["blank", "binary", "symlink", "201 files", "1.1 MiB", "no entrypoint"],
)
def test_a_folder_that_is_no_project_is_not_deployed(
    whole: WholeApi, flora: Flora, project: Path, make: Callable[[Path], None], code: int, line: str
) -> None:
    before = whole.ok("GET", f"{DEPLOY}/history")
    make(project)
    refused(flora("deploy", project, *AT_HOME), code, line)
    assert whole.ok("GET", f"{DEPLOY}/history") == before


# ---------------------------------------------------------------- deploys


@contextmanager
def idle_operator(whole: WholeApi) -> Iterator[Callable[[], None]]:
    """Nothing becomes ready until the end, or until what is yielded is called."""

    async def resume() -> None:
        whole.stage.operates = True
        if GuildId(GARDEN) in whole.stage.store._objects:
            whole.stage.look(GuildId(GARDEN))

    whole.stage.operates = False
    try:
        yield lambda: whole.run(resume)
    finally:
        whole.run(resume)


def test_of_two_deploys_at_once_one_is_refused_and_names_the_other(
    whole: WholeApi, flora: Flora, project: Path
) -> None:
    with idle_operator(whole):
        # Other limits would do, too: the same script again is ready at once.
        first = whole.ok("POST", DEPLOY, script(f"{GOOD} // again"))["revision_id"]
        answer = whole.ask("POST", DEPLOY, script())
        assert (answer.status_code, answer.json()["code"]) == (409, "DEPLOY_IN_PROGRESS")
        assert first in str(answer.json())
        refused(
            flora("deploy", project, *AT_HOME),
            1,
            f"ada deploys to this guild since .*{first}.*; wait until that has ended",
        )
        refused(
            flora("rollback", *AT_HOME, "--yes"),
            1,
            f"ada deploys to this guild since .*{first}.*; wait until that has ended",
        )
    assert settled(whole, first)["status"] == "success"
    assert flora("deploy", project, *AT_HOME).code == 0  # as it was


def test_what_failed_is_not_rolled_back_to(whole: WholeApi, flora: Flora, project: Path) -> None:
    (project / "src" / "main.ts").write_text("// throws")
    refused(flora("deploy", project, *AT_HOME), 1, r"LoadFailed\n +at main \(src/main.ts:2:7\)")
    failed = whole.ok("GET", f"{DEPLOY}/history")["revisions"][0]
    assert (failed["status"], failed["error_code"]) == ("failed", "LOAD_FAILED")
    answer = whole.ask("POST", f"{DEPLOY}/rollback/{failed['id']}")
    assert (answer.status_code, answer.json()["code"]) == (400, "NOT_A_GOOD_REVISION")
    refused(
        flora("rollback", failed["id"], *AT_HOME, "--yes"), 2, "never went live .*; roll back to one that did"
    )
    (project / "src" / "main.ts").write_text(GOOD)
    assert flora("deploy", project, *AT_HOME).code == 0


# ---------------------------------------------------------------- quotas


def test_a_full_store_says_so_and_keeps_what_it_has(whole: WholeApi, flora: Flora) -> None:
    """A hundred mebibytes, seven at a time."""
    value = "x" * ((1 << 20) - 1000)
    for part in range(14):
        put = [{"key": f"{part}-{n}", "value": value} for n in range(7)]
        assert whole.ok("POST", f"/kv/{GARDEN}/full/bulk", {"put": put})["written"] == 7
    more = {"put": [{"key": f"more-{n}", "value": value} for n in range(7)]}
    answer = whole.ask("POST", f"/kv/{GARDEN}/full/bulk", more)
    assert (answer.status_code, answer.json()["code"]) == (507, "KV_QUOTA_EXCEEDED")
    assert "delete keys, or give them an expiration" in answer.json()["message"]
    for n in range(3):
        whole.ask("PUT", f"/kv/{GARDEN}/full/last-{n}", {"value": value})
    ended = flora("kv", "put", "k", "-", "--store", "full", *AT_HOME, stdin=value.encode())
    refused(ended, 1, "delete keys, or give them an expiration")
    (store,) = [
        row for row in whole.ok("GET", f"/kv/stores?guild_id={GARDEN}") if row["store_name"] == "full"
    ]
    assert 98 <= store["keys"] <= 101
    assert whole.ok("GET", f"/kv/{GARDEN}/full/more-0") == {"value": None}, "all of it or nothing"
    assert whole.ok("DELETE", f"/kv/stores/{GARDEN}/full")["complete"]


def test_who_writes_too_often_is_told_when_to_come_back(whole: WholeApi, flora: Flora) -> None:
    many = {"put": [{"key": f"k{n}", "value": ""} for n in range(1000)]}
    answers = [whole.ask("POST", f"/kv/{GARDEN}/often/bulk", many) for _ in range(13)]
    refusal = answers[-1]
    assert (refusal.status_code, refusal.json()["code"]) == (429, "KV_RATE_LIMITED")
    assert 1 <= int(refusal.headers["Retry-After"]) <= 60
    refused(flora("kv", "put", "k", "v", "--store", "often", *AT_HOME), 5, r"try again in \d+ s")
    assert whole.ok("DELETE", f"/kv/stores/{GARDEN}/often")["removed"] == 1000


# ---------------------------------------------------------------- what stands between


@pytest.fixture
def proxy(whole: WholeApi) -> Iterator[Proxy]:
    made = Proxy(whole.url)
    block = made.open()
    whole.run(block.__aenter__)
    yield made
    whole.run(lambda: block.__aexit__(None, None, None))


ANSWERS = [
    (canned(500, b'{"message": "no", "code": "INTERNAL", "details": {}}'), "no"),
    (canned(502, b"<html>Bad Gateway</html>"), "answered with 502"),
    (
        canned(503, b'{"message": "away", "code": "X", "details": {}}', Retry_After="600"),
        "away; try again in 600 s",
    ),
    (
        canned(429, b'{"message": "often", "code": "X", "details": {}}', Retry_After="600"),
        "try again in 600 s",
    ),
    (canned(200, b"<html>Welcome</html>"), "is it an API of flora"),
]


@pytest.mark.parametrize(("answer", "line"), ANSWERS, ids=["500", "502", "503", "429", "a page"])
def test_an_api_that_does_not_serve_is_told_apart(
    whole: WholeApi, flora: Flora, project: Path, proxy: Proxy, answer: bytes, line: str
) -> None:
    before = whole.ok("GET", f"{DEPLOY}/history")
    proxy.answer = answer
    for command in (
        ["status"],
        ["deploy", project],
        ["kv", "get", "k", "--store", "kept"],
        ["secret", "list"],
    ):
        refused(flora(*command, *AT_HOME, url=proxy.url), 5, line)
    assert whole.ok("GET", f"{DEPLOY}/history") == before


def test_nobody_there_and_no_tls_name_where_the_address_is_from(whole: WholeApi, flora: Flora) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{held.getsockname()[1]}"
        for url in (nobody, whole.url.replace("http:", "https:"), "https://no-such-host.invalid"):
            refused(
                flora("status", *AT_HOME, url=url), 5, "cannot be reached .*the address is from FLORA_API_URL"
            )


def test_a_deploy_is_followed_through_a_proxy_that_cuts_what_is_idle(
    whole: WholeApi, flora: Flora, project: Path, proxy: Proxy
) -> None:
    (project / "src" / "main.ts").write_text(f"{GOOD} // slow")
    proxy.idle_seconds = 0.3
    before = whole.ok("GET", f"{DEPLOY}/history?limit=100")["revisions"]
    with idle_operator(whole) as resume:
        waker = threading.Thread(target=lambda: (eventually(lambda: proxy.cuts >= 2), resume()))
        waker.start()
        ended = flora("deploy", project, *AT_HOME, url=proxy.url)
        waker.join()
    assert ended.code == 0, ended
    assert "ready on flora-runtime-0" in ended.out
    made = whole.ok("GET", f"{DEPLOY}/history?limit=100")["revisions"][: -len(before)]
    assert [(revision["id"] in ended.out, revision["status"]) for revision in made] == [(True, "success")], (
        "once"
    )
    (project / "src" / "main.ts").write_text(GOOD)
    assert flora("deploy", project, *AT_HOME).code == 0


def test_logs_are_followed_through_a_proxy_that_cuts_what_is_idle(
    whole: WholeApi, proxy: Proxy, tmp_path: Path
) -> None:
    proxy.idle_seconds = 0.3
    with following(whole, proxy.url, tmp_path) as lines:
        whole.log("first")
        eventually(lambda: lines() == ["first"])
        for number in range(3):
            cuts = proxy.cuts
            eventually(lambda cuts=cuts: proxy.cuts > cuts)
            whole.log(f"while away {number}")
        eventually(lambda: len(lines()) == 4)
        assert lines() == ["first", *(f"while away {number}" for number in range(3))]


@contextmanager
def following(whole: WholeApi, url: str, folder: Path) -> Iterator[Callable[[], list[str]]]:
    """``flora logs -f`` as a process; the texts that it has shown."""
    out = folder / "out"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLORA_")}
    environment |= {"FLORA_API_URL": url, "FLORA_TOKEN": whole.tokens["ada"], "XDG_CONFIG_HOME": str(folder)}
    command = [*FLORA, "logs", "-f", "--json", "-n", "0", *AT_HOME]
    before = followers()
    with out.open("wb") as stdout:
        process = subprocess.Popen(
            command, stdout=stdout, stderr=subprocess.DEVNULL, env=environment, cwd=folder
        )
        try:
            eventually(lambda: followers() > before)
            yield lambda: [msgspec.json.decode(line)["message"] for line in out.read_bytes().splitlines()]
            process.send_signal(signal.SIGINT)
            assert process.wait(60) in (0, 130)
        finally:
            process.kill()
            process.wait()
            eventually(lambda: followers() <= before)  # a proxy between lets go of it later than the process


def followers() -> float:
    return REGISTRY.get_sample_value("flora_api_log_followers") or 0.0


def test_a_reader_that_vanishes_is_forgotten(whole: WholeApi) -> None:
    before = followers()
    address = urlsplit(whole.url)
    request = f"GET /api/logs/{GARDEN}/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {whole.tokens['ada']}\r\n\r\n"
    readers: list[socket.socket] = []
    for _ in range(20):
        reader = socket.create_connection((address.hostname, address.port), timeout=30)
        reader.sendall(request.encode())
        readers.append(reader)
    eventually(lambda: followers() == before + 20)
    for reader in readers:
        reader.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )  # as a cable that is cut
        reader.close()
    whole.log("anybody?")
    eventually(lambda: followers() == before)
    assert whole.ok("GET", f"/logs/{GARDEN}?limit=1")[0]["message"] == "anybody?"


def test_a_pods_clock_that_is_wrong_loses_no_line(whole: WholeApi) -> None:
    hour, now = 3_600_000, time.time_ns() // 1_000_000
    whole.log("from tomorrow", at=now + 24 * hour)
    whole.log("now", at=now)
    whole.log("from yesterday", at=now - 24 * hour)
    shown: list[dict[str, Any]] = whole.ok("GET", f"/logs/{GARDEN}?limit=3")
    assert [line["message"] for line in shown] == ["from tomorrow", "now", "from yesterday"], "as they came"
    behind = whole.ok("GET", f"/logs/{GARDEN}?after={shown[0]['id']}")
    assert [line["message"] for line in behind] == ["now", "from yesterday"]
