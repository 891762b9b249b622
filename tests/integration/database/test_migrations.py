"""Migrations on a real Postgres: fresh, older, newer, by several at once, and cut short."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import create_async_engine

from flora_core.database import Bundles, Database
from flora_core.database.migrate import HEAD, LOCK, Migration, migrate, upgrade
from flora_core.database.pool import migrate_at
from flora_core.errors import DatabaseError, DatabaseGone
from flora_core.ids import Sha256
from flora_core.toolchain import Bundle
from tests.integration.database.conftest import QUICK
from tests.integration.postgres_server import ESCAPED, PASSWORD, PostgresServer

BUNDLE = Bundle("src/main.ts", "1", "")
SOURCES = Sha256("5a" * 32)
ROWS = {
    "0003": """INSERT INTO audit (guild, actor_type, actor_id, actor_name, action)
        VALUES ('7', 'session', '1', 'ada', 'secret.put')""",
    "0004": """WITH somebody AS (INSERT INTO people (user_id, username, guilds) VALUES ('1', 'ada', '{7}') RETURNING user_id)
        INSERT INTO api_tokens (token_id, user_id, secret_sha256, guilds, scopes, expires_at)
        SELECT 'abcdefghijklmnop', user_id, sha256('s'), '{7}', '{read,kv}', now() + interval '1 day' FROM somebody""",
    "0006": """INSERT INTO guild_secrets (guild, name, key_id, nonce, ciphertext, placeholder, allowed_hosts)
        VALUES ('7', 'KEY', 'k1', '\\x000102030405060708090a0b', '', 'p', '{}')""",
}
"""A row of what a step made: later ones must keep it."""
TABLES = ("audit", "people", "api_tokens", "guild_secrets")


def command(url: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """flora-migrate, as a pod's container starts it."""
    return subprocess.Popen(
        [Path(sys.executable).with_name("flora-migrate"), *arguments],
        env={"PATH": os.environ["PATH"], "FLORA_CONFIG": "", "OPERATOR_DATABASE_URL": url, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def ask(url: str, query: str, *arguments: object) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query, *arguments)
    finally:
        await connection.close()


async def at_step(url: str, step: str) -> None:
    """Have the schema as it was once."""
    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url))
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: upgrade(sync, to=step))
    await engine.dispose()


def steps() -> list[str]:
    """All of them, first to last."""
    config = Config()
    config.set_main_option("script_location", "flora_core.database:migrations")
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())
    assert all(not hasattr(script.module, "downgrade") for script in scripts)
    return [script.revision for script in reversed(scripts)]


def test_the_newest_step_is_the_one_that_is_known_without_alembic() -> None:
    assert steps()[-1] == HEAD


async def test_an_empty_database_gets_everything(empty_url: str) -> None:
    assert await migrate_at(empty_url, seconds=10) == Migration(None, HEAD)
    async with await Database.open(empty_url) as database:
        await Bundles(database).put(BUNDLE, sources=SOURCES)


async def test_a_second_time_there_is_nothing_to_do(url: str) -> None:
    assert not (await migrate_at(url, seconds=10)).changed


async def test_the_pool_migrates_what_it_serves(empty_url: str) -> None:
    async with await Database.open(empty_url, limits=QUICK) as database:
        assert (await database.migrate()).changed
        assert await database.migrate() == Migration(HEAD, HEAD)


@pytest.mark.parametrize("step", steps()[:-1])
async def test_an_older_schema_keeps_its_data(empty_url: str, step: str) -> None:
    await at_step(empty_url, step)
    await ask(
        empty_url, "INSERT INTO bundles (sha256, data) VALUES ($1, $2)", BUNDLE.sha256, BUNDLE.to_bytes()
    )
    async with await Database.open(empty_url, limits=QUICK) as database:
        assert await database.migrate() == Migration(step, HEAD)
        bundles = Bundles(database)
        assert await bundles.get(BUNDLE.sha256) == BUNDLE.to_bytes()
        await bundles.put(BUNDLE, sources=SOURCES)
        assert await bundles.built_from(SOURCES) is not None
        await database.run(a_revision_and_a_build)
        assert await bundles.get(BUNDLE.sha256) == BUNDLE.to_bytes()


