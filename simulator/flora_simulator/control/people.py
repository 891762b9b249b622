"""Control of what people do, and of what one can see of the bot's answers."""

from __future__ import annotations

from typing import Any, get_args

from flora_simulator import people
from flora_simulator.control.http import ControlEndpoint, Order
from flora_simulator.errors import ActRefused
from flora_simulator.gateway import Hub
from flora_simulator.interactions import Interactions
from flora_simulator.journal import Journal
from flora_simulator.simcord_port import Channel, Interaction, User
from flora_simulator.slash_text import usages
from flora_simulator.wire import (
    Acted,
    Action,
    ActionKind,
    Actions,
    Click,
    ContextMenu,
    EditMessage,
    InteractionState,
    PostMessage,
    Reaction,
    Select,
    Slash,
    SubmitModal,
)
from flora_simulator.world import World

_DEFAULT_WAIT = 10.0


class PeopleControl:
    """``/control/messages``, ``/control/slash``, ``/control/click`` … and ``/control/wait``."""

    def __init__(self, world: World, hub: Hub, interactions: Interactions, journal: Journal) -> None:
        self._world = world
        self._hub = hub
        self._interactions = interactions
        self._journal = journal

    def endpoints(self) -> list[ControlEndpoint]:
        """What there is."""
        message = "/channels/{channel}/messages/{message}"
        return [
            ControlEndpoint("POST", "/messages", self._post, PostMessage),
            ControlEndpoint("PATCH", message, self._edit, EditMessage),
            ControlEndpoint("DELETE", message, self._delete),
            ControlEndpoint("PUT", f"{message}/reactions", self._react, Reaction),
            ControlEndpoint("DELETE", f"{message}/reactions", self._unreact, Reaction),
            ControlEndpoint("POST", "/slash", self._slash, Slash),
            ControlEndpoint("POST", "/context-menu", self._context_menu, ContextMenu),
            ControlEndpoint("POST", "/click", self._click, Click),
            ControlEndpoint("POST", "/select", self._select, Select),
            ControlEndpoint("POST", "/modal", self._modal, SubmitModal),
            ControlEndpoint("GET", "/interactions/{interaction}", self._interaction),
            ControlEndpoint("GET", "/commands", self._commands),
            ControlEndpoint("GET", "/wait", self._wait),
        ]

    # ------------------------------------------------------------ messages

    def _post(self, order: Order) -> Acted:
        wish: PostMessage = order.body
        user, channel, position = self._who_and_where(wish.user, wish.channel)
        message = people.post(
            self._world,
            user,
            channel,
            wish.content,
            attachments=wish.attachments,
            reply_to=wish.reply_to,
        )
        return self._acted(position, channel, message.id)

    def _edit(self, order: Order) -> Acted:
        wish: EditMessage = order.body
        user, channel, position = self._who_and_where(wish.user, order.path["channel"])
        message = people.edit(self._world, user, channel, order.path["message"], wish.content)
        return self._acted(position, channel, message.id)

    def _delete(self, order: Order) -> Acted:
        user, channel, position = self._who_and_where(order.query.get("user"), order.path["channel"])
        people.delete(self._world, user, channel, order.path["message"])
        return self._acted(position, channel, int(order.path["message"]))

    def _react(self, order: Order) -> Acted:
        return self._change_reaction(order, reacted=True)

    def _unreact(self, order: Order) -> Acted:
        return self._change_reaction(order, reacted=False)

    def _change_reaction(self, order: Order, *, reacted: bool) -> Acted:
        wish: Reaction = order.body
        user, channel, position = self._who_and_where(wish.user, order.path["channel"])
        message = order.path["message"]
        people.react(self._world, user, channel, message, wish.emoji, reacted=reacted)
        return self._acted(position, channel, int(message))

    # -------------------------------------------------------- interactions

    def _slash(self, order: Order) -> Acted:
        wish: Slash = order.body
        user, channel, position = self._who_and_where(wish.user, wish.channel)
        if wish.focused is not None:
            record = self._interactions.autocomplete(user, channel, wish.text, wish.focused)
        else:
            record = self._interactions.slash(user, channel, wish.text, wish.attachments)
        return self._acted(position, channel, record.id)

    def _context_menu(self, order: Order) -> Acted:
        wish: ContextMenu = order.body
        user, channel, position = self._who_and_where(wish.user, wish.channel)
        record = self._interactions.context_menu(
            user,
            channel,
            wish.name,
            target_user=wish.target_user,
            target_message=wish.target_message,
        )
        return self._acted(position, channel, record.id)

    def _click(self, order: Order) -> Acted:
        wish: Click = order.body
        user, channel, position = self._who_and_where(wish.user, wish.channel)
        record = self._interactions.click(user, channel, wish.custom_id, wish.message)
        return self._acted(position, channel, record.id)

    def _select(self, order: Order) -> Acted:
        wish: Select = order.body
        user, channel, position = self._who_and_where(wish.user, wish.channel)
        record = self._interactions.select(user, channel, wish.custom_id, wish.values, wish.message)
        return self._acted(position, channel, record.id)

    def _modal(self, order: Order) -> Acted:
        wish: SubmitModal = order.body
        user, position = self._world.user(wish.user), self._journal.position
        record = self._interactions.submit_modal(user, wish.fields, wish.custom_id)
        return self._acted(position, self._world.backend.get_channel(record.channel_id), record.id)

    def _interaction(self, order: Order) -> InteractionState:
        ref = order.path["interaction"]
        record = self._world.backend.interactions.get(int(ref) if ref.isdecimal() else 0)
        if record is None:
            raise ActRefused(f"there is no interaction {ref}")
        return _state(record)

    def _commands(self, order: Order) -> list[str]:
        """How the commands of a guild (or with no ``guild`` the global ones) are typed."""
        tables = self._world.backend.commands
        scope = self._world.guild(order.query["guild"]).id if "guild" in order.query else None
        return usages(command for command in tables.get(scope, {}).values() if command["type"] == 1)

    # ------------------------------------------------------------- waiting

    async def _wait(self, order: Order) -> Actions:
        query = order.query
        channel = str(self._world.channel(query["channel"]).id) if "channel" in query else None
        kinds = set(query["kind"].split(",")) if "kind" in query else None
        if kinds is not None and (unknown := kinds - set(get_args(ActionKind))):
            raise ActRefused(f"there is no kind {unknown.pop()}; there are: {get_args(ActionKind)}")

        def wanted(action: Action) -> bool:
            return (kinds is None or action.kind in kinds) and (channel is None or action.channel == channel)

        after = int(order.number("after", self._journal.position))
        return await self._journal.wait(after, wanted, longest=order.number("timeout", _DEFAULT_WAIT))

    def _who_and_where(self, user: str | None, channel: str) -> tuple[User, Channel, int]:
        return self._world.user(user), self._world.channel(channel), self._journal.position

    def _acted(self, position: int, channel: Channel, thing: int) -> Acted:
        return Acted(position, str(thing), self._hub.listeners(channel.guild_id))


def _state(record: Interaction) -> InteractionState:
    modal: dict[str, Any] | None = record.modal
    return InteractionState(
        id=str(record.id),
        responded=record.responded,
        kind=record.response_kind,
        message=str(record.message_id) if record.message_id is not None else None,
        ephemeral=record.ephemeral,
        followups=[str(message) for message in record.followup_ids],
        modal=modal,
        choices=record.autocomplete_choices,
    )
