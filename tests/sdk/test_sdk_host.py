"""The isolate's side of the protocol: turns, ops, timers, limits, what the worker is told."""

from __future__ import annotations

import json

import pytest
from harness import GuildUnderTest
from payloads import message, sent

from conftest import NewGuild


def test_a_script_is_loaded_when_its_promise_is_fulfilled(guild: GuildUnderTest) -> None:
    guild.load("const x = 1")
    assert guild.out.load is True


def test_loading_waits_for_what_the_script_awaits(guild: GuildUnderTest) -> None:
    guild.load("await new Promise((resolve) => setTimeout(resolve, 50))")
    assert guild.out.load is None
    guild.fire()
    assert guild.out.load is True


def test_a_load_that_throws_reports_its_stack(guild: GuildUnderTest) -> None:
    guild.load("function broken() { throw new Error('bad start') }\nbroken()")
    assert isinstance(guild.out.load, str)
    assert guild.out.load.startswith("Error: bad start\n    at broken")


def test_an_empty_turn_has_an_empty_outbox(guild: GuildUnderTest) -> None:
    guild.load("")
    sizes = len(guild.out.sizes)
    guild.feed()
    assert len(guild.out.sizes) == sizes


def test_nothing_of_the_host_is_left_for_the_script(guild: GuildUnderTest) -> None:
    assert guild.value("typeof __floraHost") == "undefined"


def test_an_event_that_nobody_handles_is_done_at_once(guild: GuildUnderTest) -> None:
    guild.load("")
    number = guild.event("MESSAGE_CREATE", message())
    assert guild.out.done == {number: None}


def test_an_event_of_an_unknown_type_is_done_at_once(guild: GuildUnderTest) -> None:
    guild.load("on('messageCreate', () => {})")
    assert guild.out.done == {guild.event("TYPING_START", {}): None}


def test_a_handler_that_throws_is_reported_with_its_event(guild: GuildUnderTest) -> None:
    guild.load("on('messageCreate', () => { throw new TypeError('oh') })")
    error = guild.out.done[guild.event("MESSAGE_CREATE", message())]
    assert error is not None
    assert error.startswith("TypeError: oh\n    at ")


@pytest.mark.parametrize(
    ("thrown", "text"),
    [
        ("'a string'", "a string"),
        ("undefined", "undefined"),
        ("null", "null"),
        ("{ toString() { throw 1 } }", "an error that cannot be shown as text"),
        ("{ get stack() { throw 1 } }", "an error that cannot be shown as text"),
        ("new Proxy({}, { get() { throw 1 } })", "an error that cannot be shown as text"),
        ("Object.create(null)", "an error that cannot be shown as text"),
        ("{ stack: 42 }", "[object Object]"),
    ],
)
def test_anything_that_is_thrown_becomes_text(guild: GuildUnderTest, thrown: str, text: str) -> None:
    guild.load(f"on('messageCreate', () => {{ throw ({thrown}) }})")
    assert guild.out.done[guild.event("MESSAGE_CREATE", message())] == text


def test_error_text_is_at_most_4_kib(guild: GuildUnderTest) -> None:
    guild.load("on('messageCreate', () => { throw new Error('x'.repeat(100_000)) })")
    error = guild.out.done[guild.event("MESSAGE_CREATE", message())]
    assert error is not None
    assert len(error) == 4096
    assert error.endswith("…")


def test_an_asynchronous_handler_is_done_when_its_promise_is(guild: GuildUnderTest) -> None:
    guild.load("on('messageCreate', async (ctx) => { await ctx.reply('x') })")
    number = guild.event("MESSAGE_CREATE", message())
    assert guild.out.done == {}
    guild.resolve(value=sent())
    guild.feed()
    assert guild.out.done == {number: None}


def test_a_handler_may_return_any_thenable(guild: GuildUnderTest) -> None:
    guild.load("on('messageCreate', () => ({ then(resolve, reject) { reject(new Error('lazy')) } }))")
    error = guild.out.done[guild.event("MESSAGE_CREATE", message())]
    assert error is not None
    assert "lazy" in error


