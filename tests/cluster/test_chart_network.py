"""Who may reach whom, worked out of the chart's NetworkPolicies as a network that enforces them would.

A connection is allowed when the policies of both ends allow it; a pod that no policy selects may do anything.
"""

from __future__ import annotations

import ipaddress
import itertools
from pathlib import Path
from typing import Any

import pytest

from cluster.api import Document
from tests.cluster.charts import MINIMAL, SIMULATED, WITH_API, Helm

PORTS = {
    "gateway": 8401,
    "operator": 8402,
    "runtime": 8403,
    "api": 8405,
    "simulator": 8410,
    "postgres": 5432,
    "redis": 6379,
}
OURS = [*PORTS, "migrate", "test"]
OTHER = {"app.kubernetes.io/name": "something-else"}
KUBE_SYSTEM, MONITORING, DEFAULT = "kube-system", "monitoring", "default"


def labels(component: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "flora",
        "app.kubernetes.io/instance": "flora",
        "app.kubernetes.io/component": component,
    }


class Network:
    """Policies of one namespace, ``bots``."""

    def __init__(self, documents: list[Document]) -> None:
        self._policies = [d["spec"] for d in documents if d["kind"] == "NetworkPolicy"]

    def connects(self, source: str, target: str) -> bool:
        """Between two of flora's, on the port that the target serves on."""
        port = PORTS[target]
        leaves = self._allows(labels(source), "egress", "to", port, pod=labels(target), namespace="bots")
        enters = self._allows(labels(target), "ingress", "from", port, pod=labels(source), namespace="bots")
        return leaves and enters

    def enters(self, target: str, *, namespace: str, pod: dict[str, str] | None = None) -> bool:
        """From a pod of another namespace."""
        whose = {"pod": OTHER if pod is None else pod, "namespace": namespace}
        return self._allows(labels(target), "ingress", "from", PORTS[target], **whose)

    def leaves(self, source: str, port: int, *, address: str = "", namespace: str = "") -> bool:
        """To an address outside, or to a pod of another namespace."""
        pod = OTHER if namespace else None
        return self._allows(
            labels(source), "egress", "to", port, pod=pod, namespace=namespace, address=address
        )

    def _allows(self, of: dict[str, str], way: str, peers: str, port: int, **whose: Any) -> bool:
        selecting = [one for one in self._policies if is_selected(one["podSelector"], of)]
        rules = [rule for one in selecting for rule in one[way]]
        return not selecting or any(
            has_port(rule, port) and (peers not in rule or any(is_peer(p, **whose) for p in rule[peers]))
            for rule in rules
        )


def has_port(rule: Document, port: int) -> bool:
    return "ports" not in rule or any(one["port"] == port for one in rule["ports"])


