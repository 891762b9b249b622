"""Settings of the API: ``API_…`` in the environment, ``[api]`` in config.toml."""

from __future__ import annotations

from pathlib import Path
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

    discord_url: str = "https://discord.com"
    """Where people log in; a simulated Discord is reached by this alone."""

    discord_browser_url: str = ""
    """The same for people's browsers, where they do not reach a simulated one by ``discord_url``."""

    discord_client_id: str = ""
    """Of the bot's application (Discord: Developer Portal > OAuth2)."""

    discord_client_secret: SecretStr = SecretStr("")
    """The same page has it. Without both nobody can log in; tokens that there are work."""

    operator_secret: SecretStr = SecretStr("")
    """Bearer of whoever runs this installation, for /api/metrics and /api/fleet; empty for nobody."""

    trusted_proxies: int = Field(0, ge=0, le=10)
    """How many proxies of yours stand before the API and add to X-Forwarded-For; 0: the header counts for
    nothing."""

    session_hours: float = Field(168.0, gt=0, le=8760)
    """After so long without use a login ends."""

    session_longest_days: float = Field(30.0, gt=0, le=366)
    """After so long it ends in any case."""

    rate_caller: int = Field(600, ge=1)
    """Requests a minute of one session or token; a fifth of them may come at once."""

    rate_address: int = Field(1200, ge=1)
    """The same of one address, before anybody is looked up; IPv6 by its /64."""

    rate_failures: int = Field(60, ge=1)
    """Tries a minute of one address with a session or token that is none; above it none is looked up."""

    body_mib: float = Field(8.0, gt=0, le=1024)
    """Largest request body."""

    request_seconds: float = Field(30.0, gt=0, le=600)
    """Until an answer has to begin; a stream that has begun goes on."""

    drain_seconds: float = Field(5.0, ge=0, le=300)
    """After SIGTERM: served as before, for those who have not heard yet that this replica goes."""

    stop_seconds: float = Field(20.0, ge=0, le=600)
    """Then: for requests that are under way; streams are ended."""

    token: SecretStr = SecretStr("")
    """Shown to operator, gateway and runtime pods; in a cluster a file has it (``token_file``)."""

    token_file: Path | None = None
    """A projected ServiceAccount token, read anew for each dial."""

    accept_tokens: SecretStr = SecretStr("")
    """Who may dial the internal port, as ``token=runtime/pod-name``, separated by commas (tests)."""

    namespace: str = "default"
    """Where the GuildDeployments it makes are."""

    deploy_seconds: float = Field(120.0, gt=0)
    """After so long a deploy that is not live has failed; a pod that starts anew takes less."""

    bundlers: int = Field(1, ge=1, le=16)
    """Scripts bundled at once; each takes a core and some 150 MB while it lasts."""

    log_level: LogLevel = "INFO"
    log_format: LogFormat = "auto"
