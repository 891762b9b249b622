"""The database itself: what is acknowledged stays, what waits shares a flush, and trouble is told."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flora_core.ids import GuildId
from flora_runtime.kv.calls import parse_call
from flora_runtime.kv.database import Database, Job, KvUnavailable
from tests.integration.kv.writer import GUILDS
from tests.waiting import eventually

pytestmark = pytest.mark.parity(22, 75)

ONE, TWO = GuildId("1"), GuildId("2")
PATIENCE = 20.0
KILLS = 100


class Asking:
    """Calls that wait for their answer."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.database = Database(folder, **options)

    def ask(self, name: str, guild: GuildId = ONE, **args: Any) -> Any:
        answers: list[tuple[Any, Exception | None]] = []
        have = threading.Event()

        def done(result: Any, error: Exception | None) -> None:
            answers.append((result, error))
            have.set()

        self.database.submit(Job(guild, parse_call(name, json.dumps(args).encode()), done))
        assert have.wait(PATIENCE), "no answer"
        result, error = answers[0]
        if error is not None:
            raise error
        return result

    def set(self, key: str, value: str = "v", guild: GuildId = ONE, **options: Any) -> Any:
        return self.ask("kvSet", guild, store="s", key=key, value=value, options=options)

    def get(self, key: str, guild: GuildId = ONE) -> Any:
        found = self.ask("kvGet", guild, store="s", key=key)
        return None if found is None else found["value"]


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    opened = Asking(tmp_path / "kv")
    yield opened
    opened.database.close()


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    first = Asking(tmp_path)
    first.set("k", "ä🌸", metadata={"n": 1})
    first.database.close()
    second = Asking(tmp_path)
    assert second.get("k") == "ä🌸"
    second.database.close()


def test_many_writes_share_a_flush(tmp_path: Path) -> None:
    commits: list[int] = []
    asking = Asking(tmp_path, on_commit=lambda calls, _seconds: commits.append(calls))
    left = threading.Semaphore(0)
    call = parse_call("kvIncr", b'{"store":"s","key":"n"}')
    for number in range(3000):
        asking.database.submit(
            Job(GuildId(str(number % 100 + 1)), call, lambda _result, _error: left.release())
        )
    for _ in range(3000):
        assert left.acquire(timeout=PATIENCE)
    assert sum(commits) == 3000
    assert len(commits) < 300, "ten writes a flush at least"
    assert asking.get("n") is not None
    asking.database.close()


def test_a_guild_reads_what_it_has_just_written(asking: Asking) -> None:
    seen: list[Any] = []
    done = threading.Event()
    for number in range(200):
        write = parse_call("kvSet", json.dumps({"store": "s", "key": "k", "value": str(number)}).encode())
        asking.database.submit(Job(ONE, write, lambda _result, _error: None))
        read = parse_call("kvGet", b'{"store":"s","key":"k"}')

        def told(result: Any, _error: Exception | None) -> None:
            seen.append(result["value"])
            if len(seen) == 200:
                done.set()

        asking.database.submit(Job(ONE, read, told))
    assert done.wait(PATIENCE)
    assert seen == [str(number) for number in range(200)]


def test_expired_keys_are_swept_without_being_asked_for(tmp_path: Path) -> None:
    now = [1_000_000.0]
    asking = Asking(tmp_path, clock=lambda: now[0])
    for number in range(50):
        asking.set(str(number), ttl=10)
    asking.set("stays")
    now[0] += 60
    eventually(lambda: asking.ask("kvStores") == [{"name": "s", "keys": 1, "bytes": len("stays") + 1}])
    asking.database.close()


def test_a_clock_that_jumps_back_brings_nothing_back(tmp_path: Path) -> None:
    now = [1_000_000.0]
    asking = Asking(tmp_path, clock=lambda: now[0])
    asking.set("k", ttl=10)
    now[0] += 60
    eventually(lambda: asking.ask("kvStores") == [])
    now[0] -= 60
    assert asking.get("k") is None
    asking.database.close()


def test_a_call_that_is_refused_writes_nothing_and_harms_nobody(asking: Asking) -> None:
    asking.set("k", "x")
    with pytest.raises(Exception, match="needs a whole number"):
        asking.ask("kvIncr", store="s", key="k")
    asking.set("k", "y", TWO)
    assert (asking.get("k"), asking.get("k", TWO)) == ("x", "y")


