"""Events worth telling on the object: the difference between two statuses. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flora_operator.status import READY, Status

_TELLING = {
    "Suspended",
    "DuplicateGuild",
    "NoPods",
    "PodGone",
    "SecretMissing",
    "GuildUnknown",
    "ConfigMapMissing",
}


@dataclass(slots=True, frozen=True)
class Note:
    """What an Event says."""

    reason: str
    message: str
    kind: Literal["Normal", "Warning"] = "Normal"


def transitions(was: Status, now: Status) -> list[Note]:
    """What happened between ``was`` and ``now``."""
    notes: list[Note] = []
    if now.bundle is not None and (was.bundle is None or was.bundle.sha256 != now.bundle.sha256):
        notes.append(Note("Bundled", f"{now.bundle.bytes:,} bytes, {now.bundle.sha256[:12]}"))
    notes += _assigned(was, now)
    ready = now.condition(READY)
    before = was.condition(READY)
    if ready is None or (
        before is not None and (before.reason, before.message) == (ready.reason, ready.message)
    ):
        return notes
    if ready.reason == "Loaded":
        if now.revision != was.revision:
            notes.append(Note("Loaded", ready.message))
    elif ready.reason in ("Quarantined", *_TELLING):
        kind = "Normal" if ready.reason == "Suspended" else "Warning"
        notes.append(Note(ready.reason, ready.message, kind))
    elif ready.reason != "Loading" and ready.status == "False":
        notes.append(Note("Failed", f"{ready.reason}: {ready.message}", "Warning"))
    return notes


def _assigned(was: Status, now: Status) -> list[Note]:
    old, new = was.assignment, now.assignment
    if new is None or not new.pod:
        return []
    if old is not None and old.pod and old.pod != new.pod:
        return [Note("Moved", f"from {old.pod} to {new.pod}")]
    if old is None or old.revision != new.revision:
        return [Note("Assigned", f"revision {new.revision} to {new.pod}")]
    return []
