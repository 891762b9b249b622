"""Frames between whoever decides (the operator, or ``flora dev``'s local controller) and the pods.

Down, on ``GET /v1/pods/{pod}/desired``: a snapshot of the guilds the pod should run, then changes. On
``GET /v1/routes``: which pod has which guild, for the gateway. Both carry revisions, so that a reader that
comes back with ``after=`` and the same epoch gets only what changed. Up, on
``POST /v1/pods/{pod}/reports``: what became of each assignment, and that the pod was told to stop. On
``POST /v1/gateway/reports``: which guilds the bot is in. On ``POST /v1/pods/{pod}/logs``: what scripts log
and how their turns end. Bundles are fetched by hash from ``GET /v1/bundles/{sha256}``.

What goes up are levels, not edges: on each new connection all that is true is said again.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from flora_core.wire.ndjson import KIND, FrameCodec


class Outcome(StrEnum):
    """How a turn, a handler or a load ended. The names are those of Cloudflare Workers' tail events."""

    OK = "ok"
    EXCEPTION = "exception"
    EXCEEDED_CPU = "exceededCpu"
    EXCEEDED_MEMORY = "exceededMemory"
    CANCELED = "canceled"
    KILLED = "killed"


class Limits(Struct, frozen=True, rename="camel"):
    """What one guild's isolate may use."""

    cpu_milliseconds: int = 200
    """CPU time of one turn, 1 to 10,000."""
    memory_mebibytes: int = 64
    """JavaScript heap and array buffers together, 16 to 512."""


DEFAULT_LIMITS: Final = Limits()


class Assignment(Struct, frozen=True):
    """One guild on one pod."""

    guild: str
    revision: int
    """Grows with every deploy of the guild."""
    bundle: str
    """SHA-256 of the bundle."""
    limits: Limits = DEFAULT_LIMITS
    hibernates: bool = True
    """Whether its isolate may be given back while nothing happens in the guild."""
    leaves: str = ""
    """The handoff for which the pod should stop the guild and hand its data over; it keeps its own copy."""
    adopts: str = ""
    """The handoff whose data the pod should fetch before it loads the guild; its jobs by the clock wait
    until this is gone."""


SECRET_PREFIX: Final = "__FLORA_SECRET__"  # noqa: S105  what stands in place of one
"""A placeholder is this and 32 hexadecimal digits that nobody can guess."""


class Secret(Struct, frozen=True, rename="camel"):
    """A secret of a guild. Its value is for the pod's supervisor alone, in memory alone."""

    name: str
    placeholder: str
    """What the script has in its place; stays the same when the value changes."""
    value: str | None = None
    """None while it is not known: a pod that came back before its control plane."""
    allowed_hosts: list[str] = []
    """Patterns as in ``flora_core.allowed_hosts``; empty: it may go nowhere."""

    def __repr__(self) -> str:
        return f"Secret({self.name!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("name", self.name)]


class ScriptError(Struct, frozen=True, omit_defaults=True):
    """An error of a guild's script, in the author's own coordinates."""

    message: str
    stack: str = ""
    """Mapped frames, as ``at ping (src/main.ts:12:7)``, one a line."""


class Forget(Struct, frozen=True, tag_field=KIND, tag="forget"):
    """The pod should delete what it keeps of a guild that it does not run, and answer ``Forgotten``."""

    revision: int
    guild: str
    retain_hours: float = 0.0
    """How long an export of it stays in the pod's retention area; 0 for not at all."""


class Retire(Struct, frozen=True, tag_field=KIND, tag="retire"):
    """The answer to a pod that said ``Draining``."""

    revision: int
    process: str
    """Whose it is: the next process of the same pod has nothing to do with it."""
    wait: bool = False
    """Whether guilds of its own are still to be moved: it goes on serving until told otherwise."""


class Snapshot(Struct, frozen=True, tag_field=KIND, tag="snapshot"):
    """All that the pod should run; what is not in it is to be unloaded."""

    epoch: str
    revision: int
    assignments: list[Assignment]
    secrets: dict[str, list[Secret]] = {}
    """By guild; a guild without any is left out."""
    forgets: list[Forget] = []
    """What is to be deleted and, as far as is known, was not yet."""
    retire: Retire | None = None
    """What the pod was last answered to ``Draining``."""


class Assign(Struct, frozen=True, tag_field=KIND, tag="assign"):
    revision: int
    assignment: Assignment


class Release(Struct, frozen=True, tag_field=KIND, tag="release"):
    revision: int
    guild: str


class Secrets(Struct, frozen=True, tag_field=KIND, tag="secrets"):
    """All secrets of one guild, in place of those it had; comes before the guild's assignment."""

    revision: int
    guild: str
    secrets: list[Secret]


class Hold(Struct, frozen=True):
    """A guild's new events wait in the gateway: it is on its way from one pod to another."""

    handoff: str
    to: str
    """The pod that gets it, and may already call Discord for it: its script is loaded there before the
    events come."""


class Routes(Struct, frozen=True, tag_field=KIND, tag="routes"):
    """The whole route table: guild -> pod."""

    epoch: str
    revision: int
    pods: dict[str, str]
    held: dict[str, Hold] = {}
    """Guilds whose events the gateway keeps to itself."""


