"""The operator on a real API server, with pods played by the test over the real streams."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from cluster.api import Api
from cluster.control_plane import Cluster
from flora_operator import operator, reconciler
from flora_operator.ports import NoMoves, NoRetention
from tests.cluster.operating import PODS, Stage, current, home
from tests.cluster.played_pods import PlayedPod
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("crd")

GUILD = "123456789012345678"
EVERYWHERE = "/apis/flora.uwu.network/v1alpha1/guilddeployments"
GOOD = "on('messageCreate', (ctx) => ctx.reply('pong'))"


@pytest.fixture
def other_namespace(api: Api) -> Iterator[str]:
    name = f"flora-test-{secrets.token_hex(4)}"
    document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    api.create(document)
    yield name
    api.delete(document)


@pytest.mark.parity(62)
async def test_an_applied_script_is_bundled_assigned_loaded_and_ready(stage: Stage) -> None:
    async with stage.operating(), stage.pods() as pods:
        stage.apply(GUILD, GOOD + "; cron('daily', '@daily', () => {})")
        document = await stage.ready(GUILD)
        status = document["status"]
        assert status["assignment"]["pod"] == home(GUILD)
        assert status["revision"] == 1
        assert status["subscribedEvents"] == ["messageCreate"]
        assert status["cronJobs"] == 1
        assert [GUILD in pod.runs for pod in pods] == [pod.name == home(GUILD) for pod in pods]
        for kind in ("Bundled", "Assigned", "Ready"):
            condition = current(document, kind)
            assert condition is not None
            assert condition["status"] == "True", condition
        assert document["metadata"]["finalizers"] == ["flora.uwu.network/data"]
        await until(lambda: {"Bundled", "Assigned", "Loaded"} <= {e["reason"] for e in stage.events(GUILD)})


async def test_a_user_without_a_name_may_run_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pod with runAsUser there is no entry in passwd, and kopf would ask for it."""

    def nameless() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr("getpass.getuser", nameless)
    monkeypatch.delenv("POD_ID", raising=False)
    async with stage.operating(), stage.pods():
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)


async def test_kubectl_wait_never_sees_the_old_generation_as_ready(stage: Stage) -> None:
    """After an apply Ready=True does not come before the new script is live, however slow that is."""
    async with stage.operating(), stage.pods() as pods:
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
        for pod in pods:
            pod.quiet = True
        stage.apply(GUILD, GOOD + "// 2")
        answers = set[str]()

        def is_loading() -> bool:
            ready = current(stage.get(GUILD), "Ready")
            answers.add(ready["status"] if ready else "none yet")
            return ready is not None and ready["reason"] == "Loading"

        await until(is_loading)
        assert "True" not in answers
        [pod] = [pod for pod in pods if GUILD in pod.runs]
        pod.quiet = False
        pod.load(pod.runs[GUILD])
        document = await stage.ready(GUILD)
        assert document["status"]["revision"] == 2


async def test_a_bad_script_over_a_good_one_says_where_and_the_good_one_runs_on(stage: Stage) -> None:
    async with stage.operating(), stage.pods() as pods:
        stage.apply(GUILD, GOOD)
        before = await stage.ready(GUILD)
        stage.apply(GUILD, "syntax error")
        after = await stage.ready(GUILD, "BundleFailed")
        bundled, ready = current(after, "Bundled"), current(after, "Ready")
        assert bundled
        assert bundled["message"].startswith("src/main.ts:1:7")
        assert ready
        assert ready["message"].endswith("; revision 1 runs on")
        assert after["status"]["bundle"] == before["status"]["bundle"]
        [pod] = [pod for pod in pods if GUILD in pod.runs]
        assert pod.runs[GUILD].revision == 1
        await until(lambda: "Failed" in {event["reason"] for event in stage.events(GUILD)})
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
        assert pod.heard.count(f"assign {GUILD}") <= 1
        assert stage.bundler.asked == 2  # the good one was known


