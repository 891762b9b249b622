"""The pool on a Postgres that restarts, freezes, refuses and is slow."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable

import asyncpg
import pytest

from flora_core.database import Database, DatabaseLimits
from flora_core.database.pool import checked_url
from flora_core.errors import DatabaseError, DatabaseGone, DatabaseRefused, InvalidSettings, NotMigrated
from tests.integration.database.conftest import QUICK
from tests.integration.postgres_server import ESCAPED, PASSWORD, USER, PostgresServer


async def one(connection: asyncpg.Connection) -> int:
    return await connection.fetchval("SELECT 1")


async def sleep(connection: asyncpg.Connection) -> None:
    await connection.execute("SELECT pg_sleep(30)")


def asking(query: str) -> Callable[[asyncpg.Connection], object]:
    async def work(connection: asyncpg.Connection) -> object:
        return await connection.fetchval(query)

    return work


async def test_a_call_is_answered(database: Database) -> None:
    assert await database.run(one) == 1


async def test_a_session_is_not_reset_between_calls(url: str) -> None:
    """That would be a way to Postgres for each."""
    async with await Database.open(url, limits=DatabaseLimits(connections=1)) as database:
        last = asking("SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()")
        other = asking(
            "SELECT string_agg(query, '; ') FROM pg_stat_activity WHERE state = 'idle' AND query <> ''"
        )
        assert await database.run(last)
        async with await Database.open(url, limits=DatabaseLimits(connections=1)) as looking:
            assert "RESET" not in str(await looking.run(other))


async def test_a_transaction_that_was_left_open_is_rolled_back(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def leave_open(connection: asyncpg.Connection) -> None:
        await connection.execute("BEGIN")
        await connection.execute("CREATE TABLE left_open ()")

    async with await Database.open(url, limits=DatabaseLimits(connections=1)) as database:
        await database.run(leave_open)
        assert await database.run(asking("SELECT to_regclass('left_open')")) is None
    assert "active transaction" in caplog.text, "asyncpg says whose mistake it is"


async def test_a_pool_can_be_opened_before_there_is_a_postgres() -> None:
    async with await Database.open("postgresql://flora@127.0.0.1:1/flora", limits=QUICK) as database:
        with pytest.raises(DatabaseGone, match="did not answer within 2 s"):
            await database.run(one)


async def test_calls_go_on_after_a_restart(database: Database, postgres: PostgresServer) -> None:
    await database.run(one)
    postgres.kill()
    postgres.start()
    assert await database.run(one) == 1


async def test_a_call_outlasts_a_restart(url: str, postgres: PostgresServer) -> None:
    async with await Database.open(url, limits=DatabaseLimits(seconds=20.0)) as database:
        await database.run(one)
        postgres.kill()
        call = asyncio.create_task(database.run(one))
        await asyncio.sleep(0.3)
        assert not call.done()
        await asyncio.to_thread(postgres.start)
        assert await call == 1


async def test_work_that_a_restart_interrupted_is_done_again(url: str, postgres: PostgresServer) -> None:
    tries = 0

    async def work(connection: asyncpg.Connection) -> int:
        nonlocal tries
        tries += 1
        if tries == 1:
            await connection.execute("SELECT pg_sleep(30)")
        return tries

    async with await Database.open(url, limits=DatabaseLimits(seconds=20.0, try_seconds=20.0)) as database:
        call = asyncio.create_task(database.run(work))
        await asyncio.sleep(0.3)
        postgres.kill()
        await asyncio.to_thread(postgres.start)
        assert await call == 2


async def test_a_frozen_postgres_is_gone_by_the_deadline(
    database: Database, postgres: PostgresServer
) -> None:
    await database.run(one)
    postgres.freeze()
    try:
        began = time.monotonic()
        with pytest.raises(DatabaseGone):
            await database.run(one)
        assert time.monotonic() - began < 2 * QUICK.seconds
    finally:
        postgres.thaw()
    assert await database.run(one) == 1


async def test_a_slow_statement_ends_by_the_deadline(database: Database) -> None:
    with pytest.raises(DatabaseGone, match="the last try met: TimeoutError"):
        await database.run(sleep)
    assert await database.run(one) == 1


async def test_cancelled_calls_give_their_connections_back(database: Database) -> None:
    for _ in range(3 * QUICK.connections):
        call = asyncio.create_task(database.run(sleep))
        await asyncio.sleep(0.02)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert await database.run(one) == 1


async def test_more_calls_than_connections_wait_for_one(url: str) -> None:
    count = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pg_sleep(0) IS NOT NULL"
    )
    async with await Database.open(url, limits=DatabaseLimits(connections=2)) as database:
        seen = await asyncio.gather(*(database.run(asking(count)) for _ in range(50)))
    assert set(seen) <= {1, 2}


async def test_a_mistake_in_a_statement_is_told_at_once_and_breaks_no_connection(database: Database) -> None:
    backend = await database.run(asking("SELECT pg_backend_pid()"))
    with pytest.raises(DatabaseError, match='syntax error at or near "SELEKT"') as error:
        await database.run(asking("SELEKT 1"))
    assert type(error.value) is DatabaseError
    assert await database.run(asking("SELECT pg_backend_pid()")) == backend


async def test_what_the_work_itself_raises_comes_through(database: Database) -> None:
    async def work(connection: asyncpg.Connection) -> None:
        raise LookupError(await connection.fetchval("SELECT 'mine'"))

    with pytest.raises(LookupError, match="mine"):
        await database.run(work)


async def test_a_table_that_is_missing_asks_for_a_migration(database: Database) -> None:
    with pytest.raises(NotMigrated, match="run flora-migrate"):
        await database.run(asking("SELECT 1 FROM of_a_later_release"))


async def test_a_serialization_failure_is_tried_again(database: Database) -> None:
    tries = 0

    async def work(connection: asyncpg.Connection) -> int:
        nonlocal tries
        tries += 1
        if tries < 3:
            await connection.execute("DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40001'; END $$")
        return tries

    assert await database.run(work) == 3


async def test_a_wrong_password_is_refused_and_not_shown(postgres: PostgresServer) -> None:
    wrong = postgres.url().replace(ESCAPED, "h4rd%2Fto-guess")
    async with await Database.open(wrong, limits=QUICK) as database:
        with pytest.raises(DatabaseRefused, match="refuses the user or the password") as error:
            await database.run(one)
    shown = "".join(traceback.format_exception(error.value)) + repr(database)
    assert "h4rd" not in shown
    assert "127.0.0.1" not in shown


async def test_a_database_that_is_not_there_is_refused(postgres: PostgresServer) -> None:
    async with await Database.open(postgres.url("nowhere"), limits=QUICK) as database:
        with pytest.raises(DatabaseRefused, match="no such database"):
            await database.run(one)


async def test_a_user_without_rights_is_refused(database: Database) -> None:
    async def work(connection: asyncpg.Connection) -> None:
        async with connection.transaction():
            await connection.execute("SET LOCAL ROLE pg_monitor")
            await connection.execute("CREATE TABLE theirs ()")

    with pytest.raises(DatabaseRefused, match="no right"):
        await database.run(work)


@pytest.mark.parametrize("state", ["killed", "frozen", "refusing"])
async def test_no_error_shows_the_url_or_its_password(
    url: str, postgres: PostgresServer, state: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if state == "refusing":
        url = url.replace(USER, "nobody-we-know", 1)
    async with await Database.open(url, limits=QUICK) as database:
        if state == "killed":
            postgres.kill()
        elif state == "frozen":
            postgres.freeze()
        try:
            with pytest.raises(DatabaseError) as error:
                await database.run(one)
        finally:
            if state == "killed":
                postgres.start()
            elif state == "frozen":
                postgres.thaw()
    printed = capfd.readouterr()
    shown = "".join(traceback.format_exception(error.value)) + printed.out + printed.err
    for secret in (PASSWORD, ESCAPED, url):
        assert secret not in shown


async def test_closing_ends_what_is_under_way(url: str) -> None:
    database = await Database.open(url, limits=DatabaseLimits(try_seconds=30.0, seconds=30.0))
    call = asyncio.create_task(database.run(sleep))
    await asyncio.sleep(0.3)
    await database.close()
    with pytest.raises(DatabaseGone):
        await call
    with pytest.raises(DatabaseGone, match="closed already"):
        await database.run(one)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "flora",
        "redis://flora:s3cret@127.0.0.1/0",
        "postgresql://flora:s3cret/with/slashes@127.0.0.1:5432/flora",
        "postgresql://flora:s3cret[@127.0.0.1:5432/flora",
        "postgresql://flora:s3cret@127.0.0.1:0/flora",
    ],
)
def test_what_is_no_url_is_told_without_showing_it(url: str) -> None:
    with pytest.raises(InvalidSettings, match="postgresql://user:password@host") as error:
        checked_url(url)
    assert "s3cret" not in "".join(traceback.format_exception(error.value))
