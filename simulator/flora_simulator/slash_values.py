"""From what was typed for an option to what Discord sends: typed values, and ``resolved`` objects."""

from __future__ import annotations

import re
from typing import Any, Final, cast

from flora_simulator.errors import ActRefused
from flora_simulator.simcord_port import (
    Channel,
    Guild,
    OptionError,
    OptionType,
    Role,
    User,
    channel_accessible,
    parse_option_input,
    serializers,
    store_interaction_attachment,
)
from flora_simulator.slash_text import Invocation, usage
from flora_simulator.wire import Attachment
from flora_simulator.world import World

Json = dict[str, Any]

_MENTION: Final = re.compile(r"<(?:@!?|@&|#)(\d+)>")
_TRUE: Final = {"true", "yes", "on", "1"}
_FALSE: Final = {"false", "no", "off", "0"}


class Resolver:
    """Turns references of ``user`` in ``channel`` into ids, and collects what they stand for."""

    def __init__(self, world: World, user: User, channel: Channel, guild: Guild | None) -> None:
        self._world = world
        self._user = user
        self._channel = channel
        self._guild = guild
        self.resolved: Json = {}

    def user(self, ref: str) -> str:
        """A person, as <@id>, id or name."""
        user = self._world.user(_bare(ref))
        self._add("users", user.id, serializers.user_payload(user))
        if self._guild is not None and (member := self._guild.members.get(user.id)) is not None:
            payload = dict(
                serializers.member_payload(self._world.backend, self._guild, member, with_user=False)
            )
            payload["permissions"] = str(self._world.backend.compute_permissions(self._guild.id, user.id))
            self._add("members", user.id, payload)
        return str(user.id)

    def role(self, ref: str) -> str:
        """A role of this guild."""
        if self._guild is None:
            raise ActRefused("there are no roles in a direct message")
        role: Role = self._world.role(self._guild, _bare(ref))
        self._add("roles", role.id, serializers.role_payload(role))
        return str(role.id)

    def channel(self, ref: str) -> str:
        """A channel of this guild that the user can see."""
        backend = self._world.backend
        channel = self._world.channel(_bare(ref))
        if channel.guild_id != self._channel.guild_id or not channel_accessible(
            backend, channel.id, self._user.id
        ):
            raise ActRefused(f"{self._user.name} cannot see #{channel.name} here")
        payload = dict(serializers.channel_payload(backend, channel))
        if channel.guild_id is not None:
            permissions = backend.compute_permissions(channel.guild_id, self._user.id, channel.id)
            payload["permissions"] = str(permissions)
        self._add("channels", channel.id, payload)
        return str(channel.id)

    def mentionable(self, ref: str) -> str:
        """A person or else a role."""
        try:
            return self.user(ref)
        except ActRefused:
            return self.role(ref)

    def attachment(self, filename: str, attachments: list[Attachment]) -> str:
        """The uploaded file of that name."""
        found = next((item for item in attachments if item.filename == filename), None)
        if found is None:
            names = [item.filename for item in attachments]
            raise ActRefused(f"there is no attachment named {filename!r}; there are: {names}")
        return store_interaction_attachment(
            self._world.backend, self._channel.id, filename, found.data, self.resolved
        )

    def _add(self, kind: str, thing: int, payload: object) -> None:
        self.resolved.setdefault(kind, {})[str(thing)] = payload


def values_of(
    invocation: Invocation,
    resolver: Resolver,
    attachments: list[Attachment],
    *,
    focused: str | None = None,
) -> list[Json]:
    """The options as Discord sends them.

    Raises ActRefused for a missing option or a wrong value. With ``focused``, the user is still typing:
    that option goes as it stands, and nothing is required.
    """
    declared = {option["name"]: option for option in invocation.leaf.get("options") or []}
    if focused is None:
        missing = [
            name for name, o in declared.items() if o.get("required") and name not in invocation.values
        ]
        if missing:
            wanted = usage(invocation.name, invocation.leaf)
            raise ActRefused(f"{invocation.name} needs option {missing[0]}; usage: {wanted}")
    options: list[Json] = []
    for name, typed in invocation.values.items():
        option = declared[name]
        if name == focused:
            options.append({"name": name, "type": option["type"], "value": typed, "focused": True})
            continue
        value = _value(invocation.name, option, typed, resolver, attachments)
        options.append({"name": name, "type": option["type"], "value": value})
    return options


def _value(command: str, option: Json, typed: str, resolver: Resolver, attachments: list[Attachment]) -> Any:
    match OptionType(option["type"]):
        case OptionType.USER:
            return resolver.user(typed)
        case OptionType.ROLE:
            return resolver.role(typed)
        case OptionType.CHANNEL:
            return resolver.channel(typed)
        case OptionType.MENTIONABLE:
            return resolver.mentionable(typed)
        case OptionType.ATTACHMENT:
            return resolver.attachment(typed, attachments)
        case OptionType.BOOLEAN:
            return _boolean(command, option["name"], typed)
        case _:
            return _plain(command, option, typed)


def _boolean(command: str, name: str, typed: str) -> bool:
    if typed.lower() in _TRUE | _FALSE:
        return typed.lower() in _TRUE
    raise ActRefused(f"{command}: option {name} is a boolean; give true or false, not {typed!r}")


def _plain(command: str, option: Json, typed: str) -> Any:
    """Strings and numbers; a choice may be typed by its name, as it is shown."""
    for choice in option.get("choices") or []:
        if choice["name"] == typed:
            return choice["value"]
    try:
        return parse_option_input(command, cast("dict[str, Any]", option), typed)
    except OptionError as error:
        kind = OptionType(option["type"]).name.lower()
        raise ActRefused(f"{error} (a {kind}; typed: {typed!r})") from None


def _bare(ref: str) -> str:
    mention = _MENTION.fullmatch(ref)
    return mention[1] if mention is not None else ref
