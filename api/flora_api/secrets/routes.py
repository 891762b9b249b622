"""``/api/secrets``: secrets as people see and change them. A value goes in and never comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from flora_api.answers import of_a_guild
from flora_api.principal import MayListSecrets, MayUseSecrets
from flora_api.secrets.rules import NewSecret, checked, checked_all, checked_name
from flora_api.secrets.service import SecretService
from flora_core.ids import GuildId
from flora_core.manifest import SecretSpec

ManifestSecrets = Callable[[GuildId], Sequence[SecretSpec]]
"""The secrets that a guild's GuildDeployment takes from Kubernetes; may raise ApiError."""

Name = Annotated[str, Path(description="What the script calls it: letters, digits and `_`, at most 64.")]


class SecretIn(BaseModel):
    """A secret's value, and who may see it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    value: SecretStr = Field(description="1 byte to 16 KiB of text.")
    allowed_hosts: list[str] = Field(
        default=[], description="`api.example.com`, `*.example.com`; without any it goes nowhere."
    )


class NamedSecretIn(SecretIn):
    name: str


class BulkIn(BaseModel):
    secrets: list[NamedSecretIn]


class SecretShown(BaseModel):
    """A secret without its value."""

    name: str
    allowed_hosts: list[str]


class SecretListed(SecretShown):
    created_at: datetime | None = Field(description="Null for one of Kubernetes.")
    updated_at: datetime | None = Field(description="Null for one of Kubernetes.")
    source: Literal["api", "kubernetes"] = Field(
        description="Of two with one name that of Kubernetes counts."
    )


class Deleted(BaseModel):
    deleted: bool


_READ: Final = of_a_guild(400)
_WRITE: Final = of_a_guild(400, 507)


def router(service: SecretService, *, in_manifest: ManifestSecrets = lambda _guild: ()) -> APIRouter:
    """The routes. ``in_manifest`` has those that Kubernetes gives the guild."""
    routes = APIRouter(prefix="/secrets", tags=["secrets"])

    @routes.get("/{guild_id}", response_model=list[SecretListed], responses=_READ)
    async def list_secrets(access: MayListSecrets) -> list[SecretListed]:
        """Names, hosts and times of the guild's secrets, by name."""
        stored = [
            SecretListed(
                name=row.name,
                allowed_hosts=row.allowed_hosts,
                created_at=row.created_at,
                updated_at=row.updated_at,
                source="api",
            )
            for row in await service.store.rows(access.guild)
        ]
        given = [
            SecretListed(
                name=spec.name,
                allowed_hosts=list(spec.allowed_hosts),
                created_at=None,
                updated_at=None,
                source="kubernetes",
            )
            for spec in in_manifest(access.guild)
        ]
        return sorted([*stored, *given], key=lambda secret: (secret.name, secret.source))

    @routes.put("/{guild_id}/{name}", response_model=SecretShown, responses=_WRITE)
    async def put_secret(access: MayUseSecrets, name: Name, body: SecretIn) -> SecretShown:
        """Set a secret: the running script's next request has it, without a deploy."""
        secret = _new(name, body)
        await service.store.put(access, [secret])
        return _shown(secret)

    @routes.delete("/{guild_id}/{name}", response_model=Deleted, responses=_READ)
    async def delete_secret(access: MayUseSecrets, name: Name) -> Deleted:
        """Delete a secret: requests with its placeholder are refused from then on."""
        return Deleted(deleted=await service.store.delete(access, checked_name(name)))

    @routes.post("/{guild_id}/bulk", response_model=list[SecretShown], responses=_WRITE)
    async def put_secrets(access: MayUseSecrets, body: BulkIn) -> list[SecretShown]:
        """Set several secrets, all or none."""
        secrets = checked_all([_new(each.name, each) for each in body.secrets])
        await service.store.put(access, secrets)
        return [_shown(secret) for secret in secrets]

    return routes


def _new(name: str, body: SecretIn) -> NewSecret:
    return checked(name, body.value.get_secret_value(), body.allowed_hosts)


def _shown(secret: NewSecret) -> SecretShown:
    return SecretShown(name=secret.name, allowed_hosts=list(secret.allowed_hosts))
