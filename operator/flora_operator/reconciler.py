"""Brings one guild at a time to what it should be: look, plan, write, tell.

The queue gives a key to one worker at a time, so nothing of a guild changes here under a worker's hands but
what the watches and the pods tell, and that makes the key dirty again. What a pod is told is written down
first, so that an operator that starts anew tells it the same. ``Moves`` writes through here too
(``persist``), for the same reason: one writer an object.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from flora_core.control.state import DesiredState
from flora_core.ids import GuildId, PodName
from flora_core.manifest import Hibernation
from flora_core.telemetry import logger
from flora_core.wire.control import DEFAULT_LIMITS, Assignment, Failed, Loaded, PodReport, Secret
from flora_operator import metrics
from flora_operator.absences import Absences
from flora_operator.builds import Builds
from flora_operator.deployment import FINALIZER, Deployment, Key
from flora_operator.errors import Conflict, KubeError, Missing, Throttled, Unreachable
from flora_operator.fleet import Fleet
from flora_operator.kube.recorder import Recorder
from flora_operator.notes import transitions
from flora_operator.plan import POD_GONE, Observed, Plan, plan, wants_build
from flora_operator.ports import Moves, Retention
from flora_operator.secret_values import resolve
from flora_operator.status import ASSIGNED, AssignmentStatus, HandoffStatus, Status, timestamp
from flora_operator.workqueue import Retry, WorkQueue
from flora_operator.writer import Writer

LET_GO_SECONDS: Final = 30.0
"""A deleted guild's pod has this long to set its data aside; then the object goes without."""

ASK_AGAIN_SECONDS: Final = 1.0
PERSIST_SECONDS: Final = 30.0

_log = logger(__name__)


@dataclass(slots=True)
class _Known:
    """What we hold to be an object's status, whatever somebody writes there."""

    uid: str
    guild: GuildId
    status: Status
    leaving_since: float = 0.0


@dataclass(slots=True)
class _Wish:
    """Something that ``Moves`` wants written."""

    pod: PodName | None
    handoff: HandoffStatus | None
    written: asyncio.Future[None]


