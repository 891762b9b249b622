"""reply, edit and the other answers."""

from __future__ import annotations

from typing import Any

import pytest
from harness import BOT_ID, GuildUnderTest
from payloads import (
    BOT,
    CHANNEL_ID,
    INTERACTION_ID,
    MESSAGE_ID,
    TOKEN,
    USER,
    USER_ID,
    command,
    component,
    message,
    modal,
    option,
    reaction,
    sent,
)

from conftest import NewGuild

EPHEMERAL = 64
V2 = 32768


def on_message(guild: GuildUnderTest, body: str, data: dict[str, Any] | None = None) -> int:
    """Run ``body`` as an asynchronous handler of a message."""
    guild.load(f"on('messageCreate', async (ctx) => {{ {body} }}, {{ own: true }})")
    return guild.event("MESSAGE_CREATE", data or message())


def on_interaction(guild: GuildUnderTest, body: str, data: dict[str, Any] | None = None) -> int:
    guild.load(
        "for (const event of ['interactionCreate', 'componentInteraction', 'modalSubmit'])"
        f" on(event, async (ctx) => {{ {body} }})"
    )
    return guild.event("INTERACTION_CREATE", data or command())


def callback_answer(content: str = "sent", **fields: Any) -> dict[str, Any]:
    """What Discord answers to a first response when it is asked to."""
    return {
        "interaction": {"id": INTERACTION_ID},
        "resource": {"type": 4, "message": sent(content, **fields)},
    }


def error_of(guild: GuildUnderTest, number: int) -> str:
    error = guild.out.done[number]
    assert error is not None
    return error.split("\n")[0].removeprefix("FloraError: ")


# -------------------------------------------------------------------- messages


@pytest.mark.parity(13)
def test_reply_answers_the_source_message(guild: GuildUnderTest) -> None:
    on_message(guild, "await ctx.reply('pong')")
    assert guild.op.name == "sendMessage"
    assert guild.op.args == {
        "path": {"channel": CHANNEL_ID},
        "body": {
            "content": "pong",
            "message_reference": {"message_id": MESSAGE_ID, "fail_if_not_exists": False},
            "nonce": "seed-1",
            "enforce_nonce": True,
        },
    }


def test_reply_resolves_with_the_created_message(guild: GuildUnderTest) -> None:
    on_message(
        guild,
        "const m = await ctx.reply('x'); console.log(m.id, m.channelId, m.guildId, m.author.bot, m.content)",
    )
    guild.resolve(value=sent("x"))
    assert guild.lines == [f"700000000000000007 {CHANNEL_ID} 900000000000000009 true x"]


@pytest.mark.parametrize(("reply_to", "reference"), [("null", None), ("'5'", "5"), ("undefined", MESSAGE_ID)])
@pytest.mark.parity(13)
def test_reply_to_chooses_the_message(guild: GuildUnderTest, reply_to: str, reference: str | None) -> None:
    on_message(guild, f"await ctx.reply({{ content: 'x', replyTo: {reply_to} }})")
    got = guild.op.body.get("message_reference")
    assert (got and got["message_id"]) == reference


def test_methods_may_be_taken_out_of_the_context(guild: GuildUnderTest) -> None:
    guild.load("on('messageCreate', ({ msg, reply }) => reply(msg.content))")
    guild.event("MESSAGE_CREATE", message("echo"))
    assert guild.op.body["content"] == "echo"


@pytest.mark.parametrize(
    ("given", "content"), [("42", "42"), ("null", "null"), ("true", "true"), ("10n", "10")]
)
def test_what_is_neither_text_nor_object_is_turned_into_text(
    guild: GuildUnderTest, given: str, content: str
) -> None:
    on_message(guild, f"await ctx.reply({given})")
    assert guild.op.body["content"] == content


def test_every_new_message_has_a_nonce_of_its_own(guild: GuildUnderTest) -> None:
    on_message(guild, "for (let i = 0; i < 100; i++) ctx.reply('x')")
    nonces = [body["nonce"] for body in guild.bodies]
    assert len(set(nonces)) == 100
    assert all(len(nonce) <= 25 for nonce in nonces)


