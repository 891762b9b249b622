"""What the gateway tells the API of guilds and of people in them; ``docs/protocol.md`` has the paths."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

ADMINISTRATOR: Final = 1 << 3
MANAGE_GUILD: Final = 1 << 5

IDS_MOST: Final = 200
"""Guilds that may be asked about at once: Discord's limit of those that a person is in."""


class GuildName(Struct, frozen=True):
    """A guild that the bot is in."""

    id: str
    name: str
    icon: str | None = None
    """Discord's hash of it."""


class Standing(Struct, frozen=True):
    """How somebody stands in a guild that the bot is in."""

    guild: str
    name: str
    icon: str | None = None
    member: bool = False
    owner: bool = False
    permissions: str = "0"
    """In the guild as a whole: a bit set in decimal, as in Discord's API."""

    @property
    def manages(self) -> bool:
        """Owner, ADMINISTRATOR or MANAGE_GUILD."""
        return self.owner or bool(int(self.permissions) & (ADMINISTRATOR | MANAGE_GUILD))
