"""Pods that are gone and have guilds' data: scaled away before they could hand it over.

A pod that should not be there and is not heard of for a while is gone; what it has lies on its volume, and
only its own return brings that back. One that is only down comes back by itself and is not meant here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

from flora_core.ids import PodName

PATIENCE_SECONDS: Final = 30.0
"""A pod that dials anew, or an operator that has only begun, is no reason to say anything."""


class Absences:
    """``gone`` after each ``look``."""

    def __init__(self, listens: Callable[[PodName], bool], *, patience: float = PATIENCE_SECONDS) -> None:
        """``listens``: whether a pod follows its desired state."""
        self._listens = listens
        self._patience = patience
        self._missed_since: dict[PodName, float] = {}
        self.gone: frozenset[PodName] = frozenset()

    def presume(self, pods: Iterable[PodName]) -> None:
        """The operator before us found them gone; so they are until they are heard of."""
        self.gone |= frozenset(pods)

    def look(self, now: float, *, holders: Collection[PodName], wanted: Collection[PodName]) -> set[PodName]:
        """Those of whom that is news at ``now``, in seconds of one clock.

        ``holders`` have guilds, ``wanted`` are the pods that there should be.
        """
        missed = {pod for pod in holders if pod not in wanted and not self._listens(pod)}
        self._missed_since = {pod: self._missed_since.get(pod, now) for pod in missed}
        gone = frozenset(
            pod for pod in missed if pod in self.gone or now - self._missed_since[pod] >= self._patience
        )
        news = set(gone ^ self.gone)
        self.gone = gone
        return news
