"""Is the pod ready? Decided without I/O: the clock is an argument.

Ready means that events of the pod's guilds are answered: it knows its guilds, the gateway's stream is open,
its workers are up, and what it found assigned when it started has been loaded, or sleeps, or has failed for a
reason of its own. Two things are waited for only so long, because they must not hold a whole StatefulSet
back: a control plane that is away (the pod serves what it kept on disk), and guilds that do not load (a
bundle that cannot be had). What is assigned later changes nothing: a pod that serves hundreds is not
unready for one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

CONTROL_SECONDS: Final = 5.0
"""From the start, for a first word of the control plane."""
GUILDS_SECONDS: Final = 60.0
"""From the time all else is there, for the guilds to load."""
WORKER_SECONDS: Final = 120.0
"""A worker that does not come up for so long makes the pod unhealthy: it is restarted as a whole."""
NAMED_MOST: Final = 3
"""Guilds to name in the answer."""


@dataclass(slots=True, frozen=True)
class Parts:
    """What there is of a pod."""

    assignments: bool
    """Whether it knows its guilds, from the control plane or from disk."""
    control: bool
    """Whether the control plane has said anything to this process."""
    gateway: bool
    """Whether the gateway's stream is open now."""
    workers_down: Sequence[int]


class Readiness:
    """Remembers when it was asked what, so that nothing is waited for too long."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._served_since: float | None = None
        self._guilds_done = False

    def missing(self, now: float, parts: Parts, unsettled: Callable[[], Sequence[str]]) -> str | None:
        """One line that says what is missing; None when nothing is. ``unsettled``: guilds that neither run
        nor sleep nor have failed."""
        if not parts.assignments:
            return "no assignments yet: the control plane has not answered, and none are kept on disk"
        if not parts.control and now - self._started < CONTROL_SECONDS:
            return "the control plane has not answered yet"
        if not parts.gateway:
            return "no stream from the gateway"
        if parts.workers_down:
            return f"workers not ready: {', '.join(map(str, parts.workers_down))}"
        return None if self._guilds_done else self._guilds_missing(now, unsettled())

    def _guilds_missing(self, now: float, unsettled: Sequence[str]) -> str | None:
        if self._served_since is None:
            self._served_since = now
        self._guilds_done = not unsettled or now - self._served_since >= GUILDS_SECONDS
        if self._guilds_done:
            return None
        named = ", ".join(islice(unsettled, NAMED_MOST))
        more = ", …" if len(unsettled) > NAMED_MOST else ""
        return f"guilds not loaded yet: {len(unsettled)} ({named}{more})"


def unhealthy(down_seconds: Sequence[float]) -> str | None:
    """Why the pod should be restarted, from how long each worker has been away (0: it is there)."""
    lost = [str(index) for index, seconds in enumerate(down_seconds) if seconds > WORKER_SECONDS]
    return f"workers not ready for {WORKER_SECONDS:g} s: {', '.join(lost)}" if lost else None
