"""What travels in the benchmarks: Discord's JSON as prebuilt bytes with a few places to fill in.

The event is a MESSAGE_CREATE of 1 KB as Discord sends it, the answer to a new message the same without
guild and member. Both are bytes templates: making one costs a microsecond, so that the stub stays far
cheaper than its clients.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

GUILDS: Final = 200
EVENT_BYTES: Final = 1024
"""Size of the ``d`` of one event."""

_GUILD_BASE: Final = 300_000_000_000_000_000
_CHANNEL_BASE: Final = 400_000_000_000_000_000
_EVENT_BASE: Final = 1_300_000_000_000_000_000
_ANSWER_BASE: Final = 1_500_000_000_000_000_000
_HOLE: Final = "\ue000"

_USER: Final[dict[str, Any]] = {
    "id": "500000000000000003",
    "username": "ada",
    "global_name": "Ada Lovelace",
    "discriminator": "0",
    "avatar": "a3f1c0ffee" * 3,
    "avatar_decoration_data": None,
    "collectibles": None,
    "primary_guild": None,
    "public_flags": 64,
    "bot": False,
}
_MEMBER: Final[dict[str, Any]] = {
    "roles": ["600000000000000001", "600000000000000002"],
    "joined_at": "2024-01-02T03:04:05.678000+00:00",
    "premium_since": None,
    "nick": "countess",
    "avatar": None,
    "banner": None,
    "deaf": False,
    "mute": False,
    "flags": 0,
    "pending": False,
    "communication_disabled_until": None,
}
_MESSAGE: Final[dict[str, Any]] = {
    "type": 0,
    "tts": False,
    "timestamp": "2026-11-22T09:10:11.121000+00:00",
    "edited_timestamp": None,
    "pinned": False,
    "mentions": [],
    "mention_roles": [],
    "mention_everyone": False,
    "flags": 0,
    "embeds": [],
    "components": [],
    "attachments": [],
}


def guild_id(index: int) -> str:
    """The ``index``-th guild, 0 to GUILDS - 1."""
    return str(_GUILD_BASE + index)


def channel_id(index: int) -> str:
    """The one channel of the ``index``-th guild."""
    return str(_CHANNEL_BASE + index)


def guild_of_channel(channel: str) -> str:
    return guild_id(int(channel) - _CHANNEL_BASE)


def event_id(number: int) -> int:
    """The id of the ``number``-th message that somebody writes."""
    return _EVENT_BASE + number


def answer_id(number: int) -> int:
    """The id of the ``number``-th message that a bot writes."""
    return _ANSWER_BASE + number


def _pieces(document: Any) -> list[bytes]:
    """``document`` as JSON, cut at its holes."""
    return msgspec.json.encode(document).split(_HOLE.encode())


def _template(document: Any) -> bytes:
    """``document`` as a bytes format with a %b for each hole."""
    return b"%b".join(piece.replace(b"%", b"%%") for piece in _pieces(document))


def _event_document() -> dict[str, Any]:
    document = {
        "guild_id": _HOLE,
        "channel_id": _HOLE,
        "id": _HOLE,
        "author": _USER,
        "member": _MEMBER,
        "content": "",
        **_MESSAGE,
    }
    empty = len(msgspec.json.encode(document)) - 3 * len(_HOLE.encode()) + 18 + 18 + 19
    words = "the quick brown fox jumps over the lazy dog " * 20
    return document | {"content": words[: EVENT_BYTES - empty]}


_EVENT: Final = _template(_event_document())


def event(guild: int, number: int) -> bytes:
    """``d`` of a MESSAGE_CREATE in the ``guild``-th guild."""
    return _EVENT % (
        b"%d" % (_GUILD_BASE + guild),
        b"%d" % (_CHANNEL_BASE + guild),
        b"%d" % event_id(number),
    )


def worker_event(guild: int, number: int) -> bytes:
    """The same as a worker gets it: with Discord's name."""
    return b'{"t":"MESSAGE_CREATE","d":%b}' % event(guild, number)


