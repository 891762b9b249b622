"""The life of an interaction, seen from REST and the gateway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from simulator_kit import ADA, GENERAL, GUILD, MODS, RANDOM, Answer, Api, Dialler, Socket, Start

from flora_simulator import Attachment, ChannelSpec, Simulator, SimulatorClient, SimulatorRefused

DISCORD_EPOCH_MS = 1420070400000

Register = Callable[..., Awaitable[Answer]]


def slash(name: str, *options: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "does it", "type": 1, "options": list(options), **more}


def option(name: str, kind: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "what", "type": kind, **more}


@pytest.fixture
async def register(api: Api, people: SimulatorClient) -> Register:
    bot = (await people.world())["bot"]["id"]

    async def put(*commands: dict[str, Any], guild: str | None = GUILD) -> Answer:
        scope = f"/guilds/{guild}" if guild is not None else ""
        return await api("PUT", f"/applications/{bot}{scope}/commands", list(commands))

    return put


@pytest.fixture
async def asked(register: Register, people: SimulatorClient, socket: Socket) -> dict[str, Any]:
    """The INTERACTION_CREATE of a slash command by ada."""
    await register(slash("go"))
    await people.slash("/go")
    return await socket.until("INTERACTION_CREATE")


def callback(interaction: dict[str, Any]) -> str:
    return f"/interactions/{interaction['id']}/{interaction['token']}/callback"


def webhook(interaction: dict[str, Any]) -> str:
    return f"/webhooks/{interaction['application_id']}/{interaction['token']}"


async def test_the_id_carries_the_current_time(asked: dict[str, Any]) -> None:
    made_at = ((int(asked["id"]) >> 22) + DISCORD_EPOCH_MS) / 1000
    assert abs(time.time() - made_at) < 2


async def test_the_payload_says_who_where_and_what(asked: dict[str, Any]) -> None:
    assert (asked["type"], asked["guild_id"], asked["channel_id"]) == (2, GUILD, GENERAL)
    assert asked["member"]["user"]["id"] == ADA
    assert int(asked["member"]["permissions"]) & 8
    assert asked["data"]["name"] == "go"
    assert asked["version"] == 1


async def test_a_callback_needs_no_token_and_says_nothing_unless_asked(
    asked: dict[str, Any], api: Api
) -> None:
    api.token = None
    answer = await api("POST", callback(asked), type=4, data={"content": "hi"})
    assert (answer.status, answer.body) == (204, b"")


async def test_with_response_returns_the_message(asked: dict[str, Any], api: Api) -> None:
    path = callback(asked) + "?with_response=true"
    status, body, _ = await api("POST", path, type=4, data={"content": "hi"})
    assert status == 200
    assert body["resource"]["message"]["content"] == "hi"
    assert body["interaction"]["response_message_id"] == body["resource"]["message"]["id"]


async def test_a_second_answer_is_refused(asked: dict[str, Any], api: Api) -> None:
    await api("POST", callback(asked), type=5)
    status, body, _ = await api("POST", callback(asked), type=4, data={"content": "again"})
    assert (status, body["code"]) == (400, 40060)


async def test_an_answer_that_failed_may_be_tried_again(asked: dict[str, Any], api: Api) -> None:
    assert (await api("POST", callback(asked), type=4, data={"content": "x" * 2001})).status == 400
    assert (await api("POST", callback(asked), type=4, data={"content": "short"})).status == 204


async def test_after_three_seconds_the_interaction_is_unknown(
    start: Start, http: aiohttp.ClientSession, dial: Dialler
) -> None:
    simulator = await start(interaction_window_secs=0.2)
    api = Api(simulator, http)
    socket = await dial(simulator.gateway_url)
    await socket.identify(simulator.token)
    async with SimulatorClient(simulator.url) as people:
        bot = (await people.world())["bot"]["id"]
        await api("PUT", f"/applications/{bot}/commands", [slash("go")])
        act = await people.slash("/go")
        asked = await socket.until("INTERACTION_CREATE")
        gone = await people.next_action(act.position, kinds=["unanswered"])
        assert gone.interaction == act.id
        status, body, _ = await api("POST", callback(asked), type=4, data={"content": "late"})
        assert (status, body) == (404, {"message": "Unknown interaction", "code": 10062})
        assert (await api("POST", webhook(asked), content="later")).body["code"] == 10015


async def test_an_answer_in_time_lets_followups_come_later(
    start: Start, http: aiohttp.ClientSession, dial: Dialler
) -> None:
    simulator = await start(interaction_window_secs=0.6)
    api = Api(simulator, http)
    socket = await dial(simulator.gateway_url)
    await socket.identify(simulator.token)
    async with SimulatorClient(simulator.url) as people:
        bot = (await people.world())["bot"]["id"]
        await api("PUT", f"/applications/{bot}/commands", [slash("go")])
        await people.slash("/go")
        asked = await socket.until("INTERACTION_CREATE")
        await api("POST", callback(asked), type=5)
        await asyncio.sleep(0.65)
        original = f"{webhook(asked)}/messages/@original"
        assert (await api("PATCH", original, content="done")).status == 200
        assert (await api("POST", webhook(asked), content="more")).status == 200


async def test_a_wrong_token_is_an_unknown_interaction(asked: dict[str, Any], api: Api) -> None:
    status, body, _ = await api("POST", f"/interactions/{asked['id']}/wrong/callback", type=5)
    assert (status, body["code"]) == (404, 10062)


async def test_original_and_followups_can_be_read_edited_and_deleted(asked: dict[str, Any], api: Api) -> None:
    await api("POST", callback(asked), type=4, data={"content": "one"})
    original = f"{webhook(asked)}/messages/@original"
    assert (await api("GET", original)).body["content"] == "one"
    assert (await api("PATCH", original, content="two")).body["content"] == "two"
    followup = (await api("POST", webhook(asked), content="three")).body
    path = f"{webhook(asked)}/messages/{followup['id']}"
    assert (await api("PATCH", path, content="four")).body["content"] == "four"
    assert (await api("DELETE", path)).status == 204
    assert (await api("DELETE", original.replace("@", "%40"))).status == 204
    assert (await api("GET", original)).body["code"] == 10008


async def test_a_deferred_answer_shows_as_thinking(
    asked: dict[str, Any], api: Api, people: SimulatorClient
) -> None:
    await api("POST", callback(asked), type=5, data={"flags": 64})
    (line,) = await people.transcript()
    assert line.thinking
    assert line.ephemeral
    await api("PATCH", f"{webhook(asked)}/messages/@original", content="thought")
    (line,) = await people.transcript()
    assert (line.thinking, line.ephemeral, line.content) == (False, True, "thought")


async def test_an_ephemeral_answer_is_not_on_the_gateway_nor_in_the_history(
    asked: dict[str, Any], api: Api, people: SimulatorClient, socket: Socket
) -> None:
    await api("POST", callback(asked), type=4, data={"content": "psst", "flags": 64})
    await people.post("aloud")
    assert (await socket.until("MESSAGE_CREATE"))["content"] == "aloud"
    assert [m["content"] for m in (await api("GET", f"/channels/{GENERAL}/messages")).body] == ["aloud"]


# ------------------------------------------------------------------- slash


async def options_of(socket: Socket) -> list[dict[str, Any]]:
    return (await socket.until("INTERACTION_CREATE"))["data"]["options"]


async def test_subcommands_nest(register: Register, people: SimulatorClient, socket: Socket) -> None:
    ban = option("ban", 1, options=[option("who", 6, required=True), option("why", 3)])
    await register(slash("admin", option("users", 2, options=[ban])))
    assert await people.commands(guild="garden") == ["/admin users ban who:<user> [why:<string>]"]
    await people.slash("/admin users ban who:bob why:too loud: really")
    (group,) = await options_of(socket)
    assert (group["name"], group["type"]) == ("users", 2)
    (sub,) = group["options"]
    assert [(o["name"], o["value"]) for o in sub["options"]] == [
        ("who", "4002"),
        ("why", "too loud: really"),
    ]


async def test_every_kind_of_option_is_sent_as_discord_does(
    register: Register, people: SimulatorClient, socket: Socket
) -> None:
    kinds = {"s": 3, "i": 4, "b": 5, "u": 6, "c": 7, "r": 8, "m": 9, "n": 10}
    await register(slash("all", *(option(name, kind) for name, kind in kinds.items())))
    await people.slash("/all s:x i:-3 b:yes u:<@4002> c:<#2002> r:mods m:@mods n:1.5")
    payload = await socket.until("INTERACTION_CREATE")
    values = {o["name"]: o["value"] for o in payload["data"]["options"]}
    assert values == {
        "s": "x", "i": -3, "b": True, "u": "4002", "c": RANDOM, "r": MODS, "m": MODS, "n": 1.5
    }  # fmt: skip
    resolved = payload["data"]["resolved"]
    assert resolved["users"]["4002"]["username"] == "bob"
    assert resolved["members"]["4002"]["roles"] == [MODS]
    assert "user" not in resolved["members"]["4002"]
    assert resolved["channels"][RANDOM]["name"] == "random"
    assert resolved["roles"][MODS]["name"] == "mods"


async def test_a_choice_can_be_typed_by_its_name(
    register: Register, people: SimulatorClient, socket: Socket
) -> None:
    choices = [{"name": "Bright red", "value": "r"}, {"name": "Green", "value": "g"}]
    await register(slash("paint", option("colour", 3, choices=choices)))
    await people.slash("/paint colour:Bright red")
    assert (await options_of(socket))[0]["value"] == "r"
    with pytest.raises(SimulatorRefused, match="only allows"):
        await people.slash("/paint colour:blue")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("/add", r"/add needs option a; usage: /add a:<integer> \[to:<user>\]"),
        ("/add a:one", "Option 'a' of '/add' expects .*an integer|a integer"),
        ("/add a:11", "must be ≤ 10"),
        ("/add b:1", r"/add has no option b; usage: /add a:<integer>"),
        ("/add 1", "does not understand '1'"),
        ("/add a:1 to:nobody", "no user nobody; there are: .*ada"),
        ("/add a:1 a:2", "option a is given twice"),
        ("add a:1", "is no slash command"),
        ("/sub a:1", "there is no command /sub; there are: /add"),
    ],
)
async def test_what_is_typed_wrongly_is_explained(
    register: Register, people: SimulatorClient, text: str, complaint: str
) -> None:
    await register(slash("add", option("a", 4, required=True, max_value=10), option("to", 6)))
    with pytest.raises(SimulatorRefused, match=complaint):
        await people.slash(text)


async def test_who_lacks_the_permissions_is_not_offered_the_command(
    register: Register, people: SimulatorClient
) -> None:
    await register(slash("ban", default_member_permissions=str(1 << 2)))
    with pytest.raises(SimulatorRefused, match=r"bob is not offered /ban .* permissions"):
        await people.slash("/ban", user="bob")
    await people.slash("/ban", user="ada")


async def test_a_guild_command_hides_the_global_one(
    register: Register, people: SimulatorClient, socket: Socket
) -> None:
    await register(slash("same", option("old", 3)), guild=None)
    await register(slash("same", option("new", 3)))
    await people.slash("/same new:x")
    assert (await socket.until("INTERACTION_CREATE"))["data"]["guild_id"] == GUILD


async def test_autocomplete_sends_what_is_typed_so_far(
    register: Register, people: SimulatorClient, socket: Socket
) -> None:
    await register(slash("find", option("what", 3, required=True, autocomplete=True), option("n", 4)))
    act = await people.autocomplete("/find n:2 what:ap", "what")
    payload = await socket.until("INTERACTION_CREATE")
    assert payload["type"] == 4
    assert payload["data"]["options"] == [
        {"name": "n", "type": 4, "value": 2},
        {"name": "what", "type": 3, "value": "ap", "focused": True},
    ]
    assert act.listeners == 1
    with pytest.raises(SimulatorRefused, match="no option n with autocomplete"):
        await people.autocomplete("/find n:2", "n")


async def test_user_commands_resolve_their_target(
    register: Register, people: SimulatorClient, socket: Socket
) -> None:
    await register({"name": "Who is", "type": 2})
    await people.context_menu("Who is", target_user="bob")
    payload = await socket.until("INTERACTION_CREATE")
    assert payload["data"]["target_id"] == "4002"
    assert payload["data"]["resolved"]["users"]["4002"]["username"] == "bob"
    with pytest.raises(SimulatorRefused, match=r"no user command Nope; there are: \['Who is'\]"):
        await people.context_menu("Nope", target_user="bob")
    with pytest.raises(SimulatorRefused, match="either a user or a message"):
        await people.context_menu("Who is")


async def test_nobody_there_is_said(register: Register, people: SimulatorClient) -> None:
    await register(slash("go"))
    assert (await people.slash("/go")).listeners == 0


# -------------------------------------------------------------- components


def row(*components: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": list(components)}


def button(custom_id: str, **more: Any) -> dict[str, Any]:
    return {"type": 2, "style": 1, "label": custom_id, "custom_id": custom_id, **more}


async def test_a_click_goes_to_the_latest_message_that_has_the_button(
    api: Api, people: SimulatorClient, socket: Socket
) -> None:
    path = f"/channels/{GENERAL}/messages"
    first = (await api("POST", path, content="1", components=[row(button("a"))])).body["id"]
    second = (await api("POST", path, content="2", components=[row(button("a"))])).body["id"]
    await api("POST", path, content="3", components=[row(button("b"))])
    await people.click("a")
    payload = await socket.until("INTERACTION_CREATE")
    assert (payload["type"], payload["message"]["id"]) == (3, second)
    assert payload["data"]["component_type"] == 2
    await people.click("a", message=first)
    assert (await socket.until("INTERACTION_CREATE"))["message"]["id"] == first


async def test_what_cannot_be_clicked_is_explained(api: Api, people: SimulatorClient) -> None:
    link = {"type": 2, "style": 5, "label": "out", "url": "https://example.org"}
    components = [row(button("off", disabled=True), button("on"), link)]
    await api("POST", f"/channels/{GENERAL}/messages", content="x", components=components)
    with pytest.raises(SimulatorRefused, match=r"off on message .* is disabled"):
        await people.click("off")
    with pytest.raises(SimulatorRefused, match="ada sees no gone on #general; there is: off, on"):
        await people.click("gone")
    with pytest.raises(SimulatorRefused, match="there is no message 1 in #general"):
        await people.click("on", message="1")


async def test_only_the_one_who_sees_an_ephemeral_message_can_click_on_it(
    asked: dict[str, Any], api: Api, people: SimulatorClient
) -> None:
    data = {"content": "x", "flags": 64, "components": [row(button("mine"))]}
    await api("POST", callback(asked), type=4, data=data)
    with pytest.raises(SimulatorRefused, match="bob sees no mine"):
        await people.click("mine", user="bob")
    assert (await people.click("mine", user="ada")).listeners == 1


async def test_a_deferred_update_edits_the_message_that_was_clicked(
    api: Api, people: SimulatorClient, socket: Socket
) -> None:
    path = f"/channels/{GENERAL}/messages"
    posted = (await api("POST", path, content="1", components=[row(button("a"))])).body["id"]
    act = await people.click("a")
    payload = await socket.until("INTERACTION_CREATE")
    await api("POST", callback(payload), type=6)
    assert (await people.next_action(act.position)).kind == "defer"
    await api("PATCH", f"{webhook(payload)}/messages/@original", content="2")
    (line,) = await people.transcript()
    assert (line.id, line.content) == (posted, "2")


async def test_entity_selects_resolve_what_was_chosen(
    api: Api, people: SimulatorClient, socket: Socket
) -> None:
    menu = {"type": 5, "custom_id": "who", "min_values": 1, "max_values": 2}
    await api("POST", f"/channels/{GENERAL}/messages", content="x", components=[row(menu)])
    await people.select("who", ["bob", "ada"])
    data = (await socket.until("INTERACTION_CREATE"))["data"]
    assert data["values"] == ["4002", "4001"]
    assert set(data["resolved"]["users"]) == {"4001", "4002"}
    with pytest.raises(SimulatorRefused, match="who takes 1 to 2 values, not 3"):
        await people.select("who", ["bob", "ada", "flora"])
    with pytest.raises(SimulatorRefused, match="chosen twice"):
        await people.select("who", ["bob", "bob"])
    with pytest.raises(SimulatorRefused, match="choose at least one"):
        await people.select("who", [])


async def test_a_string_select_takes_its_options_only(api: Api, people: SimulatorClient) -> None:
    menu = {"type": 3, "custom_id": "c", "options": [{"label": "Red", "value": "r"}]}
    await api("POST", f"/channels/{GENERAL}/messages", content="x", components=[row(menu)])
    with pytest.raises(SimulatorRefused, match="c has no option 'x'; it has: r"):
        await people.select("c", ["x"])


# ------------------------------------------------------------------ modals


def text_input(custom_id: str, **more: Any) -> dict[str, Any]:
    return row({"type": 4, "style": 1, "label": custom_id, "custom_id": custom_id, **more})


@pytest.fixture
async def modal(asked: dict[str, Any], api: Api) -> dict[str, Any]:
    """A modal with a required field of two to five letters, an optional one and a labelled menu."""
    colours = [{"label": "Red", "value": "r"}, {"label": "Green", "value": "g"}]
    menu = {"type": 3, "custom_id": "colour", "required": False, "options": colours}
    components = [
        text_input("name", min_length=2, max_length=5),
        text_input("note", required=False),
        {"type": 18, "label": "Colour", "component": menu},
    ]
    data = {"custom_id": "form", "title": "Form", "components": components}
    answer = await api("POST", callback(asked), type=9, data=data)
    assert answer.status == 204, answer
    return data


async def test_a_modal_is_submitted_with_its_fields(
    modal: dict[str, Any], people: SimulatorClient, socket: Socket
) -> None:
    act = await people.submit_modal({"name": "Ada", "colour": ["g"]})
    payload = await socket.until("INTERACTION_CREATE")
    assert (payload["type"], payload["id"]) == (5, act.id)
    assert payload["data"]["custom_id"] == "form"
    name, note, label = payload["data"]["components"]
    assert name["components"][0]["value"] == "Ada"
    assert note["components"][0]["value"] == ""
    assert label["component"]["values"] == ["g"]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({}, "modal field name is required"),
        ({"name": "Augusta"}, "name takes 2 to 5 characters, not 7"),
        ({"name": "Ada", "age": "1"}, "no field age; it has: name, note, colour"),
        ({"name": ["Ada"]}, "name is a text"),
        ({"name": "Ada", "colour": "blue"}, "colour has no option 'blue'; it has: r, g"),
    ],
)
async def test_a_modal_filled_in_wrongly_is_explained(
    modal: dict[str, Any], people: SimulatorClient, fields: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(SimulatorRefused, match=complaint):
        await people.submit_modal(fields)


async def test_a_modal_can_be_submitted_once_and_by_its_opener_only(
    modal: dict[str, Any], people: SimulatorClient
) -> None:
    with pytest.raises(SimulatorRefused, match=r"no modal .*open to bob"):
        await people.submit_modal({"name": "Bob"}, user="bob")
    with pytest.raises(SimulatorRefused, match=r"no modal other is open to ada; open: \['form'\]"):
        await people.submit_modal({"name": "Ada"}, custom_id="other")
    await people.submit_modal({"name": "Ada"}, custom_id="form")
    with pytest.raises(SimulatorRefused, match="no modal"):
        await people.submit_modal({"name": "Ada"})


async def test_an_interaction_that_is_not_there_is_said(people: SimulatorClient) -> None:
    with pytest.raises(SimulatorRefused, match="there is no interaction 12"):
        await people.interaction("12")


async def test_messages_and_interactions_have_growing_ids(
    simulator: Simulator, register: Register, people: SimulatorClient
) -> None:
    await register(slash("go"))
    ids = [(await people.post("x")).id, (await people.slash("/go")).id, (await people.post("y")).id]
    assert ids == sorted(ids, key=int)
    assert len(set(ids)) == 3


# ------------------------------------------------- attachments, DMs, edges


async def test_a_file_can_be_an_option(
    register: Register, people: SimulatorClient, socket: Socket, http: aiohttp.ClientSession
) -> None:
    await register(slash("scan", option("file", 11, required=True)))
    await people.slash("/scan file:cat.png", attachments=[Attachment("cat.png", b"meow")])
    data = (await socket.until("INTERACTION_CREATE"))["data"]
    (chosen,) = data["options"]
    attachment = data["resolved"]["attachments"][chosen["value"]]
    assert (attachment["filename"], attachment["content_type"]) == ("cat.png", "image/png")
    async with http.get(attachment["url"]) as response:
        assert await response.read() == b"meow"
    with pytest.raises(SimulatorRefused, match=r"no attachment named 'dog.png'; there are: \['cat.png'\]"):
        await people.slash("/scan file:dog.png", attachments=[Attachment("cat.png", b"meow")])


async def test_in_a_direct_message_there_are_users_but_no_roles(
    register: Register, people: SimulatorClient, socket: Socket
) -> None:
    await register(slash("who", option("person", 6), option("role", 8)), guild=None)
    channel = await people.open_dm("bob")
    await people.slash("/who person:ada", channel=channel, user="bob")
    payload = await socket.until("INTERACTION_CREATE")
    assert (payload["user"]["id"], payload["context"]) == ("4002", 1)
    assert "member" not in payload
    assert set(payload["data"]["resolved"]) == {"users"}
    with pytest.raises(SimulatorRefused, match="no roles in a direct message"):
        await people.slash("/who role:mods", channel=channel, user="bob")
    with pytest.raises(SimulatorRefused, match="cannot see"):
        await people.slash("/who", channel=channel, user="ada")


async def test_a_guild_only_command_is_not_offered_in_a_direct_message(
    register: Register, people: SimulatorClient
) -> None:
    await register(slash("here", dm_permission=False), guild=None)
    with pytest.raises(SimulatorRefused, match=r"not offered /here .*: it is not offered here"):
        await people.slash("/here", channel=await people.open_dm("bob"), user="bob")


async def test_a_channel_of_another_guild_cannot_be_chosen(
    register: Register, people: SimulatorClient
) -> None:
    await register(slash("move", option("where", 7)))
    await people.create_guild("lab", channels=[ChannelSpec("bench")])
    with pytest.raises(SimulatorRefused, match="ada cannot see #bench here"):
        await people.slash("/move where:bench")


async def test_a_link_says_nothing_to_the_bot(api: Api, people: SimulatorClient) -> None:
    premium = {"type": 2, "style": 6, "sku_id": "1"}
    link = {"type": 2, "style": 5, "label": "out", "url": "https://example.org"}
    await api("POST", f"/channels/{GENERAL}/messages", content="x", components=[row(link, premium)])
    with pytest.raises(SimulatorRefused, match="ada sees no out on #general; there is: nothing to click"):
        await people.click("out")


async def test_booleans_and_numbers_are_checked(register: Register, people: SimulatorClient) -> None:
    await register(
        slash("set", option("on", 5), option("size", 10, min_value=1), option("word", 3, max_length=3))
    )
    for text, complaint in (
        ("/set on:maybe", "option on is a boolean; give true or false, not 'maybe'"),
        ("/set size:big", r"expects a decimal string \(a number; typed: 'big'\)"),
        ("/set size:0.5", "must be ≥ 1"),
        ("/set word:four", "must be at most 3 characters"),
    ):
        with pytest.raises(SimulatorRefused, match=complaint):
            await people.slash(text)


async def test_a_message_command_resolves_its_target(
    register: Register, people: SimulatorClient, socket: Socket
) -> None:
    await register({"name": "Quote", "type": 3})
    said = await people.post("said")
    await people.context_menu("Quote", target_message=said.id)
    data = (await socket.until("INTERACTION_CREATE"))["data"]
    assert (data["type"], data["target_id"]) == (3, said.id)
    assert data["resolved"]["messages"][said.id]["content"] == "said"


async def test_a_pong_and_an_unknown_callback(asked: dict[str, Any], api: Api) -> None:
    assert (await api("POST", callback(asked), type=77)).body["code"] == 50035
    assert (await api("POST", callback(asked))).body["code"] == 50035
    assert (await api("POST", callback(asked), type=1)).status == 204


async def test_a_followup_to_a_deferred_answer_completes_it(
    asked: dict[str, Any], api: Api, people: SimulatorClient
) -> None:
    await api("POST", callback(asked), type=5)
    await api("POST", webhook(asked), content="here it is")
    kinds = [action.kind for action in (await people.wait(0)).actions]
    assert kinds == ["commands", "defer", "edit"]
    assert [line.content for line in await people.transcript()] == ["here it is"]


async def test_an_update_without_a_message_is_refused(asked: dict[str, Any], api: Api) -> None:
    assert (await api("POST", callback(asked), type=7, data={"content": "x"})).body["code"] == 50035


async def test_choices_go_back_to_the_one_who_types(
    register: Register, api: Api, people: SimulatorClient, socket: Socket
) -> None:
    await register(slash("find", option("what", 3, autocomplete=True)))
    act = await people.autocomplete("/find", "what", user="bob")
    payload = await socket.until("INTERACTION_CREATE")
    choices = [{"name": "Apple", "value": "a"}]
    await api("POST", callback(payload), type=8, data={"choices": choices})
    answer = await people.next_action(act.position)
    assert (answer.kind, answer.seen_by, answer.data) == ("choices", "4002", {"choices": choices})
    assert (await people.interaction(act.id)).choices == choices


async def test_the_permissions_of_user_and_bot_are_told(
    register: Register, api: Api, people: SimulatorClient, socket: Socket
) -> None:
    await register(slash("go"))
    await people.slash("/go", user="bob")
    payload = await socket.until("INTERACTION_CREATE")
    manage_messages = 1 << 13
    assert int(payload["member"]["permissions"]) & manage_messages
    assert int(payload["app_permissions"]) & manage_messages
    assert not int(payload["member"]["permissions"]) & 8


async def test_a_component_keeps_its_number(api: Api, people: SimulatorClient, socket: Socket) -> None:
    """With the flag for layouts, components have ids of their own, which come back with the click."""
    components = [{"type": 10, "content": "text", "id": 5}, row(button("go", id=9))]
    answer = await api("POST", f"/channels/{GENERAL}/messages", flags=1 << 15, components=components)
    assert answer.status == 200, answer
    await people.click("go")
    assert (await socket.until("INTERACTION_CREATE"))["data"]["id"] == 9


async def test_a_menu_may_allow_nothing(api: Api, people: SimulatorClient, socket: Socket) -> None:
    menu = {"type": 3, "custom_id": "c", "min_values": 0, "options": [{"label": "Red", "value": "r"}]}
    await api("POST", f"/channels/{GENERAL}/messages", content="x", components=[row(menu)])
    await people.select("c", [])
    assert (await socket.until("INTERACTION_CREATE"))["data"]["values"] == []
