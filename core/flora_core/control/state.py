"""What should run where, with revisions, so that a reader can catch up. No I/O.

Every change has a revision, the next number. The last ``LOG_LENGTH`` changes are kept; a reader that is
further behind, or comes from another epoch (another process), gets a snapshot instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
from collections import deque
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

import msgspec

from flora_core.ids import GuildId, PodName
from flora_core.wire.control import (
    Assign,
    Assignment,
    Forget,
    Hold,
    Release,
    Retire,
    Route,
    Routes,
    Secret,
    Secrets,
    Snapshot,
)

LOG_LENGTH: Final = 10_000


class Stage(IntEnum):
    """How far a handoff has come; each has all that the ones before it have."""

    HOLDING = 1
    """The gateway keeps the guild's new events."""
    LEAVING = 2
    """Its pod stops it and hands its data over."""
    ADOPTING = 3
    """The other pod takes the data and loads it."""


@dataclass(slots=True, frozen=True)
class Handoff:
    """A guild on its way from the pod that has it to another."""

    id: str
    to: PodName
    stage: Stage


@dataclass(slots=True, frozen=True)
class Placed:
    """Where a guild is, and what runs there: nothing, when its assignment names no bundle."""

    pod: PodName
    assignment: Assignment
    handoff: Handoff | None = None

    @property
    def rests(self) -> bool:
        """Whether nothing of it runs: its pod has its data, and hears of it only when that is to go."""
        return not self.assignment.bundle

    def on(self, pod: PodName) -> Assignment | None:
        """What ``pod`` should know of it; None for nothing."""
        handoff = self.handoff
        if pod == self.pod:
            if handoff is None or handoff.stage < Stage.LEAVING:
                return None if self.rests else self.assignment
            return msgspec.structs.replace(self.assignment, leaves=handoff.id)
        if handoff is not None and pod == handoff.to and handoff.stage is Stage.ADOPTING:
            return msgspec.structs.replace(self.assignment, adopts=handoff.id)
        return None

    @property
    def pods(self) -> tuple[PodName, ...]:
        """Those that know of it, or may."""
        return (self.pod,) if self.handoff is None else (self.pod, self.handoff.to)

    @property
    def hold(self) -> Hold | None:
        """What its events wait for."""
        return Hold(self.handoff.id, self.handoff.to) if self.handoff is not None else None

    @property
    def route(self) -> tuple[PodName, Hold | None] | None:
        """Its pod, and what its events wait for; None: nobody wants them."""
        return None if self.rests else (self.pod, self.hold)


@dataclass(slots=True, frozen=True)
class Change:
    """Where one guild was and is, or its secrets changed; None: nobody runs it."""

    revision: int
    guild: GuildId
    now: Placed | None
    before: Placed | None
    secrets: bool = False
    """Only the secrets changed."""

    def concerns(self, pod: PodName) -> bool:
        """Whether ``pod`` should hear of it."""
        return any(placed is not None and pod in placed.pods for placed in (self.now, self.before))


