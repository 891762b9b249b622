"""Settings of the API: ``API_…`` in the environment, ``[api]`` in config.toml."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from flora_core.settings import LogLevel, Settings
from flora_core.telemetry import LogFormat


class ApiSettings(Settings):
    """What the API needs to know."""

    model_config = SettingsConfigDict(env_prefix="API_")
    table: ClassVar[str] = "api"

    host: str = "0.0.0.0"  # noqa: S104  people and pods dial from outside
    """Address to serve on."""

    port: int = Field(8404, ge=0, le=65535)
    """Port for people and their tools: ``/api``; 0 for any free one."""

    internal_port: int = Field(8405, ge=0, le=65535)
    """Port for flora's own pods (secrets down, logs up), /metrics, /healthz and /readyz."""

    public_url: str = ""
    """Where people reach it, ``https://flora.example.com``; cookies are Secure when it is https. Empty for
    what a request says."""

    database_url: SecretStr = SecretStr("")
    """Revisions, bundles, tokens, secrets, audit: ``postgresql://user:password@host/database``."""

    redis_url: SecretStr = SecretStr("")
    """Sessions, rate limits, logs: ``redis://:password@host:6379/0``."""

    secret_keys: SecretStr = SecretStr("")
    """Keys of guilds' secrets, ``id:base64,id:base64``, 32 bytes each: the first one encrypts, all decrypt.
    Without any, secrets cannot be set here, and everything else works."""

    logs_kept: int = Field(2000, ge=100, le=1_000_000)
    """Log lines of one guild that Redis keeps, about 200 bytes each; older ones go, in steps of a hundred."""

    logs_days: float = Field(3.0, gt=0, le=365)
    """Days after which log lines go."""

    control_url: str = "http://127.0.0.1:8402"
    """The operator: which pod has which guild."""

    gateway_url: str = "http://127.0.0.1:8401"
    """The gateway: which guilds the bot is in, and who may do what there."""

    runtime_url: str = "http://{pod}:8403"
    """Of a runtime pod, with ``{pod}`` for its name."""

    token: SecretStr = SecretStr("")
    """Shown to operator, gateway and runtime pods; in a cluster a file has it (``token_file``)."""

    token_file: str = ""
    """A projected ServiceAccount token, read anew for each dial."""

    accept_tokens: SecretStr = SecretStr("")
    """Who may dial the internal port, as ``token=runtime/pod-name``, separated by commas (tests)."""

    namespace: str = "default"
    """Where the GuildDeployments it makes are."""

    log_level: LogLevel = "INFO"
    log_format: LogFormat = "auto"
