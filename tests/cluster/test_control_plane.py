"""The cluster itself: what the tests of operator and chart build on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from cluster import lifecycle
from cluster.api import Api, Document
from cluster.binaries import Binaries
from cluster.control_plane import Cluster
from cluster.errors import Refused
from cluster.processes import Processes
from tests.waiting import eventually

AUDIENCE = "flora"


def account(namespace: str, name: str = "runtime") -> Document:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}


def token(api: Api, document: Document, *, audience: str | None = AUDIENCE, seconds: int = 600) -> str:
    """As a projected volume would hold it."""
    wanted = {"audiences": [audience] if audience else [], "expirationSeconds": seconds}
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": wanted}
    return api.call("POST", f"{api.path(document)}/token", request)["status"]["token"]


def review(api: Api, token: str, audience: str = AUDIENCE) -> Document:
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": [audience]},
    }
    return api.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", request)["status"]


def test_a_token_is_reviewed_for_its_audience(api: Api, namespace: str) -> None:
    """What pods of flora show each other."""
    made = api.create(account(namespace))
    status = review(api, token(api, made))
    assert status["authenticated"]
    assert status["audiences"] == [AUDIENCE]
    assert status["user"]["username"] == f"system:serviceaccount:{namespace}:runtime"


def test_a_token_for_another_audience_is_nobody(api: Api, namespace: str) -> None:
    made = api.create(account(namespace))
    assert not review(api, token(api, made, audience="elsewhere")).get("authenticated")


def test_a_token_of_an_account_that_is_gone_is_nobody(api: Api, namespace: str) -> None:
    made = api.create(account(namespace))
    shown = token(api, made)
    api.delete(made)
    eventually(lambda: not review(api, shown).get("authenticated"))


def test_a_made_up_token_is_nobody(api: Api) -> None:
    assert not review(api, "e30.e30.e30").get("authenticated")


def test_an_account_may_do_what_its_role_says_and_nothing_else(
    cluster: Cluster, api: Api, namespace: str
) -> None:
    made = api.create(account(namespace))
    about = {"name": "reader", "namespace": namespace}
    api.create(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": about,
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
        }
    )
    api.create(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": about,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "runtime", "namespace": namespace}],
        }
    )
    with cluster.as_token(token(api, made, audience=None)) as own:
        eventually(lambda: may(own, namespace, "get", "configmaps"))
        assert not may(own, namespace, "get", "secrets")
        assert not may(own, "default", "get", "configmaps")
        with pytest.raises(Refused, match="403 Forbidden"):
            own.call("GET", f"/api/v1/namespaces/{namespace}/secrets")


def may(api: Api, namespace: str, verb: str, resource: str) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"namespace": namespace, "verb": verb, "resource": resource}},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    return api.call("POST", path, review)["status"]["allowed"]


def test_whoever_shows_nothing_may_nothing(cluster: Cluster) -> None:
    with cluster.as_token("wrong") as nobody, pytest.raises(Refused, match="401 Unauthorized"):
        nobody.call("GET", "/api/v1/namespaces")


def test_a_stateful_set_has_its_pods(api: Api, namespace: str) -> None:
    """The controllers make them; without a node they stay Pending."""
    labels = {"app": "flora-runtime"}
    sets = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
    container = {"name": "runtime", "image": "flora-runtime:none"}
    api.create(
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "flora-runtime", "namespace": namespace},
            "spec": {
                "serviceName": "flora-runtime",
                "replicas": 3,
                "podManagementPolicy": "Parallel",
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        }
    )
    eventually(lambda: api.call("GET", f"{sets}/flora-runtime").get("status", {}).get("replicas") == 3)
    pods = api.call("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
    assert {pod["metadata"]["name"] for pod in pods} == {f"flora-runtime-{ordinal}" for ordinal in range(3)}


def test_a_namespace_goes_with_what_is_in_it(api: Api, namespace: str) -> None:
    other = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{namespace}-b"}}
    api.create(other)
    api.create(account(f"{namespace}-b"))
    api.delete(other)
    eventually(lambda: gone(api, other))


def gone(api: Api, document: Document) -> bool:
    try:
        api.get(document)
    except Refused as refused:
        return refused.status == 404
    return False


def test_a_document_above_half_a_mebibyte_is_taken_server_side(api: Api, namespace: str) -> None:
    """A script of 700 KB has a place, for nothing of it is noted in an annotation."""
    document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "large", "namespace": namespace},
        "data": {"src__main.ts": "x" * 700_000},
    }
    assert "annotations" not in api.apply(document)["metadata"]


def test_nothing_of_it_stays_as_a_zombie(programs: Binaries, tmp_path: Path) -> None:
    cluster = lifecycle.start(tmp_path, programs, bound=True)
    assert cluster.kubeconfig.exists()
    pids = {record.pid for record in Processes(tmp_path, bound=True).records}
    os.kill(min(pids), signal.SIGKILL)
    lifecycle.stop(tmp_path)
    assert not pids & {child.pid for child in psutil.Process().children()}


def test_the_api_server_goes_away_and_comes_back_with_all_it_knew(programs: Binaries) -> None:
    with lifecycle.running(programs) as cluster:
        with cluster.api() as api:
            made = api.create(account("default"))
        with lifecycle.without_api_server(cluster):
            assert not is_reached(cluster)
            names = [record.name for record in Processes(cluster.kubeconfig.parent, bound=True).alive]
            assert names == ["etcd", "kube-controller-manager"]
        with cluster.api() as api:
            assert api.get(made)["metadata"]["uid"] == made["metadata"]["uid"]
            eventually(lambda: makes_accounts(api), seconds=60)


def is_reached(cluster: Cluster) -> bool:
    with cluster.api() as api:
        try:
            api.call("GET", "/version")
        except OSError:
            return False
    return True


def makes_accounts(api: Api) -> bool:
    """The controllers have found it again."""
    name = f"again-{os.urandom(4).hex()}"
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    try:
        eventually(lambda: "default" in accounts(api, name), seconds=10)
    except TimeoutError:
        return False
    return True


def accounts(api: Api, namespace: str) -> list[str]:
    listed = api.call("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts")["items"]
    return [one["metadata"]["name"] for one in listed]
