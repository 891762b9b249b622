"""Builds over HTTP, with the real bundler, on a real Postgres."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from flora_api import builds as builds_api
from flora_api import deployments as deployments_api
from flora_api.app import make_app
from flora_api.builds import Builds, BuildSettings, open_builds
from flora_api.deployments import open_deployments
from flora_api.principal import GuildAccess
from flora_core.database import Database
from flora_core.toolchain import Toolchain
from tests.integration.api.deployments.conftest import (
    PATH,
    Stage,
    events_in,
    settled,
)
from tests.integration.api.played_guard import ADMIN, GUILD, NOT_OURS, PlayedGuard

ENTRY = "src/main.ts"
ACCESS = GuildAccess(GUILD, ADMIN)


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, text in files.items():
            opened.writestr(name, text)
    return buffer.getvalue()


PROJECT = {
    ENTRY: "import pad from 'left-pad';\non('messageCreate', (ctx) => ctx.reply(pad('pong', 9)));\n",
    "package.json": '{"dependencies": {"left-pad": "1"}}',
}
PACKAGE = {
    "node_modules/left-pad/package.json": '{"name": "left-pad", "main": "index.js"}',
    "node_modules/left-pad/index.js": "module.exports = (text, n) => text.padStart(n);\n",
}


@pytest.fixture
async def toolchain() -> AsyncIterator[Toolchain]:
    async with Toolchain() as toolchain:
        yield toolchain


@pytest.fixture
async def builds(database: Database, toolchain: Toolchain) -> AsyncIterator[Builds]:
    async with open_builds(database, toolchain) as builds:
        yield builds


@pytest.fixture
async def client(stage: Stage, builds: Builds) -> AsyncIterator[httpx.AsyncClient]:
    async with open_deployments(stage.database, stage.store, stage.toolchain) as deployments:
        app = make_app(
            PlayedGuard.of_people(), [builds_api.router(builds), deployments_api.router(deployments, builds)]
        )
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://flora.test",
            headers={"Authorization": "Bearer admin"},
        ) as client:
            yield client


async def submit(client: httpx.AsyncClient, archive: bytes, **more: Any) -> httpx.Response:
    given = {"guild_id": GUILD, "entry": ENTRY, **more.pop("form", {})}
    return await client.post("/api/builds", data=given, files={"project_zip": ("p.zip", archive)}, **more)


async def ended(client: httpx.AsyncClient, build: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            found = (await client.get(f"/api/builds/{build}")).json()
            if found["status"] in {"done", "failed"}:
                return found
            await asyncio.sleep(0.05)


async def test_a_project_with_its_packages_is_built_and_deployed(
    client: httpx.AsyncClient, stage: Stage
) -> None:
    answer = await submit(client, zipped(**PROJECT, **PACKAGE))
    assert answer.status_code == 200, answer.text
    build = answer.json()["build_id"]
    assert answer.json()["status"] == "queued"
    found = await ended(client, build)
    assert found["status"] == "done", found
    assert "padStart" in found["artifact"]["bundle"]
    assert found["artifact"]["source_map"]
    assert found["started_at"] <= found["finished_at"]
    assert found["logs"][1] == "2 source files, 2 files of npm packages, 0 others passed over"
    deployed = await client.post(PATH, json={"entry": ENTRY, "build_id": build})
    assert deployed.status_code == 200, deployed.text
    revision = await settled(client, deployed.json()["revision_id"])
    assert revision["status"] == "success"
    assert revision["client_bundle"] is False
    assert {file["path"] for file in revision["files"]} == {ENTRY, "package.json"}
    assert "bundleRef" in stage.store.applied[0]


async def test_a_package_that_is_not_in_the_archive_is_told_with_what_to_do(
    client: httpx.AsyncClient,
) -> None:
    build = (await submit(client, zipped(**PROJECT))).json()["build_id"]
    found = await ended(client, build)
    assert found["status"] == "failed"
    assert 'Could not resolve "left-pad"' in found["error"]
    assert "npm install left-pad" in found["error"]
    assert any("packages are not installed here" in line for line in found["logs"])
    refused = await client.post(PATH, json={"entry": ENTRY, "build_id": build})
    assert (refused.status_code, refused.json()["code"]) == (409, "BUILD_NOT_DONE")


async def test_the_log_is_told_from_its_first_line_to_the_end(client: httpx.AsyncClient) -> None:
    build = (await submit(client, zipped(**PROJECT, **PACKAGE))).json()["build_id"]
    during = events_in((await client.get(f"/api/builds/{build}/logs")).text)
    after = events_in((await client.get(f"/api/builds/{build}/logs")).text)
    assert during == after
    assert [name for name, _ in after] == [*["log"] * (len(after) - 1), "done"]
    assert after[-1][1] == {"status": "done"}
    assert after[0][1] == {"line": "reading the archive"}


async def test_an_archive_that_is_none_is_a_build_that_failed(client: httpx.AsyncClient) -> None:
    build = (await submit(client, b"no zip at all")).json()["build_id"]
    assert "cannot be read" in (await ended(client, build))["error"]


async def test_an_archive_that_is_too_large_is_413(client: httpx.AsyncClient) -> None:
    answer = await submit(client, b"0" * ((8 << 20) + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")


@pytest.mark.parametrize(
    ("form", "who", "status"),
    [({"guild_id": "x"}, "admin", 400), ({"guild_id": NOT_OURS}, "admin", 404), ({}, "reader", 403), ({}, "", 401), ({"entry": ""}, "admin", 400)],
)  # fmt: skip
async def test_only_who_may_deploy_builds(
    client: httpx.AsyncClient, form: dict[str, str], who: str, status: int
) -> None:
    answer = await submit(client, zipped(**PROJECT), form=form, headers={"Authorization": f"Bearer {who}"})
    assert answer.status_code == status, answer.text


async def test_who_may_not_see_the_guild_does_not_see_its_build(client: httpx.AsyncClient) -> None:
    build = (await submit(client, zipped(**PROJECT, **PACKAGE))).json()["build_id"]
    for path in (f"/api/builds/{build}", f"/api/builds/{build}/logs"):
        assert (await client.get(path, headers={"Authorization": "Bearer reader"})).status_code == 200
        assert (await client.get(path, headers={"Authorization": "Bearer stranger"})).status_code == 403
    for other in (uuid4(), "x"):
        answer = await client.get(f"/api/builds/{other}")
        assert (answer.status_code, answer.json()["code"]) == (404, "BUILD_NOT_FOUND")
        deploy = await client.post(PATH, json={"entry": ENTRY, "build_id": str(other)})
        assert (deploy.status_code, deploy.json()["code"]) == (404, "BUILD_NOT_FOUND")
    mixed = await client.post(PATH, json={"entry": ENTRY, "build_id": build, "bundle": "1"})
    assert mixed.status_code == 400


async def test_a_guild_has_two_builds_at_once_and_a_replica_a_few(database: Database) -> None:
    builds = Builds(database, Toolchain(), BuildSettings(waiting=3))  # nobody works on them
    for _ in range(2):
        await builds.submit(ACCESS, ENTRY, b"")
    with pytest.raises(Exception, match="2 builds of this guild"):
        await builds.submit(ACCESS, ENTRY, b"")
    builds = Builds(database, Toolchain(), BuildSettings(waiting=1))
    other = GuildAccess(NOT_OURS, ADMIN)
    await builds.submit(other, ENTRY, b"")
    with pytest.raises(Exception, match="too many builds"):
        await builds.submit(other, ENTRY, b"")


async def test_builds_of_a_replica_that_is_gone_fail_and_old_ones_are_deleted(database: Database) -> None:
    gone = Builds(database, Toolchain(), BuildSettings())
    lost = await gone.submit(ACCESS, ENTRY, b"")

    async def age(connection: asyncpg.Connection) -> None:
        await connection.execute("UPDATE builds SET alive_until = now() - interval '1 minute'")

    async def age_more(connection: asyncpg.Connection) -> None:
        await connection.execute("UPDATE builds SET created_at = now() - interval '2 hours'")

    await gone.table.keep_house([lost])
    assert (await gone.get(lost)).status == "queued"
    await database.run(age)
    await gone.table.keep_house([])
    found = await gone.get(lost)
    assert (found.status, found.error) == (
        "failed",
        "the API was started anew while it was built; build it again",
    )
    await database.run(age_more)
    await gone.table.keep_house([])
    with pytest.raises(Exception, match="there is no build"):
        await gone.get(lost)


async def test_a_build_that_takes_too_long_ends(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Slow(Toolchain):
        async def bundle(self, project: Any) -> Any:
            await asyncio.Event().wait()

    monkeypatch.setattr("flora_api.builds.service.BUILD_SECONDS", 0.2)
    async with open_builds(database, Slow()) as builds:
        build: UUID = await builds.submit(ACCESS, ENTRY, zipped(**PROJECT, **PACKAGE))
        async with asyncio.timeout(30):
            while not (await builds.get(build)).ended:
                await asyncio.sleep(0.05)
        assert "took longer than" in (await builds.get(build)).error
