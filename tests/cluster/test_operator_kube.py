"""The operator's own client of the API server: who it is, lists and watches, patience, Events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cluster.api import Api, Document
from cluster.certificates import Authority
from cluster.control_plane import Cluster
from flora_core.errors import InvalidSettings
from flora_core.ids import PodName
from flora_operator.deployment import Deployment, from_document
from flora_operator.errors import Conflict, Missing, Refused, Throttled, Unreachable
from flora_operator.kube import access, client, deployments, recorder
from flora_operator.kube.client import METADATA, METADATA_LIST, Kube
from flora_operator.kube.deployments import Deployments
from flora_operator.kube.once import statefulsets
from flora_operator.kube.recorder import Recorder
from flora_operator.kube.reflector import Reflector
from flora_operator.notes import Note
from flora_operator.secret_values import SELECTOR
from flora_operator.sinks import pods_of_statefulset
from flora_operator.status import Status
from flora_operator.writer import Writer
from tests.cluster.faulty_api import FaultyApi
from tests.cluster.operating import Stage
from tests.waiting import until

GUILD = "123456789012345678"
NAME = "who-we-are"


@pytest.fixture
async def kube(faults: FaultyApi) -> AsyncIterator[Kube]:
    async with Kube(faults.access, limit=4) as kube:
        yield kube


class Sink:
    def __init__(self) -> None:
        self.known: dict[str, Document] = {}
        self.lists = 0

    def replace(self, objects: list[Document]) -> None:
        self.lists += 1
        self.known = {document["metadata"]["name"]: document for document in objects}

    def put(self, document: Document) -> None:
        self.known[document["metadata"]["name"]] = document

    def drop(self, document: Document) -> None:
        self.known.pop(document["metadata"]["name"], None)


# ---------------------------------------------------------------- who we are


async def test_in_a_pod_it_is_its_service_account_with_the_token_of_the_moment(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account(tmp_path, cluster, monkeypatch, token="of yesterday")
    rotate(tmp_path, cluster.access.authority)
    async with Kube(await access.find(), limit=1) as kube:
        with pytest.raises(Unreachable, match="401"):
            await kube.call("GET", "/api/v1/namespaces/default/pods")
        (tmp_path / "token").write_text(token_of(api, namespace))
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        who = await kube.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        assert who["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:{NAME}"


def account(folder: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, *, token: str) -> None:
    """What a pod finds mounted; the authority is one that signed nothing here."""
    host, _, port = cluster.access.server.removeprefix("https://").rpartition(":")
    monkeypatch.setattr(access, "ACCOUNT", folder)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    Authority(folder / "pki")
    (folder / "ca.crt").write_bytes((folder / "pki" / "ca.crt").read_bytes())
    (folder / "token").write_text(token)


def rotate(folder: Path, authority: bytes | None) -> None:
    """As the kubelet does: another file in place of the one that is there."""
    assert authority is not None
    (folder / "new.crt").write_bytes(authority)
    (folder / "new.crt").replace(folder / "ca.crt")


def token_of(api: Api, namespace: str) -> str:
    """One of a ServiceAccount of the namespace."""
    metadata = {"name": NAME, "namespace": namespace}
    api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}, force=True)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{NAME}/token"
    return api.call("POST", path, request)["status"]["token"]


async def test_another_authority_is_trusted_as_soon_as_it_is_mounted(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account(tmp_path, cluster, monkeypatch, token=token_of(api, namespace))
    async with Kube(await access.find(), limit=1) as kube:
        with pytest.raises(Unreachable, match=r"(?i)certificate"):
            await kube.call("GET", "/version")
        rotate(tmp_path, cluster.access.authority)
        assert "gitVersion" in await kube.call("GET", "/version")
        (tmp_path / "ca.crt").unlink()
        assert "gitVersion" in await kube.call("GET", "/version"), "the one before will do"


async def test_kopf_gets_a_new_session_when_the_authority_is_rotated(
    cluster: Cluster, api: Api, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its session lasts as long as the operator."""
    rbac, namespace = "rbac.authorization.k8s.io", stage.namespace
    api.create(
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "all", "namespace": namespace},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
        }
    )
    account(tmp_path, cluster, monkeypatch, token="of yesterday")
    monkeypatch.setattr(deployments, "RENEW_SECONDS", 0.1)
    stage.apply(GUILD, "on('ready', () => {})")
    seen = list[str]()
    watch = Deployments(
        await access.find(),
        [namespace],
        lambda _kind, document: seen.append(document["metadata"]["name"]),
        is_known=lambda *_: False,
        take_signals=lambda: None,
    )
    running = asyncio.create_task(watch.run())
    await asyncio.sleep(1.0)
    rotate(tmp_path, cluster.access.authority)
    await asyncio.sleep(1.0)
    (tmp_path / "token").write_text(token_of(api, namespace))
    await until(lambda: seen)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_kubeconfig_s_program_is_asked_for_credentials_and_again_when_they_are_refused(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps({**credential, "status": {"token": "of yesterday"}}))
    program = {"apiVersion": credential["apiVersion"], "command": "cat", "args": [str(answer)]}
    (tmp_path / "ca.crt").write_bytes(cluster.access.authority or b"")
    reached = {"server": cluster.access.server, "certificate-authority": "ca.crt"}
    document = {
        "clusters": [{"name": "c", "cluster": reached}],
        "users": [{"name": "u", "user": {"exec": {**program, "interactiveMode": "Never"}}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(document))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    async with Kube(await access.find(), limit=1) as kube:
        with pytest.raises(Unreachable, match="401"):
            await kube.call("GET", "/api/v1/namespaces/default/pods")
        answer.write_text(json.dumps({**credential, "status": {"token": token_of(api, namespace)}}))
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        who = await kube.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        assert who["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:{NAME}"


async def test_the_statefulset_is_read_by_the_client_that_knows_its_kind(
    stage: Stage, faults: FaultyApi
) -> None:
    async def pods(name: str = "flora-runtime") -> list[PodName]:
        found = await statefulsets(faults.access, stage.namespace, name)
        return [pod for document in found for pod in pods_of_statefulset(document)]

    assert await pods("another") == []
    stage.statefulset(2)
    assert await pods() == ["flora-runtime-0", "flora-runtime-1"]
    faults.gone = True
    with pytest.raises(Unreachable, match="StatefulSet"):
        await pods()


@pytest.mark.parametrize("text", ["", "{", "[]", "current-context: nowhere\n"])
async def test_a_kubeconfig_that_is_none_is_a_wrong_setting(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(path))
    with pytest.raises(InvalidSettings, match="KUBECONFIG"):
        await access.find()


# ---------------------------------------------------------------- requests


async def test_errors_are_told_apart(kube: Kube, faults: FaultyApi, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    with pytest.raises(Missing):
        await kube.call("GET", f"{path}/nowhere")
    with pytest.raises(Refused) as refused:
        await kube.call("POST", path, {"metadata": {"name": "Not A Name"}})
    assert refused.value.status == 422
    await kube.call("POST", path, {"metadata": {"name": "a"}})
    with pytest.raises(Conflict):
        await kube.call("POST", path, {"metadata": {"name": "a"}})
    faults.gone = True
    with pytest.raises(Unreachable):
        await kube.call("GET", path)


async def test_who_is_told_to_wait_holds_everybody_back(
    kube: Kube, faults: FaultyApi, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    faults.throttle = 1
    with pytest.raises(Throttled) as throttled:
        await kube.call("GET", path)
    assert throttled.value.seconds == 1
    began = time.monotonic()
    await asyncio.gather(*(kube.call("GET", path) for _ in range(3)))
    assert 0.9 < time.monotonic() - began < 10


async def test_a_long_list_comes_in_pages(kube: Kube, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "CHUNK", 2)
    for number in range(5):
        stage.config_map(f"map-{number}", text="x" * 100)
    path = f"/api/v1/namespaces/{stage.namespace}/configmaps"
    pages = [page["items"] async for page in kube.list(path, query={}, accept=METADATA_LIST)]
    items = [item for page in pages for item in page]
    assert {f"map-{number}" for number in range(5)} <= {item["metadata"]["name"] for item in items}
    assert all(len(page) <= 2 for page in pages)
    assert not any("data" in item for item in items)


async def test_a_watch_tells_what_happens_without_what_is_not_asked_for(kube: Kube, stage: Stage) -> None:
    path = f"/api/v1/namespaces/{stage.namespace}/configmaps"
    told: list[tuple[str, Document]] = []

    async def watch() -> None:
        async for kind, document in kube.watch(path, query={}, accept=METADATA):
            told.extend([(kind, document)])  # as it comes

    watching = asyncio.create_task(watch())
    made = stage.config_map("mine", text="x")
    await until(lambda: any(document["metadata"]["name"] == "mine" for _, document in told))
    stage.api.delete(made)
    await until(lambda: "DELETED" in [kind for kind, _ in told])
    assert not any("data" in document for _, document in told)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


# ---------------------------------------------------------------- reflectors


async def test_only_labelled_secrets_are_read(kube: Kube, stage: Stage) -> None:
    stage.secret("mine", token="a")
    stage.secret("not-mine", labelled=False, token="b")
    sink = Sink()
    path = f"/api/v1/namespaces/{stage.namespace}/secrets"
    reflector = Reflector(kube, path, sink, query={"labelSelector": SELECTOR})
    running = asyncio.create_task(reflector.run())
    await reflector.synced.wait()
    assert sink.known.keys() == {"mine"}
    stage.secret("not-mine", token="b")
    await until(lambda: sink.known.keys() == {"mine", "not-mine"})
    stage.secret("mine", labelled=False, token="a")
    await until(lambda: sink.known.keys() == {"not-mine"})
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_watch_that_broke_goes_on_where_it_was_and_one_that_expired_lists_anew(
    kube: Kube, stage: Stage, faults: FaultyApi
) -> None:
    sink = Sink()
    reflector = Reflector(kube, f"/api/v1/namespaces/{stage.namespace}/configmaps", sink, bare=True)
    running = asyncio.create_task(reflector.run())
    await reflector.synced.wait()
    faults.cut()
    made = stage.config_map("mine", text="x")
    await until(lambda: "mine" in sink.known)
    assert sink.lists == 1
    faults.gone = True
    faults.cut()
    stage.api.delete(made)
    faults.expire = {"configmaps"}
    faults.gone = False
    await until(lambda: "mine" not in sink.known)
    assert sink.lists == 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


# ---------------------------------------------------------------- Events and writes


def deployment_of(stage: Stage) -> Deployment:
    return from_document(stage.apply(GUILD, "x"))[0]


async def test_the_same_event_is_counted_and_another_is_told(
    kube: Kube, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "AGAIN_SECONDS", 0.0)
    events = Recorder(kube)
    running = asyncio.create_task(events.run())
    some = deployment_of(stage)
    for _ in range(4):
        events.note(some, Note("Failed", "src/main.ts:1:1", "Warning"))
    events.note(some, Note("Loaded", "x" * 3000))
    await until(lambda: len(stage.events(GUILD)) == 2)
    told = {event["reason"]: event for event in stage.events(GUILD)}
    assert (told["Failed"]["count"], told["Failed"]["type"]) == (4, "Warning")
    assert len(told["Loaded"]["message"]) == 1024
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_events_that_are_too_many_are_left_out(kube: Kube, stage: Stage, faults: FaultyApi) -> None:
    events = Recorder(kube)
    some = deployment_of(stage)
    for number in range(recorder.WAITING + 50):
        events.note(some, Note("Loaded", str(number)))
    running = asyncio.create_task(events.run())
    await until(lambda: faults.requests["POST events"] >= recorder.BURST)
    await asyncio.sleep(0.5)
    assert faults.requests["POST events"] <= recorder.BURST + 20
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_status_is_not_written_to_another_object_of_the_same_name(kube: Kube, stage: Stage) -> None:
    some = deployment_of(stage)
    stage.api.delete(stage.named(GUILD))
    writer = Writer(kube)
    with pytest.raises(Missing):
        await writer.apply_status(some, Status(observed_generation=1))
    stage.apply(GUILD, "y")
    for write in (writer.apply_status, writer.replace_status):
        with pytest.raises(Conflict):
            await write(some, Status(observed_generation=1))
    assert "status" not in stage.get(GUILD)


async def test_a_finalizer_of_somebody_else_stays(kube: Kube, stage: Stage) -> None:
    document = stage.apply(GUILD, "x")
    other: dict[str, Any] = {"metadata": {"finalizers": ["example.com/theirs"]}}
    path = stage.api.path(document)
    stage.api.call("PATCH", path, other, content="application/merge-patch+json")
    writer = Writer(kube)
    held = await writer.hold(from_document(stage.get(GUILD))[0])
    assert sorted(held["finalizers"]) == ["example.com/theirs", "flora.uwu.network/data"]
    old = from_document(document)[0]
    with pytest.raises(Conflict):
        await writer.let_go(old)
    left = await writer.let_go(from_document(stage.get(GUILD))[0])
    assert left["finalizers"] == ["example.com/theirs"]
    stage.tidy()
