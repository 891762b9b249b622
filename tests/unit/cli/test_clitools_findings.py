"""What the doctor makes of what a cluster says. No cluster here."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from flora_cli.cluster.facts import Definition, Facts, Guild, Pod, Workload
from flora_cli.cluster.findings import GUILDS_SHOWN, Finding, judge

VERSION = "0.1.0"


def workload(component: str, *, replicas: int = 1, ready: int | None = None, **more: Any) -> Workload:
    variables = {"operator": "OPERATOR_DATABASE_URL", "gateway": "GATEWAY_REDIS_URL"}
    return msgspec.convert(
        {
            "metadata": {
                "name": f"flora-{component}",
                "namespace": "bots",
                "generation": more.get("generation", 1),
                "labels": {
                    "app.kubernetes.io/component": component,
                    "app.kubernetes.io/instance": "flora",
                    "app.kubernetes.io/version": more.get("version", VERSION),
                },
            },
            "spec": {
                "replicas": replicas,
                "template": {
                    "spec": {
                        "containers": [
                            {
                                "name": component,
                                "env": [{"name": more.get("variable", variables.get(component, "X"))}],
                            }
                        ]
                    }
                },
            },
            "status": {
                "observedGeneration": 1,
                "readyReplicas": replicas if ready is None else ready,
                "updatedReplicas": replicas,
            },
        },
        Workload,
    )


def pod(component: str, **status: Any) -> Pod:
    labels = {"app.kubernetes.io/component": component, "app.kubernetes.io/instance": "flora"}
    metadata = {"name": f"flora-{component}-0", "namespace": "bots", "labels": labels}
    return msgspec.convert({"metadata": metadata, "status": status}, Pod)


def container(**state: Any) -> dict[str, Any]:
    return {"name": "c", "ready": False, **state}


def guild(number: int, *, suspend: bool = False, generation: int = 1, **ready: Any) -> Guild:
    conditions = [{"type": "Ready", "observedGeneration": 1, **ready}] if ready else []
    metadata = {"name": f"guild-{number}", "namespace": "bots", "generation": generation}
    return msgspec.convert(
        {
            "metadata": metadata,
            "spec": {"guildId": str(number), "suspend": suspend},
            "status": {"conditions": conditions},
        },
        Guild,
    )


def definition(*, served: bool = True, name: str = "v1alpha1", established: str = "True") -> Definition:
    return msgspec.convert(
        {
            "spec": {"versions": [{"name": name, "served": served}]},
            "status": {"conditions": [{"type": "Established", "status": established, "message": "not yet"}]},
        },
        Definition,
    )


def facts(**more: Any) -> Facts:
    given: dict[str, Any] = {
        "definition": definition(),
        "workloads": [workload(name) for name in ("operator", "gateway", "runtime")],
        **more,
    }
    return Facts("https://cluster", "v1.33.0", **given)


def wrong(given: Facts, *, cli: str = VERSION) -> list[Finding]:
    return [finding for finding in judge(given, cli_version=cli) if finding.level != "ok"]


def test_a_healthy_installation_has_nothing_to_mend() -> None:
    ready = guild(1, status="True", reason="Loaded", message="")
    given = facts(guilds=[ready, guild(2, suspend=True)])
    assert wrong(given) == []
    assert judge(given, cli_version=VERSION)[-1].text == "1 of 2 are ready, 1 suspended"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, "guilddeployments.flora.uwu.network is not there"),
        (definition(name="v1"), "it serves v1, and this flora speaks v1alpha1"),
        (definition(served=False), "it serves none, and this flora speaks v1alpha1"),
        (definition(established="False"), "it is not established: not yet"),
    ],
)
def test_a_crd_that_is_not_right_is_a_problem(found: Definition | None, text: str) -> None:
    (finding,) = wrong(facts(definition=found))
    assert (finding.level, finding.subject, finding.text) == ("problem", "CRD", text)
    assert finding.advice


def test_a_component_that_is_missing_is_a_problem() -> None:
    (finding,) = wrong(facts(workloads=[workload("operator"), workload("gateway")]))
    assert (finding.level, finding.subject) == ("problem", "runtime")
    assert "helm install" in finding.advice


@pytest.mark.parametrize(
    ("status", "text", "advice"),
    [
        (
            {
                "containerStatuses": [
                    container(state={"waiting": {"reason": "ImagePullBackOff", "message": "no"}})
                ]
            },
            "ImagePullBackOff: no",
            "image.registry",
        ),
        (
            {
                "containerStatuses": [
                    container(
                        state={"waiting": {"reason": "CreateContainerConfigError", "message": "secret x"}}
                    )
                ]
            },
            "CreateContainerConfigError: secret x",
            "existingSecret",
        ),
        (
            {
                "containerStatuses": [
                    container(
                        state={"waiting": {"reason": "CrashLoopBackOff"}},
                        lastState={"terminated": {"reason": "Error", "exitCode": 78}},
                    )
                ]
            },
            "CrashLoopBackOff, last ended with 78 Error",
            "--previous",
        ),
        (
            {
                "phase": "Pending",
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/3 nodes",
                    }
                ],
            },
            "Unschedulable: 0/3 nodes",
            "kubectl describe pod -n bots -l app.kubernetes.io/component=runtime",
        ),
        ({"phase": "Pending"}, "flora-runtime-0: waits for a node", "kubectl describe pod"),
        ({"containerStatuses": [container(restartCount=9)]}, "restarted 9 times", "--previous"),
        ({"containerStatuses": [container(state={})]}, "running and not ready", "--tail=20"),
        ({}, "1 of 2 pods are ready", "--tail=20"),
    ],
)
def test_pods_that_are_not_ready_say_why_and_what_to_do(
    status: dict[str, Any], text: str, advice: str
) -> None:
    workloads = [workload("operator"), workload("gateway"), workload("runtime", replicas=2, ready=1)]
    pods = [pod("runtime", **status), pod("gateway", containerStatuses=[container(restartCount=99)])]
    (finding,) = wrong(facts(workloads=workloads, pods=pods))
    assert finding.level == "problem"
    assert finding.text.startswith("1 of 2 pods are ready")
    assert text in finding.text
    assert "99" not in finding.text
    assert advice in finding.advice


def test_what_is_scaled_to_nothing_or_rolls_is_a_warning() -> None:
    workloads = [workload("operator", replicas=0), workload("gateway", generation=2), workload("runtime")]
    levels = {finding.subject: finding.level for finding in wrong(facts(workloads=workloads))}
    assert levels == {"flora-operator": "warning", "flora-gateway": "warning"}


def test_without_postgres_nothing_can_be_bundled() -> None:
    workloads = [workload("operator", variable="OTHER"), workload("gateway"), workload("runtime")]
    (finding,) = wrong(facts(workloads=workloads))
    assert (finding.level, finding.subject) == ("problem", "Postgres")
    assert "database.url" in finding.advice


def test_without_redis_there_is_a_warning() -> None:
    workloads = [workload("operator"), workload("gateway", variable="OTHER"), workload("runtime")]
    (finding,) = wrong(facts(workloads=workloads))
    assert (finding.level, finding.subject) == ("warning", "Redis")


def test_versions_that_differ_are_told() -> None:
    mixed = [workload("operator"), workload("gateway", version="0.2.0"), workload("runtime")]
    (finding,) = wrong(facts(workloads=mixed))
    assert finding.text == "components differ (0.1.0: 2, 0.2.0: 1)"
    (finding,) = wrong(facts(), cli="0.3.0")
    assert finding.text == "the cluster has 0.1.0, and this command is 0.3.0"
    assert "flora[cli]==0.1.0" in finding.advice


def test_guilds_that_are_not_ready_are_named_with_their_reason() -> None:
    guilds = [
        guild(1, status="False", reason="BundleFailed", message="src/main.ts:1: no\nmore"),
        guild(2),
        guild(3, generation=2, status="True", reason="Loaded"),
    ]
    head, *rest = wrong(facts(guilds=guilds))
    assert head.text == "0 of 3 are ready"
    assert [finding.text for finding in rest] == [
        "BundleFailed: src/main.ts:1: no",
        "the operator has not seen it yet",
        "the operator has not seen its newest version yet",
    ]
    assert rest[0].advice == "kubectl describe gd guild-1 -n bots"


def test_many_guilds_that_are_not_ready_are_counted_by_reason() -> None:
    guilds = [guild(number, status="False", reason="LoadFailed", message="x") for number in range(30)]
    found = wrong(facts(guilds=guilds))
    assert len(found) == 1 + GUILDS_SHOWN + 1
    assert found[-1].text == "and 10 more that are not ready (LoadFailed: 10)"


STUCK = container(state={"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}})


@pytest.mark.parametrize(
    ("newer", "level", "text", "advice"),
    [
        (
            STUCK,
            "problem",
            "; flora-gateway-0: ImagePullBackOff: no such tag",
            "the image cannot be had",
        ),
        (container(state={}), "warning", "", "look again in a minute"),
        (container(state={"waiting": {"reason": "ContainerCreating"}}), "warning", "", "look again"),
    ],
)
def test_a_rollout_that_is_stuck_says_why_although_the_older_pods_serve(
    newer: dict[str, Any], level: str, text: str, advice: str
) -> None:
    workloads = [workload("operator"), workload("gateway", generation=2), workload("runtime")]
    pods = [pod("gateway", containerStatuses=[newer])]
    (finding,) = wrong(facts(workloads=workloads, pods=pods))
    assert finding.level == level
    assert finding.text == f"is being replaced by a newer version of itself{text}"
    assert advice in finding.advice


def test_a_pod_that_is_being_deleted_is_not_asked_why_it_is_not_ready() -> None:
    leaving = msgspec.to_builtins(pod("gateway", containerStatuses=[container(state={})]))
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    workloads = [workload("operator"), workload("gateway", ready=0), workload("runtime")]
    (finding,) = wrong(facts(workloads=workloads, pods=[msgspec.convert(leaving, Pod)]))
    assert finding.text == "0 of 1 pods are ready; flora-gateway-0: is on its way out"
