"""The control interface: places, people, waiting, and who may use it."""

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar

import aiohttp
import pytest
from simulator_kit import ADA, BOB, GENERAL, GUILD, Api, Dialler, Socket, Start

from flora_simulator import (
    Attachment,
    ChannelSpec,
    FirehoseOrder,
    MemberSpec,
    NothingHappened,
    Simulator,
    SimulatorClient,
    SimulatorRefused,
    WorldSpec,
)
from flora_simulator.control.http import _from_this_machine

MESSAGES = f"/channels/{GENERAL}/messages"


async def test_the_world_lists_what_there_is(people: SimulatorClient) -> None:
    (guild,) = (await people.world())["guilds"]
    assert (guild["id"], guild["name"], guild["owner"]) == (GUILD, "garden", "ada")
    assert [channel["name"] for channel in guild["channels"]] == ["general", "random"]
    assert [member["name"] for member in guild["members"]] == ["ada", "flora", "bob"]


async def test_a_guild_appears_whole(people: SimulatorClient, socket: Socket) -> None:
    made = await people.create_guild(
        "lab", guild_id="77", owner="carol", channels=[ChannelSpec("bench")], members=[MemberSpec("dan")]
    )
    assert made == "77"
    guild = await socket.until("GUILD_CREATE")
    assert [channel["name"] for channel in guild["channels"]] == ["bench"]
    assert guild["member_count"] == 3
    with pytest.raises(SimulatorRefused, match="77 is already reserved"):
        await people.create_guild("again", guild_id="77")


async def test_being_kicked_and_an_outage_look_different(people: SimulatorClient, socket: Socket) -> None:
    await people.set_outage("garden", unavailable=True)
    assert await socket.until("GUILD_DELETE") == {"id": GUILD, "unavailable": True}
    await people.set_outage("garden", unavailable=False)
    await socket.until("GUILD_CREATE")
    await people.remove_guild("garden")
    assert await socket.until("GUILD_DELETE") == {"id": GUILD}


async def test_channels_and_threads_come_and_go(people: SimulatorClient, socket: Socket) -> None:
    channel = await people.create_channel("garden", "new", channel_id="555", topic="t")
    assert channel == "555"
    assert (await socket.until("CHANNEL_CREATE"))["topic"] == "t"
    thread = await people.create_channel("garden", "a thread", kind="thread", parent="new")
    assert (await socket.until("THREAD_CREATE"))["parent_id"] == channel
    await people.post("inside", channel=thread)
    await people.remove_channel(thread)
    assert (await socket.until("THREAD_DELETE"))["id"] == thread
    await people.remove_channel("#new")
    assert (await socket.until("CHANNEL_DELETE"))["id"] == channel
    with pytest.raises(SimulatorRefused, match="there is a channel 2001 already"):
        await people.create_channel("garden", "x", channel_id=GENERAL)
    with pytest.raises(SimulatorRefused, match="name the channel it starts in"):
        await people.create_channel("garden", "x", kind="thread")


async def test_members_and_roles_come_and_go(people: SimulatorClient, socket: Socket) -> None:
    eve = await people.add_member("garden", "eve", nick="E")
    joined = await socket.until("GUILD_MEMBER_ADD")
    assert (joined["user"]["id"], joined["nick"]) == (eve, "E")
    role = await people.create_role("garden", "helpers", permissions=1 << 13)
    await people.set_role("garden", "eve", "helpers", has=True)
    assert (await socket.until("GUILD_MEMBER_UPDATE"))["roles"] == [role]
    await people.set_role("garden", "eve", "@helpers", has=False)
    assert (await socket.until("GUILD_MEMBER_UPDATE"))["roles"] == []
    await people.remove_member("garden", "eve")
    assert (await socket.until("GUILD_MEMBER_REMOVE"))["user"]["username"] == "eve"
    with pytest.raises(SimulatorRefused, match="eve is no member of garden"):
        await people.remove_member("garden", "eve")


async def test_a_user_is_made_once(people: SimulatorClient) -> None:
    made = await people.create_user("zoe", user_id="99", global_name="Zoe")
    assert (made, await people.create_user("zoe")) == ("99", "99")


@pytest.mark.parametrize(
    ("channel", "user", "complaint"),
    [
        ("nowhere", None, r"no channel nowhere; there are: general \(2001\), random"),
        ("general", "nobody", "no user nobody; there are: .*bob"),
    ],
)
async def test_who_or_what_is_not_there_is_said(
    people: SimulatorClient, channel: str, user: str | None, complaint: str
) -> None:
    with pytest.raises(SimulatorRefused, match=complaint):
        await people.post("x", channel=channel, user=user)


