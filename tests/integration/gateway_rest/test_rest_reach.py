"""How far a script's calls reach: to the end of its guild, by any route and any parameter."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_discord import FakeDiscord
from msgspec import Raw

from flora_core.wire.gateway import Op
from flora_gateway.rest import ROUTES, Proxy, RestSettings, Route, ScopeMap
from flora_gateway.rest.routes import BodyKind, ScopeRule

GUILD, OTHER = "100000000000000001", "100000000000000002"
OURS, THEIRS, NOBODYS, LATE = (f"20000000000000000{n}" for n in (1, 2, 3, 4))
HOOK, THEIR_HOOK, NO_HOOK = (f"30000000000000000{n}" for n in (1, 2, 3))
SECRETS = ("bot-token", "hook-token", "their-hook-token", "interaction-token", "their-interaction-token")
ROWS = list(ROUTES.values())
WITH_BODY = [route for route in ROWS if route.body is not BodyKind.NONE]


class Secret:
    def get_secret_value(self) -> str:
        return "bot-token"


class Reach:
    """A proxy between a guild's script and Discord."""

    def __init__(self, proxy: Proxy, discord: FakeDiscord) -> None:
        self.proxy = proxy
        self.discord = discord

    async def call(self, name: str, **args: Any) -> tuple[bool, Any]:
        """Whether an op of GUILD's script worked, and its answer."""
        return await self.call_raw(name, json.dumps(args).encode())

    async def call_raw(self, name: str, args: bytes) -> tuple[bool, Any]:
        answered: asyncio.Future[tuple[bool, bytes]] = asyncio.get_running_loop().create_future()
        self.proxy.execute(
            Op(1, GUILD, 1, name, Raw(args)), lambda ok, value: answered.set_result((ok, value))
        )
        async with asyncio.timeout(10):
            ok, value = await answered
        assert not any(secret.encode() in value for secret in SECRETS)
        return ok, json.loads(value)

    async def refused(self, name: str, **args: Any) -> str:
        """What is said to be out of reach; fails when Discord was asked to do anything."""
        ok, error = await self.call(name, **args)
        assert (ok, error["code"]) == (False, "SCOPE_FORBIDDEN"), error
        assert all(seen.method == "GET" and seen.body == b"" for seen in self.discord.seen)
        return error["message"]


@pytest.fixture
async def reach(discord: FakeDiscord) -> AsyncIterator[Reach]:
    scope = ScopeMap()
    settings = RestSettings(api_url=discord.url, rest_close_timeout_ms=0, guild_limit=0, scope_lookups=1000)
    proxy = Proxy(settings, token=Secret(), application="42", scope=scope)
    for guild, channel in ((GUILD, OURS), (OTHER, THEIRS)):
        scope.observe("GUILD_CREATE", json.dumps({"id": guild, "channels": [{"id": channel}]}).encode())
    for guild, token, number in (
        (GUILD, "interaction-token", "40"),
        (OTHER, "their-interaction-token", "41"),
    ):
        event = {"id": number, "token": token, "guild_id": guild}
        scope.observe("INTERACTION_CREATE", json.dumps(event).encode())
    discord.channels |= {OURS: GUILD, LATE: GUILD}
    discord.webhooks |= {HOOK: GUILD, f"{HOOK}/hook-token": GUILD}
    discord.webhooks |= {THEIR_HOOK: OTHER, f"{THEIR_HOOK}/their-hook-token": OTHER}
    yield Reach(proxy, discord)
    await proxy.close()


def own_path(route: Route) -> dict[str, str]:
    """A path all of whose parameters are the guild's."""
    given = {
        "channel": OURS,
        "webhook": HOOK,
        "interaction": "40",
        "token": "hook-token" if route.scope is ScopeRule.WEBHOOK else "interaction-token",
        "emoji": "👍",
    }
    others = dict.fromkeys(("message", "user", "role", "command", "target"), "50")
    return {name: value for name, value in (given | others).items() if f"{{{name}}}" in route.path}


def body_of(route: Route, **fields: Any) -> dict[str, Any]:
    """Arguments with a body that has ``fields``."""
    if route.body is BodyKind.NONE:
        return {}
    if route.body is BodyKind.ARRAY:
        return {"body": [{"id": "50", "name": "x", "description": "y", **fields}]}
    return {"body": {"content": "x", "type": 4, **fields}}


# What may be done


@pytest.mark.parity(21, 34, 35, 36, 37, 38, 39)
@pytest.mark.parametrize("route", ROWS, ids=lambda route: route.name)
async def test_every_row_reaches_discord_for_the_guilds_own(
    reach: Reach, discord: FakeDiscord, route: Route
) -> None:
    ok, value = await reach.call(route.name, path=own_path(route), **body_of(route))
    assert ok, value
    done = discord.seen[-1]
    assert done.method == route.method
    bot = done.headers.get("authorization")
    assert bot == (None if route.anonymous else "Bot bot-token")


