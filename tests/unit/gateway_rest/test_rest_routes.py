"""The table of what scripts may call, and the requests that are made of its rows."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from flora_core.errors import InvalidInput
from flora_gateway.rest.calls import Call
from flora_gateway.rest.plans import BODY_LIMIT, Args, Plan, Prepared, parse_args
from flora_gateway.rest.route_table import (
    GET_CHANNEL,
    GET_GUILD_COMMANDS,
    GET_WEBHOOK,
    GET_WEBHOOK_WITH_TOKEN,
    ROUTES,
)
from flora_gateway.rest.routes import BodyKind, Files, Method, Repeat, Route, ScopeRule

OWN = [GET_CHANNEL, GET_GUILD_COMMANDS, GET_WEBHOOK, GET_WEBHOOK_WITH_TOKEN]
EVERY = [*ROUTES.values(), *OWN]
EXAMPLES = {
    "channel": "10",
    "message": "20",
    "guild": "30",
    "interaction": "40",
    "emoji": "👍",
    "token": "aW50ZXJhY3Rpb24",
    "webhook": "50",
    "user": "60",
    "role": "70",
    "command": "80",
    "target": "90",
}
BODIES = {BodyKind.NONE: b"", BodyKind.OBJECT: b"{}", BodyKind.ARRAY: b"[]"}


def plan(route: Route | str) -> Plan:
    return Plan(
        ROUTES[route] if isinstance(route, str) else route,
        prefix="/api/v10",
        application="42",
        user_agent="DiscordBot (https://example.com, 1)",
        authorization="Bot SECRET",
    )


def prepare(route: str, **args: object) -> Prepared:
    return plan(route).prepare(parse_args(json.dumps({"path": EXAMPLES, **args}).encode()))


# The table


TARGETS = """
sendMessage                     POST   /channels/10/messages
editMessage                     PATCH  /channels/10/messages/20
deleteMessage                   DELETE /channels/10/messages/20
bulkDeleteMessages              POST   /channels/10/messages/bulk-delete
pinMessage                      PUT    /channels/10/messages/pins/20
unpinMessage                    DELETE /channels/10/messages/pins/20
listPins                        GET    /channels/10/messages/pins
crosspostMessage                POST   /channels/10/messages/20/crosspost
fetchMessage                    GET    /channels/10/messages/20
fetchMessages                   GET    /channels/10/messages
addReaction                     PUT    /channels/10/messages/20/reactions/%F0%9F%91%8D/@me
removeOwnReaction               DELETE /channels/10/messages/20/reactions/%F0%9F%91%8D/@me
removeReaction                  DELETE /channels/10/messages/20/reactions/%F0%9F%91%8D/60
listReactions                   GET    /channels/10/messages/20/reactions/%F0%9F%91%8D
clearReactions                  DELETE /channels/10/messages/20/reactions
clearReactionsOfEmoji           DELETE /channels/10/messages/20/reactions/%F0%9F%91%8D
sendInteractionResponse         POST   /interactions/40/aW50ZXJhY3Rpb24/callback
deferInteractionResponse        POST   /interactions/40/aW50ZXJhY3Rpb24/callback
updateInteractionResponse       POST   /interactions/40/aW50ZXJhY3Rpb24/callback
openModal                       POST   /interactions/40/aW50ZXJhY3Rpb24/callback
sendAutocompleteResult          POST   /interactions/40/aW50ZXJhY3Rpb24/callback
getOriginalInteractionResponse  GET    /webhooks/42/aW50ZXJhY3Rpb24/messages/@original
editOriginalInteractionResponse PATCH  /webhooks/42/aW50ZXJhY3Rpb24/messages/@original
deleteOriginalInteractionResponse DELETE /webhooks/42/aW50ZXJhY3Rpb24/messages/@original
createFollowupMessage           POST   /webhooks/42/aW50ZXJhY3Rpb24?wait=true
editFollowupMessage             PATCH  /webhooks/42/aW50ZXJhY3Rpb24/messages/20
deleteFollowupMessage           DELETE /webhooks/42/aW50ZXJhY3Rpb24/messages/20
upsertGuildCommands             PUT    /applications/42/guilds/30/commands
createGuildCommand              POST   /applications/42/guilds/30/commands
editGuildCommand                PATCH  /applications/42/guilds/30/commands/80
deleteGuildCommand              DELETE /applications/42/guilds/30/commands/80
getGuildCommands                GET    /applications/42/guilds/30/commands
getGuildCommand                 GET    /applications/42/guilds/30/commands/80
editGuildCommandPermissions     PUT    /applications/42/guilds/30/commands/80/permissions
getGuildCommandsPermissions     GET    /applications/42/guilds/30/commands/permissions
getGuildCommandPermissions      GET    /applications/42/guilds/30/commands/80/permissions
fetchMember                     GET    /guilds/30/members/60
listMembers                     GET    /guilds/30/members
searchMembers                   GET    /guilds/30/members/search
kickMember                      DELETE /guilds/30/members/60
banMember                       PUT    /guilds/30/bans/60
unbanMember                     DELETE /guilds/30/bans/60
fetchBan                        GET    /guilds/30/bans/60
listBans                        GET    /guilds/30/bans
addMemberRole                   PUT    /guilds/30/members/60/roles/70
removeMemberRole                DELETE /guilds/30/members/60/roles/70
editMember                      PATCH  /guilds/30/members/60
editCurrentMember               PATCH  /guilds/30/members/@me
fetchGuild                      GET    /guilds/30
editGuild                       PATCH  /guilds/30
listChannels                    GET    /guilds/30/channels
listActiveThreads               GET    /guilds/30/threads/active
listRoles                       GET    /guilds/30/roles
createRole                      POST   /guilds/30/roles
editRole                        PATCH  /guilds/30/roles/70
editRolePositions               PATCH  /guilds/30/roles
deleteRole                      DELETE /guilds/30/roles/70
listGuildWebhooks               GET    /guilds/30/webhooks
listInvites                     GET    /guilds/30/invites
fetchAuditLog                   GET    /guilds/30/audit-logs
createChannel                   POST   /guilds/30/channels
fetchChannel                    GET    /channels/10
editChannel                     PATCH  /channels/10
deleteChannel                   DELETE /channels/10
editChannelPermissions          PUT    /channels/10/permissions/90
deleteChannelPermissions        DELETE /channels/10/permissions/90
triggerTyping                   POST   /channels/10/typing
createInvite                    POST   /channels/10/invites
listChannelInvites              GET    /channels/10/invites
createThread                    POST   /channels/10/threads
createThreadFromMessage         POST   /channels/10/messages/20/threads
joinThread                      PUT    /channels/10/thread-members/@me
leaveThread                     DELETE /channels/10/thread-members/@me
addThreadMember                 PUT    /channels/10/thread-members/60
removeThreadMember              DELETE /channels/10/thread-members/60
listThreadMembers               GET    /channels/10/thread-members
createWebhook                   POST   /channels/10/webhooks
listChannelWebhooks             GET    /channels/10/webhooks
executeWebhook                  POST   /webhooks/50/aW50ZXJhY3Rpb24
editWebhook                     PATCH  /webhooks/50
editWebhookWithToken            PATCH  /webhooks/50/aW50ZXJhY3Rpb24
deleteWebhook                   DELETE /webhooks/50
deleteWebhookWithToken          DELETE /webhooks/50/aW50ZXJhY3Rpb24
editWebhookMessage              PATCH  /webhooks/50/aW50ZXJhY3Rpb24/messages/20
deleteWebhookMessage            DELETE /webhooks/50/aW50ZXJhY3Rpb24/messages/20
"""
TABLE = [line.split() for line in TARGETS.strip().splitlines()]


@pytest.mark.parity(34, 35, 36, 37, 38, 39)
@pytest.mark.parametrize(("name", "method", "target"), TABLE, ids=[name for name, *_ in TABLE])
def test_each_op_becomes_its_request(name: str, method: str, target: str) -> None:
    made = plan(name)
    prepared = made.prepare(Args(path=dict(EXAMPLES), body=Raw(BODIES[ROUTES[name].body])))
    assert made.method == method.encode()
    assert prepared.target == f"/api/v10{target}".encode()


def test_the_table_has_every_op_that_was_asked_for_and_names_each_by_its_key() -> None:
    assert sorted(ROUTES) == sorted(name for name, *_ in TABLE)
    assert all(name == route.name for name, route in ROUTES.items())
    assert not {route.name for route in OWN} & ROUTES.keys(), "metrics tell them apart"


@pytest.mark.parametrize("route", EVERY, ids=lambda route: route.name)
def test_each_row_is_consistent(route: Route) -> None:
    parameters = set(re.findall(r"\{([a-z]+)\}", route.path))
    assert route.major in parameters
    assert parameters <= EXAMPLES.keys() | {"application"}
    assert route.anonymous == ("token" in parameters)
    assert route.tokenised == (route.scope is ScopeRule.INTERACTION)
    for rule, major in (
        (ScopeRule.CHANNEL, "channel"),
        (ScopeRule.GUILD, "guild"),
        (ScopeRule.WEBHOOK, "webhook"),
    ):
        if route.scope is rule:
            assert route.major == major
    if route.method in {Method.GET, Method.DELETE}:
        assert route.body is BodyKind.NONE
    if route.files is not Files.NOWHERE:
        assert route.body is BodyKind.OBJECT
    if route.method is Method.POST:
        assert route.repeatable is not Repeat.ALWAYS


@pytest.mark.parametrize("route", ROUTES.values(), ids=lambda route: route.name)
def test_every_row_has_a_scope(route: Route) -> None:
    """What the path names first is what the rule is for, so that nothing is reached past it."""
    first = {
        ScopeRule.CHANNEL: "/channels/{channel}",
        ScopeRule.WEBHOOK: "/webhooks/{webhook}",
        ScopeRule.GUILD: ("/guilds/{guild}", "/applications/{application}/guilds/{guild}/"),
        ScopeRule.INTERACTION: ("/interactions/{interaction}/{token}/", "/webhooks/{application}/{token}"),
    }
    assert route.path.startswith(first[route.scope])


@pytest.mark.parity(44)
@pytest.mark.parametrize(
    "route", [route for route in EVERY if route.method is Method.GET], ids=lambda route: route.name
)
def test_reads_may_be_repeated(route: Route) -> None:
    assert route.repeatable is Repeat.ALWAYS


def test_a_new_row_is_all_that_a_new_op_takes() -> None:
    row = Route(
        name="oldPin",
        method=Method.PUT,
        path="/channels/{channel}/pins/{message}",
        scope=ScopeRule.CHANNEL,
        major="channel",
    )
    prepared = plan(row).prepare(Args(path={"channel": "10", "message": "20"}, reason="so there"))
    assert prepared.target == b"/api/v10/channels/10/pins/20"
    assert prepared.headers.endswith(b"X-Audit-Log-Reason: so%20there\r\n")


def test_a_row_whose_major_parameter_is_not_in_its_path_is_a_mistake_found_at_the_start() -> None:
    row = Route(name="x", method=Method.GET, path="/x/{guild}", scope=ScopeRule.NONE, major="channel")
    with pytest.raises(ValueError, match=r"no \{channel\}"):
        plan(row)


# Requests


def test_headers_are_what_discord_asks_for() -> None:
    assert prepare("sendMessage", body={}).headers == (
        b"User-Agent: DiscordBot (https://example.com, 1)\r\n"
        b"Authorization: Bot SECRET\r\n"
        b"Content-Type: application/json\r\n"
    )


@pytest.mark.parametrize("route", [route for route in EVERY if route.anonymous], ids=lambda route: route.name)
def test_the_bots_token_is_not_sent_where_the_interactions_own_does(route: Route) -> None:
    prepared = plan(route).prepare(Args(path=dict(EXAMPLES), body=Raw(BODIES[route.body])))
    assert b"SECRET" not in prepared.headers


def test_a_call_is_limited_by_its_major_parameter() -> None:
    assert prepare("sendMessage", body={}).major == "10"
    assert prepare("createFollowupMessage", body={}).major == EXAMPLES["token"]
    assert prepare("upsertGuildCommands", body=[]).major == "30"


def test_a_body_goes_out_as_the_script_wrote_it() -> None:
    raw = b'{"content": "h\xc3\xa9llo",  "tts":false}'
    args = parse_args(b'{"path":{"channel":"10"},"body":' + raw + b"}")
    assert plan("sendMessage").prepare(args).body == raw


def test_newlines_between_the_tokens_of_a_body_are_taken_out() -> None:
    args = parse_args(b'{"path":{"channel":"10"},"body":{\n"content":\n"x"}}')
    assert plan("sendMessage").prepare(args).body == b'{"content":"x"}'


def test_a_call_without_a_body_has_none_or_an_empty_one_as_its_method_needs() -> None:
    assert prepare("deleteMessage").body is None
    assert prepare("addReaction").body == b""
    assert prepare("addReaction", body=None).body == b""


@pytest.mark.parametrize("route", EVERY, ids=lambda route: route.name)
def test_the_repr_of_what_is_prepared_shows_no_token(route: Route) -> None:
    prepared = plan(route).prepare(Args(path=dict(EXAMPLES), body=Raw(BODIES[route.body])))
    call = Call(b"POST", prepared.target, prepared.headers, prepared.body)
    assert "SECRET" not in repr(call)
    assert EXAMPLES["token"] not in repr(call)


# What scripts get wrong


@pytest.mark.parametrize("body", [[], "x", 1, True, None])
def test_a_body_of_the_wrong_kind_is_refused(body: object) -> None:
    with pytest.raises(InvalidInput, match="body: sendMessage takes an object"):
        prepare("sendMessage", body=body)


def test_a_missing_body_is_refused() -> None:
    with pytest.raises(InvalidInput, match="body: sendMessage takes an object"):
        prepare("sendMessage")


def test_a_list_is_wanted_where_commands_are() -> None:
    with pytest.raises(InvalidInput, match="body: upsertGuildCommands takes an array"):
        prepare("upsertGuildCommands", body={})


def test_a_body_where_none_belongs_is_refused() -> None:
    with pytest.raises(InvalidInput, match="body: deleteMessage takes none"):
        prepare("deleteMessage", body={})


def test_a_body_over_the_limit_is_refused_naming_it() -> None:
    with pytest.raises(InvalidInput, match=rf"body: has \d+ bytes; the limit is {BODY_LIMIT}"):
        prepare("sendMessage", body={"content": "x" * BODY_LIMIT})


def test_a_query_parameter_that_the_route_does_not_know_is_named() -> None:
    with pytest.raises(InvalidInput, match="query: openModal takes with_response, not wait"):
        prepare("openModal", body={}, query={"wait": True})
    with pytest.raises(InvalidInput, match="query: sendMessage takes nothing, not limit"):
        prepare("sendMessage", body={}, query={"limit": 1})


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'{"path":{"channel":10}}', r"args: Expected `str`, got `int`.*path"),
        (b'{"pth":{}}', "args: Object contains unknown field `pth`"),
        (b'{"path":[]}', "args: Expected `object`"),
        (b'{"query":{"a":[1]}}', "args: Expected"),
        (b"[]", "args: Expected `object`"),
        (b"null", "args: Expected `object`"),
        (b'{"path":{}', "args: "),
        (b'{"reason":"\xff"}', "args: "),
        (b'{"body":' + b"[" * 100_000, "args: "),
    ],
)
def test_arguments_of_the_wrong_shape_are_refused(raw: bytes, text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        parse_args(raw)


@given(st.recursive(st.none() | st.booleans() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_no_arguments_make_it_fail_in_another_way(value: object) -> None:
    try:
        plan("addReaction").prepare(parse_args(json.dumps(value).encode()))
    except InvalidInput:
        return
