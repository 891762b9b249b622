"""What ``flora kv``, ``logs`` and ``cron`` send and get, in the shapes of docs/api.md."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType


class Store(Struct, frozen=True):
    """A store and its size."""

    guild_id: str
    store_name: str
    keys: int
    bytes: int


class Kept(Struct, frozen=True, omit_defaults=True):
    """A value, and what is kept beside it."""

    value: str
    expiration: float | None = None
    """Unix seconds."""
    metadata: Any = None


class KeyPage(Struct, frozen=True, omit_defaults=True):
    """Some keys of a store: ``{name, expiration?, metadata?}``."""

    keys: list[dict[str, Any]]
    list_complete: bool | UnsetType = UNSET
    cursor: str | None = None
    """Where the next page begins; None behind the last."""


class Put(Struct, frozen=True, omit_defaults=True):
    """A value to be stored."""

    key: str
    value: str
    ttl: float | None = None
    """Seconds from now; or instead ``expiration``, Unix seconds."""
    expiration: float | None = None
    metadata: Raw | UnsetType = UNSET


class Line(Struct, frozen=True, omit_defaults=True):
    """A line of a guild's log."""

    id: str
    timestamp: int
    """Milliseconds since 1970."""
    level: str
    target: str
    """``script`` or ``runtime``."""
    guild_id: str
    message: str
    outcome: str | None = None
    stack: str | None = None
    event: str | None = None
    revision: int | str | None = None


class LogQuery(Struct, frozen=True):
    """Which lines."""

    limit: int = 100
    level: str = "debug"
    grep: str = ""
    since: int | None = None
    """Milliseconds since 1970; so is ``until``."""
    until: int | None = None


class Job(Struct, frozen=True):
    """A job by the clock; times in Unix seconds."""

    name: str
    expression: str
    next: float | None = None
    last: float | None = None
    skip_if_running: bool = False


class Ran(Struct, frozen=True):
    """A job that was run on demand has ended."""

    name: str
    outcome: str
    milliseconds: float = 0.0
