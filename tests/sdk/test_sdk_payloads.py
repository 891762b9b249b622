"""Discord's events as scripts see them: every field of every payload."""

from __future__ import annotations

from typing import Any

import pytest
from harness import BOT_ID, GUILD_ID, GuildUnderTest
from payloads import (
    BOT,
    CHANNEL_ID,
    INTERACTION_ID,
    MEMBER,
    MESSAGE_ID,
    ROLE_ID,
    TOKEN,
    USER,
    USER_ID,
    command,
    component,
    message,
    modal,
    option,
    reaction,
)

USER_SEEN = {
    "id": USER_ID,
    "username": "ada",
    "globalName": "Ada",
    "avatar": "a1",
    "bot": False,
    "publicFlags": 64,
    "avatarDecorationData": None,
    "primaryGuild": None,
}
MEMBER_SEEN = {
    "user": USER_SEEN,
    "nick": "countess",
    "avatar": None,
    "roles": [ROLE_ID],
    "joinedAt": "2020-01-02T03:04:05+00:00",
    "premiumSince": None,
    "deaf": False,
    "mute": True,
    "flags": 2,
    "pending": False,
    "communicationDisabledUntil": None,
}
MESSAGE_SEEN = {
    "id": MESSAGE_ID,
    "channelId": CHANNEL_ID,
    "guildId": GUILD_ID,
    "type": 0,
    "content": "hi",
    "author": USER_SEEN,
    "member": MEMBER_SEEN,
    "timestamp": "2024-01-01T00:00:00+00:00",
    "editedTimestamp": None,
    "tts": False,
    "pinned": False,
    "flags": 0,
    "mentionEveryone": False,
    "mentions": [],
    "mentionRoles": [],
    "attachments": [],
    "embeds": [],
    "components": [],
}
INTERACTION_SEEN = {
    "interactionId": INTERACTION_ID,
    "interactionToken": TOKEN,
    "applicationId": BOT_ID,
    "guildId": GUILD_ID,
    "channelId": CHANNEL_ID,
    "channel": {"id": CHANNEL_ID, "type": 0, "name": "general", "parentId": None, "permissions": "8"},
    "user": USER_SEEN,
    "member": MEMBER_SEEN | {"permissions": "2248473465835073"},
    "locale": "de",
    "guildLocale": "en-US",
    "appPermissions": "442368",
    "entitlements": [],
    "context": 0,
}


def seen(guild: GuildUnderTest, event: str, kind: str, data: dict[str, Any]) -> Any:
    """``ctx.msg`` as JSON, by way of a handler."""
    guild.load(f"on('{event}', (ctx) => {{ globalThis.ctx = ctx }}, {{ own: true }})")
    guild.event(kind, data)
    return guild.value("ctx.msg")


@pytest.mark.parity(29)
def test_ready(guild: GuildUnderTest) -> None:
    user = {"id": BOT_ID, "username": "flora", "discriminator": 4242, "avatar": None, "bot": True}
    got = seen(guild, "ready", "READY", {"user": BOT, "application": {"id": BOT_ID}})
    assert got == {"user": user, "guildIds": []}


@pytest.mark.parity(30)
def test_message_create(guild: GuildUnderTest) -> None:
    assert seen(guild, "messageCreate", "MESSAGE_CREATE", message()) == MESSAGE_SEEN


def test_payloads_are_plain_objects_for_json_spread_and_structured_clone(guild: GuildUnderTest) -> None:
    seen(guild, "messageCreate", "MESSAGE_CREATE", message())
    assert guild.value("{ ...ctx.msg }") == MESSAGE_SEEN
    assert guild.value("structuredClone(ctx.msg)") == MESSAGE_SEEN
    assert guild.value("Object.keys(ctx.msg.author)") == list(USER_SEEN)


def test_raw_is_what_discord_sent(guild: GuildUnderTest) -> None:
    data = message(unknown_field={"deep_key": [1]})
    seen(guild, "messageCreate", "MESSAGE_CREATE", data)
    assert guild.value("ctx.raw") == data


def test_all_messages_of_a_kind_have_the_same_shape(guild: GuildUnderTest) -> None:
    guild.load("globalThis.keys = []; on('messageCreate', (ctx) => keys.push(Object.keys(ctx.msg).join()))")
    for content in ("a", "b"):
        guild.event("MESSAGE_CREATE", message(content))
    assert guild.value("new Set(keys).size") == 1


