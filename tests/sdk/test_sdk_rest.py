"""What `rest` asks the host for: every method as its op, and every argument that is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from harness import GuildUnderTest, Op

from conftest import NewGuild
from flora_gateway.rest import ROUTES

C, M, U, R, G, K, W, T, I = (str(n) * 18 for n in range(1, 10))  # noqa: E741
HERE = f"channelId: '{C}'"
THIS = f"{HERE}, messageId: '{M}'"
USER = f"userId: '{U}'"
ANSWER = f"interactionId: '{I}', token: 'tok'"
HOOK = f"webhookId: '{W}', token: 'hook'"
CHANNEL = {"channel": C}
MESSAGE = {"channel": C, "message": M}

Case = tuple[str, str, dict[str, Any]]


def case(call: str, op: str = "", **args: Any) -> Case:
    """A call; the op it becomes, by default of the same name; its arguments."""
    return call, op or call.partition("(")[0], args


CASES: list[Case] = [
    case(f"editMessage({{ {THIS}, content: null }})", path=MESSAGE, body={"content": None}),
    case(f"deleteMessage({{ {THIS}, reason: 'spam' }})", path=MESSAGE, reason="spam"),
    case(
        f"bulkDeleteMessages({{ {HERE}, messageIds: ['{M}', '{U}'], reason: 'x' }})",
        path=CHANNEL,
        body={"messages": [M, U]},
        reason="x",
    ),
    case(f"pinMessage({{ {THIS} }})", path=MESSAGE),
    case(f"unpinMessage({{ {THIS} }})", path=MESSAGE),
    case(f"listPins({{ {HERE}, limit: 5 }})", path=CHANNEL, query={"limit": "5"}),
    case(f"crosspostMessage({{ {THIS} }})", path=MESSAGE),
    case(f"fetchMessage({{ {THIS} }})", path=MESSAGE),
    case(
        f"fetchMessages({{ {HERE}, limit: 100n, before: '{M}' }})",
        path=CHANNEL,
        query={"limit": "100", "before": M},
    ),
    case(f"fetchMessages({{ {HERE} }})", path=CHANNEL, query={}),
    case(f"addReaction({{ {THIS}, emoji: '👍' }})", path={**MESSAGE, "emoji": "👍"}),
    case(
        f"addReaction({{ {THIS}, emoji: {{ id: '{K}', name: 'blob' }} }})",
        path={**MESSAGE, "emoji": f"blob:{K}"},
    ),
    case(f"removeReaction({{ {THIS}, emoji: '👍' }})", "removeOwnReaction", path={**MESSAGE, "emoji": "👍"}),
    case(f"removeReaction({{ {THIS}, emoji: '👍', {USER} }})", path={**MESSAGE, "emoji": "👍", "user": U}),
    case(
        f"listReactions({{ {THIS}, emoji: '👍', limit: 3, after: '{U}', type: 1 }})",
        path={**MESSAGE, "emoji": "👍"},
        query={"limit": "3", "after": U, "type": "1"},
    ),
    case(f"clearReactions({{ {THIS} }})", path=MESSAGE),
    case(
        f"clearReactions({{ {THIS}, emoji: '👍' }})", "clearReactionsOfEmoji", path={**MESSAGE, "emoji": "👍"}
    ),
    case(f"triggerTyping({{ {HERE} }})", path=CHANNEL),
    case(
        f"sendInteractionResponse({{ {ANSWER}, content: 'x', ephemeral: true, flags: 4 }})",
        path={"interaction": I, "token": "tok"},
        body={"type": 4, "data": {"content": "x", "flags": 68}},
    ),
    case(
        f"deferInteractionResponse({{ {ANSWER}, ephemeral: true }})",
        path={"interaction": I, "token": "tok"},
        body={"type": 5, "data": {"flags": 64}},
    ),
    case(
        f"deferInteractionResponse({{ {ANSWER}, update: true }})",
        path={"interaction": I, "token": "tok"},
        body={"type": 6},
    ),
    case(
        f"updateInteractionResponse({{ {ANSWER}, content: 'x', components: [] }})",
        path={"interaction": I, "token": "tok"},
        body={"type": 7, "data": {"content": "x", "components": []}},
    ),
    case(
        f"openModal({{ {ANSWER}, modal: modal('m', 'T').addComponents(label('L').setComponent(inputText('t'))) }})",
        path={"interaction": I, "token": "tok"},
    ),
    case(
        "editOriginalInteractionResponse({ token: 'tok', content: 'y' })",
        path={"token": "tok"},
        body={"content": "y"},
    ),
    case("deleteOriginalInteractionResponse({ token: 'tok' })", path={"token": "tok"}),
    case(
        "createFollowupMessage({ token: 'tok', content: 'y', ephemeral: true })",
        path={"token": "tok"},
        body={"content": "y", "flags": 64},
    ),
    case(
        f"editFollowupMessage({{ token: 'tok', messageId: '{M}', content: 'y' }})",
        path={"token": "tok", "message": M},
        body={"content": "y"},
    ),
    case(f"deleteFollowupMessage({{ token: 'tok', messageId: '{M}' }})", path={"token": "tok", "message": M}),
    case(
        f"upsertGuildCommands({{ guildId: '{G}', commands: [{{ name: 'a', description: 'b' }}] }})",
        path={"guild": G},
        body=[{"type": 1, "name": "a", "description": "b"}],
    ),
    case(
        "createGuildCommand({ command: { name: 'a', description: 'b', subcommands:"
        " [{ name: 's', description: 'd', run() {} }] } })",
        path={},
        body={
            "type": 1,
            "name": "a",
            "description": "b",
            "options": [{"type": 1, "name": "s", "description": "d"}],
        },
    ),
    case(
        f"editGuildCommand({{ commandId: '{K}', command: {{ name: 'a', description: 'b' }} }})",
        path={"command": K},
        body={"type": 1, "name": "a", "description": "b"},
    ),
    case(f"deleteGuildCommand({{ commandId: '{K}' }})", path={"command": K}),
    case("getGuildCommands()", path={}),
    case(f"getGuildCommand({{ guildId: '{G}', commandId: '{K}' }})", path={"guild": G, "command": K}),
    case(
        f"editGuildCommandPermissions({{ commandId: '{K}', permissions:"
        f" [{{ id: '{R}', type: 1, permission: true }}] }})",
        path={"command": K},
        body={"permissions": [{"id": R, "type": 1, "permission": True}]},
    ),
    case("getGuildCommandsPermissions({})", path={}),
    case(f"getGuildCommandPermissions({{ commandId: '{K}' }})", path={"command": K}),
    case(f"fetchMember({{ {USER} }})", path={"user": U}),
    case(f"listMembers({{ limit: 1000, after: '{U}' }})", path={}, query={"limit": "1000", "after": U}),
    case("searchMembers({ query: 'ada', limit: 2 })", path={}, query={"query": "ada", "limit": "2"}),
    case(f"kickMember({{ guildId: '{G}', {USER}, reason: 'r' }})", path={"guild": G, "user": U}, reason="r"),
    case(
        f"banMember({{ {USER}, deleteMessageSeconds: 604800, reason: 'r' }})",
        path={"user": U},
        body={"delete_message_seconds": 604800},
        reason="r",
    ),
    case(f"banMember({{ {USER} }})", path={"user": U}, body={"delete_message_seconds": 0}),
    case(f"unbanMember({{ {USER}, reason: 'r' }})", path={"user": U}, reason="r"),
    case(f"fetchBan({{ {USER} }})", path={"user": U}),
    case("listBans({ limit: 10 })", path={}, query={"limit": "10"}),
    case(f"addMemberRole({{ {USER}, roleId: '{R}', reason: 'r' }})", path={"user": U, "role": R}, reason="r"),
    case(f"removeMemberRole({{ {USER}, roleId: '{R}' }})", path={"user": U, "role": R}),
    case(
        f"editMember({{ {USER}, payload: {{ nick: 'n', communicationDisabledUntil: new Date(0) }}, reason: 'r' }})",
        path={"user": U},
        body={"nick": "n", "communication_disabled_until": "1970-01-01T00:00:00.000Z"},
        reason="r",
    ),
    case("editCurrentMember({ payload: { nick: null } })", path={}, body={"nick": None}),
    case("fetchGuild({ withCounts: true })", path={}, query={"with_counts": "true"}),
    case(
        f"editGuild({{ payload: {{ systemChannelId: '{C}' }}, reason: 'r' }})",
        path={},
        body={"system_channel_id": C},
        reason="r",
    ),
    case("listChannels()", path={}),
    case("listActiveThreads()", path={}),
    case("listRoles()", path={}),
    case(
        "createRole({ payload: { name: 'x', permissions: [Permissions.KickMembers, Permissions.BanMembers] } })",
        path={},
        body={"name": "x", "permissions": "6"},
    ),
    case(
        f"editRole({{ roleId: '{R}', payload: {{ permissions: Permissions.ManageMessages }} }})",
        path={"role": R},
        body={"permissions": "8192"},
    ),
    case(
        f"editRolePositions({{ positions: [{{ roleId: '{R}', position: 2 }}] }})",
        path={},
        body=[{"id": R, "position": 2}],
    ),
    case(f"deleteRole({{ roleId: '{R}', reason: 'r' }})", path={"role": R}, reason="r"),
    case("listGuildWebhooks()", path={}),
    case("listInvites()", path={}),
    case(
        f"fetchAuditLog({{ {USER}, actionType: 22, limit: 5 }})",
        path={},
        query={"user_id": U, "action_type": "22", "limit": "5"},
    ),
    case(
        f"createChannel({{ payload: {{ name: 'n', parentId: '{C}', permission_overwrites:"
        f" [{{ id: '{R}', type: 0, allow: 1024n }}] }} }})",
        path={},
        body={
            "name": "n",
            "parent_id": C,
            "permission_overwrites": [{"id": R, "type": 0, "allow": "1024"}],
        },
    ),
    case(f"fetchChannel({{ {HERE} }})", path=CHANNEL),
    case(
        f"editChannel({{ {HERE}, payload: {{ rateLimitPerUser: 5 }}, reason: 'r' }})",
        path=CHANNEL,
        body={"rate_limit_per_user": 5},
        reason="r",
    ),
    case(f"deleteChannel({{ {HERE}, reason: 'r' }})", path=CHANNEL, reason="r"),
    case(
        f"editChannelPermissions({{ {HERE}, targetId: '{R}', type: 'role', deny: [Permissions.SendMessages] }})",
        path={**CHANNEL, "target": R},
        body={"type": 0, "deny": "2048"},
    ),
    case(f"deleteChannelPermissions({{ {HERE}, targetId: '{R}' }})", path={**CHANNEL, "target": R}),
    case(f"createInvite({{ {HERE}, payload: {{ maxAge: 60 }} }})", path=CHANNEL, body={"max_age": 60}),
    case(f"createInvite({{ {HERE} }})", path=CHANNEL, body={}),
    case(f"listChannelInvites({{ {HERE} }})", path=CHANNEL),
    case(
        f"createThread({{ {HERE}, payload: {{ name: 't', type: 11, autoArchiveDuration: 60 }}, reason: 'r' }})",
        path=CHANNEL,
        body={"name": "t", "type": 11, "auto_archive_duration": 60},
        reason="r",
    ),
    case(
        f"createThread({{ {HERE}, payload: {{ name: 't', message: {{ content: 'first', embeds:"
        " [embed().setTitle('e')] } } })",
        path=CHANNEL,
        body={"name": "t", "message": {"content": "first", "embeds": [{"title": "e"}]}},
    ),
    case(
        f"createThreadFromMessage({{ {THIS}, payload: {{ name: 't' }} }})",
        path=MESSAGE,
        body={"name": "t"},
    ),
    case(f"joinThread({{ threadId: '{T}' }})", path={"channel": T}),
    case(f"leaveThread({{ threadId: '{T}' }})", path={"channel": T}),
    case(f"addThreadMember({{ threadId: '{T}', {USER} }})", path={"channel": T, "user": U}),
    case(f"removeThreadMember({{ threadId: '{T}', {USER} }})", path={"channel": T, "user": U}),
    case(
        f"listThreadMembers({{ threadId: '{T}', withMember: true, limit: 7 }})",
        path={"channel": T},
        query={"with_member": "true", "limit": "7"},
    ),
    case(f"createWebhook({{ {HERE}, payload: {{ name: 'w' }} }})", path=CHANNEL, body={"name": "w"}),
    case(f"listChannelWebhooks({{ {HERE} }})", path=CHANNEL),
    case(
        f"executeWebhook({{ {HOOK}, content: 'x', username: 'u', avatarUrl: 'https://a', threadName: 'n' }})",
        path={"webhook": W, "token": "hook"},
        query={},
        body={"content": "x", "username": "u", "avatar_url": "https://a", "thread_name": "n"},
    ),
    case(
        f"executeWebhook({{ {HOOK}, wait: true, threadId: '{T}', components: [textDisplay('x')] }})",
        path={"webhook": W, "token": "hook"},
        query={"wait": "true", "thread_id": T, "with_components": "true"},
    ),
    case(
        f"editWebhook({{ webhookId: '{W}', payload: {{ channelId: '{C}' }} }})",
        path={"webhook": W},
        body={"channel_id": C},
    ),
    case(
        f"editWebhook({{ {HOOK}, payload: {{ name: 'n' }} }})",
        "editWebhookWithToken",
        path={"webhook": W, "token": "hook"},
        body={"name": "n"},
    ),
    case(f"deleteWebhook({{ webhookId: '{W}', reason: 'r' }})", path={"webhook": W}, reason="r"),
    case(f"deleteWebhook({{ {HOOK} }})", "deleteWebhookWithToken", path={"webhook": W, "token": "hook"}),
    case(
        f"editWebhookMessage({{ {HOOK}, messageId: '{M}', content: 'x' }})",
        path={"webhook": W, "token": "hook", "message": M},
        query={},
        body={"content": "x"},
    ),
    case(
        f"deleteWebhookMessage({{ {HOOK}, messageId: '{M}', threadId: '{T}' }})",
        path={"webhook": W, "token": "hook", "message": M},
        query={"thread_id": T},
    ),
]
SEND = case(f"sendMessage({{ {HERE}, content: 'x' }})")


def ask(guild: GuildUnderTest, call: str) -> Op:
    """The op that one call of `rest` becomes."""
    guild.run(
        f"rest.{call}.then((r) => console.log('got', JSON.stringify(r)), (e) => console.log(String(e)))"
    )
    assert guild.lines == []
    return guild.op


@pytest.mark.parity(21)
@pytest.mark.parametrize(("call", "op", "args"), CASES, ids=[call[:40] for call, *_ in CASES])
def test_a_call_becomes_its_op(guild: GuildUnderTest, call: str, op: str, args: dict[str, Any]) -> None:
    found = ask(guild, call)
    assert found.name == op
    given = {key: value for key, value in found.args.items() if not (key == "path" and value == {})}
    expected = {key: value for key, value in args.items() if not (key == "path" and value == {})}
    if "body" not in args:  # too long to repeat here
        given.pop("body", None)
    assert given == expected


@pytest.mark.parity(34)
def test_a_message_is_sent_with_a_nonce_and_as_a_reply(guild: GuildUnderTest) -> None:
    op = ask(guild, f"sendMessage({{ {HERE}, content: 'x', replyTo: '{M}' }})")
    assert (op.name, op.path) == ("sendMessage", CHANNEL)
    assert op.body == {
        "content": "x",
        "nonce": "seed-1",
        "enforce_nonce": True,
        "message_reference": {"message_id": M, "fail_if_not_exists": False},
    }


def test_the_older_name_of_reply_to_still_works(guild: GuildUnderTest) -> None:
    op = ask(guild, f"sendMessage({{ {HERE}, content: 'x', messageId: '{M}' }})")
    assert op.body["message_reference"]["message_id"] == M


ORIGINAL = """
sendMessage editMessage deleteMessage bulkDeleteMessages pinMessage unpinMessage crosspostMessage fetchMessage
fetchMessages addReaction removeReaction clearReactions sendInteractionResponse deferInteractionResponse
updateInteractionResponse editOriginalInteractionResponse deleteOriginalInteractionResponse createFollowupMessage
editFollowupMessage deleteFollowupMessage upsertGuildCommands createGuildCommand editGuildCommand
deleteGuildCommand getGuildCommands getGuildCommand editGuildCommandPermissions getGuildCommandsPermissions
getGuildCommandPermissions kickMember banMember unbanMember addMemberRole removeMemberRole editMember
editCurrentMember createChannel editChannel deleteChannel createThread createThreadFromMessage joinThread
leaveThread addThreadMember removeThreadMember executeWebhook editWebhook deleteWebhook
"""


@pytest.mark.parity(21)
def test_every_method_of_the_original_is_there(guild: GuildUnderTest) -> None:
    assert len(ORIGINAL.split()) == 48
    assert set(ORIGINAL.split()) <= set(guild.value("Object.keys(rest)"))


def test_every_method_is_tried_here_and_has_a_row_in_the_gateways_table(guild: GuildUnderTest) -> None:
    tried = {call.partition("(")[0] for call, *_ in [*CASES, SEND]}
    assert tried == set(guild.value("Object.keys(rest)"))
    of_contexts = {"sendAutocompleteResult", "getOriginalInteractionResponse"}
    assert {op for _, op, _ in [*CASES, SEND]} == ROUTES.keys() - of_contexts


def test_the_guide_has_a_row_for_every_method(guild: GuildUnderTest) -> None:
    guide = (Path(__file__).parents[2] / "docs/rest.md").read_text()
    named = set(re.findall(r"^\| `(\w+)`", guide, re.MULTILINE))
    assert named == set(guild.value("Object.keys(rest)"))


def test_what_discord_answers_comes_back_as_it_is(guild: GuildUnderTest) -> None:
    ask(guild, f"fetchMessage({{ {THIS} }})")
    guild.resolve(value={"id": M, "channel_id": C})
    assert guild.lines == [f'got {{"id":"{M}","channel_id":"{C}"}}']


def test_a_call_without_an_answer_gives_nothing(guild: GuildUnderTest) -> None:
    ask(guild, f"pinMessage({{ {THIS} }})")
    guild.resolve(value=None)
    assert guild.lines == ["got undefined"]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("sendMessage()", "payload: must be an object"),
        ("sendMessage('x')", "payload: must be an object"),
        ("sendMessage({ content: 'x' })", "channel_id: invalid snowflake"),
        ("sendMessage({ channelId: 5, content: 'x' })", "channel_id: invalid snowflake"),
        ("sendMessage({ channelId: '05', content: 'x' })", "channel_id: invalid snowflake"),
        ("sendMessage({ channelId: '1/..', content: 'x' })", "channel_id: invalid snowflake"),
        (f"sendMessage({{ channelId: '{'1' * 21}', content: 'x' }})", "channel_id: invalid snowflake"),
        (
            f"sendMessage({{ {HERE} }})",
            "payload: message must include content, embeds, attachments, or components",
        ),
        (f"sendMessage({{ {HERE}, content: 'x', replyTo: 'x' }})", "message_id: invalid snowflake"),
        (f"editMessage({{ {THIS} }})", "payload: message edit must include"),
        (f"editMessage({{ {HERE}, content: 'x' }})", "message_id: invalid snowflake"),
        (f"bulkDeleteMessages({{ {HERE}, messageIds: '{M}' }})", "message_ids: must be a list of ids"),
        (
            f"bulkDeleteMessages({{ {HERE}, messageIds: ['{M}'] }})",
            "message_ids: must have 2 to 100 ids, has 1",
        ),
        (
            f"bulkDeleteMessages({{ {HERE}, messageIds: Array(101).fill('{M}') }})",
            "message_ids: must have 2 to 100 ids, has 101",
        ),
        (f"bulkDeleteMessages({{ {HERE}, messageIds: ['{M}', 5] }})", "message_ids: invalid snowflake"),
        (f"fetchMessages({{ {HERE}, limit: 0 }})", "limit: must be a whole number from 1 to 100"),
        (f"fetchMessages({{ {HERE}, limit: 101 }})", "limit: must be a whole number from 1 to 100"),
        (f"fetchMessages({{ {HERE}, limit: 1.5 }})", "limit: must be a whole number"),
        (f"fetchMessages({{ {HERE}, limit: NaN }})", "limit: must be a whole number"),
        (f"fetchMessages({{ {HERE}, limit: '5' }})", "limit: must be a whole number"),
        (f"fetchMessages({{ {HERE}, before: 'x' }})", "before: invalid snowflake"),
        (f"addReaction({{ {THIS} }})", "emoji: must be a non-empty string"),
        (f"addReaction({{ {THIS}, emoji: {{ id: 'x', name: 'y' }} }})", "emoji: invalid snowflake"),
        (f"removeReaction({{ {THIS}, emoji: 'x', userId: '@me' }})", "user_id: invalid snowflake"),
        (f"listReactions({{ {THIS}, emoji: 'x', type: 2 }})", "type: must be a whole number from 0 to 1"),
        ("sendInteractionResponse({ token: 't', content: 'x' })", "interaction_id: invalid snowflake"),
        (f"sendInteractionResponse({{ interactionId: '{I}', content: 'x' }})", "token: must be a non-empty"),
        (
            f"sendInteractionResponse({{ {ANSWER} }})",
            "payload: Response must include content, embeds, attachments, or components",
        ),
        ("editFollowupMessage({ token: 't', content: 'x' })", "message_id: invalid snowflake"),
        (f"openModal({{ {ANSWER}, modal: {{}} }})", "modal.customId: must be a non-empty string"),
        ("upsertGuildCommands({ commands: {} })", "commands: must be a list of commands"),
        ("upsertGuildCommands({ commands: [5] })", "commands[0]: must be an object"),
        ("createGuildCommand({ command: { name: 'x' } })", "command.description: a slash command needs one"),
        ("createGuildCommand({})", "command: must be an object"),
        ("editGuildCommand({ command: {} })", "command_id: invalid snowflake"),
        (
            f"editGuildCommandPermissions({{ commandId: '{K}' }})",
            "permissions: must be an object",
        ),
        ("kickMember({})", "user_id: invalid snowflake"),
        ("kickMember({ guildId: 'x' })", "guild_id: invalid snowflake"),
        (f"kickMember({{ {USER}, reason: 'x'.repeat(513) }})", "reason: must have at most 512 characters"),
        (f"kickMember({{ {USER}, reason: 5 }})", "reason: must be text"),
        (
            f"banMember({{ {USER}, deleteMessageSeconds: 604801 }})",
            "delete_message_seconds: must be a whole number from 0 to 604800",
        ),
        (f"banMember({{ {USER}, deleteMessageSeconds: -1 }})", "delete_message_seconds: must be a whole"),
        (f"addMemberRole({{ {USER} }})", "role_id: invalid snowflake"),
        (f"editMember({{ {USER} }})", "payload: must be an object"),
        (f"editMember({{ {USER}, payload: [] }})", "payload: must be an object"),
        ("listMembers({ limit: 1001 })", "limit: must be a whole number from 1 to 1000"),
        ("searchMembers({})", "query: must be a non-empty string"),
        ("createRole({ payload: { permissions: ['x'] } })", "permissions: must be bits of Permissions"),
        ("editRolePositions({ positions: [{ position: 1 }] })", "role_id: invalid snowflake"),
        ("editRolePositions({ positions: [null] })", "positions[0]: must be an object"),
        (f"editChannelPermissions({{ {HERE}, targetId: '{R}' }})", 'type: must be "role" or "member"'),
        ("joinThread({})", "thread_id: invalid snowflake"),
        ("executeWebhook({ token: 'x', content: 'x' })", "webhook_id: invalid snowflake"),
        (f"executeWebhook({{ webhookId: '{W}', content: 'x' }})", "token: must be a non-empty string"),
        (f"executeWebhook({{ {HOOK} }})", "payload: Response must include"),
        (f"executeWebhook({{ {HOOK}, content: 'x', threadId: 'x' }})", "thread_id: invalid snowflake"),
        (
            "createRole({ payload: (() => { const a = {}; a.a = a; return a })() })",
            "payload: is nested more than 32 deep",
        ),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_asked(guild: GuildUnderTest, call: str, text: str) -> None:
    guild.run(f"rest.{call}.then(console.log, (e) => console.log(e.code, e.message))")
    assert guild.out.ops == []
    assert guild.lines[0].startswith(f"INVALID_INPUT Invalid input for {text}")


def test_payloads_keep_what_is_no_name(guild: GuildUnderTest) -> None:
    payload = "{ aB: 1, a_b_c: 2, list: [{ innerName: 'keepThis' }], '123Ab': 4, n: null }"
    op = ask(guild, f"editGuild({{ payload: {payload} }})")
    assert op.body == {
        "a_b": 1,
        "a_b_c": 2,
        "list": [{"inner_name": "keepThis"}],
        "123_ab": 4,
        "n": None,
    }


TAMPERED = """
for (const k of ['then', 'files', 'attachments', 'reason', 'limit', 'guildId'])
  try { Object.defineProperty(Object.prototype, k, { get() {}, set() {}, configurable: true }) } catch {}
