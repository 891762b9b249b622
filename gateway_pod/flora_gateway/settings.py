"""Settings of the gateway pod. The names are the original flora's where it had them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from flora_core.settings import LogLevel, Settings


class DiscordSettings(Settings):
    """``DISCORD_…`` in the environment, ``[discord]`` in config.toml; ``rest`` has more of them."""

    model_config = SettingsConfigDict(env_prefix="DISCORD_")
    table: ClassVar[str] = "discord"

    token: SecretStr
    """The bot's token. Only this process has it."""

    shard_count: int = Field(0, ge=0, le=16_384)
    """Connections to Discord; 0 for the number that Discord recommends."""

    privileged_intents: bool = True
    """Ask for message content and members. Discord refuses the connection when the application has not been
    given them; commands by slash and mention work without."""


class GatewaySettings(Settings):
    """``GATEWAY_…`` in the environment, ``[gateway]`` in config.toml."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")
    table: ClassVar[str] = "gateway"

    host: str = "0.0.0.0"  # noqa: S104  runtime pods dial from outside
    """Address to serve on."""

    port: int = Field(8401, ge=0, le=65535)
    """Port for pods, /metrics, /healthz and /readyz; 0 for any free one."""

    control_url: str = "http://127.0.0.1:8402"
    """Where the route table comes from: the operator, or ``flora dev``'s controller."""

    token: SecretStr = SecretStr("")
    """Bearer token for the control plane. In a cluster ``token_file`` is used instead."""

    token_file: Path | None = None
    """A projected ServiceAccount token; read again for each dial because Kubernetes rotates it."""

    accept_tokens: SecretStr = SecretStr("")
    """Who may dial in, as ``token=runtime/pod-name`` separated by commas (``flora dev`` and tests)."""

    redis_url: str = ""
    """Where Discord sessions are kept besides ``state_dir``: ``redis://host:6379/0``; empty for nowhere."""

    state_dir: Path = Path("/var/lib/flora")
    """Where sessions and the last route table are kept."""

    buffer_mib: int = Field(64, ge=1, le=4096)
    """Memory for events that one runtime pod has not acknowledged; above it they are dropped and counted."""

    guild_backlog: int = Field(2000, ge=1)
    """Unacknowledged events of one guild above which droppable ones (see docs/events.md) are left out."""

    log_level: LogLevel = "INFO"
    log_format: Literal["auto", "json", "console"] = "auto"
