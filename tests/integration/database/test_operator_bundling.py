"""The operator's bundler: real esbuild in child processes, a real Postgres."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from flora_core.database import Bundles, Database
from flora_core.errors import BundleFailed, ToolBusy
from flora_core.ids import Sha256
from flora_core.toolchain import Bundle, Project, Toolchain, ToolLimits, content_address
from flora_operator import bundling as module
from flora_operator.bundling import Bundling, open_bundling
from flora_operator.errors import Unavailable
from tests.integration.database.conftest import QUICK
from tests.integration.postgres_server import PostgresServer

WEEK = timedelta(days=7)


def project(text: str = "1") -> Project:
    return Project({"src/main.ts": f"const text: string = {text!r};\nconsole.log(text);\n"}, "src/main.ts")


BROKEN = Project({"src/main.ts": "const a = 1;\nlet b = = 2;\n"}, "src/main.ts")


def asked(source: str) -> float:
    return REGISTRY.get_sample_value("flora_operator_bundles_total", {"source": source}) or 0.0


def builds() -> float:
    return REGISTRY.get_sample_value("flora_operator_build_seconds_count") or 0.0


@asynccontextmanager
async def opened(url: str, **limits: Any) -> AsyncIterator[Bundling]:
    """One process' worth: what it remembers goes with it."""
    async with (
        await Database.open(url, limits=QUICK) as database,
        Toolchain(ToolLimits(**{"children": 1, **limits})) as toolchain,
        Bundling(toolchain, database) as bundling,
    ):
        yield bundling


@pytest.fixture
async def bundling(url: str) -> AsyncIterator[Bundling]:
    async with opened(url) as bundling:
        yield bundling


async def test_a_project_becomes_a_bundle_that_postgres_has(bundling: Bundling, bundles: Bundles) -> None:
    info = await bundling.bundle(project())
    data = await bundles.get(info.sha256)
    assert data is not None
    assert len(data) == info.size
    assert "console.log" in Bundle.from_bytes(data).code


async def test_the_same_sources_are_built_once(bundling: Bundling) -> None:
    before, remembered = builds(), asked("memory")
    assert await bundling.bundle(project()) == await bundling.bundle(project())
    assert builds() == before + 1
    assert asked("memory") == remembered + 1


async def test_the_same_sources_are_not_built_again_by_the_next_operator(url: str) -> None:
    before, found = builds(), asked("postgres")
    async with opened(url) as first:
        info = await first.bundle(project())
    async with opened(url) as second:
        assert await second.bundle(project()) == info
    assert builds() == before + 1
    assert asked("postgres") == found + 1


async def test_many_guilds_with_the_same_script_are_one_build(bundling: Bundling) -> None:
    before = builds()
    infos = await asyncio.gather(*(bundling.bundle(project()) for _ in range(100)))
    assert len(set(infos)) == 1
    assert builds() == before + 1


async def test_other_sources_are_another_bundle(bundling: Bundling) -> None:
    infos = await asyncio.gather(*(bundling.bundle(project(text)) for text in "abc"))
    assert len({info.sha256 for info in infos}) == 3


async def test_no_more_children_work_at_once_than_allowed(url: str) -> None:
    async with opened(url, children=2) as bundling:
        most = 0

        async def look() -> None:
            nonlocal most
            while True:
                most = max(most, len(bundling._toolchain._children))
                await asyncio.sleep(0.005)

        looking = asyncio.create_task(look())
        await asyncio.gather(*(bundling.bundle(project(str(number))) for number in range(12)))
        looking.cancel()
        assert most == 2


async def test_an_authors_mistake_is_told_with_its_place(bundling: Bundling) -> None:
    with pytest.raises(BundleFailed) as failed:
        await bundling.bundle(BROKEN)
    assert failed.value.diagnostics[0].place == "src/main.ts:2:9"
    assert str(failed.value).startswith('src/main.ts:2:9: error: Unexpected "="')


async def test_an_authors_mistake_is_not_built_again(bundling: Bundling) -> None:
    before = builds()
    for _ in range(5):
        with pytest.raises(BundleFailed) as failed:
            await bundling.bundle(BROKEN)
    assert builds() == before + 1
    frames = 0
    trace = failed.value.__traceback__
    while trace is not None:
        frames, trace = frames + 1, trace.tb_next
    assert frames < 10  # an error that is kept does not grow with each raise


async def test_a_mistake_beside_it_holds_nobody_up(bundling: Bundling) -> None:
    results = await asyncio.gather(
        bundling.bundle(BROKEN), bundling.bundle(project()), return_exceptions=True
    )
    assert isinstance(results[0], BundleFailed)
    assert not isinstance(results[1], BaseException)


async def test_who_waits_may_leave_and_the_build_goes_on(bundling: Bundling, bundles: Bundles) -> None:
    waiting = asyncio.create_task(bundling.bundle(project("left")))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    sources = content_address(project("left"))
    async with asyncio.timeout(20):
        while await bundles.built_from(sources) is None:
            await asyncio.sleep(0.05)


