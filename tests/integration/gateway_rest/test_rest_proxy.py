"""Ops of guilds' scripts, through limiter and HTTP client, to a Discord that is not always well."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from fake_discord import FakeDiscord, Window, answer, limits, raw, too_many
from msgspec import Raw
from prometheus_client import REGISTRY

from flora_core.errors import InvalidInput
from flora_core.wire.gateway import Op
from flora_gateway.rest import ROUTES, Proxy, RestSettings, ScopeMap

GUILD, OTHER = "100000000000000001", "100000000000000002"
CHANNEL, SECOND, THEIRS = "200000000000000001", "200000000000000002", "200000000000000009"
UNKNOWN = "200000000000000077"
TOKEN = "bot-token-that-nobody-may-see"
INTERACTION, INTERACTION_TOKEN = "300000000000000001", "aW50ZXJhY3Rpb24tdG9rZW4"
SENT = f"/api/v10/channels/{CHANNEL}/messages"


class Secret:
    def get_secret_value(self) -> str:
        return TOKEN


@dataclass
class Gateway:
    """A proxy in front of the fake Discord, with two guilds."""

    proxy: Proxy
    scope: ScopeMap

    def start(
        self, name: str, *, guild: str = GUILD, repeated: bool = False, **args: Any
    ) -> asyncio.Future[Any]:
        """Execute an op; the future holds its value or raises ``OpFailed``."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def done(ok: bool, value: bytes) -> None:
            assert b"\n" not in value
            assert TOKEN.encode() not in value
            assert INTERACTION_TOKEN.encode() not in value
            if ok:
                future.set_result(json.loads(value))
            else:
                future.set_exception(OpFailed(json.loads(value)))

        self.proxy.execute(Op(1, guild, 1, name, Raw(json.dumps(args).encode()), repeated), done)
        return future

    def say(self, content: str, *, channel: str = CHANNEL, guild: str = GUILD, **body: Any) -> Any:
        """Start to send a message."""
        path = {"channel": channel}
        return self.start("sendMessage", guild=guild, path=path, body={"content": content} | body)

    async def send(self, content: str = "hi", **more: Any) -> Any:
        """Send a message."""
        return await self.say(content, **more)

    def interact(self, *, guild: str = GUILD, token: str = INTERACTION_TOKEN) -> None:
        """An interaction reaches ``guild``."""
        event = {"id": INTERACTION, "token": token, "guild_id": guild, "channel_id": CHANNEL}
        self.scope.observe("INTERACTION_CREATE", json.dumps(event).encode())


