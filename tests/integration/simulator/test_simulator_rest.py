"""The REST API on raw HTTP."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import msgspec
import pytest
from simulator_kit import ADA, BOB, GENERAL, GUILD, MODS, RANDOM, Api, Socket, Start

from flora_simulator import Fault, Simulator, SimulatorClient

MESSAGES = f"/channels/{GENERAL}/messages"


async def test_the_gateway_is_told_without_a_token(api: Api, simulator: Simulator) -> None:
    api.token = None
    assert (await api("GET", "/gateway")).body == {"url": simulator.gateway_url}


async def test_gateway_bot_says_how_to_shard(start: Start, http: aiohttp.ClientSession) -> None:
    simulator = await start(shards=4, max_concurrency=16)
    status, body, _ = await Api(simulator, http)("GET", "/gateway/bot")
    assert (status, body["shards"]) == (200, 4)
    limit = body["session_start_limit"]
    assert (limit["total"], limit["remaining"], limit["max_concurrency"]) == (1000, 1000, 16)


@pytest.mark.parametrize("prefix", ["/api/v10", "/api/v9", "/api"])
async def test_every_version_prefix_answers(api: Api, simulator: Simulator, prefix: str) -> None:
    api.base = simulator.url + prefix
    assert (await api("GET", "/users/@me")).body["username"] == "flora"


@pytest.mark.parametrize("path", ["/oauth2/applications/@me", "/applications/@me"])
async def test_the_application_is_the_bot(api: Api, path: str) -> None:
    body = (await api("GET", path)).body
    assert body["id"] == body["bot"]["id"]
    assert body["owner"]["username"] == "ada"


async def test_json_comes_with_exactly_that_content_type(api: Api) -> None:
    for path in ("/users/@me", "/nothing"):
        assert (await api("GET", path)).headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("token", [None, "wrong"])
async def test_without_the_token_nothing_is_told(
    api: Api, people: SimulatorClient, token: str | None
) -> None:
    api.token = token
    status, body, _ = await api("GET", "/users/@me")
    assert (status, body) == (401, {"message": "401: Unauthorized", "code": 0})
    stats = await people.stats()
    assert (stats.invalid_requests, stats.rest) == (1, {"GET /users/@me 401": 1})


async def test_an_unknown_route_is_not_found(api: Api) -> None:
    status, body, _ = await api("GET", "/not/yet")
    assert (status, body) == (404, {"message": "404: Not Found", "code": 0})


async def test_a_wrong_method_is_said(api: Api) -> None:
    assert (await api("PATCH", MESSAGES)).body == {"message": "405: Method Not Allowed", "code": 0}


async def test_broken_json_is_discords_50109(api: Api) -> None:
    status, body, _ = await api("POST", MESSAGES, raw=b"{")
    assert (status, body["code"]) == (400, 50109)


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        ({"content": "x" * 2001}, 400, 50035),
        ({"content": ""}, 400, 50006),
        ({"content": "x", "embeds": [{"title": "t" * 257}]}, 400, 50035),
        ({"content": "x", "components": [{"type": 99}]}, 400, 50035),
        ({"content": "x", "flags": "many"}, 400, 50035),
    ],
)
async def test_bad_messages_get_discords_codes(
    api: Api, content: dict[str, Any], status: int, code: int
) -> None:
    answer = await api("POST", MESSAGES, content)
    assert (answer.status, answer.body["code"]) == (status, code)


async def test_form_errors_name_the_field(api: Api) -> None:
    body = (await api("POST", MESSAGES, content="x" * 2001)).body
    assert body["errors"]["content"]["_errors"][0]["message"] == "Must be 2000 or fewer in length."
    body = (await api("POST", MESSAGES, embeds=[{"title": "t" * 257}])).body
    assert "256 or fewer" in body["errors"]["embeds"]["0"]["title"]["_errors"][0]["message"]


async def test_what_is_no_snowflake_is_said(api: Api) -> None:
    status, body, _ = await api("GET", "/channels/general/messages")
    assert (status, body["code"]) == (400, 50035)
    assert 'Value "general" is not snowflake' in msgspec.json.encode(body["errors"]).decode().replace(
        "\\", ""
    )


async def test_a_missing_field_is_named(api: Api) -> None:
    body = (await api("PUT", f"{MESSAGES}/bulk-delete")).body
    assert body["code"] == 0
    body = (await api("POST", f"/guilds/{GUILD}/roles/{MODS}")).body
    assert body["code"] == 0
    body = (await api("POST", f"/channels/{GENERAL}/threads", auto_archive_duration=60)).body
    assert body["errors"] == {
        "name": {"_errors": [{"code": "BASE_TYPE_REQUIRED", "message": "This field is required"}]}
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/channels/1", 404, 10003),
        ("GET", f"{MESSAGES}/1", 404, 10008),
        ("GET", "/guilds/1", 404, 10004),
        ("GET", f"/guilds/{GUILD}/members/1", 404, 10007),
        ("GET", "/users/1", 404, 10013),
        ("DELETE", f"/guilds/{GUILD}/members/{ADA}", 403, 50013),
        ("POST", "/webhooks/1/token", 404, 10015),
    ],
)
async def test_discords_codes_for_what_is_not_there(
    api: Api, method: str, path: str, status: int, code: int
) -> None:
    answer = await api(method, path)
    assert (answer.status, answer.body["code"]) == (status, code)


async def test_fields_that_are_not_simulated_have_no_effect(api: Api) -> None:
    answer = await api("POST", MESSAGES, content="hi", never_heard_of=1)
    assert (answer.status, answer.body["content"]) == (200, "hi")


async def test_a_call_without_an_answer_is_204(api: Api) -> None:
    message = (await api("POST", MESSAGES, content="hi")).body["id"]
    path = f"{MESSAGES}/{message}/reactions/%F0%9F%91%8D/@me"
    assert (await api("PUT", path)).status == 204
    assert (await api("DELETE", path.replace("@me", "%40me"))).status == 204
    assert (await api("DELETE", f"{MESSAGES}/{message}")).status == 204


@pytest.mark.parametrize("me", ["@me", "%40me"])
async def test_me_may_be_quoted(api: Api, simulator: Simulator, me: str) -> None:
    """Over a plain connection: client libraries would spell it their own way."""
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    lines = [f"GET /api/v10/users/{me} HTTP/1.1", "Host: x", f"Authorization: Bot {api.token}", "", ""]
    writer.write("\r\n".join(lines).encode())
    assert (await reader.readline()).split()[1] == b"200"
    writer.close()
    await writer.wait_closed()


async def test_what_is_created_is_201(api: Api) -> None:
    assert (await api("POST", f"/guilds/{GUILD}/channels", name="new")).status == 201


async def test_the_audit_log_has_the_reason(
    api: Api, http: aiohttp.ClientSession, simulator: Simulator
) -> None:
    headers = {"Authorization": f"Bot {simulator.token}", "X-Audit-Log-Reason": "spam"}
    async with http.put(f"{api.base}/guilds/{GUILD}/bans/{BOB}", headers=headers) as response:
        assert response.status == 204
    log = (await api("GET", f"/guilds/{GUILD}/audit-logs")).body
    assert log["audit_log_entries"][0]["reason"] == "spam"


async def test_old_pin_routes_still_work(api: Api) -> None:
    message = (await api("POST", MESSAGES, content="keep")).body["id"]
    pins = f"/channels/{GENERAL}/pins"
    assert (await api("PUT", f"{pins}/{message}")).status == 204
    assert [pin["id"] for pin in (await api("GET", pins)).body] == [message]
    assert (await api("DELETE", f"{pins}/{message}")).status == 204
    assert (await api("GET", pins)).body == []


async def test_members_can_be_searched(api: Api) -> None:
    found = (await api("GET", f"/guilds/{GUILD}/members/search?query=bo&limit=5")).body
    assert [member["user"]["username"] for member in found] == ["bob"]
    assert (await api("GET", f"/guilds/{GUILD}/members/search")).body["code"] == 50035


# --------------------------------------------------------------- multipart


def form(payload: Any, *files: tuple[str, str, bytes]) -> aiohttp.FormData:
    data = aiohttp.FormData(quote_fields=False)
    if payload is not None:
        data.add_field("payload_json", msgspec.json.encode(payload).decode())
    for name, filename, content in files:
        data.add_field(name, content, filename=filename, content_type="application/octet-stream")
    return data


async def test_files_come_with_names_and_descriptions(api: Api, http: aiohttp.ClientSession) -> None:
    attachments = [{"id": 1, "filename": "renamed.txt", "description": "the second"}, {"id": 0}]
    data = form({"content": "two", "attachments": attachments}, *[
        ("files[1]", "b.txt", b"second"), ("files[0]", "a.txt", b"first")
    ])  # fmt: skip
    status, body, _ = await api("POST", MESSAGES, raw=data)
    assert status == 200
    first, second = body["attachments"]
    assert (first["filename"], second["filename"]) == ("a.txt", "renamed.txt")
    assert (second["description"], second["size"]) == ("the second", 6)
    async with http.get(first["url"]) as response:
        assert await response.read() == b"first"


async def test_an_interaction_of_files_needs_no_text(api: Api) -> None:
    assert (await api("POST", MESSAGES, raw=form({}, ("files[0]", "a", b"x")))).status == 200
    assert (await api("POST", MESSAGES, raw=form(None, ("file", "a", b"x")))).status == 200


async def test_an_edit_keeps_the_attachments_it_names(api: Api) -> None:
    data = form({"content": "x"}, ("files[0]", "a", b"1"), ("files[1]", "b", b"2"))
    message = (await api("POST", MESSAGES, raw=data)).body
    keep = {"id": message["attachments"][1]["id"]}
    data = form({"attachments": [keep, {"id": 7}]}, ("files[7]", "c", b"3"))
    edited = (await api("PATCH", f"{MESSAGES}/{message['id']}", raw=data)).body
    assert [attachment["filename"] for attachment in edited["attachments"]] == ["b", "c"]


async def test_what_is_too_large_is_413(start: Start, http: aiohttp.ClientSession) -> None:
    api = Api(await start(upload_bytes=1000), http)
    status, body, _ = await api("POST", MESSAGES, content="x" * 2000)
    assert (status, body["code"]) == (413, 40005)
    data = form({"content": "x"}, ("files[0]", "a", b"x" * 2000))
    assert (await api("POST", MESSAGES, raw=data)).status == 413


async def test_a_file_that_is_not_there_is_404(simulator: Simulator, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{simulator.url}/_cdn/attachments/1/2/x") as response:
        assert response.status == 404


# ------------------------------------------------------------------ nonces


async def test_the_same_enforced_nonce_posts_once(api: Api, people: SimulatorClient, socket: Socket) -> None:
    order = {"content": "once", "nonce": "n1", "enforce_nonce": True}
    first = await api("POST", MESSAGES, order)
    again = await api("POST", MESSAGES, {**order, "content": "twice"})
    assert (again.status, again.body["id"], again.body["content"]) == (200, first.body["id"], "once")
    assert again.body["nonce"] == "n1"
    assert (await socket.until("MESSAGE_CREATE"))["nonce"] == "n1"
    assert len(await people.transcript()) == 1
    assert (await people.stats()).positions == 1


async def test_a_nonce_that_is_not_enforced_is_only_echoed(api: Api, people: SimulatorClient) -> None:
    for _ in range(2):
        assert (await api("POST", MESSAGES, content="x", nonce=7)).body["nonce"] == 7
    assert len(await people.transcript()) == 2
    assert (await api("POST", MESSAGES, content="x", nonce="7", enforce_nonce=True)).status == 200
    assert len(await people.transcript()) == 2


async def test_the_nonce_of_a_deleted_message_is_an_unknown_message(api: Api) -> None:
    order = {"content": "once", "nonce": "n1", "enforce_nonce": True}
    first = await api("POST", MESSAGES, order)
    await api("DELETE", f"{MESSAGES}/{first.body['id']}")
    assert (await api("POST", MESSAGES, order)).body["code"] == 10008


@pytest.mark.parametrize("nonce", ["x" * 26, [], {}, 10**25, 1.5])
async def test_a_nonce_is_a_number_or_a_short_text(api: Api, nonce: Any) -> None:
    status, body, _ = await api("POST", MESSAGES, content="x", nonce=nonce)
    assert (status, body["code"]) == (400, 50035)
    assert "nonce" in body["errors"]


async def test_a_nonce_is_forgotten_in_time(start: Start, http: aiohttp.ClientSession) -> None:
    simulator = await start(nonce_window_secs=0.1)
    api = Api(simulator, http)
    ids = set()
    for _ in range(2):
        ids.add((await api("POST", MESSAGES, content="x", nonce="n", enforce_nonce=True)).body["id"])
        await asyncio.sleep(0.15)
    assert len(ids) == 2


# ------------------------------------------------------------- rate limits


@pytest.fixture
async def limited(start: Start, http: aiohttp.ClientSession) -> Api:
    return Api(await start(rate_limits=True), http)


async def test_five_messages_in_five_seconds_then_429(limited: Api) -> None:
    answers = [await limited("POST", MESSAGES, content=f"{n}") for n in range(6)]
    assert [answer.status for answer in answers] == [200] * 5 + [429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == list("432100")
    last = answers[-1]
    assert last.headers["X-RateLimit-Limit"] == "5"
    assert last.headers["X-RateLimit-Scope"] == "user"
    assert last.headers["Via"]
    assert 4 < last.body["retry_after"] <= 5
    assert last.body["global"] is False
    assert int(last.headers["Retry-After"]) == 5
    assert abs(float(last.headers["X-RateLimit-Reset"]) - time.time() - last.body["retry_after"]) < 0.5


async def test_another_channel_has_its_own_window_of_the_same_bucket(limited: Api) -> None:
    one = await limited("POST", MESSAGES, content="x")
    two = await limited("POST", f"/channels/{RANDOM}/messages", content="x")
    assert one.headers["X-RateLimit-Bucket"] == two.headers["X-RateLimit-Bucket"]
    assert two.headers["X-RateLimit-Remaining"] == "4"


async def test_fifty_calls_a_second_in_all(limited: Api) -> None:
    answers = await asyncio.gather(*(limited("GET", f"/channels/{GENERAL}") for _ in range(51)))
    refused = [answer for answer in answers if answer.status == 429]
    assert len(refused) == 1
    assert refused[0].body["global"] is True
    assert refused[0].headers["X-RateLimit-Global"] == "true"
    assert refused[0].headers["X-RateLimit-Scope"] == "global"


async def test_limits_can_be_changed_and_switched_off(start: Start, http: aiohttp.ClientSession) -> None:
    simulator = await start(rate_limits=True, rate_limit_factor=0.2)
    api = Api(simulator, http)
    async with SimulatorClient(simulator.url) as people:
        assert [(await api("POST", MESSAGES, content="x")).status for _ in range(2)] == [200, 429]
        await people.set_rate_limits(enabled=False)
        answer = await api("POST", MESSAGES, content="x")
        assert answer.status == 200
        assert "X-RateLimit-Limit" not in answer.headers
        stats = await people.stats()
        assert (stats.rate_limited, stats.invalid_requests) == (1, 1)


async def test_too_many_invalid_requests_ban_the_address(start: Start, http: aiohttp.ClientSession) -> None:
    simulator = await start(invalid_request_limit=3)
    api = Api(simulator, http)
    api.token = "wrong"
    assert [(await api("GET", "/users/@me")).status for _ in range(3)] == [401] * 3
    api.token = simulator.token
    banned = await api("GET", "/users/@me")
    assert banned.status == 429
    assert "Via" not in banned.headers
    assert b"Cloudflare" in banned.body


# ------------------------------------------------------------------ faults


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_the_next_matching_calls_fail(api: Api, people: SimulatorClient, status: int) -> None:
    await people.add_fault(Fault(path="/channels/*/messages", method="POST", times=2, status=status))
    assert (await api("GET", MESSAGES)).status == 200
    assert [(await api("POST", MESSAGES, content="x")).status for _ in range(3)] == [status, status, 200]
    assert len(await people.transcript()) == 1


@pytest.mark.parametrize("scope", ["user", "global", "shared"])
async def test_a_429_can_be_asked_for(api: Api, people: SimulatorClient, scope: Any) -> None:
    await people.add_fault(Fault(status=429, retry_after=0.25, scope=scope))
    answer = await api("GET", "/users/@me")
    assert (answer.status, answer.body["retry_after"]) == (429, 0.25)
    assert answer.body["global"] is (scope == "global")
    assert answer.headers["X-RateLimit-Scope"] == scope
    assert answer.headers["Retry-After"] == "1"
    assert (await people.stats()).invalid_requests == (0 if scope == "shared" else 1)


async def test_the_connection_can_break_before_anything_happens(api: Api, people: SimulatorClient) -> None:
    await people.add_fault(Fault(reset=True, method="POST"))
    with pytest.raises(aiohttp.ClientConnectionError):
        await api("POST", MESSAGES, content="x")
    assert await people.transcript() == []


async def test_an_answer_can_be_lost_after_the_call_was_done(api: Api, people: SimulatorClient) -> None:
    order = {"content": "x", "nonce": "n", "enforce_nonce": True}
    await people.add_fault(Fault(reset=True, after=True, method="POST"))
    with pytest.raises(aiohttp.ClientConnectionError):
        await api("POST", MESSAGES, order)
    (line,) = await people.transcript()
    assert (await api("POST", MESSAGES, order)).body["id"] == line.id
    assert len(await people.transcript()) == 1


async def test_a_call_can_be_delayed(api: Api, people: SimulatorClient) -> None:
    await people.add_fault(Fault(delay=0.2))
    began = time.monotonic()
    assert (await api("GET", "/users/@me")).status == 200
    assert time.monotonic() - began >= 0.2


async def test_faults_can_be_taken_back(api: Api, people: SimulatorClient) -> None:
    await people.add_fault(Fault(status=500, times=100))
    await people.clear_faults()
    assert (await api("GET", "/users/@me")).status == 200


async def test_calls_are_counted_by_route_and_status(api: Api, people: SimulatorClient) -> None:
    await api("POST", MESSAGES, content="x")
    await api("GET", f"{MESSAGES}/1")
    assert (await people.stats()).rest == {
        "POST /channels/{channel_id}/messages 200": 1,
        "GET /channels/{channel_id}/messages/{message_id} 404": 1,
    }


# ---------------------------------------------------------------- commands


def command(name: str = "go", **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "does it", **more}


@pytest.fixture
async def commands(people: SimulatorClient) -> str:
    return f"/applications/{(await people.world())['bot']['id']}/guilds/{GUILD}/commands"


async def test_a_command_keeps_its_id_while_its_name_stays(api: Api, commands: str) -> None:
    (first,) = (await api("PUT", commands, [command()])).body
    (again,) = (await api("PUT", commands, [command(description="else")])).body
    assert again["id"] == first["id"]
    assert int(again["version"]) > int(first["version"])
    assert (await api("PUT", commands, [])).body == []


async def test_commands_one_by_one(api: Api, commands: str) -> None:
    status, made, _ = await api("POST", commands, command())
    assert (status, made["type"], made["guild_id"]) == (201, 1, GUILD)
    path = f"{commands}/{made['id']}"
    assert (await api("GET", path)).body == made
    edited = (await api("PATCH", path, name="went")).body
    assert (edited["id"], edited["name"], edited["description"]) == (made["id"], "went", "does it")
    assert [c["name"] for c in (await api("GET", commands)).body] == ["went"]
    assert (await api("DELETE", path)).status == 204
    assert (await api("GET", path)).body["code"] == 10063


@pytest.mark.parametrize(
    ("bad", "path", "complaint"),
    [
        ({"name": "Go"}, "0.name", "Command name is invalid"),
        ({"name": "two words"}, "0.name", "Command name is invalid"),
        ({"name": "x" * 33}, "0.name", "Must be between 1 and 32"),
        ({"description": ""}, "0.description", "This field is required"),
        ({"description": "x" * 101}, "0.description", "Must be between 1 and 100"),
        ({"type": 9}, "0.type", "Value must be one of"),
        ({"options": [command("a", type=12)]}, "0.options.0.type", "Value must be one of"),
        ({"options": [command(f"o{n}", type=3) for n in range(26)]}, "0.options", "25 or fewer"),
        ({"options": [command("a", type=3)] * 2}, "0.options", "Option names must be unique"),
        (
            {"options": [command("a", type=3), command("b", type=3, required=True)]},
            "0.options.1",
            "Required options must be placed before",
        ),
        (
            {"options": [command("sub", type=1, options=[{"type": 3, "name": "x"}])]},
            "0.options.0.options.0.description",
            "This field is required",
        ),
    ],
)
async def test_what_discord_would_not_register_is_refused(
    api: Api, commands: str, bad: dict[str, Any], path: str, complaint: str
) -> None:
    status, body, _ = await api("PUT", commands, [command(**bad)])
    assert (status, body["code"]) == (400, 50035)
    errors = body["errors"]
    for key in path.split("."):
        errors = errors[key]
    assert complaint in errors["_errors"][0]["message"]


async def test_command_names_are_unique_and_at_most_a_hundred(api: Api, commands: str) -> None:
    body = (await api("PUT", commands, [command(), command()])).body
    assert body["code"] == 50035
    assert "unique" in str(body["errors"])
    body = (await api("PUT", commands, [command(f"c{n}") for n in range(101)])).body
    assert body["code"] == 30032


async def test_commands_of_others_and_elsewhere_are_refused(api: Api, commands: str) -> None:
    assert (await api("GET", "/applications/1/commands")).body["code"] == 20012
    assert (await api("GET", commands.replace(GUILD, "77"))).body["code"] == 50001


# ----------------------------------------------------------------- webhooks


async def test_a_webhook_answers_only_when_asked_to_wait(api: Api, people: SimulatorClient) -> None:
    hook = (await api("POST", f"/channels/{GENERAL}/webhooks", name="news")).body
    path = f"/webhooks/{hook['id']}/{hook['token']}"
    api.token = None
    assert (await api("POST", path, content="silent", username="Herald")).status == 204
    told = await api("POST", f"{path}?wait=true", content="told")
    assert (told.status, told.body["webhook_id"]) == (200, hook["id"])
    lines = await people.transcript()
    assert [(line.author, line.content) for line in lines] == [("Herald", "silent"), ("news", "told")]
