"""Many messages at once, for load tests: emitted, not stored, at a rate or as fast as they are taken.

A message is a template cut into pieces once; what changes from one to the next (id, time, number) is put
between the pieces as bytes. The firehose waits when a connection is half a replay buffer behind, so that
it measures the reader and does not cut it off.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from flora_simulator.errors import ActRefused
from flora_simulator.gateway import Hub
from flora_simulator.gateway.session import encode
from flora_simulator.gateway.visibility import BITS, View
from flora_simulator.simcord_port import Channel, ChannelType, Guild, Message, User, serializers
from flora_simulator.wire import FirehoseOrder, FirehoseState
from flora_simulator.world import World

_TICK: Final = 0.01
_BATCH: Final = 200
_MARKS: Final = {"id": "\ue000i\ue000", "at": "\ue000a\ue000", "n": "\ue000n\ue000", "t": "\ue000t\ue000"}


@dataclass(slots=True)
class _Source:
    """Where messages come from: one channel, and the pieces of a message in it."""

    guild: int
    pieces: list[bytes]


class Firehose:
    """One run at a time."""

    def __init__(self, world: World, hub: Hub, *, most_behind: int) -> None:
        self._world = world
        self._hub = hub
        self._most_behind = most_behind
        self._task: asyncio.Task[None] | None = None
        self._order = FirehoseOrder(count=0)
        self._sent = 0
        self._started = self._ended = 0.0

    @property
    def state(self) -> FirehoseState:
        """How far it is."""
        running = self._task is not None and not self._task.done()
        end = time.monotonic() if running else self._ended
        return FirehoseState(running, self._sent, self._order.count, round(end - self._started, 3))

    def start(self, order: FirehoseOrder) -> None:
        """Begin a run; raises ActRefused while another one runs, or when there is no channel for it."""
        if self.state.running:
            raise ActRefused("the firehose is running; stop it first")
        if order.count < 0 or order.rate < 0:
            raise ActRefused("count and rate must not be negative")
        sources = self._sources(order)
        self._order, self._sent, self._started = order, 0, time.monotonic()
        self._task = asyncio.create_task(self._run(sources))

    async def stop(self) -> None:
        """End the run, if there is one."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _sources(self, order: FirehoseOrder) -> list[_Source]:
        world = self._world
        user = world.user(order.user)
        guilds = [world.guild(ref) for ref in order.guilds or []] or list(world.backend.guilds.values())
        if order.channels is not None:
            channels = [world.channel(ref) for ref in order.channels]
        else:
            channels = [c for guild in guilds for c in _text_channels(world, guild)]
        sources = [self._source(channel, user, order.content) for channel in channels]
        if not sources:
            raise ActRefused("there is no text channel to send to")
        return sources

    def _source(self, channel: Channel, user: User, content: str) -> _Source:
        guild = self._world.backend.get_guild(channel.guild_id or 0)
        marked = content.replace("{n}", _MARKS["n"]).replace("{t}", _MARKS["t"])
        message = Message(0, channel.id, user.id, content=marked, timestamp=_MARKS["at"])
        payload = {**serializers.message_payload(self._world.backend, message), "id": _MARKS["id"]}
        if (member := guild.members.get(user.id)) is not None:
            payload["member"] = serializers.member_payload(
                self._world.backend, guild, member, with_user=False
            )
        data = View(self._world.backend, "MESSAGE_CREATE", payload).for_intents(~0)
        return _Source(guild.id, (data or encode(payload)).split("\ue000".encode()))

    async def _run(self, sources: list[_Source]) -> None:
        order, began = self._order, time.monotonic()
        try:
            while self._sent < order.count:
                due = order.count
                if order.rate:
                    due = min(due, int((time.monotonic() - began) * order.rate) + 1)
                batch = 0 if self._crowded() else min(due - self._sent, _BATCH)
                for _ in range(batch):
                    self._emit(sources[self._sent % len(sources)])
                await asyncio.sleep(0 if batch == _BATCH else _TICK)
        finally:
            self._ended = time.monotonic()

    def _emit(self, source: _Source) -> None:
        backend = self._world.backend
        now = {
            b"i": b"%d" % backend.snowflake(),
            b"a": backend.now_iso().encode(),
            b"n": b"%d" % self._sent,
            b"t": b"%d" % time.time_ns(),
        }
        # Every second piece is a mark: the text was split at the character around them.
        pieces = [now[piece] if index % 2 else piece for index, piece in enumerate(source.pieces)]
        self._hub.tell_encoded(
            "MESSAGE_CREATE", source.guild, b"".join(pieces), intent=BITS["guild_messages"]
        )
        self._sent += 1

    def _crowded(self) -> bool:
        connections = [session.connection for session in self._hub.sessions]
        return any(c is not None and c.lag > self._most_behind for c in connections)


def _text_channels(world: World, guild: Guild) -> list[Channel]:
    channels = [world.backend.channels[channel] for channel in guild.channel_ids]
    return [channel for channel in channels if channel.type == ChannelType.TEXT]