class OpFailed(Exception):
    """What a script would see."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.code: str = error["code"]
        self.status: int = error.get("status", 0)
        self.discord_code: int = error.get("discordCode", 0)
        self.retry_after: float = error.get("retryAfter", 0.0)
        self.notice: str = error.get("notice", "")


async def failure(op: Awaitable[Any]) -> OpFailed:
    with pytest.raises(OpFailed) as caught:
        await op
    return caught.value


MakeGateway = Callable[..., Gateway]


@pytest.fixture
async def make_gateway(discord: FakeDiscord) -> AsyncIterator[MakeGateway]:
    made: list[Gateway] = []

    def make(**options: Any) -> Gateway:
        defaults: dict[str, Any] = {"api_url": discord.url, "rest_close_timeout_ms": 0}
        scope = ScopeMap()
        settings = RestSettings(**defaults | options)
        proxy = Proxy(settings, token=Secret(), application="42", scope=scope)
        channels = [{"id": CHANNEL}, {"id": SECOND}]
        scope.observe("GUILD_CREATE", json.dumps({"id": GUILD, "channels": channels}).encode())
        scope.observe("GUILD_CREATE", json.dumps({"id": OTHER, "channels": [{"id": THEIRS}]}).encode())
        made.append(Gateway(proxy, scope))
        return made[-1]

    yield make
    for gateway in made:
        await gateway.proxy.close()


@pytest.fixture
async def gateway(make_gateway: MakeGateway) -> Gateway:
    return make_gateway()


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


# Calls


@pytest.mark.parametrize("client", ["lean", "aiohttp"])
async def test_a_message_is_sent_and_its_answer_comes_back(
    discord: FakeDiscord, make_gateway: MakeGateway, client: str
) -> None:
    found = await make_gateway(http_client=client).send("hé\nllo")
    assert found["content"] == "hé\nllo"
    (seen,) = discord.seen
    assert (seen.method, seen.target, seen.json) == ("POST", SENT, {"content": "hé\nllo"})
    assert seen.headers["authorization"] == f"Bot {TOKEN}"
    assert seen.headers["user-agent"].startswith("DiscordBot (https://")
    assert seen.headers["content-type"] == "application/json"


async def test_an_address_without_its_path_gets_it(discord: FakeDiscord, make_gateway: MakeGateway) -> None:
    await make_gateway(api_url=f"{discord.url}/api/v10/").send()
    await make_gateway(api_url=discord.url).send()
    assert [seen.target for seen in discord.seen] == [SENT] * 2


async def test_a_call_without_content_is_null(gateway: Gateway, discord: FakeDiscord) -> None:
    path = {"channel": CHANNEL, "message": "5", "emoji": "👍"}
    assert await gateway.start("addReaction", path=path) is None
    assert discord.seen[0].target == f"{SENT}/5/reactions/%F0%9F%91%8D/@me"
    assert discord.seen[0].headers["content-length"] == "0"


async def test_a_reason_goes_into_the_audit_log(gateway: Gateway, discord: FakeDiscord) -> None:
    await gateway.start("deleteMessage", path={"channel": CHANNEL, "message": "5"}, reason="so\r\nthere: é")
    assert discord.seen[0].headers["x-audit-log-reason"] == "so%0D%0Athere%3A%20%C3%A9"


async def test_the_usual_call_makes_no_task(gateway: Gateway) -> None:
    await gateway.send()
    before = asyncio.all_tasks()
    future = gateway.say("x")
    assert asyncio.all_tasks() == before
    await future


@pytest.mark.parametrize("body", [b"<html>", b'{"a":', b'"\xff"'])
async def test_an_answer_that_is_no_json_is_a_failure(
    gateway: Gateway, discord: FakeDiscord, body: bytes
) -> None:
    discord.script(answer(200, body))
    error = await failure(gateway.send())
    assert error.code == "DISCORD_HTTP_ERROR"
    assert "not JSON" in str(error)


async def test_an_answer_in_many_lines_comes_back_in_one(gateway: Gateway, discord: FakeDiscord) -> None:
    discord.script(answer(200, b'{\n"id": "1",\n"content": "a\\nb"\n}\n'))
    assert await gateway.send() == {"id": "1", "content": "a\nb"}


# Ops that cannot be


@pytest.mark.parametrize(
    ("name", "args", "text"),
    [
        ("sendMesage", {}, "'sendMesage' is none that this gateway knows; did you mean sendMessage"),
        ("sendMessage", {}, "Invalid input for channel: is missing"),
        ("sendMessage", {"path": {"channel": "x"}, "body": {}}, "channel: 'x' is not a Discord id"),
        ("sendMessage", {"path": {"channel": CHANNEL}}, "body: sendMessage takes an object"),
        ("sendMessage", {"path": {"channel": CHANNEL}, "body": []}, "body: sendMessage takes an object"),
        ("sendMessage", {"path": {"channel": CHANNEL}, "bdy": {}}, "unknown field `bdy`"),
        ("addReaction", {"path": {"channel": CHANNEL, "message": "1", "emoji": "../"}}, "emoji: '../' is no"),
        ("upsertGuildCommands", {"body": [1]}, "body: should be a list of commands"),
    ],
)
async def test_what_cannot_be_is_refused_without_asking_discord(
    gateway: Gateway, discord: FakeDiscord, name: str, args: Any, text: str
) -> None:
    error = await failure(gateway.start(name, **args))
    assert error.code == "INVALID_INPUT"
    assert text in str(error)
    assert discord.seen == []


async def test_a_body_over_the_limit_is_refused_naming_it(gateway: Gateway, discord: FakeDiscord) -> None:
    error = await failure(gateway.send("x" * (1 << 20)))
    assert error.code == "INVALID_INPUT"
    assert "the limit is 1048576" in str(error)
    assert discord.seen == []


async def test_no_op_makes_the_proxy_raise(gateway: Gateway, discord: FakeDiscord) -> None:
    discord.latency = 60.0
    dice = random.Random(1)
    pieces = [b"{}", b"[]", b"null", b"5", b'"x"', b'"../.."', b'"\xff"', b"[[[[", b"[" * 5000, b"", b"{"]
    keys = [b'"path"', b'"body"', b'"query"', b'"reason"', b'"channel"', b'"token"', b'"guild"', b'"x"']

    def value(depth: int) -> bytes:
        if depth and dice.random() < 0.7:
            fields = [key + b":" + value(depth - 1) for key in dice.sample(keys, dice.randint(0, 3))]
            return b"{" + b",".join(fields) + b"}"
        return dice.choice(pieces)

    names = [*ROUTES, "", "x" * 10_000, "__proto__", "é\n"]
    answered = 0
    for _ in range(2000):
        found: list[bool] = []
        op = Op(1, dice.choice([GUILD, "", "x", "0"]), 1, dice.choice(names), Raw(value(3)))
        gateway.proxy.execute(op, lambda ok, _, found=found: found.append(ok))
        assert found in ([], [False])
        answered += len(found)
    assert answered > 1900


async def test_names_are_suggested_only_so_often(gateway: Gateway) -> None:
    errors = [str(await failure(gateway.start("sendMesage"))) for _ in range(30)]
    assert ["did you mean" in error for error in errors] == [True] * 20 + [False] * 10


@pytest.mark.parametrize("token", ["", " ", "a b", "tokén", "a\nb"])
async def test_what_cannot_be_a_token_stops_the_start_and_is_not_shown(
    discord: FakeDiscord, token: str
) -> None:
    class Wrong:
        def get_secret_value(self) -> str:
            return token

    with pytest.raises(InvalidInput, match="the bot token must be printable ASCII") as caught:
        Proxy(RestSettings(api_url=discord.url), token=Wrong(), application="42", scope=ScopeMap())
    assert not token.strip() or token not in str(caught.value)


# Scope


@pytest.mark.parity(40)
async def test_another_guilds_channel_is_out_of_reach(gateway: Gateway, discord: FakeDiscord) -> None:
    before = metric("flora_gateway_scope_forbidden_total")
    error = await failure(gateway.send(channel=THEIRS))
    assert error.code == "SCOPE_FORBIDDEN"
    assert "channel is outside runtime scope" in str(error)
    assert discord.seen == []
    assert metric("flora_gateway_scope_forbidden_total") == before + 1


@pytest.mark.parity(41)
async def test_a_channel_that_no_event_told_of_is_looked_up_once(
    gateway: Gateway, discord: FakeDiscord
) -> None:
    discord.channels[UNKNOWN] = GUILD
    await asyncio.gather(*(gateway.send(channel=UNKNOWN) for _ in range(3)))
    await gateway.send(channel=UNKNOWN)
    assert [seen.method for seen in discord.seen].count("GET") == 1
    sent = [seen for seen in discord.seen if seen.target == f"/api/v10/channels/{UNKNOWN}/messages"]
    assert len(sent) == 4


@pytest.mark.parametrize("owner", [OTHER, None])
async def test_a_looked_up_channel_that_is_not_the_guilds_is_out_of_reach(
    gateway: Gateway, discord: FakeDiscord, owner: str | None
) -> None:
    if owner is not None:
        discord.channels[UNKNOWN] = owner
    for _ in range(3):
        assert (await failure(gateway.send(channel=UNKNOWN))).code == "SCOPE_FORBIDDEN"
    assert [seen.method for seen in discord.seen] == ["GET"]


async def test_made_up_channels_make_discord_answer_only_so_often(
    make_gateway: MakeGateway, discord: FakeDiscord
) -> None:
    gateway = make_gateway(scope_lookups=5)
    errors = await asyncio.gather(*(failure(gateway.send(channel=str(4000 + n))) for n in range(20)))
    assert {error.code for error in errors} == {"SCOPE_FORBIDDEN"}
    assert len(discord.seen) == 5


async def test_a_lookup_that_fails_is_not_taken_for_a_no(gateway: Gateway, discord: FakeDiscord) -> None:
    discord.channels[UNKNOWN] = GUILD
    discord.script(*[answer(500, {"message": "oops"})] * 3)
    error = await failure(gateway.send(channel=UNKNOWN))
    assert (error.code, error.status) == ("DISCORD_HTTP_ERROR", 500)
    assert (await gateway.send(channel=UNKNOWN))["content"] == "hi"


@pytest.mark.parity(40)
async def test_a_guild_in_the_path_must_be_the_one_that_asks(gateway: Gateway, discord: FakeDiscord) -> None:
    error = await failure(gateway.start("upsertGuildCommands", path={"guild": OTHER}, body=[]))
    assert error.code == "SCOPE_FORBIDDEN"
    assert "guild is outside runtime scope" in str(error)
    assert discord.seen == []


# Interactions


def respond(gateway: Gateway, **more: Any) -> asyncio.Future[Any]:
    path = {"interaction": INTERACTION, "token": INTERACTION_TOKEN} | more.pop("path", {})
    return gateway.start("sendInteractionResponse", path=path, body={"type": 4, "data": {}}, **more)


async def test_an_interaction_is_answered_without_the_bots_token(
    gateway: Gateway, discord: FakeDiscord
) -> None:
    gateway.interact()
    assert await respond(gateway) is None
    assert discord.seen[0].target == f"/api/v10/interactions/{INTERACTION}/{INTERACTION_TOKEN}/callback"
    assert "authorization" not in discord.seen[0].headers


ACKNOWLEDGED = {"code": 40060, "message": "Interaction has already been acknowledged."}


async def test_a_repeated_answer_that_discord_has_already_counts_as_given(
    gateway: Gateway, discord: FakeDiscord
) -> None:
    gateway.interact()
    discord.script(answer(400, ACKNOWLEDGED))
    assert await respond(gateway, repeated=True) is None


async def test_a_second_answer_is_an_error_of_the_script(gateway: Gateway, discord: FakeDiscord) -> None:
    gateway.interact()
    discord.script(answer(400, ACKNOWLEDGED))
    error = await failure(respond(gateway))
    assert (error.status, error.discord_code) == (400, 40060)


async def test_any_other_refusal_of_a_repeated_answer_is_told(gateway: Gateway, discord: FakeDiscord) -> None:
    gateway.interact()
    discord.script(answer(404, {"code": 10062, "message": "Unknown interaction"}))
    assert (await failure(respond(gateway, repeated=True))).discord_code == 10062


async def test_what_follows_the_first_answer(gateway: Gateway, discord: FakeDiscord) -> None:
    gateway.interact()
    path = {"token": INTERACTION_TOKEN}
    await gateway.start("createFollowupMessage", path=path, body={"content": "x"})
    await gateway.start("editOriginalInteractionResponse", path=path, body={"content": "y"})
    await gateway.start("editFollowupMessage", path=path | {"message": "7"}, body={"content": "z"})
    await gateway.start("deleteOriginalInteractionResponse", path=path)
    hook = f"/api/v10/webhooks/42/{INTERACTION_TOKEN}"
    assert [seen.target for seen in discord.seen] == [
        f"{hook}?wait=true",
        f"{hook}/messages/@original",
        f"{hook}/messages/7",
        f"{hook}/messages/@original",
    ]


@pytest.mark.parametrize(
    "path", [{"token": "made-up"}, {"interaction": "300000000000000002"}], ids=["token", "id"]
)
async def test_an_interaction_that_was_not_sent_is_out_of_reach(
    gateway: Gateway, discord: FakeDiscord, path: dict[str, str]
) -> None:
    gateway.interact()
    error = await failure(respond(gateway, path=path))
    assert error.code == "SCOPE_FORBIDDEN"
    assert "interaction is outside runtime scope" in str(error)
    assert discord.seen == []


async def test_another_guilds_interaction_is_out_of_reach(gateway: Gateway, discord: FakeDiscord) -> None:
    gateway.interact()
    assert (await failure(respond(gateway, guild=OTHER))).code == "SCOPE_FORBIDDEN"


async def test_an_interaction_that_is_too_old_is_not_answered(
    gateway: Gateway, discord: FakeDiscord, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.interact()
    monkeypatch.setattr(gateway.scope, "interaction_age", lambda *_, **__: 3.5)
    error = await failure(respond(gateway))
    assert error.discord_code == 10062
    path = {"token": INTERACTION_TOKEN}
    await gateway.start("createFollowupMessage", path=path, body={"content": "x"})
    assert len(discord.seen) == 1


async def test_an_answer_to_an_interaction_is_not_repeated_past_its_three_seconds(
    gateway: Gateway, discord: FakeDiscord, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.interact()
    monkeypatch.setattr(gateway.scope, "interaction_age", lambda *_, **__: 2.9)
    discord.script(too_many(0.5))
    error = await failure(respond(gateway))
    assert error.code == "DISCORD_RATE_LIMITED"
    assert len(discord.seen) == 1


async def test_interactions_do_not_wait_for_the_bots_global_limit(
    make_gateway: MakeGateway, discord: FakeDiscord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flora_gateway.rest.limiter.GLOBAL_SECONDS", 0.5)
    gateway = make_gateway(global_limit=1)
    gateway.interact()
    await gateway.send()
    waiting = gateway.say("x", channel=SECOND)
    await asyncio.wait_for(respond(gateway), 0.4)
    assert not waiting.done()
    await waiting


# Rate limits


async def test_a_burst_into_a_bucket_waits_and_is_never_refused(
    gateway: Gateway, discord: FakeDiscord
) -> None:
    discord.windows[CHANNEL] = Window(limit=5, seconds=0.2)
    discord.latency = 0.005
    found = await asyncio.gather(*(gateway.say(str(n)) for n in range(17)))
    assert discord.refused == 0
    assert [one["content"] for one in found] == [str(n) for n in range(17)]
    arrived = [seen.json["content"] for seen in discord.seen]
    assert sorted(arrived, key=int) == [str(n) for n in range(17)]


async def test_a_full_bucket_does_not_hold_up_other_channels(gateway: Gateway, discord: FakeDiscord) -> None:
    discord.windows[CHANNEL] = Window(limit=1, seconds=0.3)
    slow = [gateway.say("x") for _ in range(3)]
    await asyncio.wait_for(gateway.send(channel=SECOND), 0.2)
    await asyncio.wait_for(gateway.send(channel=THEIRS, guild=OTHER), 0.2)
    assert not slow[2].done()
    await asyncio.gather(*slow)


async def test_a_refused_call_is_made_again_when_discord_says(gateway: Gateway, discord: FakeDiscord) -> None:
    before = metric("flora_gateway_rest_retries_total", reason="rate_limited")
    discord.script(too_many(0.1, bucket="b", limit=1))
    await gateway.send()
    first, second = discord.seen
    assert second.at - first.at >= 0.1
    assert metric("flora_gateway_rest_retries_total", reason="rate_limited") == before + 1


async def test_a_refusal_that_lasts_too_long_goes_back_with_its_time(
    gateway: Gateway, discord: FakeDiscord
) -> None:
    discord.script(too_many(600.0, bucket="b", limit=2))
    error = await failure(gateway.send())
    assert str(error) == "Discord rate limited for sendMessage"
    assert (error.code, error.status, error.retry_after) == ("DISCORD_RATE_LIMITED", 429, 600.0)
    again = await failure(gateway.send())
    assert again.code == "DISCORD_RATE_LIMITED"
    assert 599.0 < again.retry_after <= 600.0
    assert len(discord.seen) == 1


async def test_a_storm_of_refusals_ends_in_one_failure_for_each_call(
    gateway: Gateway, discord: FakeDiscord
) -> None:
    discord.script(*[too_many(0.001)] * 200)
    errors = await asyncio.gather(*(failure(gateway.send(str(n))) for n in range(4)))
    assert {error.code for error in errors} == {"DISCORD_RATE_LIMITED"}
    assert len(discord.seen) <= 4 * 6


async def test_a_global_refusal_stops_every_guild(gateway: Gateway, discord: FakeDiscord) -> None:
    discord.script(too_many(0.2, is_global=True))
    refused = gateway.say("x")
    while not discord.seen:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.02)
    await gateway.send(channel=THEIRS, guild=OTHER)
    await refused
    first, *later = discord.seen
    assert all(seen.at - first.at >= 0.2 for seen in later)


async def test_the_global_limit_spreads_calls_over_time(
    make_gateway: MakeGateway, discord: FakeDiscord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flora_gateway.rest.limiter.GLOBAL_SECONDS", 0.3)
    gateway = make_gateway(global_limit=4)
    await asyncio.gather(*(gateway.send(channel=CHANNEL if n % 2 else SECOND) for n in range(6)))
    at = sorted(seen.at for seen in discord.seen)
    assert at[4] - at[0] >= 0.28


async def test_only_so_many_calls_of_a_guild_are_in_flight(
    make_gateway: MakeGateway, discord: FakeDiscord
) -> None:
    gateway = make_gateway(guild_concurrency=2)
    busy = most = 0

    async def slow(exchange: Any) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.01)
        busy -= 1
        await answer(200, {"id": "1"})(exchange)

    discord.script(*[slow] * 12)
    for channel in range(12):
        gateway.scope.learn_channel(str(5000 + channel), GUILD)
    await asyncio.gather(*(gateway.send(channel=str(5000 + n)) for n in range(12)))
    assert most == 2


async def test_a_guild_that_floods_is_refused_at_once(
    make_gateway: MakeGateway, discord: FakeDiscord
) -> None:
    gateway = make_gateway(guild_queue=10)
    discord.latency = 0.05
    flood = [gateway.say("x") for _ in range(50)]
    refused = [one for one in flood if one.done()]
    assert len(refused) == 39
    error = await failure(refused[0])
    assert error.code == "DISCORD_RATE_LIMITED"
    assert "too many calls of this guild wait already" in str(error)
    await gateway.send(channel=THEIRS, guild=OTHER)
    await asyncio.gather(*flood, return_exceptions=True)


async def test_a_call_whose_turn_does_not_come_in_time_fails(
    make_gateway: MakeGateway, discord: FakeDiscord
) -> None:
    gateway = make_gateway(rest_deadline_ms=150)
    discord.script(answer(200, {}, limits("b", limit=1, remaining=0, reset_after=0.1)))
    await gateway.send()
    discord.latency = 0.2
    first = gateway.say("x")
    second = await failure(gateway.send())
    assert second.code == "DISCORD_RATE_LIMITED"
    assert "its turn does not come in time" in str(second)
    assert (await failure(first)).code == "DISCORD_HTTP_ERROR"


# Failures of Discord's


NONCE = {"nonce": "abc-1", "enforce_nonce": True}


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_is_repeated_for_a_message_with_a_nonce(
    gateway: Gateway, discord: FakeDiscord, status: int
) -> None:
    discord.script(answer(status, b"<html>"))
    assert (await gateway.send(**NONCE))["content"] == "hi"
    assert [seen.json["nonce"] for seen in discord.seen] == ["abc-1"] * 2


async def test_a_server_error_says_nothing_about_rate_limits(gateway: Gateway, discord: FakeDiscord) -> None:
    discord.script(answer(502, b"<html>"))
    await failure(gateway.send())
    discord.windows[CHANNEL] = Window(limit=2, seconds=0.2)
    await asyncio.gather(*(gateway.send() for _ in range(4)))
    assert discord.refused == 0


async def test_a_message_without_a_nonce_is_not_sent_twice(gateway: Gateway, discord: FakeDiscord) -> None:
    discord.script(answer(502, b"<html>"))
    error = await failure(gateway.send())
    assert (error.code, error.status) == ("DISCORD_HTTP_ERROR", 502)
    assert len(discord.seen) == 1


async def test_an_edit_is_repeated_after_a_reset(gateway: Gateway, discord: FakeDiscord) -> None:
    await gateway.send()
    discord.script(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", pause=0.01, then="reset"))
    path = {"channel": CHANNEL, "message": "5"}
    assert (await gateway.start("editMessage", path=path, body={"content": "x"}))["content"] == "x"
    assert [seen.method for seen in discord.seen] == ["POST", "PATCH", "PATCH"]


async def test_repeats_are_bounded(gateway: Gateway, discord: FakeDiscord) -> None:
    discord.script(*[answer(503, {"message": "Service Unavailable"})] * 9)
    error = await failure(gateway.send(**NONCE))
    assert error.status == 503
    assert len(discord.seen) == 3


async def test_an_attempt_without_an_answer_is_given_up(
    make_gateway: MakeGateway, discord: FakeDiscord
) -> None:
    gateway = make_gateway(rest_timeout_ms=50)
    discord.script(answer(200, "late", after=0.8))
    error = await failure(gateway.send())
    assert error.code == "DISCORD_HTTP_ERROR"
    assert "did not answer in time" in str(error)


async def test_an_error_of_discords_goes_back_with_its_code(gateway: Gateway, discord: FakeDiscord) -> None:
    body = {"message": "Cannot send messages to this user", "code": 50007}
    discord.script(answer(400, body))
    error = await failure(gateway.send())
    assert (error.status, error.discord_code) == (400, 50007)
    assert str(error) == "Discord HTTP error (400): Cannot send messages to this user (route: sendMessage)"


async def test_tokens_in_what_discord_says_are_blotted_out(gateway: Gateway, discord: FakeDiscord) -> None:
    gateway.interact()
    discord.script(answer(400, {"message": f"no {INTERACTION_TOKEN} and no {TOKEN}"}))
    assert "no … and no …" in str(await failure(respond(gateway)))


@pytest.fixture
def complaints(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What is logged as an error."""
    logged: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        "flora_gateway.rest.sender.log.error", lambda event, **more: logged.append((event, more))
    )
    return logged