class AnswerTemplate:
    """Discord's answer to a new message of one bot, and the event that tells the bot of its own message."""

    def __init__(self, bot: dict[str, Any]) -> None:
        document = {
            "id": _HOLE,
            "channel_id": _HOLE,
            "content": _HOLE,
            "author": bot,
            **_MESSAGE,
            "type": 19,
            "message_reference": {"type": 0, "channel_id": _HOLE, "message_id": _HOLE},
        }
        self._answer = _template(document)
        member = _MEMBER | {"roles": []}
        self._echo = _template(document | {"guild_id": _HOLE, "member": member})

    def answer(self, *, id_: bytes, channel: bytes, content: bytes, reference: bytes) -> bytes:
        """The body of the response; ``content`` is already escaped."""
        return self._answer % (id_, channel, content, channel, reference)

    def echo(self, *, id_: bytes, channel: bytes, content: bytes, reference: bytes) -> bytes:
        """``d`` of the MESSAGE_CREATE."""
        guild = b"%d" % (_GUILD_BASE + int(channel) - _CHANNEL_BASE)
        return self._echo % (id_, channel, content, channel, reference, guild)


def bot_user(id_: str, name: str) -> dict[str, Any]:
    """A bot's user object."""
    return {
        "id": id_,
        "username": name,
        "global_name": None,
        "discriminator": "0001",
        "avatar": None,
        "bot": True,
        "public_flags": 0,
    }


def sent_answer() -> bytes:
    """An answer as the isolates of the worker benchmarks get it, about 1 KB."""
    template = AnswerTemplate(bot_user("100000000000000001", "flora"))
    return template.answer(
        id_=b"%d" % answer_id(1),
        channel=channel_id(0).encode(),
        content=b"pong " * 60,
        reference=b"%d" % event_id(1),
    )


def guild_create(index: int) -> bytes:
    """``d`` of a GUILD_CREATE: one channel, three roles, nobody listed."""
    guild = guild_id(index)
    roles = [(guild, "@everyone"), *((role, f"role {role[-1]}") for role in _MEMBER["roles"])]
    return msgspec.json.encode(
        {
            "id": guild,
            "name": f"guild {index}",
            "icon": None,
            "owner_id": _USER["id"],
            "unavailable": False,
            "joined_at": "2024-01-01T00:00:00.000000+00:00",
            "large": False,
            "member_count": 100,
            "members": [],
            "presences": [],
            "voice_states": [],
            "threads": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
            "emojis": [],
            "stickers": [],
            "features": [],
            "roles": [
                {
                    "id": role,
                    "name": name,
                    "permissions": "2248473465835073",
                    "position": position,
                    "color": 0,
                    "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
                    "hoist": False,
                    "managed": False,
                    "mentionable": False,
                    "icon": None,
                    "unicode_emoji": None,
                    "flags": 0,
                }
                for position, (role, name) in enumerate(roles)
            ],
            "channels": [
                {
                    "id": channel_id(index),
                    "type": 0,
                    "name": "general",
                    "topic": None,
                    "position": 0,
                    "permission_overwrites": [],
                    "parent_id": None,
                    "nsfw": False,
                    "rate_limit_per_user": 0,
                    "last_message_id": None,
                    "flags": 0,
                }
            ],
            "verification_level": 0,
            "default_message_notifications": 0,
            "explicit_content_filter": 0,
            "mfa_level": 0,
            "nsfw_level": 0,
            "premium_tier": 0,
            "premium_subscription_count": 0,
            "premium_progress_bar_enabled": False,
            "preferred_locale": "en-US",
            "system_channel_id": None,
            "system_channel_flags": 0,
            "rules_channel_id": None,
            "public_updates_channel_id": None,
            "safety_alerts_channel_id": None,
            "afk_channel_id": None,
            "afk_timeout": 300,
            "application_id": None,
            "vanity_url_code": None,
            "description": None,
            "banner": None,
            "splash": None,
            "discovery_splash": None,
            "max_members": 500000,
            "version": 1,
        }
    )
