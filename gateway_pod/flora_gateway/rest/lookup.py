"""Asks Discord whose a channel is when no event told.

That is rare for real channels (a thread that was old when the bot joined it) and all that a hostile
script needs to make the gateway work for nothing. So: one question at a time for a channel, whoever asks;
channels that are no guild's, or that the bot cannot see, are remembered for a minute; and a guild may
cause only so many questions a minute.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

from flora_core.window import SlidingWindow
from flora_core.wire import UNREADABLE
from flora_gateway.rest.calls import Refused, Verdict, Why
from flora_gateway.rest.scope import Scope
from flora_gateway.rest.transport import Response

NOBODY_SECONDS: Final = 60.0
"""How long a channel that is no guild's stays so."""
NOBODY_KEPT: Final = 10_000
WAITING: Final = 32
"""Ops of one guild that may wait for such answers."""

Owner = str | Verdict | None
"""A guild; why there is no answer; or None: no guild's, or none of the asker's business."""
OnOwner = Callable[[Owner], None]
Ask = Callable[[str, str, Callable[[Verdict], None]], None]
"""Makes the call: for which guild, which channel, and who hears of it."""


class _Channel(msgspec.Struct):
    guild_id: str | None = None


class ChannelLookup:
    """Finds owners of channels that ``scope`` does not know, and tells ``scope``."""

    def __init__(
        self, ask: Ask, scope: Scope, *, per_minute: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._scope = scope
        self._per_minute = per_minute
        self._clock = clock
        self._waiting: dict[str, list[tuple[str, OnOwner]]] = {}
        self._waiters: Counter[str] = Counter()
        self._nobodys: OrderedDict[str, float] = OrderedDict()
        self._asked: dict[str, SlidingWindow] = {}

    def owner(self, guild: str, channel: str, on_owner: OnOwner) -> None:
        """Call ``on_owner``, now or later, with what can be found out for ``guild`` about ``channel``."""
        now = self._clock()
        waiting = self._waiting.get(channel)
        if self._waiters[guild] >= WAITING:
            on_owner(Refused(Why.QUEUE_FULL))
        elif waiting is not None:
            self._waiters[guild] += 1
            waiting.append((guild, on_owner))
        elif self._nobodys.get(channel, 0.0) > now or not self._may_ask(guild, now):
            on_owner(None)
        else:
            self._waiters[guild] += 1
            self._waiting[channel] = [(guild, on_owner)]
            self._ask(guild, channel, lambda verdict: self._answered(channel, verdict))

    def _may_ask(self, guild: str, now: float) -> bool:
        window = self._asked.get(guild)
        if window is None:
            for quiet in [g for g, asked in self._asked.items() if not asked.count(now)]:
                del self._asked[quiet]
            window = self._asked[guild] = SlidingWindow(self._per_minute, seconds=60.0)
        if window.opens_at(now) > now:
            return False
        window.mark(now)
        return True

    def _answered(self, channel: str, verdict: Verdict) -> None:
        owner = self._read(channel, verdict)
        waiting = self._waiting.pop(channel, [])
        self._waiters -= Counter(guild for guild, _ in waiting)  # which also drops those at zero
        for _, on_owner in waiting:
            on_owner(owner)

    def _read(self, channel: str, verdict: Verdict) -> Owner:
        if not isinstance(verdict, Response) or verdict.status not in {200, 403, 404}:
            return verdict
        guild = None
        if verdict.status == 200:
            try:
                guild = msgspec.json.decode(verdict.body, type=_Channel).guild_id
            except UNREADABLE:
                return verdict
        if guild is not None:
            self._scope.learn_channel(channel, guild)
            return guild
        self._nobodys[channel] = self._clock() + NOBODY_SECONDS
        self._nobodys.move_to_end(channel)
        if len(self._nobodys) > NOBODY_KEPT:
            self._nobodys.popitem(last=False)
        return None
