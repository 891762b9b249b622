"""What is right and wrong with an installation, and what to do about it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from flora_cli.cluster.facts import CRD, Facts, Guild, Job, Pod, Workload
from flora_core.manifest import VERSION

Level = Literal["ok", "warning", "problem"]

NEEDED: Final = ("operator", "gateway", "runtime")
"""Components without which nothing runs."""

OPTIONAL: Final = {
    "api": "is not installed: scripts come by kubectl alone, and `flora deploy` has nobody to ask "
    "(api.enabled in the chart's values)"
}
"""Components that an installation may do without, and what it is to do so."""
GUILDS_SHOWN: Final = 20
RESTARTS_MANY: Final = 5


class Finding(Struct, frozen=True, omit_defaults=True):
    """One thing that was looked at."""

    level: Level
    subject: str
    text: str
    advice: str = ""
    """What to do."""


def judge(facts: Facts, *, cli_version: str) -> list[Finding]:
    """Everything that was found, in the order in which to mend it."""
    return [
        *_definition(facts),
        *_components(facts),
        *_stores(facts),
        *_migrations(facts.jobs),
        *_versions(facts, cli_version),
        *_guilds(facts.guilds),
    ]


def _definition(facts: Facts) -> Iterator[Finding]:
    definition = facts.definition
    if definition is None:
        yield Finding(
            "problem",
            "CRD",
            f"{CRD} is not there",
            "install the chart, or: kubectl apply --server-side -f crds/",
        )
        return
    served = [version.name for version in definition.spec.versions if version.served]
    established = any(
        one.type == "Established" and one.status == "True" for one in definition.status.conditions
    )
    if VERSION not in served:
        there = ", ".join(served) or "none"
        yield Finding(
            "problem",
            "CRD",
            f"it serves {there}, and this flora speaks {VERSION}",
            "upgrade whichever is older: the chart, or this command",
        )
    elif not established:
        why = next((one.message for one in definition.status.conditions if one.status == "False"), "")
        yield Finding(
            "problem",
            "CRD",
            f"it is not established: {why or 'no reason given'}",
            f"kubectl describe crd {CRD}",
        )
    else:
        yield Finding("ok", "CRD", f"{VERSION} is served")


def _components(facts: Facts) -> Iterator[Finding]:
    by_component = {workload.component: workload for workload in facts.workloads}
    for name in NEEDED:
        if name not in by_component:
            yield Finding(
                "problem",
                name,
                "is not installed here",
                "helm install flora charts/flora; or is it in another namespace? see -n",
            )
    for name, text in OPTIONAL.items():
        if name not in by_component and by_component:
            yield Finding("ok", name, text)
    for workload in facts.workloads:
        yield _workload(workload, facts.pods)


def _workload(workload: Workload, pods: list[Pod]) -> Finding:
    name, status, wanted = workload.metadata.name, workload.status, workload.spec.replicas
    reasons = [reason for pod in pods if _is_of(pod, workload) for reason in _reasons(pod)]
    texts = [reason.text for reason in reasons]
    if wanted == 0:
        return Finding(
            "warning", name, "is scaled to nothing", f"kubectl scale --replicas=1, in {_at(workload)}"
        )
    if status.ready_replicas < wanted:
        text = f"{status.ready_replicas} of {wanted} pods are ready"
        return Finding("problem", name, "; ".join([text, *texts[:3]]), _advice(workload, " ".join(texts)))
    if status.observed_generation < workload.metadata.generation or status.updated_replicas < wanted:
        text = "is being replaced by a newer version of itself"
        stuck = [reason.text for reason in reasons if not reason.passes]
        if stuck:
            return Finding("problem", name, "; ".join([text, *stuck[:3]]), _advice(workload, " ".join(stuck)))
        return Finding("warning", name, text, "look again in a minute")
    return Finding("ok", name, f"{status.ready_replicas} of {wanted} pods are ready")


def _is_of(pod: Pod, workload: Workload) -> bool:
    ours, theirs = workload.metadata, pod.metadata
    same = all(
        theirs.labels.get(label) == ours.labels.get(label)
        for label in ("app.kubernetes.io/component", "app.kubernetes.io/instance")
    )
    return same and theirs.namespace == ours.namespace


class _Reason(NamedTuple):
    """Why a pod is not ready."""

    text: str
    passes: bool = False
    """Whether it is like that in every replacement, for a moment."""


def _reasons(pod: Pod) -> Iterator[_Reason]:
    name, status = pod.metadata.name, pod.status
    if pod.metadata.deletion_timestamp:
        yield _Reason(f"{name}: is on its way out", passes=True)
        return
    if status.phase == "Pending" and not status.container_statuses:
        unscheduled = [
            one for one in status.conditions if one.type == "PodScheduled" and one.status != "True"
        ]
        for condition in unscheduled:
            yield _Reason(f"{name}: {condition.reason}: {_line(condition.message)}")
        if not status.conditions:
            yield _Reason(f"{name}: waits for a node")
    for container in status.container_statuses:
        if container.ready:
            continue
        waiting, ended = (
            container.state.waiting,
            container.last_state.terminated or container.state.terminated,
        )
        last = f", last ended with {ended.exit_code} {ended.reason}".rstrip() if ended else ""
        if waiting is not None and waiting.reason not in ("ContainerCreating", "PodInitializing", ""):
            yield _Reason(f"{name}: {waiting.reason}{last}{_behind(waiting.message)}")
        elif container.restart_count >= RESTARTS_MANY:
            yield _Reason(f"{name}: restarted {container.restart_count} times{last}")
        else:
            text = "running and not ready" if waiting is None else "is being started"
            yield _Reason(f"{name}: {text}", passes=True)


_SECRETS: Final = {
    "api": "api.existingSecret (keys secret-keys, operator-secret, discord-client-secret), "
    "database.existingSecret and redis.existingSecret"
}
"""Values of the chart that name a component's Secrets."""


