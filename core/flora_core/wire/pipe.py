"""Frames between a supervisor and its worker processes, over one socket pair each.

A frame is a header (length of the body u32, guild id u64, kind u8, little-endian) and a body. The bodies
of the hot kinds are JSON that is passed on as it is; the others are msgspec structs as JSON. A worker
runs other people's code, so the supervisor reads what it sends as if the script had written it: sizes
first, every field typed, and a violation ends that worker.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Annotated, Final, NamedTuple, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from flora_core.errors import FrameTooLarge, MalformedFrame, UnknownFrame
from flora_core.wire import UNREADABLE
from flora_core.wire.control import Limits, Outcome, ScriptError

HEADER: Final = struct.Struct("<IQB")
FRAME_LIMIT: Final = 32 << 20
"""Bytes in one body: a bundle of 8 MiB and its source map, JSON-escaped, with room."""


class Kind(IntEnum):
    # to the worker
    CONFIGURE = 1
    DEPLOY = 2
    EVENT = 3
    RESULT = 4
    UNLOAD = 5
    BROADCAST = 6
    PING = 7
    SHUTDOWN = 8
    DRAIN = 9
    SECRETS = 10
    HIBERNATE = 11
    LEAVE = 12
    """The guild is about to be unloaded for good: say what has settled as soon as it has."""
    # from the worker
    READY = 32
    TURN = 33
    LOADED = 34
    FAILED = 35
    LOG = 36
    RECYCLED = 37
    PONG = 38
    OVER_BUDGET = 39
    HIBERNATED = 40


class Frame(NamedTuple):
    kind: Kind
    guild: str
    """Empty for frames that concern the whole worker."""
    body: bytes


class Configure(Struct, frozen=True):
    """First frame to a worker: what holds for all of its guilds."""

    index: int
    """Which of the pod's workers this is."""
    cores: list[int] = []
    """The CPU cores to stay on; empty for any."""
    boot_seconds: float = 5.0
    load_seconds: float = 30.0
    handler_seconds: float = 3.0
    """CPU time one handler may use over all its turns; 0 for no limit."""
    wall_seconds: float = 30.0
    """How long one handler may take in all; 0 for no limit."""
    cron_seconds: float = 5.0
    """The same for a run of a job by the clock."""
    show_internal_frames: bool = False
    cpu_seconds: float = 0.0
    """CPU time that one guild may use a minute; 0 for no limit."""
    walls: bool = True
    """Whether the process gives up files, network and other processes before it takes guilds."""
    first_generation: int = 0
    """Isolates are numbered from here, so that those of a worker that died are never met again."""


class Deploy(Struct, frozen=True):
    """Load a bundle beside what runs; swap when it loaded."""

    revision: int
    bundle: str
    """SHA-256, for the report."""
    code: str
    source_map: str
    limits: Limits
    seed: str
    """Makes message nonces unique across isolates."""
    slot: int
    """The guild's place in the flight recorder."""
    bot: str = ""
    """User id of the bot, empty when it is not known yet."""
    secrets: dict[str, str] = {}
    """Placeholders by name; a SECRETS frame brings the same anew."""


class SecretsIn(Struct, frozen=True):
    """A guild's secrets changed; its scripts hear of it with their next turn."""

    placeholders: dict[str, str]
    """By name."""


class Hibernate(Struct, frozen=True):
    """Give the guild's isolate back, unless something of it goes on."""

    timers_within: float
    """Seconds; a timer that is due within them keeps the guild awake."""


class Ready(Struct, frozen=True):
    pid: int
    engine: str
    """V8's version."""
    warnings: list[str] = []
    """Walls that this kernel could not put up."""
    walls: list[str] = []
    """Those that are up: ``landlock``, ``seccomp``."""


class Done(Struct, frozen=True, array_like=True):
    """One event's handlers have all settled."""

    event: int
    outcome: Outcome
    milliseconds: float


class Call(Struct, frozen=True, array_like=True):
    """One op out of the isolate's outbox."""

    id: int
    name: str
    args: Raw