async def test_a_discord_that_is_not_there(make_gateway: MakeGateway, complaints: list[Any]) -> None:
    gateway = make_gateway(api_url="http://127.0.0.1:9", rest_deadline_ms=1000)
    errors = await asyncio.gather(*(failure(gateway.send()) for _ in range(3)))
    assert {error.code for error in errors} == {"DISCORD_HTTP_ERROR"}
    assert "no connection to 127.0.0.1:9" in str(errors[0])
    assert [event for event, _ in complaints] == ["discord_call_failed"]


async def test_a_token_that_discord_refuses_is_complained_about(
    gateway: Gateway, discord: FakeDiscord, complaints: list[Any]
) -> None:
    discord.script(answer(401, {"message": "401: Unauthorized", "code": 0}))
    await failure(gateway.send())
    assert [event for event, _ in complaints] == ["bot_token_refused"]
    assert TOKEN not in repr(complaints)


# Invalid requests


async def test_a_guild_that_is_always_refused_is_suspended_and_others_are_not(
    make_gateway: MakeGateway, discord: FakeDiscord
) -> None:
    gateway = make_gateway(guild_invalid_limit=3)
    before = metric("flora_gateway_invalid_requests_total", status="403")
    discord.script(*[answer(403, {"message": "Missing Access", "code": 50001})] * 3)
    for _ in range(3):
        assert (await failure(gateway.send())).status == 403
    error = await failure(gateway.send())
    assert error.code == "DISCORD_RATE_LIMITED"
    assert "suspended; check the bot's permissions" in str(error)
    assert error.retry_after > 590
    await gateway.send(channel=THEIRS, guild=OTHER)
    assert len(discord.seen) == 4
    assert metric("flora_gateway_invalid_requests_total", status="403") == before + 3


