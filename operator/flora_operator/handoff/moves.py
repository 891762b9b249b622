"""Moves of guilds, a few at a time: what the machine says is seen to, and what happens is told to it.

``Moves`` owns the moves and one task for each; everything runs on one loop. A task brings the desired state
to where its move is, has it written down when the status says something else, and then waits: for pods, the
gateway, or the end of the step's patience. A move that was undone is tried again after a pause that doubles.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from flora_core.control.handoffs import Spool
from flora_core.control.state import DesiredState
from flora_core.ids import GuildId, PodName
from flora_core.streams import Backoff
from flora_core.telemetry import logger
from flora_core.wire.control import Adopted, Exported, Failed, Forgotten, GatewayNews, Held, Loaded, PodReport
from flora_operator.errors import KubeError, Missing
from flora_operator.handoff import machine, metrics
from flora_operator.handoff.machine import Move, Signal, Step
from flora_operator.ports import Persist
from flora_operator.status import HandoffStatus

FIRST_PAUSE_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 300.0
"""Pauses after moves that were undone: full jitter, doubling."""

LOOK_SECONDS: Final = 0.5

_log = logger(__name__)


@dataclass(slots=True)
class _UnderWay:
    """A move that goes on."""

    move: Move
    written: HandoffStatus | None
    """What the guild's status says of it, as far as is known."""
    began: float
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class _Pause:
    seconds: float
    until: float


