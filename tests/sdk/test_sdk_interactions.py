"""Interactions beyond their first answer: suggestions, menus, deferring by itself, errors, later changes."""

from __future__ import annotations

from typing import Any

import pytest
from harness import GuildUnderTest
from payloads import (
    INTERACTION_ID,
    MESSAGE_ID,
    TOKEN,
    USER,
    USER_ID,
    command,
    component,
    interaction,
    message,
    modal,
    option,
    sent,
)

EPHEMERAL, V2 = 64, 32768
APOLOGY = "Something went wrong. The people who run the bot can read why in its log."
ANY = "for (const event of ['interactionCreate', 'componentInteraction', 'modalSubmit']) on(event,"


def handling(guild: GuildUnderTest, body: str, data: dict[str, Any] | None = None) -> int:
    """Run ``body`` as the asynchronous handler of an interaction; its event's number."""
    guild.load(f"{ANY} async (ctx) => {{ {body} }})")
    return guild.event("INTERACTION_CREATE", data or command())


def again(guild: GuildUnderTest, data: dict[str, Any] | None = None) -> int:
    return guild.event("INTERACTION_CREATE", data or command())


def error_of(guild: GuildUnderTest, number: int) -> str:
    guild.feed()
    error = guild.out.done[number]
    assert error is not None
    return error.split("\n")[0].removeprefix("FloraError: Invalid input for ")


def names(guild: GuildUnderTest) -> list[str]:
    """Answer every call, one by one; their names."""
    found: list[str] = []
    while guild.out.ops:
        found.append(guild.out.ops[0].name)
        guild.resolve(value=sent())
    return found


# -------------------------------------------------------------------- autocomplete


def typing(*options: dict[str, Any], name: str = "find") -> dict[str, Any]:
    return interaction(4, {"id": "1", "name": name, "type": 1, "options": list(options)})


def typed(name: str = "what", value: str = "ca", kind: int = 3) -> dict[str, Any]:
    return option(name, value, kind) | {"focused": True}


def finding(suggest: str) -> str:
    return (
        "createBot({ slashCommands: [slash({ name: 'find', description: 'd', options: [{ name: 'what',"
        " description: 'd', autocomplete: true }], run() {},"
        f" autocomplete(ctx) {{ {suggest} }} }})] }})"
    )


def choices(guild: GuildUnderTest) -> Any:
    assert guild.op.name == "sendAutocompleteResult"
    assert guild.op.path == {"interaction": INTERACTION_ID, "token": TOKEN}
    assert guild.op.body["type"] == 8
    return guild.op.body["data"]["choices"]


def test_a_command_suggests_what_its_autocomplete_returns(guild: GuildUnderTest) -> None:
    guild.load(finding("return ['cat', 'cow', 'dog'].filter((a) => a.startsWith(ctx.focused.value))"))
    assert sorted(guild.declaration["events"]) == ["autocomplete", "interactionCreate"]
    assert guild.declaration["commands"][0]["options"][0]["autocomplete"] is True
    assert "autocomplete" not in guild.declaration["commands"][0]
    guild.event("INTERACTION_CREATE", typing(typed()))
    assert choices(guild) == [{"name": "cat", "value": "cat"}]


@pytest.mark.parametrize(
    ("suggest", "expected"),
    [
        ("return [1, 2.5]", [{"name": "1", "value": 1}, {"name": "2.5", "value": 2.5}]),
        (
            "return [{ name: 'A', value: 'a', nameLocalizations: { de: 'Ä' } }]",
            [{"name": "A", "value": "a", "name_localizations": {"de": "Ä"}}],
        ),
        ("return []", []),
        ("return Promise.resolve(['x'])", [{"name": "x", "value": "x"}]),
        ("ctx.respond(['y'])", [{"name": "y", "value": "y"}]),
    ],
)
def test_suggestions_may_be_given_in_several_ways(guild: GuildUnderTest, suggest: str, expected: Any) -> None:
    guild.load(finding(suggest))
    guild.event("INTERACTION_CREATE", typing(typed()))
    assert choices(guild) == expected


