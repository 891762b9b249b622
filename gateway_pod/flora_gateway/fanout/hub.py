"""Every event to the buffers of the pods that want it.

The hub is where a shard's events become a pod's frames: it asks the classifier what the event is, the
subscriptions whether that guild's script handles it, and the route table which pod runs the guild. It also
keeps, for every pod, how far its ops have been taken.

Events of a guild that moves wait in ``holds``. Once its pod has acknowledged all that it was sent, whoever
decides is told; when the route says where the guild is now, they go there, in order.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from flora_core.errors import MalformedFrame
from flora_core.events import EVENTS, INTERACTION, READY
from flora_core.telemetry import logger
from flora_core.wire import UNREADABLE
from flora_core.wire.control import Held, Hold
from flora_core.wire.gateway import Subscribe
from flora_gateway import metrics
from flora_gateway.fanout.buffer import Frame, PodBuffer
from flora_gateway.fanout.classify import Classified, classify
from flora_gateway.fanout.holds import Event, Holds
from flora_gateway.shards.shard import Dispatch

CHUNK_BYTES: Final = 1 << 18
FLUSH_POLL_SECONDS: Final = 0.02

SCOPED: Final = frozenset(
    (
        INTERACTION,
        *("CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE"),
        *("THREAD_CREATE", "THREAD_UPDATE", "THREAD_DELETE"),
    )
)
"""Events for scripts that also tell which guild owns what."""

_log = logger(__name__)


class ScopeListener(Protocol):
    """Learns from events which guild owns what."""

    def observe(self, event: str, data: bytes) -> None:
        """Learn from one event; raises msgspec.DecodeError when it is not what Discord sends."""
        ...

    def learn_channel(self, channel: str, guild: str) -> None:
        """An event of ``guild`` happened in ``channel``."""
        ...


@dataclass(slots=True)
class Pod:
    """One runtime pod as the gateway knows it."""

    buffer: PodBuffer
    added: Callable[[], None] = lambda: None
    """Called after a frame was added; the open stream puts itself here."""
    process: str = ""
    """Names the pod's process; a restarted one numbers its ops anew."""
    last_op: int = 0
    """Highest op sequence number taken from that process."""
    connected: bool = False


