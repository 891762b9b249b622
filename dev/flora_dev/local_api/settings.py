"""Settings of the API on one machine, beside those of every API: ``LOCAL_…`` in the environment."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from flora_core.settings import Settings


class LocalSettings(Settings):
    """What ``flora dev`` tells its API."""

    model_config = SettingsConfigDict(env_prefix="LOCAL_")
    table: ClassVar[str] = "local"

    folder: Path
    """For databases, keys and the developer's token; made when it is missing, for its user alone."""

    kept: bool = False
    """Whether the folder is there again next time."""

    user: str = Field("100000000000000003", pattern="^[0-9]+$")
    """The developer's id, who owns every guild that the bot is in."""

    username: str = "you"

    guilds: str = ""
    """Their ids, separated by commas: what `GET /api/guilds` looks among."""
