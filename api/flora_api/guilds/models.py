"""What goes in and out of these routes, as the OpenAPI document has it.

Answers that are read often are passed on as the pod wrote them, and these models only describe them.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

PUTS_MOST = 1000
"""Entries of one bulk change, in each of its lists."""

Seconds = Annotated[float, Field(allow_inf_nan=False)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Store(BaseModel):
    guild_id: str
    store_name: str
    keys: int
    bytes: int


class NewStore(_Asked):
    guild_id: str
    store_name: str


class MadeStore(BaseModel):
    store: Store


class Removed(BaseModel):
    removed: int = Field(description="Keys that were there.")
    complete: bool = Field(description="Whether all are gone; ask again when not.")


class Key(BaseModel):
    name: str
    expiration: float | None = Field(default=None, description="Unix seconds.")
    metadata: Any = None


class KeyPage(BaseModel):
    keys: list[Key]
    list_complete: bool
    cursor: str | None = Field(default=None, description="For the next page, when there is one.")


class Value(BaseModel):
    value: str | None = Field(description="Null where there is none.")
    expiration: float | None = Field(default=None, description="Unix seconds.")
    metadata: Any = None


def _to_come(seconds: float) -> float:
    """What is written for a time that is past would be gone without a word."""
    if seconds <= time.time():
        raise ValueError("lies in the past; give Unix seconds, or a ttl")
    return seconds


class _Kept(_Asked):
    value: str
    ttl: Annotated[Seconds, Field(gt=0)] | None = Field(
        default=None, description="Seconds from now until it is gone."
    )
    expiration: Annotated[Seconds, AfterValidator(_to_come)] | None = Field(
        default=None, description="Unix seconds, instead of ttl; not in the past."
    )
    metadata: Any = Field(default=None, description="Any JSON, told with the key in lists.")


class Put(_Kept):
    pass


class BulkPut(_Kept):
    key: str


class Bulk(_Asked):
    put: list[BulkPut] = Field(default=[], max_length=PUTS_MOST)
    delete: list[str] = Field(default=[], max_length=PUTS_MOST)


class Done(BaseModel):
    success: bool = True


class Deleted(BaseModel):
    deleted: bool


class BulkDone(BaseModel):
    written: int
    deleted: int


class BackupInfo(BaseModel):
    backup_id: str
    bytes: int
    keys: int
    created_at: str


class RestoredKeys(BaseModel):
    keys: int = Field(description="Keys that came with the backup.")


class Cron(BaseModel):
    name: str
    expression: str
    next: float = Field(description="Unix seconds.")
    last: float = Field(description="When the last run was due, in Unix seconds; 0 before the first.")
    skip_if_running: bool


class RunJob(_Asked):
    name: str = Field(max_length=200)


class JobRan(BaseModel):
    name: str
    outcome: str
    milliseconds: float


class KvSize(BaseModel):
    keys: int
    bytes: int
    limit_bytes: int


class GuildUsage(BaseModel):
    guild_id: str
    since: str = Field(description="When its pod took it up; all counts are since then.")
    events: dict[str, int] = Field(description="By Discord's names; `cron` for runs of jobs.")
    outcomes: dict[str, int]
    cpu_milliseconds: float
    discord_calls: int
    fetches: int
    log_lines: int
    kv: KvSize | None = Field(description="Null while its storage cannot be read.")
    awake: bool
    quarantined: bool
    quarantine_reason: str | None
    suspended_calls_until: str | None


class FleetPod(BaseModel):
    name: str
    guilds: int


class Fleet(BaseModel):
    pods: list[FleetPod]
    guilds: int
    deployments: int
    ready: int


def rfc3339(seconds: float) -> str:
    """Unix ``seconds`` in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
