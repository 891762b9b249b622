"""What the operator does when what it depends on is gone for a while, and when it was gone itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cluster.api import Document
from tests.cluster.faulty_api import FaultyApi
from tests.cluster.operating import PODS, Stage, current, home
from tests.cluster.played_pods import get
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("crd")

GUILD = "123456789012345678"
GOOD = "on('messageCreate', (ctx) => ctx.reply('pong'))"
SECRET = {"name": "KEY", "secretKeyRef": {"name": "s", "key": "token"}, "allowedHosts": ["api.example.com"]}


@pytest.fixture
def stage(stage: Stage, faults: FaultyApi) -> Stage:
    """Whose operator reaches the API server by a way that can be broken."""
    stage.access = faults.access
    return stage


def versions(stage: Stage, guilds: list[str]) -> dict[str, str]:
    return {guild: stage.get(guild)["metadata"]["resourceVersion"] for guild in guilds}


async def settle_all_kinds(stage: Stage) -> list[str]:
    """One guild of each kind that there can be, all settled."""
    stage.config_map("bot", **{"src__main.ts": GOOD})
    stage.secret("s", token="hunter2")
    stage.apply("1001", GOOD)
    stage.apply("1002", "syntax error")
    stage.apply("1003", "throws")
    stage.apply("1004", GOOD, suspend=True)
    stage.apply("1005", source={"configMapRef": {"name": "bot"}})
    stage.apply("1006", source={"configMapRef": {"name": "nowhere"}})
    stage.apply("1007", GOOD, secrets=[SECRET])
    stage.apply("1008", GOOD, secrets=[{**SECRET, "secretKeyRef": {"name": "nowhere", "key": "k"}}])
    stage.apply("1009", GOOD, limits={"memoryMebibytes": 128}, hibernation="Never")
    reasons = {
        "1001": "Loaded",
        "1002": "BundleFailed",
        "1003": "LoadFailed",
        "1004": "Suspended",
        "1005": "Loaded",
        "1006": "ConfigMapMissing",
        "1007": "Loaded",
        "1008": "SecretMissing",
        "1009": "Loaded",
    }
    for guild, reason in reasons.items():
        await stage.ready(guild, reason)
    return list(reasons)


async def test_an_operator_that_starts_again_writes_nothing_and_pods_notice_nothing(
    stage: Stage, faults: FaultyApi, unused_tcp_port: int
) -> None:
    port = unused_tcp_port
    async with stage.operating(port) as first, stage.pods() as pods:
        guilds = await settle_all_kinds(stage)
        await stage.settled()
        before, heard = versions(stage, guilds), [list(pod.heard) for pod in pods]
        secrets = [pod.secrets for pod in pods]
        runs = [dict(pod.runs) for pod in pods]
        bundled = stage.bundler.asked
        epoch = first.state.epoch
        await stage.leave()
        faults.requests.clear()
        async with stage.operating(port) as second:
            assert second.state.epoch != epoch
            await until(lambda: all(pod.snapshots == 2 for pod in pods))
            await stage.settled(seconds=2.0)
            assert faults.writes() == 0, faults.requests
            assert versions(stage, guilds) == before
            assert [list(pod.heard) for pod in pods] == heard
            assert [pod.runs for pod in pods] == runs
            assert [pod.secrets for pod in pods] == secrets  # placeholders among them
            assert stage.bundler.asked == bundled + 1  # the one that does not bundle


async def test_streams_are_held_until_the_cluster_is_known(
    stage: Stage, faults: FaultyApi, unused_tcp_port: int
) -> None:
    """A pod that runs guilds is not told that there are none."""
    async with stage.operating(unused_tcp_port), stage.pods() as pods:
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
        [pod] = [pod for pod in pods if GUILD in pod.runs]
        await stage.leave()
        faults.gone = True
        faults.cut()
        async with stage.starting(unused_tcp_port) as operator:
            await until(lambda: any("503" in refusal for refusal in pod.refusals))
            status, text = await get(f"{stage.url}/readyz")
            assert (status, text) == (503, "the cluster is not known yet\n")
            assert (await get(f"{stage.url}/healthz"))[0] == 200
            assert (await get(f"{stage.url}/v1/routes", token="gateway"))[0] == 503
            assert GUILD in pod.runs
            faults.gone = False
            await until(lambda: operator.unsynced() is None)
            await until(lambda: pod.snapshots == 2)
            assert GUILD in pod.runs
            assert not [word for word in pod.heard if word.startswith("release")]
            assert (await get(f"{stage.url}/readyz"))[0] == 200


async def test_an_api_server_that_is_gone_for_a_while_is_caught_up_with(
    stage: Stage, faults: FaultyApi
) -> None:
    async with stage.operating(), stage.pods():
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
        faults.gone = True
        faults.cut()
        stage.apply(GUILD, GOOD + "// 2")
        stage.apply("1002", GOOD)
        await asyncio.sleep(3)
        assert current(stage.get(GUILD), "Ready") is None
        faults.gone = False
        await until(lambda: stage.get(GUILD)["status"].get("revision") == 2, seconds=5)
        await stage.ready("1002")


async def test_what_vanished_while_a_watch_was_expired_is_noticed(stage: Stage, faults: FaultyApi) -> None:
    """410: the ConfigMap and the Secret are listed anew."""
    made = stage.config_map("bot", **{"src__main.ts": GOOD})
    secret = stage.secret("s", token="hunter2")
    async with stage.operating(), stage.pods():
        stage.apply("1001", source={"configMapRef": {"name": "bot"}})
        stage.apply("1002", GOOD, secrets=[SECRET])
        await stage.ready("1001")
        await stage.ready("1002")
        faults.gone = True
        faults.cut()
        stage.api.delete(made)
        stage.api.delete(secret)
        faults.expire = {"configmaps", "secrets"}
        faults.gone = False
        await stage.ready("1001", "ConfigMapMissing")
        await stage.ready("1002", "SecretMissing")
        assert not faults.expire


async def test_an_object_that_vanished_unwatched_is_unloaded(stage: Stage, faults: FaultyApi) -> None:
    """Even our finalizer can be taken off by hand; kopf does not tell of what is no longer listed."""
    async with stage.operating(resync_seconds=1), stage.pods() as pods:
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
        faults.gone = True
        faults.cut()
        path = stage.api.path(stage.named(GUILD))
        nobody: Document = {"metadata": {"finalizers": None}}
        stage.api.call("PATCH", path, nobody, content="application/merge-patch+json")
        stage.api.delete(stage.named(GUILD))
        assert not stage.exists(GUILD)
        faults.expire = {"guilddeployments"}
        faults.gone = False
        await until(lambda: not any(GUILD in pod.runs for pod in pods))


async def test_an_api_server_that_asks_for_patience_is_given_it(stage: Stage, faults: FaultyApi) -> None:
    guilds = [str(2000 + number) for number in range(20)]
    async with stage.operating(), stage.pods():
        await stage.settled()
        faults.throttle = 3
        for guild in guilds:
            stage.apply(guild, GOOD)
        for guild in guilds:
            await stage.ready(guild)
        assert 3 <= faults.requests["throttled"] <= 20
        assert faults.throttle == 0


async def test_a_conflict_is_looked_at_again(stage: Stage, faults: FaultyApi) -> None:
    async with stage.operating(), stage.pods():
        faults.conflicts = 3
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
        assert faults.conflicts == 0


async def test_without_a_database_new_scripts_wait_and_old_ones_run(stage: Stage) -> None:
    async with stage.operating(), stage.pods() as pods:
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
        stage.bundler.down = True
        stage.apply(GUILD, GOOD + "// 2")
        stage.apply("1002", GOOD)
        document = await stage.ready(GUILD, "BundlerUnavailable")
        bundled = current(document, "Bundled")
        assert bundled
        assert bundled["status"] == "Unknown"
        await stage.ready("1002", "BundlerUnavailable")
        assert any(GUILD in pod.runs for pod in pods)
        assert (await get(f"{stage.url}/v1/bundles/{'ab' * 32}", token=PODS[0]))[0] == 503
        stage.apply(GUILD, GOOD + "// 2", suspend=True)
        await stage.ready(GUILD, "Suspended")
        stage.apply(GUILD, GOOD + "// 2")
        stage.bundler.down = False
        await stage.ready("1002")
        await stage.ready(GUILD)


async def test_a_half_written_status_is_made_whole(stage: Stage) -> None:
    stage.apply(GUILD, GOOD)
    condition: dict[str, Any] = {
        "type": "Ready",
        "status": "True",
        "reason": "Loaded",
        "message": "not so",
        "lastTransitionTime": "2020-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    half = {"observedGeneration": 1, "revision": 7, "conditions": [condition], "cronJobs": 3}
    stage.api.apply_status({**stage.named(GUILD), "status": half}, manager="somebody")
    async with stage.operating(), stage.pods():
        message = f"revision 1 is live on {home(GUILD)}"  # its reason is there from the beginning
        await until(lambda: (current(stage.get(GUILD), "Ready") or {}).get("message") == message)
        conditions = stage.get(GUILD)["status"]["conditions"]
        assert {c["type"] for c in conditions} == {"Bundled", "Assigned", "Ready"}


async def test_a_bundle_that_was_lost_is_made_again_for_whoever_asks(stage: Stage) -> None:
    async with stage.operating(), stage.pods():
        stage.apply(GUILD, GOOD)
        sha256 = (await stage.ready(GUILD))["status"]["bundle"]["sha256"]
        url = f"{stage.url}/v1/bundles/{sha256}"
        assert await get(url, token=PODS[0]) == (200, GOOD)
        stage.bundler.bundles.clear()
        assert (await get(url, token=PODS[0]))[0] == 404
        await until(lambda: sha256 in stage.bundler.bundles)
        assert await get(url, token=PODS[0]) == (200, GOOD)


async def test_a_pod_opens_only_its_own_streams(stage: Stage) -> None:
    async with stage.operating():
        url = f"{stage.url}/v1/pods/{PODS[0]}/desired"
        assert (await get(url))[0] == 401
        assert (await get(url, token="nobody"))[0] == 401
        assert (await get(url, token=PODS[1]))[0] == 403
        assert (await get(f"{stage.url}/v1/routes", token=PODS[0]))[0] == 403


async def test_metrics_say_how_guilds_are_and_what_was_asked_of_the_api_server(stage: Stage) -> None:
    async with stage.operating(), stage.pods():
        stage.apply("1001", GOOD)
        stage.apply("1002", "syntax error")
        await stage.ready("1001")
        await stage.ready("1002", "BundleFailed")
        _, page = await get(f"{stage.url}/metrics")
        assert 'flora_operator_guilds{ready="True",reason="Loaded"} 1.0' in page
        assert 'flora_operator_guilds{ready="False",reason="BundleFailed"} 1.0' in page
        assert 'resource="guilddeployments/status",verb="PATCH"' in page
        assert 'flora_operator_queue_depth{queue="guilds"} 0.0' in page
        assert "flora_operator_reconcile_seconds_count" in page
