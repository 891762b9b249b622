"""Settings of the REST proxy: ``DISCORD_API_URL=…``, or ``api_url = …`` under ``[discord]``.

The bot token is not here: whoever starts the gateway reads it and hands it to the proxy.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import ClassVar, Literal

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from flora_core.errors import InvalidInput
from flora_core.settings import Settings
from flora_gateway.rest.transport import parse_base

API_PATH = "/api/v10"
"""What follows the host when ``api_url`` names none: the version of Discord's API this is written for."""


def _user_agent() -> str:
    try:
        release = version("flora")
    except PackageNotFoundError:
        release = "0"
    return f"DiscordBot (https://flora.uwu.network, {release})"


class RestSettings(Settings):
    """How the gateway speaks to Discord's REST API."""

    model_config = SettingsConfigDict(env_prefix="DISCORD_")
    table: ClassVar[str] = "discord"

    api_url: str = "https://discord.com/api/v10"
    """Where Discord's API is, with or without ``/api/v10``; a simulated Discord is reached by this alone."""

    user_agent: str = Field(default_factory=_user_agent, pattern=r"^DiscordBot \([!-~]+, [!-~]+\)[ -~]*$")
    """Discord asks for ``DiscordBot (url, version)`` and may block what does not say so."""

    http_client: Literal["lean", "aiohttp"] = "lean"
    """flora's own HTTP/1.1 client, or aiohttp's, which costs three to four times the CPU."""

    rest_connections: int = Field(64, ge=1, le=1024)
    """Connections to Discord at once. 50 calls/s at 0.3 s each need 15; interactions come on top."""

    rest_waiting: int = Field(1024, ge=1)
    """Calls that may wait for a connection. They passed the limiter, so a full queue means that Discord
    is not answering."""

    rest_connect_timeout_ms: int = Field(5000, ge=1)
    """Milliseconds for name resolution, TCP and TLS together."""

    rest_timeout_ms: int = Field(8000, ge=1)
    """Milliseconds for one attempt of a call, as the original flora had it."""

    rest_deadline_ms: int = Field(30_000, ge=1)
    """Milliseconds for a call in all, waiting for rate limits and retries included. As long as a handler
    may run (RUNTIME_DISPATCH_WALL_TIMEOUT_SECS): a later answer finds nobody."""

    rest_close_timeout_ms: int = Field(5000, ge=0)
    """Milliseconds that calls in flight get at shutdown before they are failed."""

    global_limit: int = Field(50, ge=0)
    """Calls per second with the bot's token (Discord: 50, more for very large bots); 0 for no limit."""

    guild_concurrency: int = Field(4, ge=1)
    """Calls of one guild in flight at once (the original's RUNTIME_GUILD_CONCURRENCY), and as many again
    for its interactions, which do not wait behind the others."""

    guild_limit: int = Field(50, ge=0)
    """Calls of one guild in any 10 seconds, answers to interactions aside; 0 for no limit. More of them wait.
    Each 256 KiB of a body count as one more. Discord allows a channel 5 messages in 5 seconds."""

    guild_queue: int = Field(256, ge=1)
    """Calls of one guild that may wait for rate limits; more fail at once with DISCORD_RATE_LIMITED."""

    invalid_limit: int = Field(9000, ge=1, le=9999)
    """Answers 401, 403 and 429 in 10 minutes after which no call is made until it is fewer. At 10,000
    Discord's front bans this address for every guild; the rest is for calls that are already out."""

    guild_invalid_limit: int = Field(30, ge=1)
    """The same for one guild in 60 seconds; above it, its calls are refused for 10 minutes."""

    scope_lookups: int = Field(30, ge=0)
    """Times a minute that a guild may make the gateway ask Discord whose a channel is. Real ones are known
    from events; this is for those that a script made up."""

    scope_channels: int = Field(1_000_000, ge=1)
    """Channels and threads to remember, about 200 bytes each; the oldest are forgotten above it."""

    @field_validator("api_url")
    @classmethod
    def _is_base(cls, url: str) -> str:
        try:
            parse_base(url, default_path=API_PATH)
        except InvalidInput as error:
            raise ValueError(str(error)) from None
        return url
