"""The gateway protocol on raw sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import discord
import msgspec
import pytest
from simulator_kit import ADA, ALL_INTENTS, GENERAL, GUILD, PATIENCE, Api, Dialler, Socket, Start

from flora_simulator import GuildSpec, Simulator, SimulatorClient, WorldSpec


async def test_hello_comes_first_with_the_heartbeat_interval(start: Start, dial: Dialler) -> None:
    simulator = await start(heartbeat_interval_secs=7.5)
    socket = await dial.dial(simulator.gateway_url)
    assert (await socket.op(10))["heartbeat_interval"] == 7500


async def test_ready_names_the_session_and_the_guilds_follow(simulator: Simulator, dial: Dialler) -> None:
    socket = await dial(simulator.gateway_url)
    ready = await socket.identify(simulator.token)
    assert ready["user"]["username"] == "flora"
    assert ready["application"]["id"] == ready["user"]["id"]
    assert ready["guilds"] == [{"id": GUILD, "unavailable": True}]
    assert ready["resume_gateway_url"] == f"ws://127.0.0.1:{simulator.port}/gateway/resume"
    guild = await socket.until("GUILD_CREATE")
    assert [channel["name"] for channel in guild["channels"]] == ["general", "random"]


async def test_events_are_numbered_without_a_gap(socket: Socket, people: SimulatorClient) -> None:
    before = socket.sequence
    for number in range(5):
        await people.post(f"{number}")
    frames = [await socket.read() for _ in range(5)]
    assert [frame["s"] for frame in frames] == list(range(before + 1, before + 6))
    assert [frame["d"]["content"] for frame in frames] == list("01234")


async def test_keys_come_in_discords_order(simulator: Simulator, dial: Dialler) -> None:
    socket = await dial(simulator.gateway_url)
    await socket.send(2, {"token": simulator.token, "intents": 0})
    text = (await socket.ws.receive(timeout=PATIENCE)).data
    assert text.startswith('{"t":"READY","s":1,"op":0,"d":{')


async def test_zlib_stream_shares_one_context_and_ends_each_frame_with_a_sync_flush(
    simulator: Simulator, dial: Dialler, people: SimulatorClient
) -> None:
    socket = await dial.dial(simulator.gateway_url, compress="zlib-stream")
    await socket.op(10)
    await socket.identify(simulator.token)
    await people.post("compressed")
    assert (await socket.until("MESSAGE_CREATE"))["content"] == "compressed"
    assert (await people.sessions())[0].compressed


async def test_a_compression_that_is_not_spoken_falls_back_to_plain_text(
    simulator: Simulator, dial: Dialler
) -> None:
    socket = await dial.dial(simulator.gateway_url, compress="zstd-stream")
    assert (await socket.ws.receive(timeout=PATIENCE)).type is aiohttp.WSMsgType.TEXT


async def test_a_heartbeat_is_acknowledged(socket: Socket) -> None:
    await socket.send(1, socket.sequence)
    assert await socket.op(11) is None


async def test_a_zombie_acknowledges_nothing(socket: Socket, people: SimulatorClient) -> None:
    await people.set_gateway(acks=False)
    await socket.send(1, socket.sequence)
    await people.post("the next thing")
    assert (await socket.read())["t"] == "MESSAGE_CREATE"


async def test_the_server_can_ask_for_a_heartbeat(socket: Socket, people: SimulatorClient) -> None:
    assert await people.ask_heartbeat() == 1
    await socket.op(1)


async def test_a_client_whose_heart_stopped_is_closed(start: Start, dial: Dialler) -> None:
    simulator = await start(heartbeat_interval_secs=0.05)
    socket = await dial(simulator.gateway_url)
    assert await socket.closed() == 4009


async def test_other_frames_do_not_replace_the_heartbeat(start: Start, dial: Dialler) -> None:
    simulator = await start(heartbeat_interval_secs=0.1)
    socket = await dial(simulator.gateway_url)
    await socket.identify(simulator.token)
    for _ in range(3):
        await socket.send(3, {"status": "online"})
        await asyncio.sleep(0.05)
    assert await socket.closed() == 4009


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ('{"op": 2, "d": {"token": "wrong", "intents": 0}}', 4004),
        ('{"op": 6, "d": {"token": "wrong", "session_id": "x", "seq": 1}}', 4004),
        ('{"op": 3, "d": {}}', 4003),
        ('{"op": 99, "d": {}}', 4003),
        ('{"op": "2"}', 4001),
        ("no json", 4002),
        ('{"op": 2, "d": 1}', 4002),
        ('{"op": 1, "d": "%s"}' % ("x" * 4096), 4002),
    ],
)
async def test_a_wrong_first_frame_closes_with_discords_code(
    simulator: Simulator, dial: Dialler, frame: str, code: int
) -> None:
    socket = await dial(simulator.gateway_url)
    await socket.ws.send_str(frame)
    assert await socket.closed() == code


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"intents": 1 << 30}, 4013),
        ({"intents": None}, 4013),
        ({"intents": ALL_INTENTS}, 4014),
        ({"intents": 0, "shard": [2, 2]}, 4010),
        ({"intents": 0, "shard": "0/1"}, 4010),
    ],
)
async def test_an_identify_that_asks_for_too_much_is_closed(
    start: Start, dial: Dialler, order: dict[str, Any], code: int
) -> None:
    simulator = await start(privileged_intents=frozenset(("members",)))
    socket = await dial(simulator.gateway_url)
    await socket.send(2, {"token": simulator.token, **order})
    assert await socket.closed() == code


async def test_a_second_identify_and_an_unknown_op_close(simulator: Simulator, dial: Dialler) -> None:
    first, second = await dial(simulator.gateway_url), await dial(simulator.gateway_url)
    await first.identify(simulator.token)
    await first.send(2, {"token": simulator.token, "intents": 0})
    assert await first.closed() == 4005
    await second.identify(simulator.token)
    await second.send(99)
    assert await second.closed() == 4001


async def test_queries_that_it_cannot_serve_are_refused(simulator: Simulator, dial: Dialler) -> None:
    assert await (await dial.dial(simulator.gateway_url, encoding="etf")).closed() == 4002
    assert await (await dial.dial(simulator.gateway_url, v="6")).closed() == 4012


async def test_more_than_120_frames_a_minute_close(start: Start, dial: Dialler) -> None:
    simulator = await start(sends_per_minute=10)
    socket = await dial(simulator.gateway_url)
    for _ in range(11):
        await socket.send(1)
    assert await socket.closed() == 4008


async def test_presence_and_voice_are_taken_without_effect(socket: Socket) -> None:
    await socket.send(3, {"status": "idle"})
    await socket.send(4, {"guild_id": GUILD, "channel_id": None})
    await socket.send(1)
    await socket.op(11)


# ---------------------------------------------------------------- identify


async def test_identifies_beyond_max_concurrency_are_told_op_9(start: Start, dial: Dialler) -> None:
    simulator = await start(max_concurrency=2, identify_window_secs=60.0)
    for number in (0, 1):
        socket = await dial(simulator.gateway_url)
        await socket.identify(simulator.token, shard=[number, 4])
    late = await dial(simulator.gateway_url)
    await late.send(2, {"token": simulator.token, "intents": 0, "shard": [2, 4]})
    assert await late.op(9) is False


async def test_after_the_window_the_same_connection_may_identify_again(start: Start, dial: Dialler) -> None:
    simulator = await start(identify_window_secs=0.6)
    first, second = await dial(simulator.gateway_url), await dial(simulator.gateway_url)
    await first.identify(simulator.token)
    await second.send(2, {"token": simulator.token, "intents": 0})
    await second.op(9)
    await asyncio.sleep(0.65)
    assert (await second.identify(simulator.token))["session_type"] == "normal"


async def test_the_days_session_starts_run_out(
    start: Start, dial: Dialler, http: aiohttp.ClientSession
) -> None:
    simulator = await start(identifies_per_day=2)
    for _ in range(2):
        await (await dial(simulator.gateway_url)).identify(simulator.token)
    _, body, _ = await Api(simulator, http)("GET", "/gateway/bot")
    assert body["session_start_limit"]["remaining"] == 0
    third = await dial(simulator.gateway_url)
    await third.send(2, {"token": simulator.token, "intents": 0})
    assert await third.closed() == 4004


async def test_a_shard_sees_only_its_guilds(start: Start, dial: Dialler) -> None:
    names = {0: "even", 1: "odd"}
    guilds = tuple(GuildSpec(name, id=str(((5 << 1) + n) << 22)) for n, name in names.items())
    simulator = await start(world=WorldSpec(guilds=guilds))
    for number, name in names.items():
        socket = await dial(simulator.gateway_url)
        assert len((await socket.identify(simulator.token, shard=[number, 2]))["guilds"]) == 1
        assert (await socket.until("GUILD_CREATE"))["name"] == name


async def test_direct_messages_come_on_shard_zero(
    simulator: Simulator, dial: Dialler, people: SimulatorClient
) -> None:
    sockets = []
    for number in (0, 1):
        socket = await dial(simulator.gateway_url)
        await socket.identify(simulator.token, shard=[number, 2])
        sockets.append(socket)
    await people.post("psst", channel=await people.open_dm("bob"), user="bob")
    message = await sockets[0].until("MESSAGE_CREATE")
    assert message["content"] == "psst"
    assert "guild_id" not in message
    await sockets[1].send(1)
    await sockets[1].op(11)


async def test_too_many_guilds_on_a_shard_close(start: Start, dial: Dialler) -> None:
    simulator = await start(guilds_per_shard=1, world=WorldSpec(guilds=(GuildSpec("a"), GuildSpec("b"))))
    socket = await dial(simulator.gateway_url)
    await socket.send(2, {"token": simulator.token, "intents": 0})
    assert await socket.closed() == 4011


async def test_several_clients_hear_the_same_event(
    simulator: Simulator, dial: Dialler, people: SimulatorClient
) -> None:
    sockets = [await dial(simulator.gateway_url) for _ in range(3)]
    for socket in sockets:
        await socket.identify(simulator.token)
    act = await people.post("to all")
    assert act.listeners == 3
    for socket in sockets:
        assert (await socket.until("MESSAGE_CREATE"))["content"] == "to all"


# ----------------------------------------------------------------- intents


async def identified(simulator: Simulator, dial: Dialler, *intents: str) -> Socket:
    socket = await dial(simulator.gateway_url)
    await socket.identify(simulator.token, discord.Intents(**dict.fromkeys(intents, True)).value)
    return socket


async def test_events_outside_the_intents_do_not_come(
    simulator: Simulator, dial: Dialler, people: SimulatorClient
) -> None:
    socket = await identified(simulator, dial, "guild_messages", "message_content")
    act = await people.post("one")
    await people.react(GENERAL, act.id, "👍")
    await people.post("two")
    frames = [await socket.read() for _ in range(2)]
    assert [frame["d"]["content"] for frame in frames] == ["one", "two"]


async def test_without_message_content_only_mentions_can_be_read(
    simulator: Simulator, dial: Dialler, people: SimulatorClient
) -> None:
    socket = await identified(simulator, dial, "guild_messages")
    bot = (await people.world())["bot"]["id"]
    await people.post("secret")
    await people.post(f"<@{bot}> open")
    assert (await socket.until("MESSAGE_CREATE"))["content"] == ""
    assert (await socket.until("MESSAGE_CREATE"))["content"].endswith("open")


async def test_guilds_list_only_the_bot_unless_presences_are_asked_for(
    simulator: Simulator, dial: Dialler
) -> None:
    few = await identified(simulator, dial, "guilds")
    assert [m["user"]["username"] for m in (await few.until("GUILD_CREATE"))["members"]] == ["flora"]
    many = await identified(simulator, dial, "guilds", "presences")
    assert len((await many.until("GUILD_CREATE"))["members"]) == 3


async def test_what_the_bot_cannot_see_does_not_come(
    socket: Socket, api: Api, people: SimulatorClient
) -> None:
    everyone = {"type": 0, "allow": "0", "deny": str(1 << 10)}
    assert (await api("PUT", f"/channels/{GENERAL}/permissions/{GUILD}", everyone)).status == 204
    bot_role = next(r["id"] for r in (await people.world())["guilds"][0]["roles"] if r["name"] == "flora")
    await api("PUT", f"/channels/{GENERAL}/permissions/{bot_role}", everyone)
    await people.post("among us")
    await people.post("to all", channel="random")
    assert (await socket.until("MESSAGE_CREATE"))["content"] == "to all"


# ----------------------------------------------------------------- members


async def test_members_come_in_chunks_with_the_nonce(socket: Socket) -> None:
    await socket.send(8, {"guild_id": GUILD, "query": "", "limit": 0, "nonce": "n1", "presences": True})
    chunk = await socket.until("GUILD_MEMBERS_CHUNK")
    assert (chunk["nonce"], chunk["chunk_index"], chunk["chunk_count"]) == ("n1", 0, 1)
    assert {m["user"]["username"] for m in chunk["members"]} == {"ada", "bob", "flora"}
    assert {p["status"] for p in chunk["presences"]} == {"offline"}


async def test_members_are_found_by_prefix_and_by_id(socket: Socket) -> None:
    await socket.send(8, {"guild_id": int(GUILD), "query": "BO", "limit": 5})
    chunk = await socket.until("GUILD_MEMBERS_CHUNK")
    assert [m["user"]["username"] for m in chunk["members"]] == ["bob"]
    await socket.send(8, {"guild_id": GUILD, "user_ids": [ADA, "9"]})
    chunk = await socket.until("GUILD_MEMBERS_CHUNK")
    assert [m["user"]["id"] for m in chunk["members"]] == [ADA]
    assert chunk["not_found"] == ["9"]


async def test_a_second_full_list_within_30_seconds_is_rate_limited(socket: Socket) -> None:
    for _ in range(2):
        await socket.send(8, {"guild_id": GUILD, "query": "", "limit": 0})
    await socket.until("GUILD_MEMBERS_CHUNK")
    limited = await socket.until("RATE_LIMITED")
    assert limited["opcode"] == 8
    assert 25 < limited["retry_after"] <= 30
    assert limited["meta"]["guild_id"] == GUILD


async def test_the_full_list_needs_the_members_intent(simulator: Simulator, dial: Dialler) -> None:
    socket = await identified(simulator, dial, "guild_messages")
    await socket.send(8, {"guild_id": GUILD, "query": "", "limit": 0})
    await socket.send(1)
    await socket.op(11)


# ------------------------------------------------------------------ resume


async def test_resume_replays_everything_missed_and_then_says_so(
    simulator: Simulator, dial: Dialler, socket: Socket, people: SimulatorClient
) -> None:
    await people.drop()
    await socket.closed()
    for number in range(3):
        await people.post(f"missed {number}")
    again = await dial(socket.resume_url)
    await again.send(6, {"token": simulator.token, "session_id": socket.session, "seq": socket.sequence})
    for number in range(3):
        frame = await again.read()
        assert frame["d"]["content"] == f"missed {number}"
        assert frame["s"] == socket.sequence + 1 + number
    assert (await again.read())["t"] == "RESUMED"
    await people.post("live")
    assert (await again.until("MESSAGE_CREATE"))["content"] == "live"
    stats = await people.stats()
    assert (stats.identifies, stats.resumes, stats.resumes_failed, stats.resumes_elsewhere) == (1, 1, 0, 0)


async def resume(dial: Dialler, url: str, token: str, session: str, seq: int) -> Socket:
    socket = await dial(url)
    await socket.send(6, {"token": token, "session_id": session, "seq": seq})
    return socket


async def test_events_that_were_sent_but_not_seen_are_replayed_again(
    simulator: Simulator, dial: Dialler, socket: Socket, people: SimulatorClient
) -> None:
    before = socket.sequence
    await people.post("once")
    await socket.until("MESSAGE_CREATE")
    await people.drop()
    again = await resume(dial, socket.resume_url, simulator.token, socket.session, before)
    assert (await again.until("MESSAGE_CREATE"))["content"] == "once"


async def test_a_session_moves_to_the_connection_that_resumed_it(
    simulator: Simulator, dial: Dialler, socket: Socket, people: SimulatorClient
) -> None:
    second = await resume(dial, socket.resume_url, simulator.token, socket.session, socket.sequence)
    await second.until("RESUMED")
    assert await socket.closed() == 1006
    act = await people.post("to the second")
    assert act.listeners == 1
    assert (await second.until("MESSAGE_CREATE"))["content"] == "to the second"


@pytest.mark.parametrize("code", [1000, 1001])
async def test_a_client_that_closes_normally_ends_its_session(
    simulator: Simulator, dial: Dialler, socket: Socket, code: int
) -> None:
    await socket.ws.close(code=code)
    again = await resume(dial, socket.resume_url, simulator.token, socket.session, socket.sequence)
    assert await again.op(9) is False


async def test_a_client_that_closes_with_4000_can_resume(
    simulator: Simulator, dial: Dialler, socket: Socket
) -> None:
    await socket.ws.close(code=4000)
    again = await resume(dial, socket.resume_url, simulator.token, socket.session, socket.sequence)
    await again.until("RESUMED")


async def test_a_session_expires(start: Start, dial: Dialler) -> None:
    simulator = await start(resume_window_secs=0.1)
    socket = await dial(simulator.gateway_url)
    await socket.identify(simulator.token)
    await socket.ws.close(code=4000)
    await asyncio.sleep(0.15)
    again = await resume(dial, socket.resume_url, simulator.token, socket.session, socket.sequence)
    assert await again.op(9) is False


async def test_a_client_that_was_away_too_long_for_the_buffer_starts_anew(
    start: Start, dial: Dialler
) -> None:
    simulator = await start(replay_events=5)
    socket = await dial(simulator.gateway_url)
    await socket.identify(simulator.token)
    await socket.ws.close(code=4000)
    async with SimulatorClient(simulator.url) as people:
        for number in range(6):
            await people.post(f"{number}")
    again = await resume(dial, socket.resume_url, simulator.token, socket.session, socket.sequence)
    assert await again.op(9) is False
    assert (await again.identify(simulator.token))["session_id"] != socket.session


async def test_a_sequence_from_the_future_is_refused(
    simulator: Simulator, dial: Dialler, socket: Socket
) -> None:
    again = await resume(dial, socket.resume_url, simulator.token, socket.session, 10_000)
    assert await again.closed() == 4007


async def test_a_resume_that_ignores_the_resume_url_is_counted(
    simulator: Simulator, dial: Dialler, socket: Socket, people: SimulatorClient
) -> None:
    await people.drop()
    again = await resume(dial, simulator.gateway_url, simulator.token, socket.session, socket.sequence)
    await again.until("RESUMED")
    assert (await people.stats()).resumes_elsewhere == 1


# ------------------------------------------------------- orders from tests


async def test_op_7_asks_to_reconnect(socket: Socket, people: SimulatorClient) -> None:
    assert await people.reconnect() == 1
    await socket.op(7)


async def test_op_9_can_leave_the_session_resumable(
    simulator: Simulator, dial: Dialler, socket: Socket, people: SimulatorClient
) -> None:
    await people.invalidate(resumable=True)
    assert await socket.op(9) is True
    again = await resume(dial, socket.resume_url, simulator.token, socket.session, socket.sequence)
    await again.until("RESUMED")
    await people.invalidate()
    assert await again.op(9) is False
    assert (await again.identify(simulator.token))["session_id"] != socket.session


async def test_connections_can_be_closed_with_any_code(socket: Socket, people: SimulatorClient) -> None:
    assert await people.close_gateway(4000, socket.session) == 1
    assert await socket.closed() == 4000
    assert (await people.stats()).closes == {"4000": 1}


async def test_the_gateway_can_be_down(simulator: Simulator, dial: Dialler, people: SimulatorClient) -> None:
    await people.set_gateway(accept=False)
    with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
        await dial(simulator.gateway_url)
    await people.set_gateway(accept=True)
    await dial(simulator.gateway_url)


async def test_any_event_can_be_emitted(socket: Socket, people: SimulatorClient) -> None:
    await people.emit("SOMETHING_NEW", {"guild_id": GUILD, "n": 1})
    assert await socket.until("SOMETHING_NEW") == {"guild_id": GUILD, "n": 1}


async def test_a_client_that_takes_nothing_is_cut_off_and_costs_no_memory(
    start: Start, dial: Dialler
) -> None:
    simulator = await start(replay_events=50)
    socket = await dial(simulator.gateway_url)
    await socket.identify(simulator.token)
    async with SimulatorClient(simulator.url) as people:
        for _ in range(300):
            await people.emit("BIG", {"guild_id": GUILD, "text": "x" * 100_000})
        async with asyncio.timeout(PATIENCE):
            while any(session.connected for session in await people.sessions()):
                await asyncio.sleep(0.01)


async def test_stopping_says_going_away(start: Start, dial: Dialler) -> None:
    simulator = await start()
    socket = await dial(simulator.gateway_url)
    await socket.identify(simulator.token)
    await asyncio.gather(simulator.close(), closes(socket, 1001))


async def closes(socket: Socket, code: int) -> None:
    assert await socket.closed() == code


async def test_figures_count_events_and_bytes(socket: Socket, people: SimulatorClient) -> None:
    before = await people.stats()
    await people.post("x" * 100)
    frame = await socket.read()
    after = await people.stats()
    assert after.events_sent == before.events_sent + 1
    assert after.bytes_sent - before.bytes_sent >= len(msgspec.json.encode(frame)) - 10


async def test_a_beating_heart_keeps_the_connection(start: Start, dial: Dialler) -> None:
    simulator = await start(heartbeat_interval_secs=0.3)
    socket = await dial(simulator.gateway_url)
    for _ in range(8):
        await asyncio.sleep(0.1)
        await socket.send(1)
        await socket.op(11)


async def test_a_members_request_has_its_limit(socket: Socket) -> None:
    for limit, count in ((1, 1), (2, 2), (100, 3)):
        await socket.send(8, {"guild_id": GUILD, "query": "", "limit": limit})
        assert len((await socket.until("GUILD_MEMBERS_CHUNK"))["members"]) == count
