"""Settings of the simulator: ``SIMULATOR_PORT=8410`` or ``[simulator] port = 8410`` in ``config.toml``.

The defaults are Discord's own numbers; tests shorten the windows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from flora_core.settings import Settings

PrivilegedIntent = Literal["members", "presences", "message_content"]


class SimulatorSettings(Settings):
    """Where the simulated Discord listens and how strict it is."""

    model_config = SettingsConfigDict(env_prefix="SIMULATOR_")
    table = "simulator"

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for a simulator that is a pod of its own."""
    control: Literal["local", "open"] = "local"
    """Whom the control interface answers: this machine alone, or everybody who reaches the port. It has no
    password: ``open`` is for the network of a test."""
    port: int = Field(default=8410, ge=0, le=65535)
    """TCP port; 0 picks a free one, which the ready line names."""
    world: Path | None = None
    """TOML or JSON file with the world at start; without one there is the guild "flora dev"."""
    guilds: str = ""
    """Ids of guilds to have instead, separated by commas: each with #general, all owned by "you"."""
    token: str | None = None
    """The bot token to accept, instead of the world's."""
    client_secret: str = "simulated-client-secret"  # noqa: S105  it opens nothing
    """What the application shows when it exchanges an OAuth2 code; its client id is the bot's id."""
    oauth_seconds: float = Field(default=604_800.0, gt=0)
    """How long a person's access token is good (Discord: a week)."""

    rate_limits: bool = True
    """Whether REST calls are limited at all."""
    rate_limit_factor: float = Field(default=1.0, gt=0)
    """Multiplies every limit (calls per window), for tests that would wait too long or not at all."""
    invalid_request_limit: int = Field(default=10_000, ge=1)
    """401, 403 and 429 answers in 10 minutes after which Cloudflare bans the address (Discord: 10,000)."""

    shards: int = Field(default=1, ge=1)
    """Shard count that ``GET /gateway/bot`` recommends."""
    max_concurrency: int = Field(default=1, ge=1)
    """Identifies per window; a shard's own window is that of ``shard_id % max_concurrency``."""
    identify_window_secs: float = Field(default=5.0, ge=0)
    """Length of that window in seconds (Discord: 5); 0 lets every IDENTIFY through."""
    identifies_per_day: int = Field(default=1000, ge=1)
    """Session starts before the token stops working (Discord: 1,000 in 24 h)."""
    guilds_per_shard: int = Field(default=2500, ge=1)
    """More guilds than this on one shard close with 4011 (Discord: 2,500)."""
    privileged_intents: frozenset[PrivilegedIntent] = frozenset(("members", "presences", "message_content"))
    """Privileged intents that are approved; asking for another closes with 4014."""
    heartbeat_interval_secs: float = Field(default=41.25, gt=0)
    """What HELLO asks for. A connection without a heartbeat for twice this long is closed with 4009."""
    resume_window_secs: float = Field(default=180.0, ge=0)
    """How long a session outlives its connection (Discord: "a few minutes")."""
    replay_events: int = Field(default=20_000, ge=1)
    """Events kept for each session; what a client has not taken when it is this far behind is lost to it."""
    sends_per_minute: int = Field(default=120, ge=1)
    """Frames a client may send in 60 s before it is closed with 4008 (Discord: 120)."""

    interaction_window_secs: float = Field(default=3.0, gt=0)
    """Time for the first answer to an interaction (Discord: 3 s)."""
    nonce_window_secs: float = Field(default=300.0, ge=0)
    """How long a message's nonce is remembered (Discord: "a few minutes")."""

    journal_entries: int = Field(default=10_000, ge=1)
    """Bot actions kept for ``/control/wait``."""
    messages_per_channel: int = Field(default=2_000, ge=1)
    """Messages kept in a channel; the oldest go first."""
    upload_bytes: int = Field(default=26 << 20, ge=1)
    """Largest request body (Discord: 10 MiB a file for most bots; 25 MiB with a boosted guild)."""
