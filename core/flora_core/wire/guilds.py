"""What people's tools ask about a guild, and what they are told: its storage, its jobs, its log.

The same paths are served by a runtime pod (for its guilds), by ``flora dev`` and, in a cluster, by the API;
``docs/protocol.md`` lists them. Refusals are an ``OpError`` as JSON with a status to match.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from flora_core.wire.control import Outcome
from flora_core.wire.gateway import OpError

UNKNOWN_GUILD: Final = "UNKNOWN_GUILD"
UNKNOWN_CRON: Final = "UNKNOWN_CRON"
NOT_RUNNING: Final = "NOT_RUNNING"
"""The guild's script does not run: it did not load, or is quarantined."""
GUILD_MOVING: Final = "GUILD_MOVING"
"""The guild is on its way to another pod; nobody but its script may change its data meanwhile."""
BACKUP_NOT_FOUND: Final = "BACKUP_NOT_FOUND"
INVALID_BACKUP: Final = "INVALID_BACKUP"
"""It is no export of this guild, or not a whole one."""
NO_ROOM: Final = "NO_ROOM"
"""The pod's volume is full."""
TOO_LARGE: Final = "TOO_LARGE"

BODY_LIMIT: Final = 8 << 20
"""Bytes of a request: the largest stored value, escaped as JSON, with room."""

_STATUSES: Final = {
    "INVALID_INPUT": 400,
    UNKNOWN_GUILD: 404,
    UNKNOWN_CRON: 404,
    "KV_KEY_NOT_FOUND": 404,
    BACKUP_NOT_FOUND: 404,
    INVALID_BACKUP: 400,
    TOO_LARGE: 413,
    NOT_RUNNING: 409,
    GUILD_MOVING: 503,
    NO_ROOM: 507,
    "KV_RATE_LIMITED": 429,
    "KV_UNAVAILABLE": 503,
    "POD_UNREACHABLE": 503,
    "KV_QUOTA_EXCEEDED": 507,
}


def status_of(error: OpError) -> int:
    """The HTTP status that goes with a refusal."""
    return _STATUSES.get(error.code, 409)


class CronJob(Struct, frozen=True):
    """A job by the clock."""

    name: str
    expression: str
    next: float
    """Unix seconds."""
    last: float = 0.0
    """When the last run was due; 0 before the first."""
    skip: bool = False
    """Whether a run is left out while the one before goes on."""


class RunCron(Struct, frozen=True):
    """Run a job now."""

    name: str


class CronRan(Struct, frozen=True):
    """A job that was run on demand has ended."""

    name: str
    outcome: Outcome
    milliseconds: float
    logged: int
    """Log lines that the pod had written by then, of all its guilds and since its start."""


class BackupRow(Struct, frozen=True):
    """A backup of a guild's values that its pod keeps."""

    id: str
    bytes: int
    keys: int
    at: int
    """When it was made; Unix milliseconds."""


class Restored(Struct, frozen=True):
    """A restore is through."""

    keys: int
    """How many came with the backup."""


class KvUsage(Struct, frozen=True):
    keys: int
    bytes: int
    limit_bytes: int


class UsageRow(Struct, frozen=True):
    """What a guild has used since its pod has it."""

    since: float
    """Unix seconds."""
    events: dict[str, int]
    """Those that came for its script, by Discord's names; ``cron`` for runs of jobs."""
    outcomes: dict[str, int]
    """How their handlers ended, by ``Outcome``."""
    cpu_milliseconds: float
    """Of its turns."""
    discord_calls: int
    fetches: int
    log_lines: int
    """Those it wrote itself."""
    kv: KvUsage | None
    """None while its storage cannot be read."""
    awake: bool
    """Whether it has an isolate."""
    quarantined: bool
    quarantine_reason: str
    suspended_until: float
    """Until when Discord is not asked for it any more; Unix seconds, 0 for not suspended."""