async def test_too_many_that_wait_are_refused(bundling: Bundling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING", 3)
    calls = [bundling.bundle(project(f"wait {number}")) for number in range(6)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, ToolBusy) for result in results) == 3


async def test_bundles_are_served(bundling: Bundling) -> None:
    info = await bundling.bundle(project())
    data = await bundling.get(info.sha256)
    assert data is not None
    assert Bundle.from_bytes(data).sha256 == info.sha256
    assert await bundling.stored(info.sha256) == info


async def test_a_bundle_that_nobody_made_is_not_served(bundling: Bundling) -> None:
    assert await bundling.get(Sha256("ab" * 32)) is None
    assert await bundling.stored(Sha256("ab" * 32)) is None


async def test_what_is_kept_to_be_served_is_bounded(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SERVED_BYTES", 2000)
    async with opened(url) as bundling:
        for number in range(10):
            await bundling.bundle(project(str(number)))
        assert 0 < bundling._served._total <= 2000
        for number in range(10):
            info = await bundling.bundle(project(str(number)))
            assert await bundling.get(info.sha256) is not None


async def test_while_postgres_is_gone_new_sources_wait_and_known_bundles_are_served(
    bundling: Bundling, postgres: PostgresServer
) -> None:
    info = await bundling.bundle(project())
    postgres.kill()
    try:
        before = builds()
        with pytest.raises(Unavailable):
            await bundling.bundle(project("new"))
        assert builds() == before  # nothing is built that could not be kept
        assert await bundling.bundle(project()) == info
        assert await bundling.get(info.sha256) is not None
        with pytest.raises(Unavailable):
            await bundling.get(Sha256("ab" * 32))
    finally:
        postgres.start()
    assert await bundling.bundle(project("new")) != info


async def test_it_starts_before_postgres_does_and_brings_the_schema(
    empty_url: str, postgres: PostgresServer
) -> None:
    postgres.kill()
    try:
        async with opened(empty_url) as bundling:
            with pytest.raises(Unavailable):
                await bundling.bundle(project())
            await asyncio.to_thread(postgres.start)
            info = await bundling.bundle(project())
            assert await bundling.get(info.sha256) is not None
    finally:
        postgres.kill()
        postgres.start()


async def test_while_postgres_is_gone_from_the_start_all_who_ask_hear_so_in_time(
    url: str, postgres: PostgresServer
) -> None:
    postgres.kill()
    try:
        async with opened(url) as bundling:
            began = time.monotonic()
            asked = [bundling.get(Sha256("ab" * 32)), *(bundling.bundle(project(text)) for text in "abcdef")]
            results = await asyncio.gather(*asked, return_exceptions=True)
            assert time.monotonic() - began < 2 * QUICK.seconds
        assert all(isinstance(result, Unavailable) for result in results)
    finally:
        postgres.start()


async def test_a_database_restored_from_an_older_backup_gets_its_bundles_again(
    bundling: Bundling, database: Database
) -> None:
    async def lose(connection: asyncpg.Connection) -> None:
        await connection.execute("DELETE FROM bundles")

    info = await bundling.bundle(project())
    await database.run(lose)
    bundling._served.clear()
    assert await bundling.get(info.sha256) is None
    assert await bundling.bundle(project()) == info
    bundling._served.clear()
    assert await bundling.get(info.sha256) is not None


async def test_what_nobody_uses_is_deleted_and_built_again_when_wanted(
    bundling: Bundling, database: Database
) -> None:
    async def age(connection: asyncpg.Connection) -> None:
        await connection.execute("UPDATE bundles SET last_used_at = now() - interval '8 days'")

    used, unused = await bundling.bundle(project("used")), await bundling.bundle(project("unused"))
    await database.run(age)
    assert await bundling.delete_unused(older_than=WEEK, keep=[used.sha256]) == 1
    assert await bundling.get(used.sha256) is not None
    assert await bundling.get(unused.sha256) is None
    assert await bundling.bundle(project("unused")) == unused


async def test_retention_waits_until_it_is_known_what_is_in_use(
    bundling: Bundling, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def age(connection: asyncpg.Connection) -> None:
        await connection.execute("UPDATE bundles SET last_used_at = now() - interval '8 days'")

    async def count(connection: asyncpg.Connection) -> int:
        return await connection.fetchval("SELECT count(*) FROM bundles")

    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.05)
    used = await bundling.bundle(project("used"))
    await bundling.bundle(project("unused"))
    await database.run(age)
    known: list[Sha256] | None = None
    retaining = asyncio.create_task(bundling.retain(lambda: known, older_than=WEEK))
    await asyncio.sleep(0.3)
    assert await database.run(count) == 2
    known = [used.sha256]
    async with asyncio.timeout(10):
        while await database.run(count) != 1:
            await asyncio.sleep(0.05)
    retaining.cancel()
    assert await bundling.get(used.sha256) is not None


async def test_it_opens_with_all_it_needs(url: str) -> None:
    async with open_bundling(SecretStr(url), builders=1) as bundling:
        assert (await bundling.bundle(project())).size > 0
