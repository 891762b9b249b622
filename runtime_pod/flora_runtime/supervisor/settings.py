"""Settings of the runtime pod. The names are the original flora's where it had them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from flora_core.settings import LogLevel, Settings
from flora_runtime.fetch.address import parse_networks


class RuntimeSettings(Settings):
    """``RUNTIME_…`` in the environment, ``[runtime]`` in config.toml."""

    model_config = SettingsConfigDict(env_prefix="RUNTIME_")
    table: ClassVar[str] = "runtime"

    pod_name: str = "flora-runtime-0"
    """This pod's name; in a StatefulSet the ordinal in it decides which guilds come here."""

    gateway_url: str = "http://127.0.0.1:8401"
    """Where the gateway serves events and takes ops."""

    control_url: str = "http://127.0.0.1:8402"
    """Where assignments and bundles come from: the operator, or ``flora dev``'s controller."""

    logs_url: str = ""
    """Where scripts' log lines go (``POST /v1/pods/{pod}/logs``); empty for this process's own log."""

    api_url: str = ""
    """The API's internal port, ``http://flora-api:8405``: secrets that people set come from there, and
    scripts' log lines go there instead of to ``logs_url``. Empty for no API."""

    token: SecretStr = SecretStr("")
    """Bearer token for all of them. In a cluster ``token_file`` is used instead."""

    token_file: Path | None = None
    """A projected ServiceAccount token; read again for each dial because Kubernetes rotates it."""

    accept_tokens: SecretStr = SecretStr("")
    """Who may ask about this pod's guilds, as ``token=api`` separated by commas (``flora dev`` and tests).
    With a ``token_file``, the operator is asked about others."""

    data_dir: Path = Path("/var/lib/flora")
    """The pod's volume: KV, bundles, plans of jobs."""

    host: str = "0.0.0.0"  # noqa: S104  a pod is reached from outside
    """Address to serve /metrics, /healthz and /readyz on."""

    port: int = Field(8403, ge=0, le=65535)
    """Port for the same; 0 for any free one."""

    max_workers: int = Field(4, ge=1, le=64)
    """Worker processes. Guilds are spread over them by hash; one a core is right for busy pods."""

    pin_workers: bool = True
    """Keep each worker on one core where there are at least two a worker could choose from: an isolate's
    thread and the worker's own wake each other several times an event."""

    boot_timeout_secs: float = Field(5, ge=0, le=60)
    """Time for an isolate to come up with the SDK in it."""

    load_timeout_secs: float = Field(30, ge=0, le=600)
    """Time for a script to load, awaits at its top level included; 0 for no limit."""

    dispatch_timeout_secs: float = Field(3, ge=0, le=600)
    """CPU time one handler may use over all its turns; 0 for no limit. (The original counted wall time,
    and with it the time Discord took to answer.)"""

    dispatch_wall_timeout_secs: float = Field(30, ge=0, le=3600)
    """How long one handler may take in all, waiting included; 0 for no limit."""

    cron_timeout_secs: float = Field(5, ge=0, le=3600)
    """How long a run of a job by the clock may take in all; 0 for no limit."""

    max_script_bytes: int = Field(8 << 20, ge=1024)
    """Size of a bundle's code."""

    backlog_limit: int = Field(2000, ge=1)
    """Events of one guild that may wait; above it droppable ones (see docs/events.md) are left out and
    counted. The others are kept up to ten times as many."""

    fetch_allow: str = ""
    """Address ranges that scripts may fetch from although they are not public (``127.0.0.1``), for tests and
    a developer's own machine; separated by commas."""

    fetch_deny: str = ""
    """Address ranges that scripts may not fetch from although they are public: the cluster's own, if it has
    any such. Stronger than ``fetch_allow``."""

    fetch_per_minute: int = Field(60, ge=1, le=10_000)
    """Fetches of one guild in any minute."""

    fetch_at_once: int = Field(6, ge=1, le=64)
    """Fetches of one guild under way at once; some more may wait."""

    worker_silence_secs: float = Field(3, ge=0.5)
    """A worker that says nothing for this long is killed and replaced."""

    worker_rss_mib: int = Field(2048, ge=128)
    """Memory of one worker process above which it is replaced: some of V8's is never given back."""

    retire_secs: float = Field(240, ge=0)
    """How long the pod serves on at SIGTERM while the operator moves its guilds away, because there is to be
    a pod less; 3 s when nobody answers, 0 for not asking. Together with ``drain_secs`` and 10 s it has to fit
    into the pod's grace period."""

    drain_secs: float = Field(10, ge=0)
    """How long running handlers get after that, and those of a guild before it moves to another pod."""

    worker_soft_rss_mib: int = Field(1024, ge=64)
    """Memory of one worker process above which it sends guilds to sleep, those first that had no event for
    longest; so does a container that has used 85 % of its limit."""

    hibernate_after_secs: float = Field(600, ge=0)
    """A guild without an event for this long gives its isolate back until the next; 0 for never."""

    cpu_secs_per_minute: float = Field(12, ge=0, le=600)
    """CPU time that one guild may use a minute, with as much saved up at most; its events wait when it is
    used up. A fifth of a core: a script that answers in 0.2 ms gets there with 1,000 messages a second. 0 for
    no limit."""

    walls: Literal["full", "off"] = "full"
    """Whether worker processes give up files, network and other processes (landlock, seccomp) before they
    take guilds. ``off`` is for profilers and debuggers, which need what is given up."""

    show_internal_stack_frames: bool = False
    """Show flora's own frames in scripts' stacks."""

    log_level: LogLevel = "INFO"
    log_format: Literal["auto", "json", "console"] = "auto"

    @field_validator("fetch_allow", "fetch_deny")
    @classmethod
    def _is_networks(cls, text: str) -> str:
        parse_networks(text)
        return text

    @field_validator("gateway_url", "control_url", "logs_url", "api_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("should be a URL that starts with http:// or https://")
        return url.rstrip("/")