async def test_a_name_that_is_not_unique_needs_an_id(people: SimulatorClient) -> None:
    await people.create_guild("lab")
    with pytest.raises(SimulatorRefused, match="2 channels are named general; give an id"):
        await people.post("x")


# ---------------------------------------------------------------- messages


async def test_people_edit_and_delete_their_messages(people: SimulatorClient, socket: Socket) -> None:
    act = await people.post("draft", user="bob")
    await people.edit("general", act.id, "final", user="bob")
    assert (await socket.until("MESSAGE_UPDATE"))["content"] == "final"
    (line,) = await people.transcript()
    assert [edit["content"] for edit in line.edits] == ["draft"]
    with pytest.raises(SimulatorRefused, match="ada cannot edit a message of bob"):
        await people.edit("general", act.id, "x", user="ada")
    await people.delete("general", act.id, user="ada")
    assert (await socket.until("MESSAGE_DELETE"))["id"] == act.id


async def test_permissions_bind_people_too(people: SimulatorClient, api: Api) -> None:
    act = await people.post("ada's", user="ada")
    await people.add_member("garden", "eve")
    with pytest.raises(SimulatorRefused, match="Missing Permissions"):
        await people.delete("general", act.id, user="eve")
    everyone = {"type": 0, "allow": "0", "deny": str(1 << 11)}
    await api("PUT", f"/channels/{GENERAL}/permissions/{GUILD}", everyone)
    with pytest.raises(SimulatorRefused, match="Missing Permissions"):
        await people.post("x", user="eve")
    await people.create_user("stranger")
    with pytest.raises(SimulatorRefused, match="Missing Access"):
        await people.post("x", user="stranger")


async def test_replies_and_reactions(people: SimulatorClient, socket: Socket) -> None:
    act = await people.post("question")
    await people.post("answer", user="bob", reply_to=act.id)
    await socket.until("MESSAGE_CREATE")
    assert (await socket.until("MESSAGE_CREATE"))["referenced_message"]["content"] == "question"
    await people.react("general", act.id, "👍", user="bob")
    assert (await socket.until("MESSAGE_REACTION_ADD"))["user_id"] == BOB
    assert (await people.transcript())[0].reactions == {"👍": 1}
    await people.react("general", act.id, "👍", user="bob", remove=True)
    await socket.until("MESSAGE_REACTION_REMOVE")
    assert (await people.transcript())[0].reactions == {}


async def test_an_empty_message_is_refused(people: SimulatorClient) -> None:
    with pytest.raises(SimulatorRefused, match="an empty message cannot be sent"):
        await people.post("")
    await people.create_channel("garden", "all", kind="category")
    with pytest.raises(SimulatorRefused, match="nobody can write in #all"):
        await people.post("x", channel="all")


async def test_a_transcript_has_its_limit(people: SimulatorClient) -> None:
    for number in range(5):
        await people.post(f"{number}")
    assert [line.content for line in await people.transcript(limit=2)] == ["3", "4"]
    assert await people.transcript(limit=0) == []


async def test_the_oldest_messages_of_a_channel_go_first(start: Start) -> None:
    simulator = await start(messages_per_channel=3)
    async with SimulatorClient(simulator.url) as people:
        for number in range(5):
            await people.post(f"{number}")
        assert [line.content for line in await people.transcript()] == ["2", "3", "4"]


# ----------------------------------------------------------------- waiting


async def test_waiting_returns_as_soon_as_the_bot_acts(people: SimulatorClient, api: Api) -> None:
    async def answer_later() -> None:
        await asyncio.sleep(0.1)
        await api("POST", MESSAGES, content="here")

    began = time.monotonic()
    waiting, _ = await asyncio.gather(people.wait(0), answer_later())
    assert 0.1 <= time.monotonic() - began < 2
    assert [action.kind for action in waiting.actions] == ["message"]
    assert waiting.position == 1


async def test_waiting_in_vain_ends(people: SimulatorClient) -> None:
    found = await people.wait(0, longest=0.05)
    assert (found.actions, found.position) == ([], 0)
    with pytest.raises(NothingHappened):
        await people.next_action(0, longest=0.01)


