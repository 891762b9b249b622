"""Changes of secrets as other replicas of the API notice them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flora_api.secrets.changes import SecretChanges
from flora_api.secrets.store import Changes
from flora_core.errors import DatabaseGone
from flora_core.ids import GuildId
from tests.integration.api.secrets.conftest import GUILD, OTHER, People
from tests.waiting import until


class Versions:
    """Answers as Postgres would; or does not."""

    def __init__(self) -> None:
        self.newest = 7
        self.changed: dict[GuildId, int] = {}
        self.asked: list[int] = []
        self.away = False

    def change(self, guild: GuildId) -> None:
        self.newest += 1
        self.changed[guild] = self.newest

    async def ask(self, after: int) -> Changes:
        self.asked.append(after)
        if self.away:
            raise DatabaseGone("away")
        return Changes(self.newest, [guild for guild, at in self.changed.items() if at > after])


@asynccontextmanager
async def following(versions: Versions, *, seconds: float = 0.01) -> AsyncIterator[SecretChanges]:
    changes = SecretChanges(versions.ask, seconds=seconds)
    task = asyncio.create_task(changes.run())
    await until(lambda: changes.position)
    yield changes
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_who_read_before_the_first_answer_reads_everything_again() -> None:
    async with following(Versions()) as changes:
        assert changes.since(0) is None
        assert changes.since(changes.position) == []


async def test_a_change_is_noticed_and_told_from_where_one_was() -> None:
    versions = Versions()
    async with following(versions) as changes:
        first = changes.position
        versions.change(GUILD)
        await changes.wait_beyond(first)
        second = changes.position
        versions.change(OTHER)
        await changes.wait_beyond(second)
        assert changes.since(second) == [OTHER]
        assert changes.since(first) == [GUILD, OTHER]
        assert changes.since(changes.position) == []


async def test_a_change_of_ones_own_is_not_waited_for() -> None:
    versions = Versions()
    async with following(versions, seconds=3600) as changes:
        at = changes.position
        versions.change(GUILD)
        changes.poke()
        await until(lambda: changes.position > at)


async def test_what_changed_while_postgres_was_away_is_told_when_it_is_back() -> None:
    versions = Versions()
    async with following(versions) as changes:
        at = changes.position
        versions.away = True
        asked = len(versions.asked)
        await until(lambda: len(versions.asked) > asked + 2)
        versions.change(GUILD)
        versions.away = False
        await until(lambda: changes.position > at)
        assert changes.since(at) == [GUILD]


async def test_after_a_restore_from_a_backup_everything_counts_as_changed() -> None:
    versions = Versions()
    async with following(versions) as changes:
        at = changes.position
        versions.newest = 3
        await until(lambda: changes.position > at)
        assert changes.since(at) is None
        at = changes.position
        versions.change(GUILD)
        await until(lambda: changes.position > at)
        assert changes.since(at) == [GUILD]


async def test_versions_grow_with_every_change_of_any_guild(ann: People) -> None:
    ann.guard.let("ann", OTHER)
    store = ann.service.store
    assert await store.changes(0) == Changes(0, [])
    await ann.put("A", "1")
    await ann.put("A", "1", guild=OTHER)
    assert await store.changes(0) == Changes(2, [GUILD, OTHER])
    assert await store.changes(1) == Changes(2, [OTHER])
    await ann.http.delete(f"/secrets/{GUILD}/A")
    assert await store.changes(2) == Changes(3, [GUILD])
    assert await store.changes(3) == Changes(3, [])


async def test_of_changes_at_once_none_is_passed_by(ann: People) -> None:
    """Whoever has read up to a version has seen all below it, however they were made."""
    guilds = [GuildId(str(number)) for number in range(500, 540)]
    for guild in guilds:
        ann.guard.let("ann", guild)
    store, seen, at = ann.service.store, list[GuildId](), 0
    writing = asyncio.gather(*(ann.put("A", "1", guild=guild) for guild in guilds))
    while not writing.done() or len(seen) < len(guilds):
        found = await store.changes(at)
        seen, at = [*seen, *found.guilds], found.newest
    assert sorted(seen) == sorted(guilds)
