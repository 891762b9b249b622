"""The operator on a real API server, with pods played by the test over the real streams."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.api import Api
from cluster.control_plane import Cluster
from tests.cluster.operating import Stage, current, home
from tests.cluster.played_pods import until

pytestmark = pytest.mark.usefixtures("crd")

GUILD = "123456789012345678"
GOOD = "on('messageCreate', (ctx) => ctx.reply('pong'))"


@pytest.fixture
def stage(cluster: Cluster, api: Api, namespace: str) -> Iterator[Stage]:
    stage = Stage(cluster, api, namespace)
    stage.statefulset(3)
    return stage


async def test_an_applied_script_is_bundled_assigned_loaded_and_ready(stage: Stage) -> None:
    async with stage.operating(), stage.pods() as pods:
        stage.apply(GUILD, GOOD)
        document = await stage.ready(GUILD)
        status = document["status"]
        assert status["assignment"]["pod"] == home(GUILD)
        assert status["revision"] == 1
        assert status["subscribedEvents"] == ["messageCreate"]
        assert [GUILD in pod.runs for pod in pods] == [pod.name == home(GUILD) for pod in pods]
        for kind in ("Bundled", "Assigned", "Ready"):
            condition = current(document, kind)
            assert condition is not None
            assert condition["status"] == "True", condition
        assert document["metadata"]["finalizers"] == ["flora.uwu.network/data"]
        await until(lambda: {"Bundled", "Assigned", "Loaded"} <= {e["reason"] for e in stage.events(GUILD)})