def test_twenty_five_suggestions_are_the_most(guild: GuildUnderTest) -> None:
    guild.load(finding("return Array.from({ length: Number(ctx.focused.value) }, (_, i) => `${i}`)"))
    guild.event("INTERACTION_CREATE", typing(typed(value="25")))
    assert len(choices(guild)) == 25
    guild.resolve()
    number = guild.event("INTERACTION_CREATE", typing(typed(value="26")))
    assert error_of(guild, number) == "choices: Discord shows at most 25, not 26"
    assert guild.out.ops == []


@pytest.mark.parametrize(
    ("suggest", "told"),
    [
        ("return 'x'", "choices: must be an array"),
        ("return ['a', '']", "choices[1].name: must be a text of 1 to 100 characters"),
        ("return ['x'.repeat(101)]", "choices[0].name: must be a text of 1 to 100 characters"),
        ("return [{ value: 1 }]", "choices[0].name: must be a text of 1 to 100 characters"),
        (
            "return [{ name: 'a', value: 'x'.repeat(101) }]",
            "choices[0].value: must be a number, or a text of at most 100 characters",
        ),
        (
            "return [{ name: 'a', value: true }]",
            "choices[0].value: must be a number, or a text of at most 100 characters",
        ),
        (
            "ctx.respond([]); return ['x']",
            "interaction: respond() comes too late: there were choices already",
        ),
    ],
)
def test_wrong_suggestions_are_told_and_not_sent(guild: GuildUnderTest, suggest: str, told: str) -> None:
    guild.load(finding(suggest))
    number = guild.event("INTERACTION_CREATE", typing(typed()))
    assert error_of(guild, number) == told


@pytest.mark.parametrize(("group", "found"), [(True, "inner"), (False, "outer")])
def test_a_subcommand_suggests_before_its_command_does(
    guild: GuildUnderTest, group: bool, found: str
) -> None:
    guild.load(
        "const sub = (name, more) => ({ name, description: 'd', options: [], run() {}, ...more });"
        "createBot({ slashCommands: [slash({ name: 'find', description: 'd',"
        " subcommands: [sub('plain')],"
        " groups: [{ name: 'g', description: 'd', subcommands: [sub('s', { autocomplete: () => ['inner'] })] }],"
        " autocomplete: () => ['outer'] })] })"
    )
    options = (
        option("g", kind=2, options=[option("s", kind=1, options=[typed()])])
        if group
        else option("plain", kind=1, options=[typed()])
    )
    guild.event("INTERACTION_CREATE", typing(options))
    assert choices(guild) == [{"name": found, "value": found}]
    assert "autocomplete" not in str(guild.declaration["commands"])


def test_a_handler_of_the_event_sees_what_is_typed_and_filled_in(guild: GuildUnderTest) -> None:
    guild.load(
        "on('autocomplete', (ctx) => { console.log(ctx.msg.commandName, JSON.stringify(ctx.focused),"
        " JSON.stringify(ctx.options)); return ctx.respond(['x']) })"
    )
    guild.event("INTERACTION_CREATE", typing(option("count", 3, 4), typed("what", "ca")))
    assert guild.lines == ['find {"name":"what","value":"ca"} {"count":3,"what":"ca"}']
    assert choices(guild) == [{"name": "x", "value": "x"}]


def test_what_no_command_suggests_for_is_left_alone(guild: GuildUnderTest) -> None:
    guild.load(finding("return ['x']"))
    number = guild.event("INTERACTION_CREATE", typing(typed(), name="other"))
    guild.feed()
    assert guild.out.done == {number: None}
    assert guild.out.ops == []


