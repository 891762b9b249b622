"""One move of one guild, as a machine. Pure: it says what should be the case, others see to it.

::

    STARTING  -written->  HOLDING   the gateway keeps the guild's events                       Moving
    HOLDING   -held---->  LEAVING   the old pod stops it and hands its data over               Moving
    LEAVING   -exported>  ADOPTING  the new pod takes the data and loads it                    Moving
    ADOPTING  -adopted->  SWITCHING the switch is being written down: no way back from here    Switched
    SWITCHING -written->  FORGETTING the guild is the new pod's; the old one deletes its copy  Switched
    FORGETTING-forgotten> CLEARING  -written->  MOVED                                          (none)

    STARTING ... ADOPTING  -late, failed, unwanted->  UNDOING  -written->  UNDONE              (none)

On the right what the guild's status says meanwhile. Who begins anew with nothing but that knows enough: up to
the switch the old pod has everything and goes on with it; from the switch on the new one does. So a move
that died on its way is undone or finished, and never has two owners.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from flora_core.control.state import Handoff, Stage
from flora_core.ids import GuildId, PodName
from flora_operator.status import HandoffStatus

MOVING: Final = "Moving"
SWITCHED: Final = "Switched"


class Step(StrEnum):
    """See the module's text."""

    STARTING = "starting"
    HOLDING = "holding"
    LEAVING = "leaving"
    ADOPTING = "adopting"
    SWITCHING = "switching"
    FORGETTING = "forgetting"
    CLEARING = "clearing"
    UNDOING = "undoing"
    MOVED = "moved"
    UNDONE = "undone"


class Signal(StrEnum):
    """What happens to a move."""

    WRITTEN = "written"
    """Its guild's status says what this step's ``record`` is."""
    HELD = "held"
    EXPORTED = "exported"
    ADOPTED = "adopted"
    FORGOTTEN = "forgotten"
    FAILED = "failed"
    """A pod cannot do its part."""
    LATE = "late"
    """The step took longer than it may."""
    UNWANTED = "unwanted"
    """The guild should stay."""
    OVERTAKEN = "overtaken"
    """The guild should go on from the new pod, before the old one has deleted its copy."""
    GONE = "gone"
    """The guild is not deployed any more."""


@dataclass(slots=True, frozen=True)
class Move:
    """A move at one moment."""

    guild: GuildId
    id: str
    from_: PodName
    to: PodName
    step: Step = Step.STARTING
    why: Signal | None = None
    """What undid it."""


_FORWARD: Final = {
    (Step.STARTING, Signal.WRITTEN): Step.HOLDING,
    (Step.HOLDING, Signal.HELD): Step.LEAVING,
    (Step.LEAVING, Signal.EXPORTED): Step.ADOPTING,
    (Step.ADOPTING, Signal.ADOPTED): Step.SWITCHING,
    (Step.SWITCHING, Signal.WRITTEN): Step.FORGETTING,
    (Step.FORGETTING, Signal.FORGOTTEN): Step.CLEARING,
    (Step.FORGETTING, Signal.OVERTAKEN): Step.CLEARING,
    (Step.CLEARING, Signal.WRITTEN): Step.MOVED,
    (Step.UNDOING, Signal.WRITTEN): Step.UNDONE,
}
_MAY_BE_UNDONE: Final = frozenset((Step.STARTING, Step.HOLDING, Step.LEAVING, Step.ADOPTING))
_UNDOES: Final = frozenset((Signal.FAILED, Signal.LATE, Signal.UNWANTED))
_OVER: Final = frozenset((Step.MOVED, Step.UNDONE))
_NEW_OWNER: Final = frozenset((Step.FORGETTING, Step.CLEARING, Step.MOVED))

_STAGES: Final = {
    Step.HOLDING: Stage.HOLDING,
    Step.LEAVING: Stage.LEAVING,
    Step.ADOPTING: Stage.ADOPTING,
    Step.SWITCHING: Stage.ADOPTING,
}
_PATIENCE: Final = {Step.HOLDING: 15.0, Step.LEAVING: 45.0, Step.ADOPTING: 60.0}


def advance(move: Move, signal: Signal) -> Move:
    """The move after ``signal``; the same when that changes nothing now."""
    if signal is Signal.GONE and move.step not in _OVER:
        return replace(move, step=Step.MOVED if move.step in _NEW_OWNER else Step.UNDONE, why=signal)
    if signal in _UNDOES and move.step in _MAY_BE_UNDONE:
        return replace(move, step=Step.UNDOING, why=signal)
    return replace(move, step=_FORWARD.get((move.step, signal), move.step))


def recovered(guild: GuildId, known: HandoffStatus) -> Move:
    """The move that a status speaks of, when nobody knows more of it."""
    step = Step.FORGETTING if known.step == SWITCHED else Step.UNDOING
    return Move(guild, known.id, PodName(known.from_), PodName(known.to), step)


def record(move: Move) -> HandoffStatus | None:
    """What the guild's status has to say before the move goes on."""
    if move.step in _MAY_BE_UNDONE:
        return HandoffStatus(move.id, move.from_, move.to, MOVING)
    if move.step in (Step.SWITCHING, Step.FORGETTING):
        return HandoffStatus(move.id, move.from_, move.to, SWITCHED)
    return None


def owner(move: Move) -> PodName:
    """The one pod that the guild belongs to."""
    return move.to if move.step in _NEW_OWNER else move.from_


def handoff(move: Move) -> Handoff | None:
    """What gateway and pods should know."""
    stage = _STAGES.get(move.step)
    return Handoff(move.id, move.to, stage) if stage is not None else None


def forgetting(move: Move) -> PodName | None:
    """The pod whose copy is of no use."""
    if move.step is Step.FORGETTING:
        return move.from_
    return move.to if move.step in (Step.UNDOING, Step.UNDONE) else None


def patience(move: Move) -> float | None:
    """Seconds that the step may take; None for as long as it takes."""
    return _PATIENCE.get(move.step)


def over(move: Move) -> bool:
    """Whether there is nothing more to do."""
    return move.step in _OVER


def held(move: Move) -> bool:
    """Whether the guild's events wait: such moves are few at a time."""
    return move.step in _MAY_BE_UNDONE or move.step is Step.SWITCHING