def test_nonces_stay_short_with_a_long_seed_and_differ_between_isolates(new_guild: NewGuild) -> None:
    nonces = set()
    for seed in ("a" * 40, "b" * 40):
        guild = new_guild(seed=seed)
        on_message(guild, "await ctx.reply('x')")
        nonces.add(guild.op.body["nonce"])
    assert len(nonces) == 2
    assert all(len(nonce) <= 25 for nonce in nonces)


def test_a_scripts_own_nonce_is_the_same_each_time_and_nobody_elses(new_guild: NewGuild) -> None:
    """Discord compares nonces among all messages of the bot, whichever guild they are in."""
    nonces: set[str] = set()
    for seed in ("0123456789ab", "ba9876543210"):
        guild = new_guild(seed=seed)
        on_message(
            guild, "ctx.reply({ content: 'x', nonce: 1 }); await ctx.reply({ content: 'y', nonce: '1' })"
        )
        first, second = (body["nonce"] for body in guild.bodies)
        assert first == second
        assert len(first) <= 25
        assert guild.bodies[0]["enforce_nonce"] is True
        nonces.add(first)
    assert len(nonces) == 2


def test_different_nonces_stay_different(new_guild: NewGuild) -> None:
    guild = new_guild(seed="0123456789ab")
    on_message(guild, "for (let i = 0; i < 250; i++) ctx.reply({ content: 'x', nonce: 'n' + i })")
    assert len({body["nonce"] for body in guild.bodies}) == 250


def test_all_reply_options_become_discords_json(guild: GuildUnderTest) -> None:
    on_message(
        guild,
        "await ctx.reply({ content: 'c', tts: true, flags: 4096n, embeds: [{ title: 't' }],"
        " allowedMentions: { parse: ['users'], users: ['1'], roles: ['2'], repliedUser: false },"
        " components: [button().setCustomId('a')] })",
    )
    body = guild.op.body
    assert body["content"] == "c"
    assert body["tts"] is True
    assert body["flags"] == 4096
    assert body["embeds"] == [{"title": "t"}]
    assert body["allowed_mentions"] == {
        "parse": ["users"],
        "users": ["1"],
        "roles": ["2"],
        "replied_user": False,
    }
    assert body["components"] == [{"type": 1, "components": [{"type": 2, "style": 1, "custom_id": "a"}]}]


@pytest.mark.parametrize("given", ["{}", "{ content: '' }", "{ embeds: [] }", "{ components: [] }", "''"])
def test_an_empty_message_is_invalid(guild: GuildUnderTest, given: str) -> None:
    number = on_message(guild, f"await ctx.reply({given})")
    assert error_of(guild, number) == (
        "Invalid input for payload: message must include content, embeds, attachments, or components"
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("{ embeds: 'x' }", "embeds: must be an array"),
        ("{ components: {} }", "components: must be an array"),
        ("{ embeds: ['x'] }", "embeds[]: must be an object"),
        ("{ embeds: [{ title: 'x', timestamp: 'tomorrow' }] }", "embeds[].timestamp: invalid timestamp"),
        (
            "{ content: 'x', attachments: [{ Url: { url: 7 } }] }",
            "attachments[0].url: must be a URL as text",
        ),
    ],
)
def test_wrong_arguments_are_invalid_input(guild: GuildUnderTest, given: str, told: str) -> None:
    number = on_message(
        guild, f"try {{ await ctx.reply({given}) }} catch (e) {{ console.log(e.code); throw e }}"
    )
    assert error_of(guild, number) == f"Invalid input for {told}"
    assert guild.lines == ["INVALID_INPUT"]
    assert guild.out.ops == []


