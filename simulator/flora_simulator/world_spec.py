"""The world at start, as data: from a TOML or JSON file, or the one that ``flora dev`` uses.

token = "simulated-bot-token"
[bot]
name = "flora"
[[guilds]]
name = "flora dev"
owner = "you"
channels = [{name = "general"}]
members = [{name = "you"}, {name = "mod", roles = ["Moderators"]}]
roles = [{name = "Moderators", permissions = "8192"}]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from flora_simulator.errors import BadWorld

ChannelKind = Literal["text", "voice", "category", "news", "stage", "forum", "thread", "private_thread"]


class BotSpec(Struct, frozen=True, forbid_unknown_fields=True):
    id: str = "100000000000000004"
    """Also the application's id, as it is for every bot made since 2016."""
    name: str = "flora"


class ChannelSpec(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    id: str | None = None
    type: ChannelKind = "text"
    topic: str | None = None


class RoleSpec(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    id: str | None = None
    permissions: str = "0"
    """A bit set in decimal, as in Discord's API; 8 is ADMINISTRATOR."""
    mentionable: bool = False


class MemberSpec(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    id: str | None = None
    roles: tuple[str, ...] = ()
    """Names of the guild's roles."""
    nick: str | None = None


class GuildSpec(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    id: str | None = None
    owner: str = "you"
    """A user's name; created when it is nobody's yet. Owners may do everything."""
    channels: tuple[ChannelSpec, ...] = (ChannelSpec("general"),)
    roles: tuple[RoleSpec, ...] = ()
    members: tuple[MemberSpec, ...] = ()


class WorldSpec(Struct, frozen=True, forbid_unknown_fields=True):
    bot: BotSpec = BotSpec()
    token: str = "simulated-bot-token"  # noqa: S105  it opens nothing
    guilds: tuple[GuildSpec, ...] = ()


DEV_GUILD: Final = "100000000000000001"
DEV_CHANNEL: Final = "100000000000000002"
DEV_USER: Final = "100000000000000003"
DEV_WORLD: Final = WorldSpec(
    guilds=(
        GuildSpec(
            name="flora dev",
            id=DEV_GUILD,
            channels=(ChannelSpec("general", id=DEV_CHANNEL),),
            members=(MemberSpec("you", id=DEV_USER),),
        ),
    )
)
"""One guild, one channel #general, its owner "you", and the bot "flora"."""


def world_of(guilds: Sequence[str]) -> WorldSpec:
    """A world with guilds of these ids: each with #general, all of them owned by "you"."""
    return WorldSpec(
        guilds=tuple(
            GuildSpec(name=f"guild {guild}", id=guild, members=(MemberSpec("you", id=DEV_USER),))
            for guild in guilds
        )
    )


def load_world(path: Path) -> WorldSpec:
    """The world in the TOML or JSON file at ``path``; raises BadWorld naming the file and the field."""
    try:
        content = path.read_bytes()
        if path.suffix == ".json":
            return msgspec.json.decode(content, type=WorldSpec)
        return msgspec.toml.decode(content, type=WorldSpec)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadWorld(f"{path}: {error}") from None
