"""What one guild has used since its pod has it. Counters alone: nothing here decides anything."""

from __future__ import annotations

from collections import Counter
from typing import Final

from flora_core.wire.control import Outcome
from flora_core.wire.guilds import KvUsage, UsageRow
from flora_core.wire.pipe import CRON_PREFIX

CRON: Final = "cron"
"""All jobs together: a script may name them as it likes."""

TYPES_MOST: Final = 200
"""Kinds of events; Discord has fewer."""
OTHERS: Final = "others"


class Usage:
    """Counts; the pod adds to it as things happen."""

    __slots__ = (
        "cpu_ns",
        "discord_calls",
        "events",
        "fetches",
        "log_lines",
        "outcomes",
        "since",
        "suspended_until",
    )

    def __init__(self, now: float) -> None:
        """``now`` in Unix seconds."""
        self.since = now
        self.events = Counter[str]()
        self.outcomes = Counter[Outcome]()
        self.cpu_ns = 0
        self.discord_calls = 0
        self.fetches = 0
        self.log_lines = 0
        self.suspended_until = 0.0

    def event(self, type_: str) -> None:
        """One came for the script."""
        if type_.startswith(CRON_PREFIX):
            type_ = CRON
        elif type_ not in self.events and len(self.events) >= TYPES_MOST:
            type_ = OTHERS
        self.events[type_] += 1

    def row(
        self, *, kv: KvUsage | None, awake: bool, quarantined: bool, quarantine_reason: str, now: float
    ) -> UsageRow:
        """As it is told; ``now`` in Unix seconds."""
        return UsageRow(
            since=self.since,
            events=dict(self.events),
            outcomes={str(outcome): count for outcome, count in self.outcomes.items()},
            cpu_milliseconds=round(self.cpu_ns / 1e6, 3),
            discord_calls=self.discord_calls,
            fetches=self.fetches,
            log_lines=self.log_lines,
            kv=kv,
            awake=awake,
            quarantined=quarantined,
            quarantine_reason=quarantine_reason,
            suspended_until=self.suspended_until if self.suspended_until > now else 0.0,
        )
