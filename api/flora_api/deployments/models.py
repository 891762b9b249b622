"""What the routes of deployments take and answer; docs/api.md in types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from flora_api.deployments import revisions
from flora_api.principal import Principal

MAX_ENTRY = 255


class _Strict(BaseModel):
    """A misspelt field would otherwise be silently without effect."""

    model_config = ConfigDict(extra="forbid")


class File(_Strict):
    path: str
    contents: str


class SourceMap(_Strict):
    path: str
    contents: str


class DeployRequest(_Strict):
    entry: str = Field(
        min_length=1, max_length=MAX_ENTRY, description="The file that is run, `src/main.ts` say."
    )
    files: list[File] | None = Field(None, min_length=1, max_length=200)
    bundle: str | None = Field(None, description="Run as it is; `files` are shown beside it.")
    source_map: SourceMap | None = None
    build_id: str | None = Field(None, description="A build that is done, in place of `bundle`.")
    message: str = ""
    expected_revision: str | None = Field(
        None, description="Refuse unless this is the last good revision; `none` for that there is none."
    )


class RollbackRequest(_Strict):
    message: str = ""


class Deployed(BaseModel):
    guild_id: str
    revision_id: str
    entry: str
    created_at: str
    updated_at: str


class DryRun(BaseModel):
    ok: bool
    warnings: list[dict[str, object]]
    bytes: int = Field(description="Of the bundle with its source map.")


class Listed(BaseModel):
    guild_id: str
    entry: str
    revision_id: str | None
    created_at: str
    updated_at: str
    ready: bool
    reason: str


class DeploymentShown(BaseModel):
    guild_id: str
    entry: str
    revision_id: str
    created_at: str
    updated_at: str
    files: list[File] | None = None
    source_map: SourceMap | None = None
    bundle: str | None = None


class ConditionShown(BaseModel):
    type: str
    status: str
    reason: str
    message: str
    last_transition_time: str


class ErrorShown(BaseModel):
    message: str
    stack: str
    at: str


class StatusShown(BaseModel):
    guild_id: str
    ready: bool
    reason: str
    message: str
    revision_id: str | None
    pod: str
    generation: int
    observed_generation: int
    conditions: list[ConditionShown]
    loaded_at: str | None
    subscribed_events: list[str]
    cron_jobs: int | None
    last_error: ErrorShown | None


class Actor(BaseModel):
    type: Literal["session", "token", "operator", "system"]
    user_id: str
    username: str


class ChangeSummary(BaseModel):
    added_files: list[str]
    removed_files: list[str]
    modified_files: list[str]


class RevisionShown(BaseModel):
    id: str
    guild_id: str
    entry: str
    status: Literal["pending", "success", "failed"]
    deployed_at: str
    deploy_source: str
    message: str
    actor: Actor
    error_code: str | None = None
    error_message: str | None = None
    base_revision_id: str | None = None
    change_summary: ChangeSummary | None = None
    client_bundle: bool
    files: list[File] | None = None
    source_map: SourceMap | None = None
    bundle: str | None = None


class HistoryPage(BaseModel):
    revisions: list[RevisionShown]
    cursor: str | None = Field(None, description="Give it to have the next ones; absent at the end.")


class FileChange(BaseModel):
    path: str
    change: Literal["added", "removed", "modified"]
    diff: str = Field(description="Unified; empty where it is too much to show.")


class Diff(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    from_: str | None = Field(alias="from")
    to: str
    files: list[FileChange]


def shown_time(at: datetime) -> str:
    """RFC 3339 in microseconds with Z: two revisions of the same millisecond stay apart."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def shown_actor(actor: Principal) -> Actor:
    """Who it was."""
    return Actor(type=actor.type.value, user_id=actor.user_id, username=actor.username)


def shown_files(files: dict[str, str] | None) -> list[File] | None:
    """In order of their paths."""
    return None if files is None else [File(path=path, contents=files[path]) for path in sorted(files)]


def shown_revision(revision: revisions.Revision) -> RevisionShown:
    """Without files and bundle."""
    changes = revision.changes
    return RevisionShown(
        id=str(revision.id),
        guild_id=revision.guild,
        entry=revision.entry,
        status=revision.status,
        deployed_at=shown_time(revision.created),
        deploy_source=revision.source.value,
        message=revision.message,
        actor=shown_actor(revision.actor),
        error_code=revision.error_code or None,
        error_message=revision.error or None,
        base_revision_id=str(revision.base) if revision.base is not None else None,
        change_summary=None
        if changes is None
        else ChangeSummary(
            added_files=changes.added_files,
            removed_files=changes.removed_files,
            modified_files=changes.modified_files,
        ),
        client_bundle=revision.client_bundle,
    )
