"""What each ServiceAccount of the chart may do, asked of the API server as that account: that, and nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.api import Api, Document
from cluster.control_plane import Cluster
from tests.cluster.charts import SIMULATED, WITH_API, Helm, Values
from tests.cluster.test_control_plane import token

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
RESOURCES = [
    "flora.uwu.network/guilddeployments",
    "flora.uwu.network/guilddeployments/status",
    "flora.uwu.network/guilddeployments/finalizers",
    "/configmaps",
    "/secrets",
    "/events",
    "/pods",
    "/pods/exec",
    "/pods/log",
    "/services",
    "/serviceaccounts",
    "/serviceaccounts/token",
    "/persistentvolumeclaims",
    "/namespaces",
    "/nodes",
    "apps/statefulsets",
    "apps/statefulsets/scale",
    "apps/deployments",
    "batch/jobs",
    "events.k8s.io/events",
    "coordination.k8s.io/leases",
    "authentication.k8s.io/tokenreviews",
    "authorization.k8s.io/subjectaccessreviews",
    "rbac.authorization.k8s.io/clusterroles",
    "rbac.authorization.k8s.io/rolebindings",
    "apiextensions.k8s.io/customresourcedefinitions",
    "networking.k8s.io/networkpolicies",
]
READ = {"get", "list", "watch"}
GUILDS = {
    "flora.uwu.network/guilddeployments": READ | {"patch"},
    "flora.uwu.network/guilddeployments/status": {"patch"},
    "/configmaps": READ,
    "/secrets": READ - {"get"},
    "/events": {"create", "patch"},
}
REVIEWS = {"authentication.k8s.io/tokenreviews": {"create"}}
DEPLOYS = {"flora.uwu.network/guilddeployments": set(VERBS) - {"deletecollection"}}
ORDINALS = {"apps/statefulsets": READ - {"get"}}

Rights = dict[str, set[str]]


def installed(api: Api, chart: Helm, values: Values, namespace: str) -> Iterator[None]:
    """Accounts and roles of a release, and nothing else of it."""
    kinds = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    made = [one for one in chart.template(values, namespace=namespace) if one["kind"] in kinds]
    for document in made:
        api.apply(document)
    yield
    for document in made:
        if document["kind"].startswith("Cluster"):
            api.delete(document)


@pytest.fixture
def everywhere(api: Api, helm: Path, tmp_path: Path, namespace: str) -> Iterator[str]:
    """A release's namespace; it watches all."""
    for _ in installed(api, Helm(helm, tmp_path), WITH_API, namespace):
        yield namespace


@pytest.fixture
def elsewhere(api: Api) -> Iterator[str]:
    name = "flora-test-watched"
    document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    api.create(document)
    yield name
    api.delete(document)


@pytest.fixture
def within(api: Api, helm: Path, tmp_path: Path, namespace: str, elsewhere: str) -> Iterator[str]:
    """A release's namespace; it watches ``elsewhere`` alone."""
    values = {**WITH_API, "watchNamespaces": [elsewhere]}
    for _ in installed(api, Helm(helm, tmp_path), values, namespace):
        yield namespace


def rights(cluster: Cluster, api: Api, release: str, component: str, namespace: str) -> Rights:
    """What an account may do in ``namespace``, of all resources times all verbs."""
    about = {"name": f"flora-{component}", "namespace": release}
    account: Document = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about}
    found: Rights = {}
    with cluster.as_token(token(api, account, audience=None)) as it:
        for resource, verb in itertools.product(RESOURCES, VERBS):
            if may(it, resource, verb, namespace):
                found.setdefault(resource, set()).add(verb)
    return found


def may(it: Api, resource: str, verb: str, namespace: str) -> bool:
    group, _, name = resource.partition("/")
    plural, _, part = name.partition("/")
    wanted = {
        "group": group,
        "resource": plural,
        "subresource": part,
        "verb": verb,
        "namespace": namespace,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": wanted},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    return it.call("POST", path, review)["status"]["allowed"]


@pytest.mark.parametrize(
    ("component", "own", "other"),
    [
        ("operator", GUILDS | REVIEWS | ORDINALS, GUILDS | REVIEWS),
        ("gateway", REVIEWS, REVIEWS),
        ("runtime", {}, {}),
        ("api", DEPLOYS | REVIEWS, REVIEWS),
        ("simulator", {}, {}),
    ],
)
def test_an_account_may_do_what_it_must_and_nothing_else(
    cluster: Cluster, api: Api, everywhere: str, component: str, own: Rights, other: Rights
) -> None:
    assert rights(cluster, api, everywhere, component, everywhere) == own
    assert rights(cluster, api, everywhere, component, "kube-system") == other


def test_operator_and_api_of_some_namespaces_have_no_rights_in_others(
    cluster: Cluster, api: Api, within: str, elsewhere: str
) -> None:
    assert rights(cluster, api, within, "operator", elsewhere) == GUILDS | REVIEWS
    assert rights(cluster, api, within, "operator", within) == ORDINALS | REVIEWS
    assert rights(cluster, api, within, "operator", "kube-system") == REVIEWS
    assert rights(cluster, api, within, "api", elsewhere) == DEPLOYS | REVIEWS
    assert rights(cluster, api, within, "api", within) == REVIEWS


@pytest.fixture
def starting(api: Api, helm: Path, tmp_path: Path, namespace: str) -> Iterator[str]:
    """A release's namespace; guilds without a script get one."""
    values = {**SIMULATED, "operator": {"starter": {"files": {"src/main.ts": "on('ready', () => {});"}}}}
    for _ in installed(api, Helm(helm, tmp_path), values, namespace):
        yield namespace


def test_an_operator_with_a_starter_script_makes_guild_deployments_beside_it(
    cluster: Cluster, api: Api, starting: str
) -> None:
    made = {"flora.uwu.network/guilddeployments": READ | {"patch", "create"}}
    assert rights(cluster, api, starting, "operator", starting) == GUILDS | REVIEWS | ORDINALS | made
    assert rights(cluster, api, starting, "operator", "kube-system") == GUILDS | REVIEWS
