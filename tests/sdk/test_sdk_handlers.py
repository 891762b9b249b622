"""on, once, off, and the order in which handlers run."""

from __future__ import annotations

import pytest
from harness import BOT_ID, GuildUnderTest
from payloads import BOT, USER, message, sent

from conftest import NewGuild


@pytest.mark.parity(2)
def test_handlers_of_one_event_run_one_after_another(guild: GuildUnderTest) -> None:
    guild.load(
        "on('messageCreate', async (ctx) => { console.log('a1'); await ctx.reply('x'); console.log('a2') });"
        "on('messageCreate', () => console.log('b'));"
        "on('messageCreate', async () => { console.log('c') });"
    )
    number = guild.event("MESSAGE_CREATE", message())
    assert guild.lines == ["a1"]
    guild.resolve(value=sent())
    assert guild.lines == ["a1", "a2", "b", "c"]
    guild.feed()
    assert guild.out.done == {number: None}


@pytest.mark.parametrize("kind", ["", "async "])
@pytest.mark.parity(2)
def test_a_handler_that_throws_stops_the_rest(guild: GuildUnderTest, kind: str) -> None:
    guild.load(
        f"on('messageCreate', {kind}() => {{ throw new Error('stop') }}); on('messageCreate', ()"
        " => console.log('never'))"
    )
    error = guild.out.done[guild.event("MESSAGE_CREATE", message())]
    assert error is not None
    assert "stop" in error
    assert guild.lines == []


def test_a_throwing_handler_leaves_the_next_event_alone(guild: GuildUnderTest) -> None:
    guild.load(
        "on('messageCreate', (ctx) => { if (ctx.msg.content === 'bad') throw 1;"
        " console.log(ctx.msg.content) })"
    )
    guild.event("MESSAGE_CREATE", message("bad"))
    guild.event("MESSAGE_CREATE", message("good"))
    assert guild.lines == ["good"]


@pytest.mark.parity(3)
def test_all_handlers_share_the_context_of_their_event(guild: GuildUnderTest) -> None:
    guild.load(
        "on('messageCreate', (ctx) => { ctx.seen = 1 }); on('messageCreate', (ctx) => console.log(ctx.seen));"
    )
    guild.event("MESSAGE_CREATE", message())
    assert guild.lines == ["1"]


def test_handlers_are_called_without_a_this(guild: GuildUnderTest) -> None:
    guild.load("on('messageCreate', function () { 'use strict'; console.log(this === undefined) })")
    guild.event("MESSAGE_CREATE", message())
    assert guild.lines == ["true"]


def test_once_runs_once(guild: GuildUnderTest) -> None:
    guild.load(
        "once('messageCreate', () => console.log('once')); on('messageCreate', () => console.log('on'))"
    )
    guild.event("MESSAGE_CREATE", message())
    guild.event("MESSAGE_CREATE", message())
    assert guild.lines == ["once", "on", "on"]


def test_the_last_once_gives_the_subscription_up(guild: GuildUnderTest) -> None:
    guild.load("once('messageCreate', () => {})")
    assert guild.declaration["events"] == ["messageCreate"]
    guild.event("MESSAGE_CREATE", message())
    assert guild.declaration["events"] == []


def test_off_removes_every_registration_of_that_handler(guild: GuildUnderTest) -> None:
    guild.load(
        "const a = () => console.log('a'); const b = () => console.log('b');"
        "on('messageCreate', a); on('messageCreate', b); on('messageCreate', a); off('messageCreate', a)"
    )
    guild.event("MESSAGE_CREATE", message())
    assert guild.lines == ["b"]


def test_a_handler_removed_while_an_event_runs_is_skipped(guild: GuildUnderTest) -> None:
    guild.load(
        "const b = () => console.log('b');"
        "on('messageCreate', () => off('messageCreate', b)); on('messageCreate', b);"
        "on('messageCreate', () => console.log('c'))"
    )
    guild.event("MESSAGE_CREATE", message())
    assert guild.lines == ["c"]