class Route(Struct, frozen=True, tag_field=KIND, tag="route"):
    """One guild's pod; None when nobody runs it."""

    revision: int
    guild: str
    pod: str | None = None
    held: Hold | None = None
    """Whether the guild's new events wait in the gateway; None: they go to the pod."""


class Beat(Struct, frozen=True, tag_field=KIND, tag="beat"):
    revision: int


class Loaded(Struct, frozen=True, tag_field=KIND, tag="loaded"):
    """An assignment is live."""

    guild: str
    revision: int
    bundle: str
    worker: int
    milliseconds: float
    events: list[str] = []
    """What the script handles, by flora's names (``messageCreate``)."""
    commands: int = 0
    crons: int = 0
    """Jobs by the clock."""
    handoff: str = ""
    """The handoff whose data it was loaded on; empty once that is over."""


class Failed(Struct, frozen=True, tag_field=KIND, tag="failed"):
    """An assignment could not be loaded, and what ran before still runs; or it ran, and is quarantined."""

    guild: str
    revision: int
    bundle: str
    outcome: Outcome
    error: ScriptError
    quarantined: bool = False
    """It went over its limits too often: nothing of it runs until the next deploy."""
    handoff: str = ""
    """The handoff whose data is there all the same."""


class Exported(Struct, frozen=True, omit_defaults=True, tag_field=KIND, tag="exported"):
    """The guild no longer runs on this pod, and its data lies with the operator; or why it does not."""

    guild: str
    handoff: str
    bytes: int = 0
    error: str = ""


class Adopted(Struct, frozen=True, omit_defaults=True, tag_field=KIND, tag="adopted"):
    """A handoff's data is here, of a guild of which nothing is to be loaded; or why it cannot be."""

    guild: str
    handoff: str
    error: str = ""


class Forgotten(Struct, frozen=True, tag_field=KIND, tag="forgotten"):
    """Nothing of the guild is left on this pod but, for a while, what its retention area holds."""

    guild: str


class Held(Struct, frozen=True, tag_field=KIND, tag="held"):
    """The gateway keeps a guild's events, and its pod has acknowledged all that it was sent."""

    guild: str
    handoff: str


class Draining(Struct, frozen=True, tag_field=KIND, tag="draining"):
    """The pod was told to stop. It serves on until ``Retire`` says that it may leave, or nobody answers."""

    process: str
    """Names the pod's process, as in ``Retire``."""


GUILDS_A_LINE: Final = 10_000
"""Guild ids in one ``Guilds``: 230 KB."""


class Guilds(Struct, frozen=True, tag_field=KIND, tag="guilds"):
    """All guilds the bot is in, those that are unavailable for now included; in parts when they are many.

    There is none as long as the gateway does not know them all.
    """

    guilds: list[str]
    first: bool = True
    """Whether this part begins the list."""
    last: bool = True
    """Whether this part ends it."""


def guilds_in_parts(guilds: Sequence[str]) -> list[Guilds]:
    """``guilds`` in as many frames as fit in lines; one when there are none."""
    starts = range(0, max(len(guilds), 1), GUILDS_A_LINE)
    return [
        Guilds(list(guilds[start : start + GUILDS_A_LINE]), first=start == 0, last=start == starts[-1])
        for start in starts
    ]


class Joined(Struct, frozen=True, tag_field=KIND, tag="joined"):
    """The bot was added to a guild."""

    guild: str


class Left(Struct, frozen=True, tag_field=KIND, tag="left"):
    """The bot was removed from a guild, or the guild is gone. One that is only unavailable has not left."""

    guild: str


class LogLine(Struct, frozen=True, omit_defaults=True, tag_field=KIND, tag="log"):
    """One line of a guild's log: something it printed, or how something of its ended."""

    guild: str
    at: int
    """Milliseconds since 1970."""
    level: str
    """debug, info, warn or error."""
    text: str
    source: str = "script"
    """``script`` for what it printed, ``runtime`` for what flora has to say about it."""
    outcome: Outcome | None = None
    stack: str = ""
    event: str = ""
    revision: int = 0


Desired = Snapshot | Assign | Release | Secrets | Forget | Retire | Beat
RouteTable = Routes | Route | Beat
PodReport = Loaded | Failed | Exported | Adopted | Forgotten | Draining
"""What a pod has to say of its guilds, and of itself."""
Report = PodReport | Beat
GatewayNews = Guilds | Joined | Left | Held
GatewayReport = GatewayNews | Beat
Log = LogLine | Beat

desired: Final = FrameCodec[Desired](Snapshot, Assign, Release, Secrets, Forget, Retire, Beat)
route_table: Final = FrameCodec[RouteTable](Routes, Route, Beat)
reports: Final = FrameCodec[Report](Loaded, Failed, Exported, Adopted, Forgotten, Draining, Beat)
gateway_reports: Final = FrameCodec[GatewayReport](Guilds, Joined, Left, Held, Beat)
logs: Final = FrameCodec[Log](LogLine, Beat)
