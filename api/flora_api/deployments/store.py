"""The port to where GuildDeployments are: a cluster, this process, or a folder some day.

StoreError
├── Rejected       it will not have it, and says why; the same again will not do either
├── Taken          somebody else manages the script there
├── Leaving        the object is being deleted; try again when it is gone
└── StoreGone      no answer, or none that helps: it may have been done or not
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from flora_api.deployments.revisions import source_digest
from flora_core.errors import FloraError
from flora_core.ids import GuildId, Sha256
from flora_core.manifest import API_VERSION, GROUP, KIND, REVISION, SecretSpec

STARTER: Final = f"{GROUP}/starter"
"""The label of those that the operator made for guilds without a script."""

INLINE_LIMIT: Final = 256 << 10
"""Bytes of sources that an object holds itself; of larger ones it names the bundle."""


class StoreError(FloraError):
    """The object could not be brought to what it should be."""


class Rejected(StoreError):
    """It understood, and says no."""


class Taken(StoreError):
    """The fields belong to other managers."""

    def __init__(self, managers: list[str]) -> None:
        super().__init__(f"the script is managed by {', '.join(managers) or 'somebody else'}")
        self.managers = managers


class Leaving(StoreError):
    """It is being deleted."""


class StoreGone(StoreError):
    """It cannot be reached now."""


class Condition(Struct, frozen=True, rename="camel"):
    """One of ``Bundled``, ``Assigned`` and ``Ready``."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int = 0


class _Place(Struct, frozen=True):
    pod: str = ""


class _Bundle(Struct, frozen=True):
    sha256: str = ""


class ScriptError(Struct, frozen=True):
    """What the script threw last, in its author's lines."""

    message: str = ""
    stack: str = ""
    at: str = ""


class ObjectStatus(Struct, frozen=True, rename="camel"):
    """What the operator says of an object."""

    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()
    assignment: _Place = _Place()
    bundle: _Bundle = _Bundle()
    loaded_at: str = ""
    subscribed_events: tuple[str, ...] = ()
    cron_jobs: int | None = None
    last_error: ScriptError | None = None

    def condition(self, kind: str, generation: int) -> Condition | None:
        """The condition of that type, when it speaks of that generation."""
        for condition in self.conditions:
            if condition.type == kind and condition.observed_generation >= generation:
                return condition
        return None


NO_STATUS: Final = ObjectStatus()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One object, without the text of its sources."""

    guild: GuildId
    uid: str
    generation: int
    entry: str
    digest: str
    """``source_digest`` of its source."""
    bundle: Sha256 | None
    """That it names; None when it has files or a ConfigMap."""
    inline: bool
    """It has files."""
    revision: str
    """What its annotation names, true or not."""
    starter: bool
    """The operator made it for want of a script."""
    manager: str
    """Who owns its source, as Kubernetes' managedFields have it; empty when that is not known."""
    created: str
    leaving: bool
    """Somebody deleted it."""
    secrets: tuple[SecretSpec, ...] = ()
    """That it takes from Kubernetes: names and hosts."""
    status: ObjectStatus = NO_STATUS

    @property
    def ready(self) -> bool:
        """Whether the script as it stands is live."""
        condition = self.status.condition("Ready", self.generation)
        return condition is not None and condition.status == "True"


@dataclass(frozen=True, slots=True)
class Put:
    """An object is there, or has changed."""

    deployment: Deployment


@dataclass(frozen=True, slots=True)
class Gone:
    """An object is not there any more."""

    guild: GuildId
    uid: str


@dataclass(frozen=True, slots=True)
class Complete:
    """These are all there are; each has been Put before."""

    guilds: frozenset[GuildId]


Change = Put | Gone | Complete


class DeploymentStore(Protocol):
    """Every method raises StoreError."""

    async def apply(
        self, guild: GuildId, source: Mapping[str, Any], *, revision: str, force: bool = False
    ) -> Deployment:
        """Have the object of ``guild`` run ``source`` (``spec.source``). The same again changes nothing."""
        ...

    async def get(self, guild: GuildId) -> tuple[Deployment, dict[str, str] | None] | None:
        """The object and the files in it; None when there is none."""
        ...

    async def delete(self, guild: GuildId) -> bool:
        """Have it deleted; whether there was one."""
        ...

    def watch(self) -> AsyncIterator[Change]:
        """What is, then what changes, for ever; goes on by itself when the store is away for a while."""
        ...


def name_of(guild: GuildId) -> str:
    """Of the object."""
    return f"guild-{guild}"


def manifest(
    guild: GuildId, source: Mapping[str, Any], *, revision: str, namespace: str = ""
) -> dict[str, Any]:
    """What is applied: the fields that are ours, and no others."""
    metadata: dict[str, Any] = {"name": name_of(guild), "annotations": {REVISION: revision}}
    if namespace:
        metadata["namespace"] = namespace
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": metadata,
        "spec": {"guildId": guild, "source": dict(source)},
    }


def from_document(document: Mapping[str, Any]) -> tuple[Deployment, dict[str, str] | None]:
    """An object, and its files when it has them. What of it cannot be read counts as not there."""
    metadata: dict[str, Any] = document["metadata"]
    spec: dict[str, Any] = document.get("spec") or {}
    source: dict[str, Any] = spec.get("source") or {}
    try:
        status = msgspec.convert(document.get("status") or {}, ObjectStatus)
    except msgspec.ValidationError:
        status = NO_STATUS
    try:
        secrets = msgspec.convert(spec.get("secrets") or (), tuple[SecretSpec, ...])
    except msgspec.ValidationError:  # of a CRD that is newer than we are
        secrets = ()
    labels: dict[str, str] = metadata.get("labels") or {}
    deployment = Deployment(
        guild=GuildId(str(spec.get("guildId") or metadata["name"].removeprefix("guild-"))),
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        entry=str(source.get("entrypoint", "src/main.ts")),
        digest=source_digest(source),
        bundle=(source.get("bundleRef") or {}).get("sha256"),
        inline="files" in source,
        revision=str((metadata.get("annotations") or {}).get(REVISION, "")),
        starter=STARTER in labels,
        manager=_manager(metadata),
        created=metadata.get("creationTimestamp", ""),
        leaving="deletionTimestamp" in metadata,
        secrets=secrets,
        status=status,
    )
    return deployment, source.get("files")


def _manager(metadata: Mapping[str, Any]) -> str:
    for entry in metadata.get("managedFields") or []:
        spec = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        if "f:source" in spec:
            return str(entry.get("manager", ""))
    return ""
