"""Which guild a channel, thread, webhook or interaction belongs to, as the gateway's events told.

A script names channels by id, and nothing keeps it from naming another guild's: this is what its calls
are checked against. Channels never move between guilds, so what was learned stays true; forgetting only
frees memory. Interactions are remembered by their token for as long as that is valid.

Everything here is memory: what an unknown channel is, ``lookup`` asks Discord.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Final, NamedTuple, Protocol

import msgspec

from flora_gateway.rest.routes import TOKEN_SECONDS

INTERACTIONS: Final = 100_000
"""Interactions to remember, about 400 bytes each: 110 a second for 15 minutes."""
WEBHOOKS: Final = 50_000
"""Webhooks to remember, about 200 bytes each; no event tells of them, each was asked for once."""


class Scope(Protocol):
    """What the proxy asks before it makes a call."""

    def guild_of_channel(self, channel: str) -> str | None:
        """The guild of a channel or thread; None when it is not known."""
        ...

    def learn_channel(self, channel: str, guild: str) -> None:
        """Discord said whose a channel is."""
        ...

    def guild_of_webhook(self, webhook: str) -> str | None:
        """The guild of a webhook; None when it is not known."""
        ...

    def learn_webhook(self, webhook: str, guild: str) -> None:
        """Discord said whose a webhook is."""
        ...

    def interaction_age(self, guild: str, token: str, *, interaction: str = "") -> float | None:
        """Seconds since ``guild`` was sent the interaction with ``token`` (and this id, if one is given);
        None when it was not."""
        ...


class _Id(msgspec.Struct):
    id: str


class _Guild(msgspec.Struct):
    id: str
    unavailable: bool = False
    channels: list[_Id] = []
    threads: list[_Id] = []


class _Channel(msgspec.Struct):
    id: str
    guild_id: str = ""


class _Threads(msgspec.Struct):
    guild_id: str
    threads: list[_Id] = []


class _Interaction(msgspec.Struct):
    id: str
    token: str
    guild_id: str = ""
    channel_id: str | None = None


class _Anything(msgspec.Struct):
    guild_id: str | None = None
    channel_id: str | None = None


class _Seen(NamedTuple):
    interaction: str
    guild: str
    at: float


class ScopeMap:
    """The map that the gateway's events keep. ``channels`` bounds it; the oldest go first.

    ``lenient_seconds``: for so long after the start, interactions that this process was not sent are
    taken to be the guild's own. A gateway that resumed its sessions serves interactions that its
    predecessor was sent, and their tokens cannot be guessed.

    ``on_guild_gone`` hears of guilds that the bot was removed from.
    """

    def __init__(
        self,
        *,
        channels: int = 1_000_000,
        interactions: int = INTERACTIONS,
        lenient_seconds: float = 0.0,
        on_guild_gone: Callable[[str], None] = lambda _guild: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most_channels = channels
        self._most_interactions = interactions
        self._clock = clock
        self._on_guild_gone = on_guild_gone
        self._lenient_until = clock() + lenient_seconds
        self._guilds: dict[str, str] = {}
        self._channels: dict[str, set[str]] = {}
        self._interactions: OrderedDict[str, _Seen] = OrderedDict()
        self._webhooks: OrderedDict[str, str] = OrderedDict()
        self._observers: dict[str, Callable[[bytes], None]] = {
            "GUILD_CREATE": self._guild_create,
            "GUILD_DELETE": self._guild_delete,
            "CHANNEL_CREATE": self._channel,
            "CHANNEL_UPDATE": self._channel,
            "CHANNEL_DELETE": self._channel_delete,
            "THREAD_CREATE": self._channel,
            "THREAD_UPDATE": self._channel,
            "THREAD_DELETE": self._channel_delete,
            "THREAD_LIST_SYNC": self._thread_list_sync,
            "INTERACTION_CREATE": self._interaction_create,
        }

    def __len__(self) -> int:
        return len(self._guilds)

    def observe(self, event: str, data: bytes) -> None:
        """Learn from one event: Discord's name for it, and its ``d``. Raises msgspec.DecodeError when
        that is not what Discord sends."""
        self._observers.get(event, self._anything)(data)

    def guild_of_channel(self, channel: str) -> str | None:
        """See ``Scope``."""
        return self._guilds.get(channel)

    def learn_channel(self, channel: str, guild: str) -> None:
        """See ``Scope``."""
        known = self._guilds.get(channel)
        if known == guild or not guild:
            return
        if known is not None:
            self._forget_channel(channel)
        self._guilds[channel] = guild
        self._channels.setdefault(guild, set()).add(channel)
        if len(self._guilds) > self._most_channels:
            # Many at once: finding the oldest in a dict costs as much as the gap that older ones left.
            for oldest in list(islice(self._guilds, max(1, self._most_channels // 16))):
                self._forget_channel(oldest)

    def guild_of_webhook(self, webhook: str) -> str | None:
        """See ``Scope``."""
        return self._webhooks.get(webhook)

    def learn_webhook(self, webhook: str, guild: str) -> None:
        """See ``Scope``."""
        self._webhooks[webhook] = guild
        if len(self._webhooks) > WEBHOOKS:
            self._webhooks.popitem(last=False)

    def interaction_age(self, guild: str, token: str, *, interaction: str = "") -> float | None:
        """See ``Scope``."""
        now = self._clock()
        seen = self._interactions.get(token)
        if seen is None:
            return 0.0 if now < self._lenient_until else None
        ours = seen.guild == guild and interaction in {"", seen.interaction}
        return now - seen.at if ours and now - seen.at < TOKEN_SECONDS else None

    def _forget_channel(self, channel: str) -> None:
        guild = self._guilds.pop(channel, None)
        if guild is None:
            return
        channels = self._channels[guild]
        channels.discard(channel)
        if not channels:
            del self._channels[guild]

    def _guild_create(self, data: bytes) -> None:
        guild = msgspec.json.decode(data, type=_Guild)
        for channel in (*guild.channels, *guild.threads):
            self.learn_channel(channel.id, guild.id)

    def _guild_delete(self, data: bytes) -> None:
        guild = msgspec.json.decode(data, type=_Guild)
        if guild.unavailable:  # an outage of Discord's; the guild comes back as it was
            return
        for channel in self._channels.pop(guild.id, ()):
            del self._guilds[channel]
        self._on_guild_gone(guild.id)

    def _channel(self, data: bytes) -> None:
        channel = msgspec.json.decode(data, type=_Channel)
        self.learn_channel(channel.id, channel.guild_id)

    def _channel_delete(self, data: bytes) -> None:
        self._forget_channel(msgspec.json.decode(data, type=_Channel).id)

    def _thread_list_sync(self, data: bytes) -> None:
        sync = msgspec.json.decode(data, type=_Threads)
        for thread in sync.threads:
            self.learn_channel(thread.id, sync.guild_id)

    def _interaction_create(self, data: bytes) -> None:
        event = msgspec.json.decode(data, type=_Interaction)
        if event.channel_id is not None:
            self.learn_channel(event.channel_id, event.guild_id)
        now = self._clock()
        seen = self._interactions
        seen[event.token] = _Seen(event.id, event.guild_id, now)
        while len(seen) > self._most_interactions or next(iter(seen.values())).at + TOKEN_SECONDS <= now:
            seen.popitem(last=False)

    def _anything(self, data: bytes) -> None:
        try:
            event = _decode_anything(data)
        except msgspec.ValidationError:  # a list, as in PRESENCES_REPLACE: nothing to learn
            return
        if event.channel_id is not None and event.guild_id is not None:
            self.learn_channel(event.channel_id, event.guild_id)


_decode_anything: Final = msgspec.json.Decoder(_Anything).decode