def test_a_wrong_argument_rejects_and_does_not_throw(guild: GuildUnderTest) -> None:
    on_message(
        guild,
        (
            "ctx.reply({}).catch((e) => console.log('caught', e.code)); ctx.edit({}).catch((e) =>"
            " console.log(e.code))"
        ),
    )
    assert guild.lines == ["caught INVALID_INPUT", "INVALID_INPUT"]


def test_edit_changes_the_last_reply(guild: GuildUnderTest) -> None:
    on_message(
        guild,
        "await ctx.reply('one'); await ctx.reply('two'); console.log((await ctx.edit('three')).content)",
    )
    guild.resolve(value=sent("one", id="1"))
    guild.resolve(value=sent("two", id="2"))
    assert guild.op.name == "editMessage"
    assert guild.op.args == {"path": {"channel": CHANNEL_ID, "message": "2"}, "body": {"content": "three"}}
    guild.resolve(value=sent("three", id="2"))
    assert guild.lines == ["three"]


def test_edit_waits_for_a_reply_that_is_under_way(guild: GuildUnderTest) -> None:
    on_message(guild, "ctx.reply('one'); await ctx.edit('two')")
    assert [op.name for op in guild.out.ops] == ["sendMessage"]
    guild.resolve(value=sent(id="9"))
    assert guild.op.path["message"] == "9"


@pytest.mark.parity(15)
def test_edit_without_a_reply_changes_the_bots_own_message(guild: GuildUnderTest) -> None:
    on_message(guild, "await ctx.edit({ content: null, flags: 4 })", message(author=BOT))
    assert guild.op.args == {
        "path": {"channel": CHANNEL_ID, "message": MESSAGE_ID},
        "body": {"flags": 4, "content": None},
    }


@pytest.mark.parametrize("author", [USER, BOT | {"id": "55"}])
@pytest.mark.parity(15)
def test_edit_refuses_to_change_somebody_elses_message(guild: GuildUnderTest, author: dict[str, Any]) -> None:
    number = on_message(guild, "await ctx.edit('x')", message(author=author))
    assert error_of(guild, number).startswith(
        "Invalid input for message_id: there is nothing of the bot's to edit"
    )


def test_an_edit_must_change_something(guild: GuildUnderTest) -> None:
    number = on_message(guild, "await ctx.edit({})", message(author=BOT))
    assert error_of(guild, number).startswith("Invalid input for payload: message edit must include content")


def test_an_edit_may_empty_lists(guild: GuildUnderTest) -> None:
    on_message(guild, "await ctx.edit({ content: 'x', embeds: [], components: [] })", message(author=BOT))
    assert guild.op.body == {"content": "x", "embeds": [], "components": []}


def test_reply_to_a_reaction_answers_the_message(guild: GuildUnderTest) -> None:
    guild.load("on('reactionAdd', (ctx) => ctx.reply('x'))")
    guild.event("MESSAGE_REACTION_ADD", reaction())
    assert guild.op.path == {"channel": CHANNEL_ID}
    assert guild.op.body["message_reference"]["message_id"] == MESSAGE_ID


def test_edit_on_a_reaction_to_the_bots_message_edits_that(guild: GuildUnderTest) -> None:
    guild.load("on('reactionAdd', (ctx) => ctx.edit('x'))")
    guild.event("MESSAGE_REACTION_ADD", reaction(message_author_id=BOT_ID))
    assert guild.op.path == {"channel": CHANNEL_ID, "message": MESSAGE_ID}


def test_reply_to_a_bulk_delete_is_a_plain_message(guild: GuildUnderTest) -> None:
    guild.load("on('messageDeleteBulk', (ctx) => ctx.reply('x'))")
    guild.event("MESSAGE_DELETE_BULK", {"ids": ["1"], "channel_id": "2", "guild_id": "3"})
    assert "message_reference" not in guild.op.body


@pytest.mark.parametrize("method", ["reply", "edit"])
def test_ready_has_no_channel_to_answer_in(guild: GuildUnderTest, method: str) -> None:
    guild.load(f"on('ready', (ctx) => ctx.{method}('x'))")
    number = guild.event("READY", {"user": BOT})
    assert error_of(guild, number) == "Invalid input for channel_id: this event has no channel to answer in"