class DesiredState:
    """Assignments of all pods."""

    def __init__(self) -> None:
        self.epoch: Final = secrets.token_hex(8)
        self.revision = 0
        self._placed: dict[GuildId, Placed] = {}
        self._secrets: dict[GuildId, list[Secret]] = {}
        self._forgets: dict[PodName, dict[GuildId, Forget]] = {}
        self._log: deque[Change] = deque(maxlen=LOG_LENGTH)
        self._draining: dict[PodName, str] = {}
        self._retirements: dict[PodName, Retire] = {}
        self._changed = asyncio.Event()

    def assignment(self, guild: GuildId) -> Assignment | None:
        """What ``guild`` should run."""
        placed = self._placed.get(guild)
        return placed.assignment if placed is not None else None

    def assign(self, pod: PodName, assignment: Assignment) -> None:
        """``pod`` should run this; a guild has one pod. A handoff of it goes on when it is from this pod."""
        guild = GuildId(assignment.guild)
        placed = self._placed.get(guild)
        handoff = placed.handoff if placed is not None and placed.pod == pod else None
        self._place(guild, Placed(pod, assignment, handoff))

    def rest(self, pod: PodName, guild: GuildId) -> None:
        """Nobody should run ``guild``, whose data is ``pod``'s. A handoff of it goes on, as in ``assign``."""
        self.assign(pod, Assignment(guild, 0, ""))

    def rests(self, guild: GuildId) -> bool:
        """Whether it is known where the data of ``guild`` is, and nobody should run it."""
        placed = self._placed.get(guild)
        return placed is not None and placed.rests

    def know_secrets(self, guild: GuildId, secrets: list[Secret]) -> None:
        """These are all of the guild's secrets; its pod gets them now, or with its assignment."""
        if self._secrets.get(guild, []) == secrets:
            return
        if secrets:
            self._secrets[guild] = secrets
        else:
            del self._secrets[guild]
        placed = self._placed.get(guild)
        if placed is not None:
            self._add(guild, placed, placed, secrets=True)

    def release(self, guild: GuildId) -> None:
        """Nobody should run ``guild``."""
        self._place(guild, None)

    # ---------------------------------------------------------------- handoffs

    def handoff(self, guild: GuildId) -> Handoff | None:
        """The handoff that ``guild`` is in."""
        placed = self._placed.get(guild)
        return placed.handoff if placed is not None else None

    def handed_by(self, id_: str) -> tuple[PodName, PodName] | None:
        """Between which pods the handoff ``id_`` goes, from one to the other; None when there is none."""
        for placed in self._placed.values():
            if placed.handoff is not None and placed.handoff.id == id_:
                return placed.pod, placed.handoff.to
        return None

    def hand_off(self, guild: GuildId, handoff: Handoff | None) -> None:
        """``guild`` has come so far on its way; None: it stays where it is, as if nothing had been."""
        placed = self._placed.get(guild)
        if placed is not None:
            self._place(guild, replace(placed, handoff=handoff))

    def switch(self, guild: GuildId, pod: PodName) -> None:
        """``guild`` is ``pod``'s now."""
        placed = self._placed.get(guild)
        if placed is not None:
            self._place(guild, Placed(pod, placed.assignment))

    def forget(self, pod: PodName, guild: GuildId, *, retain_hours: float = 0.0) -> None:
        """``pod`` should delete what it keeps of ``guild``; not while it has anything to do with it."""
        known = self._forgets.setdefault(pod, {})
        placed = self._placed.get(guild)
        if guild not in known and (placed is None or pod not in placed.pods):
            self.revision += 1
            known[guild] = Forget(self.revision, guild, retain_hours)
            self._tell()

    def forgotten(self, pod: PodName, guild: GuildId) -> None:
        """``pod`` has done so."""
        self._forgets.get(pod, {}).pop(guild, None)

    # ---------------------------------------------------------------- what readers are told

    def drains(self, pod: PodName, process: str) -> None:
        """The ``process`` of ``pod`` was told to stop, and asks whether it may."""
        self._draining[pod] = process

    def has_guilds(self, pod: PodName) -> bool:
        """Whether ``pod`` should run any guild, has the data of one that rests, or part in a handoff."""
        return any(pod in placed.pods for placed in self._placed.values())

    def retire(self, pod: PodName, *, wait: bool = False) -> None:
        """Answer ``pod`` that it may leave; or that it should ``wait``, because guilds of its own are to be
        moved. Nothing happens when it did not ask: it asks again on every new connection.
        """
        process = self._draining.get(pod)
        earlier = self._retirements.get(pod)
        if process is None or (earlier is not None and (earlier.process, earlier.wait) == (process, wait)):
            return
        self.revision += 1
        self._retirements[pod] = Retire(self.revision, process, wait)
        self._tell()

    def snapshot(self, pod: PodName) -> Snapshot:
        """All that ``pod`` should run now."""
        mine: dict[str, Assignment] = {}
        for guild, placed in self._placed.items():
            assignment = placed.on(pod)
            if assignment is not None:
                mine[guild] = assignment
        secrets: dict[str, list[Secret]] = {
            g: self._secrets[g] for g in map(GuildId, mine) if g in self._secrets
        }
        forgets = list(self._forgets.get(pod, {}).values())
        return Snapshot(
            self.epoch, self.revision, list(mine.values()), secrets, forgets, self._retirements.get(pod)
        )

    def routes(self) -> Routes:
        """Every guild's pod now."""
        pods: dict[str, str] = {}
        held: dict[str, Hold] = {}
        for guild, placed in self._placed.items():
            if placed.rests:
                continue
            pods[guild] = placed.pod
            if placed.hold is not None:
                held[guild] = placed.hold
        return Routes(self.epoch, self.revision, pods, held)

    def covers(self, epoch: str, revision: int) -> bool:
        """Whether a reader at ``revision`` can be brought up to date by changes alone."""
        oldest = self._log[0].revision if self._log else self.revision + 1
        return epoch == self.epoch and oldest - 1 <= revision <= self.revision

    def changes(self, pod: PodName, *, after: int) -> list[Assign | Release | Secrets | Forget | Retire]:
        """What changed for ``pod`` behind revision ``after``; only when ``covers``.

        What a pod should have comes as it is now: what it was in between helps nobody.
        """
        frames: list[Assign | Release | Secrets | Forget | Retire] = []
        for change in self._since(after):
            if not change.concerns(pod):
                continue
            knew = change.before is not None and change.before.on(pod) is not None
            if change.now is None or change.now.on(pod) is None:
                if knew:
                    frames.append(Release(change.revision, change.guild))
                continue
            placed = self._placed.get(change.guild)
            assignment = placed.on(pod) if placed is not None else None
            if assignment is None:
                continue  # a later change takes it away
            secrets = self._secrets.get(change.guild, [])
            if change.secrets or (secrets and not knew):
                frames.append(Secrets(change.revision, change.guild, secrets))
            if not change.secrets:
                frames.append(Assign(change.revision, assignment))
        forgets = self._forgets.get(pod, {}).values()
        frames += [forget for forget in forgets if forget.revision > after]
        retire = self._retirements.get(pod)
        if retire is not None and retire.revision > after:
            frames.append(retire)
        return frames

    def route_changes(self, *, after: int) -> list[Route]:
        """Which guilds moved, or are held, behind revision ``after``; only when ``covers``."""
        frames: list[Route] = []
        for change in self._since(after):
            now = change.now.route if change.now is not None else None
            before = change.before.route if change.before is not None else None
            if now != before:
                pod, hold = now if now is not None else (None, None)
                frames.append(Route(change.revision, change.guild, pod, hold))
        return frames

    async def wait_beyond(self, revision: int, *, seconds: float) -> None:
        """Return when there is a later revision, or after ``seconds``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.revision <= revision:
                    await self._changed.wait()

    def _since(self, revision: int) -> list[Change]:
        newest_first = itertools.takewhile(lambda change: change.revision > revision, reversed(self._log))
        return list(newest_first)[::-1]

    def _place(self, guild: GuildId, now: Placed | None) -> None:
        before = self._placed.get(guild)
        if now == before:
            return
        if now is None:
            del self._placed[guild]
        else:
            self._placed[guild] = now
            for pod in now.pods:  # what it should forget is not what it gets now
                self.forgotten(pod, guild)
        self._add(guild, now, before)

    def _add(
        self, guild: GuildId, now: Placed | None, before: Placed | None, *, secrets: bool = False
    ) -> None:
        self.revision += 1
        self._log.append(Change(self.revision, guild, now, before, secrets))
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
