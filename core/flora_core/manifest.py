"""GuildDeployment: the document that says what one guild should run.

The same document is a Kubernetes custom resource (group ``flora.uwu.network``, version ``v1alpha1``), an
entry of ``flora dev --deployments``, and what the API writes. The rules here are those of the CRD's schema;
here they exist for everything that reads a document without an API server in between. Unknown fields are
refused: a misspelt one would otherwise be silently without effect.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import Struct

from flora_core.errors import InvalidInput
from flora_core.ids import GuildId, parse_guild_id, parse_sha256
from flora_core.wire.control import Limits

GROUP: Final = "flora.uwu.network"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "GuildDeployment"
REVISION: Final = f"{GROUP}/revision"
"""The annotation that names the revision of the API which an object is of."""
API_MANAGER: Final = "flora-api"
"""Manages what was deployed through the API."""
DEV_MANAGER: Final = "flora-dev"
"""Manages the script of a guild whose folder a ``flora dev`` watches."""

CPU_MILLISECONDS: Final = (1, 10_000)
MEMORY_MEBIBYTES: Final = (16, 512)


class InvalidManifest(InvalidInput):
    """A document that is no valid GuildDeployment; the text names the field."""


class ConfigMapRef(Struct, frozen=True, forbid_unknown_fields=True):
    """Sources in a ConfigMap: one key a file, ``/`` in paths written as ``__``."""

    name: str


class BundleRef(Struct, frozen=True, forbid_unknown_fields=True):
    """A bundle that was stored before."""

    sha256: str


class Source(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Where the script comes from: exactly one of files, configMapRef and bundleRef."""

    entrypoint: str = "src/main.ts"
    files: dict[str, str] | None = None
    config_map_ref: ConfigMapRef | None = None
    bundle_ref: BundleRef | None = None


class SecretKeyRef(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    key: str


class SecretSpec(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A secret the script may use by name, and the hosts that may see its value."""

    name: str
    secret_key_ref: SecretKeyRef
    allowed_hosts: list[str] = []


class SpecLimits(Limits, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The wire's limits; a misspelt one is refused here."""


class Hibernation(StrEnum):
    AUTO = "Auto"
    NEVER = "Never"


class Spec(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What the guild should run."""

    guild_id: str
    source: Source
    secrets: list[SecretSpec] = []
    limits: SpecLimits = SpecLimits()
    suspend: bool = False
    hibernation: Hibernation = Hibernation.AUTO


class Metadata(Struct, frozen=True, rename="camel"):
    """The part of Kubernetes' metadata that flora reads; the rest is the API server's."""

    name: str = ""
    namespace: str = "default"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class GuildDeployment(Struct, frozen=True, rename="camel"):
    """One guild's document; ``status`` and whatever else the API server adds is ignored."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: Spec

    @property
    def guild(self) -> GuildId:
        return GuildId(self.spec.guild_id)

    @property
    def limits(self) -> Limits:
        """As they go over the wire."""
        given = self.spec.limits
        return Limits(given.cpu_milliseconds, given.memory_mebibytes)

    @property
    def hibernates(self) -> bool:
        """Whether the guild's isolate may be given back while nothing happens."""
        return self.spec.hibernation is Hibernation.AUTO


def parse_manifest(document: Any) -> GuildDeployment:
    """A decoded YAML or JSON document as a GuildDeployment; raises InvalidManifest."""
    if not isinstance(document, dict):
        raise InvalidManifest(f"a document should be a mapping with kind: {KIND}")
    try:
        manifest = msgspec.convert(document, GuildDeployment)
    except msgspec.ValidationError as error:
        raise InvalidManifest(_readable(str(error))) from None
    _check(manifest)
    return manifest


def _check(manifest: GuildDeployment) -> None:
    if manifest.api_version != API_VERSION or manifest.kind != KIND:
        raise InvalidManifest(
            f"this is {manifest.kind} of {manifest.api_version}, not {KIND} of {API_VERSION}"
        )
    spec = manifest.spec
    try:
        parse_guild_id(spec.guild_id, field="spec.guildId")
        if spec.source.bundle_ref is not None:
            parse_sha256(spec.source.bundle_ref.sha256, field="spec.source.bundleRef.sha256")
    except InvalidInput as error:
        raise InvalidManifest(str(error)) from None
    wanted = f"guild-{spec.guild_id}"
    if manifest.metadata.name != wanted:
        raise InvalidManifest(f"metadata.name: should be {wanted}, so that a guild has one document")
    given = [spec.source.files, spec.source.config_map_ref, spec.source.bundle_ref]
    if sum(source is not None for source in given) != 1:
        raise InvalidManifest("spec.source: give exactly one of files, configMapRef and bundleRef")
    _within("spec.limits.cpuMilliseconds", spec.limits.cpu_milliseconds, CPU_MILLISECONDS)
    _within("spec.limits.memoryMebibytes", spec.limits.memory_mebibytes, MEMORY_MEBIBYTES)


def _within(field: str, value: int, bounds: tuple[int, int]) -> None:
    lowest, highest = bounds
    if not lowest <= value <= highest:
        raise InvalidManifest(f"{field}: should be from {lowest} to {highest}, not {value}")


def _readable(text: str) -> str:
    """Msgspec's "Expected `str`, got `int` - at `$.spec.guildId`" with the field in front."""
    message, separator, path = text.partition(" - at `$.")
    return f"{path.rstrip('`')}: {message}" if separator else message
