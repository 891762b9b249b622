"""Which of Discord's gateway events reach scripts, and under what name.

The one table that gateway, supervisor, SDK and documentation go by: the gateway asks for its intents and
sends what it names, ``tools/event_table.py`` writes ``docs/events.md`` from it, and tests hold the SDK's
names, payloads and types against it. An event that is not in it is used by the gateway itself or dropped
there. Left out on purpose: PRESENCE_UPDATE and TYPING_START, which come at many times the rate of all the
others together, and what concerns no guild.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class InteractionType(IntEnum):
    """Discord: interactions/receiving-and-responding, "Interaction Type"."""

    PING = 1
    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL = 5


@dataclass(slots=True, frozen=True)
class EventKind:
    """One event that scripts may handle."""

    type: str
    """Discord's name."""
    name: str
    """flora's."""
    payload: str
    """The type of ``ctx.msg`` in ``sdk/types``."""
    when: str
    """What has happened, for the documentation."""
    intent: str = ""
    """What the gateway must ask Discord for, by discord.py's name; empty for what always comes."""
    droppable: bool = False
    """High rate, and a guild that cannot keep up can live without some of them: messages, and news of a state
    that the next one tells in full again."""
    interaction: InteractionType | None = None
    """Which of Discord's interactions it is."""


READY: Final = "READY"
INTERACTION: Final = "INTERACTION_CREATE"
MESSAGE: Final = "MESSAGE_CREATE"
GUILD_UPDATE: Final = "GUILD_UPDATE"

PRIVILEGED: Final = frozenset(("members", "presences", "message_content"))
"""Intents that Discord grants on request only (topics/gateway, "Privileged Intents")."""


def _rows(intent: str, *rows: tuple[str, str, str, str]) -> list[EventKind]:
    """Rows that need the same intent."""
    return [EventKind(*row, intent=intent) for row in rows]


def _interaction(kind: InteractionType, name: str, payload: str, when: str) -> EventKind:
    return EventKind(INTERACTION, name, payload, when, interaction=kind)