# -------------------------------------------------------------------- interactions


@pytest.mark.parity(14)
def test_the_first_reply_is_the_response(guild: GuildUnderTest) -> None:
    on_interaction(guild, "console.log((await ctx.reply('hi')).id)")
    assert guild.op.name == "sendInteractionResponse"
    assert guild.op.args == {
        "path": {"interaction": INTERACTION_ID, "token": TOKEN},
        "query": {"with_response": "true"},
        "body": {"type": 4, "data": {"content": "hi"}},
    }
    guild.resolve(value=callback_answer("hi", id="5"))
    assert guild.lines == ["5"]


@pytest.mark.parametrize("answer", [None, {}, {"interaction": {"id": "1"}}, {"resource": {"type": 4}}])
def test_a_response_that_is_not_sent_back_is_undefined(guild: GuildUnderTest, answer: Any) -> None:
    on_interaction(guild, "console.log(await ctx.reply('hi'))")
    guild.resolve(value=answer)
    assert guild.lines == ["undefined"]


def test_later_replies_follow_up(guild: GuildUnderTest) -> None:
    on_interaction(
        guild,
        (
            "await ctx.reply('one'); const m = await ctx.reply({ content: 'two', ephemeral: true });"
            " console.log(m.content)"
        ),
    )
    guild.resolve()
    assert guild.op.name == "createFollowupMessage"
    assert guild.op.args == {"path": {"token": TOKEN}, "body": {"content": "two", "flags": EPHEMERAL}}
    guild.resolve(value=sent("two"))
    assert guild.lines == ["two"]


def test_a_reply_that_nobody_awaited_still_comes_first(guild: GuildUnderTest) -> None:
    on_interaction(guild, "ctx.reply('one'); ctx.reply('two'); ctx.edit('three')")
    assert [op.name for op in guild.out.ops] == ["sendInteractionResponse"]
    guild.resolve()
    assert [op.name for op in guild.out.ops] == ["createFollowupMessage"]
    guild.resolve(value=sent())
    assert [op.name for op in guild.out.ops] == ["editOriginalInteractionResponse"]


def test_the_deferred_message_is_filled_before_anything_follows(guild: GuildUnderTest) -> None:
    on_interaction(
        guild, "ctx.defer(); ctx.reply('first'); ctx.followup('second').catch(() => {}); ctx.reply('third')"
    )
    names = []
    while guild.out.ops:
        names.append(guild.op.name)
        guild.resolve(value=sent()) if len(names) != 3 else guild.reject(status=400)
    assert names == [
        "deferInteractionResponse",
        "editOriginalInteractionResponse",
        "createFollowupMessage",
        "createFollowupMessage",
    ]


def test_a_refused_response_leaves_the_interaction_open(guild: GuildUnderTest) -> None:
    on_interaction(guild, "await ctx.reply('x'.repeat(10)).catch(() => {}); await ctx.reply('shorter')")
    guild.reject(status=400)
    assert guild.op.name == "sendInteractionResponse"
    assert guild.op.body["data"] == {"content": "shorter"}


@pytest.mark.parity(14)
def test_ephemeral_keeps_other_flags(guild: GuildUnderTest) -> None:
    on_interaction(
        guild, "await ctx.reply({ ephemeral: true, components: [textDisplay('v2')], flags: 4096 })"
    )
    assert guild.op.body["data"]["flags"] == EPHEMERAL | V2 | 4096


def test_an_empty_response_is_invalid(guild: GuildUnderTest) -> None:
    number = on_interaction(guild, "await ctx.reply({ ephemeral: true })")
    assert error_of(guild, number) == (
        "Invalid input for payload: Response must include content, embeds, attachments, or components"
    )