def test_without_suggestions_the_event_is_not_wanted(guild: GuildUnderTest) -> None:
    guild.load("createBot({ slashCommands: [{ name: 'a', description: 'd', run() {} }] })")
    assert guild.declaration["events"] == ["interactionCreate"]
    guild.event("INTERACTION_CREATE", typing(typed()))
    assert guild.out.ops == []


def test_suggestions_that_fail_are_logged_and_not_apologised_for(guild: GuildUnderTest) -> None:
    guild.load(finding("throw new Error('no idea')"))
    number = guild.event("INTERACTION_CREATE", typing(typed()))
    assert "no idea" in error_of(guild, number)
    assert guild.out.ops == []
    assert guild.out.timers == {}


# -------------------------------------------------------------------- commands of menus


def menu(kind: int, name: str = "Look", **resolved: Any) -> dict[str, Any]:
    target = USER_ID if kind == 2 else MESSAGE_ID
    data = {"id": "1", "name": name, "type": kind, "target_id": target, "resolved": resolved}
    return interaction(2, data)


MENUS = (
    "createBot({ slashCommands: [slash({ name: 'Look', description: 'd', run: (c) => c.reply('slash') })],"
    " contextCommands: [userCommand({ name: 'Look', run: (ctx) => ctx.reply('user ' + ctx.targetUser.username"
    " + ' ' + ctx.targetMember?.nick) }),"
    " messageCommand({ name: 'Look', nsfw: true, defaultMemberPermissions: 8n, nameLocalizations: { de: 'Sieh' },"
    " run: (ctx) => ctx.reply('message ' + ctx.targetMessage.content) })] })"
)


def test_menu_commands_are_registered_with_their_type_and_no_description(guild: GuildUnderTest) -> None:
    guild.load(MENUS)
    assert [(c["type"], c["name"], c["description"]) for c in guild.declaration["commands"]] == [
        (1, "Look", "d"),
        (2, "Look", ""),
        (3, "Look", ""),
    ]
    assert guild.declaration["commands"][2]["default_member_permissions"] == "8"
    assert guild.declaration["commands"][2]["name_localizations"] == {"de": "Sieh"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (command("Look"), "slash"),
        (menu(2, users={USER_ID: USER}, members={USER_ID: {"roles": [], "nick": "a"}}), "user ada a"),
        (menu(2, users={USER_ID: USER}), "user ada undefined"),
        (menu(3, messages={MESSAGE_ID: message("look here")}), "message look here"),
    ],
)
def test_commands_of_one_name_are_told_apart_by_type(guild: GuildUnderTest, data: Any, said: str) -> None:
    guild.load(MENUS)
    guild.event("INTERACTION_CREATE", data)
    assert guild.op.body["data"]["content"] == said


def test_a_menu_command_that_nobody_has_is_left_alone(guild: GuildUnderTest) -> None:
    guild.load(MENUS)
    guild.event("INTERACTION_CREATE", menu(2, "Other", users={USER_ID: USER}))
    assert guild.out.ops == []


def test_a_bot_with_menu_commands_alone_registers_them(guild: GuildUnderTest) -> None:
    guild.load("createBot({ contextCommands: [userCommand({ name: 'A b', run() {} })] })")
    assert [c["name"] for c in guild.declaration["commands"]] == ["A b"]


def test_plain_handlers_know_the_target_too(guild: GuildUnderTest) -> None:
    handling(guild, "console.log(ctx.targetId, ctx.targetUser.username)", menu(2, users={USER_ID: USER}))
    assert guild.lines == [f"{USER_ID} ada"]


# -------------------------------------------------------------------- deferring by itself


SLOW = "await new Promise((go) => { globalThis.go = go });"


def test_who_answers_before_the_first_await_costs_no_timer(guild: GuildUnderTest) -> None:
    handling(guild, f"ctx.reply('at once'); {SLOW}")
    assert guild.out.timers == {}


