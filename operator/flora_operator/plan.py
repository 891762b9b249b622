"""What to do about one guild: from what was and what is to what should be. Pure.

A plan is made of the whole, whatever has changed, so it does not matter what was missed. Where nothing has
changed it is what is there already, to the letter: that is how an operator that starts writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from flora_core.ids import PodName
from flora_core.wire.control import Assignment, Failed, Limits, Loaded
from flora_operator.deployment import Deployment
from flora_operator.placement import Place, place
from flora_operator.status import (
    ASSIGNED,
    BUNDLED,
    READY,
    AssignmentStatus,
    BundleStatus,
    Condition,
    Status,
    Truth,
    seconds_between,
    settle,
)
from flora_operator.verdict import Verdict, judge

MESSAGE_LIMIT: Final = 4096
POD_GONE: Final = "PodGone"
LONGEST_LOOK_SECONDS: Final = 3600.0


@dataclass(slots=True, frozen=True)
class Built:
    """The sources have a bundle."""

    sha256: str
    size: int
    sources: str


@dataclass(slots=True, frozen=True)
class Unbuilt:
    """They have none: because of what they are (False), or because nobody could make it yet (Unknown)."""

    reason: str
    message: str
    status: Truth = "False"


@dataclass(slots=True, frozen=True, kw_only=True)
class Observed:
    """All that counts for one guild."""

    deployment: Deployment
    was: Status
    """What the operator wrote last; what stands there when it has not written since it started."""
    build: Built | Unbuilt | None
    """None: not known yet, or of no interest (``wants_build``); only who runs nothing is planned without."""
    pods: Sequence[PodName]
    reports: Mapping[PodName, Loaded | Failed] = field(default_factory=dict[PodName, Loaded | Failed])
    """What pods last said of the guild, since the operator started."""
    missing_secrets: Sequence[str] = ()
    """What is wrong with each that cannot be had."""
    serving: str = ""
    """The older object that serves the guild in place of this one, as namespace/name."""
    member: bool | None = None
    """Whether the bot is in the guild; None: not known."""
    gone: Collection[PodName] = ()
    """Pods that were scaled away without handing over what they have (``Absences``)."""
    retention_seconds: float = 0.0
    """How long the data of a guild that the bot has left is kept."""
    now: str


@dataclass(slots=True, frozen=True)
class Plan:
    """What should be."""

    status: Status
    run: tuple[PodName, Assignment] | None = None
    """What its pod should be told; None: that nobody runs it."""
    rest: PodName | None = None
    """The pod that has its data, when nobody runs it."""
    move_to: PodName | None = None
    """Where it should go, when it can be moved."""
    has_data: bool = False
    forget: PodName | None = None
    """The pod that should delete what it keeps of the guild, before this status is written."""
    look_again: float | None = None
    """Seconds after which time alone will have changed the plan."""


def wants_build(deployment: Deployment, *, serving: str) -> bool:
    """Whether its sources are of interest."""
    return not (serving or deployment.problem)


def plan(seen: Observed) -> Plan:
    """What should be."""
    d = seen.deployment
    if seen.serving:
        text = f"{seen.serving} is older and serves this guild; delete one of the two"
        return _idle(seen, "DuplicateGuild", text, keep=False)
    if d.problem:
        return _idle(
            seen, "SpecNotUnderstood", f"this operator cannot read the spec; upgrade it: {d.problem}"
        )
    if d.suspended:
        return _idle(seen, "Suspended", "spec.suspend is true; its data is kept; set it to false to run it")
    if seen.member is False:
        return _left(seen)
    return _serve(seen)


def _serve(seen: Observed) -> Plan:
    d, was = seen.deployment, seen.was
    assert seen.build is not None
    bundled, bundle = _bundled(seen.build, was)
    old = was.assignment or AssignmentStatus()
    where = place(d.guild, old.pod, seen.pods, has_data=d.age_matters or bool(was.loaded_at))
    if bundle is None or where.pod is None:
        return _unplaced(seen, bundled, bundle, where)
    wanted = _wanted(seen, bundle.sha256, old)
    verdict = judge(was, where.pod, wanted, seen.reports.get(where.pod), now=seen.now)
    assigned: tuple[Truth, str, str] = ("True", "Assigned", f"revision {wanted.revision} is {where.pod}'s")
    ready = _ready(seen, bundled, verdict)
    if where.pod in seen.gone:
        verdict = replace(verdict, revision=0, worker=None)
        assigned = ready = ("False", POD_GONE, _what_to_do(where.pod))
    status = msgspec.structs.replace(
        was,
        observed_generation=d.generation,
        conditions=_conditions(seen, bundled, assigned, ready),
        assignment=AssignmentStatus(
            pod=where.pod,
            worker=verdict.worker,
            revision=wanted.revision,
            bundle=wanted.bundle,
            limits=wanted.limits,
            hibernation=d.hibernation.value,
        ),
        bundle=bundle,
        revision=verdict.revision,
        loaded_at=verdict.loaded_at,
        subscribed_events=verdict.events,
        cron_jobs=verdict.cron_jobs,
        last_error=verdict.error,
    )
    has_data = bool(verdict.loaded_at)
    return Plan(status, (where.pod, wanted), move_to=where.move_to, has_data=has_data)


def _left(seen: Observed) -> Plan:
    """The bot is not in the guild: nobody runs its script, and after a while its data goes."""
    text = "the bot is not in this guild; invite it, and the script will run"
    waiting = _idle(seen, "GuildUnknown", text)
    told = seen.was.assignment
    if not waiting.has_data or told is None or not told.pod:
        return waiting
    assigned = seen.was.condition(ASSIGNED)
    since = assigned.last_transition_time if assigned and assigned.reason == "GuildUnknown" else seen.now
    if told.pod in seen.gone:
        return waiting  # nobody is there who could delete it
    left = seen.retention_seconds - seconds_between(since, seen.now)
    if left > 0:
        return replace(waiting, look_again=min(left + 1, LONGEST_LOOK_SECONDS))
    return replace(_idle(seen, "GuildUnknown", text, keep=False), forget=PodName(told.pod))


def _bundled(build: Built | Unbuilt, was: Status) -> tuple[tuple[Truth, str, str], BundleStatus | None]:
    """The condition, and the bundle to run: a new one, or as long as there is none the one before."""
    if isinstance(build, Unbuilt):
        before = was.bundle if was.bundle is not None and was.bundle.sha256 else None
        return (build.status, build.reason, build.message[:MESSAGE_LIMIT]), before
    text = f"{build.size:,} bytes, {build.sha256[:12]}"
    return ("True", "Bundled", text), BundleStatus(build.sha256, build.size, build.sources)


def _wanted(seen: Observed, bundle: str, old: AssignmentStatus) -> Assignment:
    """What the pod should be told; a new revision when that is anything new."""
    d = seen.deployment
    hibernates = d.hibernation.value == "Auto"
    same = (
        old.revision > 0
        and old.bundle == bundle
        and old.limits == d.limits
        and old.hibernation == d.hibernation.value
    )
    revision = old.revision if same else old.revision + 1
    limits = Limits(d.limits.cpu_milliseconds, d.limits.memory_mebibytes)
    return Assignment(d.guild, revision, bundle, limits, hibernates)


def _ready(seen: Observed, bundled: tuple[Truth, str, str], verdict: Verdict) -> tuple[Truth, str, str]:
    if bundled[0] != "True":
        runs_on = f"; revision {verdict.revision} runs on" if verdict.revision else ""
        return "False", bundled[1], f"{bundled[2]}{runs_on}"
    if verdict.status != "True":
        return verdict.status, verdict.reason, verdict.message
    if seen.missing_secrets:
        return "False", "SecretMissing", "; ".join(seen.missing_secrets)
    return verdict.status, verdict.reason, verdict.message


def _unplaced(
    seen: Observed, bundled: tuple[Truth, str, str], bundle: BundleStatus | None, where: Place
) -> Plan:
    """There is nothing to run, or nowhere to run it."""
    assigned: tuple[Truth, str, str] = ("False", "NotBundled", "there is no bundle to run yet")
    if bundle is not None:
        assigned = ("False", "NoPods", "there are no runtime pods; scale their StatefulSet up")
    ready: tuple[Truth, str, str] = assigned if bundled[0] == "True" else ("False", bundled[1], bundled[2])
    status = msgspec.structs.replace(
        seen.was,
        observed_generation=seen.deployment.generation,
        conditions=_conditions(seen, bundled, assigned, ready),
        bundle=bundle,
    )
    return Plan(status, move_to=where.move_to, has_data=bool(seen.was.loaded_at))


def _idle(seen: Observed, reason: str, message: str, *, keep: bool = True) -> Plan:
    """Nobody is to run it. ``keep``: its place and its data stay, or go where it would run."""
    was = seen.was
    told = was.assignment if keep else None
    has_data = keep and bool(was.loaded_at)
    if has_data and told is not None and told.pod in seen.gone:
        message = f"{message}; {_what_to_do(PodName(told.pod))}"
    before = was.condition(BUNDLED)
    bundled: tuple[Truth, str, str] = ("Unknown", reason, "its sources have not been looked at")
    bundle = was.bundle if keep else None
    if seen.build is not None:
        bundled, bundle = _bundled(seen.build, was)
    conditions = _conditions(seen, bundled, ("False", reason, message), ("False", reason, message))
    if seen.build is None and keep and before is not None:  # it speaks of the generation that it was made of
        conditions = tuple(before if condition.type == BUNDLED else condition for condition in conditions)
    status = Status(
        observed_generation=seen.deployment.generation,
        conditions=conditions,
        assignment=msgspec.structs.replace(told, worker=None) if told else None,
        bundle=bundle,
        loaded_at=was.loaded_at if keep else "",
        last_error=was.last_error if keep else None,
        handoff=was.handoff if keep else None,
    )
    if not has_data or told is None or not told.pod:
        return Plan(status, has_data=has_data)
    where = place(seen.deployment.guild, told.pod, seen.pods, has_data=True)
    return Plan(status, rest=where.pod, move_to=where.move_to, has_data=True)


def _what_to_do(pod: PodName) -> str:
    """About a pod that is gone and has a guild."""
    name, _, ordinal = pod.rpartition("-")
    replicas = int(ordinal) + 1 if ordinal.isdigit() else "…"
    return (
        f"{pod} was scaled away before it handed this guild over; its data is on that pod's volume and moves "
        f"by itself once the pod is back: kubectl scale statefulset {name} --replicas={replicas}"
    )


def _conditions(
    seen: Observed,
    bundled: tuple[Truth, str, str],
    assigned: tuple[Truth, str, str],
    ready: tuple[Truth, str, str],
) -> tuple[Condition, ...]:
    generation = seen.deployment.generation
    made = (
        Condition(kind, status, reason, message, seen.now, generation)
        for kind, (status, reason, message) in ((BUNDLED, bundled), (ASSIGNED, assigned), (READY, ready))
    )
    return settle(made, seen.was)
