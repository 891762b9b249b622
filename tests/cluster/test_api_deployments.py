"""GuildDeployments as the API applies and watches them, on a real API server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from cluster import kubeconfig
from cluster.api import Api, Document
from cluster.control_plane import Cluster
from cluster.kubeconfig import Access
from flora_api.deployments import kube, open_deployments
from flora_api.deployments.kube import KubeDeployments, open_kube_deployments
from flora_api.deployments.request import Sources
from flora_api.deployments.revisions import Revision, Source
from flora_api.deployments.service import Order
from flora_api.deployments.store import (
    REVISION,
    Change,
    Complete,
    Gone,
    Leaving,
    Put,
    Rejected,
    StoreGone,
    Taken,
)
from flora_api.principal import ActorType, GuildAccess, Principal
from flora_core.database import Database
from flora_core.errors import InvalidSettings
from flora_core.ids import GuildId
from flora_core.toolchain import Project, Toolchain
from tests.cluster.faulty_api import faulty_api
from tests.cluster.operating import Stage, home, kubeconfig_of
from tests.integration.database.conftest import postgres, url  # noqa: F401  fixtures
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("crd")

GUILD = GuildId("123456789012345678")
OTHER = GuildId("223456789012345678")
SOURCE = {"entrypoint": "src/main.ts", "files": {"src/main.ts": "// 1"}}


@pytest.fixture
def stage(cluster: Cluster, api: Api, namespace: str, crd: Document) -> Stage:
    return Stage(cluster, api, namespace)


@pytest.fixture
async def store(cluster: Cluster, namespace: str) -> AsyncIterator[KubeDeployments]:
    with kubeconfig_of(cluster):
        async with open_kube_deployments(namespace) as store:
            yield store


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:  # noqa: F811
    async with await Database.open(url) as database:
        yield database


@asynccontextmanager
async def watching(store: KubeDeployments) -> AsyncIterator[list[Change]]:
    """What the watch tells, from its beginning."""
    told: list[Change] = []

    async def watch() -> None:
        async with aclosing(store.watch()) as changes:
            async for change in changes:
                told.append(change)  # noqa: PERF401  others look at it meanwhile

    running = asyncio.create_task(watch())
    yield told
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def puts(told: list[Change]) -> list[tuple[str, int]]:
    return [
        (change.deployment.guild, change.deployment.generation) for change in told if isinstance(change, Put)
    ]


# ---------------------------------------------------------------- apply, get, delete


async def test_an_object_is_made_read_changed_and_deleted(store: KubeDeployments, stage: Stage) -> None:
    assert await store.get(GUILD) is None
    assert await store.delete(GUILD) is False
    made = await store.apply(GUILD, SOURCE, revision="r1")
    assert (made.guild, made.generation, made.revision, made.inline) == (GUILD, 1, "r1", True)
    again = await store.apply(GUILD, SOURCE, revision="r2")
    assert (again.generation, again.digest, again.revision) == (1, made.digest, "r2")
    changed = await store.apply(GUILD, {**SOURCE, "files": {"src/main.ts": "// 2"}}, revision="r3")
    assert (changed.generation, changed.uid) == (2, made.uid)
    assert changed.digest != made.digest
    found = await store.get(GUILD)
    assert found is not None
    assert (found[0].digest, found[1], found[0].manager) == (
        changed.digest,
        {"src/main.ts": "// 2"},
        "flora-api",
    )
    document = stage.get(GUILD)
    assert document["metadata"]["annotations"] == {REVISION: "r3"}
    assert await store.delete(GUILD) is True
    assert await store.get(GUILD) is None


async def test_files_give_way_to_a_bundle_and_back(store: KubeDeployments) -> None:
    await store.apply(GUILD, SOURCE, revision="r1")
    by_bundle = await store.apply(
        GUILD, {"entrypoint": "src/main.ts", "bundleRef": {"sha256": "ab" * 32}}, revision="r2"
    )
    assert (by_bundle.bundle, by_bundle.inline) == ("ab" * 32, False)
    assert (await store.apply(GUILD, SOURCE, revision="r3")).inline


async def test_what_admission_refuses_is_told_in_its_words(store: KubeDeployments) -> None:
    with pytest.raises(Rejected, match=r"the entrypoint src/other\.ts is not among the files"):
        await store.apply(GUILD, {**SOURCE, "entrypoint": "src/other.ts"}, revision="r1")
    with pytest.raises(Rejected, match="field not declared in schema"):
        await store.apply(GUILD, {**SOURCE, "fils": {}}, revision="r1")
    assert await store.get(GUILD) is None


async def test_what_kubectl_manages_is_taken_over_only_by_force(store: KubeDeployments, stage: Stage) -> None:
    stage.apply(GUILD, "// by kubectl", limits={"cpuMilliseconds": 300})
    with pytest.raises(Taken) as taken:
        await store.apply(GUILD, SOURCE, revision="r1")
    assert taken.value.managers == ["flora-tests"]
    forced = await store.apply(GUILD, SOURCE, revision="r1", force=True)
    assert forced.revision == "r1"
    assert stage.get(GUILD)["spec"]["limits"]["cpuMilliseconds"] == 300  # not ours
    assert (
        await store.apply(GUILD, {**SOURCE, "files": {"src/main.ts": "// 3"}}, revision="r2")
    ).generation == 3


async def test_a_starter_script_gives_way_without_force(store: KubeDeployments, stage: Stage) -> None:
    document = stage.named(GUILD)
    document["metadata"]["labels"] = {"flora.uwu.network/starter": "true"}
    document["spec"] = {"guildId": GUILD, "source": {"configMapRef": {"name": "starter"}}}
    stage.api.create(document)
    found = await store.get(GUILD)
    assert found is not None
    assert found[0].starter
    assert (await store.apply(GUILD, SOURCE, revision="r1")).inline


async def test_an_object_that_is_being_deleted_is_not_deployed_to(
    store: KubeDeployments, stage: Stage
) -> None:
    document = {**stage.apply(GUILD, "// 1"), "metadata": stage.named(GUILD)["metadata"]}
    document["metadata"]["finalizers"] = ["flora.uwu.network/data"]
    stage.api.apply({key: document[key] for key in ("apiVersion", "kind", "metadata", "spec")}, force=True)
    assert await store.delete(GUILD)
    found = await store.get(GUILD)
    assert found is not None
    assert found[0].leaving
    with pytest.raises(Leaving):
        await store.apply(GUILD, SOURCE, revision="r1", force=True)
    stage.tidy()


# ---------------------------------------------------------------- watching


async def test_the_watch_tells_what_is_and_then_what_changes(store: KubeDeployments, stage: Stage) -> None:
    await store.apply(GUILD, SOURCE, revision="r1")
    async with watching(store) as told:
        await until(lambda: any(isinstance(change, Complete) for change in told))
        assert told == [told[0], Complete(frozenset({GUILD}))]
        stage.apply(OTHER, "// by kubectl")
        await until(lambda: (OTHER, 1) in puts(told))
        status = {"observedGeneration": 1, "assignment": {"pod": "flora-runtime-0"}}
        stage.api.apply_status({**stage.named(OTHER), "status": status})
        await until(lambda: isinstance(told[-1], Put) and told[-1].deployment.status.observed_generation == 1)
        await store.delete(GUILD)
        await until(lambda: any(isinstance(change, Gone) and change.guild == GUILD for change in told))


async def test_a_list_of_several_pages_is_taken_whole(
    store: KubeDeployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube, "CHUNK", 2)
    guilds = [GuildId(str(int(GUILD) + n)) for n in range(5)]
    for guild in guilds:
        await store.apply(guild, SOURCE, revision="r1")
    async with watching(store) as told:
        await until(lambda: Complete(frozenset(guilds)) in told)
        assert len(puts(told)) == 5


async def test_the_watch_survives_cuts_and_an_api_server_that_is_away(
    cluster: Cluster, stage: Stage, namespace: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with faulty_api(cluster) as faults:
        monkeypatch.setenv("KUBECONFIG", str(written(tmp_path, faults.access.server)))
        async with open_kube_deployments(namespace) as store, watching(store) as told:
            await until(lambda: Complete(frozenset()) in told)
            stage.apply(GUILD, "// 1")
            await until(lambda: (GUILD, 1) in puts(told))
            faults.gone = True
            faults.cut()
            with pytest.raises(StoreGone):
                await store.apply(OTHER, SOURCE, revision="r1")
            stage.apply(GUILD, "// 2")
            faults.gone = False
            await until(lambda: (GUILD, 2) in puts(told), seconds=60)


async def test_a_version_that_is_forgotten_is_listed_anew(
    cluster: Cluster, stage: Stage, namespace: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with faulty_api(cluster) as faults:
        monkeypatch.setenv("KUBECONFIG", str(written(tmp_path, faults.access.server)))
        async with open_kube_deployments(namespace) as store, watching(store) as told:
            await until(lambda: Complete(frozenset()) in told)
            stage.apply(GUILD, "// 1")
            faults.expire.add("guilddeployments")
            faults.cut()
            await until(lambda: Complete(frozenset({GUILD})) in told, seconds=60)


# ---------------------------------------------------------------- all of it


async def test_a_deploy_becomes_an_object_and_the_operators_word_its_end(
    stage: Stage, store: KubeDeployments, database: Database
) -> None:
    """The real operator, with pods that the test plays; deploys, kubectl, rollback, undeploy."""
    stage.statefulset(3)
    access = GuildAccess(GUILD, Principal(ActorType.SESSION, "1001", "ada"))
    order = Order(source=Source.CLI)
    async with (
        stage.operating(),
        stage.pods(),
        Toolchain() as toolchain,
        open_deployments(database, store, toolchain) as deployments,
    ):
        await until(lambda: deployments.trouble() is None)
        history = deployments.history

        async def ended(revision: Revision) -> Revision:
            async with asyncio.timeout(60):
                while (found := await history.get(GUILD, revision.id)) is None or found.status == "pending":
                    await asyncio.sleep(0.05)
            return found

        async def deployed(script: str) -> Revision:
            project = Project({"src/main.ts": script}, "src/main.ts")
            return await ended(await deployments.deploy(access, Sources(project), order, wait=False))

        good = await deployed("on('messageCreate', (ctx) => ctx.reply('pong'))")
        assert (good.status, good.pod) == ("success", home(GUILD))
        assert (await deployed("const a = 'throws'")).error_code == "LOAD_FAILED"
        events = [event async for event in await deployments.progress(GUILD, good.id)]
        assert events[-1].startswith(b"event: ready\n")
        stage.apply(GUILD, "on('ready', () => {})")
        async with asyncio.timeout(60):
            while (newest := (await history.page(GUILD, limit=1))[0]).source != "kubectl":
                await asyncio.sleep(0.05)
        assert (await ended(newest)).status == "success"
        assert newest.actor.username == "flora-tests"
        taking = Order(source=Source.CLI, force=True)
        back = await ended(await deployments.roll_back(access, good.id, taking, wait=False))
        assert (back.status, back.digest) == ("success", good.digest)
        await deployments.undeploy(access)
        await until(lambda: deployments.observed.get(GUILD) is None, seconds=60)


# ---------------------------------------------------------------- who we are


async def test_without_a_cluster_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    (tmp_path / "none").write_text("{}")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(InvalidSettings, match="KUBECONFIG"):
        async with open_kube_deployments("default"):
            pass


async def test_an_api_server_that_is_not_there_is_gone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("KUBECONFIG", str(written(tmp_path, address)))
    async with open_kube_deployments("default") as store:
        with pytest.raises(StoreGone, match="does not answer"):
            await store.get(GUILD)


async def test_who_has_no_right_is_told_so(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
    await until(lambda: _has_account(api, namespace))
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = api.call("POST", path, request)["status"]["token"]
    assert cluster.access.authority is not None
    file = written(tmp_path, cluster.access.server, authority=cluster.access.authority, token=token)
    monkeypatch.setenv("KUBECONFIG", str(file))
    async with open_kube_deployments(namespace) as store:
        with pytest.raises(StoreGone, match="ServiceAccount may not do this"):
            await store.get(GUILD)


def _has_account(api: Api, namespace: str) -> bool:
    found = api.call("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts")["items"]
    return any(account["metadata"]["name"] == "default" for account in found)


def written(folder: Any, server: str, *, authority: bytes = b"", token: str = "") -> Any:
    """A kubeconfig."""
    access = Access(server=server, authority=authority or None, token=token or None)
    return kubeconfig.write(folder / "kubeconfig", access)
