"""One of each of Discord's gateway events, as its documentation has them (events/gateway-events)."""

from __future__ import annotations

from typing import Any

from flora_core.events import TABLE, EventKind

Json = dict[str, Any]

BOT: Json = {"id": "3", "username": "flora", "discriminator": "4242", "avatar": None, "bot": True}
ROLE_ID, MESSAGE_ID, THREAD_ID = "500000000000000005", "400000000000000004", "700000000000000008"
NOW, LATER = "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"


class Samples:
    """Events of one guild, in which everything happens in one channel and by one user."""

    def __init__(self, *, guild: str, channel: str, user: str) -> None:
        self.guild, self.channel = guild, channel
        self.user: Json = {
            "id": user,
            "username": "ada",
            "global_name": "Ada",
            "discriminator": "0",
            "avatar": None,
            "public_flags": 64,
        }
        self.member: Json = {
            "roles": [ROLE_ID],
            "nick": "countess",
            "avatar": None,
            "joined_at": NOW,
            "premium_since": None,
            "deaf": False,
            "mute": True,
            "flags": 2,
            "pending": False,
            "communication_disabled_until": None,
        }
        self.role: Json = {
            "id": ROLE_ID,
            "name": "mods",
            "color": 255,
            "colors": {"primary_color": 255, "secondary_color": None, "tertiary_color": None},
            "hoist": True,
            "icon": None,
            "unicode_emoji": None,
            "position": 2,
            "permissions": "8",
            "managed": False,
            "mentionable": True,
            "flags": 0,
        }

    def of(self, kind: EventKind) -> Json:
        """The ``d`` of an event of that kind."""
        if kind.interaction:
            return self._interaction(int(kind.interaction))
        return self._all()[kind.type]

    def _all(self) -> dict[str, Json]:
        return {
            "READY": {"user": BOT, "application": {"id": "3", "flags": 0}, "guilds": []},
            **self._messages(),
            **self._people(),
            **self._places(),
            **self._moderation(),
            **self._plans(),
        }

    def _message(self) -> Json:
        return {
            "id": MESSAGE_ID,
            "channel_id": self.channel,
            "guild_id": self.guild,
            "type": 0,
            "content": "hi",
            "author": self.user,
            "member": self.member,
            "timestamp": NOW,
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
        }

    def _messages(self) -> dict[str, Json]:
        place = {"channel_id": self.channel, "guild_id": self.guild}
        on_message = place | {"message_id": MESSAGE_ID}
        by = on_message | {"user_id": self.user["id"]}
        emoji = {"id": None, "name": "🔥"}
        reaction = {"emoji": emoji, "burst": False, "type": 0}
        member = self.member | {"user": self.user}
        return {
            "MESSAGE_CREATE": self._message(),
            "MESSAGE_UPDATE": self._message() | {"edited_timestamp": LATER},
            "MESSAGE_DELETE": place | {"id": MESSAGE_ID},
            "MESSAGE_DELETE_BULK": place | {"ids": [MESSAGE_ID]},
            "MESSAGE_REACTION_ADD": by | reaction | {"member": member, "message_author_id": "3"},
            "MESSAGE_REACTION_REMOVE": by | reaction,
            "MESSAGE_REACTION_REMOVE_EMOJI": on_message | {"emoji": emoji},
            "MESSAGE_REACTION_REMOVE_ALL": on_message,
            "MESSAGE_POLL_VOTE_ADD": by | {"answer_id": 2},
            "MESSAGE_POLL_VOTE_REMOVE": by | {"answer_id": 2},
        }

    def _people(self) -> dict[str, Json]:
        member = self.member | {"user": self.user}
        gone = {"guild_id": self.guild, "user": self.user}
        return {
            "GUILD_MEMBER_ADD": member | {"guild_id": self.guild},
            "GUILD_MEMBER_UPDATE": member | {"guild_id": self.guild},
            "GUILD_MEMBER_REMOVE": gone,
            "GUILD_BAN_ADD": gone,
            "GUILD_BAN_REMOVE": gone,
            "GUILD_ROLE_CREATE": {"guild_id": self.guild, "role": self.role},
            "GUILD_ROLE_UPDATE": {"guild_id": self.guild, "role": self.role},
            "GUILD_ROLE_DELETE": {"guild_id": self.guild, "role_id": ROLE_ID},
            "VOICE_STATE_UPDATE": {
                "guild_id": self.guild,
                "channel_id": self.channel,
                "user_id": self.user["id"],
                "member": member,
                "session_id": "s",
                "deaf": False,
                "mute": False,
                "self_deaf": True,
                "self_mute": True,
                "self_video": False,
                "suppress": False,
                "request_to_speak_timestamp": None,
            },
        }

    def _places(self) -> dict[str, Json]:
        channel = {
            "id": self.channel,
            "guild_id": self.guild,
            "type": 0,
            "name": "general",
            "topic": None,
            "position": 1,
            "parent_id": None,
            "nsfw": False,
            "rate_limit_per_user": 5,
            "permission_overwrites": [{"id": ROLE_ID, "type": 0, "allow": "1024", "deny": "0"}],
            "last_message_id": MESSAGE_ID,
            "flags": 0,
        }
        thread = {
            "id": THREAD_ID,
            "guild_id": self.guild,
            "parent_id": self.channel,
            "owner_id": self.user["id"],
            "type": 11,
            "name": "a thread",
            "member_count": 1,
            "message_count": 0,
            "rate_limit_per_user": 0,
            "thread_metadata": {
                "archived": False,
                "auto_archive_duration": 1440,
                "archive_timestamp": NOW,
                "locked": False,
                "create_timestamp": NOW,
            },
            "member": {"id": THREAD_ID, "user_id": "3", "join_timestamp": NOW, "flags": 1},
        }
        joined = {"id": THREAD_ID, "user_id": self.user["id"], "join_timestamp": NOW, "flags": 0}
        gone = {"id": THREAD_ID, "guild_id": self.guild, "parent_id": self.channel, "type": 11}
        return {
            "CHANNEL_CREATE": channel,
            "CHANNEL_UPDATE": channel | {"topic": "news"},
            "CHANNEL_DELETE": channel | {"id": "700000000000000009"},
            "CHANNEL_PINS_UPDATE": {
                "guild_id": self.guild,
                "channel_id": self.channel,
                "last_pin_timestamp": NOW,
            },
            "THREAD_CREATE": thread | {"newly_created": True},
            "THREAD_UPDATE": thread,
            "THREAD_DELETE": gone,
            "THREAD_MEMBERS_UPDATE": {
                "id": THREAD_ID,
                "guild_id": self.guild,
                "member_count": 2,
                "added_members": [joined | {"member": self.member | {"user": self.user}, "presence": None}],
                "removed_member_ids": ["9"],
            },
            "WEBHOOKS_UPDATE": {"guild_id": self.guild, "channel_id": self.channel},
            "GUILD_UPDATE": self._guild(),
            "GUILD_EMOJIS_UPDATE": {
                "guild_id": self.guild,
                "emojis": [{"id": "80", "name": "blob", "animated": False, "roles": [], "user": self.user}],
            },
            "GUILD_STICKERS_UPDATE": {
                "guild_id": self.guild,
                "stickers": [
                    {"id": "81", "name": "s", "description": None, "tags": "x", "type": 2, "format_type": 1}
                ],
            },
        }

    def _guild(self) -> Json:
        nobody = ("afk_channel_id", "system_channel_id", "rules_channel_id", "icon", "banner", "description")
        levels = ("verification_level", "explicit_content_filter", "default_message_notifications")
        more = ("mfa_level", "premium_tier", "nsfw_level", "premium_subscription_count")
        return {
            "id": self.guild,
            "name": "a guild",
            "owner_id": self.user["id"],
            "afk_timeout": 300,
            "features": ["COMMUNITY"],
            "roles": [self.role],
            "preferred_locale": "en-US",
            "vanity_url_code": None,
            **dict.fromkeys(nobody),
            **dict.fromkeys((*levels, *more), 0),
        }

    def _moderation(self) -> dict[str, Json]:
        action = {"type": 3, "metadata": {"duration_seconds": 60}}
        rule = {
            "id": "90",
            "guild_id": self.guild,
            "name": "no rude words",
            "creator_id": self.user["id"],
            "event_type": 1,
            "trigger_type": 1,
            "trigger_metadata": {"keyword_filter": ["rude"], "regex_patterns": []},
            "actions": [action],
            "enabled": True,
            "exempt_roles": [],
            "exempt_channels": [],
        }
        invite = {"guild_id": self.guild, "channel_id": self.channel, "code": "abc"}
        return {
            "AUTO_MODERATION_RULE_CREATE": rule,
            "AUTO_MODERATION_RULE_UPDATE": rule,
            "AUTO_MODERATION_RULE_DELETE": rule,
            "AUTO_MODERATION_ACTION_EXECUTION": {
                "guild_id": self.guild,
                "action": action,
                "rule_id": "90",
                "rule_trigger_type": 1,
                "user_id": self.user["id"],
                "channel_id": self.channel,
                "content": "a rude word",
                "matched_keyword": "rude",
                "matched_content": "rude",
            },
            "GUILD_AUDIT_LOG_ENTRY_CREATE": {
                "id": "91",
                "guild_id": self.guild,
                "action_type": 24,
                "user_id": self.user["id"],
                "target_id": "9",
                "reason": "because",
                "changes": [{"key": "nick", "old_value": "a", "new_value": "b"}],
            },
            "INVITE_CREATE": invite
            | {
                "created_at": NOW,
                "inviter": self.user,
                "max_age": 3600,
                "max_uses": 0,
                "temporary": False,
                "uses": 0,
                "expires_at": LATER,
            },
            "INVITE_DELETE": invite,
        }

    def _plans(self) -> dict[str, Json]:
        event = {
            "id": "92",
            "guild_id": self.guild,
            "channel_id": None,
            "creator_id": self.user["id"],
            "creator": self.user,
            "name": "picnic",
            "description": "bring cake",
            "scheduled_start_time": NOW,
            "scheduled_end_time": LATER,
            "privacy_level": 2,
            "status": 1,
            "entity_type": 3,
            "entity_id": None,
            "entity_metadata": {"location": "the park"},
            "user_count": 1,
            "image": None,
        }
        comes = {"guild_scheduled_event_id": "92", "user_id": self.user["id"], "guild_id": self.guild}
        return {
            "GUILD_SCHEDULED_EVENT_CREATE": event,
            "GUILD_SCHEDULED_EVENT_UPDATE": event,
            "GUILD_SCHEDULED_EVENT_DELETE": event,
            "GUILD_SCHEDULED_EVENT_USER_ADD": comes,
            "GUILD_SCHEDULED_EVENT_USER_REMOVE": comes,
        }

    def _interaction(self, kind: int) -> Json:
        typed = {"name": "text", "type": 3, "value": "par", "focused": True}
        data = {
            2: {"id": "1", "name": "hello", "type": 1, "options": []},
            3: {"custom_id": "go", "component_type": 2, "id": 1},
            4: {"id": "1", "name": "hello", "type": 1, "options": [typed]},
            5: {"custom_id": "form", "components": []},
        }[kind]
        return {
            "id": "600000000000000006",
            "application_id": "3",
            "type": kind,
            "token": f"token-{kind}",
            "version": 1,
            "guild_id": self.guild,
            "channel_id": self.channel,
            "channel": {"id": self.channel, "type": 0, "name": "general", "permissions": "8"},
            "member": self.member | {"user": self.user, "permissions": "8"},
            "locale": "de",
            "guild_locale": "en-US",
            "app_permissions": "8",
            "entitlements": [],
            "context": 0,
            "data": data,
            **({"message": self._message() | {"author": BOT}} if kind == 3 else {}),
        }


KINDS = {kind.name: kind for kind in TABLE}