def test_a_handler_that_takes_its_time_is_deferred_and_its_reply_fills_the_message(
    guild: GuildUnderTest,
) -> None:
    handling(guild, f"{SLOW} const m = await ctx.reply('done'); console.log(m.id)")
    assert list(guild.out.timers.values()) == [2000]
    assert guild.out.ops == []
    guild.fire()
    assert (guild.op.name, guild.op.body) == ("deferInteractionResponse", {"type": 5})
    guild.resolve()
    guild.run("go()")
    assert guild.op.name == "editOriginalInteractionResponse"
    assert guild.op.body == {"content": "done"}
    guild.resolve(value=sent())
    assert guild.lines == ["700000000000000007"]
    guild.feed()
    assert list(guild.out.done.values()) == [None]


def test_a_reply_on_the_heels_of_the_deferral_waits_for_it(guild: GuildUnderTest) -> None:
    handling(guild, f"{SLOW} await ctx.reply('done')")
    guild.fire()
    guild.run("go()")
    assert guild.op.name == "deferInteractionResponse"
    guild.resolve()
    assert guild.op.name == "editOriginalInteractionResponse"


@pytest.mark.parametrize(
    ("setting", "body"),
    [
        ("{ ephemeral: true }", {"type": 5, "data": {"flags": EPHEMERAL}}),
        ("{}", {"type": 5}),
        ("true", {"type": 5}),
    ],
)
def test_how_it_defers_is_the_bots_choice(guild: GuildUnderTest, setting: str, body: Any) -> None:
    guild.load(f"createBot({{ autoDefer: {setting} }})")
    handling(guild, SLOW)
    guild.fire()
    assert guild.op.body == body


def test_it_may_be_switched_off(guild: GuildUnderTest) -> None:
    guild.load("createBot({ autoDefer: false })")
    handling(guild, SLOW)
    assert guild.out.timers == {}


def test_what_was_answered_in_time_is_not_deferred(guild: GuildUnderTest) -> None:
    handling(guild, f"{SLOW} await ctx.reply('in time')")
    guild.run("go()")
    assert names(guild) == ["sendInteractionResponse"]
    guild.fire()
    assert guild.out.ops == []
    assert guild.out.timers == {}


def test_a_handler_that_ended_without_a_word_is_not_deferred(guild: GuildUnderTest) -> None:
    handling(guild, f"{SLOW}")
    guild.run("go()")
    guild.fire()
    assert guild.out.ops == []


def test_one_timer_serves_any_number_and_waits_for_the_oldest(guild: GuildUnderTest) -> None:
    handling(guild, "await new Promise(() => {})")
    for number in range(50):
        again(guild, command() | {"id": str(number), "token": f"t{number}"})
    assert len(guild.out.timers) == 1
    guild.fire()
    assert guild.op.path["token"] == TOKEN, "the others have waited less"
    (rest,) = guild.out.timers.values()
    assert 0 < rest <= 2000
    guild.resolve()
    deferred = 1
    while guild.out.timers:
        guild.fire()
        deferred += len(names(guild))
    assert deferred == 51


def test_those_behind_an_answered_one_are_still_seen_to(guild: GuildUnderTest) -> None:
    handling(guild, f"globalThis.n = (globalThis.n ?? 0) + 1; {SLOW} await ctx.reply('x')")
    guild.run("globalThis.first = go")
    again(guild, command() | {"token": "second"})
    guild.run("first()")
    assert names(guild) == ["sendInteractionResponse"]
    guild.fire()
    while not guild.out.ops:
        guild.fire()
    assert guild.op.path["token"] == "second"


def test_after_all_are_seen_to_the_next_one_arms_the_timer_anew(guild: GuildUnderTest) -> None:
    handling(guild, SLOW)
    guild.fire()
    names(guild)
    assert guild.out.timers == {}
    again(guild)
    assert list(guild.out.timers.values()) == [2000]


def test_a_component_is_deferred_without_anything_to_see(guild: GuildUnderTest) -> None:
    handling(guild, f"{SLOW} await ctx.update('new'); await ctx.reply('and')", component())
    guild.fire()
    assert guild.op.body == {"type": 6}
    guild.resolve()
    guild.run("go()")
    assert names(guild) == ["editOriginalInteractionResponse", "createFollowupMessage"]