def is_selected(selector: Document, of: dict[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}
    return selector.get("matchLabels", {}).items() <= of.items()


def is_peer(peer: Document, *, pod: dict[str, str] | None, namespace: str, address: str = "") -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return (
            bool(address)
            and within(address, block["cidr"])
            and not any(within(address, one) for one in block["except"])
        )
    if pod is None:
        return False
    if "namespaceSelector" in peer:
        if not is_selected(peer["namespaceSelector"], {"kubernetes.io/metadata.name": namespace}):
            return False
    elif namespace != "bots":
        return False
    return is_selected(peer.get("podSelector", {}), pod)


def within(address: str, block: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(block)


@pytest.fixture(scope="module")
def chart(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(helm, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module")
def network(chart: Helm) -> Network:
    """Of a release that has everything in the cluster."""
    return Network(chart.template(WITH_API))


@pytest.fixture(scope="module")
def outside(chart: Helm) -> Network:
    """Of a release whose Discord and stores are elsewhere."""
    return Network(
        chart.template({**MINIMAL, "redis": {"url": "redis://redis.example.com"}, "api": {"enabled": True}})
    )


def test_parts_reach_those_they_dial_and_no_others(network: Network) -> None:
    found = {
        (source, target)
        for source, target in itertools.product(OURS, PORTS)
        if source != target and network.connects(source, target)
    }
    assert found == {
        ("api", "gateway"),
        ("api", "operator"),
        ("api", "postgres"),
        ("api", "redis"),
        ("api", "runtime"),
        ("api", "simulator"),
        ("gateway", "operator"),
        ("gateway", "redis"),
        ("gateway", "simulator"),
        ("migrate", "postgres"),
        ("operator", "postgres"),
        ("runtime", "api"),
        ("runtime", "gateway"),
        ("runtime", "operator"),
        ("test", "simulator"),
    }


def test_people_reach_the_api_s_public_port_and_not_the_other(network: Network) -> None:
    anybody = {"pod": OTHER, "namespace": DEFAULT}
    assert network._allows(labels("api"), "ingress", "from", 8404, **anybody)
    assert not network._allows(labels("api"), "ingress", "from", 8405, **anybody)


def test_without_the_api_nobody_has_its_rights(chart: Helm) -> None:
    documents = chart.template(SIMULATED)
    assert not [d for d in documents if d["metadata"]["name"].startswith("flora-api")]
    runtime = next(
        d for d in documents if d["kind"] == "NetworkPolicy" and d["metadata"]["name"] == "flora-runtime"
    )
    assert "api" not in {
        peer.get("podSelector", {}).get("matchLabels", {}).get("app.kubernetes.io/component")
        for rule in runtime["spec"]["egress"]
        for peer in rule["to"]
    }


@pytest.mark.parametrize("target", PORTS)
def test_other_namespaces_reach_metrics_alone_and_only_one_does(network: Network, target: str) -> None:
    assert not network.enters(target, namespace=DEFAULT)
    assert not network.enters(target, namespace=DEFAULT, pod=labels("runtime"))  # somebody else's
    assert network.enters(target, namespace=MONITORING) == (
        target in {"gateway", "operator", "runtime", "api"}
    )


@pytest.mark.parametrize("source", ["gateway", "operator", "runtime", "api", "migrate"])
def test_names_are_resolved(network: Network, source: str) -> None:
    assert network.leaves(source, 53, namespace=KUBE_SYSTEM)


INSIDE = [
    "10.96.0.1",
    "10.244.1.7",
    "172.20.0.10",
    "192.168.1.1",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "fd00::1",
    "fe80::1",
    "::1",
]


@pytest.mark.parametrize("address", INSIDE)
@pytest.mark.parametrize("port", [53, 80, 443, 6443, 8401])
def test_scripts_fetches_do_not_get_into_the_cluster(network: Network, address: str, port: int) -> None:
    assert not network.leaves("runtime", port, address=address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1"])
@pytest.mark.parametrize("port", [80, 443, 8443])
def test_scripts_fetches_get_to_the_internet(network: Network, address: str, port: int) -> None:
    assert network.leaves("runtime", port, address=address)


def test_pods_of_others_are_not_the_internet(network: Network) -> None:
    assert not network.leaves("runtime", 443, namespace=DEFAULT)


def test_the_api_server_is_for_those_who_review_tokens(network: Network) -> None:
    reached = {source for source in PORTS if network.leaves(source, 6443, address="10.0.0.1")}
    assert reached == {"gateway", "operator", "api"}


def test_stores_and_discord_outside_are_reached_by_who_needs_them(outside: Network) -> None:
    sources = ("gateway", "operator", "api", "migrate")
    postgres = [s for s in sources if outside.leaves(s, 5432, address="10.0.0.9")]
    assert postgres == ["operator", "api", "migrate"]
    assert [s for s in sources if outside.leaves(s, 6379, address="10.0.0.9")] == ["gateway", "api"]
    for source in ("gateway", "api"):
        assert outside.leaves(source, 443, address="162.159.128.233")
    assert not outside.leaves("runtime", 5432, address="10.0.0.9")


def test_a_simulated_discord_and_its_stores_reach_nobody(network: Network) -> None:
    for source in ("simulator", "postgres", "redis"):
        assert not network.leaves(source, 443, address="93.184.216.34")
        assert not network.leaves(source, 53, namespace=KUBE_SYSTEM)