class Moves:
    """Implements ``flora_operator.ports.Moves``; ``run`` works until it is cancelled."""

    def __init__(
        self,
        state: DesiredState,
        spool: Spool,
        persist: Persist,
        *,
        at_once: int,
        reachable: Callable[[PodName], bool] = lambda _pod: True,
        pause: float = FIRST_PAUSE_SECONDS,
        patience: Callable[[Move], float | None] = machine.patience,
    ) -> None:
        """``reachable``: whether a pod is up, as far as is known; moves begin only between such pods, and of
        guilds of which it is known where they are."""
        self._state = state
        self._spool = spool
        self._persist = persist
        self._at_once = at_once
        self._reachable = reachable
        self._pause = pause
        self._patience = patience
        self._wanted: dict[GuildId, tuple[PodName, PodName]] = {}
        self._known: dict[GuildId, HandoffStatus] = {}
        self._moves: dict[GuildId, _UnderWay] = {}
        self._pauses: dict[GuildId, _Pause] = {}
        self._look = asyncio.Event()

    def of(self, guild: GuildId) -> Move | None:
        """The move that ``guild`` is in."""
        under_way = self._moves.get(guild)
        return under_way.move if under_way is not None else None

    # ---------------------------------------------------------------- told

    def want(self, guild: GuildId, *, from_: PodName, to: PodName, known: HandoffStatus | None) -> None:
        """``guild`` should be on ``to``. Told again and again; ``known``: what its status says of a move."""
        self._remember(guild, known)
        self._skip_gateway(guild)
        move = self.of(guild)
        if move is not None and move.to == to and move.step not in (Step.UNDOING, Step.UNDONE):
            return
        self._wanted[guild] = (from_, to)
        if move is not None:
            overtaken = move.step is Step.FORGETTING and move.to == from_
            self._signal(guild, Signal.OVERTAKEN if overtaken else Signal.UNWANTED)
        self._look.set()

    def drop(self, guild: GuildId, *, known: HandoffStatus | None = None) -> None:
        """It should stay where it is, or it is gone. Told again and again."""
        self._wanted.pop(guild, None)
        self._pauses.pop(guild, None)
        self._remember(guild, known)
        self._signal(guild, Signal.UNWANTED)
        self._look.set()

    def on_report(self, pod: PodName, report: PodReport) -> None:
        """Every report, of the old pod and the new."""
        guild = GuildId(getattr(report, "guild", ""))
        move = self.of(guild)
        if isinstance(report, Forgotten):
            self._state.forgotten(pod, guild)
            if move is not None and machine.forgetting(move) == pod:
                self._signal(guild, Signal.FORGOTTEN)
        elif move is None or not isinstance(report, Exported | Adopted | Loaded | Failed):
            return
        elif pod == move.from_ and isinstance(report, Exported) and report.handoff == move.id:
            self._of_the_old_pod(move, report)
        elif pod == move.to and not isinstance(report, Exported) and report.handoff == move.id:
            self._of_the_new_pod(move, report)

    def _of_the_old_pod(self, move: Move, report: Exported) -> None:
        if report.error:
            _log.warning("export_failed", guild_id=move.guild, handoff=move.id, error=report.error)
            self._signal(move.guild, Signal.FAILED)
        elif self._spool.has(move.id):
            self._signal(move.guild, Signal.EXPORTED)

    def _of_the_new_pod(self, move: Move, report: Adopted | Loaded | Failed) -> None:
        if isinstance(report, Adopted) and report.error:
            _log.warning("adoption_failed", guild_id=move.guild, handoff=move.id, error=report.error)
            self._signal(move.guild, Signal.FAILED)
        else:  # a script that does not load has moved too, with its data
            self._signal(move.guild, Signal.ADOPTED)

    def on_gateway_report(self, report: GatewayNews) -> None:
        """What the gateway says of guilds that are held."""
        if isinstance(report, Held):
            move = self.of(GuildId(report.guild))
            if move is not None and move.id == report.handoff:
                self._signal(move.guild, Signal.HELD)

    def on_spooled(self, handoff: str) -> None:
        """An export is here, whole."""
        for under_way in self._moves.values():
            if under_way.move.id == handoff:
                self._signal(under_way.move.guild, Signal.EXPORTED)

    def _remember(self, guild: GuildId, known: HandoffStatus | None) -> None:
        """A status speaks of a move that an earlier process began."""
        if known is not None and guild not in self._moves:
            self._known[guild] = known

    def _signal(self, guild: GuildId, signal: Signal) -> None:
        under_way = self._moves.get(guild)
        if under_way is None:
            return
        before = under_way.move
        under_way.move = machine.advance(before, signal)
        if under_way.move != before:
            _log.info(
                "handoff", guild_id=guild, handoff=before.id, step=under_way.move.step, signal=signal.value
            )
            under_way.changed.set()

    # ---------------------------------------------------------------- work

    async def run(self) -> None:
        """Begin moves as there is room for them, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._begin_some(tasks)
                self._look.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._look.wait()

    def _begin_some(self, tasks: asyncio.TaskGroup) -> None:
        for guild, known in list(self._known.items()):  # before anything else: they may be half done
            del self._known[guild]
            if guild not in self._moves:
                self._begin(tasks, machine.recovered(guild, known), written=known)
        held = sum(machine.held(under_way.move) for under_way in self._moves.values())
        for guild, (from_, to) in list(self._wanted.items()):
            if held >= self._at_once:
                break
            if guild not in self._moves and self._may_begin(guild, from_, to):
                del self._wanted[guild]
                self._begin(tasks, Move(guild, secrets.token_hex(8), from_, to), written=None)
                held += 1
        metrics.waiting.set(len(self._wanted))

    def _may_begin(self, guild: GuildId, from_: PodName, to: PodName) -> bool:
        if self._state.assignment(guild) is None:
            return False
        pause = self._pauses.get(guild)
        if pause is not None and time.monotonic() < pause.until:
            return False
        return self._reachable(from_) and self._reachable(to)

    def _begin(self, tasks: asyncio.TaskGroup, move: Move, *, written: HandoffStatus | None) -> None:
        self._moves[move.guild] = _UnderWay(move, written, time.monotonic())
        metrics.under_way.set(len(self._moves))
        tasks.create_task(self._carry(self._moves[move.guild]))

    async def _carry(self, under_way: _UnderWay) -> None:
        """See a move to its end."""
        guild, began, step = under_way.move.guild, time.monotonic(), under_way.move.step
        backoff = Backoff(first=0.1, longest=5.0)
        while not machine.over(under_way.move):
            move = under_way.move
            under_way.changed.clear()
            if move.step != step:
                began, step = time.monotonic(), move.step
                backoff.reset()
            self._show(move)
            self._skip_gateway(guild)
            wanted = machine.record(move)
            if under_way.written != wanted or move.step is Step.UNDOING:  # something may be half written
                if not await self._write(under_way, wanted):
                    await backoff.pause()
                    continue
                if under_way.written == machine.record(under_way.move):
                    self._signal(guild, Signal.WRITTEN)
                continue
            await self._wait(under_way, began)
        self._show(under_way.move)
        self._end(under_way)

    async def _write(self, under_way: _UnderWay, wanted: HandoffStatus | None) -> bool:
        move = under_way.move
        pod = move.to if move.step is Step.SWITCHING else None
        try:
            await self._persist.persist(move.guild, pod=pod, handoff=wanted)
        except Missing:
            self._signal(move.guild, Signal.GONE)
            return False
        except (KubeError, TimeoutError) as error:
            _log.warning("handoff_not_written", guild_id=move.guild, step=move.step, error=str(error))
            return False
        under_way.written = wanted
        return True

    async def _wait(self, under_way: _UnderWay, began: float) -> None:
        """Until something happens; what takes too long is undone."""
        patience = self._patience(under_way.move)
        left = None if patience is None else began + patience - time.monotonic()
        try:
            async with asyncio.timeout(left):
                await under_way.changed.wait()
        except TimeoutError:
            self._signal(under_way.move.guild, Signal.LATE)

    def _show(self, move: Move) -> None:
        """Tell gateway and pods where the move is."""
        if machine.owner(move) == move.to:
            if self._state.handoff(move.guild) is not None:
                self._state.switch(move.guild, move.to)
        else:
            self._state.hand_off(move.guild, machine.handoff(move))
        useless = machine.forgetting(move)
        if useless is not None:
            self._state.forget(useless, move.guild)
        if machine.handoff(move) is None:
            self._spool.drop(move.id)
        if move.step is Step.FORGETTING:
            self._observe_switch(move)

    def _skip_gateway(self, guild: GuildId) -> None:
        """A guild that rests has no events; nobody has to keep them."""
        move = self.of(guild)
        if move is not None and move.step is Step.HOLDING and self._state.rests(guild):
            self._signal(guild, Signal.HELD)

    def _observe_switch(self, move: Move) -> None:
        under_way = self._moves[move.guild]
        if under_way.began:
            metrics.seconds.observe(time.monotonic() - under_way.began)
            under_way.began = 0.0

    def _end(self, under_way: _UnderWay) -> None:
        move = under_way.move
        del self._moves[move.guild]
        metrics.under_way.set(len(self._moves))
        metrics.handoffs[move.step if move.why is None else move.why].inc()
        _log.info("handoff_over", guild_id=move.guild, handoff=move.id, result=move.step, why=move.why)
        if move.why in (Signal.LATE, Signal.FAILED):
            before = self._pauses.get(move.guild)
            seconds = min(before.seconds * 2 if before is not None else self._pause, LONGEST_PAUSE_SECONDS)
            jittered = seconds * random.uniform(0.5, 1)  # noqa: S311  jitter, not a secret
            self._pauses[move.guild] = _Pause(seconds, time.monotonic() + jittered)
            if machine.owner(move) == move.from_:
                self._wanted.setdefault(move.guild, (move.from_, move.to))
        elif move.step is Step.MOVED:
            self._pauses.pop(move.guild, None)
            if self._wanted.get(move.guild, (move.to, ""))[0] != move.to:
                del self._wanted[move.guild]  # told before it was known that this move was over
        self._look.set()
