"""Settings of the operator: ``OPERATOR_…`` in the environment, ``[operator]`` in config.toml."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from flora_core.errors import InvalidInput
from flora_core.ids import parse_pod_name
from flora_core.settings import LogLevel, Settings
from flora_core.telemetry import LogFormat
from flora_operator.deployment import Key

_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_CONFIG_MAP: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
)
"""DNS label and DNS subdomain (RFC 1123), which Kubernetes wants such names to be."""


class OperatorSettings(Settings):
    """What an operator needs to know; the cluster itself is found as kubectl finds it."""

    model_config = SettingsConfigDict(env_prefix="OPERATOR_")
    table: ClassVar[str] = "operator"

    host: str = "0.0.0.0"  # noqa: S104  pods and gateway dial from outside
    """Address to serve on."""

    port: int = Field(8402, ge=0, le=65535)
    """Port for the control streams, /metrics, /healthz and /readyz; 0 for any free one."""

    namespace: str = "default"
    """Where the StatefulSet is; in a pod, its own namespace by the downward API."""

    watch_namespaces: str = ""
    """Namespaces whose GuildDeployments count, separated by commas; empty for all."""

    statefulset: str = "flora-runtime"
    """The runtime pods' StatefulSet; its replicas say which pods there are."""

    database_url: SecretStr = SecretStr("")
    """Where bundles are kept: ``postgresql://user:password@host/database``."""

    writers: int = Field(16, ge=1, le=256)
    """Guilds reconciled at once, and so the requests that the API server may have to answer at once."""

    bundlers: int = Field(2, ge=1, le=64)
    """Scripts bundled at once; each takes a core and some 150 MB while it lasts."""

    handoffs: int = Field(8, ge=1, le=256)
    """Guilds on their way from one pod to another at once."""

    starter_config_map: str = ""
    """``namespace/name`` of a ConfigMap: the script for guilds that have none; empty for off."""

    retention_hours: float = Field(168.0, ge=0)
    """How long a guild's data is kept after its GuildDeployment was deleted; a week."""

    resync_seconds: float = Field(300.0, ge=1)
    """How often the list of GuildDeployments is compared with what the watch has told."""

    accept_tokens: SecretStr = SecretStr("")
    """Who may dial in, as ``token=runtime/pod-name`` or ``token=gateway``, separated by commas (tests)."""

    log_level: LogLevel = "INFO"
    log_format: LogFormat = "auto"

    @property
    def namespaces(self) -> list[str]:
        """``watch_namespaces`` one by one; empty for all."""
        return _names(self.watch_namespaces)

    @property
    def starter(self) -> Key | None:
        """``starter_config_map`` as a key; None for off."""
        namespace, _, name = self.starter_config_map.partition("/")
        return (namespace, name) if name else None

    @field_validator("starter_config_map")
    @classmethod
    def _names_a_config_map(cls, value: str, info: ValidationInfo) -> str:
        if not value:
            return value
        namespace, _, name = value.partition("/")
        if not (_NAMESPACE.fullmatch(namespace) and _CONFIG_MAP.fullmatch(name)):
            raise ValueError(f"{value[:70]!r} is no namespace/name; write flora/starter, say")
        watched = _names(info.data.get("watch_namespaces", ""))
        if watched and namespace not in watched:
            raise ValueError(f"namespace {namespace} is not among OPERATOR_WATCH_NAMESPACES; add it there")
        return value

    @field_validator("statefulset")
    @classmethod
    def _names_pods(cls, name: str) -> str:
        try:
            return parse_pod_name(name, field="statefulset")
        except InvalidInput as error:
            raise ValueError(str(error)) from None


def _names(text: str) -> list[str]:
    return text.replace(",", " ").split()
