"""What people do with messages: post, edit, delete, react. Discord's permissions apply to them too."""

from __future__ import annotations

from typing import Any

from flora_simulator.errors import ActRefused
from flora_simulator.live_backend import LiveBackend
from flora_simulator.simcord_port import (
    Channel,
    ChannelType,
    Guild,
    Message,
    User,
    message_accessible,
    reaction_permissions,
)
from flora_simulator.wire import Attachment
from flora_simulator.world import World


def post(
    world: World,
    user: User,
    channel: Channel,
    content: str,
    *,
    attachments: list[Attachment] | None = None,
    reply_to: str | None = None,
) -> Message:
    """Send a message; raises ActRefused, or BackendError when ``user`` may not."""
    backend = world.backend
    may_write(backend, user, channel)
    reference: dict[str, Any] | None = None
    if reply_to is not None:
        target = visible_message(world, user, channel, reply_to)
        reference = {"message_id": str(target.id), "channel_id": str(channel.id)}
        if channel.guild_id is not None:
            reference["guild_id"] = str(channel.guild_id)
    if not content and not attachments:
        raise ActRefused("an empty message cannot be sent; give content or an attachment")
    files = [(attachment.filename, attachment.data) for attachment in attachments or []]
    stored = backend.store_attachments(channel.id, files)
    return backend.create_message(channel.id, user.id, content, attachments=stored, reference=reference)


def edit(world: World, user: User, channel: Channel, message_id: str, content: str) -> Message:
    """Change one's own message."""
    message = visible_message(world, user, channel, message_id)
    if message.author_id != user.id:
        raise ActRefused(f"{user.name} cannot edit a message of {author_name(world, message)}")
    return world.backend.edit_message(channel.id, message.id, {"content": content})


def delete(world: World, user: User, channel: Channel, message_id: str) -> None:
    """Delete one's own message, or anybody's with MANAGE_MESSAGES."""
    message = visible_message(world, user, channel, message_id)
    if message.author_id != user.id:
        world.backend.require_permissions(channel.guild_id, user.id, channel.id, "manage_messages")
    world.backend.delete_message(channel.id, message.id)


def react(world: World, user: User, channel: Channel, message_id: str, emoji: str, *, reacted: bool) -> None:
    """Add or take back a reaction."""
    message = visible_message(world, user, channel, message_id)
    needed = reaction_permissions(message, emoji, reacted=reacted)
    world.backend.require_permissions(channel.guild_id, user.id, channel.id, *needed)
    world.backend.set_reaction(channel.id, message.id, emoji, user.id, reacted)


def may_write(backend: LiveBackend, user: User, channel: Channel) -> None:
    """Raise BackendError (Missing Access, Missing Permissions) when ``user`` cannot write here."""
    if channel.type in {ChannelType.CATEGORY, ChannelType.FORUM}:
        raise ActRefused(f"nobody can write in #{channel.name}: it is no text channel")
    needed = "send_messages_in_threads" if channel.is_thread else "send_messages"
    backend.require_permissions(channel.guild_id, user.id, channel.id, needed)


def visible_message(world: World, user: User, channel: Channel, message_id: str) -> Message:
    """The message, when ``user`` can see it."""
    message = world.message(channel, message_id)
    if not message_accessible(world.backend, channel.id, message, user.id):
        raise ActRefused(f"{user.name} cannot see message {message_id} in #{channel.name}")
    return message


def author_name(world: World, message: Message) -> str:
    """Under what name a message stands."""
    author = world.backend.users.get(message.author_id)
    return message.author_name or (author.name if author is not None else str(message.author_id))


def guild_of(world: World, channel: Channel) -> Guild | None:
    """The guild that ``channel`` is in; None for DMs."""
    return world.backend.guilds.get(channel.guild_id) if channel.guild_id is not None else None
