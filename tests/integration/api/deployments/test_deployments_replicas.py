"""Several replicas, some of which die; the stream of progress; what kubectl did."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from flora_api.app import make_app
from flora_api.deployments import Deployments, router, settling
from flora_api.deployments import progress as progressing
from flora_api.deployments.store import STARTER, manifest
from flora_api.principal import GuildAccess
from flora_core.ids import GuildId
from flora_core.toolchain import Bundle
from tests.integration.api.deployments.conftest import (
    GOOD,
    PATH,
    Stage,
    body,
    deployed,
    events_in,
    settled,
    status_of,
)
from tests.integration.api.deployments.test_deployments_history import new
from tests.integration.api.played_guard import ADMIN, GUILD, PlayedGuard
from tests.integration.postgres_server import PostgresServer
from tests.waiting import until

SOURCE = {"entrypoint": "src/main.ts", "files": {"src/main.ts": "// by kubectl"}}


async def revisions(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    return (await client.get(f"{PATH}/history")).json()["revisions"]


async def eventually(client: httpx.AsyncClient, *statuses: str) -> list[dict[str, Any]]:
    """The history, once its revisions have these statuses, newest first."""
    async with asyncio.timeout(30):
        while True:
            found = await revisions(client)
            if [row["status"] for row in found] == list(statuses):
                return found
            await asyncio.sleep(0.05)


@asynccontextmanager
async def serving(deployments: Deployments) -> AsyncIterator[str]:
    """Real HTTP."""
    config = uvicorn.Config(
        make_app(PlayedGuard.of_people(), [router(deployments)]),
        log_level="warning",
        lifespan="off",
        ws="none",
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        running = asyncio.create_task(server.serve([listening]))
        await until(lambda: server.started)
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        await running


# ---------------------------------------------------------------- progress


async def test_the_stream_tells_each_step_and_then_that_it_is_ready(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    answer = await client.post(PATH, params={"wait": True}, json=body())
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"
    events = events_in(answer.text)
    names = [name for name, _ in events]
    assert names == [*["progress"] * (len(names) - 1), "ready"]
    last = events[-1][1]
    assert last["pod"] == "flora-runtime-0"
    assert last["milliseconds"] > 0
    assert (await settled(client, last["revision_id"]))["status"] == "success"


async def test_steps_that_went_by_are_told_in_their_order(stage: Stage, client: httpx.AsyncClient) -> None:
    stage.operates = False
    asked = asyncio.create_task(client.post(PATH, params={"wait": True}, json=body()))
    await until(lambda: GUILD in stage.store._objects)
    stage.store.report(GUILD, status_of(1, "Loading", message="flora-runtime-0 loads it"))
    await asyncio.sleep(0.2)
    stage.store.report(GUILD, status_of(1))
    steps = [data["step"] for name, data in events_in((await asked).text) if name == "progress"]
    assert list(dict.fromkeys(steps)) == [
        step for step in ("queued", "bundling", "assigned", "loading") if step in steps
    ]
    assert "loading" in steps or steps == ["queued"]


async def test_a_stream_can_be_joined_later_and_after_the_end(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    stage.operates = False
    revision = (await client.post(PATH, json=body())).json()["revision_id"]
    joined = asyncio.create_task(client.get(f"{PATH}/revisions/{revision}/progress"))
    await asyncio.sleep(0.1)
    stage.store.report(GUILD, status_of(1))
    assert events_in((await joined).text)[-1][0] == "ready"
    again = events_in((await client.get(f"{PATH}/revisions/{revision}/progress")).text)
    assert [name for name, _ in again] == ["ready"]


async def test_a_client_that_leaves_does_not_stop_the_deploy(stage: Stage, deployments: Deployments) -> None:
    stage.operates = False
    async with (
        serving(deployments) as url,
        httpx.AsyncClient(base_url=url, headers={"Authorization": "Bearer admin"}) as http,
    ):
        async with http.stream("POST", PATH, params={"wait": True}, json=body()) as answer:
            assert answer.status_code == 200
            first = await anext(answer.aiter_lines())
            assert first == "event: progress"
        await until(lambda: deployments._watchers == 0)
        stage.store.report(GUILD, status_of(1))
        await eventually(http, "success")


async def test_a_silent_stream_is_kept_alive(
    stage: Stage, deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progressing, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(progressing, "LOOK_SECONDS", 0.02)
    stage.operates = False
    async with (
        serving(deployments) as url,
        httpx.AsyncClient(base_url=url, headers={"Authorization": "Bearer admin"}) as http,
        http.stream("POST", PATH, params={"wait": True}, json=body()) as answer,
    ):
        beats = 0
        async with asyncio.timeout(20):
            async for line in answer.aiter_lines():
                beats += line == ": beat"
                if beats == 3:
                    break


async def test_only_so_many_watch_at_once(
    stage: Stage, client: httpx.AsyncClient, deployments: Deployments
) -> None:
    revision = await deployed(client)
    deployments._watchers = 500
    answer = await client.get(f"{PATH}/revisions/{revision}/progress")
    assert answer.status_code == 429
    for path in ("", "/rollback"):
        answer = await client.post(
            PATH + path, params={"wait": True}, json=body("// 2") if not path else None
        )
        assert answer.status_code == 429
    assert len(await revisions(client)) == 1
    deployments._watchers = 0


async def test_another_replica_tells_of_the_same_deploy(stage: Stage) -> None:
    stage.operates = False
    async with stage.replica() as (_, one), stage.replica() as (_, other):
        revision = (await one.post(PATH, json=body())).json()["revision_id"]
        joined = asyncio.create_task(other.get(f"{PATH}/revisions/{revision}/progress"))
        await asyncio.sleep(0.05)
        stage.store.report(GUILD, status_of(1))
        assert events_in((await joined).text)[-1][0] == "ready"
        assert (await settled(one, revision))["status"] == "success"


# ---------------------------------------------------------------- replicas that die


async def test_a_deploy_whose_replica_died_after_applying_is_ended_by_the_next_one(stage: Stage) -> None:
    stage.operates = False
    async with stage.replica() as (_, client):
        revision = (await client.post(PATH, json=body())).json()["revision_id"]
    stage.store.report(GUILD, status_of(1))
    async with stage.replica() as (_, client):
        assert (await settled(client, revision))["status"] == "success"


async def test_a_deploy_whose_replica_died_before_applying_is_applied_by_the_next_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "APPLY_SECONDS", 0.0)
    monkeypatch.setattr("flora_api.deployments.history.APPLY_SECONDS", 0.0)
    async with stage.replica() as (deployments, _):
        begun = await deployments.history.begin(new(), action="deployment.deploy")
    assert not stage.store._objects
    async with stage.replica() as (_, client):
        assert (await settled(client, str(begun.id)))["status"] == "success"
    assert stage.store._objects[GUILD]["spec"]["source"]["files"] == {"src/main.ts": GOOD}


async def test_a_deploy_is_taken_over_by_one_replica_and_not_before_its_time(
    deployments: Deployments,
) -> None:
    begun = await deployments.history.begin(new(), action="deployment.deploy")
    assert not await deployments.history.take_over(begun.id)


async def test_a_deploy_whose_object_vanished_while_nobody_looked_has_failed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "VANISHED_SECONDS", 0.0)
    stage.operates = False
    async with stage.replica() as (_, client):
        revision = (await client.post(PATH, json=body())).json()["revision_id"]
    await stage.store.delete(GUILD)
    async with stage.replica() as (_, client):
        assert (await settled(client, revision))["error_code"] == "UNDEPLOYED"


async def test_a_deploy_outlives_a_restart_of_postgres(
    stage: Stage, client: httpx.AsyncClient, postgres: PostgresServer
) -> None:
    stage.operates = False
    revision = (await client.post(PATH, json=body())).json()["revision_id"]
    joined = asyncio.create_task(client.get(f"{PATH}/revisions/{revision}/progress"))
    await asyncio.to_thread(postgres.kill)
    stage.store.report(GUILD, status_of(1))
    await asyncio.sleep(0.3)
    await asyncio.to_thread(postgres.start)
    assert events_in((await joined).text)[-1][0] == "ready"
    assert (await settled(client, revision))["status"] == "success"


async def test_an_object_that_was_applied_though_nobody_was_told_is_its_revisions(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer of the API server was lost: the revision has failed, and runs after all."""
    monkeypatch.setattr("flora_api.deployments.applying.TRY_SECONDS", 0.0)
    async with stage.replica() as (_, client):
        stage.store.away = True
        failed = await client.post(PATH, json=body())
        assert failed.status_code == 503
        stage.store.away = False
        [kept] = await revisions(client)
        assert kept["status"] == "failed"
        stage.store.put(
            GUILD, {"entrypoint": "src/main.ts", "files": {"src/main.ts": GOOD}}, revision=kept["id"]
        )
        [found] = await eventually(client, "success")
        assert found["id"] == kept["id"]