def test_events_run_side_by_side_at_their_awaits(guild: GuildUnderTest) -> None:
    guild.load(
        "on('messageCreate', async (ctx) => { await ctx.reply(ctx.msg.content);"
        " console.log(ctx.msg.content) })"
    )
    first = guild.event("MESSAGE_CREATE", message("first"))
    second = guild.event("MESSAGE_CREATE", message("second"))
    guild.resolve(guild.out.ops[1], sent())
    guild.resolve(guild.out.ops[0], sent())
    assert guild.lines == ["second", "first"]
    guild.feed()
    assert guild.out.done == {second: None, first: None}


def test_several_events_in_one_turn_start_in_order(guild: GuildUnderTest) -> None:
    guild.load("on('messageCreate', (ctx) => console.log(ctx.msg.content))")
    guild.feed(e=[{"i": i, "t": "MESSAGE_CREATE", "d": message(str(i))} for i in range(1, 6)])
    assert guild.lines == ["1", "2", "3", "4", "5"]
    assert guild.out.done == dict.fromkeys(range(1, 6))


def test_ops_are_numbered_after_the_first_id(new_guild: NewGuild) -> None:
    guild = new_guild(firstId=3 << 30)
    guild.load("on('messageCreate', (ctx) => { ctx.reply('a'); ctx.reply('b') })")
    guild.event("MESSAGE_CREATE", message())
    assert [op.id for op in guild.out.ops] == [(3 << 30) + 1, (3 << 30) + 2]


def test_it_works_without_any_configuration() -> None:
    guild = GuildUnderTest(guildId=None, seed=None, cryptoSeed=None)
    guild.load("on('messageCreate', (ctx) => ctx.reply(crypto.randomUUID()))")
    guild.event("MESSAGE_CREATE", message())
    assert len(guild.op.body["content"]) == 36
    assert 0 < len(guild.op.body["nonce"]) <= 25
    guild.close()


def test_an_answer_to_an_unknown_op_is_ignored(guild: GuildUnderTest) -> None:
    guild.load("")
    guild.feed(s=[[12345, True, {}], [12346, False, {}]])
    assert guild.out.load is True


def test_a_refused_op_rejects_with_a_flora_error_and_the_scripts_line(guild: GuildUnderTest) -> None:
    guild.load("on('messageCreate', async function ponder(ctx) {\n  await ctx.reply('x')\n})")
    number = guild.event("MESSAGE_CREATE", message())
    guild.reject(code="SCOPE_FORBIDDEN", message="channel is outside runtime scope")
    error = guild.out.done[number]
    assert error is not None
    assert error.startswith("FloraError: channel is outside runtime scope")
    assert "at async ponder (<anonymous>:2:3)" in error


def test_a_flora_error_tells_code_status_and_delay(guild: GuildUnderTest) -> None:
    guild.load(
        "on('messageCreate', async (ctx) => { try { await ctx.reply('x') } catch (e) {"
        " console.log(e instanceof FloraError, e instanceof Error, e.name,"
        " JSON.stringify(e), e.message) } })"
    )
    guild.event("MESSAGE_CREATE", message())
    guild.reject(
        code="DISCORD_RATE_LIMITED", message="slow down", status=429, discordCode=20028, retryAfter=1.5
    )
    told = '{"code":"DISCORD_RATE_LIMITED","status":429,"discordCode":20028,"retryAfter":1.5}'
    assert guild.lines == [f"true true FloraError {told} slow down"]


def test_arguments_that_are_no_json_are_invalid_input(guild: GuildUnderTest) -> None:
    guild.load(
        "on('messageCreate', async (ctx) => { const a = {}; a.a = a; await ctx.reply({ tts: a,"
        " content: 'x' }) })"
    )
    error = guild.out.done[guild.event("MESSAGE_CREATE", message())]
    assert error is not None
    assert error.startswith("FloraError: Invalid input for payload: Converting circular structure")


def test_later_changes_to_an_argument_change_nothing(guild: GuildUnderTest) -> None:
    guild.load(
        "on('messageCreate', (ctx) => { const fields = [{name:'a',value:'b'}]; ctx.reply({ embeds:"
        " [{ fields }] }); fields[0].name = 'changed' })"
    )
    guild.event("MESSAGE_CREATE", message())
    assert guild.op.body["embeds"][0]["fields"][0]["name"] == "a"


# -------------------------------------------------------------------- limits


