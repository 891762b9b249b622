"""What should run where, with revisions, so that a reader can catch up. No I/O.

Every change has a revision, the next number. The last ``LOG_LENGTH`` changes are kept; a reader that is
further behind, or comes from another epoch (another process), gets a snapshot instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from dataclasses import dataclass
from typing import Final

from flora_core.ids import GuildId, PodName
from flora_core.wire.control import (
    Assign,
    Assignment,
    Release,
    Retire,
    Route,
    Routes,
    Secret,
    Secrets,
    Snapshot,
)

LOG_LENGTH: Final = 10_000


@dataclass(slots=True, frozen=True)
class Change:
    """One guild's assignment or its secrets changed; ``assignment`` None: nobody runs it any more."""

    revision: int
    guild: GuildId
    pod: PodName | None
    old_pod: PodName | None
    assignment: Assignment | None
    secrets: bool = False
    """Only the secrets changed."""


class DesiredState:
    """Assignments of all pods."""

    def __init__(self) -> None:
        self.epoch: Final = secrets.token_hex(8)
        self.revision = 0
        self._placed: dict[GuildId, tuple[PodName, Assignment]] = {}
        self._secrets: dict[GuildId, list[Secret]] = {}
        self._log: deque[Change] = deque(maxlen=LOG_LENGTH)
        self._draining: dict[PodName, str] = {}
        self._retirements: dict[PodName, Retire] = {}
        self._changed = asyncio.Event()

    def assignment(self, guild: GuildId) -> Assignment | None:
        """What ``guild`` should run."""
        placed = self._placed.get(guild)
        return placed[1] if placed is not None else None

    def assign(self, pod: PodName, assignment: Assignment) -> None:
        """``pod`` should run this; a guild has one pod."""
        guild = GuildId(assignment.guild)
        placed = self._placed.get(guild)
        if placed == (pod, assignment):
            return
        self._placed[guild] = (pod, assignment)
        self._add(guild, pod, placed[0] if placed else None, assignment)

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
            self._add(guild, placed[0], placed[0], placed[1], secrets=True)

    def release(self, guild: GuildId) -> None:
        """Nobody should run ``guild``."""
        placed = self._placed.pop(guild, None)
        if placed is not None:
            self._add(guild, None, placed[0], None)

    def drains(self, pod: PodName, process: str) -> None:
        """The ``process`` of ``pod`` was told to stop, and asks whether it may."""
        self._draining[pod] = process

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
        mine = {guild: assignment for guild, (where, assignment) in self._placed.items() if where == pod}
        secrets: dict[str, list[Secret]] = {g: self._secrets[g] for g in mine if g in self._secrets}
        retire = self._retirements.get(pod)
        return Snapshot(self.epoch, self.revision, list(mine.values()), secrets, retire)

    def routes(self) -> Routes:
        """Every guild's pod now."""
        return Routes(self.epoch, self.revision, {guild: pod for guild, (pod, _) in self._placed.items()})

    def covers(self, epoch: str, revision: int) -> bool:
        """Whether a reader at ``revision`` can be brought up to date by changes alone."""
        oldest = self._log[0].revision if self._log else self.revision + 1
        return epoch == self.epoch and oldest - 1 <= revision <= self.revision

    def changes(self, pod: PodName, *, after: int) -> list[Assign | Release | Secrets | Retire]:
        """What changed for ``pod`` behind revision ``after``; only when ``covers``."""
        frames: list[Assign | Release | Secrets | Retire] = []
        for change in self._since(after):
            if change.pod == pod and change.assignment is not None:
                # As they are now: what they were in between helps nobody.
                secrets = self._secrets.get(change.guild, [])
                if change.secrets or (secrets and change.old_pod != pod):
                    frames.append(Secrets(change.revision, change.guild, secrets))
                if not change.secrets:
                    frames.append(Assign(change.revision, change.assignment))
            elif change.old_pod == pod:
                frames.append(Release(change.revision, change.guild))
        retire = self._retirements.get(pod)
        if retire is not None and retire.revision > after:
            frames.append(retire)
        return frames

    def route_changes(self, *, after: int) -> list[Route]:
        """Which guilds moved behind revision ``after``; only when ``covers``."""
        return [
            Route(change.revision, change.guild, change.pod)
            for change in self._since(after)
            if change.pod != change.old_pod
        ]

    async def wait_beyond(self, revision: int, *, seconds: float) -> None:
        """Return when there is a later revision, or after ``seconds``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.revision <= revision:
                    await self._changed.wait()

    def _since(self, revision: int) -> list[Change]:
        return [change for change in self._log if change.revision > revision]

    def _add(
        self,
        guild: GuildId,
        pod: PodName | None,
        old_pod: PodName | None,
        assignment: Assignment | None,
        *,
        secrets: bool = False,
    ) -> None:
        self.revision += 1
        self._log.append(Change(self.revision, guild, pod, old_pod, assignment, secrets))
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