async def test_the_guilds_admins_are_told_of_a_suspension_once(
    make_gateway: MakeGateway, discord: FakeDiscord
) -> None:
    gateway = make_gateway(guild_invalid_limit=3)
    discord.script(*[answer(403, {"message": "Missing Access", "code": 50001})] * 3)
    notices = [(await failure(gateway.send())).notice for _ in range(6)]
    assert notices[:2] == ["", ""]
    assert notices[3:] == ["", "", ""]
    assert notices[2] == (
        "Discord refused 3 of this guild's calls within a minute (401, 403 or 429), so its calls are suspended "
        "for 10 minutes; the last one was Discord HTTP error (403): Missing Access (route: sendMessage). Check "
        "the bot's permissions, and whether the script repeats calls that fail"
    )


async def test_what_waits_when_a_guild_is_suspended_is_not_sent(
    make_gateway: MakeGateway, discord: FakeDiscord
) -> None:
    gateway = make_gateway(guild_invalid_limit=1)
    discord.script(answer(401, {"message": "401: Unauthorized", "code": 0}, after=0.02))
    errors = await asyncio.gather(*(failure(gateway.send()) for _ in range(6)))
    assert [error.code for error in errors] == ["DISCORD_HTTP_ERROR"] + ["DISCORD_RATE_LIMITED"] * 5
    assert len(discord.seen) == 1