async def a_revision_and_a_build(connection: asyncpg.Connection) -> None:
    """Rows that say only what they must."""
    await connection.execute(
        """
        INSERT INTO revisions (guild, status, entry, source, actor_type, digest, inline, bundle)
        VALUES ('1', 'pending', 'a.ts', 'cli', 'token', $1, true, $1)
        """,
        BUNDLE.sha256,
    )
    await connection.execute(
        "INSERT INTO builds (guild, entry, status, alive_until) VALUES ('1', 'a.ts', 'queued', now())"
    )


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("UPDATE revisions SET finished_at = now()", "is pending, and has an end"),
        ("UPDATE revisions SET generation = 1", "has a generation of no object"),
        ("UPDATE revisions SET source = 'somewhere'", "came from nowhere"),
        ("UPDATE revisions SET bundle = 'x'", "names no bundle"),
        (
            """
            INSERT INTO revisions (guild, status, entry, source, actor_type, digest, inline)
            SELECT guild, status, entry, source, actor_type, digest, inline FROM revisions
            """,
            "is the second deploy at once",
        ),
    ],
)
async def test_the_schema_takes_no_revision_that_cannot_be(url: str, wrong: str, why: str) -> None:
    connection = await asyncpg.connect(url)
    await a_revision_and_a_build(connection)
    try:
        await connection.execute(wrong)
    except asyncpg.PostgresError:
        await connection.close()
    else:
        pytest.fail(f"a revision {why}")


@pytest.mark.parametrize("step", sorted(ROWS))
async def test_rows_of_each_step_are_kept_by_later_ones(empty_url: str, step: str) -> None:
    await at_step(empty_url, step)
    made = [row for since, row in ROWS.items() if since <= step]
    for row in made:
        await ask(empty_url, row)
    kept = [table for table in TABLES if await ask(empty_url, "SELECT to_regclass($1) IS NOT NULL", table)]
    before = {
        table: await ask(empty_url, f"SELECT string_agg(t::text, ';') FROM {table} AS t") for table in kept
    }
    await migrate_at(empty_url, seconds=10)
    after = {
        table: await ask(empty_url, f"SELECT string_agg(t::text, ';') FROM {table} AS t") for table in kept
    }
    assert after == before
    assert all(before.values())


@pytest.mark.parametrize(
    "row",
    [
        ROWS["0004"].replace("abcdefghijklmnop", "not-an-id"),
        ROWS["0004"].replace("{read,kv}", "{read,everything}"),
        ROWS["0004"].replace("sha256('s')", "'s'"),
        ROWS["0003"].replace("session", "robot"),
    ],
)
async def test_what_cannot_be_is_not_stored(url: str, row: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await ask(url, row)


async def test_two_tokens_do_not_have_one_secret(url: str) -> None:
    await ask(url, ROWS["0004"])
    with pytest.raises(asyncpg.UniqueViolationError):
        await ask(
            url,
            """INSERT INTO api_tokens (token_id, user_id, secret_sha256, scopes, expires_at)
            SELECT 'bbcdefghijklmnop', user_id, secret_sha256, scopes, expires_at FROM api_tokens""",
        )


async def test_a_migrated_schema_is_the_same_from_wherever_it_came(
    empty_url: str, url: str, postgres: PostgresServer
) -> None:
    for step in steps():
        await at_step(empty_url, step)
    assert schema(postgres, empty_url) == schema(postgres, url)


async def test_of_many_starters_one_migrates(empty_url: str) -> None:
    running = [command(empty_url) for _ in range(6)]
    said = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0] * 6, said
    lines = sorted(out for out, _ in said)
    nothing, something = "there was nothing to do", f"the database went from nothing to {HEAD}"
    assert lines == [
        *[f"flora-migrate: the database is at {HEAD}; {nothing}\n"] * 5,
        f"flora-migrate: {something}\n",
    ]


