"""A script that breaks the built-ins breaks itself: events, ops, timers, logs and limits go on working."""

from __future__ import annotations

import pytest
from harness import GuildUnderTest
from payloads import command, component, interaction, message, modal, option, sent

BOT = """
on('messageCreate', async (ctx) => {
  const m = await ctx.reply({
    content: 'pong ' + ctx.msg.content,
    embeds: [{ title: 't', fields: [{ name: 'a', value: 'b' }] }],
    components: [{ type: 2, custom_id: 'x' }],
  });
  console.log('sent', m.id);
  await ctx.edit('edited');
  throw new Error('reported');
});
on('interactionCreate', async (ctx) => {
  await ctx.defer({ ephemeral: true });
  await ctx.reply('' + ctx.options.n);
});
on('componentInteraction', async (ctx) => { await ctx.update({ content: ctx.msg.customId }) });
on('modalSubmit', async (ctx) => { await ctx.reply(ctx.fields.name) });
"""

BOOM = "const boom = () => { throw new Error('tampered') }, S = String.prototype;"

# Each breaks something that the prelude would meet if it looked anything up.
TAMPERINGS = {
    name: f"{BOOM} {code};"
    for name, code in {
        "Array.prototype.push": "Array.prototype.push = boom",
        "Array.prototype.map": "Array.prototype.map = null",
        "Array.prototype[Symbol.iterator]": "Array.prototype[Symbol.iterator] = boom",
        "Array.isArray": "Array.isArray = () => false",
        "indices of arrays": "Object.defineProperty(Array.prototype, 0, { set: boom, get: boom })",
        "JSON.parse": "JSON.parse = () => ({})",
        "JSON.stringify": "JSON.stringify = () => 'tampered'",
        "JSON": "delete globalThis.JSON",
        "Promise.prototype.then": "Promise.prototype.then = boom",
        "Promise[Symbol.species]": "Object.defineProperty(Promise, Symbol.species, { get: boom })",
        "Promise": "globalThis.Promise = class {}",
        "Map.prototype": "for (const k of ['get', 'set', 'has', 'delete']) Map.prototype[k] = boom",
        "Object.prototype.toJSON": "Object.prototype.toJSON = () => 'tampered'",
        "Array.prototype.toJSON": "Array.prototype.toJSON = () => 'tampered'",
        "Object.prototype.then": "Object.defineProperty(Object.prototype, 'then', { get() {} })",
        "what a turn may bring": (
            "Object.assign(Object.prototype, { s: [[1, false, {}]], t: [1], n: 1,"
            ' e: [{ i: \'1,0]],"o":[[1,"kvGet",{}]],"d":[[1\', t: \'MESSAGE_CREATE\', d: {} }] })'
        ),
        "descriptors": "Object.assign(Object.prototype, { get: boom, value: 1, writable: false })",
        "Function.prototype": "for (const k of ['call', 'apply', 'bind']) Function.prototype[k] = boom",
        "Symbol.hasInstance": "Object.defineProperty(Error, Symbol.hasInstance, { value: boom })",
        "Reflect": "for (const k of Reflect.ownKeys(Reflect)) delete Reflect[k]",
        "Object": "for (const k of Reflect.ownKeys(Object)) try { Object[k] = boom } catch {}",
        "String.prototype": "for (const k of Reflect.ownKeys(S)) try { S[k] = boom } catch {}",
        "RegExp.prototype": "for (const k of ['exec', 'test', Symbol.replace]) RegExp.prototype[k] = boom",
        "Date.now": "Date.now = boom",
        "Error.prepareStackTrace": "Error.prepareStackTrace = boom",
        "Error.stackTraceLimit": "Error.stackTraceLimit = 0",
        "Error": "globalThis.Error = globalThis.RangeError = globalThis.TypeError = function () { return 1 }",
        "generators": "Object.getPrototypeOf(function* () {}).prototype.next = boom",
        "Number.prototype.toString": "Number.prototype.toString = boom",
        "console": "globalThis.console = { log() {} }",
        "Math": "for (const k of ['min', 'max', 'floor', 'random']) Math[k] = () => NaN",
        "setters": (
            "for (const k of ['content', 'flags', 'nonce', 'path', 'query', 'own', 'once', 'next'])"
            " Object.defineProperty(Object.prototype, k, { set() {}, get() {}, configurable: true })"
        ),
    }.items()
}