async def test_a_script_that_throws_at_load_is_told_with_its_line(stage: Stage) -> None:
    async with stage.operating(), stage.pods():
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
        stage.apply(GUILD, "throws")
        document = await stage.ready(GUILD, "LoadFailed")
        status = document["status"]
        assert status["lastError"]["stack"] == "at main (src/main.ts:2:7)"
        ready = current(document, "Ready")
        assert ready
        assert "src/main.ts:2:7" in ready["message"]
        assert ready["message"].endswith("revision 1 runs on")
        assert (status["revision"], status["assignment"]["revision"]) == (1, 2)


async def test_a_quarantined_guild_says_so_until_the_next_deploy(stage: Stage) -> None:
    async with stage.operating(), stage.pods() as pods:
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
        [pod] = [pod for pod in pods if GUILD in pod.runs]
        pod.quarantine(GUILD, "exceeded its CPU limit 3 times in 10 minutes")
        await stage.ready(GUILD, "Quarantined")
        await until(lambda: "Quarantined" in {event["reason"] for event in stage.events(GUILD)})
        stage.apply(GUILD, GOOD + "// better")
        await stage.ready(GUILD)


async def test_suspend_unloads_keeps_the_place_and_comes_back(stage: Stage) -> None:
    async with stage.operating(), stage.pods() as pods:
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
        stage.apply(GUILD, GOOD, suspend=True)
        document = await stage.ready(GUILD, "Suspended")
        await until(lambda: not any(GUILD in pod.runs for pod in pods))
        assert document["status"]["assignment"]["pod"] == home(GUILD)
        assert "revision" not in document["status"]
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
        assert stage.bundler.asked == 1


async def test_limits_and_hibernation_reach_the_pod_as_a_new_revision(stage: Stage) -> None:
    async with stage.operating(), stage.pods() as pods:
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
        stage.apply(GUILD, GOOD, limits={"cpuMilliseconds": 50}, hibernation="Never")
        await until(lambda: stage.get(GUILD)["status"].get("revision") == 2)
        [told] = [pod.runs[GUILD] for pod in pods if GUILD in pod.runs]
        assert (told.limits.cpu_milliseconds, told.limits.memory_mebibytes, told.hibernates) == (
            50,
            64,
            False,
        )


async def test_a_deleted_guild_is_unloaded_and_let_go(stage: Stage) -> None:
    async with stage.operating(), stage.pods() as pods:
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
        stage.api.delete(stage.named(GUILD))
        await until(lambda: not stage.exists(GUILD))
        await until(lambda: not any(GUILD in pod.runs for pod in pods))
        stage.apply(GUILD, GOOD)
        document = await stage.ready(GUILD)
        assert document["status"]["revision"] == 1