async def test_the_bot_stops_before_discord_bans_it(make_gateway: MakeGateway, discord: FakeDiscord) -> None:
    gateway = make_gateway(invalid_limit=3)
    discord.script(*[answer(403, {"message": "Missing Access"})] * 3)
    for _ in range(3):
        await failure(gateway.send())
    error = await failure(gateway.send(channel=THEIRS, guild=OTHER))
    assert error.code == "DISCORD_RATE_LIMITED"
    assert "so as not to be banned" in str(error)
    assert len(discord.seen) == 3


async def test_shared_refusals_do_not_count(make_gateway: MakeGateway, discord: FakeDiscord) -> None:
    gateway = make_gateway(invalid_limit=1)
    before = metric("flora_gateway_invalid_requests_total", status="429")
    discord.script(too_many(0.01, scope="shared"))
    await gateway.send()
    assert metric("flora_gateway_invalid_requests_total", status="429") == before
    discord.script(too_many(0.01))
    await failure(gateway.send())
    assert metric("flora_gateway_invalid_requests_total", status="429") == before + 1


async def test_a_refusal_of_discords_front_stops_everything(gateway: Gateway, discord: FakeDiscord) -> None:
    gateway.interact()
    discord.script(answer(429, b"<html>error code: 1015</html>", {"Retry-After": "60"}))
    error = await failure(gateway.send())
    assert (error.code, error.retry_after) == ("DISCORD_RATE_LIMITED", 60.0)
    assert not respond(gateway).done()
    await asyncio.sleep(0.05)
    assert len(discord.seen) == 1