async def test_waiting_can_be_for_a_kind_or_a_channel(people: SimulatorClient, api: Api) -> None:
    message = (await api("POST", MESSAGES, content="one")).body["id"]
    await api("PUT", f"{MESSAGES}/{message}/reactions/x/@me")
    await api("POST", f"/channels/{GENERAL}/typing")
    await api("POST", "/channels/2002/messages", content="two")
    await api("PATCH", f"{MESSAGES}/{message}", content="edited")
    await api("DELETE", f"{MESSAGES}/{message}/reactions/x/@me")
    await api("DELETE", f"{MESSAGES}/{message}")
    await api("PUT", f"/guilds/{GUILD}/bans/{BOB}")
    everything = await people.wait(0)
    assert [action.kind for action in everything.actions] == [
        "message", "reaction", "typing", "message", "edit", "unreaction", "delete", "rest"
    ]  # fmt: skip
    assert everything.actions[-1].data == {"method": "PUT", "path": f"/guilds/{GUILD}/bans/{BOB}"}
    reaction = await people.next_action(0, kinds=["reaction"])
    assert reaction.message == {"id": message}
    assert (await people.next_action(0, channel="random")).channel == "2002"
    with pytest.raises(SimulatorRefused, match="no kind nonsense"):
        await people.wait(0, kinds=["nonsense"])  # pyright: ignore[reportArgumentType]


async def test_registered_commands_are_noted(people: SimulatorClient, api: Api) -> None:
    bot = (await people.world())["bot"]["id"]
    path = f"/applications/{bot}/guilds/{GUILD}/commands"
    await api("PUT", path, [{"name": "go", "description": "x"}])
    noted = await people.next_action(0, kinds=["commands"])
    assert (noted.guild, noted.data["names"]) == (GUILD, ["go"])
    assert await people.commands(guild=GUILD) == ["/go"]
    assert await people.commands() == []


async def test_entries_that_the_journal_dropped_are_counted(
    start: Start, http: aiohttp.ClientSession
) -> None:
    simulator = await start(journal_entries=2)
    api = Api(simulator, http)
    async with SimulatorClient(simulator.url) as people:
        for number in range(5):
            await api("POST", MESSAGES, content=f"{number}")
        found = await people.wait(1)
        assert [action.position for action in found.actions] == [4, 5]
        assert found.missed == 2


async def test_stopping_lets_those_who_wait_go(start: Start) -> None:
    simulator = await start()
    async with SimulatorClient(simulator.url) as people:
        waiting = asyncio.create_task(people.wait(0, longest=30))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await simulator.close()
        assert (await waiting).actions == []
        assert time.monotonic() - began < 1.5


# ---------------------------------------------------------------- firehose


async def test_the_firehose_spreads_numbered_messages_over_channels(
    people: SimulatorClient, socket: Socket
) -> None:
    await people.firehose(FirehoseOrder(count=500, content="number {n} at {t}", user="bob"))
    messages = [await socket.until("MESSAGE_CREATE") for _ in range(500)]
    numbers = [int(message["content"].split()[1]) for message in messages]
    assert numbers == list(range(500))
    assert {message["channel_id"] for message in messages} == {GENERAL, "2002"}
    ids = [int(message["id"]) for message in messages]
    assert ids == sorted(set(ids))
    assert messages[0]["author"]["id"] == BOB
    assert messages[0]["member"]["roles"]
    assert (await people.firehose_state()).sent == 500
    assert await people.transcript() == []


async def test_the_firehose_waits_for_a_slow_client(start: Start, dial: Dialler) -> None:
    simulator = await start(replay_events=400)
    socket = await dial(simulator.gateway_url)
    await socket.identify(simulator.token)
    async with SimulatorClient(simulator.url) as people:
        await people.firehose(FirehoseOrder(count=20_000, content="x" * 2000))
        await asyncio.sleep(0.3)
        state = await people.firehose_state()
        assert state.running
        assert state.sent < 20_000
        (session,) = await people.sessions()
        assert session.connected
        assert session.lag <= 400
        stopped = await people.stop_firehose()
        assert not stopped.running


async def test_the_firehose_keeps_its_rate(people: SimulatorClient, socket: Socket) -> None:
    began = time.monotonic()
    await people.firehose(FirehoseOrder(count=50, rate=200.0, channels=["random"]))
    for _ in range(50):
        await socket.until("MESSAGE_CREATE")
    assert 0.2 < time.monotonic() - began < 1.5