@pytest.mark.parametrize(
    ("options", "body"),
    [("", {"type": 5}), ("{ ephemeral: true }", {"type": 5, "data": {"flags": EPHEMERAL}})],
)
@pytest.mark.parity(35)
def test_defer(guild: GuildUnderTest, options: str, body: dict[str, Any]) -> None:
    on_interaction(guild, f"await ctx.defer({options})")
    assert guild.op.name == "deferInteractionResponse"
    assert guild.op.args == {"path": {"interaction": INTERACTION_ID, "token": TOKEN}, "body": body}


def test_the_reply_after_defer_fills_the_deferred_message(guild: GuildUnderTest) -> None:
    on_interaction(
        guild,
        (
            "await ctx.defer(); const m = await ctx.reply({ content: 'done', ephemeral: true });"
            " console.log(m.id); await ctx.reply('more')"
        ),
    )
    guild.resolve()
    assert guild.op.name == "editOriginalInteractionResponse"
    assert guild.op.args == {"path": {"token": TOKEN}, "body": {"content": "done"}}
    guild.resolve(value=sent("done"))
    assert guild.lines == ["700000000000000007"]
    assert guild.op.name == "createFollowupMessage"


@pytest.mark.parity(35)
def test_edit_changes_the_reply(guild: GuildUnderTest) -> None:
    on_interaction(guild, "await ctx.reply('one'); console.log((await ctx.edit('two')).content)")
    guild.resolve()
    assert guild.op.args == {"path": {"token": TOKEN}, "body": {"content": "two"}}
    assert guild.op.name == "editOriginalInteractionResponse"
    guild.resolve(value=sent("two"))
    assert guild.lines == ["two"]


def test_edit_after_defer_fills_the_deferred_message(guild: GuildUnderTest) -> None:
    on_interaction(guild, "await ctx.defer(); await ctx.edit('x'); await ctx.reply('y')")
    guild.resolve()
    assert guild.op.name == "editOriginalInteractionResponse"
    guild.resolve(value=sent())
    assert guild.op.name == "createFollowupMessage"


@pytest.mark.parity(35)
def test_followup(guild: GuildUnderTest) -> None:
    on_interaction(
        guild,
        "await ctx.reply('one'); await ctx.followup({ embeds: [embed().setTitle('t')], ephemeral: true })",
    )
    guild.resolve()
    assert guild.op.name == "createFollowupMessage"
    assert guild.op.body == {"embeds": [{"title": "t"}], "flags": EPHEMERAL}
    assert "nonce" not in guild.op.body


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("await ctx.edit('x')", "edit() comes too early: reply() or defer() first"),
        ("await ctx.followup('x')", "followup() comes too early: reply() or defer() first"),
        ("ctx.reply('x'); await ctx.defer()", "defer() comes too late: the interaction is already answered"),
        (
            "ctx.reply('x'); await ctx.showModal(M)",
            "showModal() comes too late: a modal can only be the first answer",
        ),
        ("ctx.showModal(M); await ctx.edit('x')", "edit() comes too late: a modal is no message"),
    ],
)
def test_answers_at_the_wrong_time_say_so(guild: GuildUnderTest, body: str, told: str) -> None:
    number = on_interaction(guild, f"const M = modal('m', 't').addComponents(textDisplay('x')); {body}")
    guild.feed()
    assert error_of(guild, number) == f"Invalid input for interaction: {told}"


def test_show_modal(guild: GuildUnderTest) -> None:
    on_interaction(
        guild,
        "await ctx.showModal(modal('feedback', 'Your opinion').addComponents(textDisplay('Be honest.'),"
        " label('Text').setDescription('d').setComponent(inputText('text').setStyle(2))))",
    )
    assert guild.op.name == "openModal"
    assert guild.op.path == {"interaction": INTERACTION_ID, "token": TOKEN}
    assert guild.op.body == {
        "type": 9,
        "data": {
            "custom_id": "feedback",
            "title": "Your opinion",
            "components": [
                {"type": 10, "content": "Be honest."},
                {
                    "type": 18,
                    "label": "Text",
                    "description": "d",
                    "component": {"type": 4, "custom_id": "text", "style": 2},
                },
            ],
        },
    }