# Commands


PING = {"name": "ping", "description": "Says pong"}


async def test_commands_are_put_once(gateway: Gateway, discord: FakeDiscord) -> None:
    first = await gateway.start("upsertGuildCommands", path={}, body=[PING])
    assert first[0]["id"] == "900"
    again = await gateway.start("upsertGuildCommands", path={"guild": GUILD}, body=[PING])
    assert again == first
    path = f"/api/v10/applications/42/guilds/{GUILD}/commands"
    assert [(seen.method, seen.target) for seen in discord.seen] == [
        ("GET", f"{path}?with_localizations=true"),
        ("PUT", path),
    ]


async def test_commands_that_the_guild_has_are_not_put(gateway: Gateway, discord: FakeDiscord) -> None:
    stored = PING | {"id": "900", "application_id": "42", "version": "1", "type": 1, "nsfw": False}
    discord.commands[GUILD] = [stored]
    assert await gateway.start("upsertGuildCommands", body=[PING]) == [stored]
    assert [seen.method for seen in discord.seen] == ["GET"]


async def test_commands_that_changed_are_put(gateway: Gateway, discord: FakeDiscord) -> None:
    for description in ("a", "b"):
        found = await gateway.start("upsertGuildCommands", body=[PING | {"description": description}])
        assert found[0]["description"] == description
    assert [seen.method for seen in discord.seen] == ["GET", "PUT", "PUT"]


