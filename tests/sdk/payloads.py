"""Discord's events as it sends them, and the ways tests vary them."""

from __future__ import annotations

from typing import Any

from harness import BOT_ID, GUILD_ID

CHANNEL_ID = "200000000000000002"
USER_ID = "300000000000000003"
MESSAGE_ID = "400000000000000004"
ROLE_ID = "500000000000000005"
TOKEN = "interaction-token"
INTERACTION_ID = "600000000000000006"

Json = dict[str, Any]

USER: Json = {
    "id": USER_ID,
    "username": "ada",
    "global_name": "Ada",
    "discriminator": "0",
    "avatar": "a1",
    "public_flags": 64,
    "avatar_decoration_data": None,
    "primary_guild": None,
}
BOT: Json = {"id": BOT_ID, "username": "flora", "discriminator": "4242", "avatar": None, "bot": True}
MEMBER: Json = {
    "roles": [ROLE_ID],
    "nick": "countess",
    "avatar": None,
    "joined_at": "2020-01-02T03:04:05+00:00",
    "premium_since": None,
    "deaf": False,
    "mute": True,
    "flags": 2,
    "pending": False,
    "communication_disabled_until": None,
}


def message(content: str = "hi", **fields: Any) -> Json:
    """A MESSAGE_CREATE in the guild."""
    return {
        "id": MESSAGE_ID,
        "channel_id": CHANNEL_ID,
        "guild_id": GUILD_ID,
        "type": 0,
        "content": content,
        "author": USER,
        "member": MEMBER,
        "timestamp": "2024-01-01T00:00:00+00:00",
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "components": [],
        "pinned": False,
        "flags": 0,
    } | fields


def sent(content: str = "sent", **fields: Any) -> Json:
    """What Discord answers to a new message of the bot: without a guild and member."""
    answer = message(content, id="700000000000000007", author=BOT) | fields
    del answer["guild_id"], answer["member"]
    return answer


def interaction(kind: int, data: Json, **fields: Any) -> Json:
    return {
        "id": INTERACTION_ID,
        "application_id": BOT_ID,
        "type": kind,
        "token": TOKEN,
        "version": 1,
        "guild_id": GUILD_ID,
        "channel_id": CHANNEL_ID,
        "channel": {"id": CHANNEL_ID, "type": 0, "name": "general", "parent_id": None, "permissions": "8"},
        "member": MEMBER | {"user": USER, "permissions": "2248473465835073"},
        "locale": "de",
        "guild_locale": "en-US",
        "app_permissions": "442368",
        "entitlements": [],
        "context": 0,
        "data": data,
    } | fields


def command(name: str = "hello", *options: Json, **fields: Any) -> Json:
    """A slash command; ``resolved`` among the fields goes into its data."""
    data: Json = {"id": "1", "name": name, "type": 1, "options": list(options)}
    if "resolved" in fields:
        data["resolved"] = fields.pop("resolved")
    return interaction(2, data, **fields)


def option(name: str, value: Any = None, kind: int = 3, options: list[Json] | None = None) -> Json:
    return {"name": name, "type": kind} | ({"value": value} if options is None else {"options": options})


def component(custom_id: str = "go", **data: Any) -> Json:
    """A pressed button, or a select menu with ``values``."""
    return interaction(
        3, {"custom_id": custom_id, "component_type": 2} | data, message=message("with button", author=BOT)
    )


def modal(custom_id: str = "form", components: list[Json] | None = None, **fields: Any) -> Json:
    return interaction(5, {"custom_id": custom_id, "components": components or []}, **fields)


def reaction(**fields: Any) -> Json:
    return {
        "user_id": USER_ID,
        "channel_id": CHANNEL_ID,
        "message_id": MESSAGE_ID,
        "guild_id": GUILD_ID,
        "emoji": {"id": None, "name": "🔥"},
        "burst": False,
        "type": 0,
    } | fields
