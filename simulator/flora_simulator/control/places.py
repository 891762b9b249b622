"""Control of the world's furniture: guilds, channels, users, members, roles."""

from __future__ import annotations

from typing import Any

from flora_simulator import people
from flora_simulator.control.http import ControlEndpoint, Order
from flora_simulator.errors import ActRefused
from flora_simulator.simcord_port import EPHEMERAL_FLAG, Guild, Member, Message, serializers
from flora_simulator.wire import (
    AddMember,
    CreateChannel,
    Created,
    CreateUser,
    Outage,
    TranscriptMessage,
)
from flora_simulator.world import World
from flora_simulator.world_spec import ChannelSpec, GuildSpec, MemberSpec, RoleSpec

_LOADING: int = 1 << 7
_DEFAULT_TRANSCRIPT = 50


class PlacesControl:
    """``/control/guilds``, ``/control/channels``, ``/control/users``, ``/control/world``."""

    def __init__(self, world: World) -> None:
        self._world = world

    def endpoints(self) -> list[ControlEndpoint]:
        """What there is."""
        guild, channel = "/guilds/{guild}", "/channels/{channel}"
        role = f"{guild}/members/{{user}}/roles/{{role}}"
        return [
            ControlEndpoint("GET", "/world", self._show),
            ControlEndpoint("POST", "/users", self._create_user, CreateUser),
            ControlEndpoint("POST", "/guilds", self._create_guild, GuildSpec),
            ControlEndpoint("DELETE", guild, self._remove_guild),
            ControlEndpoint("POST", f"{guild}/outage", self._outage, Outage),
            ControlEndpoint("POST", f"{guild}/channels", self._create_channel, CreateChannel),
            ControlEndpoint("POST", f"{guild}/roles", self._create_role, RoleSpec),
            ControlEndpoint("POST", f"{guild}/members", self._add_member, AddMember),
            ControlEndpoint("DELETE", f"{guild}/members/{{user}}", self._remove_member),
            ControlEndpoint("PUT", role, self._add_role),
            ControlEndpoint("DELETE", role, self._remove_role),
            ControlEndpoint("DELETE", channel, self._remove_channel),
            ControlEndpoint("GET", f"{channel}/transcript", self._transcript),
            ControlEndpoint("POST", "/dms/{user}", self._open_dm),
        ]

    def _show(self, _order: Order) -> dict[str, Any]:
        backend = self._world.backend
        return {
            "application_id": str(backend.application_id),
            "bot": {"id": str(backend.bot_user.id), "name": backend.bot_user.name},
            "guilds": [self._show_guild(guild) for guild in backend.guilds.values()],
        }

    def _show_guild(self, guild: Guild) -> dict[str, Any]:
        backend = self._world.backend
        channels = [backend.channels[channel] for channel in [*guild.channel_ids, *guild.thread_ids]]
        return {
            "id": str(guild.id),
            "name": guild.name,
            "owner": backend.users[guild.owner_id].name,
            "channels": [{"id": str(c.id), "name": c.name, "type": int(c.type)} for c in channels],
            "roles": [{"id": str(role.id), "name": role.name} for role in guild.roles.values()],
            "members": [
                {"id": str(member), "name": backend.users[member].name, "bot": backend.users[member].bot}
                for member in guild.members
            ],
        }

    def _create_user(self, order: Order) -> Created:
        wish: CreateUser = order.body
        user = self._world.create_user(wish.name, user_id=wish.id, global_name=wish.global_name, bot=wish.bot)
        return Created(str(user.id))

    def _create_guild(self, order: Order) -> Created:
        return Created(str(self._world.create_guild(order.body).id))

    def _remove_guild(self, order: Order) -> None:
        self._world.backend.remove_guild(self._guild(order).id)

    def _outage(self, order: Order) -> None:
        """Discord's servers for a guild go away, or come back."""
        guild, backend = self._guild(order), self._world.backend
        if order.body.unavailable:
            backend.emit("GUILD_DELETE", {"id": str(guild.id), "unavailable": True})
        else:
            backend.emit("GUILD_CREATE", serializers.guild_create_payload(backend, guild))

    def _create_channel(self, order: Order) -> Created:
        wish: CreateChannel = order.body
        parent = self._world.channel(wish.parent) if wish.parent is not None else None
        spec = ChannelSpec(wish.name, id=wish.id, type=wish.type, topic=wish.topic)
        return Created(str(self._world.create_channel(self._guild(order), spec, parent=parent).id))

    def _create_role(self, order: Order) -> Created:
        return Created(str(self._world.create_role(self._guild(order), order.body).id))

    def _add_member(self, order: Order) -> Created:
        wish: AddMember = order.body
        spec = MemberSpec(wish.name, id=wish.id, roles=tuple(wish.roles), nick=wish.nick)
        return Created(str(self._world.add_member(self._guild(order), spec).user_id))

    def _remove_member(self, order: Order) -> None:
        self._world.backend.remove_member(self._guild(order).id, self._member(order).user_id)

    def _add_role(self, order: Order) -> None:
        guild, member = self._guild(order), self._member(order)
        role = self._world.role(guild, order.path["role"])
        self._world.backend.add_member_role(guild.id, member.user_id, role.id)

    def _remove_role(self, order: Order) -> None:
        guild, member = self._guild(order), self._member(order)
        role = self._world.role(guild, order.path["role"])
        self._world.backend.remove_member_role(guild.id, member.user_id, role.id)

    def _remove_channel(self, order: Order) -> None:
        self._world.backend.delete_channel(self._world.channel(order.path["channel"]).id)

    def _open_dm(self, order: Order) -> Created:
        user = self._world.user(order.path["user"])
        return Created(str(self._world.backend.get_dm_channel(user.id).id))

    def _transcript(self, order: Order) -> list[TranscriptMessage]:
        """The newest messages, oldest first; with ``user``, only what that user sees."""
        channel = self._world.channel(order.path["channel"])
        viewer = self._world.user(order.query["user"]).id if "user" in order.query else None
        messages = [
            message
            for message in self._world.backend.messages[channel.id].values()
            if viewer is None or message.visible_to(viewer)
        ]
        limit = int(order.number("limit", _DEFAULT_TRANSCRIPT))
        return [self._line(message) for message in messages[-limit:]] if limit > 0 else []

    def _line(self, message: Message) -> TranscriptMessage:
        edits = self._world.backend.edits.get(message.id, ())
        ephemeral = bool(message.flags & EPHEMERAL_FLAG)
        return TranscriptMessage(
            id=str(message.id),
            author=people.author_name(self._world, message),
            author_id=str(message.author_id),
            content=message.content,
            at=message.timestamp,
            embeds=message.embeds,
            components=message.components,
            attachments=message.attachments,
            reactions={reaction.emoji: len(reaction.user_ids) for reaction in message.reactions},
            ephemeral=ephemeral,
            seen_by=(message.interaction_metadata or {})["user"]["id"] if ephemeral else None,
            thinking=bool(message.flags & _LOADING),
            reply_to=(message.reference or {}).get("message_id"),
            edits=[{"content": edit.content, "embeds": edit.embeds, "at": edit.at} for edit in edits],
        )

    def _guild(self, order: Order) -> Guild:
        return self._world.guild(order.path["guild"])

    def _member(self, order: Order) -> Member:
        guild, user = self._guild(order), self._world.user(order.path["user"])
        if user.id not in guild.members:
            raise ActRefused(f"{user.name} is no member of {guild.name}")
        return guild.members[user.id]