def _advice(workload: Workload, reasons: str) -> str:
    at = f"-n {workload.metadata.namespace}"
    label = f"-l app.kubernetes.io/component={workload.component}"
    if "ImagePull" in reasons or "InvalidImageName" in reasons:
        return "the image cannot be had: check image.registry, image.tag and image.pullSecrets of the chart"
    if "CreateContainerConfigError" in reasons:
        return (
            "a Secret or ConfigMap that it names is not there, or lacks a key: check "
            f"{_SECRETS.get(workload.component, 'existingSecret')} in the chart's values"
        )
    if "Unschedulable" in reasons or "waits for a node" in reasons:
        return f"no node takes it: kubectl describe pod {at} {label}"
    if "CrashLoopBackOff" in reasons or "restarted" in reasons:
        return f"it says why: kubectl logs {at} {label} --previous --tail=20"
    return f"it says what it waits for: kubectl logs {at} {label} --tail=20"


class _Named(NamedTuple):
    """A variable that a component needs from a Secret."""

    component: str
    variable: str
    subject: str
    level: Level
    """Of its absence."""
    without: str
    advice: str


_DATABASE: Final = "set database.url, or database.existingSecret, in the chart's values"
_REDIS: Final = "set redis.url, or redis.existingSecret, in the chart's values"
_NAMED: Final = (
    _Named("operator", "OPERATOR_DATABASE_URL", "Postgres", "problem", "no script can be bundled", _DATABASE),
    _Named(
        "gateway", "GATEWAY_REDIS_URL", "Redis", "warning", "after a restart its sessions begin anew", _REDIS
    ),
    _Named("api", "API_DATABASE_URL", "Postgres", "problem", "nothing can be deployed through it", _DATABASE),
    _Named("api", "API_REDIS_URL", "Redis", "problem", "nobody can log in, and there are no logs", _REDIS),
    _Named(
        "api",
        "API_SECRET_KEYS",
        "secret keys",
        "warning",
        "no guild can be given a secret",
        "set api.secretKeys, or api.existingSecret, in the chart's values",
    ),
)