const boom = () => { throw new Error('tampered') }, { ownKeys } = Reflect;
const prototypes = [String.prototype, Date.prototype, Uint8Array.prototype, Array.prototype];
for (let i = 0; i < 4; i++) {
  const names = ownKeys(prototypes[i]);
  for (let j = 0; j < names.length; j++) try { prototypes[i][names[j]] = boom } catch {}
}
JSON.stringify = Object.keys = Math.imul = boom;
globalThis.BigInt = globalThis.Uint8Array = undefined;
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_script_that_breaks_the_built_ins_still_calls_as_it_says(new_guild: NewGuild, when: str) -> None:
    guild = new_guild()
    if when == "after":
        guild.value("typeof rest")
    guild.run(
        f"const bytes = new Uint8Array([1, 2]); const date = new Date(0); {TAMPERED}"
        f" rest.editMember({{ {USER}, payload: {{ communicationDisabledUntil: date }} }});"
        f" rest.bulkDeleteMessages({{ {HERE}, messageIds: ['{M}', '{U}'] }});"
        f" rest.sendMessage({{ {HERE}, content: 'x', nonce: 'n', attachments: [{{ name: 'a', data: bytes }}] }});"
    )
    edit, delete, send = guild.out.ops
    assert edit.body == {"communication_disabled_until": "1970-01-01T00:00:00.000Z"}
    assert delete.body == {"messages": [M, U]}
    assert send.args["files"] == [{"name": "a", "data": "AQI="}]
    assert send.body["content"] == "x"
