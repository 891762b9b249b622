"""Data of guilds that are deployed no more: their pods set it aside for a while, then it is gone."""

from __future__ import annotations

from flora_core.control.state import DesiredState
from flora_core.ids import GuildId, PodName
from flora_core.wire.control import Forgotten, PodReport


class PodRetention:
    """Implements ``flora_operator.ports.Retention``."""

    def __init__(self, state: DesiredState, *, hours: float) -> None:
        """``hours`` that a pod keeps an export of what it deleted; 0 for none."""
        self._state = state
        self._hours = hours
        self._asked: set[tuple[PodName, GuildId]] = set()
        self._done: set[tuple[PodName, GuildId]] = set()

    def release(self, guild: GuildId, pod: PodName, *, keep: bool = True) -> bool:
        """``pod`` should set the data aside; without ``keep``, delete it. Asked again and again; True once it
        has."""
        if (pod, guild) in self._done:
            self._done.discard((pod, guild))
            return True
        self._asked.add((pod, guild))
        self._state.forget(pod, guild, retain_hours=self._hours if keep else 0.0)
        return False

    def on_report(self, pod: PodName, report: PodReport) -> None:
        """Every report of every pod."""
        if isinstance(report, Forgotten):
            place = (pod, GuildId(report.guild))
            self._state.forgotten(*place)
            if place in self._asked:
                self._asked.discard(place)
                self._done.add(place)