async def test_one_firehose_at_a_time(people: SimulatorClient, socket: Socket) -> None:
    await people.firehose(FirehoseOrder(count=10_000, rate=10.0))
    with pytest.raises(SimulatorRefused, match="the firehose is running"):
        await people.firehose(FirehoseOrder(count=1))
    await people.stop_firehose()
    with pytest.raises(SimulatorRefused, match="must not be negative"):
        await people.firehose(FirehoseOrder(count=-1))
    with pytest.raises(SimulatorRefused, match="no text channel"):
        await people.firehose(FirehoseOrder(count=1, channels=[]))


# ------------------------------------------------------------------ access


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Host": "evil.example"}, 403),
    ],
)
async def test_web_pages_from_elsewhere_are_kept_out(
    simulator: Simulator, http: aiohttp.ClientSession, headers: dict[str, str], status: int
) -> None:
    async with http.get(f"{simulator.url}/control/stats", headers=headers) as response:
        assert response.status == status


@pytest.mark.parametrize(
    ("peer", "host", "local"),
    [
        ("127.0.0.1", "127.0.0.1:80", True),
        ("127.8.9.1", "localhost", True),
        ("::1", "[::1]:80", True),
        ("10.0.0.7", "localhost", False),
        ("", "localhost", False),
        ("127.0.0.1", "10.0.0.7", False),
        ("127.0.0.1", "localhost.evil.example", False),
    ],
)
def test_peers_and_names_from_elsewhere_are_kept_out(peer: str, host: str, *, local: bool) -> None:
    class Request:
        remote = peer
        headers: ClassVar[dict[str, str]] = {}

    request: Any = Request()
    request.host = host
    assert _from_this_machine(request) is local


@pytest.mark.parametrize("body", [b"{", b'{"contents": "x"}', b'{"channel": 5}'])
async def test_a_malformed_order_is_explained(
    simulator: Simulator, http: aiohttp.ClientSession, body: bytes
) -> None:
    async with http.post(f"{simulator.url}/control/messages", data=body) as response:
        assert response.status == 400
        assert (await response.json())["message"]