class Reconciler:
    """``reconcile`` is what the queue's workers do; ``on_report`` what pods tell."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        queue: WorkQueue[Key],
        builds: Builds,
        writer: Writer,
        recorder: Recorder,
        state: DesiredState,
        retention: Retention,
        moves: Callable[[Reconciler], Moves],
        retention_hours: float,
        absences: Absences,
    ) -> None:
        """``moves`` gets this as its ``Persist``."""
        self._absences = absences
        self._fleet = fleet
        self._queue = queue
        self._builds = builds
        self._writer = writer
        self._recorder = recorder
        self._state = state
        self._retention = retention
        self._retention_seconds = retention_hours * 3600
        self._known: dict[Key, _Known] = {}
        self._reports: dict[GuildId, dict[PodName, Loaded | Failed]] = {}
        self._wishes: dict[Key, _Wish] = {}
        self._moving: set[Key] = set()
        self._members: frozenset[GuildId] | None = None
        self.moves = moves(self)

    # ---------------------------------------------------------------- told by others

    def trusted(self, key: Key) -> Deployment | None:
        """The object as the watch tells it, with the status that we know it to have."""
        deployment = self._fleet.get(key)
        known = self._known.get(key)
        if deployment is None or known is None or known.uid != deployment.uid:
            return deployment
        return replace(deployment, status=known.status)

    def seed(self) -> None:
        """Tell pods, before any asks, what they were told by the operator before us."""
        for deployment in self._fleet:
            told = deployment.status.assignment
            if told is not None and deployment.status.reason(ASSIGNED) == POD_GONE:
                self._absences.presume([PodName(told.pod)])
            if (
                told is None
                or not (told.pod and told.bundle and told.revision)
                or self._rival(deployment)
                or deployment.deleted
            ):
                continue
            if deployment.suspended or deployment.problem:
                if deployment.status.loaded_at:
                    self._state.rest(PodName(told.pod), deployment.guild)
                continue
            self._state.know_secrets(deployment.guild, resolve(deployment, self._fleet.secrets)[0])
            self._state.assign(PodName(told.pod), _assignment(deployment.guild, told))

    def on_report(self, pod: PodName, report: PodReport) -> None:
        """A pod says what became of an assignment."""
        if not isinstance(report, Loaded | Failed):
            self.moves.on_report(pod, report)
            return
        guild = GuildId(report.guild)
        serving = self._fleet.serving(guild)
        if serving is None:
            metrics.reports_ignored["unknown"].inc()
            return
        self.moves.on_report(pod, report)
        reports = self._reports.setdefault(guild, {})
        if reports.get(pod) != report:
            reports[pod] = report
            self._queue.add(serving.key)

    def on_pods(self, pods: tuple[PodName, ...]) -> None:
        """These are the pods that there should be."""
        self._fleet.know_pods(pods)
        for key in tuple(self._moving):
            self._queue.add(key)

    def on_absences(self, pods: Collection[PodName]) -> None:
        """These are gone, or there again."""
        for deployment in self._fleet:
            told = deployment.status.assignment
            if told is None or told.pod not in pods:
                continue
            if told.pod in self._absences.gone:  # what it said last is of the past
                self._reports.get(deployment.guild, {}).pop(PodName(told.pod), None)
            self._queue.add(deployment.key)

    def on_members(self, guilds: frozenset[GuildId]) -> None:
        """The bot is in these guilds."""
        before = self._members
        self._members = guilds
        for deployment in self._fleet:
            if before is None or (deployment.guild in before) != (deployment.guild in guilds):
                self._queue.add(deployment.key)

    async def persist(self, guild: GuildId, *, pod: PodName | None, handoff: HandoffStatus | None) -> None:
        """Implements ``Persist``: returns once it is written. Raises KubeError, TimeoutError too."""
        serving = self._fleet.serving(guild)
        if serving is None:
            raise Missing(f"guild {guild} is no longer deployed")
        wish = _Wish(pod, handoff, asyncio.get_running_loop().create_future())
        before = self._wishes.get(serving.key)
        if before is not None and not before.written.done():
            before.written.set_exception(Conflict("something newer was asked for"))
        self._wishes[serving.key] = wish
        self._queue.add(serving.key)
        try:
            async with asyncio.timeout(PERSIST_SECONDS):
                await wish.written
        finally:
            if self._wishes.get(serving.key) is wish:
                del self._wishes[serving.key]

    # ---------------------------------------------------------------- work

    async def reconcile(self, key: Key) -> None:
        """Bring the object to what it should be; raises KubeError, or Retry to look again."""
        with metrics.reconcile_seconds.time():
            deployment = self.trusted(key)
            if deployment is None:
                self._gone(key)
            elif deployment.deleted:
                await self._let_go(deployment)
            else:
                await self._serve(deployment)

    def on_error(self, key: Key, error: Exception) -> float | None:
        """How long to wait after what ``reconcile`` raised; None: the longer the more often."""
        namespace, name = key
        if isinstance(error, Missing):
            return ASK_AGAIN_SECONDS  # it is going; the watch will tell
        kind = type(error).__name__
        metrics.reconcile_errors[kind].inc()
        if isinstance(error, KubeError):
            say = _log.info if isinstance(error, (Conflict, Throttled, Unreachable)) else _log.warning
            say("reconcile_put_off", namespace=namespace, name=name, error=f"{kind}: {error}")
            return error.seconds if isinstance(error, Throttled) else None
        _log.error("reconcile_failed", namespace=namespace, name=name, exc_info=error)
        return None

    async def _serve(self, d: Deployment) -> None:
        wish = self._wishes.get(d.key)
        was = _with(d.status, wish)
        rival = self._rival(d)
        build = self._builds.outcome(d) if wants_build(d, serving=rival) else None
        if build is None and wants_build(d, serving=rival) and not d.suspended:
            return
        secrets, missing = resolve(d, self._fleet.secrets)
        pod = was.assignment.pod if was.assignment else ""
        made = plan(
            Observed(
                deployment=d,
                was=was,
                build=build,
                pods=self._fleet.pods,
                reports=self._reports.get(d.guild, {}),
                missing_secrets=missing,
                gone=self._absences.gone,
                serving=rival,
                member=None if self._members is None else d.guild in self._members,
                retention_seconds=self._retention_seconds,
                now=timestamp(),
            )
        )
        if made.forget is not None:
            self._release(d.guild)
            if not self._retention.release(d.guild, made.forget, keep=False):
                raise Retry(ASK_AGAIN_SECONDS)
        await self._write(d, made)
        if wish is not None and self._wishes.get(d.key) is wish:
            del self._wishes[d.key]
            if not wish.written.done():
                wish.written.set_result(None)
        if not rival:
            self._tell(d, made, pod, secrets)
        if made.look_again is not None:
            raise Retry(made.look_again)

    async def _write(self, d: Deployment, made: Plan) -> None:
        """What should stand there, unless it does; then what has happened."""
        if made.has_data and FINALIZER not in d.finalizers:
            self._fleet.wrote(d.key, await self._writer.hold(d))
        stands = self._fleet.get(d.key)
        if stands is None or stands.uid != d.uid:
            raise Missing("it was deleted")
        if stands.generation != d.generation:
            raise Retry(0)  # it was planned for another
        known = self._known.get(d.key)
        edited = known is not None and known.uid == d.uid and stands.status != known.status
        if stands.status != made.status:
            write = self._writer.replace_status if edited else self._writer.apply_status
            self._fleet.wrote(d.key, await write(stands, made.status), made.status)
        self._known[d.key] = _Known(d.uid, d.guild, made.status)
        for note in transitions(d.status, made.status):
            self._recorder.note(d, note)
            if note.reason == "Moved":
                metrics.moves["handoff" if made.has_data else "placed"].inc()

    def _tell(self, d: Deployment, made: Plan, pod_before: str, secrets: list[Secret]) -> None:
        """Pods hear what has been written down."""
        if made.rest is not None:
            self._reports.pop(d.guild, None)
            self._state.know_secrets(d.guild, [])
            self._state.rest(made.rest, d.guild)
        elif made.run is None:
            self._release(d.guild)
        else:
            self._state.know_secrets(d.guild, secrets)
            self._state.assign(*made.run)
        if made.move_to is not None and pod_before:
            self._moving.add(d.key)
            self.moves.want(d.guild, from_=PodName(pod_before), to=made.move_to, known=made.status.handoff)
        elif d.key in self._moving or made.status.handoff is not None:
            self._moving.discard(d.key)
            self.moves.drop(d.guild, known=made.status.handoff)

    async def _let_go(self, d: Deployment) -> None:
        """Unload it, have its data set aside, and let it be deleted."""
        if not self._rival(d):
            self._release(d.guild)
            self.moves.drop(d.guild)
            if FINALIZER in d.finalizers and not self._released(d):
                raise Retry(ASK_AGAIN_SECONDS)
        if FINALIZER in d.finalizers:
            self._fleet.wrote(d.key, await self._writer.let_go(d))

    def _released(self, d: Deployment) -> bool:
        """Whether its pod has set the data aside, or had long enough to."""
        known = self._known.setdefault(d.key, _Known(d.uid, d.guild, d.status))
        known.leaving_since = known.leaving_since or time.monotonic()
        told = d.status.assignment
        if told is None or not told.pod or self._retention.release(d.guild, PodName(told.pod)):
            return True
        if time.monotonic() - known.leaving_since < LET_GO_SECONDS:
            return False
        metrics.let_go_unconfirmed.inc()
        _log.warning("deletion_not_confirmed", guild_id=d.guild, pod=told.pod)
        return True

    # ---------------------------------------------------------------- inside

    def _gone(self, key: Key) -> None:
        """The object is no more; without a finalizer of ours it may have gone while it ran."""
        self._builds.forget(key)
        self._moving.discard(key)
        wish = self._wishes.pop(key, None)
        if wish is not None and not wish.written.done():
            wish.written.set_exception(Missing("it was deleted"))
        known = self._known.pop(key, None)
        if known is not None and self._fleet.serving(known.guild) is None:
            self._release(known.guild)
            self.moves.drop(known.guild)
            told = known.status.assignment
            if told is not None and told.pod and not known.leaving_since:
                self._retention.release(known.guild, PodName(told.pod))

    def _release(self, guild: GuildId) -> None:
        """Nobody runs it; what was reported of it is of the past."""
        self._state.release(guild)
        self._state.know_secrets(guild, [])
        self._reports.pop(guild, None)

    def _rival(self, deployment: Deployment) -> str:
        """The older object that serves the guild; empty when it is this one."""
        serving = self._fleet.serving(deployment.guild)
        return "/".join(serving.key) if serving is not None and serving.key != deployment.key else ""


def _with(status: Status, wish: _Wish | None) -> Status:
    """``status`` as ``Moves`` wants it."""
    if wish is None:
        return status
    told = status.assignment or AssignmentStatus()
    if wish.pod is not None and wish.pod != told.pod:
        told = msgspec.structs.replace(told, pod=wish.pod, worker=None)
    return msgspec.structs.replace(status, assignment=told, handoff=wish.handoff)


def _assignment(guild: GuildId, told: AssignmentStatus) -> Assignment:
    """What a status says its pod was told."""
    limits = told.limits or DEFAULT_LIMITS
    return Assignment(guild, told.revision, told.bundle, limits, told.hibernation != Hibernation.NEVER)