def test_closing_finishes_what_was_asked_and_refuses_the_rest(tmp_path: Path) -> None:
    asking = Asking(tmp_path)
    outcomes: list[Exception | None] = []
    for number in range(500):
        call = parse_call("kvSet", json.dumps({"store": "s", "key": str(number), "value": "v"}).encode())
        asking.database.submit(Job(ONE, call, lambda _result, error: outcomes.append(error)))
    asking.database.close()
    assert outcomes == [None] * 500
    with pytest.raises(KvUnavailable, match="the pod stops"):
        asking.set("late")
    again = Asking(tmp_path)
    assert again.ask("kvCount", store="s") == 500
    again.database.close()


def test_a_database_that_is_open_elsewhere_cannot_be_opened(tmp_path: Path) -> None:
    asking = Asking(tmp_path)
    script = f"from pathlib import Path; from flora_runtime.kv.database import Database; Database(Path({str(tmp_path)!r}))"
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "KvUnavailable: the KV database in" in finished.stderr
    asking.database.close()


FULL_DISK = """
import json, resource, signal, sys, threading
from pathlib import Path
from flora_core.ids import GuildId
from flora_runtime.kv.calls import parse_call
from flora_runtime.kv.database import Database, Job
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
database = Database(Path(sys.argv[1]))
def ask(name, **args):
    out, have = [], threading.Event()
    done = lambda result, error: (out.append((result, error)), have.set())
    database.submit(Job(GuildId("1"), parse_call(name, json.dumps(args).encode()), done))
    assert have.wait(20)
    return out[0]
assert ask("kvSet", store="s", key="before", value="v")[1] is None
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
for _ in range(2):
    result, error = ask("kvSet", store="s", key="large", value="x" * 100_000)
    print("refused:", type(error).__name__, error)
print("read:", ask("kvGet", store="s", key="before"))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print("written:", ask("kvSet", store="s", key="large", value="y"))
print("read:", ask("kvGet", store="s", key="before"), ask("kvGet", store="s", key="large"))
database.close()
"""


def test_a_full_disk_refuses_writes_while_reads_go_on_until_there_is_room_again(tmp_path: Path) -> None:
    # A limit on the size of files stands in for the disk: to LevelDB both are a write that fails.
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    finished = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    refusal = (
        "refused: KvUnavailable kv cannot be written now (the pod's disk is full or broken); try again later"
    )
    said = [line for line in finished.stdout.splitlines() if line.startswith(("refused", "read", "written"))]
    assert said == [
        refusal,
        refusal,
        "read: ({'value': 'v'}, None)",
        "written: (True, None)",
        "read: ({'value': 'v'}, None) ({'value': 'y'}, None)",
    ], finished.stderr


@pytest.mark.timeout(1200)  # a hundred processes, on a machine that has other things to do
def test_kill_9_a_hundred_times_loses_nothing_acknowledged_and_halves_no_transaction(tmp_path: Path) -> None:
    chance = random.Random(7)
    acknowledged = dict.fromkeys(GUILDS, 0)
    for _ in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.kv.writer", str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert writer.stdout is not None
            lines = chance.randrange(1, 400)
            for _ in range(lines):
                guild, number = writer.stdout.readline().split()
                acknowledged[GuildId(guild)] = int(number)
            os.kill(writer.pid, signal.SIGKILL)
            for line in writer.stdout.read().splitlines(keepends=True):
                if line.endswith("\n"):
                    guild, number = line.split()
                    acknowledged[GuildId(guild)] = int(number)
            writer.stdout.close()
        finally:
            writer.kill()
            writer.wait()
    asking = Asking(tmp_path)
    for guild in GUILDS:
        taken = int(asking.ask("kvGet", guild, store="bank", key="a")["value"])
        given = int(asking.ask("kvGet", guild, store="bank", key="b")["value"])
        logged = sum(asking.ask("kvCount", guild, store=f"log{n}") for n in range(3))
        assert taken == -given, "no transaction is half done"
        assert logged == given
        assert given >= acknowledged[guild] > 0, "what was acknowledged is there"
        usage = {store["name"]: store["keys"] for store in asking.ask("kvStores", guild)}
        assert usage["bank"] == 2
        assert sum(usage.values()) == 2 + logged, "usage is what is there"
    asking.database.close()
