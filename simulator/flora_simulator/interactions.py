"""What people do with a bot: slash and context commands, buttons, menus, modals.

Each act builds the INTERACTION_CREATE that Discord would send, from what is registered or shown; an act
that Discord's client would not offer is refused with the reason. ``after`` is told about every interaction,
so that somebody can watch its three seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flora_simulator.errors import ActRefused
from flora_simulator.modal_form import Given, fill, selected
from flora_simulator.people import guild_of, visible_message
from flora_simulator.simcord_port import (
    SELECT_TYPES,
    AppCommandType,
    Channel,
    ComponentType,
    Interaction,
    InteractionType,
    Message,
    User,
    base_payload,
    channel_accessible,
    command_access,
    message_accessible,
    nest_options,
    serializers,
    validate_modal,
    walk_components,
)
from flora_simulator.slash_text import Invocation, read
from flora_simulator.slash_values import Resolver, values_of
from flora_simulator.wire import Attachment
from flora_simulator.world import World

Json = dict[str, Any]

_REASONS: Final = {
    "use-application-commands": "they lack USE_APPLICATION_COMMANDS",
    "default-member-permissions": "they lack the permissions that the command asks for",
    "channel-denied": "it is switched off in this channel",
    "override-denied": "it is switched off for them",
    "context": "it is not offered here",
}
_LINK_STYLES: Final = {5, 6}
"""Link and premium buttons, which the client handles itself."""


class Interactions:
    """Starts interactions in the world."""

    def __init__(self, world: World, after: Callable[[Interaction], None]) -> None:
        self._world = world
        self._after = after

    # ------------------------------------------------------------ commands

    def slash(self, user: User, channel: Channel, text: str, attachments: list[Attachment]) -> Interaction:
        """Run a slash command, as in ``/echo text:hi``."""
        invocation, resolver = self._invocation(user, channel, text)
        options = values_of(invocation, resolver, attachments)
        data = _command_data(invocation, options, resolver)
        return self._start(InteractionType.APPLICATION_COMMAND, user, channel, data)

    def autocomplete(self, user: User, channel: Channel, text: str, focused: str) -> Interaction:
        """Type in the option ``focused`` of a slash command that is not sent yet."""
        invocation, resolver = self._invocation(user, channel, text)
        option = next((o for o in invocation.leaf.get("options") or [] if o["name"] == focused), None)
        if option is None or not option.get("autocomplete"):
            raise ActRefused(f"{invocation.name} has no option {focused} with autocomplete")
        invocation.values.setdefault(focused, "")
        options = values_of(invocation, resolver, [], focused=focused)
        data = _command_data(invocation, options, resolver)
        return self._start(InteractionType.APPLICATION_COMMAND_AUTOCOMPLETE, user, channel, data)

    def context_menu(
        self, user: User, channel: Channel, name: str, *, target_user: str | None, target_message: str | None
    ) -> Interaction:
        """Run a user or message command on its target."""
        if (target_user is None) == (target_message is None):
            raise ActRefused("give either a user or a message as the target")
        resolver = self._resolver(user, channel)
        if target_user is not None:
            kind, target = AppCommandType.USER, resolver.user(target_user)
        else:
            message = visible_message(self._world, user, channel, target_message or "")
            kind, target = AppCommandType.MESSAGE, str(message.id)
            payload = dict(serializers.message_payload(self._world.backend, message))
            resolver.resolved["messages"] = {target: payload}
        command = next((c for c in self._offered(user, channel, kind) if c["name"] == name), None)
        if command is None:
            known = [c["name"] for c in self._offered(user, channel, kind)]
            raise ActRefused(f"there is no {kind.name.lower()} command {name}; there are: {known}")
        data = _root_data(command) | {"target_id": target, "resolved": resolver.resolved}
        return self._start(InteractionType.APPLICATION_COMMAND, user, channel, data)

    def _invocation(self, user: User, channel: Channel, text: str) -> tuple[Invocation, Resolver]:
        invocation = read(text, self._registered(channel, AppCommandType.CHAT_INPUT))
        access = command_access(
            self._world.backend, invocation.command, user_id=user.id, channel_id=channel.id
        )
        if not access.allowed:
            reason = _REASONS.get(access.reason or "", access.reason)
            raise ActRefused(f"{user.name} is not offered {invocation.name} in #{channel.name}: {reason}")
        return invocation, self._resolver(user, channel)

    def _offered(self, user: User, channel: Channel, kind: AppCommandType) -> list[Json]:
        return [
            command
            for command in self._registered(channel, kind)
            if command_access(self._world.backend, command, user_id=user.id, channel_id=channel.id).allowed
        ]

    def _registered(self, channel: Channel, kind: AppCommandType) -> list[Json]:
        """The guild's commands, then the global ones."""
        tables = self._world.backend.commands
        scopes = (channel.guild_id, None) if channel.guild_id is not None else (None,)
        return [
            command
            for scope in scopes
            for command in tables.get(scope, {}).values()
            if command["type"] == kind
        ]

    # ---------------------------------------------------------- components

    def click(self, user: User, channel: Channel, custom_id: str, message_id: str | None) -> Interaction:
        """Press a button."""
        message, button = self._component(user, channel, custom_id, message_id, (ComponentType.BUTTON,))
        if button.get("style") in _LINK_STYLES:
            raise ActRefused(f"button {custom_id} is a link; the bot does not hear of it")
        data = {"custom_id": custom_id, "component_type": button["type"], "id": button.get("id", 0)}
        return self._start(InteractionType.MESSAGE_COMPONENT, user, channel, data, source=message)

    def select(
        self, user: User, channel: Channel, custom_id: str, values: list[str], message_id: str | None
    ) -> Interaction:
        """Choose in a select menu."""
        message, menu = self._component(user, channel, custom_id, message_id, SELECT_TYPES)
        resolver = self._resolver(user, channel)
        if not values and menu.get("min_values", 1):
            raise ActRefused(f"{custom_id}: choose at least one value")
        data: Json = {
            "custom_id": custom_id,
            "component_type": menu["type"],
            "id": menu.get("id", 0),
            "values": selected(menu, values, resolver),
        }
        if menu["type"] != ComponentType.STRING_SELECT:
            data["resolved"] = resolver.resolved
        return self._start(InteractionType.MESSAGE_COMPONENT, user, channel, data, source=message)

    def _component(
        self,
        user: User,
        channel: Channel,
        custom_id: str,
        message_id: str | None,
        types: tuple[int, ...],
    ) -> tuple[Message, Json]:
        backend, seen = self._world.backend, []
        if message_id is not None:
            messages = [visible_message(self._world, user, channel, message_id)]
        else:
            messages = list(reversed(backend.messages.get(channel.id, {}).values()))
        for message in messages:
            if not message_accessible(backend, channel.id, message, user.id):
                continue
            for component in walk_components(message.components):
                if component.get("type") in types and component.get("custom_id") == custom_id:
                    if component.get("disabled"):
                        raise ActRefused(f"{custom_id} on message {message.id} is disabled")
                    return message, component
                seen += [component["custom_id"]] if "custom_id" in component else []
        where = f"message {message_id}" if message_id is not None else f"#{channel.name}"
        shown = ", ".join(dict.fromkeys(seen)) or "nothing to click"
        raise ActRefused(f"{user.name} sees no {custom_id} on {where}; there is: {shown}")

    # -------------------------------------------------------------- modals

    def submit_modal(self, user: User, fields: Given, custom_id: str | None) -> Interaction:
        """Send the modal that the bot last opened to ``user``."""
        opened = self._opened(user, custom_id)
        backend, modal = self._world.backend, validate_modal(opened.modal)
        channel = backend.get_channel(opened.channel_id)
        resolver = self._resolver(user, channel)
        data: Json = {"custom_id": modal["custom_id"], "components": fill(modal, fields, resolver)}
        if resolver.resolved:
            data["resolved"] = resolver.resolved
        source = backend.messages.get(channel.id, {}).get(opened.source_message_id or 0)
        opened.modal_consumed = True
        return self._start(InteractionType.MODAL_SUBMIT, user, channel, data, source=source)

    def _opened(self, user: User, custom_id: str | None) -> Interaction:
        waiting = [
            record
            for record in reversed(self._world.backend.interactions.values())
            if record.user_id == user.id and record.modal is not None and not record.modal_consumed
        ]
        for record in waiting:
            if custom_id is None or (record.modal or {}).get("custom_id") == custom_id:
                return record
        names = [(record.modal or {}).get("custom_id") for record in waiting]
        raise ActRefused(f"no modal {custom_id or ''} is open to {user.name}; open: {names}")

    # -------------------------------------------------------------- common

    def _resolver(self, user: User, channel: Channel) -> Resolver:
        return Resolver(self._world, user, channel, guild_of(self._world, channel))

    def _start(
        self,
        kind: InteractionType,
        user: User,
        channel: Channel,
        data: Json,
        *,
        source: Message | None = None,
    ) -> Interaction:
        backend = self._world.backend
        if not channel_accessible(backend, channel.id, user.id):
            raise ActRefused(f"{user.name} cannot see #{channel.name}")
        record, payload = base_payload(
            backend,
            type=kind,
            channel_id=channel.id,
            guild_id=channel.guild_id,
            user_id=user.id,
            data=data,
        )
        if source is not None:
            record.source_message_id = source.id
            payload["message"] = dict(serializers.message_payload(backend, source))
        if channel.guild_id is not None:
            payload["guild"] = {"id": str(channel.guild_id), "locale": "en-US", "features": []}
        backend.emit("INTERACTION_CREATE", payload)
        self._after(record)
        return record


def _command_data(invocation: Invocation, options: list[Json], resolver: Resolver) -> Json:
    data = _root_data(invocation.command)
    data["options"] = nest_options(invocation.command, invocation.path, options)
    if resolver.resolved:
        data["resolved"] = resolver.resolved
    return data


def _root_data(command: Json) -> Json:
    data: Json = {"id": command["id"], "name": command["name"], "type": command["type"]}
    if "guild_id" in command:
        data["guild_id"] = command["guild_id"]
    return data
