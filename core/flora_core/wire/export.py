"""A guild's data as a stream of lines, from one pod to another or into a file.

::

    {"k":"export","version":1,"guild":"1","at":1700000000000}        first
    {"k":"entry","s":"default","n":"visits","v":"17"}                a value; "e": it expires; "m": metadata
    {"k":"cron","name":"daily","expression":"0 8 * * *","next":…,"last":…,"skip":false}
    {"k":"seen","x":"SESSION","s":42}                                how far its events were handled
    {"k":"conduct","revision":3,"bundle":"ab…","strikes":[…]}        when its script went over its limits
    {"k":"end","entries":1}                                          last: without it the stream was cut off

Entries come in ascending order of store and key, as UTF-8. Frames are as everywhere (``ndjson``), but a line
may be as long as the largest entry makes it.
"""

from __future__ import annotations

from typing import Final

from msgspec import Raw, Struct, field

from flora_core.wire.control import Outcome
from flora_core.wire.ndjson import KIND, FrameCodec

VERSION: Final = 1
EXPORT_LINE_LIMIT: Final = 16 << 20
"""Bytes of a line: an entry of 2 MiB, all of whose characters have to be escaped."""


NO_METADATA: Final = Raw(b"")


class Export(Struct, frozen=True, tag_field=KIND, tag="export"):
    """What follows."""

    guild: str
    at: int
    """Unix milliseconds."""
    version: int = VERSION


class ExportedEntry(Struct, frozen=True, omit_defaults=True, tag_field=KIND, tag="entry"):
    """One value of one store."""

    store: str = field(name="s")
    key: str = field(name="n")
    value: str = field(name="v")
    expires: int = field(default=0, name="e")
    """Unix milliseconds; 0 for never."""
    metadata: Raw = field(default=NO_METADATA, name="m")


class ExportedCron(Struct, frozen=True, tag_field=KIND, tag="cron"):
    """When a job runs; Unix seconds."""

    name: str
    expression: str
    next: float
    last: float = 0.0
    skip: bool = False


class ExportedSeen(Struct, frozen=True, tag_field=KIND, tag="seen"):
    """The guild's events of a Discord session are handled up to and including a sequence number."""

    session: str = field(name="x")
    sequence: int = field(name="s")


class ExportedConduct(Struct, frozen=True, omit_defaults=True, tag_field=KIND, tag="conduct"):
    """How the guild's script behaved lately; of another revision it says nothing."""

    revision: int
    bundle: str
    strikes: list[float] = []
    """When it went over its limits; Unix seconds."""
    quarantined: Outcome | None = None
    """What it did last, when that was once too often and nothing of it runs any more."""


class ExportEnd(Struct, frozen=True, tag_field=KIND, tag="end"):
    entries: int


export: Final = FrameCodec[
    Export | ExportedEntry | ExportedCron | ExportedSeen | ExportedConduct | ExportEnd
](Export, ExportedEntry, ExportedCron, ExportedSeen, ExportedConduct, ExportEnd)
