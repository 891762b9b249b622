"""What became of a revision, from the object as it is. Pure.

Only what is said of the object's present generation counts, and only while it still has what the revision
gave it: ``kubectl`` may have changed it since.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flora_api.deployments.revisions import Revision
from flora_api.deployments.store import Condition, Deployment

STEPS: Final = ("queued", "bundling", "assigned", "loading")

GIVEN_UP: Final = {
    "BundleFailed": "BUNDLE_FAILED",
    "InvalidSources": "INVALID_SOURCES",
    "BundleMissing": "BUNDLE_MISSING",
    "ConfigMapMissing": "CONFIG_MAP_MISSING",
    "LoadFailed": "LOAD_FAILED",
    "Quarantined": "QUARANTINED",
    "GuildUnknown": "GUILD_UNKNOWN",
    "Suspended": "SUSPENDED",
    "DuplicateGuild": "DUPLICATE_GUILD",
    "SpecNotUnderstood": "SPEC_NOT_UNDERSTOOD",
}
"""Reasons that waiting does not change, and the code that programs get for them."""

LIVE_ALTHOUGH: Final = frozenset({"SecretMissing"})
"""Reasons of a script that runs, though not all that it needs is there."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """It is on its way."""

    step: str
    message: str


@dataclass(frozen=True, slots=True)
class Live:
    """It runs."""

    pod: str
    bundle: str
    message: str = ""
    """What is missing all the same."""


@dataclass(frozen=True, slots=True)
class Lost:
    """It does not, and will not by itself."""

    code: str
    message: str
    stack: str = ""


Verdict = Waiting | Live | Lost


def judge(revision: Revision, found: Deployment | None, *, gone: bool) -> Verdict:
    """What is so now. ``gone``: the object that it was applied to is known to be deleted."""
    if revision.generation is None:
        return Waiting("queued", "it will be given to the cluster")
    if gone:
        return Lost("UNDEPLOYED", "it was undeployed before it was live")
    if found is None or found.uid != revision.uid or found.generation < revision.generation:
        return Waiting("queued", "the cluster has not told of it yet")
    if found.leaving:
        return Lost("UNDEPLOYED", "it was undeployed before it was live")
    if found.digest != revision.digest:
        return Lost("SUPERSEDED", "something else was put in its place before it was live")
    return _by_conditions(found)


def _by_conditions(found: Deployment) -> Verdict:
    status, generation = found.status, found.generation
    ready = status.condition("Ready", generation)
    if ready is not None and (ready.status == "True" or ready.reason in LIVE_ALTHOUGH):
        return Live(
            status.assignment.pod, status.bundle.sha256, ready.message if ready.status != "True" else ""
        )
    if ready is not None and ready.reason in GIVEN_UP:
        return _lost(found, ready)
    bundled = status.condition("Bundled", generation)
    assigned = status.condition("Assigned", generation)
    if bundled is None or bundled.status != "True":
        return Waiting(
            "bundling" if bundled else "queued", _told(bundled, "the operator has not seen it yet")
        )
    if assigned is None or assigned.status != "True":
        return Waiting("bundling", _told(assigned, "it has no pod yet"))
    return Waiting("loading", _told(ready, f"{status.assignment.pod} loads it"))


def _lost(found: Deployment, ready: Condition) -> Lost:
    error = found.status.last_error
    stack = error.stack if error is not None and ready.reason in {"LoadFailed", "Quarantined"} else ""
    return Lost(GIVEN_UP[ready.reason], ready.message, stack)


def overdue(revision: Revision, so_far: Waiting, *, seconds: float) -> Lost:
    """It took longer than anybody waits for."""
    text = (
        f"revision {revision.id} was not live after {seconds:g} s ({so_far.step}: {so_far.message}); "
        "should it become live yet, its status will say so"
    )
    return Lost("DEPLOY_TIMEOUT", text)


def _told(condition: Condition | None, otherwise: str) -> str:
    return condition.message if condition is not None and condition.message else otherwise
