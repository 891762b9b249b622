"""The simulated Discord's people and places: built from a spec, changed from outside, looked up by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from flora_simulator.errors import ActRefused, BadWorld
from flora_simulator.live_backend import LiveBackend
from flora_simulator.simcord_port import (
    Channel,
    ChannelType,
    Guild,
    Member,
    Message,
    Role,
    SetupError,
    User,
    serializers,
)
from flora_simulator.world_spec import ChannelKind, ChannelSpec, GuildSpec, MemberSpec, RoleSpec, WorldSpec

_KINDS: Final[dict[ChannelKind, ChannelType]] = {
    "text": ChannelType.TEXT,
    "voice": ChannelType.VOICE,
    "category": ChannelType.CATEGORY,
    "news": ChannelType.NEWS,
    "stage": ChannelType.STAGE_VOICE,
    "forum": ChannelType.FORUM,
    "thread": ChannelType.PUBLIC_THREAD,
    "private_thread": ChannelType.PRIVATE_THREAD,
}
_THREADS: Final = {ChannelType.PUBLIC_THREAD, ChannelType.PRIVATE_THREAD}

T = TypeVar("T", Guild, Channel, User)


class World:
    """SimCord's backend together with names for what is in it."""

    def __init__(self, spec: WorldSpec, backend: LiveBackend, *, token: str | None = None) -> None:
        self.backend = backend
        self.token = token or spec.token
        self._name_the_bot(_snowflake(spec.bot.id, "bot.id"), spec.bot.name)
        for guild in spec.guilds:
            self.create_guild(guild)

    def _name_the_bot(self, bot_id: int, name: str) -> None:
        backend = self.backend
        del backend.users[backend.bot_user.id]
        with backend.with_id(bot_id):
            backend.bot_user = backend.make_user(name, bot=True)
        backend.application_id = bot_id

    # ------------------------------------------------------------- making

    def create_guild(self, spec: GuildSpec) -> Guild:
        """Let the bot join a new guild; GUILD_CREATE is sent when all of it is there."""
        guild_id = _snowflake(spec.id, "guild.id") if spec.id is not None else None
        backend = self.backend
        with backend.silently():
            owner = self._owner(spec)
            try:
                guild = backend.create_guild(spec.name, id=guild_id, owner_id=owner.id)
            except SetupError as error:
                raise BadWorld(f"guild {spec.name}: {error}") from None
            for role in spec.roles:
                self.create_role(guild, role)
            for channel in spec.channels:
                self.create_channel(guild, channel)
            for member in spec.members:
                self.add_member(guild, member)
        backend.emit("GUILD_CREATE", serializers.guild_create_payload(backend, guild))
        return guild

    def _owner(self, spec: GuildSpec) -> User:
        listed = next((member for member in spec.members if member.name == spec.owner), None)
        return self.create_user(spec.owner, user_id=listed.id if listed is not None else None)

    def create_user(
        self, name: str, *, user_id: str | None = None, global_name: str | None = None, bot: bool = False
    ) -> User:
        """The user of that name (or id), created when there is none."""
        wanted = _snowflake(user_id, "user id") if user_id is not None else None
        for user in self.backend.users.values():
            if user.id == wanted or (user.name == name and wanted is None):
                return user
        with self.backend.with_id(wanted):
            return self.backend.make_user(name, bot=bot, global_name=global_name)

    def create_channel(self, guild: Guild, spec: ChannelSpec, *, parent: Channel | None = None) -> Channel:
        """A channel of ``guild``; threads need the ``parent`` they start in."""
        kind = _KINDS[spec.type]
        wanted = _snowflake(spec.id, "channel.id") if spec.id is not None else None
        if wanted in self.backend.channels:
            raise BadWorld(f"there is a channel {wanted} already")
        if kind in _THREADS:
            if parent is None:
                raise ActRefused(f"thread {spec.name}: name the channel it starts in as its parent")
            with self.backend.with_id(wanted):
                return self.backend.create_thread(parent.id, spec.name, guild.owner_id, type=kind)
        with self.backend.with_id(wanted):
            return self.backend.create_channel(
                guild.id,
                spec.name,
                type=kind,
                topic=spec.topic,
                parent_id=parent.id if parent is not None else None,
            )

    def create_role(self, guild: Guild, spec: RoleSpec) -> Role:
        """A role just above @everyone."""
        wanted = _snowflake(spec.id, "role.id") if spec.id is not None else None
        with self.backend.with_id(wanted):
            return self.backend.create_role(
                guild.id, spec.name, permissions=int(spec.permissions), mentionable=spec.mentionable
            )

    def add_member(self, guild: Guild, spec: MemberSpec) -> Member:
        """Let a user join ``guild``; an owner who is listed gets the roles listed."""
        user = self.create_user(spec.name, user_id=spec.id)
        roles = [self.role(guild, name).id for name in spec.roles]
        member = guild.members.get(user.id)
        if member is None:
            return self.backend.add_member(guild.id, user.id, roles=roles, nick=spec.nick, announce=True)
        member.role_ids, member.nick = roles, spec.nick
        return member

    # ------------------------------------------------------------- finding

    def guild(self, ref: str | None) -> Guild:
        """The guild with that id or name; the first one when None."""
        guilds = self.backend.guilds
        if ref is None:
            if not guilds:
                raise ActRefused("there is no guild yet; create one first")
            return next(iter(guilds.values()))
        return _find("guild", ref, guilds, guilds.values())

    def channel(self, ref: str) -> Channel:
        """The channel or thread with that id, or the only one of that name (with or without #)."""
        return _find("channel", ref.removeprefix("#"), self.backend.channels, self.backend.channels.values())

    def user(self, ref: str | None) -> User:
        """The user with that id or name; the first person when None."""
        people = [user for user in self.backend.users.values() if not user.bot]
        if ref is None:
            if not people:
                raise ActRefused("there is nobody here yet; create a user first")
            return people[0]
        users = self.backend.users
        return _find("user", ref.removeprefix("@"), users, users.values())

    def role(self, guild: Guild, ref: str) -> Role:
        """The role of ``guild`` with that id or name."""
        name = ref.removeprefix("@")
        for role in guild.roles.values():
            if ref == str(role.id) or role.name in {name, ref}:
                return role
        raise ActRefused(f"there is no role {ref} in {guild.name}; there are: {_names(guild.roles.values())}")

    def message(self, channel: Channel, ref: str) -> Message:
        """The message of ``channel`` with that id."""
        message = self.backend.messages.get(channel.id, {}).get(int(ref) if ref.isdecimal() else 0)
        if message is None:
            raise ActRefused(f"there is no message {ref} in #{channel.name}")
        return message


def _find(kind: str, ref: str, by_id: dict[int, T], everything: Iterable[T]) -> T:
    if ref.isdecimal() and (found := by_id.get(int(ref))) is not None:
        return found
    named = [thing for thing in everything if thing.name == ref]
    if len(named) == 1:
        return named[0]
    if named:
        raise ActRefused(f"{len(named)} {kind}s are named {ref}; give an id: {[str(t.id) for t in named]}")
    raise ActRefused(f"there is no {kind} {ref}; there are: {_names(by_id.values())}")


def _names(things: Iterable[Guild | Channel | User | Role]) -> str:
    return ", ".join(f"{thing.name} ({thing.id})" for thing in things) or "none"


def _snowflake(text: str, field: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1 << 64:
        raise BadWorld(f"{field}: {text!r} is not an id; give its digits as a string")
    return int(text)
