"""Frames between the gateway pod and a runtime pod.

Down, on ``GET /v1/pods/{pod}/events``: events and the results of ops, numbered with one sequence of
offsets that the pod acknowledges; what it had not acknowledged is sent again when it comes back.
Up, on ``POST /v1/pods/{pod}/ops``: ops, acknowledgements and subscriptions on one long chunked body; ops
carry a sequence of their own, so that after a broken connection each is sent again until the gateway
says (in ``Hello`` and ``Beat``) that it has it.

An op's ``args`` may hold ``files`` that go with the call: as ``data`` in base64, or as a ``url`` in whose
place the pod puts the data before the op goes up.

Field names on the wire are one or two letters because these lines are the hot path.
"""

from __future__ import annotations

from typing import Final

from msgspec import Raw, Struct, field

from flora_core.wire.ndjson import KIND, FrameCodec


class Hello(Struct, frozen=True, tag_field=KIND, tag="hello"):
    """First line of every event stream."""

    epoch: str
    """Names the gateway process; offsets of another epoch mean nothing in this one."""
    offset: int = field(name="o")
    """Offset of the next numbered frame on this stream."""
    ops: int
    """Highest op sequence number of this pod that this gateway process has taken, 0 for none."""
    bot: str = ""
    """User id of the bot; empty as long as the gateway does not know it."""


class Event(Struct, frozen=True, tag_field=KIND, tag="event"):
    """One Discord event of one guild, or a broadcast (``guild`` empty)."""

    offset: int = field(name="o")
    type: str = field(name="t")
    """Discord's name, as MESSAGE_CREATE."""
    guild: str = field(name="g")
    session: str = field(name="x")
    """Discord's session id; with ``sequence`` it names the event for ever, also after a RESUME."""
    sequence: int = field(name="s")
    at: int
    """When the gateway took it from the socket, in milliseconds since 1970."""
    data: Raw = field(name="d")
    """Discord's ``d``, untouched."""


class Result(Struct, frozen=True, tag_field=KIND, tag="result"):
    """The answer to one op."""

    offset: int = field(name="o")
    guild: str = field(name="g")
    op: int = field(name="i")
    ok: bool
    value: Raw = field(name="v")
    """Discord's answer, or an ``OpError``."""


class Beat(Struct, frozen=True, tag_field=KIND, tag="beat"):
    """Says that the stream lives, every ``BEAT_SECONDS`` without other traffic or not."""

    offset: int = field(name="o")
    ops: int


class Op(Struct, frozen=True, omit_defaults=True, tag_field=KIND, tag="op"):
    """One thing a guild's script asks of Discord."""

    sequence: int = field(name="q")
    guild: str = field(name="g")
    id: int = field(name="i")
    """The isolate's own number for the promise that waits."""
    name: str = field(name="n")
    args: Raw = field(name="a")
    repeated: bool = field(default=False, name="r")
    """Sent before, to this gateway process or an earlier one, with unknown effect."""


class Ack(Struct, frozen=True, tag_field=KIND, tag="ack"):
    """All numbered frames up to and including ``offset`` are safe with the pod."""

    offset: int = field(name="o")


class Subscribe(Struct, frozen=True, tag_field=KIND, tag="subscribe"):
    """Which events a guild's loaded script handles; events nobody handles are not sent."""

    guild: str = field(name="g")
    events: list[str] = field(name="e")
    """flora's names, as messageCreate."""
    own: bool = False
    """Whether the script wants the bot's own messages too."""


class OpError(Struct, frozen=True, omit_defaults=True):
    """Why an op failed, as the script sees it on the ``Error`` that its promise rejects with."""

    code: str
    message: str
    status: int = 0
    """Discord's HTTP status, 0 when it was not asked."""
    discord_code: int = field(default=0, name="discordCode")
    retry_after: float = field(default=0.0, name="retryAfter")
    """Seconds."""
    notice: str = ""
    """What the guild's admins should read in its log, once; it does not reach the script."""
    suspended: float = 0.0
    """For how many more seconds Discord is not asked for this guild at all; neither does this."""


FILES_LIMIT: Final = 8 << 20
"""Bytes of the files in one op together."""
OP_LINE_LIMIT: Final = FILES_LIMIT * 4 // 3 + (2 << 20)
"""Bytes in one line upwards: such files in base64, with room for what goes with them."""

Downstream = Hello | Event | Result | Beat
Upstream = Op | Ack | Subscribe | Beat

BEAT_SECONDS: Final = 5.0
SILENCE_SECONDS: Final = 15.0
"""A stream without a line for this long is dead: the reader closes it and dials again."""

downstream: Final = FrameCodec[Downstream](Hello, Event, Result, Beat)
upstream: Final = FrameCodec[Upstream](Op, Ack, Subscribe, Beat)