def test_a_reply_to_a_deferred_component_is_a_message_of_its_own(guild: GuildUnderTest) -> None:
    handling(guild, f"{SLOW} await ctx.reply({{ content: 'x', ephemeral: true }})", component())
    guild.fire()
    guild.resolve()
    guild.run("go()")
    assert guild.op.name == "createFollowupMessage"
    assert guild.op.body == {"content": "x", "flags": EPHEMERAL}


@pytest.mark.parametrize(("data", "kind"), [(modal(), 5), (modal(message=message()), 6)])
def test_a_modal_is_deferred_by_where_it_came_from(guild: GuildUnderTest, data: Any, kind: int) -> None:
    handling(guild, SLOW, data)
    guild.fire()
    assert guild.op.body["type"] == kind


@pytest.mark.parametrize("method", ["defer", "deferUpdate"])
def test_deferring_what_is_deferred_already_is_fine(guild: GuildUnderTest, method: str) -> None:
    number = handling(guild, f"{SLOW} await ctx.{method}(); await ctx.reply('x')", component())
    guild.fire()
    guild.resolve()
    guild.run("go()")
    assert names(guild) == ["createFollowupMessage"]
    guild.feed()
    assert guild.out.done[number] is None


def test_a_modal_cannot_open_any_more_and_the_error_says_why(guild: GuildUnderTest) -> None:
    number = handling(guild, f"{SLOW} await ctx.showModal(modal('a', 'b').addComponents(textDisplay('c')))")
    guild.fire()
    guild.resolve()
    guild.run("go()")
    assert error_of(guild, number) == (
        "interaction: showModal() comes too late: the interaction was deferred after 2 s without an answer; open the "
        "modal before the first long await, or use createBot({ autoDefer: false })"
    )


def test_a_deferral_that_discord_refuses_is_nobodys_error(guild: GuildUnderTest) -> None:
    number = handling(guild, f"{SLOW} await ctx.reply('x')")
    guild.fire()
    guild.reject(discordCode=10062)
    assert guild.out.logs == []
    guild.run("go()")
    assert guild.op.name == "sendInteractionResponse", "as open as before"
    guild.resolve()
    guild.feed()
    assert guild.out.done[number] is None


def test_a_thousand_timers_of_the_script_leave_room_for_ours(guild: GuildUnderTest) -> None:
    guild.load("for (let i = 0; i < 1000; i++) setTimeout(() => {}, 1e6)")
    handling(guild, SLOW)
    assert 2000 in guild.out.timers.values()


def test_a_turn_that_said_all_it_may_defers_with_the_next(guild: GuildUnderTest) -> None:
    handling(
        guild,
        "if (!globalThis.full) { full = true; const s = 'x'.repeat(4000); try { for (;;) console.log(s) } catch {}"
        " try { for (;;) console.log('x') } catch {} } await new Promise(() => {})",
    )
    assert guild.out.timers == {}
    again(guild, command() | {"token": "second"})
    assert list(guild.out.timers.values()) == [2000]
    guild.fire()
    assert [op.path["token"] for op in guild.out.ops] == [TOKEN, "second"]


# -------------------------------------------------------------------- errors


@pytest.mark.parametrize("how", ["throw new Error('secret')", "await null; throw new Error('secret')"])
def test_a_handler_that_throws_tells_the_user_and_logs_why(guild: GuildUnderTest, how: str) -> None:
    number = handling(guild, how)
    assert guild.op.name == "sendInteractionResponse"
    assert guild.op.body == {"type": 4, "data": {"content": APOLOGY, "flags": EPHEMERAL}}
    guild.resolve()
    assert "secret" in error_of(guild, number)


