"""Every event of the table: its name, its payload against the declared type, its context, its place in the guide."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import node
import pytest
from harness import BOT_ID, GUILD_ID, GuildUnderTest
from payloads import CHANNEL_ID, USER_ID, sent
from tools import event_table

from conftest import NewGuild
from flora_core.assets import TYPES, asset
from flora_core.events import PRIVILEGED, TABLE, EventKind
from tests.event_samples import KINDS, MESSAGE_ID, ROLE_ID, THREAD_ID, Samples

SAMPLES = Samples(guild=GUILD_ID, channel=CHANNEL_ID, user=USER_ID)
EVERY = pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.name)

USUAL = {
    *("ready", "messageCreate", "messageUpdate", "messageDelete", "messageDeleteBulk", "interactionCreate"),
    *("componentInteraction", "modalSubmit", "reactionAdd", "reactionRemove", "reactionRemoveEmoji"),
    "reactionRemoveAll",
}


def seen(guild: GuildUnderTest, name: str) -> dict[str, Any]:
    """``ctx.msg`` of one event, as JSON."""
    guild.load(f"on('{name}', (ctx) => {{ globalThis.seen = JSON.stringify(ctx.msg) }})")
    guild.event(KINDS[name].type, SAMPLES.of(KINDS[name]))
    return json.loads(guild.value("seen"))


def keys_of(value: object) -> set[str]:
    if isinstance(value, list):
        return {key for item in value for key in keys_of(item)}
    if isinstance(value, dict):
        return set(value) | {key for item in value.values() for key in keys_of(item)}
    return set()


@pytest.mark.parity(2)
def test_the_sdk_has_the_events_of_the_table_and_no_others(guild: GuildUnderTest) -> None:
    told = guild.throws("on('nonsense', () => {})")
    names = told.removeprefix('TypeError: there is no event "nonsense"; the events are ').split(", ")
    assert sorted(names) == sorted(KINDS)


@EVERY
def test_an_event_reaches_the_handler_of_its_name_and_no_other(
    guild: GuildUnderTest, kind: EventKind
) -> None:
    guild.load(f"for (const name of {list(KINDS)}) on(name, (ctx) => console.log(name))")
    assert sorted(guild.declaration["events"]) == sorted(KINDS)
    guild.event(kind.type, SAMPLES.of(kind))
    assert guild.lines == [kind.name]


@EVERY
def test_an_event_that_nobody_handles_does_nothing(guild: GuildUnderTest, kind: EventKind) -> None:
    other = "roleCreate" if kind.name != "roleCreate" else "banAdd"
    guild.load(f"on('{other}', () => console.log('wrong'))")
    number = guild.event(kind.type, SAMPLES.of(kind))
    guild.feed()
    assert guild.lines == []
    assert guild.out.done == {number: None}


@EVERY
@pytest.mark.parity(3)
def test_every_context_has_the_raw_event(guild: GuildUnderTest, kind: EventKind) -> None:
    guild.load(f"on('{kind.name}', (ctx) => {{ globalThis.raw = JSON.stringify(ctx.raw) }})")
    guild.event(kind.type, SAMPLES.of(kind))
    assert json.loads(guild.value("raw")) == SAMPLES.of(kind)


@EVERY
def test_payloads_are_in_camel_case(guild: GuildUnderTest, kind: EventKind) -> None:
    payload = seen(guild, kind.name)
    payload.pop("data", None)  # stays Discord's
    assert [key for key in keys_of(payload) if "_" in key] == []


def test_payloads_fit_their_declared_types(new_guild: NewGuild, tmp_path: Path) -> None:
    lines: list[str] = []
    for kind in TABLE:
        payload = seen(new_guild(userId=BOT_ID), kind.name)
        lines.append(f"export const {kind.name}: {kind.payload} = {json.dumps(payload)};")
        check = f"() => on('{kind.name}', (ctx) => {{ const msg: {kind.payload} = ctx.msg; return msg; }})"
        lines.append(f"export const {kind.name}Of = {check};")
    (tmp_path / "main.ts").write_text("\n".join(lines))
    options = {"target": "ESNext", "lib": ["ESNext"], "types": [], "strict": True, "noEmit": True}
    options["moduleDetection"] = "force"
    config = {"compilerOptions": options, "files": [str(asset(TYPES)), "main.ts"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(config))
    result = node.run("node", "node_modules/typescript/lib/tsc.js", "-p", str(tmp_path))
    assert result.stdout == ""


def test_the_declared_events_are_those_of_the_table() -> None:
    text = asset(TYPES).read_text()
    events = text[text.index("interface FloraEventMap {") :]
    names = re.findall(r"^    (\w+): \w*Context", events[: events.index("\n  }\n")], re.MULTILINE)
    assert sorted(names) == sorted(KINDS)


def test_the_guides_table_is_that_of_the_code() -> None:
    text = event_table.GUIDE.read_text()
    assert text == event_table.updated(text), "run .venv/bin/python tools/event_table.py"


def test_the_guide_says_which_events_need_a_privileged_intent() -> None:
    rows = {row.split("`")[1]: row for row in event_table.table().splitlines()[2:]}
    assert set(rows) == set(KINDS)
    assert {name for name in rows if "members" in rows[name].split("|")[5]} == {
        kind.name for kind in TABLE if kind.intent in PRIVILEGED
    }


# -------------------------------------------------------------------- payloads worth a look


def test_a_member_is_as_in_messages_with_its_guild(guild: GuildUnderTest) -> None:
    msg = seen(guild, "memberAdd")
    assert (msg["guildId"], msg["user"]["globalName"], msg["roles"]) == (GUILD_ID, "Ada", [ROLE_ID])
    assert (msg["nick"], msg["mute"], msg["user"]["bot"]) == ("countess", True, False)


@pytest.mark.parametrize("name", ["memberRemove", "banAdd", "banRemove"])
def test_who_left_is_a_user(guild: GuildUnderTest, name: str) -> None:
    msg = seen(guild, name)
    assert set(msg) == {"guildId", "user"}
    assert msg["user"] == {
        "id": USER_ID,
        "username": "ada",
        "globalName": "Ada",
        "avatar": None,
        "bot": False,
        "publicFlags": 64,
    }


def test_a_voice_state_has_its_member_and_what_was_null_stays_null(guild: GuildUnderTest) -> None:
    msg = seen(guild, "voiceStateUpdate")
    assert msg["member"]["user"]["bot"] is False
    assert msg["requestToSpeakTimestamp"] is None
    assert (msg["selfDeaf"], msg["channelId"]) == (True, CHANNEL_ID)


def test_members_of_a_thread_are_told_from_members_of_the_guild(guild: GuildUnderTest) -> None:
    msg = seen(guild, "threadMembersUpdate")
    (added,) = msg["addedMembers"]
    assert (added["userId"], added["member"]["user"]["bot"]) == (USER_ID, False)
    assert msg["removedMemberIds"] == ["9"]
    created = SAMPLES.of(KINDS["threadCreate"])
    guild.load("on('threadCreate', (ctx) => console.log(JSON.stringify(ctx.msg.member)))")
    guild.event("THREAD_CREATE", created)
    assert json.loads(guild.lines[-1]) == {
        "id": THREAD_ID,
        "userId": "3",
        "joinTimestamp": created["member"]["join_timestamp"],
        "flags": 1,
    }


def test_lists_and_names_in_moderation_are_converted_to_the_bottom(guild: GuildUnderTest) -> None:
    assert seen(guild, "automodRuleCreate")["actions"] == [{"type": 3, "metadata": {"durationSeconds": 60}}]
    assert seen(guild, "auditLogEntryCreate")["changes"] == [
        {"key": "nick", "oldValue": "a", "newValue": "b"}
    ]


# -------------------------------------------------------------------- contexts

IN_A_CHANNEL = {
    "channelCreate": CHANNEL_ID,
    "channelUpdate": CHANNEL_ID,
    "channelPinsUpdate": CHANNEL_ID,
    "threadCreate": THREAD_ID,
    "threadUpdate": THREAD_ID,
    "threadMembersUpdate": THREAD_ID,
    "voiceStateUpdate": CHANNEL_ID,
    "inviteCreate": CHANNEL_ID,
    "inviteDelete": CHANNEL_ID,
    "automodAction": CHANNEL_ID,
    "webhooksUpdate": CHANNEL_ID,
}
ON_A_MESSAGE = {"pollVoteAdd", "pollVoteRemove"}


@pytest.mark.parametrize(("name", "channel"), IN_A_CHANNEL.items())
def test_an_answer_goes_to_the_channel_of_the_event(guild: GuildUnderTest, name: str, channel: str) -> None:
    guild.load(f"on('{name}', async (ctx) => {{ await ctx.reply('seen'); await ctx.edit('again') }})")
    guild.event(KINDS[name].type, SAMPLES.of(KINDS[name]))
    assert (guild.op.name, guild.op.path) == ("sendMessage", {"channel": channel})
    assert "message_reference" not in guild.op.body
    guild.resolve(value=sent())
    assert guild.op.name == "editMessage"


@pytest.mark.parametrize("name", sorted(ON_A_MESSAGE))
def test_an_answer_to_a_vote_replies_to_the_poll(guild: GuildUnderTest, name: str) -> None:
    guild.load(f"on('{name}', (ctx) => ctx.reply('seen'))")
    guild.event(KINDS[name].type, SAMPLES.of(KINDS[name]))
    assert guild.op.body["message_reference"]["message_id"] == MESSAGE_ID


@pytest.mark.parametrize(
    "name", sorted(set(KINDS) - USUAL - set(IN_A_CHANNEL) - ON_A_MESSAGE - {"autocomplete"})
)
def test_where_there_is_no_channel_there_is_no_answer(guild: GuildUnderTest, name: str) -> None:
    guild.load(f"on('{name}', (ctx) => ctx.reply('seen'))")
    number = guild.event(KINDS[name].type, SAMPLES.of(KINDS[name]))
    guild.feed()
    assert guild.out.ops == []
    assert "this event has no channel to answer in" in (guild.out.done[number] or "")


def test_who_left_voice_leaves_no_channel_to_answer_in(guild: GuildUnderTest) -> None:
    guild.load("on('voiceStateUpdate', (ctx) => ctx.reply('bye'))")
    left = SAMPLES.of(KINDS["voiceStateUpdate"]) | {"channel_id": None}
    number = guild.event("VOICE_STATE_UPDATE", left)
    guild.feed()
    assert "no channel" in (guild.out.done[number] or "")


# -------------------------------------------------------------------- cost and safety


def test_scripts_that_handle_only_usual_events_do_not_carry_the_others(new_guild: NewGuild) -> None:
    usual, more = new_guild(), new_guild()
    usual.load("on('messageCreate', () => {})")
    more.load("on('memberAdd', () => {})")
    assert usual.memory() + 4_000 < more.memory()


def test_a_script_without_interactions_does_not_carry_their_answers(new_guild: NewGuild) -> None:
    without, with_ = new_guild(), new_guild()
    for guild in (without, with_):
        guild.load("on('messageCreate', () => {}); on('interactionCreate', () => {})")
    with_.event("INTERACTION_CREATE", SAMPLES.of(KINDS["interactionCreate"]))
    assert without.memory() + 4_000 < with_.memory()


@pytest.mark.parametrize("name", sorted(set(KINDS) - USUAL - {"autocomplete"}))
def test_a_script_that_broke_the_built_ins_still_hears_of_it(guild: GuildUnderTest, name: str) -> None:
    guild.load(
        "const { log } = console; const boom = () => { throw new Error('tampered') };"
        f"on('{name}', (ctx) => log(typeof ctx.msg));"
        "for (const holder of [Array.prototype, Map.prototype, String.prototype, Object, Reflect])"
        " for (const key of Reflect.ownKeys(holder)) if (typeof holder[key] === 'function' && key !== 'constructor')"
        " try { Object.defineProperty(holder, key, { value: boom }) } catch {}"
    )
    guild.event(KINDS[name].type, SAMPLES.of(KINDS[name]))
    assert guild.lines == ["object"]


def test_one_name_is_enough_to_unsubscribe_again(guild: GuildUnderTest) -> None:
    guild.load("const f = () => {}; on('memberAdd', f); once('roleCreate', f); off('memberAdd', f)")
    assert guild.declaration["events"] == ["roleCreate"]
    guild.event("GUILD_ROLE_CREATE", SAMPLES.of(KINDS["roleCreate"]))
    assert guild.declaration["events"] == []