TABLE: Final = (
    EventKind(READY, "ready", "EventReady", "the bot connected; comes again with every new session"),
    EventKind(
        MESSAGE, "messageCreate", "EventMessage", "somebody wrote", intent="guild_messages", droppable=True
    ),
    EventKind(
        "MESSAGE_UPDATE",
        "messageUpdate",
        "EventMessageUpdate",
        "a message was edited, or a link in it got its preview; `new` is the whole of it",
        intent="guild_messages",
        droppable=True,
    ),
    *_rows(
        "guild_messages",
        ("MESSAGE_DELETE", "messageDelete", "EventMessageDelete", "a message was deleted"),
        ("MESSAGE_DELETE_BULK", "messageDeleteBulk", "EventMessageDeleteBulk", "many at once: `ids`"),
    ),
    _interaction(
        InteractionType.COMMAND,
        "interactionCreate",
        "EventInteractionCreate",
        "a slash command, or a command of a user's or message's menu",
    ),
    _interaction(
        InteractionType.COMPONENT,
        "componentInteraction",
        "EventComponentInteraction",
        "a button was pressed, something was chosen",
    ),
    _interaction(InteractionType.MODAL, "modalSubmit", "EventModalSubmit", "a modal was sent: `ctx.fields`"),
    _interaction(
        InteractionType.AUTOCOMPLETE,
        "autocomplete",
        "EventAutocomplete",
        "somebody types in an option: `ctx.focused`",
    ),
    *_rows(
        "guild_reactions",
        ("MESSAGE_REACTION_ADD", "reactionAdd", "EventReaction", "somebody reacted"),
        ("MESSAGE_REACTION_REMOVE", "reactionRemove", "EventReaction", "somebody took it back"),
        (
            "MESSAGE_REACTION_REMOVE_EMOJI",
            "reactionRemoveEmoji",
            "EventReaction",
            "all reactions with one emoji were removed; no `userId`",
        ),
        (
            "MESSAGE_REACTION_REMOVE_ALL",
            "reactionRemoveAll",
            "EventReactionRemoveAll",
            "all reactions of a message were removed",
        ),
    ),
    *_rows(
        "guild_polls",
        ("MESSAGE_POLL_VOTE_ADD", "pollVoteAdd", "EventPollVote", "somebody voted"),
        ("MESSAGE_POLL_VOTE_REMOVE", "pollVoteRemove", "EventPollVote", "somebody took a vote back"),
    ),
    *_rows(
        "members",
        ("GUILD_MEMBER_ADD", "memberAdd", "EventGuildMember", "somebody joined"),
        ("GUILD_MEMBER_REMOVE", "memberRemove", "EventGuildUser", "somebody left or was removed"),
    ),
    EventKind(
        "GUILD_MEMBER_UPDATE",
        "memberUpdate",
        "EventGuildMember",
        "roles, nick, timeout … of a member changed",
        intent="members",
        droppable=True,
    ),
    *_rows(
        "moderation",
        ("GUILD_BAN_ADD", "banAdd", "EventGuildUser", "somebody was banned"),
        ("GUILD_BAN_REMOVE", "banRemove", "EventGuildUser", "a ban was lifted"),
        (
            "GUILD_AUDIT_LOG_ENTRY_CREATE",
            "auditLogEntryCreate",
            "EventAuditLogEntry",
            "something for the audit log; the bot needs View Audit Log",
        ),
    ),
    *_rows(
        "guilds",
        (GUILD_UPDATE, "guildUpdate", "EventGuild", "the guild's settings changed"),
        ("GUILD_ROLE_CREATE", "roleCreate", "EventRole", "a role was created"),
        ("GUILD_ROLE_UPDATE", "roleUpdate", "EventRole", "a role was changed"),
        ("GUILD_ROLE_DELETE", "roleDelete", "EventRoleDelete", "a role was deleted"),
        ("CHANNEL_CREATE", "channelCreate", "EventChannel", "a channel was created"),
        ("CHANNEL_UPDATE", "channelUpdate", "EventChannel", "a channel was changed"),
        ("CHANNEL_DELETE", "channelDelete", "EventChannel", "a channel was deleted"),
        ("CHANNEL_PINS_UPDATE", "channelPinsUpdate", "EventChannelPins", "a message was pinned or unpinned"),
        ("THREAD_CREATE", "threadCreate", "EventThread", "a thread was started, or the bot was added to one"),
        ("THREAD_UPDATE", "threadUpdate", "EventThread", "a thread was changed, archived or locked"),
        ("THREAD_DELETE", "threadDelete", "EventThreadDelete", "a thread was deleted"),
        (
            "THREAD_MEMBERS_UPDATE",
            "threadMembersUpdate",
            "EventThreadMembers",
            "somebody joined a thread or left it; others than the bot only with the members intent",
        ),
    ),
    EventKind(
        "VOICE_STATE_UPDATE",
        "voiceStateUpdate",
        "EventVoiceState",
        "somebody joined, changed or left a voice channel, muted …",
        intent="voice_states",
        droppable=True,
    ),
    *_rows(
        "invites",
        ("INVITE_CREATE", "inviteCreate", "EventInvite", "an invite was created"),
        ("INVITE_DELETE", "inviteDelete", "EventInviteDelete", "an invite was deleted"),
    ),
    *_rows(
        "auto_moderation_configuration",
        ("AUTO_MODERATION_RULE_CREATE", "automodRuleCreate", "EventAutomodRule", "a rule was created"),
        ("AUTO_MODERATION_RULE_UPDATE", "automodRuleUpdate", "EventAutomodRule", "a rule was changed"),
        ("AUTO_MODERATION_RULE_DELETE", "automodRuleDelete", "EventAutomodRule", "a rule was deleted"),
    ),
    *_rows(
        "auto_moderation_execution",
        ("AUTO_MODERATION_ACTION_EXECUTION", "automodAction", "EventAutomodAction", "a rule did something"),
    ),
    *_rows(
        "guild_scheduled_events",
        (
            "GUILD_SCHEDULED_EVENT_CREATE",
            "scheduledEventCreate",
            "EventScheduledEvent",
            "an event is planned",
        ),
        ("GUILD_SCHEDULED_EVENT_UPDATE", "scheduledEventUpdate", "EventScheduledEvent", "it was changed"),
        ("GUILD_SCHEDULED_EVENT_DELETE", "scheduledEventDelete", "EventScheduledEvent", "it was called off"),
        (
            "GUILD_SCHEDULED_EVENT_USER_ADD",
            "scheduledEventUserAdd",
            "EventScheduledEventUser",
            "somebody wants to come",
        ),
        (
            "GUILD_SCHEDULED_EVENT_USER_REMOVE",
            "scheduledEventUserRemove",
            "EventScheduledEventUser",
            "somebody no longer does",
        ),
    ),
    *_rows(
        "expressions",
        ("GUILD_EMOJIS_UPDATE", "emojisUpdate", "EventEmojis", "the guild's emojis changed; all of them"),
        ("GUILD_STICKERS_UPDATE", "stickersUpdate", "EventStickers", "its stickers changed; all of them"),
    ),
    *_rows(
        "webhooks",
        ("WEBHOOKS_UPDATE", "webhooksUpdate", "EventWebhooks", "webhooks of a channel changed"),
    ),
)
"""In the documentation's order."""

EVENTS: Final = {row.type: tuple(kind for kind in TABLE if kind.type == row.type) for row in TABLE}
"""By Discord's name; several where one of Discord's events is more than one of ours."""

DROPPABLE: Final = frozenset(row.type for row in TABLE if row.droppable)

INTENTS: Final = frozenset(row.intent for row in TABLE if row.intent) | {"guilds", "message_content"}
"""All that the table needs, what the gateway itself needs, and the text of messages."""

_NAMES: Final = {(row.type, row.interaction or 0): row.name for row in TABLE}


def name_of(type_: str, *, interaction: int = 0) -> str | None:
    """The name scripts know an event by; None for one that scripts cannot handle.

    ``interaction`` is the ``type`` of an INTERACTION_CREATE.
    """
    return _NAMES.get((type_, interaction))