@pytest.mark.parametrize("route", ROWS, ids=lambda route: route.name)
async def test_every_row_takes_a_reason_for_the_audit_log(
    reach: Reach, discord: FakeDiscord, route: Route
) -> None:
    await reach.call(route.name, path=own_path(route), reason="grüße 1", **body_of(route))
    wanted = "x-audit-log-reason" if route.name != "upsertGuildCommands" else "user-agent"
    assert discord.seen[-1].headers[wanted]


# What may not


@pytest.mark.parity(40)
@pytest.mark.parametrize("route", ROWS, ids=lambda route: route.name)
async def test_no_row_reaches_into_another_guild(reach: Reach, route: Route) -> None:
    path = own_path(route)
    match route.scope:
        case ScopeRule.CHANNEL:
            for channel in (THEIRS, NOBODYS):
                said = await reach.refused(route.name, path={**path, "channel": channel}, **body_of(route))
                assert said == "Forbidden: channel is outside runtime scope"
        case ScopeRule.GUILD:
            said = await reach.refused(route.name, path={**path, "guild": OTHER}, **body_of(route))
            assert said == "Forbidden: guild is outside runtime scope"
        case ScopeRule.WEBHOOK:
            for webhook in (THEIR_HOOK, NO_HOOK, "42"):
                theirs = {**path, "webhook": webhook}
                if "token" in path:
                    theirs["token"] = "their-hook-token"
                said = await reach.refused(route.name, path=theirs, **body_of(route))
                assert said == "Forbidden: webhook is outside runtime scope"
        case ScopeRule.INTERACTION:
            for token in ("their-interaction-token", "made-up", "hook-token"):
                said = await reach.refused(route.name, path={**path, "token": token}, **body_of(route))
                assert said == "Forbidden: interaction is outside runtime scope"
        case rule:
            pytest.fail(f"{rule} is no rule for a script's calls")


NAMES = ("channel_id", "parent_id", "system_channel_id", "webhook_channel_id", "thread_id", "new_channel_ids")


@pytest.mark.parity(40)
@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: route.name)
async def test_no_body_reaches_into_another_guild(reach: Reach, route: Route) -> None:
    path = own_path(route)
    for name in NAMES:
        said = await reach.refused(route.name, path=path, **body_of(route, **{name: THEIRS}))
        assert said == "Forbidden: channel is outside runtime scope"
        await reach.refused(route.name, path=path, **body_of(route, **{name: [OURS, NOBODYS]}))
        await reach.refused(route.name, path=path, **body_of(route, deep=[{"er": {name: int(THEIRS)}}]))
    said = await reach.refused(route.name, path=path, **body_of(route, guild_id=OTHER))
    assert said == "Forbidden: guild is outside runtime scope"


@pytest.mark.parametrize("field", ["channel_id", "guild_id"])
async def test_another_guilds_message_cannot_be_forwarded(reach: Reach, field: str) -> None:
    """A forward shows the message's text: it would be read without any right to."""
    reference = {"type": 1, "message_id": "50", "channel_id": OURS, "guild_id": GUILD}
    reference[field] = THEIRS if field == "channel_id" else OTHER
    body = {"message_reference": reference}
    await reach.refused("sendMessage", path={"channel": OURS}, body=body)
    await reach.refused("createFollowupMessage", path={"token": "interaction-token"}, body=body)
    callback = {"interaction": "40", "token": "interaction-token"}
    await reach.refused("sendInteractionResponse", path=callback, body={"type": 4, "data": body})
    await reach.refused("createThread", path={"channel": OURS}, body={"name": "x", "message": body})


async def test_a_message_of_the_guilds_own_can_be(reach: Reach, discord: FakeDiscord) -> None:
    reference = {"type": 1, "message_id": "50", "channel_id": LATE, "guild_id": GUILD}
    ok, _ = await reach.call("sendMessage", path={"channel": OURS}, body={"message_reference": reference})
    assert ok
    assert [seen.method for seen in discord.seen] == ["GET", "POST"], "Discord said whose the channel is"


async def test_a_field_that_comes_twice_is_sent_as_it_was_checked(reach: Reach, discord: FakeDiscord) -> None:
    body = b'{"message_reference":{"type":1,"channel_id":"%b","channel_id":"%b"}}'
    args = b'{"path":{"channel":"%b"},"body":%b}' % (
        OURS.encode(),
        body % (THEIRS.encode(), OURS.encode()),
    )
    ok, _ = await reach.call_raw("sendMessage", args)
    assert ok
    assert THEIRS.encode() not in discord.seen[-1].body


@pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if "thread_id" in route.query])
async def test_no_thread_in_a_query_is_another_guilds(reach: Reach, discord: FakeDiscord, name: str) -> None:
    route = ROUTES[name]
    path = own_path(route)
    await reach.refused(name, path=path, query={"thread_id": THEIRS}, **body_of(route))
    ok, _ = await reach.call(name, path=path, query={"thread_id": OURS}, **body_of(route))
    assert ok
    assert f"thread_id={OURS}" in discord.seen[-1].target


@pytest.mark.parametrize("route", ROWS, ids=lambda route: route.name)
async def test_no_parameter_leaves_its_place_in_the_path(reach: Reach, route: Route) -> None:
    path = own_path(route)
    for name in path:
        for wrong in ("@me", "../1", "1/2", "1?x=1", "1#x", "%2e%2e", "", "1\r\nHost: x"):
            ok, error = await reach.call(route.name, path={**path, name: wrong}, **body_of(route))
            assert (ok, error["code"]) == (False, "INVALID_INPUT"), (name, wrong)
    assert reach.discord.seen == []


# Webhooks


@pytest.mark.parity(39, 41)
async def test_a_webhook_is_asked_about_once_and_with_its_own_token(
    reach: Reach, discord: FakeDiscord
) -> None:
    path = {"webhook": HOOK, "token": "hook-token"}
    for _ in range(3):
        ok, _ = await reach.call("executeWebhook", path=path, query={"wait": "true"}, body={"content": "x"})
        assert ok
    ok, _ = await reach.call("editWebhook", path={"webhook": HOOK}, body={"name": "x"})
    assert ok
    assert [seen.method for seen in discord.seen] == ["GET", "POST", "POST", "POST", "PATCH"]
    assert discord.seen[0].target == f"/api/v10/webhooks/{HOOK}/hook-token"
    assert ["authorization" in seen.headers for seen in discord.seen] == [False] * 4 + [True]


@pytest.mark.parity(41)
async def test_a_wrong_token_says_nothing_about_the_webhook(reach: Reach, discord: FakeDiscord) -> None:
    for _ in range(3):
        await reach.refused("executeWebhook", path={"webhook": HOOK, "token": "wrong"}, body={"content": "x"})
    assert len(discord.seen) == 1, "a wrong one is remembered for a while"
    ok, _ = await reach.call("executeWebhook", path={"webhook": HOOK, "token": "hook-token"}, body={})
    assert ok


# Files


async def test_files_reach_discord_as_multipart(reach: Reach, discord: FakeDiscord) -> None:
    files = [{"name": "a.txt", "data": "aGVsbG8="}]
    ok, _ = await reach.call("sendMessage", path={"channel": OURS}, body={"content": "x"}, files=files)
    assert ok
    seen = discord.seen[-1]
    assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="payload_json"' in seen.body
    assert b'name="files[0]"; filename="a.txt"' in seen.body
    assert b"hello" in seen.body


async def test_a_file_cannot_carry_a_reference_past_the_check(reach: Reach) -> None:
    files = [{"name": "a", "data": ""}]
    body = {"message_reference": {"channel_id": THEIRS}}
    await reach.refused("sendMessage", path={"channel": OURS}, body=body, files=files)


async def test_too_many_files_at_once_have_to_wait(reach: Reach, discord: FakeDiscord) -> None:
    discord.latency = 0.2
    data = "A" * (8 << 20)  # 6 MiB
    args = json.dumps(
        {"path": {"channel": OURS}, "body": {}, "files": [{"name": "a", "data": data}]}
    ).encode()
    found = await asyncio.gather(*(reach.call_raw("sendMessage", args) for _ in range(5)))
    refused = [error for ok, error in found if not ok]
    assert refused
    assert {error["code"] for error in refused} == {"DISCORD_RATE_LIMITED"}
    assert len(discord.seen) < 5
    ok, _ = await reach.call_raw("sendMessage", args)
    assert ok, "what is over gives its room back"


# Commands


@pytest.mark.parity(36, 42)
async def test_commands_changed_one_by_one_are_seen_by_the_next_upsert(
    reach: Reach, discord: FakeDiscord
) -> None:
    commands = [{"type": 1, "name": "a", "description": "b"}]
    await reach.call("upsertGuildCommands", body=commands)
    await reach.call("upsertGuildCommands", body=commands)
    assert [seen.method for seen in discord.seen] == ["GET", "PUT"]
    await reach.call("deleteGuildCommand", path={"command": "900"})
    discord.commands[GUILD] = []
    await reach.call("upsertGuildCommands", body=commands)
    assert [seen.method for seen in discord.seen[2:]] == ["DELETE", "GET", "PUT"]