def test_after_a_modal_there_are_follow_ups(guild: GuildUnderTest) -> None:
    on_interaction(
        guild,
        (
            "await ctx.showModal({ customId: 'a', title: 'b', components: [textDisplay('c')] }); await"
            " ctx.reply('x')"
        ),
    )
    guild.resolve()
    assert guild.op.name == "createFollowupMessage"


@pytest.mark.parity(9)
def test_options_are_flat_and_resolved_has_what_ids_stand_for(guild: GuildUnderTest) -> None:
    on_interaction(
        guild,
        "globalThis.ctx = ctx",
        command(
            "do",
            option(
                "group",
                kind=2,
                options=[option("sub", kind=1, options=[option("n", 3, 4), option("who", USER_ID, 6)])],
            ),
            resolved={
                "users": {USER_ID: USER},
                "members": {USER_ID: {"roles": [], "permissions": "8"}},
                "roles": {"5": {"id": "5", "name": "mods", "unicode_emoji": None}},
                "channels": {"6": {"id": "6", "type": 0, "parent_id": "7"}},
                "attachments": {"8": {"id": "8", "filename": "a", "content_type": "text/plain"}},
                "messages": {"9": message("m", id="9")},
            },
        ),
    )
    assert guild.value("ctx.options") == {"n": 3, "who": USER_ID}
    resolved = guild.value("ctx.resolved")
    assert resolved["users"][USER_ID]["username"] == "ada"
    assert resolved["members"][USER_ID]["user"]["username"] == "ada"
    assert resolved["members"][USER_ID]["permissions"] == "8"
    assert resolved["roles"]["5"]["unicodeEmoji"] is None
    assert resolved["channels"]["6"]["parentId"] == "7"
    assert resolved["attachments"]["8"]["contentType"] == "text/plain"
    assert resolved["messages"]["9"]["content"] == "m"


def test_options_are_there_for_plain_handlers_too(guild: GuildUnderTest) -> None:
    on_interaction(guild, "console.log(ctx.options.name)", command("hello", option("name", "Bob")))
    assert guild.lines == ["Bob"]


def test_without_options_and_references_there_are_empty_ones(guild: GuildUnderTest) -> None:
    data = command()
    del data["data"]["options"]
    on_interaction(guild, "globalThis.ctx = ctx", data)
    assert guild.value("ctx.options") == {}
    kinds = ["users", "members", "roles", "channels", "attachments", "messages"]
    assert guild.value("ctx.resolved") == {kind: {} for kind in kinds}


# -------------------------------------------------------------------- components and modals


@pytest.mark.parity(35)
def test_update_answers_with_the_components_message(guild: GuildUnderTest) -> None:
    on_interaction(
        guild, "await ctx.update({ content: 'new', components: [] }); await ctx.update('newer')", component()
    )
    assert guild.op.name == "updateInteractionResponse"
    assert guild.op.args == {
        "path": {"interaction": INTERACTION_ID, "token": TOKEN},
        "query": {"with_response": "true"},
        "body": {"type": 7, "data": {"content": "new", "components": []}},
    }
    guild.resolve(value=callback_answer())
    assert guild.op.name == "editOriginalInteractionResponse"


def test_edit_on_an_unanswered_component_is_an_update(guild: GuildUnderTest) -> None:
    on_interaction(guild, "await ctx.edit('new'); await ctx.edit('newer')", component())
    assert guild.op.body == {"type": 7, "data": {"content": "new"}}
    guild.resolve()
    assert guild.op.name == "editOriginalInteractionResponse"


def test_defer_update_is_followed_by_edits_and_follow_ups(guild: GuildUnderTest) -> None:
    on_interaction(
        guild, "await ctx.deferUpdate(); ctx.edit('a'); ctx.update('b'); ctx.reply('c')", component()
    )
    assert guild.op.name == "deferInteractionResponse"
    assert guild.op.body == {"type": 6}
    guild.resolve()
    names = []
    while guild.out.ops:
        names.append(guild.op.name)
        guild.resolve(value=sent())
    assert names == [
        "editOriginalInteractionResponse",
        "editOriginalInteractionResponse",
        "createFollowupMessage",
    ]


