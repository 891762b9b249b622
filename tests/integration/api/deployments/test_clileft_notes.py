"""What deploys leave in the guild's log: once, whichever replica sees their end."""

from __future__ import annotations

import httpx

from flora_api.deployments.store import Rejected
from flora_core.wire.control import LogLine, Outcome
from tests.integration.api.deployments.conftest import (
    PATH,
    Stage,
    body,
    deployed,
    settled,
    status_of,
)
from tests.integration.api.played_guard import GUILD
from tests.waiting import until

NAME = "ann"


async def noted(stage: Stage, count: int) -> list[LogLine]:
    """All notes, once there are so many."""
    await until(lambda: len(stage.notes) >= count)
    return stage.notes


async def test_a_deploy_is_noted_once_by_two_replicas(stage: Stage) -> None:
    async with stage.replica() as (_, client), stage.replica():
        first = await deployed(client, message="greets")
        second = await deployed(client, "// another", message="again")
        lines = await noted(stage, 2)
    assert [line.guild for line in lines] == [GUILD, GUILD]
    assert f"revision {first} by " in lines[0].text
    assert lines[0].text.endswith(": greets")
    assert f"revision {second} by " in lines[1].text
    assert {(line.level, line.outcome, line.event) for line in lines} == {("info", Outcome.OK, "deploy")}


async def test_a_script_that_does_not_load_is_noted_with_its_stack(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    answer = await client.post(PATH, json=body("// throws"))
    revision = answer.json()["revision_id"]
    await settled(client, revision)
    (line,) = await noted(stage, 1)
    assert (line.level, line.outcome) == ("error", Outcome.EXCEPTION)
    assert f"revision {revision} " in line.text
    assert "(LOAD_FAILED)" in line.text
    assert line.stack == "at main (src/main.ts:2:7)"


async def test_what_does_not_bundle_and_what_is_refused_is_noted(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    assert (await client.post(PATH, json=body("syntax error"))).status_code == 400
    stage.store.refuses = Rejected("no such class")
    assert (await client.post(PATH, json=body())).status_code == 400
    lines = await noted(stage, 2)
    assert "(BUNDLE_FAILED): src/main.ts:1:7: error" in lines[0].text
    assert "(REJECTED): the cluster refuses this: no such class" in lines[1].text
    assert len(lines) == 2


async def test_rollback_and_undeploy_are_noted(stage: Stage, client: httpx.AsyncClient) -> None:
    first = await deployed(client)
    await deployed(client, "// another")
    answer = await client.post(f"{PATH}/rollback")
    await settled(client, answer.json()["revision_id"])
    assert (await client.delete(PATH)).status_code == 204
    *_, back, gone = await noted(stage, 4)
    assert back.text.endswith(f": rolled back to {first}")
    assert (gone.event, gone.level) == ("undeploy", "info")
    assert gone.text.startswith("undeployed by ")
    assert len(stage.notes) == 4


async def test_a_change_by_kubectl_is_noted_when_it_is_live(stage: Stage) -> None:
    source = {"entrypoint": "src/main.ts", "files": {"src/main.ts": "// by kubectl"}}
    async with stage.replica(), stage.replica():
        stage.operates = False
        await stage.store.apply(GUILD, source, revision="", force=False)
        stage.store.report(GUILD, status_of(1))
        (line,) = await noted(stage, 1)
    assert "is live on flora-runtime-0" in line.text
    assert "changed in the cluster" in line.text
    assert len(stage.notes) == 1
