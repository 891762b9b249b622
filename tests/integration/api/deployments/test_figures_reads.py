"""Reads that are answered in short: the same bytes' meaning as the models have, by both ways in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from flora_api.app import make_app
from flora_api.deployments import Deployments, models, router
from flora_api.edge.edge import with_edge
from flora_api.edge.limits import LocalLimits, Rate
from flora_api.principal import Right
from flora_api.quick import QuickRead, QuickReads
from flora_core.database import Database
from tests.integration.api.deployments.conftest import GOOD, PATH, deployed
from tests.integration.api.played_guard import GUILD, NOT_OURS, OTHER_GUILD, PlayedGuard

HISTORY = f"{PATH}/history"


@pytest.fixture
async def quick(deployments: Deployments) -> AsyncIterator[httpx.AsyncClient]:
    """The same replica, met as the network meets it."""
    guard = PlayedGuard.of_people()
    reads = [
        QuickRead("/deployments/{guild_id}", Right.READ, deployments.reads.deployment),
        QuickRead("/deployments/{guild_id}/history", Right.READ, deployments.reads.page),
    ]
    app = with_edge(
        make_app(guard, [router(deployments)]),
        limits=LocalLimits(),
        per_address=Rate("address", 100_000),
        before=lambda app: QuickReads(app, guard, reads),
    )
    headers = {"Authorization": "Bearer admin"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://flora.test", headers=headers
    ) as client:
        yield client


async def _story(client: httpx.AsyncClient, database: Database) -> list[str]:
    """Revisions of all kinds, the last one good."""
    ids = [await deployed(client, f"{GOOD} // {number}", message=f"change {number}") for number in range(3)]
    await client.post(
        PATH, json={"entry": "src/main.ts", "files": [{"path": "src/main.ts", "contents": "syntax error"}]}
    )
    ids.append(
        await deployed(client, f'{GOOD} // "quoted" \\ é ☃ \u2028 \x7f', message='say "hi"\n\tnow \\ ☃')
    )

    async def strange(connection: asyncpg.Connection) -> None:
        await connection.execute(
            "UPDATE revisions SET actor_name = $2, change_summary = NULL WHERE id = $1",
            UUID(ids[0]),
            'a "name" \\ with / ☃',
        )

    await database.run(strange)
    return ids


async def test_a_page_says_what_the_models_say(
    client: httpx.AsyncClient, deployments: Deployments, database: Database
) -> None:
    await _story(client, database)
    found = await deployments.history.page(GUILD, limit=25)
    expected = [models.shown_revision(one).model_dump(mode="json", exclude_none=True) for one in found]
    answer = (await client.get(HISTORY)).json()
    assert answer == {"revisions": expected}
    assert {one["status"] for one in expected} == {"success", "failed"}
    models.HistoryPage.model_validate(answer)


async def test_pages_follow_each_other_and_end(client: httpx.AsyncClient, database: Database) -> None:
    await _story(client, database)
    whole = (await client.get(HISTORY)).json()["revisions"]
    found: list[Any] = []
    cursor = ""
    while True:
        page = (await client.get(HISTORY, params={"limit": 2, "cursor": cursor})).json()
        found += page["revisions"]
        cursor = page.get("cursor", "")
        if not cursor:
            break
        assert len(page["revisions"]) == 2
    assert found == whole
    assert len(whole) == 5
    exactly = (await client.get(HISTORY, params={"limit": 5})).json()
    assert (len(exactly["revisions"]), "cursor" in exactly) == (5, False)


async def test_a_guild_without_history_has_an_empty_page(client: httpx.AsyncClient) -> None:
    assert (await client.get(HISTORY)).json() == {"revisions": []}


async def test_both_ways_in_say_the_same(
    client: httpx.AsyncClient, quick: httpx.AsyncClient, database: Database
) -> None:
    """What has a query goes to FastAPI, what has none is answered before."""
    await _story(client, database)
    for path, query in ((PATH, "?include_bundle=false"), (HISTORY, "?limit=25")):
        short, long = await quick.get(path), await quick.get(path + query)
        assert short.json() == long.json() == (await client.get(path)).json()
        assert short.status_code == long.status_code == 200
        assert dict(short.headers) | {"x-request-id": ""} == dict(long.headers) | {"x-request-id": ""}


@pytest.mark.parametrize("path", ["", "/history"])
@pytest.mark.parametrize(
    ("guild", "token", "status"),
    [
        (GUILD, "nobody", 401),
        (GUILD, "stranger", 403),
        (NOT_OURS, "admin", 404),
        ("007", "admin", 400),
        ("x y", "admin", 400),
    ],
)
async def test_both_ways_in_refuse_the_same(
    quick: httpx.AsyncClient, path: str, guild: str, token: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    short = await quick.get(f"/api/deployments/{guild}{path}", headers=headers)
    long = await quick.get(f"/api/deployments/{guild}{path}?include_bundle=0", headers=headers)
    assert short.status_code == long.status_code == status
    assert short.json() == long.json()
    assert set(short.json()) == {"message", "code", "details"}


async def test_nothing_deployed_is_told(quick: httpx.AsyncClient) -> None:
    for query in ("", "?include_bundle=true"):
        answer = await quick.get(f"/api/deployments/{OTHER_GUILD}{query}")
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_DEPLOYED")


async def test_a_deploy_is_in_the_next_read(quick: httpx.AsyncClient) -> None:
    """Files are kept by revision; which one counts is asked each time."""
    for number in range(3):
        script = f"{GOOD} // {number}"
        revision = await deployed(quick, script)
        found = (await quick.get(PATH)).json()
        assert found["revision_id"] == revision
        assert found["files"] == [{"path": "src/main.ts", "contents": script}]
        assert (await quick.get(HISTORY)).json()["revisions"][0]["id"] == revision


async def test_files_that_are_kept_have_a_bound(
    quick: httpx.AsyncClient, deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flora_api.deployments.reads.FILES_BYTES", 150)
    for number in range(3):
        script = f"{GOOD} // {number}"
        await deployed(quick, script)
        assert (await quick.get(PATH)).json()["files"][0]["contents"] == script
    assert deployments.reads._size == sum(map(len, deployments.reads._files.values())) <= 150


async def test_without_postgres_it_is_told_as_for_all_routes(
    quick: httpx.AsyncClient, deployments: Deployments, database: Database
) -> None:
    await deployed(quick)
    await database.close()
    answer = await quick.get(PATH)
    assert (answer.status_code, answer.json()["code"]) == (503, "DATABASE_UNAVAILABLE")
    assert int(answer.headers["retry-after"]) >= 1