def test_reply_on_a_component_is_a_new_message(guild: GuildUnderTest) -> None:
    on_interaction(guild, "await ctx.reply({ content: 'x', ephemeral: true })", component())
    assert guild.op.body == {"type": 4, "data": {"content": "x", "flags": EPHEMERAL}}


def test_update_after_reply_is_too_late(guild: GuildUnderTest) -> None:
    number = on_interaction(guild, "ctx.reply('x'); await ctx.update('y')", component())
    assert error_of(guild, number) == (
        "Invalid input for interaction: update() comes too late: the interaction is already answered"
    )


def test_a_component_may_open_a_modal(guild: GuildUnderTest) -> None:
    on_interaction(guild, "await ctx.showModal(modal('a', 'b').addComponents(textDisplay('c')))", component())
    assert guild.op.name == "openModal"


def test_fields_of_a_modal(guild: GuildUnderTest) -> None:
    fields = [
        {"type": 18, "component": {"type": 4, "custom_id": "name", "value": "Bob"}},
        {"type": 18, "component": {"type": 3, "custom_id": "size", "values": ["s", "l"]}},
        {"type": 18, "component": {"type": 19, "custom_id": "files", "values": ["8"]}},
        {"type": 18, "component": {"type": 23, "custom_id": "agree", "value": True}},
        {"type": 1, "components": [{"type": 4, "custom_id": "old", "value": "row"}]},
        {"type": 10, "content": "text"},
    ]
    on_interaction(guild, "globalThis.ctx = ctx; await ctx.reply(ctx.fields.name)", modal("form", fields))
    assert guild.value("ctx.fields") == {
        "name": "Bob",
        "size": ["s", "l"],
        "files": ["8"],
        "agree": True,
        "old": "row",
    }
    assert guild.op.body["data"] == {"content": "Bob"}


def test_a_modal_from_a_component_may_update_its_message(guild: GuildUnderTest) -> None:
    on_interaction(guild, "await ctx.edit('x')", modal(message=message()))
    assert guild.op.name == "updateInteractionResponse"


def test_a_modal_from_a_command_has_nothing_to_update(guild: GuildUnderTest) -> None:
    number = on_interaction(guild, "await ctx.update('x')", modal())
    assert error_of(guild, number) == (
        "Invalid input for interaction: this modal was not opened from a message: there is nothing to update"
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("'x'", "modal: must be a modal() or an object"),
        ("{}", "modal.customId: must be a non-empty string"),
        ("modal('a')", "modal.title: must be a non-empty string"),
        ("modal('a', 'b')", "modal.components: a modal needs at least one component"),
        (
            "modal('a', 'b').addComponents(inputText('c'))",
            "components: A text input needs a label(): label(text).setComponent(inputText(id))",
        ),
        ("modal('a', 'b').addComponents(button())", "components: Unsupported modal component type 2"),
        (
            "modal('a', 'b').addComponents(actionRow().addComponents(button()))",
            "components: Unsupported modal row component type 2",
        ),
    ],
)
def test_wrong_modals_are_invalid_input(guild: GuildUnderTest, given: str, told: str) -> None:
    number = on_interaction(guild, f"await ctx.showModal({given})")
    assert error_of(guild, number) == f"Invalid input for {told}"


def test_a_row_with_a_text_input_is_still_understood_in_modals(guild: GuildUnderTest) -> None:
    on_interaction(
        guild,
        "await ctx.showModal({ custom_id: 'a', title: 'b', components: [actionRow().addComponents("
        "{ type: 4, custom_id: 'c', label: 'd' })] })",
    )
    assert guild.op.body["data"]["components"] == [
        {"type": 1, "components": [{"type": 4, "custom_id": "c", "label": "d", "style": 1}]}
    ]