def test_a_message_with_everything(guild: GuildUnderTest) -> None:
    attachment = {
        "id": "1",
        "filename": "a.png",
        "size": 5,
        "url": "https://cdn/a.png",
        "proxy_url": "https://proxy/a.png",
        "content_type": "image/png",
        "duration_secs": 1.5,
    }
    rich = {
        "type": "rich",
        "title": "t",
        "footer": {"text": "f", "icon_url": "i", "proxy_icon_url": "p"},
        "image": {"url": "u", "proxy_url": "pu"},
        "fields": [{"name": "n", "value": "v", "inline": True}],
    }
    buttons = [{"type": 1, "components": [{"type": 2, "custom_id": "x", "style": 1}]}]
    poll = {
        "question": {"text": "?"},
        "answers": [{"answer_id": 1, "poll_media": {"text": "yes"}}],
        "expiry": None,
        "allow_multiselect": False,
        "layout_type": 1,
    }
    got = seen(
        guild,
        "messageCreate",
        "MESSAGE_CREATE",
        message(
            type=19,
            flags=64,
            pinned=True,
            tts=True,
            mention_everyone=True,
            edited_timestamp="2024-01-02T00:00:00+00:00",
            mentions=[USER | {"member": MEMBER}],
            mention_roles=[ROLE_ID],
            mention_channels=[{"id": "8", "guild_id": GUILD_ID, "type": 0, "name": "c"}],
            attachments=[attachment],
            embeds=[rich],
            components=buttons,
            message_reference={"type": 0, "message_id": "9", "channel_id": CHANNEL_ID, "guild_id": GUILD_ID},
            referenced_message=message("before", id="9"),
            sticker_items=[{"id": "4", "name": "wave", "format_type": 1}],
            poll=poll,
            webhook_id="12",
            application_id="13",
            nonce="n1",
            position=3,
            interaction_metadata={"id": "1", "type": 2, "user": USER, "original_response_message_id": "5"},
            message_snapshots=[{"message": {"content": "old"}}],
        ),
    )
    assert got["type"] == 19
    assert (got["flags"], got["pinned"], got["tts"], got["mentionEveryone"]) == (64, True, True, True)
    assert got["editedTimestamp"] == "2024-01-02T00:00:00+00:00"
    assert got["mentions"] == [USER_SEEN | {"member": MEMBER_SEEN}]
    assert got["mentionRoles"] == [ROLE_ID]
    assert got["mentionChannels"] == [{"id": "8", "guildId": GUILD_ID, "type": 0, "name": "c"}]
    assert got["attachments"] == [
        {
            "id": "1",
            "filename": "a.png",
            "size": 5,
            "url": "https://cdn/a.png",
            "proxyUrl": "https://proxy/a.png",
            "contentType": "image/png",
            "durationSecs": 1.5,
        }
    ]
    assert got["embeds"] == [
        rich
        | {
            "footer": {"text": "f", "iconUrl": "i", "proxyIconUrl": "p"},
            "image": {"url": "u", "proxyUrl": "pu"},
        }
    ]
    assert got["components"] == buttons
    assert got["reference"] == {"type": 0, "messageId": "9", "channelId": CHANNEL_ID, "guildId": GUILD_ID}
    assert got["referencedMessage"]["content"] == "before"
    assert got["stickers"] == [{"id": "4", "name": "wave", "formatType": 1}]
    assert got["poll"]["answers"] == [{"answerId": 1, "pollMedia": {"text": "yes"}}]
    assert got["poll"]["allowMultiselect"] is False
    assert (got["webhookId"], got["applicationId"], got["nonce"], got["position"]) == ("12", "13", "n1", 3)
    assert got["interactionMetadata"]["originalResponseMessageId"] == "5"
    assert got["messageSnapshots"] == [{"message": {"content": "old"}}]


def test_a_deleted_referenced_message_is_null_and_an_absent_one_is_missing(guild: GuildUnderTest) -> None:
    assert (
        seen(guild, "messageCreate", "MESSAGE_CREATE", message(referenced_message=None))["referencedMessage"]
        is None
    )
    guild.event("MESSAGE_CREATE", message())
    assert guild.value("'referencedMessage' in ctx.msg") is False


def test_a_webhook_message_has_no_member(guild: GuildUnderTest) -> None:
    data = message(webhook_id="1")
    del data["member"]
    assert "member" not in seen(guild, "messageCreate", "MESSAGE_CREATE", data)


@pytest.mark.parametrize(("sent", "got"), [("0", None), ("0001", 1), ("4242", 4242), (None, None)])
def test_the_discriminator_is_a_number_where_there_is_one(
    guild: GuildUnderTest, sent: str | None, got: int | None
) -> None:
    user = {"id": "1", "username": "x"} | ({"discriminator": sent} if sent else {})
    assert (
        seen(guild, "messageCreate", "MESSAGE_CREATE", message(author=user))["author"].get("discriminator")
        == got
    )


@pytest.mark.parity(30)
def test_message_update_has_the_message_and_once_more_as_new(guild: GuildUnderTest) -> None:
    got = seen(guild, "messageUpdate", "MESSAGE_UPDATE", message("edited"))
    edited = MESSAGE_SEEN | {"content": "edited"}
    assert got == edited | {"new": edited}


def test_a_partial_message_update_leaves_out_what_it_does_not_know(guild: GuildUnderTest) -> None:
    got = seen(
        guild,
        "messageUpdate",
        "MESSAGE_UPDATE",
        {"id": "1", "channel_id": "2", "guild_id": "3", "embeds": []},
    )
    assert "content" not in got
    assert "author" not in got
    assert got["channelId"] == "2"


