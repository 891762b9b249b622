"""Asks Discord whose a channel or a webhook is when no event told.

That is rare for real channels (a thread that was old when the bot joined it), once for a webhook, and all
that a hostile script needs to make the gateway work for nothing. So: one question at a time for a thing,
whoever asks; things that are no guild's, or that the bot cannot see, are remembered for a minute; and a
guild may cause only so many questions a minute.

A thing is known here by a key: its id, and the token that is to open it where it has one.
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
from flora_gateway.rest.transport import Response

NOBODY_SECONDS: Final = 60.0
"""How long a thing that is no guild's stays so."""
NOBODY_KEPT: Final = 10_000
WAITING: Final = 32
"""Ops of one guild that may wait for such answers."""

Owner = str | Verdict | None
"""A guild; why there is no answer; or None: no guild's, or none of the asker's business."""
OnOwner = Callable[[Owner], None]
Ask = Callable[[str, str, Callable[[Verdict], None]], None]
"""Makes the call: for which guild, about which key, and who hears of it."""

NO: Final = frozenset((403, 404))
"""Answers that mean: none of yours."""
NO_WITH_TOKEN: Final = NO | {401}
"""With the thing's own token, which may be wrong; of the bot's token a 401 would tell nothing else."""


class _Thing(msgspec.Struct):
    guild_id: str | None = None


class OwnerLookup:
    """Finds owners of things that ``learn`` was not told of yet, and tells it."""

    def __init__(
        self,
        ask: Ask,
        learn: Callable[[str, str], None],
        *,
        per_minute: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._learn = learn
        self._per_minute = per_minute
        self._clock = clock
        self._waiting: dict[str, list[tuple[str, OnOwner]]] = {}
        self._waiters: Counter[str] = Counter()
        self._nobodys: OrderedDict[str, float] = OrderedDict()
        self._asked: dict[str, SlidingWindow] = {}

    def owner(self, guild: str, key: str, on_owner: OnOwner) -> None:
        """Call ``on_owner``, now or later, with what can be found out for ``guild`` about ``key``."""
        now = self._clock()
        waiting = self._waiting.get(key)
        if self._waiters[guild] >= WAITING:
            on_owner(Refused(Why.QUEUE_FULL))
        elif waiting is not None:
            self._waiters[guild] += 1
            waiting.append((guild, on_owner))
        elif self._nobodys.get(key, 0.0) > now or not self._may_ask(guild, now):
            on_owner(None)
        else:
            self._waiters[guild] += 1
            self._waiting[key] = [(guild, on_owner)]
            self._ask(guild, key, lambda verdict: self._answered(key, verdict))

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

    def _answered(self, key: str, verdict: Verdict) -> None:
        owner = self._read(key, verdict)
        waiting = self._waiting.pop(key, [])
        self._waiters -= Counter(guild for guild, _ in waiting)  # which also drops those at zero
        for _, on_owner in waiting:
            on_owner(owner)

    def _read(self, key: str, verdict: Verdict) -> Owner:
        no = NO_WITH_TOKEN if "/" in key else NO
        if not isinstance(verdict, Response) or (verdict.status != 200 and verdict.status not in no):
            return verdict
        guild = None
        if verdict.status == 200:
            try:
                guild = msgspec.json.decode(verdict.body, type=_Thing).guild_id
            except UNREADABLE:
                return verdict
        if guild is not None:
            self._learn(key.partition("/")[0], guild)
            return guild
        self._nobodys[key] = self._clock() + NOBODY_SECONDS
        self._nobodys.move_to_end(key)
        if len(self._nobodys) > NOBODY_KEPT:
            self._nobodys.popitem(last=False)
        return None