async def test_a_guild_that_came_back_is_looked_at_anew(gateway: Gateway, discord: FakeDiscord) -> None:
    await gateway.start("upsertGuildCommands", body=[PING])
    gateway.proxy.forget(GUILD)
    discord.commands.clear()
    await gateway.start("upsertGuildCommands", body=[PING])
    assert [seen.method for seen in discord.seen] == ["GET", "PUT", "GET", "PUT"]


async def test_commands_that_discord_refuses(gateway: Gateway, discord: FakeDiscord) -> None:
    discord.script(answer(200, []), answer(400, {"message": "Invalid Form Body", "code": 50035}))
    error = await failure(gateway.start("upsertGuildCommands", body=[PING]))
    assert error.discord_code == 50035
    assert (await gateway.start("upsertGuildCommands", body=[PING]))[0]["name"] == "ping"


async def test_commands_that_waited_past_their_deadline_are_not_put(
    make_gateway: MakeGateway, discord: FakeDiscord
) -> None:
    gateway = make_gateway(rest_deadline_ms=50)
    discord.latency = 0.5
    first = gateway.start("upsertGuildCommands", body=[PING])
    second = gateway.start("upsertGuildCommands", body=[])
    assert "did not answer in time" in str(await failure(first))
    assert "its turn does not come in time" in str(await failure(second))
    assert [seen.method for seen in discord.seen] == ["GET"]


