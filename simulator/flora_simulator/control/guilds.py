"""Control of one guild among many: somebody writes in it, and what the bot answered there, numbered.

What a test of a whole fleet needs: channels' names are the same in every guild, and every answer is to be
counted.
"""

from __future__ import annotations

import asyncio
from typing import Any

from flora_simulator import people
from flora_simulator.control.http import ControlEndpoint, Order
from flora_simulator.errors import ActRefused
from flora_simulator.gateway import Hub
from flora_simulator.journal import LONGEST_WAIT, Journal
from flora_simulator.simcord_port import Channel, ChannelType, Guild
from flora_simulator.wire import Acted, Action, Actions, Answer, Answers, PostInGuild
from flora_simulator.world import World


class GuildsControl:
    """``/control/guilds/{guild}/messages`` and ``/control/guilds/{guild}/answers``."""

    def __init__(self, world: World, hub: Hub, journal: Journal) -> None:
        self._world = world
        self._hub = hub
        self._journal = journal

    def endpoints(self) -> list[ControlEndpoint]:
        """What there is."""
        return [
            ControlEndpoint("POST", "/guilds/{guild}/messages", self._post, PostInGuild),
            ControlEndpoint("GET", "/guilds/{guild}/answers", self._answers),
        ]

    def _post(self, order: Order) -> Acted:
        wish: PostInGuild = order.body
        guild = self._world.guild(order.path["guild"])
        user = self._world.user(wish.user or str(guild.owner_id))
        channel, position = self._channel(guild, wish.channel), self._journal.position
        message = people.post(self._world, user, channel, wish.content)
        return Acted(position, str(message.id), self._hub.listeners(guild.id))

    async def _answers(self, order: Order) -> Answers:
        """The bot's messages in a guild after a position, once there are as many as are wanted, or time is
        up."""
        guild = str(self._world.guild(order.path["guild"]).id)
        wanted, after = int(order.number("count", 1)), int(order.number("after", 0))
        seconds = min(order.number("timeout", 0.0), LONGEST_WAIT)

        def is_answer(action: Action) -> bool:
            return action.kind == "message" and action.guild == guild

        found = self._journal.since(after, is_answer)
        deadline = asyncio.get_running_loop().time() + seconds
        while len(found.actions) < wanted and (left := deadline - asyncio.get_running_loop().time()) > 0:
            news = await self._journal.wait(found.position, is_answer, longest=left)
            if not news.actions:
                break
            found = Actions(news.position, found.actions + news.actions, found.missed + news.missed)
        return Answers(found.position, [_answer(action) for action in found.actions], found.missed)

    def _channel(self, guild: Guild, ref: str | None) -> Channel:
        """The guild's channel of that id or name; its first text channel when None."""
        channels = [self._world.backend.channels[channel] for channel in guild.channel_ids]
        for channel in channels:
            if ref is None and channel.type is ChannelType.TEXT:
                return channel
            if ref is not None and ref.removeprefix("#") in {str(channel.id), channel.name}:
                return channel
        raise ActRefused(f"there is no channel {ref or 'for text'} in {guild.name}")


def _answer(action: Action) -> Answer:
    message: dict[str, Any] = action.message or {}
    return Answer(
        position=action.position,
        at=action.at,
        id=message.get("id", ""),
        channel=action.channel or "",
        content=message.get("content", ""),
        reply_to=(message.get("message_reference") or {}).get("message_id"),
        interaction=action.interaction,
    )
