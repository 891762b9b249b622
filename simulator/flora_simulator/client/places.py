"""Guilds, channels, users, members and roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flora_simulator import wire
from flora_simulator.client.calls import Calls, quoted
from flora_simulator.world_spec import ChannelKind, ChannelSpec, GuildSpec, MemberSpec, RoleSpec


class PlacesCalls(Calls):
    """Change the world; guilds, channels, users and roles are named by id or name."""

    async def world(self) -> dict[str, Any]:
        """Guilds with their channels, roles and members."""
        return await self._call("GET", "/world", dict[str, Any])

    async def create_user(
        self, name: str, *, user_id: str | None = None, global_name: str | None = None, bot: bool = False
    ) -> str:
        """A user's id; nothing is made when there is one of that name (or id)."""
        return await self._create("/users", wire.CreateUser(name, user_id, global_name, bot))

    async def create_guild(
        self,
        name: str,
        *,
        guild_id: str | None = None,
        owner: str = "you",
        channels: Sequence[ChannelSpec] = (ChannelSpec("general"),),
        roles: Sequence[RoleSpec] = (),
        members: Sequence[MemberSpec] = (),
    ) -> str:
        """Let the bot join a new guild; its id."""
        spec = GuildSpec(name, guild_id, owner, tuple(channels), tuple(roles), tuple(members))
        return await self._create("/guilds", spec)

    async def remove_guild(self, guild: str) -> None:
        """Kick the bot out."""
        await self._call("DELETE", f"/guilds/{quoted(guild)}", None)

    async def set_outage(self, guild: str, *, unavailable: bool) -> None:
        """Let a guild become unavailable, or come back."""
        await self._call("POST", f"/guilds/{quoted(guild)}/outage", None, wire.Outage(unavailable))

    async def create_channel(
        self,
        guild: str,
        name: str,
        *,
        channel_id: str | None = None,
        kind: ChannelKind = "text",
        topic: str | None = None,
        parent: str | None = None,
    ) -> str:
        """A channel, or a thread in ``parent``; its id."""
        order = wire.CreateChannel(name, channel_id, kind, topic, parent)
        return await self._create(f"/guilds/{quoted(guild)}/channels", order)

    async def remove_channel(self, channel: str) -> None:
        """Delete a channel or thread."""
        await self._call("DELETE", f"/channels/{quoted(channel)}", None)

    async def create_role(self, guild: str, name: str, *, permissions: int = 0) -> str:
        """A role; its id."""
        return await self._create(f"/guilds/{quoted(guild)}/roles", RoleSpec(name, None, str(permissions)))

    async def add_member(
        self,
        guild: str,
        name: str,
        *,
        user_id: str | None = None,
        roles: Sequence[str] = (),
        nick: str | None = None,
    ) -> str:
        """Let somebody join; their id."""
        return await self._create(
            f"/guilds/{quoted(guild)}/members", wire.AddMember(name, user_id, list(roles), nick)
        )

    async def remove_member(self, guild: str, user: str) -> None:
        """Let somebody leave."""
        await self._call("DELETE", f"/guilds/{quoted(guild)}/members/{quoted(user)}", None)

    async def set_role(self, guild: str, user: str, role: str, *, has: bool) -> None:
        """Give a member a role, or take it away."""
        path = f"/guilds/{quoted(guild)}/members/{quoted(user)}/roles/{quoted(role)}"
        await self._call("PUT" if has else "DELETE", path, None)

    async def open_dm(self, user: str) -> str:
        """The id of the channel between ``user`` and the bot."""
        return await self._create(f"/dms/{quoted(user)}", None)
