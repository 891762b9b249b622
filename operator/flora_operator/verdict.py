"""What became of an assignment: by what its pod reports, or by what was known before it could. Pure.

After the operator has started no pod has reported yet. What the status says of this very assignment counts
until then; a pod tells all it knows whenever it connects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flora_core.ids import PodName
from flora_core.wire.control import Assignment, Failed, Loaded
from flora_operator.status import READY, ErrorStatus, Status, Truth

EVENTS_LIMIT: Final = 256
"""As many as the CRD allows."""

TEXT_LIMIT: Final = 4096
STACK_LIMIT: Final = 16_384


@dataclass(slots=True, frozen=True, kw_only=True)
class Verdict:
    """What the Ready condition says when nothing else speaks against it, and what is live."""

    status: Truth
    reason: str
    message: str
    revision: int
    """What is live; 0: nothing yet."""
    loaded_at: str
    worker: int | None
    events: tuple[str, ...]
    cron_jobs: int | None
    error: ErrorStatus | None


def judge(
    was: Status, pod: PodName, wanted: Assignment, report: Loaded | Failed | None, *, now: str
) -> Verdict:
    """How it is with ``wanted`` on ``pod``."""
    if report is not None and (report.revision, report.bundle) == (wanted.revision, wanted.bundle):
        return _loaded(was, pod, report, now) if isinstance(report, Loaded) else _failed(was, report, now)
    told = was.assignment
    same = told is not None and (told.pod, told.revision, told.bundle) == (
        pod,
        wanted.revision,
        wanted.bundle,
    )
    if same and report is None:
        ready = was.condition(READY)
        if ready is not None and ready.reason in ("LoadFailed", "Quarantined"):
            return _as_before(was, "False", ready.reason, ready.message)
        if was.revision == wanted.revision:
            return _as_before(was, "True", "Loaded", _live(wanted.revision, pod))
    runs_on = f"; revision {was.revision} runs until then" if was.revision else ""
    return _as_before(was, "False", "Loading", f"{pod} is to load revision {wanted.revision}{runs_on}")


def _loaded(was: Status, pod: PodName, report: Loaded, now: str) -> Verdict:
    again = was.revision == report.revision and bool(was.loaded_at)
    return Verdict(
        status="True",
        reason="Loaded",
        message=_live(report.revision, pod),
        revision=report.revision,
        loaded_at=was.loaded_at if again else now,
        worker=report.worker,
        events=tuple(sorted(set(report.events)))[:EVENTS_LIMIT],
        cron_jobs=report.crons,
        error=None,
    )


def _failed(was: Status, report: Failed, now: str) -> Verdict:
    message, stack = report.error.message[:TEXT_LIMIT], report.error.stack[:STACK_LIMIT]
    known = was.last_error
    known_since = known.at if known is not None and (known.message, known.stack) == (message, stack) else now
    place = stack.partition("\n")[0].strip()
    text = f"{message} {place}".strip()[:TEXT_LIMIT]
    if report.quarantined:
        reason, text = "Quarantined", f"{text}; nothing of it runs until the next deploy"
    else:
        reason = "LoadFailed"
        before = was.revision if was.revision != report.revision else 0
        text += f"; revision {before} runs on" if before else "; correct the script and deploy it again"
    return Verdict(
        status="False",
        reason=reason,
        message=text,
        revision=was.revision,
        loaded_at=was.loaded_at,
        worker=was.assignment.worker if was.assignment else None,
        events=was.subscribed_events,
        cron_jobs=was.cron_jobs,
        error=ErrorStatus(message, stack, known_since),
    )


def _as_before(was: Status, status: Truth, reason: str, message: str) -> Verdict:
    return Verdict(
        status=status,
        reason=reason,
        message=message,
        revision=was.revision,
        loaded_at=was.loaded_at,
        worker=was.assignment.worker if was.assignment else None,
        events=was.subscribed_events,
        cron_jobs=was.cron_jobs,
        error=was.last_error,
    )


def _live(revision: int, pod: PodName) -> str:
    return f"revision {revision} is live on {pod}"