def _stores(facts: Facts) -> Iterator[Finding]:
    for row in _NAMED:
        for workload in facts.workloads:
            if workload.component != row.component:
                continue
            named = set[str]().union(*(one.variables for one in workload.spec.template.spec.containers))
            name = workload.metadata.name
            if row.variable in named:
                yield Finding("ok", row.subject, f"{name} has {row.variable}")
            else:
                text = f"{name} has no {row.variable}: {row.without}"
                yield Finding(row.level, row.subject, text, row.advice)


def _migrations(jobs: list[Job]) -> Iterator[Finding]:
    """Jobs that went well are deleted: one that is there has failed, or goes on."""
    for job in jobs:
        at = f"-n {job.metadata.namespace} job/{job.metadata.name}"
        failed = next(
            (one for one in job.status.conditions if one.type == "Failed" and one.status == "True"), None
        )
        if failed is not None:
            text = f"they failed: {failed.reason}{_behind(failed.message)}"
            yield Finding("problem", "migrations", text, f"it says why: kubectl logs {at}")
        elif job.status.succeeded == 0:
            tries = f", after {job.status.failed} that failed" if job.status.failed else ""
            yield Finding(
                "warning", "migrations", f"they are under way{tries}", f"to watch them: kubectl logs {at}"
            )


def _versions(facts: Facts, cli_version: str) -> Iterator[Finding]:
    versions = Counter(workload.version for workload in facts.workloads if workload.version)
    if len(versions) > 1:
        text = ", ".join(f"{name}: {count}" for name, count in sorted(versions.items()))
        yield Finding(
            "warning", "versions", f"components differ ({text})", "finish the upgrade: helm upgrade flora"
        )
    elif versions and cli_version not in versions:
        (installed,) = versions
        text = f"the cluster has {installed}, and this command is {cli_version}"
        yield Finding("warning", "versions", text, f"pip install 'flora[cli]=={installed}'")
    elif versions:
        yield Finding("ok", "versions", f"everything is {cli_version}")


def _guilds(guilds: list[Guild]) -> Iterator[Finding]:
    waiting = [guild for guild in guilds if not guild.spec.suspend and not _is_ready(guild)]
    suspended = sum(guild.spec.suspend for guild in guilds)
    ready = len(guilds) - len(waiting) - suspended
    also = f", {suspended} suspended" if suspended else ""
    yield Finding("ok" if not waiting else "warning", "guilds", f"{ready} of {len(guilds)} are ready{also}")
    for guild in waiting[:GUILDS_SHOWN]:
        yield Finding(
            "warning", _at(guild), _why(guild), f"kubectl describe gd {guild.metadata.name} {_in(guild)}"
        )
    if len(waiting) > GUILDS_SHOWN:
        reasons = Counter(
            guild.ready.reason if guild.ready else "NoStatus" for guild in waiting[GUILDS_SHOWN:]
        )
        rest = ", ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
        yield Finding(
            "warning", "guilds", f"and {len(waiting) - GUILDS_SHOWN} more that are not ready ({rest})"
        )


def _is_ready(guild: Guild) -> bool:
    ready = guild.ready
    return (
        ready is not None
        and ready.status == "True"
        and ready.observed_generation >= guild.metadata.generation
    )


def _why(guild: Guild) -> str:
    ready = guild.ready
    if ready is None:
        return "the operator has not seen it yet"
    if ready.status == "True":
        return "the operator has not seen its newest version yet"
    return f"{ready.reason}: {_line(ready.message)}"


def _at(thing: Workload | Guild) -> str:
    return f"{thing.metadata.namespace}/{thing.metadata.name}"


def _in(guild: Guild) -> str:
    return f"-n {guild.metadata.namespace}"


def _line(text: str) -> str:
    return text.strip().partition("\n")[0][:200]


def _behind(message: str) -> str:
    return f": {_line(message)}" if message else ""
