"""A GuildDeployment as the operator keeps it: without its sources' text, so that there is room for many."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from flora_core.ids import GuildId
from flora_core.manifest import Hibernation, SecretSpec, Spec
from flora_core.wire.control import DEFAULT_LIMITS, Limits
from flora_operator.status import NOTHING, Status, parse

FINALIZER: Final = "flora.uwu.network/data"
"""A guild has data outside the cluster's database; who deletes it must hear of it first."""

Key = tuple[str, str]
"""Namespace and name."""


@dataclass(slots=True, frozen=True)
class SourceRef:
    """Where the sources are; ``digest`` is set for those that the object itself has."""

    entrypoint: str = ""
    digest: str = ""
    config_map: str = ""
    bundle: str = ""


@dataclass(slots=True, frozen=True, kw_only=True)
class Deployment:
    """One object, as of ``resource_version``."""

    key: Key
    uid: str
    resource_version: str
    generation: int
    created: str
    deleted: str = ""
    """When somebody wanted it gone; empty while nobody does."""
    finalizers: tuple[str, ...] = ()
    guild: GuildId
    source: SourceRef = SourceRef()
    secrets: tuple[SecretSpec, ...] = ()
    limits: Limits = DEFAULT_LIMITS
    hibernation: Hibernation = Hibernation.AUTO
    suspended: bool = False
    problem: str = ""
    """Why its spec cannot be read; this operator is older than the CRD."""
    status: Status = NOTHING

    @property
    def seniority(self) -> tuple[str, str, Key]:
        """Of several objects for a guild the one with the least of it serves: the oldest."""
        return (self.created, self.uid, self.key)

    @property
    def age_matters(self) -> bool:
        """Whether anything of the guild may have run."""
        return bool(self.status.loaded_at) or FINALIZER in self.finalizers


def key_of(document: Mapping[str, Any]) -> Key:
    """Namespace and name of any object."""
    metadata = document["metadata"]
    return (metadata.get("namespace", ""), metadata["name"])


def from_document(document: Mapping[str, Any]) -> tuple[Deployment, dict[str, str] | None]:
    """An object of the API server, and its files when it has them."""
    metadata: dict[str, Any] = document["metadata"]
    try:
        spec = msgspec.convert(document["spec"], Spec)
        problem = ""
    except (msgspec.ValidationError, KeyError) as error:
        spec, problem = None, str(error)
    deployment = Deployment(
        key=key_of(document),
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        generation=metadata.get("generation", 0),
        created=metadata.get("creationTimestamp", ""),
        deleted=metadata.get("deletionTimestamp", ""),
        finalizers=tuple(metadata.get("finalizers", ())),
        guild=GuildId(spec.guild_id if spec else metadata["name"].removeprefix("guild-")),
        source=_source(spec) if spec else SourceRef(),
        secrets=tuple(spec.secrets) if spec else (),
        limits=_limits(spec) if spec else DEFAULT_LIMITS,
        hibernation=spec.hibernation if spec else Hibernation.AUTO,
        suspended=spec.suspend if spec else False,
        problem=problem,
        status=parse(document.get("status")),
    )
    return deployment, spec.source.files if spec else None


def digest(files: Mapping[str, str], entrypoint: str) -> str:
    """SHA-256 over sources; lengths go in, so that no two are written alike."""
    taken = hashlib.sha256()
    for text in (entrypoint, *(part for path in sorted(files) for part in (path, files[path]))):
        encoded = text.encode(errors="surrogatepass")
        taken.update(b"%d:" % len(encoded))
        taken.update(encoded)
    return taken.hexdigest()


def _source(spec: Spec) -> SourceRef:
    source = spec.source
    return SourceRef(
        entrypoint=source.entrypoint,
        digest=digest(source.files, source.entrypoint) if source.files is not None else "",
        config_map=source.config_map_ref.name if source.config_map_ref else "",
        bundle=source.bundle_ref.sha256 if source.bundle_ref else "",
    )


def _limits(spec: Spec) -> Limits:
    return Limits(spec.limits.cpu_milliseconds, spec.limits.memory_mebibytes)
