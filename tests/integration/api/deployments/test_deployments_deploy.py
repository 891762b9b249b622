"""Deploying over HTTP, on a real Postgres."""

from __future__ import annotations

import asyncio

import asyncpg
import httpx
import pytest

from flora_api.deployments import Deployments
from flora_api.deployments.store import Rejected, Taken
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
from tests.integration.api.played_guard import GUILD, NOT_OURS, OTHER_GUILD
from tests.waiting import until


async def audited(stage: Stage) -> list[str]:
    async def work(connection: asyncpg.Connection) -> list[str]:
        return [row["action"] for row in await connection.fetch("SELECT action FROM audit ORDER BY id")]

    return await stage.database.run(work)


# ---------------------------------------------------------------- what goes well


async def test_a_deploy_is_kept_applied_and_followed_until_it_is_live(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    answer = await client.post(PATH, json=body(message=" first "), headers={"X-Flora-Deploy-Source": "cli"})
    assert answer.status_code == 200, answer.text
    revision = answer.json()["revision_id"]
    found = await settled(client, revision)
    assert found["status"] == "success"
    assert found["deploy_source"] == "cli"
    assert found["message"] == "first"
    assert found["actor"] == {"type": "session", "user_id": "1001", "username": "ada"}
    assert found["change_summary"] == {
        "added_files": ["src/main.ts"],
        "removed_files": [],
        "modified_files": [],
    }
    assert found["client_bundle"] is False
    assert found["files"] == [{"path": "src/main.ts", "contents": GOOD}]
    assert stage.store.applied == [{"entrypoint": "src/main.ts", "files": {"src/main.ts": GOOD}}]
    assert await audited(stage) == ["deployment.deploy"]
    shown = (await client.get(PATH, params={"include_bundle": True})).json()
    assert shown["revision_id"] == revision
    assert shown["bundle"] == GOOD
    assert shown["source_map"] == {"path": "src/main.ts.map", "contents": '{"version":3}'}


async def test_the_same_sources_are_bundled_once(stage: Stage, client: httpx.AsyncClient) -> None:
    await deployed(client)
    await deployed(client)
    assert stage.toolchain.asked == 1


async def test_a_large_project_is_stored_as_a_bundle_and_named_by_its_hash(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    script = GOOD + "//" + "x" * (300 << 10)
    await deployed(client, script)
    [source] = stage.store.applied
    assert source["bundleRef"]["sha256"] == Bundle("src/main.ts", script, '{"version":3}').sha256
    assert "files" not in source


async def test_a_bundle_of_ones_own_is_run_as_it_is_and_marked(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    revision = await deployed(
        client, "// what I wrote", bundle="1 + 1", source_map={"path": "main.js.map", "contents": "{}"}
    )
    found = (await client.get(f"{PATH}/revisions/{revision}", params={"include_bundle": True})).json()
    assert found["client_bundle"] is True
    assert (found["bundle"], found["source_map"]["contents"]) == ("1 + 1", "{}")
    assert found["files"][0]["contents"] == "// what I wrote"
    assert stage.store.applied[0]["bundleRef"]["sha256"] == Bundle("src/main.ts", "1 + 1", "{}").sha256
    assert stage.toolchain.asked == 0


async def test_a_dry_run_says_what_would_be_and_changes_nothing(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    answer = await client.post(PATH, params={"dry_run": True}, json=body())
    assert answer.json() == {
        "ok": True,
        "warnings": [],
        "bytes": len(Bundle("src/main.ts", GOOD, '{"version":3}').to_bytes()),
    }
    assert (await client.get(f"{PATH}/history")).json() == {"revisions": []}
    refused = await client.post(PATH, params={"dry_run": True}, json=body("syntax error"))
    assert refused.json()["code"] == "BUNDLE_FAILED"
    assert (await client.get(f"{PATH}/history")).json() == {"revisions": []}
    assert stage.store.applied == []
    assert await audited(stage) == []


# ---------------------------------------------------------------- what the author got wrong


async def test_what_does_not_bundle_is_refused_with_its_place_and_kept_as_failed(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    answer = await client.post(PATH, json=body("syntax error"))
    assert answer.status_code == 400
    refused = answer.json()
    assert refused["code"] == "BUNDLE_FAILED"
    [diagnostic] = refused["details"]["diagnostics"]
    assert (diagnostic["file"], diagnostic["line"], diagnostic["column"]) == ("src/main.ts", 1, 7)
    [kept] = (await client.get(f"{PATH}/history")).json()["revisions"]
    assert kept["id"] == refused["details"]["revision_id"]
    assert (kept["status"], kept["error_code"]) == ("failed", "BUNDLE_FAILED")
    assert stage.store.applied == []


async def test_what_throws_when_it_is_loaded_fails_with_its_stack(client: httpx.AsyncClient) -> None:
    good = await deployed(client)
    answer = await client.post(PATH, params={"wait": True}, json=body("throws"))
    assert answer.status_code == 200
    name, last = events_in(answer.text)[-1]
    assert name == "failed"
    assert last["code"] == "LOAD_FAILED"
    assert last["stack"] == "at main (src/main.ts:2:7)"
    assert (await client.get(PATH)).json()["revision_id"] == good
    status = (await client.get(f"{PATH}/status")).json()
    assert status["ready"] is False
    assert status["reason"] == "LoadFailed"
    assert status["revision_id"] == last["revision_id"]
    assert status["last_error"]["message"] == "Error: no"


async def test_an_error_that_postgres_cannot_keep_as_it_is_ends_its_revision(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    stage.operates = False
    revision = (await client.post(PATH, json=body())).json()["revision_id"]
    error = {"message": "Error: \0", "stack": "at \0 (src/main.ts:1:1)", "at": "2026-01-02T03:04:05Z"}
    stage.store.report(GUILD, status_of(1, "LoadFailed", message="threw \0", lastError=error))
    found = await settled(client, revision)
    assert (found["error_code"], found["error_message"]) == ("LOAD_FAILED", "threw \ufffd")


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        ({"files": None}, "NOTHING_TO_DEPLOY", "give files"),
        ({"files": []}, "INVALID_REQUEST", "files"),
        ({"files": [{"path": "../main.ts", "contents": "1"}]}, "INVALID_PROJECT", "'..'"),
        ({"files": [{"path": "/etc/passwd", "contents": "1"}]}, "INVALID_PROJECT", "is absolute"),
        ({"files": [{"path": "", "contents": "1"}]}, "INVALID_PROJECT", "is empty"),
        ({"files": [{"path": "src/other.ts", "contents": "1"}]}, "INVALID_PROJECT", "not among the project's files"),
        ({"files": [{"path": "src/main.ts", "contents": " \n"}]}, "INVALID_PROJECT", "is empty"),
        ({"files": [{"path": "src/main.ts", "contents": "a\0b"}]}, "INVALID_PROJECT", "is not text"),
        ({"files": [{"path": "src/main.ts", "contents": "1"}] * 2}, "INVALID_PROJECT", "there twice"),
        ({"files": [{"path": f"f{n}.ts", "contents": "1"} for n in range(201)]}, "INVALID_REQUEST", "200"),
        ({"files": [{"path": "src/main.ts", "contents": "x" * (1 << 20) + "y"}]}, "INVALID_PROJECT", "1,048,577 bytes"),
        ({"files": [{"path": "node_modules/a/main.ts", "contents": "1"}]}, "INVALID_PROJECT", "belongs to a dependency"),
        ({"entry": "src/main.css"}, "INVALID_PROJECT", "src/main.css"),
        ({"bundle": " "}, "INVALID_BUNDLE", "empty"),
        ({"bundle": "1\0"}, "INVALID_BUNDLE", "not text"),
        ({"bundle": "1", "source_map": {"path": "a.map", "contents": "[]"}}, "INVALID_BUNDLE", "no source map"),
        ({"bundle": "1", "entry": "a.css"}, "INVALID_PROJECT", "cannot be run"),
        ({"message": "x" * 501}, "BAD_REQUEST", "501 characters"),
        ({"message": "a\0b"}, "BAD_REQUEST", "cannot be shown"),
        ({"entry": "src/\0.ts"}, "INVALID_PROJECT", "not among"),
        ({"entry": "src/\0.ts", "bundle": "1"}, "INVALID_BUNDLE", "no path"),
        ({"mesage": "typo"}, "INVALID_REQUEST", "mesage"),
    ],
)  # fmt: skip
async def test_what_cannot_be_deployed_is_refused_in_words(
    stage: Stage, client: httpx.AsyncClient, wrong: dict, code: str, said: str
) -> None:
    answer = await client.post(PATH, json={**body(), **wrong})
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
    assert said in answer.json()["message"]
    assert stage.store.applied == []


async def test_an_empty_file_beside_the_entrypoint_is_no_reason_to_refuse(client: httpx.AsyncClient) -> None:
    files = [{"path": "src/main.ts", "contents": GOOD}, {"path": "src/later.ts", "contents": ""}]
    answer = await client.post(PATH, params={"dry_run": True}, json=body(files=files))
    assert answer.status_code == 200


async def test_a_bundle_of_ones_own_that_is_too_large_is_413(client: httpx.AsyncClient) -> None:
    answer = await client.post(PATH, json=body(bundle="x" * ((8 << 20) + 1)))
    assert (answer.status_code, answer.json()["code"]) == (413, "BUNDLE_TOO_LARGE")


async def test_kubectl_is_no_source_that_somebody_may_claim(client: httpx.AsyncClient) -> None:
    answer = await client.post(PATH, json=body(), headers={"X-Flora-Deploy-Source": "kubectl"})
    assert answer.status_code == 400


# ---------------------------------------------------------------- who may


@pytest.mark.parametrize(
    ("who", "guild", "status"),
    [("nobody", GUILD, 401), ("reader", GUILD, 403), ("stranger", GUILD, 403), ("admin", NOT_OURS, 404), ("admin", "x", 400)],
)  # fmt: skip
async def test_only_who_may_deploys(client: httpx.AsyncClient, who: str, guild: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {who}"}
    for method, path in (("POST", ""), ("DELETE", ""), ("POST", "/rollback")):
        answer = await client.request(method, f"/api/deployments/{guild}{path}", json=body(), headers=headers)
        assert answer.status_code == status, (method, path, answer.text)


async def test_who_may_read_reads(client: httpx.AsyncClient) -> None:
    await deployed(client)
    headers = {"Authorization": "Bearer reader"}
    for path in ("", "/status", "/history", "/diff"):
        assert (await client.get(PATH + path, headers=headers)).status_code == 200


# ---------------------------------------------------------------- one at a time


async def test_of_two_deploys_at_once_one_is_told_of_the_other(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    stage.operates = False
    first = await client.post(PATH, json=body())
    second = await client.post(PATH, json=body("// second"))
    assert second.status_code == 409
    refused = second.json()
    assert refused["code"] == "DEPLOY_IN_PROGRESS"
    assert refused["details"]["revision_id"] == first.json()["revision_id"]
    assert refused["details"]["actor"]["username"] == "ada"
    assert second.headers["Retry-After"]
    assert (await client.post(f"/api/deployments/{OTHER_GUILD}", json=body())).status_code == 200


async def test_of_many_deploys_over_two_replicas_one_wins(stage: Stage) -> None:
    stage.operates = False
    async with stage.replica() as (_, one), stage.replica() as (_, other):
        answers = await asyncio.gather(
            *((one if n % 2 else other).post(PATH, json=body(f"// {n}")) for n in range(12))
        )
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 11]
    assert len(stage.store.applied) == 1


async def test_what_one_expected_has_to_be_what_is_live(client: httpx.AsyncClient) -> None:
    refused = await client.post(PATH, json=body(expected_revision="1" * 8))
    assert (refused.status_code, refused.json()["code"]) == (409, "REVISION_CHANGED")
    first = await deployed(client, expected_revision="none")
    second = await deployed(client, "// 2", expected_revision=first)
    refused = await client.post(PATH, json=body("// 3", expected_revision=first))
    assert refused.status_code == 409
    assert refused.json()["details"]["revision_id"] == second
    assert len((await client.get(f"{PATH}/history")).json()["revisions"]) == 2


# ---------------------------------------------------------------- what the cluster says


async def test_a_refusal_of_the_cluster_is_told_in_its_words(stage: Stage, client: httpx.AsyncClient) -> None:
    stage.store.refuses = Rejected("spec.source: give exactly one")
    answer = await client.post(PATH, json=body())
    assert (answer.status_code, answer.json()["code"]) == (400, "REJECTED")
    assert "spec.source: give exactly one" in answer.json()["message"]
    [kept] = (await client.get(f"{PATH}/history")).json()["revisions"]
    assert (kept["status"], kept["error_code"]) == ("failed", "REJECTED")


async def test_a_script_that_others_manage_is_taken_over_only_by_force(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    stage.store.refuses = Taken(["argocd"])
    answer = await client.post(PATH, json=body())
    assert (answer.status_code, answer.json()["code"]) == (409, "MANAGED_ELSEWHERE")
    assert answer.json()["details"] == {"managers": ["argocd"]}
    answer = await client.post(PATH, params={"force": True}, json=body())
    assert answer.status_code == 200


async def test_a_cluster_that_is_away_is_waited_for_a_little(
    stage: Stage, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.store.away = True
    asked = asyncio.create_task(client.post(PATH, json=body()))
    await asyncio.sleep(0.3)
    stage.store.away = False
    assert (await asked).status_code == 200
    await settled(client, (await asked).json()["revision_id"])
    monkeypatch.setattr("flora_api.deployments.applying.TRY_SECONDS", 0.2)
    stage.store.away = True
    answer = await client.post(PATH, json=body("// 2"))
    assert (answer.status_code, answer.json()["code"]) == (503, "CLUSTER_UNAVAILABLE")
    assert answer.headers["Retry-After"]


async def test_what_is_never_ready_fails_after_a_time_and_is_good_when_it_is_ready_after_all(
    stage: Stage,
) -> None:
    stage.operates = False
    async with stage.replica(seconds=0.5) as (_, client):
        answer = await client.post(PATH, json=body())
        revision = answer.json()["revision_id"]
        found = await settled(client, revision)
        assert (found["status"], found["error_code"]) == ("failed", "DEPLOY_TIMEOUT")
        stage.store.report(GUILD, status_of(1))

        async def is_good() -> bool:
            return (await client.get(f"{PATH}/revisions/{revision}")).json()["status"] == "success"

        async with asyncio.timeout(20):
            while not await is_good():
                await asyncio.sleep(0.05)


async def test_a_missing_secret_does_not_keep_a_script_from_being_live(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    stage.operates = False
    answer = await client.post(PATH, json=body())
    stage.store.report(GUILD, status_of(1, "SecretMissing", message="there is no Secret my-secret"))
    revision = answer.json()["revision_id"]
    assert (await settled(client, revision))["status"] == "success"
    [(name, data)] = events_in((await client.get(f"{PATH}/revisions/{revision}/progress")).text)
    assert (name, data["message"]) == ("ready", "there is no Secret my-secret")


async def test_a_database_that_is_away_is_told_as_that(
    stage: Stage, client: httpx.AsyncClient, deployments: Deployments
) -> None:
    await deployed(client)
    await stage.database.close()
    answer = await client.post(PATH, json=body("// 2"))
    assert (answer.status_code, answer.json()["code"]) == (503, "DATABASE_UNAVAILABLE")
    assert deployments.trouble() is None


# ---------------------------------------------------------------- undeploying


async def test_undeploying_leaves_the_history(stage: Stage, client: httpx.AsyncClient) -> None:
    await deployed(client)
    assert (await client.delete(PATH)).status_code == 204
    await until(lambda: GUILD not in stage.store._objects)

    async def shown() -> int:
        return (await client.get(PATH)).status_code

    async with asyncio.timeout(10):
        while await shown() != 404:
            await asyncio.sleep(0.02)
    assert (await client.get(f"{PATH}/status")).json()["code"] == "NOT_DEPLOYED"
    assert (await client.get("/api/deployments")).json() == []
    assert len((await client.get(f"{PATH}/history")).json()["revisions"]) == 1
    assert await audited(stage) == ["deployment.deploy", "deployment.undeploy"]
    assert (await client.delete(PATH)).json()["code"] == "NOT_DEPLOYED"
    await deployed(client)


async def test_undeploying_ends_a_deploy_that_is_under_way(stage: Stage, client: httpx.AsyncClient) -> None:
    stage.operates = False
    revision = (await client.post(PATH, json=body())).json()["revision_id"]
    await client.delete(PATH)
    assert (await settled(client, revision))["error_code"] == "UNDEPLOYED"