async def test_a_starter_that_is_killed_while_it_waits_holds_nobody_up(empty_url: str) -> None:
    holder = await asyncpg.connect(empty_url)
    await holder.execute("SELECT pg_advisory_lock($1)", LOCK)
    waiting = command(empty_url)
    async with asyncio.timeout(20):
        while not await holder.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        ):
            await asyncio.sleep(0.05)
    waiting.kill()
    waiting.communicate()
    await holder.close()
    assert (await migrate_at(empty_url, seconds=10)).changed


async def test_a_lock_that_is_never_given_up_is_waited_for_until_the_deadline(empty_url: str) -> None:
    holder = await asyncpg.connect(empty_url)
    await holder.execute("SELECT pg_advisory_lock($1)", LOCK)
    with pytest.raises(DatabaseGone, match="another process holds the lock"):
        await migrate_at(empty_url, seconds=1)
    await holder.close()


async def test_a_step_that_fails_leaves_the_schema_as_it_was(empty_url: str) -> None:
    await ask(empty_url, "CREATE TABLE bundle_sources ()")  # in the way of the second step
    with pytest.raises(DatabaseError, match='relation "bundle_sources" already exists'):
        await migrate_at(empty_url, seconds=10)
    assert await ask(empty_url, "SELECT to_regclass('bundles')") is None
    assert await ask(empty_url, "SELECT to_regclass('alembic_version')") is None


async def test_a_later_releases_schema_is_left_alone(url: str) -> None:
    await ask(url, "UPDATE alembic_version SET version_num = '9999'")
    done = await migrate_at(url, seconds=10)
    assert done == Migration("9999", "9999", newer=True)
    assert "later flora" in str(done)
    assert await ask(url, "SELECT version_num FROM alembic_version") == "9999"


async def test_a_restart_of_postgres_is_waited_for(empty_url: str, postgres: PostgresServer) -> None:
    postgres.kill()
    migrating = asyncio.create_task(migrate_at(empty_url, seconds=30))
    await asyncio.sleep(0.3)
    await asyncio.to_thread(postgres.start)
    assert (await migrating).changed


async def test_cancelling_leaves_the_schema_as_it_was(empty_url: str) -> None:
    holder = await asyncpg.connect(empty_url)
    await holder.execute("SELECT pg_advisory_lock($1)", LOCK)
    migrating = asyncio.create_task(migrate(SecretStr(empty_url)))
    await asyncio.sleep(0.5)
    migrating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await migrating
    await holder.close()
    assert await ask(empty_url, "SELECT to_regclass('bundles')") is None


# ---- flora-migrate


def test_without_a_url_it_names_the_variable() -> None:
    process = command("")
    out, error = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert "should be postgresql://user:password@host" in error


def test_a_url_on_the_command_line_is_refused_and_not_repeated(url: str) -> None:
    process = command(url, url)
    out, error = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert (
        error
        == "flora-migrate: flora-migrate takes no arguments; set OPERATOR_DATABASE_URL in its environment\n"
    )


def test_a_postgres_that_is_not_there_is_told_in_one_line_without_the_url(postgres: PostgresServer) -> None:
    process = command(postgres.url(port=1), OPERATOR_MIGRATE_SECONDS="1")
    out, error = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert error.startswith("flora-migrate: Postgres did not answer within 1 s")
    assert error.count("\n") == 1
    assert PASSWORD not in error
    assert ESCAPED not in error


def test_a_refusal_is_told_in_one_line(postgres: PostgresServer) -> None:
    process = command(postgres.url("nowhere"))
    _, error = process.communicate(timeout=30)
    assert process.returncode == 1
    assert re.fullmatch(r"flora-migrate: Postgres: it has no such database; .*\n", error)


def schema(postgres: PostgresServer, url: str) -> str:
    """As pg_dump writes it, without the random token it puts into its newest releases' output."""
    dump = postgres.dump(url.rpartition("/")[2])
    return "\n".join(
        line for line in dump.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))
    )
