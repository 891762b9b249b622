"""A call on its way to Discord, and what can come of it besides a response."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from flora_gateway.rest.buckets import NEVER, Bucket, Key
from flora_gateway.rest.transport import Request, Response, TransportError

if TYPE_CHECKING:
    from flora_gateway.rest.limiter import Lane


class Why(StrEnum):
    """Why a call was refused before it was made, or given up while it waited."""

    QUEUE_FULL = "queue full"
    TOO_LATE = "too late"
    """Its turn would come, or did not come, before its deadline."""
    INVALID_REQUESTS = "invalid requests"
    """The bot has had too many invalid answers; every guild's calls wait."""
    SUSPENDED = "suspended"
    """The guild has had too many invalid answers; its own calls wait."""
    CLOSED = "closed"


class Refused(msgspec.Struct, frozen=True):
    """A call that was not made."""

    why: Why
    retry_after: float = 0.0
    """Seconds; 0 when nothing is known."""


Verdict = Response | TransportError | Refused
"""What a call ends with."""


class Call(Request, eq=False):
    """A request of one guild, with what the limiter and the sender must know of it."""

    guild: str = ""
    key: Key = ("", "")
    """Route name and major parameter."""
    tokenised: bool = False
    """It carries an interaction's token: free of the bot's global limit."""
    anonymous: bool = False
    """It carries a token of its own in place of the bot's."""
    repeatable: Callable[[bytes | None], bool] | None = None
    """Whether it may be made again with this body although it may have been made; None for never."""
    give_up_at: float = NEVER
    """Deadline for all attempts and the waiting between them; ``deadline`` is that of one attempt."""
    done: Callable[[Call, Verdict], None] | None = None
    context: Any = None
    """What ``done`` needs."""

    attempts: int = 0
    number: int = 0
    """Order of arrival; the limiter's own, like the rest."""
    queued: bool = False
    bucket: Bucket | None = None
    lane: Lane | None = None

    def may_repeat(self) -> bool:
        return self.repeatable is not None and self.repeatable(self.body)
