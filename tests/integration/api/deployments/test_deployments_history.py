"""Looking back: history, revisions, diff, rollback, the list of all; and that no query reads a whole table."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import pytest

from flora_api.deployments import Deployments
from flora_api.deployments.history import History
from flora_api.deployments.revisions import KEPT, NewRevision, Source, source_digest, source_of
from flora_api.deployments.store import from_document, manifest
from flora_core.database import Bundles, Database
from flora_core.ids import GuildId, Sha256
from flora_core.toolchain import Bundle
from tests.integration.api.deployments.conftest import (
    GOOD,
    PATH,
    Stage,
    body,
    deployed,
    events_in,
    settled,
)
from tests.integration.api.played_guard import ADMIN, GUILD, OTHER_GUILD


def new(guild: str = GUILD, script: str = GOOD, **more: Any) -> NewRevision:
    files = {"src/main.ts": script}
    digest = source_digest(source_of("src/main.ts", files=files, bundle=None))
    given = {"guild": GuildId(guild), "entry": "src/main.ts", "source": Source.CLI, "actor": ADMIN, **more}
    return NewRevision(**{"digest": digest, "files": files, "inline": True, **given})


async def good(revisions: History, guild: str = GUILD, script: str = GOOD, **more: Any) -> str:
    revision = await revisions.begin(new(guild, script, **more), action="deployment.deploy")
    await revisions.applied(revision.id, uid=f"uid-{guild}", generation=1)
    assert await revisions.finish(revision, pod="flora-runtime-0")
    return str(revision.id)


# ---------------------------------------------------------------- history


async def test_history_is_paged_newest_first_without_loss_or_repetition(
    client: httpx.AsyncClient, deployments: Deployments
) -> None:
    made = [await good(deployments.history, script=f"// {n}") for n in range(12)]
    found: list[str] = []
    cursor = ""
    while True:
        page = (await client.get(f"{PATH}/history", params={"limit": 5, "cursor": cursor})).json()
        found += [row["id"] for row in page["revisions"]]
        if not (cursor := page.get("cursor", "")):
            break
    assert found == made[::-1]


@pytest.mark.parametrize(
    "cursor", ["x", "2026-01-01_", f"_{uuid4()}", "9999-12-31T23:59:59-14:00_x", "0001-01-01_" + "0" * 32]
)
async def test_a_cursor_that_is_none_is_refused_or_the_end(client: httpx.AsyncClient, cursor: str) -> None:  # fmt: skip
    answer = await client.get(f"{PATH}/history", params={"cursor": cursor})
    assert answer.status_code in {200, 400}
    if answer.status_code == 400:
        assert answer.json()["code"] == "INVALID_CURSOR"


async def test_history_has_bundles_only_when_asked_and_few_at_a_time(
    client: httpx.AsyncClient, deployments: Deployments
) -> None:
    bundle = Bundle("src/main.ts", "1 + 1", "{}")
    await deployments.bundles.put(bundle)
    for n in range(7):
        await good(deployments.history, script=f"// {n}", bundle=bundle.sha256)
    plain = (await client.get(f"{PATH}/history")).json()["revisions"]
    assert len(plain) == 7
    assert not any({"files", "bundle", "source_map"} & row.keys() for row in plain)
    whole = (await client.get(f"{PATH}/history", params={"include_bundle": True})).json()
    assert len(whole["revisions"]) == 5
    assert whole["cursor"]
    assert {row["bundle"] for row in whole["revisions"]} == {"1 + 1"}


@pytest.mark.parametrize("limit", [0, 101, "x"])
async def test_a_limit_out_of_bounds_is_refused(client: httpx.AsyncClient, limit: object) -> None:
    assert (await client.get(f"{PATH}/history", params={"limit": limit})).status_code == 400


async def test_a_revision_of_another_guild_is_not_found(
    client: httpx.AsyncClient, deployments: Deployments
) -> None:
    other = await good(deployments.history, OTHER_GUILD)
    for path in (
        f"revisions/{other}",
        f"revisions/{uuid4()}",
        f"diff?to={other}",
        f"revisions/{other}/progress",
    ):
        answer = await client.get(f"{PATH}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "REVISION_NOT_FOUND"), path
    answer = await client.post(f"{PATH}/rollback/{other}")
    assert (answer.status_code, answer.json()["code"]) == (404, "REVISION_NOT_FOUND")
    assert (await client.get(f"{PATH}/revisions/x")).json()["code"] == "INVALID_REVISION_ID"


async def test_only_so_many_revisions_are_kept_and_the_one_that_runs_always(
    client: httpx.AsyncClient, deployments: Deployments
) -> None:
    revisions = deployments.history
    first = await good(revisions, script="// the good one")
    for n in range(KEPT + 5):
        await revisions.keep_failed(new(script=f"// {n}"), code="BUNDLE_FAILED", error="no")
    kept: list[str] = []
    cursor = ""
    while True:
        page = (await client.get(f"{PATH}/history", params={"limit": 100, "cursor": cursor})).json()
        kept += [row["id"] for row in page["revisions"]]
        if not (cursor := page.get("cursor", "")):
            break
    assert len(kept) == KEPT + 1
    assert kept[-1] == first


# ---------------------------------------------------------------- diff


async def test_a_diff_shows_what_the_newest_changed(client: httpx.AsyncClient) -> None:
    one = await deployed(client, "a\nb\nc\n")
    files = [{"path": "src/main.ts", "contents": "a\nB\nc\n"}, {"path": "src/new.ts", "contents": "1\n"}]
    two = await deployed(client, files=files)
    diff = (await client.get(f"{PATH}/diff")).json()
    assert (diff["from"], diff["to"]) == (one, two)
    assert diff["files"] == [
        {"path": "src/main.ts", "change": "modified", "diff": "--- a/src/main.ts\n+++ b/src/main.ts\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"},
        {"path": "src/new.ts", "change": "added", "diff": "--- /dev/null\n+++ b/src/new.ts\n@@ -0,0 +1 @@\n+1\n"},
    ]  # fmt: skip
    back = (await client.get(f"{PATH}/diff", params={"from": two, "to": one})).json()
    assert [each["change"] for each in back["files"]] == ["modified", "removed"]
    first = (await client.get(f"{PATH}/diff", params={"to": one})).json()
    assert first["from"] is None
    assert (await client.get(f"{PATH}/diff", params={"from": one, "to": one})).json()["files"] == []


async def test_there_is_no_diff_of_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"{PATH}/diff")).json()["code"] == "NOT_DEPLOYED"


# ---------------------------------------------------------------- rollback


async def test_rolling_back_deploys_the_last_good_one_again(stage: Stage, client: httpx.AsyncClient) -> None:
    one = await deployed(client, "// 1")
    await deployed(client, "// 2")
    answer = await client.post(f"{PATH}/rollback", json={"message": "it was better"})
    assert answer.status_code == 200, answer.text
    back = await settled(client, answer.json()["revision_id"])
    assert back["status"] == "success"
    assert back["files"][0]["contents"] == "// 1"
    assert back["message"] == "it was better"
    assert stage.store._objects[GUILD]["spec"]["source"]["files"] == {"src/main.ts": "// 1"}
    named = await client.post(f"{PATH}/rollback/{one}", headers={"X-Flora-Deploy-Source": "webui"})
    found = await settled(client, named.json()["revision_id"])
    assert found["message"] == f"rolled back to {one}"
    assert found["deploy_source"] == "webui"


async def test_after_a_failed_deploy_rolling_back_leads_to_what_runs(client: httpx.AsyncClient) -> None:
    await deployed(client, "// 1")
    two = await deployed(client, "// 2")
    failed = (await client.post(PATH, json=body("throws"))).json()["revision_id"]
    assert (await settled(client, failed))["status"] == "failed"
    answer = await client.post(f"{PATH}/rollback", params={"wait": True})
    name, last = events_in(answer.text)[-1]
    assert name == "ready"
    back = (await client.get(f"{PATH}/revisions/{last['revision_id']}")).json()
    assert back["files"][0]["contents"] == "// 2"
    assert back["base_revision_id"] == two


async def test_a_failed_revision_is_no_place_to_roll_back_to(client: httpx.AsyncClient) -> None:
    assert (await client.post(f"{PATH}/rollback")).json()["code"] == "NOT_DEPLOYED"
    await deployed(client, "// 1")
    assert (await client.post(f"{PATH}/rollback")).json()["code"] == "NOTHING_TO_ROLL_BACK_TO"
    failed = (await client.post(PATH, json=body("throws"))).json()["revision_id"]
    await settled(client, failed)
    answer = await client.post(f"{PATH}/rollback/{failed}")
    assert (answer.status_code, answer.json()["code"]) == (400, "NOT_A_GOOD_REVISION")
    assert "LOAD_FAILED" in answer.json()["message"]


async def test_a_bundle_of_ones_own_can_be_rolled_back_to_as_long_as_it_is_kept(
    stage: Stage, client: httpx.AsyncClient, deployments: Deployments
) -> None:
    one = await deployed(client, "// 1", bundle="1 + 1")
    await deployed(client, "// 2")
    await deployed_back(client, one)
    assert "bundleRef" in stage.store._objects[GUILD]["spec"]["source"]
    await deployed(client, "// 3")

    async def lose(connection: asyncpg.Connection) -> None:
        await connection.execute("DELETE FROM bundles")

    await stage.database.run(lose)
    answer = await client.post(f"{PATH}/rollback/{one}")
    assert (answer.status_code, answer.json()["code"]) == (409, "BUNDLE_GONE")


async def test_a_large_project_is_bundled_again_when_its_bundle_was_lost(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    one = await deployed(client, "//" + "x" * (300 << 10))
    await deployed(client, "// 2")

    async def lose(connection: asyncpg.Connection) -> None:
        await connection.execute("DELETE FROM bundles")

    await stage.database.run(lose)
    await deployed_back(client, one)


async def deployed_back(client: httpx.AsyncClient, revision: str) -> None:
    answer = await client.post(f"{PATH}/rollback/{revision}")
    assert answer.status_code == 200, answer.text
    assert (await settled(client, answer.json()["revision_id"]))["status"] == "success"


# ---------------------------------------------------------------- bundles stay


async def test_bundles_that_revisions_name_are_not_deleted(database: Database) -> None:
    bundles, revisions = Bundles(database), History(database)
    kept, other = Bundle("a.ts", "1"), Bundle("a.ts", "2")
    for bundle in (kept, other):
        await bundles.put(bundle)
    await good(revisions, bundle=Sha256(kept.sha256))

    async def age(connection: asyncpg.Connection) -> None:
        await connection.execute("UPDATE bundles SET last_used_at = now() - interval '1 year'")

    await database.run(age)
    assert await bundles.delete_unused(older_than=timedelta(days=1), keep=()) == 1
    assert await bundles.get(kept.sha256) is not None
    assert await bundles.get(other.sha256) is None


# ---------------------------------------------------------------- the list


async def test_the_list_has_what_one_may_see(client: httpx.AsyncClient, stage: Stage) -> None:
    revision = await deployed(client)
    stage.store.put(
        GuildId("999999999999999999"), {"entrypoint": "src/main.ts", "files": {"src/main.ts": "1"}}
    )
    [row] = (await client.get("/api/deployments")).json()
    assert row["guild_id"] == GUILD
    assert row["revision_id"] == revision
    assert (row["ready"], row["reason"], row["entry"]) == (True, "Loaded", "src/main.ts")
    answer = await client.get("/api/deployments", headers={"Authorization": "Bearer stranger"})
    assert answer.json() == []
    assert (await client.get("/api/deployments", headers={"Authorization": ""})).status_code == 401


# ---------------------------------------------------------------- no query reads a whole table


async def test_every_query_finds_its_rows_by_an_index(database: Database, url: str) -> None:
    """With 20,000 revisions of 400 guilds; a sequential scan of them is what a missing index looks like."""

    async def fill(connection: asyncpg.Connection) -> None:
        await connection.execute(
            """
            INSERT INTO revisions (guild, status, entry, source, actor_type, digest, inline, bundle, finished_at,
                object_uid, generation, created_at)
            SELECT (1000000000000000000 + n % 400)::text, CASE WHEN n % 5 = 0 THEN 'failed' ELSE 'success' END,
                'a.ts', 'cli', 'session', repeat('a', 64), true, md5(n::text) || md5(n::text), now(),
                'uid-' || n % 400, n / 400, now() - n * interval '1 second'
            FROM generate_series(1, 20000) AS n
            """
        )
        await connection.execute(
            """
            INSERT INTO bundles (sha256, data, last_used_at)
            SELECT md5(n::text) || md5(n::text), '', now() - interval '1 year' FROM generate_series(1, 2000) AS n
            """
        )
        await connection.execute(
            """
            INSERT INTO builds (guild, entry, status, alive_until, finished_at, bundle)
            SELECT (1000000000000000000 + n % 400)::text, 'a.ts', 'done', now(), now(), md5(n::text) || md5(n::text)
            FROM generate_series(1, 5000) AS n
            """
        )
        await connection.execute("ANALYZE revisions; ANALYZE bundles; ANALYZE builds")
        await connection.close()

    await fill(await asyncpg.connect(url, timeout=60))
    asked: list[tuple[str, tuple[object, ...]]] = []
    revisions = History(_Spy(database, asked))  # type: ignore[arg-type]
    guild = GuildId("1000000000000000007")
    await revisions.page(guild, limit=25)
    page = await revisions.page(guild, limit=1)
    await revisions.page(guild, limit=25, after=(page[0].created, page[0].id))
    await revisions.get(guild, page[0].id)
    await revisions.files(page[0].id)
    await revisions.last_good(guild)
    await revisions.good_before(page[0])
    await revisions.last_applied(guild)
    await revisions.last_good_of([guild, GuildId("1000000000000000008")])
    await revisions.pending()
    await revisions.deploying(guild)
    begun = await revisions.begin(new(guild), action="deployment.deploy")
    await revisions.take_over(begun.id)
    found, _ = from_document(
        {
            **manifest(guild, {"files": {}}, revision=str(begun.id)),
            "metadata": {"name": f"guild-{guild}", "uid": "uid-7", "generation": 60},
        }
    )
    assert not await revisions.explains(found)
    await revisions.applied(begun.id, uid="uid-7", generation=60)
    await revisions.finish(begun)
    await Bundles(_Spy(database, asked)).delete_unused(older_than=timedelta(days=900), keep=())  # type: ignore[arg-type]
    assert len(asked) > 20
    assert await _scanned(database, "SELECT * FROM revisions WHERE message = 'x'") == {"revisions"}
    for query, arguments in asked:
        assert not {"revisions", "builds"} & await _scanned(database, query, *arguments), query


async def test_ten_thousand_guilds_are_listed_in_one_query(database: Database, url: str) -> None:
    async def fill(connection: asyncpg.Connection) -> None:
        await connection.execute(
            """
            INSERT INTO revisions (guild, status, entry, source, actor_type, digest, inline, finished_at)
            SELECT (1000000000000000000 + n % 10000)::text, 'success', 'a.ts', 'cli', 'session', repeat('a', 64),
                true, now() FROM generate_series(1, 30000) AS n
            """
        )
        await connection.execute("ANALYZE revisions")
        await connection.close()

    await fill(await asyncpg.connect(url, timeout=60))
    asked: list[tuple[str, tuple[object, ...]]] = []
    guilds = [GuildId(str(1000000000000000000 + n)) for n in range(10_000)]
    found = await History(_Spy(database, asked)).last_good_of(guilds)  # type: ignore[arg-type]
    assert len(found) == 10_000
    assert len(asked) == 1


class _Spy:
    """A database that notes what is asked of it."""

    def __init__(self, database: Database, asked: list[tuple[str, tuple[object, ...]]]) -> None:
        self._database = database
        self._asked = asked

    async def run(self, work: Any) -> Any:
        return await self._database.run(lambda connection: work(_SpyConnection(connection, self._asked)))


class _SpyConnection:
    def __init__(self, connection: asyncpg.Connection, asked: list[tuple[str, tuple[object, ...]]]) -> None:
        self._connection = connection
        self._asked = asked

    def transaction(self) -> Any:
        return self._connection.transaction()

    def __getattr__(self, name: str) -> Any:
        async def call(query: str, *arguments: object) -> Any:
            self._asked.append((query, arguments))
            return await getattr(self._connection, name)(query, *arguments)

        return call


async def _scanned(database: Database, query: str, *arguments: object) -> set[str]:
    """The tables that Postgres would read whole."""

    async def work(connection: asyncpg.Connection) -> str:
        async with connection.transaction():
            return await connection.fetchval(f"EXPLAIN (FORMAT JSON) {query}", *arguments)

    plan = msgspec.json.encode(msgspec.json.decode(await database.run(work))).decode()
    return set(re.findall(r'"Node Type":"Seq Scan"[^{}]*?"Relation Name":"(\w+)"', plan))