def test_more_than_1_mib_of_output_in_a_turn_is_a_range_error_in_the_script(guild: GuildUnderTest) -> None:
    guild.load(
        "on('messageCreate', async (ctx) => { try { for (;;) await"
        " ctx.reply('x'.repeat(1000)).catch((e) => { throw e }) }"
        " catch (e) { globalThis.caught = `${e.name}: ${e.message}` } });"
        "on('messageDelete', () => { try { for (;;) console.log('x'.repeat(1000)) } catch (e) {"
        " globalThis.caught = e.name } })"
    )
    guild.event("MESSAGE_DELETE", {"id": "1", "channel_id": "2"})
    assert guild.value("caught") == "RangeError"
    assert max(guild.out.sizes) < 1_100_000


def test_too_large_an_op_rejects_its_promise(guild: GuildUnderTest) -> None:
    guild.load("on('messageCreate', (ctx) => ctx.reply('x'.repeat(2_000_000)))")
    error = guild.out.done[guild.event("MESSAGE_CREATE", message())]
    assert error is not None
    assert error.startswith("RangeError: too much output in one turn")
    assert guild.out.ops == []


def test_the_next_turn_has_room_again(guild: GuildUnderTest) -> None:
    guild.load(
        "on('messageCreate', (ctx) => { try { for (;;) console.log('x'.repeat(4000)) } catch {}"
        " ctx.reply(ctx.msg.content) })"
    )
    guild.event("MESSAGE_CREATE", message("first"))
    assert guild.out.ops == []
    guild.run("globalThis.console.log('room')")
    assert guild.lines[-1] == "room"


def test_a_log_line_is_cut_at_4_kib(guild: GuildUnderTest) -> None:
    guild.run("console.log('y'.repeat(5000))")
    assert len(guild.lines[0]) == 4096
    assert guild.lines[0].endswith("y…")


def test_a_flood_of_short_lines_ends_after_2048_in_a_turn(guild: GuildUnderTest) -> None:
    assert guild.throws("for (;;) console.log('x')") == (
        "RangeError: too much output in one turn: more than 1 MiB of calls, timers and logs"
    )
    assert len(guild.lines) == 2048


def test_setting_and_clearing_timers_ends_after_4000_in_a_turn(guild: GuildUnderTest) -> None:
    assert guild.throws("for (;;) clearTimeout(setTimeout(() => {}, 1))") == (
        "RangeError: too many timers set and cleared in one turn: more than 4,000"
    )
    assert max(guild.out.sizes) < 150_000
    assert guild.throws("clearTimeout(setTimeout(() => {}, 1))") == "nothing"


def test_at_most_1000_calls_wait_for_an_answer(guild: GuildUnderTest) -> None:
    guild.load(
        "on('messageCreate', async (ctx) => { const refused = [];"
        " for (let i = 0; i < 1003; i++) kv.store('s').get(`${i}`).catch((error) => refused.push(error.code));"
        " await null; globalThis.refused = refused; });"
    )
    guild.event("MESSAGE_CREATE", message())
    assert len(guild.out.ops) == 1000
    assert guild.value("refused") == ["DISCORD_RATE_LIMITED"] * 3
    guild.resolve(guild.out.ops[0], None)
    guild.event("MESSAGE_CREATE", message())
    assert len(guild.out.ops) == 1000, "one was answered, one was made"
    assert len(guild.value("refused")) == 1002


def test_at_most_256_calls_wait_for_rate_limits(guild: GuildUnderTest) -> None:
    guild.load(
        "on('messageCreate', async (ctx) => { const refused = [];"
        " for (let i = 0; i < 1000; i++) ctx.reply(`${i}`).catch((error) => refused.push(error.code));"
        " await null; globalThis.refused = refused; });"
    )
    guild.event("MESSAGE_CREATE", message())
    assert len(guild.out.ops) == 256
    assert guild.value("refused") == ["DISCORD_RATE_LIMITED"] * 744
    guild.resolve(guild.out.ops[0], sent())
    guild.event("MESSAGE_CREATE", message())
    assert len(guild.out.ops) == 256, "one was answered, one was made"


