"""Revisions as values: what was deployed to a guild, by whom, and what became of it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, Literal
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from flora_api.principal import ActorType, Principal
from flora_core.ids import GuildId, Sha256

KEPT: Final = 100
"""Revisions of a guild; older ones are deleted, the one that runs never."""

MESSAGE_LIMIT: Final = 500
"""Characters of what a deployer says about it."""

Status = Literal["pending", "success", "failed"]


class Source(StrEnum):
    """Through what a revision came."""

    CLI = "cli"
    WEBUI = "webui"
    BOOTSTRAP = "bootstrap"
    """The starter script, or whatever a program brings along for a start."""
    API = "api"
    KUBECTL = "kubectl"
    """Not through the API at all: the object was changed in the cluster."""
    DEV = "dev"
    """Saved in the folder that a ``flora dev`` watches."""
    UNKNOWN = "unknown"


class Changes(Struct, frozen=True):
    """What differs from the revision before: paths, sorted."""

    added_files: list[str] = []
    removed_files: list[str] = []
    modified_files: list[str] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRevision:
    """What is about to be deployed."""

    id: UUID = field(default_factory=uuid4)
    guild: GuildId
    entry: str
    source: Source
    message: str = ""
    actor: Principal
    digest: str
    """Of ``spec.source`` (``source_digest``): two with the same one run the same."""
    files: Mapping[str, str] | None = None
    """The sources; None when only a bundle is known."""
    bundle: Sha256 | None = None
    inline: bool
    """The object has the files themselves, not a reference to the bundle."""
    client_bundle: bool = False
    """Bundled by whoever deployed it: what runs need not be what ``files`` show."""
    forced: bool = False
    """Takes the script over from whoever else manages it in the cluster."""
    observed: bool = False
    """Not deployed through the API, but found in the cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One that is kept, without its files."""

    id: UUID
    guild: GuildId
    status: Status
    entry: str
    source: Source
    message: str
    actor: Principal
    digest: str
    has_files: bool
    bundle: Sha256 | None
    inline: bool
    client_bundle: bool
    forced: bool
    observed: bool
    base: UUID | None
    changes: Changes | None
    error_code: str
    error: str
    error_stack: str
    uid: str | None
    """Of the object that it was applied to; None as long as it was not."""
    generation: int | None
    """That the object got by it."""
    pod: str
    created: datetime
    finished: datetime | None

    @property
    def milliseconds(self) -> int:
        """From its begin to its end; 0 while it is under way."""
        return int((self.finished - self.created).total_seconds() * 1000) if self.finished else 0


def source_of(entry: str, *, files: Mapping[str, str] | None, bundle: Sha256 | None) -> dict[str, Any]:
    """``spec.source`` of a GuildDeployment: the files, else the bundle."""
    if files is not None:
        return {"entrypoint": entry, "files": dict(files)}
    return {"entrypoint": entry, "bundleRef": {"sha256": bundle}}


def source_digest(source: Mapping[str, Any]) -> str:
    """SHA-256 over ``spec.source`` as it is in an object, whatever order the API server gives it."""
    return sha256(msgspec.json.encode(dict(source), order="sorted")).hexdigest()


def changes_between(before: Mapping[str, str] | None, after: Mapping[str, str] | None) -> Changes | None:
    """What changed; None when there are no sources to compare."""
    if before is None and after is None:
        return None
    old, new = before or {}, after or {}
    return Changes(
        sorted(new.keys() - old.keys()),
        sorted(old.keys() - new.keys()),
        sorted(path for path in old.keys() & new.keys() if old[path] != new[path]),
    )


def pack(files: Mapping[str, str] | None) -> bytes | None:
    """Files as they are stored."""
    return None if files is None else zlib.compress(msgspec.json.encode(dict(files)), 6)


def unpack(stored: bytes | None) -> dict[str, str] | None:
    """What ``pack`` made."""
    return None if stored is None else msgspec.json.decode(zlib.decompress(stored), type=dict[str, str])


def as_text(text: str) -> str:
    """What Postgres can keep as text: it knows no NUL, which a script's error may well have."""
    return text.replace("\0", "\ufffd")


def from_row(row: Mapping[str, Any]) -> Revision:
    """A row of ``revisions``, of the columns in ``COLUMNS``."""
    summary = row["change_summary"]
    return Revision(
        id=row["id"],
        guild=row["guild"],
        status=row["status"],
        entry=row["entry"],
        source=Source(row["source"]),
        message=row["message"],
        actor=Principal(ActorType(row["actor_type"]), row["actor_id"], row["actor_name"]),
        digest=row["digest"],
        has_files=row["has_files"],
        bundle=row["bundle"],
        inline=row["inline"],
        client_bundle=row["client_bundle"],
        forced=row["forced"],
        observed=row["observed"],
        base=row["base_revision"],
        changes=msgspec.json.decode(summary, type=Changes) if summary is not None else None,
        error_code=row["error_code"],
        error=row["error"],
        error_stack=row["error_stack"],
        uid=row["object_uid"],
        generation=row["generation"],
        pod=row["pod"],
        created=row["created_at"],
        finished=row["finished_at"],
    )


COLUMNS: Final = """id, guild, status, entry, source, message, actor_type, actor_id, actor_name, digest,
    files IS NOT NULL AS has_files, bundle, inline, client_bundle, forced, observed, base_revision,
    change_summary, error_code, error, error_stack, object_uid, generation, pod, created_at, finished_at"""