def test_a_handler_that_throws_at_once_tells_the_user_too(guild: GuildUnderTest) -> None:
    guild.load("on('interactionCreate', () => { throw new Error('secret') })")
    again(guild)
    assert guild.op.body["data"]["content"] == APOLOGY


def test_after_a_deferral_the_message_is_filled_with_it(guild: GuildUnderTest) -> None:
    handling(guild, "await ctx.defer(); throw new Error('secret')")
    guild.resolve()
    assert (guild.op.name, guild.op.body) == ("editOriginalInteractionResponse", {"content": APOLOGY})


def test_after_a_deferral_by_itself_too(guild: GuildUnderTest) -> None:
    handling(guild, f"{SLOW} throw new Error('secret')")
    guild.fire()
    guild.run("go()")
    guild.resolve()
    assert (guild.op.name, guild.op.body) == ("editOriginalInteractionResponse", {"content": APOLOGY})


def test_after_a_deferred_update_it_follows_up(guild: GuildUnderTest) -> None:
    handling(guild, "await ctx.deferUpdate(); throw new Error('secret')", component())
    guild.resolve()
    assert guild.op.name == "createFollowupMessage"
    assert guild.op.body == {"content": APOLOGY, "flags": EPHEMERAL}


@pytest.mark.parametrize(
    ("answer", "data"),
    [
        ("await ctx.reply('x')", command()),
        ("await ctx.update('x')", component()),
        ("await ctx.defer(); await ctx.reply('x')", command()),
        ("await ctx.deferUpdate(); await ctx.followup('x')", component()),
        ("await ctx.showModal(modal('a', 'b').addComponents(textDisplay('c')))", command()),
    ],
)
def test_who_was_answered_hears_of_no_error(guild: GuildUnderTest, answer: str, data: Any) -> None:
    handling(guild, f"{answer}; throw new Error('secret')", data)
    assert "secret" not in str(names(guild))
    assert guild.out.ops == []


def test_a_first_answer_that_discord_refused_is_followed_by_the_apology(guild: GuildUnderTest) -> None:
    handling(guild, "await ctx.reply('x')")
    guild.reject(discordCode=50035)
    assert guild.op.body["data"]["content"] == APOLOGY


def test_an_apology_that_discord_refuses_is_not_logged(guild: GuildUnderTest) -> None:
    handling(guild, "throw new Error('secret')")
    guild.reject(discordCode=10062)
    guild.feed()
    assert guild.out.logs == []


@pytest.mark.parametrize(("setting", "said"), [("'Oops!'", "Oops!"), ("'x'.repeat(3000)", "x" * 2000)])
def test_the_text_is_the_bots_choice(guild: GuildUnderTest, setting: str, said: str) -> None:
    guild.load(f"createBot({{ errorReply: {setting} }})")
    handling(guild, "throw 1")
    assert guild.op.body["data"]["content"] == said


@pytest.mark.parametrize("setting", ["false", "''"])
def test_the_apology_may_be_switched_off(guild: GuildUnderTest, setting: str) -> None:
    guild.load(f"createBot({{ errorReply: {setting} }})")
    number = handling(guild, "throw new Error('secret')")
    assert guild.out.ops == []
    assert "secret" in error_of(guild, number)


@pytest.mark.parametrize(("setting", "declared"), [("'Oops!'", "Oops!"), ("false", ""), ("true", None)])
def test_the_host_learns_the_text_for_when_the_script_is_gone(
    guild: GuildUnderTest, setting: str, declared: str | None
) -> None:
    guild.load(f"createBot({{ errorReply: {setting} }}); on('ready', () => {{}})")
    assert guild.declaration.get("apology") == declared


def test_a_wrong_setting_is_told(guild: GuildUnderTest) -> None:
    assert guild.throws("createBot({ errorReply: 7 })") == (
        "FloraError: Invalid input for errorReply: must be a text or false, not number"
    )


def test_messages_get_no_apology(guild: GuildUnderTest) -> None:
    guild.load("on('messageCreate', () => { throw new Error('secret') })")
    guild.event("MESSAGE_CREATE", message())
    assert guild.out.ops == []