# ---------------------------------------------------------------- what kubectl did


async def test_a_change_by_kubectl_becomes_a_revision_once_over_all_replicas(stage: Stage) -> None:
    async with stage.replica() as (_, one), stage.replica() as (_, two), stage.replica():
        await deployed(one)
        stage.store.put(GUILD, SOURCE)
        found, first = await eventually(two, "success", "success")
        assert found["deploy_source"] == "kubectl"
        assert found["actor"]["type"] == "system"
        assert found["base_revision_id"] == first["id"]
        assert found["change_summary"]["modified_files"] == ["src/main.ts"]
        shown = (await one.get(f"{PATH}/revisions/{found['id']}")).json()
        assert shown["files"] == [{"path": "src/main.ts", "contents": "// by kubectl"}]
        await asyncio.sleep(0.3)
        assert len(await revisions(one)) == 2


async def test_what_was_there_before_the_api_is_found(stage: Stage) -> None:
    stage.store.put(GUILD, SOURCE)
    async with stage.replica() as (_, client):
        [found] = await eventually(client, "success")
        assert found["deploy_source"] == "kubectl"
    async with stage.replica() as (_, client):
        await asyncio.sleep(0.3)
        assert len(await revisions(client)) == 1


async def test_a_change_that_is_no_deploy_is_no_revision(stage: Stage, client: httpx.AsyncClient) -> None:
    await deployed(client)
    document = stage.store._objects[GUILD]
    changed = {**document, "metadata": {**document["metadata"], "generation": 2}}
    stage.store._set(GUILD, {**changed, "spec": {**document["spec"], "limits": {"cpuMilliseconds": 9}}})
    await asyncio.sleep(0.3)
    assert len(await revisions(client)) == 1