# Metrics


async def test_requests_are_counted_by_route_and_status_and_never_by_guild(
    gateway: Gateway, discord: FakeDiscord
) -> None:
    name = "flora_gateway_rest_requests_total"
    before = {status: metric(name, route="sendMessage", status=status) for status in ("200", "502", "lost")}
    waited = metric("flora_gateway_rest_seconds_count", route="sendMessage")
    discord.script(answer(502, b""), raw(b"HTTP/1.1 2", pause=0.01, then="reset"))
    await gateway.send(**NONCE)
    after = {status: metric(name, route="sendMessage", status=status) for status in before}
    assert {status: after[status] - before[status] for status in before} == {"200": 1, "502": 1, "lost": 1}
    assert metric("flora_gateway_rest_seconds_count", route="sendMessage") == waited + 1
    samples = [sample for family in REGISTRY.collect() for sample in family.samples]
    ours = [sample for sample in samples if sample.name.startswith("flora_gateway_")]
    assert all("guild" not in sample.labels for sample in ours)
    assert GUILD not in repr(ours)


async def test_calls_that_wait_are_seen(gateway: Gateway, discord: FakeDiscord) -> None:
    discord.latency = 0.03
    calls = [gateway.say("x") for _ in range(5)]
    assert metric("flora_gateway_rest_queue_depth") == 4
    await asyncio.gather(*calls)
    assert metric("flora_gateway_rest_queue_depth") == 0


# The end


async def test_close_lets_calls_in_flight_finish_and_leaves_the_rest_to_the_next_gateway(
    make_gateway: MakeGateway, discord: FakeDiscord
) -> None:
    gateway = make_gateway(rest_close_timeout_ms=1000)
    discord.latency = 0.05
    flying, waiting = (gateway.start("sendMessage", path={"channel": CHANNEL}, body={}) for _ in range(2))
    await asyncio.sleep(0.02)
    await gateway.proxy.close()
    assert (await flying)["id"]
    late = gateway.say("too late")
    await asyncio.sleep(0.02)
    assert not waiting.done()
    assert not late.done()
    assert len(discord.seen) == 1


async def test_close_does_not_wait_for_ever(make_gateway: MakeGateway, discord: FakeDiscord) -> None:
    gateway = make_gateway(rest_close_timeout_ms=50)
    discord.latency = 5.0
    flying = gateway.start("sendMessage", path={"channel": CHANNEL}, body=NONCE)
    lookup = gateway.start("sendMessage", path={"channel": UNKNOWN}, body={})
    commands = [gateway.start("upsertGuildCommands", body=[PING]) for _ in range(3)]
    await asyncio.sleep(0.02)
    async with asyncio.timeout(2):
        await gateway.proxy.close()
    assert not any(op.done() for op in (flying, lookup, *commands))