async def test_a_deletion_waits_for_the_data_to_be_set_aside_but_not_for_ever(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[tuple[str, str]]()

    class PodIsGone(NoRetention):
        def release(self, guild: str, pod: str, *, keep: bool = True) -> bool:
            asked.append((guild, pod))
            return False

    stage.retention = PodIsGone()
    monkeypatch.setattr(reconciler, "LET_GO_SECONDS", 3.0)
    async with stage.operating(), stage.pods():
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
        stage.api.delete(stage.named(GUILD))
        await until(lambda: asked)
        assert stage.exists(GUILD)
        await until(lambda: not stage.exists(GUILD))
        assert set(asked) == {(GUILD, home(GUILD))}


async def test_a_guild_deleted_while_no_operator_was_there_is_let_go_by_the_next(stage: Stage) -> None:
    async with stage.operating(), stage.pods():
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
    stage.api.delete(stage.named(GUILD))
    assert stage.exists(GUILD)
    async with stage.operating():
        await until(lambda: not stage.exists(GUILD))


async def test_of_two_objects_for_a_guild_the_older_serves_until_it_is_gone(
    stage: Stage, other_namespace: str
) -> None:
    stage.namespaces.append(other_namespace)
    async with stage.operating(), stage.pods() as pods:
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
        await asyncio.sleep(1.1)  # creation times are whole seconds
        stage.apply(GUILD, GOOD + "// other", namespace=other_namespace)
        document = await stage.ready(GUILD, "DuplicateGuild", other_namespace)
        ready = current(document, "Ready")
        assert ready
        assert f"{stage.namespace}/guild-{GUILD} is older" in ready["message"]
        [told] = [pod.runs[GUILD] for pod in pods if GUILD in pod.runs]
        assert stage.bundler.bundles[told.bundle] == GOOD
        stage.api.delete(stage.named(GUILD))
        await stage.ready(GUILD, "Loaded", other_namespace)
        [told] = [pod.runs[GUILD] for pod in pods if GUILD in pod.runs]
        assert stage.bundler.bundles[told.bundle].endswith("// other")


async def test_sources_in_a_config_map_are_watched(stage: Stage) -> None:
    """Not there, there, changed, and gone: what ran runs on."""
    async with stage.operating(), stage.pods() as pods:
        stage.apply(GUILD, source={"configMapRef": {"name": "bot"}})
        document = await stage.ready(GUILD, "ConfigMapMissing")
        ready = current(document, "Ready")
        assert ready
        assert "there is no ConfigMap bot" in ready["message"]
        made = stage.config_map("bot", **{"src__main.ts": "import './pong'", "src__pong.ts": GOOD})
        first = await stage.ready(GUILD)
        stage.config_map("bot", **{"src__main.ts": GOOD + "// 2"})
        await until(lambda: stage.get(GUILD)["status"].get("revision") == 2)
        assert stage.get(GUILD)["metadata"]["generation"] == first["metadata"]["generation"]
        stage.api.delete(made)
        document = await stage.ready(GUILD, "ConfigMapMissing")
        assert document["status"]["revision"] == 2
        assert any(GUILD in pod.runs for pod in pods)


@pytest.mark.parity(62)
async def test_a_bundle_that_was_stored_is_run_and_one_that_was_not_is_missing(stage: Stage) -> None:
    sha256 = stage.bundler.keep(GOOD)
    async with stage.operating(), stage.pods():
        stage.apply(GUILD, source={"bundleRef": {"sha256": "ab" * 32}})
        await stage.ready(GUILD, "BundleMissing")
        stage.apply(GUILD, source={"bundleRef": {"sha256": sha256}})
        document = await stage.ready(GUILD)
        assert document["status"]["bundle"]["sha256"] == sha256
        assert stage.bundler.asked == 0


async def test_a_secret_is_missing_then_there_then_rotated_then_unlabelled(stage: Stage) -> None:
    """The script is not deployed anew for any of it, and its placeholder stays the same."""
    wanted = {
        "name": "KEY",
        "secretKeyRef": {"name": "s", "key": "token"},
        "allowedHosts": ["api.example.com"],
    }
    async with stage.operating(), stage.pods() as pods:
        stage.apply(GUILD, GOOD, secrets=[wanted])
        document = await stage.ready(GUILD, "SecretMissing")
        ready = current(document, "Ready")
        assert ready
        assert "flora.uwu.network/guild-secret=true" in ready["message"]
        [pod] = [pod for pod in pods if GUILD in pod.runs]

        def value() -> str | None:
            return pod.secrets[GUILD][0].value

        placeholder = pod.secrets[GUILD][0].placeholder
        assert value() is None
        stage.secret("s", other="x")
        await until(lambda: "has no key token" in str(stage.get(GUILD)["status"]["conditions"]))
        stage.secret("s", token="hunter2")
        await stage.ready(GUILD)
        await until(lambda: value() == "hunter2")
        stage.secret("s", token="hunter3")
        await until(lambda: value() == "hunter3", seconds=10)
        stage.secret("s", labelled=False, token="hunter3")
        await stage.ready(GUILD, "SecretMissing")
        await until(lambda: value() is None)
        assert pod.secrets[GUILD][0].placeholder == placeholder
        assert pod.secrets[GUILD][0].allowed_hosts == ["api.example.com"]
        assert stage.get(GUILD)["status"]["revision"] == 1
        assert "hunter" not in str(stage.get(GUILD))


async def test_a_status_edited_by_hand_is_put_right(stage: Stage) -> None:
    async with stage.operating(), stage.pods():
        stage.apply(GUILD, GOOD)
        right = (await stage.ready(GUILD))["status"]
        path = f"{stage.api.path(stage.named(GUILD))}/status"
        wrong = [
            {"op": "replace", "path": "/status/assignment/pod", "value": "flora-runtime-9"},
            {"op": "add", "path": "/status/lastError", "value": {"message": "made up"}},
            {
                "op": "add",
                "path": "/status/conditions/-",
                "value": {**right["conditions"][0], "type": "Mine"},
            },
        ]
        query = {"fieldManager": "by-hand"}
        stage.api.call("PATCH", path, wrong, query=query, content="application/json-patch+json")
        await until(lambda: stage.get(GUILD)["status"] == right)
        stage.apply(GUILD, GOOD + "// 2")
        await until(lambda: stage.get(GUILD)["status"].get("revision") == 2)
        await stage.ready(GUILD)
        stage.api.call("PATCH", path, {"status": None}, query=query, content="application/merge-patch+json")
        await stage.ready(GUILD)


async def test_what_its_own_writes_bring_back_is_left_out_and_other_changes_are_not(stage: Stage) -> None:
    def echoes() -> float:
        return REGISTRY.get_sample_value("flora_operator_watch_echoes_total") or 0.0

    async with stage.operating(), stage.pods():
        before, number = echoes(), 1
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
        # A watch may be quicker than the answer to a write, which is then no echo yet: not every one is.
        while number < 4 or echoes() == before:
            number += 1
            assert number < 50, "all writes came back"
            stage.apply(GUILD, f"{GOOD}// {number}")
            await until(lambda: stage.get(GUILD)["status"].get("revision") == number)  # noqa: B023
        stage.apply(GUILD, GOOD, suspend=True)
        await until(lambda: reason(stage) == "Suspended")


def reason(stage: Stage) -> str:
    ready = current(stage.get(GUILD), "Ready")
    return ready["reason"] if ready is not None else ""


async def test_replicas_from_3_to_4_want_the_fewest_moves_and_nothing_is_moved_by_force(stage: Stage) -> None:
    guilds = [str(100 + number) for number in range(24)]
    wanted = dict[str, tuple[str, str]]()

    class Mover(NoMoves):
        def want(self, guild: Any, *, from_: Any, to: Any, known: Any) -> None:
            wanted[guild] = (from_, to)

        def drop(self, guild: Any, *, known: Any = None) -> None:
            wanted.pop(guild, None)

    stage.moves = lambda _state, _persist: Mover()
    async with stage.operating(), stage.pods(4):
        for guild in guilds:
            stage.apply(guild, GOOD)
        for guild in guilds:
            await stage.ready(guild)
        versions = {guild: stage.get(guild)["metadata"]["resourceVersion"] for guild in guilds}
        stage.statefulset(4)
        moving = {guild for guild in guilds if home(guild, PODS) != home(guild)}
        assert moving
        await until(lambda: wanted == {guild: (home(guild), PODS[3]) for guild in moving})
        new = next(str(number) for number in range(200, 300) if home(str(number), PODS) == PODS[3])
        stage.apply(new, GOOD)
        document = await stage.ready(new)
        assert document["status"]["assignment"]["pod"] == PODS[3]
        stage.statefulset(3)
        await until(lambda: not wanted.keys() & moving)
        assert wanted[new] == (PODS[3], home(new))
        assert {guild: stage.get(guild)["metadata"]["resourceVersion"] for guild in guilds} == versions


async def test_a_guild_whose_pod_went_with_its_data_says_so_until_the_pod_is_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator, "LOOK_SECONDS", 0.1)
    guild = next(str(number) for number in range(200, 300) if home(str(number), PODS) == PODS[3])
    stage.statefulset(4)

    def fourth_pod() -> PlayedPod:
        pod = PlayedPod(stage.url, PODS[3], token=PODS[3])
        pod.scripts = stage.bundler.bundles
        return pod

    async with stage.operating() as running:
        running._absences._patience = 0.5
        async with fourth_pod():
            stage.apply(guild, GOOD)
            await stage.ready(guild)
        stage.statefulset(3)
        document = await stage.ready(guild, "PodGone")
        assert document["status"]["assignment"]["pod"] == PODS[3]
        ready = current(document, "Ready")
        assert ready is not None
        assert "kubectl scale statefulset flora-runtime --replicas=4" in ready["message"]
        await until(lambda: "PodGone" in {event["reason"] for event in stage.events(guild)})
    before = document["metadata"]["resourceVersion"]
    async with stage.operating():
        await stage.settled()
        assert stage.get(guild)["metadata"]["resourceVersion"] == before, "the next operator knows"
        stage.statefulset(4)
        async with fourth_pod():
            await stage.ready(guild)


