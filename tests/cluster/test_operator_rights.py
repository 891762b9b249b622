"""What docs/operator.md says the operator's ServiceAccount has to be allowed is enough, and all of it is used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from cluster import kubeconfig
from cluster.api import Api, Document
from cluster.control_plane import Cluster
from cluster.kubeconfig import Access
from tests.cluster.conftest import ROOT
from tests.cluster.operating import Stage
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("crd")

GUILD = "123456789012345678"
NAME = "flora-operator"
RBAC = "rbac.authorization.k8s.io"


def rules() -> list[Document]:
    """The table's rows as rules of a Role."""
    page = (ROOT / "docs" / "operator.md").read_text()
    table = page[page.index("| API group | resource | verbs |") :].split("\n\n")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()[2:]]
    return [
        {
            "apiGroups": ["" if group == "(core)" else re.split(r"[ ,]", group)[0]],
            "resources": [resource],
            "verbs": verbs.split(", "),
        }
        for group, resource, verbs in rows
    ]


@pytest.fixture
def stage(cluster: Cluster, api: Api, namespace: str, tmp_path: Any) -> Iterator[Stage]:
    """Whose operator is nobody but its ServiceAccount."""
    metadata = {"name": NAME, "namespace": namespace}
    api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    api.create({"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": rules()})
    api.create(
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": NAME},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
        }
    )
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{NAME}/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = api.call("POST", path, request)["status"]["token"]
    account = Access(server=cluster.access.server, authority=cluster.access.authority, token=token)
    kubeconfig.write(tmp_path / "account.kubeconfig", account)
    stage = Stage(Cluster(tmp_path / "account.kubeconfig", account), api, namespace)
    stage.statefulset(3)
    yield stage
    stage.tidy()


async def test_the_rights_of_the_table_are_enough(stage: Stage) -> None:
    secret = {"name": "KEY", "secretKeyRef": {"name": "s", "key": "token"}}
    stage.secret("s", token="hunter2")
    stage.config_map("bot", **{"src__main.ts": "x"})
    async with stage.operating(resync_seconds=1), stage.pods():
        stage.apply(GUILD, "on('ready', () => {})", secrets=[secret])
        stage.apply("1002", source={"configMapRef": {"name": "bot"}})
        await stage.ready(GUILD)
        await stage.ready("1002")
        await until(lambda: "Loaded" in {event["reason"] for event in stage.events(GUILD)})
        stage.api.delete(stage.named(GUILD))
        await until(lambda: not stage.exists(GUILD))


def test_its_account_may_do_nothing_else(stage: Stage) -> None:
    with stage.cluster.api() as api:
        for resource, verb in (
            ("secrets", "get"),
            ("secrets", "create"),
            ("guilddeployments", "create"),
            ("guilddeployments", "delete"),
            ("pods", "list"),
            ("statefulsets", "patch"),
        ):
            review = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {
                    "resourceAttributes": {
                        "namespace": stage.namespace,
                        "resource": resource,
                        "verb": verb,
                        "group": {"guilddeployments": "flora.uwu.network", "statefulsets": "apps"}.get(
                            resource, ""
                        ),
                    }
                },
            }
            path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
            assert not api.call("POST", path, review)["status"]["allowed"], (resource, verb)