def test_handlers_added_after_off_still_run(guild: GuildUnderTest) -> None:
    guild.load(
        "const a = () => {}; on('messageCreate', a); off('messageCreate', a); on('messageCreate',"
        " () => console.log('x'))"
    )
    guild.event("MESSAGE_CREATE", message())
    assert guild.lines == ["x"]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ("'messagecreate'", 'TypeError: there is no event "messagecreate"; did you mean "messageCreate"?'),
        ("'MessageDelet'", 'TypeError: there is no event "MessageDelet"; did you mean "messageDelete"?'),
        ("'MESSAGE_CREATE'", 'TypeError: there is no event "MESSAGE_CREATE"; did you mean "messageCreate"?'),
        ("'guildMemberAdd'", 'TypeError: there is no event "guildMemberAdd"; did you mean "memberAdd"?'),
        (
            "'voiceStateUpdat'",
            'TypeError: there is no event "voiceStateUpdat"; did you mean "voiceStateUpdate"?',
        ),
        ("'reactionAd'", 'TypeError: there is no event "reactionAd"; did you mean "reactionAdd"?'),
        (
            "'messageXXXate'",
            'TypeError: there is no event "messageXXXate"; did you mean "messageCreate" or "messageUpdate"?',
        ),
        ("'__cron:daily'", 'TypeError: event names that start with "__cron:" are reserved for cron()'),
        ("42", "TypeError: an event's name must be a string, not number"),
        ("undefined", "TypeError: an event's name must be a string, not undefined"),
    ],
)
def test_an_unknown_event_is_refused_with_near_names(guild: GuildUnderTest, event: str, told: str) -> None:
    assert guild.throws(f"on({event}, () => {{}})") == told


@pytest.mark.parametrize("name", ["presenceUpdate", "constructor", "__proto__", "toString", "x" * 5000])
def test_far_names_get_the_list_of_events(guild: GuildUnderTest, name: str) -> None:
    told = guild.throws(f"on('{name}', () => {{}})")
    assert told.startswith(f'TypeError: there is no event "{name}"; the events are ready, messageCreate, ')


@pytest.mark.parametrize("register", ["on", "once"])
def test_a_handler_must_be_a_function(guild: GuildUnderTest, register: str) -> None:
    assert guild.throws(f"{register}('ready', 'x')") == 'TypeError: the handler of "ready" must be a function'


def test_the_bots_own_messages_go_only_to_handlers_that_asked(guild: GuildUnderTest) -> None:
    guild.load(
        "on('messageCreate', () => console.log('all')); on('messageCreate', () => console.log('own"
        " too'), { own: true })"
    )
    guild.event("MESSAGE_CREATE", message(author=BOT))
    assert guild.lines == ["own too"]
    guild.event("MESSAGE_CREATE", message(author=USER))
    assert guild.lines == ["own too", "all", "own too"]


def test_other_bots_messages_are_ordinary(guild: GuildUnderTest) -> None:
    guild.load("on('messageCreate', (ctx) => console.log(ctx.msg.author.bot))")
    guild.event("MESSAGE_CREATE", message(author=BOT | {"id": "55"}))
    assert guild.lines == ["true"]


@pytest.mark.parametrize("how", ["ready", "reply"])
def test_a_bot_that_does_not_know_itself_learns_it(new_guild: NewGuild, how: str) -> None:
    guild = new_guild()
    guild.load(
        "on('messageCreate', (ctx) => ctx.msg.content === 'go' ? ctx.reply('x') : console.log('seen'))"
    )
    if how == "ready":
        guild.event("READY", {"user": BOT, "application": {"id": BOT_ID}})
    else:
        guild.event("MESSAGE_CREATE", message("go"))
        guild.resolve(value=sent())
    guild.event("MESSAGE_CREATE", message("mine", author=BOT))
    assert guild.lines == []


@pytest.mark.parity(1)
def test_everything_is_global_and_a_member_of_flora(guild: GuildUnderTest) -> None:
    names = guild.value("Object.getOwnPropertyNames(flora)")
    assert len(names) > 60
    assert (
        guild.value("Object.getOwnPropertyNames(flora).filter((name) => flora[name] !== globalThis[name])")
        == []
    )
    assert guild.value("Object.keys(globalThis)") == []


def test_a_script_may_replace_a_global(guild: GuildUnderTest) -> None:
    guild.run("globalThis.URL = 'mine'; globalThis.button = 1; flora.embed = 2; on = 3")
    assert guild.value(
        "[URL, button, flora.embed, on, typeof URLSearchParams, typeof actionRow, typeof embed]"
    ) == [
        "mine",
        1,
        2,
        3,
        "function",
        "function",
        "function",
    ]