class Turn(Struct, frozen=True, omit_defaults=True):
    """What one turn of a guild's isolate gave."""

    started: int = 0
    """Highest event number whose handlers have started."""
    ops: list[Call] = []
    done: list[Done] = []
    cpu_ns: int = 0


class CronIn(Struct, frozen=True):
    """A job by the clock."""

    name: str
    expression: str
    """Five or six fields, checked by the prelude; nothing of a script is trusted all the same."""
    skip: bool = False
    """Whether a run is left out while the one before goes on."""


CRON_PREFIX: Final = "__cron:"
"""The type of a run's event: this and the job's name."""


class LoadedIn(Struct, frozen=True):
    revision: int
    milliseconds: float
    events: list[str]
    own_messages: bool
    commands: Raw
    """The slash commands the script registered, as Discord's JSON list, or null for none asked."""
    crons: list[CronIn] = field(default_factory=list[CronIn])
    apology: str | None = None
    """What users are told when a handler was cut off; None for the usual text, "" for nothing."""


class FailedIn(Struct, frozen=True):
    revision: int
    outcome: Outcome
    error: ScriptError


class LogIn(Struct, frozen=True, omit_defaults=True):
    level: str
    text: str
    source: str = "script"
    outcome: Outcome | None = None
    stack: str = ""
    event: str = ""
    """Number of the event that was being handled."""
    suppressed: Annotated[int, Meta(ge=0)] = 0
    """Lines that the worker left out, without a text of its own."""


class Recycled(Struct, frozen=True):
    """An isolate went over a limit and was thrown away; the next event loads it anew."""

    outcome: Outcome
    lost: list[int]
    """Numbers of the events whose handlers had started and not settled."""


class OverBudget(Struct, frozen=True):
    """A guild is held back because it used up its CPU time."""

    minutes: Annotated[float, Meta(ge=0)]
    """Whole minutes since it began; 0 at its beginning."""


class Pong(Struct, frozen=True):
    isolates: int
    busy: int
    stuck: list[str] = field(default_factory=list)
    """Guilds whose turn cannot be stopped from inside the process: only kill -9 helps."""


def encode(kind: Kind, body: bytes, *, guild: str = "") -> bytes:
    """One frame as bytes."""
    return HEADER.pack(len(body), int(guild or 0), kind) + body


class FrameSplitter:
    """Cuts the bytes of a pipe into frames."""

    __slots__ = ("_late", "_limit", "_missing", "_rest")

    def __init__(self, *, limit: int = FRAME_LIMIT) -> None:
        self._limit = limit
        self._rest = b""
        self._late: list[bytes] = []
        self._missing = 0
        """Bytes without which the frame that ``_rest`` begins, and ``_late`` goes on with, is not whole."""

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that ``chunk`` completes; raises FrameTooLarge or UnknownFrame, after which the
        pipe is of no use."""
        if len(chunk) < self._missing:  # parts of a large frame are joined once, when it is whole
            self._missing -= len(chunk)
            self._late.append(chunk)
            return []
        data = b"".join((self._rest, *self._late, chunk)) if self._rest else chunk
        self._late = []
        self._missing = 0
        frames: list[Frame] = []
        at, end, head = 0, len(data), HEADER.size
        while end - at >= head:
            size, guild, kind = HEADER.unpack_from(data, at)
            if size > self._limit:
                raise FrameTooLarge(size, limit=self._limit)
            if end - at < head + size:
                self._missing = head + size - (end - at)
                break
            try:
                known = _KINDS[kind]
            except KeyError:
                raise UnknownFrame(kind) from None
            frames.append(Frame(known, str(guild) if guild else "", data[at + head : at + head + size]))
            at += head + size
        self._rest = data[at:] if at else data
        return frames


_KINDS: Final = {int(kind): kind for kind in Kind}


S = TypeVar("S", bound=Struct)


def decode(body: bytes, into: type[S]) -> S:
    """``body`` as a struct; raises MalformedFrame."""
    try:
        return msgspec.json.decode(body, type=into)
    except UNREADABLE as error:
        raise MalformedFrame(f"{into.__name__}: {error}") from None
