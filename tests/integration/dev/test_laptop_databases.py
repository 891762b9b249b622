"""The databases of a session: started and stopped, kept and not, and those that a killed session left."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from redis.asyncio import Redis

from flora_dev.local_api import postgres, redis, servers
from flora_dev.local_api.postgres import open_postgres
from flora_dev.local_api.redis import open_redis_server
from flora_dev.local_api.servers import CannotServe, Server
from tests.waiting import eventually, until

LEAVE = """
import asyncio, os, signal, sys
from pathlib import Path
from flora_dev.local_api.{module} import {opener}
from flora_dev.local_api import servers
if {alone}:
    servers._end_with_parent = lambda: None
async def main():
    async with {opener}(Path(sys.argv[1]), kept=True) as url:
        print(url, flush=True)
        await asyncio.sleep(1000)
asyncio.run(main())
"""
"""A process that has a database until it is killed; ``alone``: nobody tells the database of that."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that another user can reach: Postgres does not run as root."""
    with tempfile.TemporaryDirectory(prefix="flora-test-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name) / "it"


async def ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def killed(folder: Path, module: str, opener: str, *, alone: bool) -> str:
    """The URL of a database whose process was killed."""
    script = LEAVE.format(module=module, opener=opener, alone=alone)
    process = subprocess.Popen([sys.executable, "-c", script, folder], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as out:
        url = out.readline().strip()
    process.kill()
    process.wait()
    return url


def served_from(folder: Path) -> list[psutil.Process]:
    """Database processes that are told of ``folder``, or work in it: Redis shows no arguments."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), process.cwd()]
        except psutil.Error:
            continue
        named = Path(words[0].split()[0]).name in {"postgres", "redis-server"} if words[0] else False
        if named and any(str(folder) in word for word in words):
            found.append(process)
    return found


# ---------------------------------------------------------------- Postgres


async def test_a_postgres_answers_until_the_block_is_left(folder: Path) -> None:
    async with open_postgres(folder, kept=False) as url:
        assert await ask(url, "SELECT 1") == 1
    with pytest.raises(OSError):
        await ask(url, "SELECT 1")


async def test_what_is_kept_is_there_again_and_its_password_stays(folder: Path) -> None:
    async with open_postgres(folder, kept=True) as url:
        await ask(url, "CREATE TABLE t AS SELECT 7 AS n")
    password = (folder / "password").read_text()
    assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o600
    async with open_postgres(folder, kept=True) as url:
        assert await ask(url, "SELECT n FROM t") == 7
        assert password in url
    assert served_from(folder) == []


async def test_nobody_gets_in_without_the_password(folder: Path) -> None:
    async with open_postgres(folder, kept=False) as url:
        wrong = url.replace(url.split(":")[2].split("@")[0], "guess")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await ask(wrong, "SELECT 1")


async def test_a_start_that_was_cut_short_is_made_anew(folder: Path) -> None:
    await asyncio.to_thread((folder / "unfinished" / "base").mkdir, parents=True)
    async with open_postgres(folder, kept=True) as url:
        assert await ask(url, "SELECT 1") == 1


async def test_data_of_another_version_is_not_touched(folder: Path) -> None:
    await asyncio.to_thread((folder / "data").mkdir, parents=True)
    (folder / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(CannotServe, match="begin anew"):
        async with open_postgres(folder, kept=True):
            pass
    assert (folder / "data" / "PG_VERSION").read_text() == "9\n"


async def test_one_that_a_killed_session_left_is_ended_and_its_data_taken_over(folder: Path) -> None:
    left = await asyncio.to_thread(killed, folder, "postgres", "open_postgres", alone=True)
    await ask(left, "CREATE TABLE t AS SELECT 7 AS n")
    before = served_from(folder)
    assert before
    async with open_postgres(folder, kept=True) as url:
        assert await ask(url, "SELECT n FROM t") == 7
        assert not set(before) & set(served_from(folder))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next session ends it")
@pytest.mark.parametrize(
    ("module", "opener"), [("postgres", "open_postgres"), ("redis", "open_redis_server")]
)
async def test_on_linux_it_ends_with_its_parent(folder: Path, module: str, opener: str) -> None:
    await asyncio.to_thread(killed, folder, module, opener, alone=False)
    await until(lambda: not served_from(folder))


async def test_the_note_of_a_process_that_is_long_gone_kills_nobody(folder: Path) -> None:
    async with open_postgres(folder, kept=True):
        pass
    somebody = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(1000)")
    try:
        lines = [str(somebody.pid), str(folder / "data"), "0", "9", "", "127.0.0.1"]
        (folder / "data" / "postmaster.pid").write_text("\n".join(lines))
        cluster = postgres._Cluster(folder, None)
        cluster._password = "x"
        await cluster.end_left_over()
        assert somebody.returncode is None
    finally:
        somebody.kill()
        await somebody.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="for root alone")
async def test_root_is_told_what_to_do_about_a_folder_that_nobody_can_reach(folder: Path) -> None:
    folder.parent.chmod(0o700)
    with pytest.raises(CannotServe, match=r"does not run as root.*FLORA_DEV_POSTGRES_URL"):
        async with open_postgres(folder, kept=True):
            pass


async def test_programs_that_nobody_can_reach_are_copied(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("for root alone")
    wheel = servers.installed(postgres.PACKAGE)
    opened = postgres._open_to_others
    monkeypatch.setattr(
        postgres, "_open_to_others", lambda path: not path.is_relative_to(wheel) and opened(path)
    )
    async with open_postgres(folder, kept=True) as url:
        assert await ask(url, "SELECT 1") == 1
        assert all(str(folder / "programs") in process.exe() for process in served_from(folder))


# ---------------------------------------------------------------- Redis


async def test_a_redis_answers_those_who_have_its_password(tmp_path: Path) -> None:
    async with open_redis_server(tmp_path / "it", kept=False) as url:
        async with Redis.from_url(url) as client:
            assert await client.set("a", "1")
        async with Redis.from_url(f"redis://{url.split('@')[1]}") as stranger:
            with pytest.raises(Exception, match="uthenticat"):
                await stranger.get("a")
        (served,) = served_from(tmp_path / "it")
        secret = url.split(":")[2].split("@")[0]
        assert not any(secret in word for word in served.cmdline())
        for name in ("redis.conf", "place.json"):
            assert stat.S_IMODE((tmp_path / "it" / name).stat().st_mode) == 0o600
    assert served_from(tmp_path / "it") == []


@pytest.mark.parametrize("kept", [True, False])
async def test_only_what_is_kept_is_there_again(tmp_path: Path, *, kept: bool) -> None:
    async with open_redis_server(tmp_path, kept=kept) as url, Redis.from_url(url) as client:
        await client.set("a", "1")
    async with open_redis_server(tmp_path, kept=kept) as url, Redis.from_url(url) as client:
        assert await client.get("a") == (b"1" if kept else None)


async def test_a_redis_that_a_killed_session_left_is_ended_with_what_it_had(tmp_path: Path) -> None:
    left = await asyncio.to_thread(killed, tmp_path, "redis", "open_redis_server", alone=True)
    async with Redis.from_url(left) as client:
        await client.set("a", "1")
    (before,) = served_from(tmp_path)
    async with open_redis_server(tmp_path, kept=True) as url, Redis.from_url(url) as client:
        assert await client.get("a") == b"1"
    assert not before.is_running() or before.status() == psutil.STATUS_ZOMBIE


async def test_a_damaged_note_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "place.json").write_text("{")
    async with open_redis_server(tmp_path, kept=False) as url, Redis.from_url(url) as client:
        assert await client.ping()


async def test_a_folder_with_a_blank_and_a_quote_is_a_folder(tmp_path: Path) -> None:
    async with open_redis_server(tmp_path / 'my "bot\'s"', kept=True) as url, Redis.from_url(url) as client:
        assert await client.ping()


# ---------------------------------------------------------------- servers


async def test_what_a_server_says_at_its_end_is_told(tmp_path: Path) -> None:
    server = await Server.start("It", [sys.executable, "-c", "exit('no room')"], log=tmp_path / "log")
    with pytest.raises(CannotServe, match="It ended at once: no room"):
        await server.wait_until(_never)


async def test_one_that_does_not_come_up_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "READY_SECONDS", 0.2)
    command = [sys.executable, "-c", "import time; time.sleep(1000)"]
    server = await Server.start("It", command, log=tmp_path / "log")
    with pytest.raises(CannotServe, match=r"was not ready within 0\.2 s"):
        await server.wait_until(_never)
    await server.stop(signal.SIGTERM)


async def test_one_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "STOP_SECONDS", 0.1)
    log = tmp_path / "log"
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(1000)"
    server = await Server.start("It", [sys.executable, "-c", deaf], log=log)
    await asyncio.to_thread(eventually, lambda: "up" in log.read_text())
    await server.stop(signal.SIGTERM)
    assert server._process.returncode == -signal.SIGKILL
    await server.stop(signal.SIGTERM)


async def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotServe, match="It cannot be started: No such file"):
        await Server.start("It", [tmp_path / "nothing"], log=tmp_path / "log")


def test_a_package_that_is_missing_says_how_to_get_it() -> None:
    with pytest.raises(CannotServe, match=r"no-such-thing is not installed: pip install 'flora\[dev\]'"):
        servers.installed("no_such_thing")


async def test_a_wheel_without_a_program_for_this_machine_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, opener in ((postgres, open_postgres), (redis, open_redis_server)):
        monkeypatch.setattr(module, "installed", lambda _package: tmp_path / "empty")
        with pytest.raises(CannotServe, match="for this machine"):
            async with opener(tmp_path / module.__name__, kept=False):
                pass


async def _never() -> bool:
    return False