class Hub:
    """See the module's text. All methods belong to the event loop's thread."""

    def __init__(
        self,
        *,
        pod_of: Callable[[str], str | None],
        all_pods: Callable[[], set[str]],
        scope: ScopeListener,
        byte_limit: int,
        guild_limit: int,
        held: Callable[[], Mapping[str, Hold]] = dict,
    ) -> None:
        """``held`` tells which guilds' events are to wait, and for which handoff."""
        self.epoch: Final = secrets.token_hex(8)
        self._pod_of = pod_of
        self._all_pods = all_pods
        self._scope = scope
        self._byte_limit = byte_limit
        self._guild_limit = guild_limit
        self._held = held
        self._holds = Holds(byte_limit=byte_limit, guild_limit=guild_limit)
        self.on_held: Callable[[Held], None] = lambda _held: None
        """Told once of each guild of which nothing is on its way to its pod any more."""
        self._pods: dict[str, Pod] = {}
        self._subscriptions: dict[tuple[str, str], Subscribe] = {}
        """By pod and guild: one that has lost a guild has no say in it any more."""
        self.bot_user = ""

    def know_bot(self, user_id: str) -> None:
        """The bot's own user, whose messages scripts see only on request."""
        self.bot_user = user_id

    def pod(self, name: str) -> Pod:
        """The pod ``name``, known or new."""
        pod = self._pods.get(name)
        if pod is None:
            buffer = PodBuffer(byte_limit=self._byte_limit, guild_limit=self._guild_limit)
            pod = self._pods[name] = Pod(buffer)
        return pod

    def pod_process(self, name: str, process: str) -> Pod:
        """The pod ``name``, of which ``process`` has just dialled."""
        pod = self.pod(name)
        if pod.process != process:
            pod.process = process
            pod.last_op = 0
        return pod

    def runs(self, pod: str, guild: str) -> bool:
        """Whether ``guild`` is ``pod``'s, or about to be."""
        hold = self._held().get(guild)
        return self._pod_of(guild) == pod or (hold is not None and hold.to == pod)

    async def all_acknowledged(self) -> None:
        """Return when every connected pod has everything; give it a deadline."""
        while any(len(pod.buffer) for pod in self._pods.values() if pod.connected):
            await asyncio.sleep(FLUSH_POLL_SECONDS)

    def subscribe(self, pod: str, subscription: Subscribe) -> None:
        """A script was loaded on ``pod`` and says what it handles."""
        self._subscriptions[pod, subscription.guild] = subscription

    # ---------------------------------------------------------------- events in

    def on_dispatch(self, event: Dispatch) -> None:
        """One event of one shard."""
        metrics.events[event.type].inc()
        try:
            reason = self._take(event)
        except (MalformedFrame, *UNREADABLE) as error:
            _log.warning("event_not_understood", type=event.type, error=str(error))
            reason = "malformed"
        if reason is not None:
            metrics.dropped[event.type, reason].inc()
            event.low_water.passed(event.sequence)

    def _take(self, event: Dispatch) -> str | None:
        """Do with the event what it is for; why it goes to no pod, when it was meant for one."""
        if event.type not in EVENTS:
            self._scope.observe(event.type, event.data)
            event.low_water.passed(event.sequence)
            return None
        if event.type == READY:
            self._broadcast(event)
            return None
        if event.type in SCOPED:
            self._scope.observe(event.type, event.data)
        return self._route(event, classify(event.type, event.data))

    def _route(self, event: Dispatch, classified: Classified) -> str | None:
        """Queue the event for its pod, or say why not."""
        guild = classified.guild
        if not guild:
            return "no_guild"
        if classified.name is None:
            return "not_supported"
        if classified.channel:
            self._scope.learn_channel(classified.channel, guild)
        name = self._pod_of(guild)
        if name is None:
            return "no_route"
        unwanted = self._unwanted(name, guild, classified)
        if unwanted is not None:
            return unwanted
        return self._queue(name, event, guild, classified)

    def _unwanted(self, pod: str, guild: str, classified: Classified) -> str | None:
        """Why the guild's script on ``pod`` has no use for the event; None when it may have."""
        subscription = self._subscriptions.get((pod, guild))
        wants_own = subscription is not None and subscription.own
        if classified.author and classified.author == self.bot_user and not wants_own:
            return "own_message"
        if subscription is not None and classified.name not in subscription.events:
            return "not_subscribed"
        return None

    def _queue(self, name: str, event: Dispatch, guild: str, classified: Classified) -> str | None:
        pod, size = self.pod(name), len(classified.data)
        held = self._held().get(guild)
        if held is not None:
            self._holds.begin(guild, held.handoff, time.monotonic())
        holder = pod.buffer if held is None and self._holds.of(guild) is None else self._holds
        drop = holder.refuses(event.type, guild, size)
        if drop is not None:
            return drop
        low_water, sequence = event.low_water, event.sequence
        low_water.opened(sequence)
        head = b'{"k":"event","o":%d,"t":"%b","g":"%b","x":"%b","s":%d,"at":%d,"d":%b}\n'
        fields = (
            event.type.encode(),
            guild.encode(),
            event.session.encode(),
            sequence,
            time.time_ns() // 1_000_000,
            classified.data,
        )
        taken = Event(
            event.type,
            classified.name or "",
            lambda offset: head % (offset, *fields),
            size,
            time.monotonic(),
            lambda: low_water.closed(sequence),
        )
        if holder is self._holds:
            self._holds.add(guild, taken)
        else:
            self._send(pod, guild, taken)
        return None

    def _send(self, pod: Pod, guild: str, event: Event) -> None:
        pod.buffer.append(event.line, guild=guild, type_=event.type, at=event.at, done=event.done)
        pod.added()

    # ---------------------------------------------------------------- guilds that move

    def routes_changed(self) -> None:
        """The table says something else: hold what is to be held, let go what is not."""
        held = self._held()
        for guild in self._holds.guilds:
            if guild not in held:
                self._let_go(guild)
        now = time.monotonic()
        for guild, hold in held.items():
            self._holds.begin(guild, hold.handoff, now)
        self._say_held()

    @property
    def all_held(self) -> list[Held]:
        """Every guild of which nothing is on its way to its pod, for somebody who may not know."""
        holds = {guild: self._holds.of(guild) for guild in self._holds.guilds}
        return [Held(guild, hold.handoff) for guild, hold in holds.items() if hold is not None and hold.said]

    def acknowledge(self, pod: Pod, offset: int) -> None:
        """``pod`` has everything up to ``offset``."""
        pod.buffer.acknowledge(offset)
        self._say_held()

    def rewind(self, pod: Pod, after: int) -> None:
        """``pod`` is back, and has everything up to ``after``."""
        pod.buffer.rewind(after)
        self._say_held()

    def _say_held(self) -> None:
        held = self._held()
        for guild in self._holds.guilds:
            hold, name = self._holds.of(guild), self._pod_of(guild)
            if hold is None or hold.said or guild not in held:
                continue
            if name is None or not self.pod(name).buffer.waits(guild):
                hold.said = True
                self.on_held(Held(guild, hold.handoff))

    def _let_go(self, guild: str) -> None:
        """What waited goes to the guild's pod, as far as its script handles it."""
        hold, name = self._holds.end(guild), self._pod_of(guild)
        metrics.hold_seconds.observe(time.monotonic() - hold.since)
        subscription = self._subscriptions.get((name, guild)) if name is not None else None
        sent = 0
        for event in hold.events:
            reason = None
            if name is None:
                reason = "no_route"
            elif subscription is not None and event.name not in subscription.events:
                reason = "not_subscribed"
            else:
                reason = self.pod(name).buffer.refuses(event.type, guild, event.size)
            if name is None or reason is not None:
                metrics.dropped[event.type, reason or ""].inc()
                event.done()
            else:
                self._send(self.pod(name), guild, event)
                sent += 1
        _log.info(
            "hold_ended", guild_id=guild, pod=name, handoff=hold.handoff, held=len(hold.events), sent=sent
        )

    def _broadcast(self, event: Dispatch) -> None:
        """READY to every pod, without the guild list: tenants do not see each other."""
        event.low_water.passed(event.sequence)
        ready = msgspec.json.decode(event.data, type=_Ready)
        data = msgspec.json.encode(ready)
        head = b'{"k":"event","o":%d,"t":"READY","g":"","x":"%b","s":0,"at":%d,"d":%b}\n'
        fields = (event.session.encode(), time.time_ns() // 1_000_000, data)
        for name in self._all_pods():
            pod = self.pod(name)
            pod.buffer.append(lambda offset: head % (offset, *fields), guild="")
            pod.added()

    # ---------------------------------------------------------------- frames out

    def result(self, pod_name: str, guild: str, op: int, *, ok: bool, value: bytes) -> None:
        """The answer to an op of a pod; ``value`` is JSON on one line."""
        pod = self.pod(pod_name)
        head = b'{"k":"result","o":%d,"g":"%b","i":%d,"ok":%b,"v":%b}\n'
        fields = (guild.encode(), op, b"true" if ok else b"false", value)
        pod.buffer.append(lambda offset: head % (offset, *fields), guild=guild)
        pod.added()

    def take_unsent(self, pod: Pod) -> list[Frame]:
        """The next frames for a pod's stream."""
        now = time.monotonic()
        frames, expired = pod.buffer.take_unsent(limit=CHUNK_BYTES, now=now)
        for frame in expired:
            metrics.dropped[frame.type, "expired"].inc()
        if expired:
            self._say_held()
        oldest = next((frame.at for frame in frames if frame.at), 0.0)
        if oldest:
            metrics.delay_seconds.observe(now - oldest)
        metrics.sent.inc(len(frames))
        return frames


class _User(msgspec.Struct):
    id: str
    username: str = ""
    discriminator: str = "0"
    bot: bool = True
    avatar: str | None = None
    global_name: str | None = None


class _Application(msgspec.Struct, frozen=True):
    id: str = ""


class _Ready(msgspec.Struct):
    user: _User
    application: _Application = _Application()