# -------------------------------------------------------------------- what comes later


@pytest.mark.parity(35)
def test_a_reply_is_fetched_and_deleted(guild: GuildUnderTest) -> None:
    handling(
        guild,
        "await ctx.reply('x'); const m = await ctx.fetchReply(); console.log(m.id); await ctx.deleteReply()",
    )
    guild.resolve()
    assert (guild.op.name, guild.op.args) == ("getOriginalInteractionResponse", {"path": {"token": TOKEN}})
    guild.resolve(value=sent())
    assert guild.lines == ["700000000000000007"]
    assert (guild.op.name, guild.op.args) == ("deleteOriginalInteractionResponse", {"path": {"token": TOKEN}})


@pytest.mark.parametrize("which", ["m", "m.id"])
@pytest.mark.parity(35)
def test_a_follow_up_is_edited_and_deleted(guild: GuildUnderTest, which: str) -> None:
    handling(
        guild,
        "await ctx.reply('x'); const m = await ctx.followup('y');"
        f" await ctx.editFollowup({which}, {{ content: 'z' }}); await ctx.deleteFollowup({which})",
    )
    guild.resolve()
    guild.resolve(value=sent())
    path = {"token": TOKEN, "message": "700000000000000007"}
    assert (guild.op.name, guild.op.path, guild.op.body) == ("editFollowupMessage", path, {"content": "z"})
    guild.resolve(value=sent())
    assert (guild.op.name, guild.op.path) == ("deleteFollowupMessage", path)


def test_calls_that_nobody_awaits_stay_in_order(guild: GuildUnderTest) -> None:
    handling(guild, "ctx.reply('a'); ctx.edit('b'); ctx.followup('c'); ctx.deleteReply()")
    assert names(guild) == [
        "sendInteractionResponse",
        "editOriginalInteractionResponse",
        "createFollowupMessage",
        "deleteOriginalInteractionResponse",
    ]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("await ctx.fetchReply()", "interaction: fetchReply() comes too early: reply() or defer() first"),
        ("await ctx.deleteReply()", "interaction: deleteReply() comes too early: reply() or defer() first"),
        (
            "ctx.showModal(M); await ctx.fetchReply()",
            "interaction: fetchReply() comes too late: a modal is no message",
        ),
        (
            "ctx.showModal(M); await ctx.deleteReply()",
            "interaction: deleteReply() comes too late: a modal is no message",
        ),
        ("await ctx.editFollowup({}, 'x')", "message_id: which follow-up? give its id or message"),
        ("await ctx.deleteFollowup()", "message_id: which follow-up? give its id or message"),
        (
            "await ctx.editFollowup('1', {})",
            "payload: message edit must include content, embeds, components, flags,",
        ),
    ],
)
def test_what_makes_no_sense_is_told(guild: GuildUnderTest, body: str, told: str) -> None:
    guild.load("createBot({ errorReply: false })")
    number = handling(guild, f"const M = modal('m', 't').addComponents(textDisplay('x')); {body}")
    assert error_of(guild, number).startswith(told)


def test_components_v2_may_be_ephemeral_in_every_kind_of_answer(guild: GuildUnderTest) -> None:
    box = "{ ephemeral: true, components: [container().addComponents(textDisplay('a'))] }"
    handling(guild, f"await ctx.reply({box}); await ctx.followup({box})")
    assert guild.op.body["data"]["flags"] == EPHEMERAL | V2
    guild.resolve()
    assert guild.op.body["flags"] == EPHEMERAL | V2


def test_a_deferred_message_keeps_the_flag_of_its_components(guild: GuildUnderTest) -> None:
    handling(
        guild,
        "await ctx.defer({ ephemeral: true });"
        " await ctx.reply({ ephemeral: true, components: [textDisplay('a')] })",
    )
    guild.resolve()
    assert guild.op.body["flags"] == V2