def test_a_flood_of_messages_does_not_keep_a_script_from_answering_an_interaction(
    guild: GuildUnderTest,
) -> None:
    guild.load(
        "on('messageCreate', (ctx) => { for (let i = 0; i < 300; i++) ctx.reply(`${i}`).catch(() => {});"
        " rest.deferInteractionResponse({ interactionId: '1', token: 't' });"
        " kv.store('s').get('key'); });"
    )
    guild.event("MESSAGE_CREATE", message())
    assert [op.name for op in guild.out.ops][256:] == ["deferInteractionResponse", "kvGet"]


def test_at_most_1000_timers_wait(guild: GuildUnderTest) -> None:
    assert guild.throws("for (let i = 0; i <= 1000; i++) setTimeout(() => {}, 1)") == (
        "RangeError: too many timers: 1,000 are already waiting"
    )
    guild.fire()
    assert guild.throws("setTimeout(() => {}, 1)") == "nothing"


def test_errors_in_timers_never_end_the_turn_even_when_the_outbox_is_full(guild: GuildUnderTest) -> None:
    guild.run(
        "setTimeout(() => { try { for (;;) console.log('x'.repeat(4000)) } catch {} throw new"
        " Error('late') }, 1);"
        "setTimeout(() => { globalThis.second = true }, 1)"
    )
    guild.fire()
    assert guild.value("second") is True


# -------------------------------------------------------------------- notices


def test_a_handler_that_merely_settles_notifies_nobody(guild: GuildUnderTest) -> None:
    guild.load("on('messageCreate', async () => { await null; await null })")
    assert guild.feed_quietly(e=[{"i": 1, "t": "MESSAGE_CREATE", "d": message()}]) == 0


def test_what_microtasks_queue_is_announced_once(guild: GuildUnderTest) -> None:
    guild.load(
        "on('messageCreate', async (ctx) => { await null; ctx.reply('a'); ctx.reply('b'); await"
        " null; ctx.reply('c') })"
    )
    assert guild.feed_quietly(e=[{"i": 1, "t": "MESSAGE_CREATE", "d": message()}]) == 1
    assert guild.out.ops == []
    guild.take()
    assert [body["content"] for body in guild.bodies] == ["a", "b", "c"]


def test_what_is_queued_at_once_comes_with_the_turn(guild: GuildUnderTest) -> None:
    guild.load("on('messageCreate', (ctx) => ctx.reply('a'))")
    assert guild.feed_quietly(e=[{"i": 1, "t": "MESSAGE_CREATE", "d": message()}]) == 0
    assert guild.op.name == "sendMessage"


def test_a_failed_handler_is_announced(guild: GuildUnderTest) -> None:
    guild.load("on('messageCreate', async () => { await null; throw new Error('x') })")
    assert guild.feed_quietly(e=[{"i": 1, "t": "MESSAGE_CREATE", "d": message()}]) == 1


# -------------------------------------------------------------------- declaration


def test_the_declaration_names_the_handled_events_and_comes_when_it_changes(guild: GuildUnderTest) -> None:
    guild.load("on('messageCreate', () => {}); on('reactionAdd', () => {}); on('messageCreate', () => {})")
    assert guild.out.declarations == [
        {"events": ["messageCreate", "reactionAdd"], "own": False, "commands": None}
    ]
    guild.run("globalThis.h = () => {}; on('ready', h)")
    assert guild.declaration["events"] == ["messageCreate", "reactionAdd", "ready"]
    guild.run("off('ready', h); off('ready', h)")
    assert guild.declaration["events"] == ["messageCreate", "reactionAdd"]
    count = len(guild.out.declarations)
    guild.run("on('messageCreate', () => {})")
    assert len(guild.out.declarations) == count


def test_asking_for_own_messages_is_declared(guild: GuildUnderTest) -> None:
    guild.load("on('messageCreate', () => {}); on('messageCreate', () => {}, { own: true })")
    assert guild.declaration["own"] is True


def test_outboxes_are_plain_json_with_the_documented_keys(guild: GuildUnderTest) -> None:
    guild.load(
        "on('messageCreate', (ctx) => { console.log('a \"b\"\\n\\u2028'); setTimeout(() => {},"
        " 7.5); ctx.reply('ü') })"
    )
    guild.event("MESSAGE_CREATE", message())
    assert guild.out.logs == [("info", 'a "b"\n\u2028')]
    assert list(guild.out.timers.values()) == [7.5]
    assert json.dumps(guild.op.body["content"]) == '"\\u00fc"'