async def test_a_change_by_kubectl_ends_a_deploy_that_it_overtakes(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    stage.operates = False
    revision = (await client.post(PATH, json=body())).json()["revision_id"]
    stage.store.put(GUILD, SOURCE)
    assert (await settled(client, revision))["error_code"] == "SUPERSEDED"
    stage.store.report(GUILD, status_of(2))
    await eventually(client, "success", "failed")


async def test_a_change_by_kubectl_that_is_never_ready_does_not_keep_others_from_deploying(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    stage.operates = False
    stage.store.put(GUILD, SOURCE)
    await eventually(client, "pending")
    stage.operates = True
    await deployed(client)
    await eventually(client, "success", "failed")


async def test_the_starter_script_is_no_kubectl(stage: Stage, client: httpx.AsyncClient) -> None:
    source = {"entrypoint": "src/main.ts", "configMapRef": {"name": "starter"}}
    document = manifest(GUILD, source, revision="")
    document["metadata"] |= {"uid": "u1", "generation": 1, "labels": {STARTER: "true"}}
    stage.store._set(GUILD, document)
    [found] = await eventually(client, "success")
    assert found["deploy_source"] == "bootstrap"
    whole = (await client.get(f"{PATH}/revisions/{found['id']}")).json()
    assert "files" not in whole


async def test_a_config_maps_script_can_be_rolled_back_to_by_its_bundle(
    stage: Stage, client: httpx.AsyncClient, deployments: Deployments
) -> None:
    bundle = Bundle("src/main.ts", "1")
    await deployments.bundles.put(bundle)
    stage.operates = False
    stage.store.put(GUILD, {"entrypoint": "src/main.ts", "configMapRef": {"name": "mine"}})
    stage.store.report(GUILD, {**status_of(1), "bundle": {"sha256": bundle.sha256}})
    [first] = await eventually(client, "success")
    stage.operates = True
    await deployed(client)
    answer = await client.post(f"{PATH}/rollback/{first['id']}")
    assert answer.status_code == 200, answer.text
    await settled(client, answer.json()["revision_id"])
    assert stage.store._objects[GUILD]["spec"]["source"]["bundleRef"] == {"sha256": bundle.sha256}


async def test_an_order_of_a_guild_ends_with_its_task_when_the_api_stops(stage: Stage) -> None:
    """Its lock is free for the replica that takes it over, or the revision ends by itself."""
    stage.store.away = True
    async with stage.replica() as (deployments, client):
        asked = asyncio.create_task(client.post(PATH, json=body()))
        async with asyncio.timeout(20):
            while not await revisions(client):
                await asyncio.sleep(0.02)
        assert await deployments.history.deploying(GuildId(GUILD)) is not None
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    assert not deployments._begun
    assert GuildAccess(GUILD, ADMIN).guild == GUILD