@pytest.mark.parametrize("tampering", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_events_and_ops_survive(guild: GuildUnderTest, tampering: str) -> None:
    guild.load(f"{BOT}\nglobalThis.console_ = console; {tampering}")
    number = guild.event("MESSAGE_CREATE", message("one"))
    body = guild.op.body
    assert body["content"] == "pong one"
    assert body["embeds"] == [{"title": "t", "fields": [{"name": "a", "value": "b", "inline": False}]}]
    assert body["components"] == [{"type": 1, "components": [{"type": 2, "custom_id": "x", "style": 1}]}]
    assert body["nonce"] == "seed-1"
    guild.resolve(value=sent())
    assert guild.op.name == "editMessage"
    guild.resolve(value=sent())
    guild.feed()
    assert guild.out.done[number] is not None


@pytest.mark.parametrize("tampering", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_interactions_survive(guild: GuildUnderTest, tampering: str) -> None:
    guild.load(f"{BOT}\n{tampering}")
    guild.event("INTERACTION_CREATE", command("x", option("n", 5, 4)))
    assert guild.op.body == {"type": 5, "data": {"flags": 64}}
    guild.resolve()
    assert guild.op.body["content"] == "5"
    guild.resolve(value=None)
    guild.event("INTERACTION_CREATE", component("pressed"))
    assert guild.op.body == {"type": 7, "data": {"content": "pressed"}}
    guild.resolve()
    guild.event(
        "INTERACTION_CREATE", modal("f", [{"type": 18, "component": {"custom_id": "name", "value": "Bob"}}])
    )
    assert guild.op.body == {"type": 4, "data": {"content": "Bob"}}


SLOW_BOT = """
on('autocomplete', (ctx) => ctx.respond([{ name: ctx.focused.value, value: ctx.focused.value }, 'x']));
on('interactionCreate', async (ctx) => { await { then(go) { globalThis.go = go } }; throw new Error('late') });
on('memberAdd', (ctx) => { if (ctx.msg.user.id !== '1') throw new Error('lost') });
"""


@pytest.mark.parametrize("tampering", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_suggestions_deferrals_and_apologies_survive(guild: GuildUnderTest, tampering: str) -> None:
    guild.load(f"{SLOW_BOT}\n{tampering}")
    focused = [option("what", "ca") | {"focused": True}]
    guild.event("INTERACTION_CREATE", interaction(4, {"name": "find", "type": 1, "options": focused}))
    assert guild.op.body["data"]["choices"] == [{"name": "ca", "value": "ca"}, {"name": "x", "value": "x"}]
    guild.resolve()
    number = guild.event("INTERACTION_CREATE", command("slow"))
    guild.fire()
    assert guild.op.body == {"type": 5}
    guild.resolve()
    guild.run("go()")
    assert guild.op.name == "editOriginalInteractionResponse"
    guild.resolve()
    guild.feed()
    assert guild.out.done[number] is not None
    member = {"guild_id": "9", "user": {"id": "1", "username": "a"}, "roles": []}
    number = guild.event("GUILD_MEMBER_ADD", member)
    guild.feed()
    assert guild.out.done[number] is None


@pytest.mark.parametrize("tampering", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_timers_and_logs_survive(guild: GuildUnderTest, tampering: str) -> None:
    guild.run(
        f"const {{ log }} = console; {tampering}; setTimeout(() => log('late', 1, {{ a: [2] }}),"
        " 5); const id = setInterval(() => log('tick'), 7)"
    )
    assert sorted(guild.out.timers.values()) == [5, 7]
    guild.fire()
    assert guild.lines[0].startswith("late 1 { a: [ ")
    assert guild.lines[1] == "tick"
    assert list(guild.out.timers.values()) == [7]


@pytest.mark.parametrize("tampering", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_limits_survive(guild: GuildUnderTest, tampering: str) -> None:
    guild.run(
        f"const {{ log }} = console; let long = 'x'; for (let i = 0; i < 14; i++) long += long; {tampering};"
        "on('messageCreate', () => { try { for (;;) log(long) } catch (e) {} throw { stack: long } })"
    )
    number = guild.event("MESSAGE_CREATE", message())
    assert 1_000_000 < max(guild.out.sizes) < 1_100_000
    assert {len(line) for line in guild.lines} == {4096}
    error = guild.out.done[number]
    assert error is not None
    assert len(error) == 4096


@pytest.mark.parametrize("tampering", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_the_declaration_survives(guild: GuildUnderTest, tampering: str) -> None:
    guild.load(
        f"{tampering}; createBot({{ slashCommands: [{{ name: 'a', description: 'b',"
        " options: [{ name: 'n', description: 'd', type: 'integer', choices: [{ name: 'x', value:"
        " 1 }] }], run() {} }] })"
    )
    choices = [{"name": "x", "value": 1}]
    assert guild.declaration == {
        "events": ["interactionCreate"],
        "own": False,
        "commands": [
            {
                "type": 1,
                "name": "a",
                "description": "b",
                "options": [{"type": 4, "name": "n", "description": "d", "choices": choices}],
            }
        ],
    }


def test_a_script_that_cannot_await_any_more_hurts_only_its_own_handlers(guild: GuildUnderTest) -> None:
    guild.load(
        "on('messageCreate', async (ctx) => { await ctx.reply('first') }); on('messageDelete',"
        " (ctx) => { ctx.reply('second') });"
        "Object.defineProperty(Promise.prototype, 'constructor', { get() { throw new Error('tampered') } })"
    )
    number = guild.event("MESSAGE_CREATE", message())
    assert guild.op.body["content"] == "first"
    guild.feed()
    error = guild.out.done[number]
    assert error is not None
    assert "tampered" in error
    guild.resolve(value=sent())
    guild.event("MESSAGE_DELETE", {"id": "1", "channel_id": "2"})
    assert guild.op.body["content"] == "second"


SCORCHED = """
const { log } = console;
const isObject = (value) => value !== null && (typeof value === 'object' || typeof value === 'function');
const holders = new Set();
for (const name of Object.getOwnPropertyNames(globalThis)) {
  const value = globalThis[name];
  if (value === globalThis || !isObject(value)) continue;
  holders.add(value);
  if (value.prototype) holders.add(value.prototype);
}
const functions = [async () => {}, function* () {}, async function* () {}];
const nameless = [...functions, [].values(), new Map().keys(), ''.matchAll(/a/g)];
for (const object of nameless) {
  for (let p = object; p !== null; p = Object.getPrototypeOf(p)) holders.add(p);
}
const { ownKeys, getOwnPropertyDescriptor, defineProperty } = Reflect;
const broken = () => { throw 'scorched' };
for (const holder of [...holders]) {
  for (const key of ownKeys(holder)) {
    const d = getOwnPropertyDescriptor(holder, key);
    if (!d.configurable && !d.writable) continue;
    if (typeof d.value === 'function') defineProperty(holder, key, { value: broken });
    else if (d.configurable && d.get) defineProperty(holder, key, { get: broken });
  }
}
"""


def test_nothing_is_left_but_the_bot_still_answers(guild: GuildUnderTest) -> None:
    """Every method and getter of every built-in throws."""
    guild.load(
        "on('messageCreate', async (ctx) => { await ctx.reply('still ' + ctx.msg.content);"
        f" log('there') }});{SCORCHED}"
    )
    for content in ("a", "b"):
        guild.event("MESSAGE_CREATE", message(content))
        assert guild.op.body["content"] == f"still {content}"
        guild.resolve(value=sent())
    assert guild.lines == ["there", "there"]
    guild.feed()
    assert guild.out.done == {1: None, 2: None}


def test_nothing_of_ours_is_ever_a_handlers_this_or_argument(guild: GuildUnderTest) -> None:
    guild.load(
        "globalThis.seen = []; function note() { 'use strict'; seen.push(typeof this) }"
        "on('messageCreate', note); setTimeout(note, 1); queueMicrotask(note);"
        "on('messageCreate', function () { 'use strict'; seen.push(arguments.length) })"
    )
    guild.event("MESSAGE_CREATE", message())
    guild.fire()
    assert guild.value("seen") == ["undefined", "undefined", 1, "undefined"]


def test_stack_frames_of_the_prelude_tell_nothing(guild: GuildUnderTest) -> None:
    guild.run(
        "Error.prepareStackTrace = (e, sites) => sites; globalThis.found = [];"
        "const spy = { get content() { for (const s of new Error().stack) found.push(s.getThis()"
        " === undefined && s.getFunction() === undefined); return 'x' } };"
        "on('messageCreate', (ctx) => ctx.reply(spy))"
    )
    guild.event("MESSAGE_CREATE", message())
    assert guild.value("found.length > 3") is True
    assert guild.op.body["content"] == "x"