async def test_a_move_is_written_down_before_anybody_acts_on_it(stage: Stage) -> None:
    """What the handoff asks to have persisted goes through the guild's one writer."""
    persist = list[Any]()

    def moves(_state: Any, port: Any) -> Any:
        persist.append(port)
        return NoMoves()

    stage.moves = moves
    async with stage.operating(), stage.pods() as pods:
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD)
        other = next(pod for pod in PODS[:3] if pod != home(GUILD))
        await persist[0].persist(GUILD, pod=other, handoff=None)
        assert stage.get(GUILD)["status"]["assignment"]["pod"] == other
        await until(lambda: [pod.name for pod in pods if GUILD in pod.runs] == [other])
        await stage.ready(GUILD)
        await until(lambda: "Moved" in {event["reason"] for event in stage.events(GUILD)})


async def test_a_script_of_700_kb_is_ready_and_has_no_annotation(stage: Stage) -> None:
    async with stage.operating(), stage.pods():
        stage.apply(GUILD, "// " + "x" * 700_000)
        document = await stage.ready(GUILD)
        assert "annotations" not in document["metadata"]
        assert document["metadata"]["finalizers"] == ["flora.uwu.network/data"]


async def test_without_a_statefulset_guilds_wait_and_say_so(
    cluster: Cluster, api: Api, namespace: str
) -> None:
    stage = Stage(cluster, api, namespace)
    async with stage.operating():
        stage.apply(GUILD, GOOD)
        await stage.ready(GUILD, "NoPods")
        stage.statefulset(3)
        await stage.ready(GUILD, "Loading")


async def test_without_namespaces_named_it_works_for_all(stage: Stage) -> None:
    """As the chart has it by default."""
    try:  # those of other tests go with their namespaces, by and by
        await until(lambda: not stage.api.call("GET", EVERYWHERE)["items"], seconds=30)
    except TimeoutError:
        pytest.skip("other GuildDeployments are in this cluster, and are left alone")
    async with stage.operating(watch_namespaces=""), stage.pods():
        stage.secret("s", token="hunter2")
        stage.config_map("bot", **{"src__main.ts": GOOD})
        stage.apply(GUILD, GOOD, secrets=[{"name": "K", "secretKeyRef": {"name": "s", "key": "token"}}])
        stage.apply("1002", source={"configMapRef": {"name": "bot"}})
        await stage.ready(GUILD)
        await stage.ready("1002")


async def test_a_pod_that_is_one_too_many_is_told_to_wait_before_the_watch_says_why(stage: Stage) -> None:
    async with stage.operating() as operator:
        assert await operator.wanted_pods() == PODS[:3]
        stage.statefulset(2)
        assert await operator.wanted_pods() == PODS[:2]
        stage.statefulset(3)
