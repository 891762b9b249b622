"""Which pod a guild should be on. Pure.

By rendezvous hash over the pods there are, so that a change of their number moves as few as can be. Where a
guild is now (its status says so) counts until it has been moved: its data is there. One that never ran has no
data, and is simply placed anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flora_core.hashing import owner
from flora_core.ids import GuildId, PodName


@dataclass(slots=True, frozen=True)
class Place:
    """Where a guild is from now on, and where it should go from there."""

    pod: PodName | None
    """None: there is no pod."""
    move_to: PodName | None = None


def place(guild: GuildId, current: str, pods: Sequence[PodName], *, has_data: bool) -> Place:
    """Where ``guild`` goes that is on ``current`` (empty: nowhere yet)."""
    if not pods:
        return Place(PodName(current) if current else None)
    best = owner(guild, pods)
    if not current or current == best:
        return Place(best)
    if not has_data:
        return Place(best)
    return Place(PodName(current), move_to=best)


def pods_of(name: str, replicas: int, *, start: int = 0) -> tuple[PodName, ...]:
    """The names of a StatefulSet's pods."""
    return tuple(PodName(f"{name}-{ordinal}") for ordinal in range(start, start + replicas))
