"""Bundles kept in Postgres, found by their sources, and deleted when nobody needs them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from flora_core.database import BundleInfo, Bundles, Database
from flora_core.errors import DatabaseError
from flora_core.ids import Sha256
from flora_core.toolchain import Bundle

WEEK = timedelta(days=7)
SOURCES = Sha256("5a" * 32)
OTHER_SOURCES = Sha256("5b" * 32)


def bundle(number: int = 1) -> Bundle:
    return Bundle("src/main.ts", f"log({number})", '{"version":3}')


async def age(database: Database, of: Bundle, by: timedelta) -> None:
    """Have nobody used it for so long."""

    async def work(connection: asyncpg.Connection) -> None:
        await connection.execute(
            "UPDATE bundles SET last_used_at = now() - $2::interval WHERE sha256 = $1", of.sha256, by
        )

    await database.run(work)


async def count(database: Database, table: str) -> int:
    async def work(connection: asyncpg.Connection) -> int:
        return await connection.fetchval(f"SELECT count(*) FROM {table}")

    return await database.run(work)


async def test_a_bundle_comes_back_as_it_went(bundles: Bundles) -> None:
    info = await bundles.put(bundle())
    data = await bundles.get(info.sha256)
    assert data is not None
    assert info == BundleInfo(bundle().sha256, len(data))
    assert Bundle.from_bytes(data) == bundle()


async def test_a_bundle_nobody_kept_is_not_there(bundles: Bundles) -> None:
    assert await bundles.get(bundle().sha256) is None


async def test_the_largest_bundle_can_be_kept(bundles: Bundles) -> None:
    large = Bundle("src/main.ts", "x" * (8 << 20), "y" * (16 << 20))
    await bundles.put(large, sources=SOURCES)
    assert await bundles.get(large.sha256) == large.to_bytes()
    assert await bundles.built_from(SOURCES) == BundleInfo(large.sha256, len(large.to_bytes()))


async def test_a_bundle_that_is_kept_twice_is_there_once(bundles: Bundles, database: Database) -> None:
    await asyncio.gather(*(bundles.put(bundle(), sources=SOURCES) for _ in range(8)))
    assert await count(database, "bundles") == 1
    assert await count(database, "bundle_sources") == 1


async def test_sources_lead_to_their_bundle(bundles: Bundles) -> None:
    info = await bundles.put(bundle(), sources=SOURCES)
    assert await bundles.built_from(SOURCES) == info
    assert await bundles.built_from(OTHER_SOURCES) is None


async def test_several_sources_may_become_the_same_bundle(bundles: Bundles) -> None:
    await bundles.put(bundle(), sources=SOURCES)
    await bundles.put(bundle(), sources=OTHER_SOURCES)
    assert await bundles.built_from(SOURCES) == await bundles.built_from(OTHER_SOURCES)


async def test_sources_that_became_something_else_lead_there(bundles: Bundles) -> None:
    await bundles.put(bundle(1), sources=SOURCES)
    info = await bundles.put(bundle(2), sources=SOURCES)
    assert await bundles.built_from(SOURCES) == info


async def test_a_bundle_without_sources_is_found_by_none(bundles: Bundles) -> None:
    await bundles.put(bundle())
    assert await bundles.built_from(SOURCES) is None


async def test_what_is_no_hash_is_refused(bundles: Bundles) -> None:
    with pytest.raises(DatabaseError, match="CheckViolation"):
        await bundles.put(bundle(), sources=Sha256("no hash"))
    assert await bundles.get(bundle().sha256) is None


async def test_what_nobody_used_is_deleted_with_its_sources(bundles: Bundles, database: Database) -> None:
    await bundles.put(bundle(), sources=SOURCES)
    await age(database, bundle(), WEEK + timedelta(hours=1))
    assert await bundles.delete_unused(older_than=WEEK, keep=[]) == 1
    assert await bundles.get(bundle().sha256) is None
    assert await bundles.built_from(SOURCES) is None
    assert await count(database, "bundle_sources") == 0


async def test_what_is_in_use_stays_however_old(bundles: Bundles, database: Database) -> None:
    for number in range(3):
        await bundles.put(bundle(number))
        await age(database, bundle(number), 2 * WEEK)
    assert await bundles.delete_unused(older_than=WEEK, keep={bundle(1).sha256}) == 2
    assert await bundles.get(bundle(1).sha256) is not None


async def test_what_was_used_lately_stays(bundles: Bundles, database: Database) -> None:
    for number in range(3):
        await bundles.put(bundle(number), sources=Sha256(f"{number}" * 64))
        await age(database, bundle(number), 2 * WEEK)
    await bundles.get(bundle(0).sha256)
    await bundles.built_from(Sha256("1" * 64))
    await bundles.put(bundle(2))
    assert await bundles.delete_unused(older_than=WEEK, keep=[]) == 0


async def test_reading_writes_at_most_once_an_hour(bundles: Bundles, database: Database) -> None:
    async def last_used(connection: asyncpg.Connection) -> object:
        return await connection.fetchval("SELECT last_used_at FROM bundles")

    await bundles.put(bundle(), sources=SOURCES)
    await age(database, bundle(), timedelta(minutes=59))
    before = await database.run(last_used)
    await bundles.get(bundle().sha256)
    await bundles.built_from(SOURCES)
    assert await database.run(last_used) == before
    await age(database, bundle(), timedelta(minutes=61))
    await bundles.built_from(SOURCES)
    assert await database.run(last_used) != before


async def test_deleting_goes_in_batches_until_nothing_is_left(bundles: Bundles, database: Database) -> None:
    async def fill(connection: asyncpg.Connection) -> None:
        await connection.execute(
            """
            INSERT INTO bundles (sha256, data, last_used_at)
            SELECT encode(sha256(n::text::bytea), 'hex'), 'x', now() - interval '30 days'
            FROM generate_series(1, 1234) AS n
            """
        )

    await database.run(fill)
    assert await bundles.delete_unused(older_than=WEEK, keep=[]) == 1234


async def test_a_bundle_that_is_used_while_others_are_deleted_is_told_truly(
    bundles: Bundles, database: Database
) -> None:
    """Whoever is told of a bundle has it; who came too late is told that there is none."""
    for _ in range(20):
        await bundles.put(bundle(), sources=SOURCES)
        await age(database, bundle(), 2 * WEEK)
        found, deleted = await asyncio.gather(
            bundles.built_from(SOURCES), bundles.delete_unused(older_than=WEEK, keep=[])
        )
        there = await bundles.get(bundle().sha256)
        assert (found is None) == (there is None) == (deleted == 1)


async def test_a_retention_shorter_than_a_mark_lasts_is_refused(bundles: Bundles) -> None:
    with pytest.raises(ValueError, match="kept for at least"):
        await bundles.delete_unused(older_than=timedelta(hours=1), keep=[])
