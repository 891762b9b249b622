"""What the API on one machine and ``flora dev`` say to each other of GuildDeployments (docs/protocol.md)."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from flora_core.wire.ndjson import KIND, FrameCodec

PATH: Final = "/v1/deployments"


class Wish(Struct, frozen=True, omit_defaults=True):
    """``PUT``: have a guild run this."""

    source: dict[str, Any]
    """``spec.source``."""
    revision: str
    bundle: bytes | None = None
    """What the source names, when it is no files."""


class Deleted(Struct, frozen=True):
    """The answer to ``DELETE``: whether there was one."""

    deleted: bool


class Is(Struct, frozen=True, tag_field=KIND, tag="is"):
    """A document as it is now."""

    document: dict[str, Any]


class Was(Struct, frozen=True, tag_field=KIND, tag="was"):
    """A document that is not there any more."""

    guild: str
    uid: str


class All(Struct, frozen=True, tag_field=KIND, tag="all"):
    """Those of these guilds are all; each was named before."""

    guilds: list[str]


class Quiet(Struct, frozen=True, tag_field=KIND, tag="quiet"):
    """Nothing new."""


News = Is | Was | All | Quiet

news: Final = FrameCodec[News](Is, Was, All, Quiet)
