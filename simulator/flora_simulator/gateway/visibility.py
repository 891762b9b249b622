"""What a session may see of an event: its intents decide, and what the bot can read.

An event is prepared once for each different way of seeing it, however many sessions there are.
Rules: Discord, events/gateway, "Gateway Intents" and "Message Content Intent".
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

import discord

from flora_simulator.gateway.session import encode
from flora_simulator.live_backend import LiveBackend
from flora_simulator.settings import PrivilegedIntent
from flora_simulator.simcord_port import channel_accessible, simcord_intents

BITS: Final[Mapping[str, int]] = discord.Intents.VALID_FLAGS
MESSAGE_CONTENT: Final = BITS["message_content"]
PRESENCES: Final = BITS["presences"]
MEMBERS: Final = BITS["members"]
GUILDS: Final = BITS["guilds"]
KNOWN: Final = discord.Intents.all().value
PRIVILEGED: Final[tuple[PrivilegedIntent, ...]] = ("members", "presences", "message_content")

_IN_A_CHANNEL: Final = ("MESSAGE_", "TYPING_")
_WITH_MESSAGE: Final = frozenset(("MESSAGE_CREATE", "MESSAGE_UPDATE"))


def disallowed(intents: int, approved: frozenset[PrivilegedIntent]) -> list[str]:
    """The privileged intents in ``intents`` that nobody approved."""
    return [name for name in PRIVILEGED if intents & BITS[name] and name not in approved]


class View:
    """One event, as sessions with different intents see it."""

    def __init__(self, backend: LiveBackend, event: str, payload: Mapping[str, Any]) -> None:
        self._backend = backend
        self._event = event
        self._payload = payload
        gate = simcord_intents.required_intent(event, payload)
        self._gate = 0 if gate is None or self._is_about_the_bot() else BITS[gate]
        self._hidden = not self._in_sight()
        self._encoded: dict[int, bytes] = {}

    def for_intents(self, intents: int) -> bytes | None:
        """The JSON that a session with ``intents`` gets, None when it gets nothing."""
        if self._hidden or (self._gate and not intents & self._gate):
            return None
        matters = self._shaping() & intents
        data = self._encoded.get(matters)
        if data is None:
            data = self._encoded[matters] = encode(self._shaped(intents))
        return data

    def _is_about_the_bot(self) -> bool:
        """Discord sends a bot its own GUILD_MEMBER_UPDATE whatever its intents."""
        user = self._payload.get("user")
        return (
            self._event == "GUILD_MEMBER_UPDATE"
            and isinstance(user, Mapping)
            and user.get("id") == str(self._backend.bot_user.id)
        )

    def _in_sight(self) -> bool:
        channel = self._payload.get("channel_id")
        if channel is None or not self._event.startswith(_IN_A_CHANNEL):
            return True
        known = self._backend.channels.get(int(channel))
        return known is None or channel_accessible(self._backend, known.id, self._backend.bot_user.id)

    def _shaping(self) -> int:
        """The intents that change this event's content."""
        if self._event in _WITH_MESSAGE or self._event == "INTERACTION_CREATE":
            return MESSAGE_CONTENT
        return PRESENCES if self._event == "GUILD_CREATE" else 0

    def _shaped(self, intents: int) -> Mapping[str, Any]:
        if self._event == "GUILD_CREATE":
            payload = dict(self._payload)
            simcord_intents.prune_guild_create(
                payload, discord.Intents(presences=bool(intents & PRESENCES)), self._backend.bot_user.id
            )
            return payload
        if intents & MESSAGE_CONTENT or not self._shaping():
            return self._payload
        payload = copy.deepcopy(dict(self._payload))
        if self._event == "INTERACTION_CREATE":
            self._censor_interaction(payload)
        else:
            self._censor(payload)
        return payload

    def _censor_interaction(self, payload: dict[str, Any]) -> None:
        """Messages that come with an interaction; the one that was acted on stays readable."""
        if isinstance(payload.get("message"), dict):
            self._censor(payload["message"], exempt=True)
        data = payload.get("data") or {}
        for message_id, message in ((data.get("resolved") or {}).get("messages") or {}).items():
            self._censor(message, exempt=message_id == str(data.get("target_id")))

    def _censor(self, message: dict[str, Any], *, exempt: bool = False) -> None:
        simcord_intents.censor_message(
            message, self._backend.bot_user.id, backend=self._backend, exempt_root=exempt
        )
