"""What the API server says to the chart's documents, by server-side dry-run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.api import Api, Document
from cluster.errors import Refused
from cluster.node import condition
from tests.cluster.charts import MINIMAL, SETS, Helm, Values, named
from tests.waiting import eventually

FOREIGN = {
    "monitoring.coreos.com/v1": ["PodMonitor", "ServiceMonitor", "PrometheusRule"],
    "keda.sh/v1alpha1": ["ScaledObject"],
}


@pytest.fixture
def chart(helm: Path, tmp_path: Path) -> Helm:
    return Helm(helm, tmp_path)


@pytest.fixture(scope="module")
def foreign(api: Api) -> Iterator[None]:
    """Kinds of others that the chart makes when it is asked to; their schemas are theirs."""
    made: list[Document] = []
    for version, kinds in FOREIGN.items():
        group, _, name = version.partition("/")
        for kind in kinds:
            document = crd(group, name, kind)
            try:
                api.get(document)
            except Refused:
                api.apply(document)
                made.append(document)
            eventually(lambda document=document: condition(api.get(document), "Established") == "True")
    yield
    for document in made:
        api.delete(document)


def crd(group: str, version: str, kind: str) -> Document:
    plural = kind.lower() + "s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    one = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [one],
        },
    }


def sent(api: Api, document: Document) -> Document:
    """As the server would store it. Accounts are made: no Pod is admitted without its own."""
    return api.apply(document, force=True, dry_run=document["kind"] != "ServiceAccount")


def refusals(api: Api, documents: list[Document]) -> str:
    """What the server has against them."""
    found: list[str] = []
    for document in documents:
        try:
            sent(api, document)
        except Refused as refused:
            found.append(refused.message)
    return "\n".join(found)


@pytest.mark.usefixtures("crd", "foreign")
@pytest.mark.parametrize("name", SETS)
def test_the_server_takes_every_document(api: Api, chart: Helm, namespace: str, name: str) -> None:
    documents = chart.template(SETS[name], namespace=namespace)
    assert len(documents) > 15
    assert refusals(api, documents) == ""


@pytest.mark.usefixtures("crd")
def test_the_server_takes_what_is_in_several_namespaces(api: Api, chart: Helm, namespace: str) -> None:
    values = {**MINIMAL, "watchNamespaces": [namespace, "kube-system"]}
    assert refusals(api, chart.template(values, namespace=namespace)) == ""


@pytest.mark.usefixtures("crd", "foreign")
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"runtime": {"resources": {"requests": {"memory": "much"}}}}, "quantities must match"),
        ({"commonLabels": {"a b": "c"}}, "Invalid value"),
    ],
)
def test_the_dry_run_would_find_a_wrong_document(
    api: Api, chart: Helm, namespace: str, values: Values, said: str
) -> None:
    """The tests above mean something."""
    assert said in refusals(api, chart.template({**MINIMAL, **values}, namespace=namespace))


@pytest.mark.usefixtures("crd")
def test_nothing_is_lost_on_the_way(api: Api, chart: Helm, namespace: str) -> None:
    """Strict validation refuses unknown fields; and the server stores the probes and mounts that were meant."""
    documents = chart.template(MINIMAL, namespace=namespace)
    stored = sent(api, named(documents, "StatefulSet", "flora-runtime"))["spec"]
    (container,) = stored["template"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http", "scheme": "HTTP"}
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {
        "/var/run/secrets/flora",
        "/var/lib/flora",
        "/tmp",
    }
    assert stored["podManagementPolicy"] == "Parallel"
    assert stored["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert stored["template"]["spec"]["terminationGracePeriodSeconds"] == 300


@pytest.mark.usefixtures("crd")
def test_the_chart_s_crd_is_that_of_the_repository(api: Api, chart: Helm, crd: Document) -> None:
    name = crd["metadata"]["name"]
    document = named(chart.template(MINIMAL), "CustomResourceDefinition", name)
    assert document["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert document["spec"] == crd["spec"]
    assert sent(api, document)["spec"]["versions"] == api.get(crd)["spec"]["versions"]