@pytest.mark.parity(30)
def test_message_delete(guild: GuildUnderTest) -> None:
    got = seen(guild, "messageDelete", "MESSAGE_DELETE", {"id": "1", "channel_id": "2", "guild_id": "3"})
    assert got == {"id": "1", "channelId": "2", "guildId": "3"}


@pytest.mark.parity(30)
def test_message_delete_bulk(guild: GuildUnderTest) -> None:
    data = {"ids": ["1", "5"], "channel_id": "2", "guild_id": "3"}
    got = seen(guild, "messageDeleteBulk", "MESSAGE_DELETE_BULK", data)
    assert got == {"ids": ["1", "5"], "channelId": "2", "guildId": "3"}


@pytest.mark.parity(31)
def test_interaction_create(guild: GuildUnderTest) -> None:
    data = command("hello", option("name", "Bob"))
    got = seen(guild, "interactionCreate", "INTERACTION_CREATE", data)
    assert got == INTERACTION_SEEN | {"commandName": "hello", "data": data["data"]}


def test_an_interaction_outside_a_guild_has_its_user(guild: GuildUnderTest) -> None:
    data = command("hello", user=USER)
    del data["member"]
    got = seen(guild, "interactionCreate", "INTERACTION_CREATE", data)
    assert got["user"] == USER_SEEN
    assert "member" not in got


@pytest.mark.parity(32)
def test_component_interaction(guild: GuildUnderTest) -> None:
    data = component("pick", component_type=3, values=["a", "b"])
    got = seen(guild, "componentInteraction", "INTERACTION_CREATE", data)
    assert got.pop("message")["content"] == "with button"
    assert got == INTERACTION_SEEN | {
        "data": data["data"],
        "customId": "pick",
        "componentType": 3,
        "values": ["a", "b"],
        "messageId": MESSAGE_ID,
    }


@pytest.mark.parity(32)
def test_modal_submit(guild: GuildUnderTest) -> None:
    data = modal("form", [{"type": 18, "component": {"type": 4, "custom_id": "name", "value": "Bob"}}])
    got = seen(guild, "modalSubmit", "INTERACTION_CREATE", data)
    assert got == INTERACTION_SEEN | {"data": data["data"], "customId": "form"}


def test_a_modal_from_a_component_has_its_message(guild: GuildUnderTest) -> None:
    got = seen(guild, "modalSubmit", "INTERACTION_CREATE", modal(message=message("source")))
    assert got["messageId"] == MESSAGE_ID
    assert got["message"]["content"] == "source"


def test_interactions_of_other_types_are_nobodys(guild: GuildUnderTest) -> None:
    guild.load(
        "for (const e of ['interactionCreate', 'componentInteraction', 'modalSubmit']) on(e, () =>"
        " console.log(e))"
    )
    for kind in (1, 4, 99):
        guild.event("INTERACTION_CREATE", command() | {"type": kind})
    assert guild.lines == []


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("reactionAdd", "MESSAGE_REACTION_ADD"),
        ("reactionRemove", "MESSAGE_REACTION_REMOVE"),
        ("reactionRemoveEmoji", "MESSAGE_REACTION_REMOVE_EMOJI"),
    ],
)
@pytest.mark.parity(33)
def test_reactions(guild: GuildUnderTest, event: str, kind: str) -> None:
    assert seen(guild, event, kind, reaction()) == {
        "userId": USER_ID,
        "channelId": CHANNEL_ID,
        "messageId": MESSAGE_ID,
        "guildId": GUILD_ID,
        "emoji": {"id": None, "name": "🔥"},
        "burst": False,
        "type": 0,
    }


def test_an_added_reaction_tells_who_and_whose(guild: GuildUnderTest) -> None:
    data = reaction(
        member=MEMBER | {"user": USER}, message_author_id="77", burst=True, burst_colors=["#ff0000"], type=1
    )
    got = seen(guild, "reactionAdd", "MESSAGE_REACTION_ADD", data)
    assert got["member"] == MEMBER_SEEN
    assert (got["messageAuthorId"], got["burst"], got["burstColors"], got["type"]) == (
        "77",
        True,
        ["#ff0000"],
        1,
    )


@pytest.mark.parity(33)
def test_reaction_remove_all(guild: GuildUnderTest) -> None:
    data = {"message_id": "1", "channel_id": "2", "guild_id": "3"}
    got = seen(guild, "reactionRemoveAll", "MESSAGE_REACTION_REMOVE_ALL", data)
    assert got == {"messageId": "1", "channelId": "2", "guildId": "3"}


def test_keys_that_are_no_words_keep_their_underscores(guild: GuildUnderTest) -> None:
    poll = {"_private": 1, "ends_": 2, "a__b": 3, "with_1": 4, "pt_BR": 5, "plain": 6, "two_words": 7}
    got = seen(guild, "messageCreate", "MESSAGE_CREATE", message(poll=poll))
    assert got["poll"] == {
        "_private": 1,
        "ends_": 2,
        "a__b": 3,
        "with_1": 4,
        "pt_BR": 5,
        "plain": 6,
        "twoWords": 7,
    }
