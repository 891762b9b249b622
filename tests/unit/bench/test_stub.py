from __future__ import annotations

import json
import struct
import zlib

import pytest

from bench import payloads
from bench.figure_kills import Kill
from bench.machine import percentile
from bench.stub_client import Message, Messages
from bench.stub_state import Discord, Order
from bench.stub_wire import BINARY, TEXT, Frames, ZlibStream, frame, upgraded


def masked(text: bytes, *, opcode: int = TEXT) -> bytes:
    """``text`` as a client sends it."""
    mask = b"\x01\x02\x03\x04"
    size = len(text)
    head = (
        struct.pack(">BB", 0x80 | opcode, 0x80 | size)
        if size < 126
        else struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, size)
    )
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(text))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 5000])
def test_frames_of_a_client_are_read_whatever_pieces_they_come_in(size: int) -> None:
    text = b"x" * size
    data = masked(text) + masked(b"next")
    frames = Frames()
    found = [frame for at in range(len(data)) for frame in frames.feed(data[at : at + 1])]
    assert found == [(TEXT, text), (TEXT, b"next")]


@pytest.mark.parametrize(("size", "head"), [(125, 2), (126, 4), (70_000, 10)])
def test_a_frame_has_the_header_for_its_size(size: int, head: int) -> None:
    assert len(frame(BINARY, b"x" * size)) == head + size


def test_the_handshake_is_answered_as_the_rfc_says() -> None:
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in upgraded(b"dGhlIHNhbXBsZSBub25jZQ==")


def test_a_compressed_stream_is_one_context_flushed_after_each_frame() -> None:
    stream, context = ZlibStream(), zlib.decompressobj()
    for text in (b"hello", b"hello again"):
        payload = stream.frame(text)[2:]
        assert payload.endswith(b"\x00\x00\xff\xff")
        assert context.decompress(payload) == text


def test_an_event_is_one_kilobyte_of_json_in_its_guild() -> None:
    event = payloads.event(7, 42)
    assert len(event) == payloads.EVENT_BYTES
    document = json.loads(event)
    assert document["guild_id"] == payloads.guild_id(7)
    assert document["channel_id"] == payloads.channel_id(7)
    assert int(document["id"]) == payloads.event_id(42)


class Listening:
    """A connection that keeps what it is sent."""

    def __init__(self) -> None:
        self.events: list[dict] = []
        self.unwritten = 0

    def send_event(self, text: bytes) -> None:
        self.events.append(json.loads(text))

    def compressed(self, text: bytes) -> bytes:
        return text

    def write(self, data: bytes) -> None:
        del data


@pytest.fixture
def discord() -> Discord:
    return Discord()


def post(discord: Discord, reference: int, nonce: str) -> dict:
    body = {
        "content": "pong",
        "message_reference": {"message_id": str(reference)},
        "nonce": nonce,
        "enforce_nonce": True,
    }
    channel = payloads.channel_id(0).encode()
    return json.loads(discord.create_message(discord.bot("flora"), channel, json.dumps(body).encode()))


def test_a_bot_that_identifies_gets_all_guilds_and_sequence_numbers_without_gaps(discord: Discord) -> None:
    connection = Listening()
    discord.identify(discord.bot("flora"), connection, [0, 1])
    assert [event["t"] for event in connection.events] == ["READY", *["GUILD_CREATE"] * payloads.GUILDS]
    assert [event["s"] for event in connection.events] == list(range(1, payloads.GUILDS + 2))


def test_resume_sends_what_is_behind_the_sequence_and_then_resumed(discord: Discord) -> None:
    bot = discord.bot("flora")
    session = discord.identify(bot, Listening(), [0, 1])
    session.connection = None
    seen = session.sequence
    discord.say(bot)
    discord.say(bot)
    again = Listening()
    discord.resume(session, again, seen)
    assert [event["t"] for event in again.events] == ["MESSAGE_CREATE", "MESSAGE_CREATE", "RESUMED"]


def test_a_reply_is_matched_to_its_message_and_echoed_to_its_author(discord: Discord) -> None:
    bot, connection = discord.bot("flora"), Listening()
    discord.identify(bot, connection, [0, 1])
    discord.say(bot)
    asked = int(connection.events[-1]["d"]["id"])
    answer = post(discord, asked, "n-1")
    assert answer["content"] == "pong"
    assert connection.events[-1]["d"]["author"]["id"] == bot.user["id"]
    (sent,) = bot.sent.values()
    assert sent.answers == 1


def test_a_repeated_nonce_makes_no_second_message(discord: Discord) -> None:
    bot = discord.bot("flora")
    connection = Listening()
    discord.identify(bot, connection, [0, 1])
    discord.say(bot)
    asked = int(connection.events[-1]["d"]["id"])
    assert post(discord, asked, "n-1") == post(discord, asked, "n-1")
    assert bot.repeated_nonces == 1
    post(discord, asked, "n-2")
    (sent,) = bot.sent.values()
    assert sent.answers == 2


async def test_a_flood_keeps_its_number_in_flight_and_ends_when_all_are_answered(discord: Discord) -> None:
    bot = discord.bot("flora")

    class Answering(Listening):
        def send_event(self, text: bytes) -> None:
            super().send_event(text)
            event = self.events[-1]
            if event["t"] == "MESSAGE_CREATE" and event["d"]["author"]["id"] != bot.user["id"]:
                post(discord, int(event["d"]["id"]), event["d"]["id"])

    discord.identify(bot, Answering(), [0, 1])
    result = await discord.flood(Order(bot="flora", count=20, in_flight=3, patience=1))
    assert len(result["messages"]) == 20
    assert all(answers == 1 for _, _, answers in result["messages"])


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile([3, 1, 2], 0.99) == 3


def test_a_kill_loses_what_was_in_flight_and_nothing_else() -> None:
    messages = Messages(
        0.0,
        10.0,
        [
            Message(1.0, 1.1, 1),
            Message(4.0, 0.0, 0),  # long before the kill, never answered: lost
            Message(4.9, 0.0, 0),  # in flight
            Message(5.1, 5.6, 1),
            Message(5.2, 5.4, 2),
            Message(6.0, 0.0, 0),  # afterwards, never answered: lost
        ],
    )
    kill = Kill(5.0, messages)
    assert (kill.in_flight_lost, kill.others_lost) == (1, 2)
    assert kill.first_answer == pytest.approx(400)
    assert kill.longest_wait == pytest.approx(500)
    assert messages.duplicates == 1