async def test_a_number_that_is_none_is_explained(simulator: Simulator, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{simulator.url}/control/wait?timeout=long") as response:
        assert (await response.json())["message"] == "timeout: 'long' is not a number"


async def test_no_such_session_and_no_such_code(people: SimulatorClient, socket: Socket) -> None:
    with pytest.raises(SimulatorRefused, match="there is no session nope"):
        await people.drop("nope")
    with pytest.raises(SimulatorRefused, match="7 is no close code"):
        await people.close_gateway(7)
    assert [state.id for state in await people.sessions()] == [socket.session]


async def test_a_client_that_is_not_open_says_so(simulator: Simulator) -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await SimulatorClient(simulator.url).stats()


async def test_a_direct_message_is_between_two(people: SimulatorClient, api: Api) -> None:
    channel = await people.open_dm("bob")
    await people.post("hello bot", channel=channel, user="bob")
    assert (await api("POST", f"/channels/{channel}/messages", content="hello bob")).status == 200
    assert [line.author for line in await people.transcript(channel)] == ["bob", "flora"]
    with pytest.raises(SimulatorRefused, match="Missing Access"):
        await people.post("me too", channel=channel, user=ADA)


# ------------------------------------------------------- names and the rest


async def test_names_with_odd_characters_work(people: SimulatorClient) -> None:
    for name in ("a/b", "größe #1", "100%", "?x=1"):
        await people.create_channel("garden", name)
        await people.post("x", channel=name)
        assert [line.content for line in await people.transcript(name)] == ["x"]


async def test_a_voice_channel_and_a_category(people: SimulatorClient, socket: Socket) -> None:
    category = await people.create_channel("garden", "stuff", kind="category")
    await people.create_channel("garden", "talk", kind="voice", parent="stuff")
    await socket.until("CHANNEL_CREATE")
    made = await socket.until("CHANNEL_CREATE")
    assert (made["type"], made["parent_id"]) == (2, category)


async def test_a_thread_of_a_person_is_told_to_the_bot(people: SimulatorClient, socket: Socket) -> None:
    thread = await people.create_channel(
        "garden", "side", kind="private_thread", parent="general", channel_id="8001"
    )
    assert thread == "8001"
    created = await socket.until("THREAD_CREATE")
    assert (created["type"], created["guild_id"]) == (12, GUILD)


async def test_several_files_at_once(people: SimulatorClient, socket: Socket) -> None:
    files = [Attachment("a.png", b"1"), Attachment("b.bin", b"22")]
    await people.post(attachments=files)
    message = await socket.until("MESSAGE_CREATE")
    assert [(a["filename"], a["size"]) for a in message["attachments"]] == [("a.png", 1), ("b.bin", 2)]
    assert [a["content_type"] for a in message["attachments"]] == ["image/png", "application/octet-stream"]


async def test_a_reply_to_nothing_is_refused(people: SimulatorClient) -> None:
    with pytest.raises(SimulatorRefused, match="there is no message 5 in #general"):
        await people.post("x", reply_to="5")
    with pytest.raises(SimulatorRefused, match="there is no message abc"):
        await people.react("general", "abc", "x")


async def test_an_ephemeral_message_cannot_be_touched_by_others(
    people: SimulatorClient, api: Api, socket: Socket
) -> None:
    bot = (await people.world())["bot"]["id"]
    await api("PUT", f"/applications/{bot}/commands", [{"name": "go", "description": "x"}])
    await people.slash("/go")
    asked = await socket.until("INTERACTION_CREATE")
    path = f"/interactions/{asked['id']}/{asked['token']}/callback?with_response=1"
    answer = await api("POST", path, type=4, data={"content": "x", "flags": 64})
    message = answer.body["resource"]["message"]["id"]
    with pytest.raises(SimulatorRefused, match="bob cannot see message"):
        await people.react("general", message, "x", user="bob")


async def test_one_of_several_sessions_can_be_chosen(
    simulator: Simulator, dial: Dialler, people: SimulatorClient
) -> None:
    first, second = await dial(simulator.gateway_url), await dial(simulator.gateway_url)
    for socket in (first, second):
        await socket.identify(simulator.token)
    assert await people.drop(first.session) == 1
    assert await first.closed() == 1006
    await second.send(1)
    assert await second.until("GUILD_CREATE")
    states = {state.id: state.connected for state in await people.sessions()}
    assert states == {first.session: False, second.session: True}
    assert await people.drop() == 1


async def test_sessions_say_who_they_are(
    simulator: Simulator, dial: Dialler, people: SimulatorClient
) -> None:
    socket = await dial(simulator.gateway_url)
    await socket.identify(simulator.token, intents=1, shard=[0, 3])
    (state,) = await people.sessions()
    assert (state.shard, state.intents, state.compressed, state.lag) == ((0, 3), 1, False, 0)
    assert state.sequence == 2


async def test_a_person_can_be_made_before_any_guild(start: Start) -> None:
    simulator = await start(world=WorldSpec())
    async with SimulatorClient(simulator.url) as people:
        assert (await people.world())["guilds"] == []
        await people.create_user("first")
        await people.create_guild("new", owner="first")
        assert (await people.post("hello")).listeners == 0


async def test_the_firehose_numbers_and_times_its_messages(people: SimulatorClient, socket: Socket) -> None:
    before = time.time_ns()
    await people.firehose(FirehoseOrder(count=3, content="{t} {n} {other}", guilds=["garden"]))
    messages = [await socket.until("MESSAGE_CREATE") for _ in range(3)]
    for number, message in enumerate(messages):
        at, n, other = message["content"].split()
        assert before <= int(at) <= time.time_ns()
        assert (n, other) == (str(number), "{other}")
        assert message["guild_id"] == GUILD
        assert message["timestamp"].startswith("20")


async def test_the_firehose_can_have_quotes_in_it(people: SimulatorClient, socket: Socket) -> None:
    await people.firehose(FirehoseOrder(count=1, content='say "hi"\n\\{n}'))
    assert (await socket.until("MESSAGE_CREATE"))["content"] == 'say "hi"\n\\0'


async def test_the_firehose_runs_with_nobody_listening(people: SimulatorClient) -> None:
    await people.firehose(FirehoseOrder(count=1_000))
    async with asyncio.timeout(5):
        while (state := await people.firehose_state()).running:
            await asyncio.sleep(0.01)
    assert (state.sent, state.count) == (1_000, 1_000)


async def test_a_refusal_without_json_is_shown_as_it_is(simulator: Simulator) -> None:
    async with SimulatorClient(simulator.url + "/elsewhere") as people:
        with pytest.raises(SimulatorRefused, match="404") as refused:
            await people.stats()
    assert refused.value.status == 404
