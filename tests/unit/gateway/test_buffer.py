"""One pod's frames: numbered, bounded, kept until acknowledged."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flora_gateway.fanout.buffer import INTERACTION_SECONDS, Drop, PodBuffer

CHUNK = 1 << 20


def new_buffer(byte_limit: int = 1 << 20, guild_limit: int = 100) -> PodBuffer:
    return PodBuffer(byte_limit=byte_limit, guild_limit=guild_limit)


def add(buffer: PodBuffer, type_: str = "MESSAGE_CREATE", guild: str = "1", *, at: float = 0.0) -> int:
    return buffer.append(lambda offset: b"%d\n" % offset, guild=guild, type_=type_, at=at)


def offsets(buffer: PodBuffer, now: float = 0.0) -> list[int]:
    frames, _ = buffer.take_unsent(limit=CHUNK, now=now)
    return [frame.offset for frame in frames]


def test_frames_are_numbered_from_one_and_sent_once() -> None:
    buffer = new_buffer()
    assert [add(buffer), add(buffer)] == [1, 2]
    assert offsets(buffer) == [1, 2]
    assert offsets(buffer) == []


def test_what_was_not_acknowledged_is_sent_again_to_a_pod_that_comes_back() -> None:
    buffer = new_buffer()
    for _ in range(5):
        add(buffer)
    offsets(buffer)
    buffer.acknowledge(2)
    add(buffer)
    buffer.rewind(after=3)
    assert offsets(buffer) == [4, 5, 6]


def test_an_acknowledgement_frees_memory_and_tells_whoever_waits() -> None:
    buffer, told = new_buffer(), []
    buffer.append(lambda _: b"x" * 100, guild="1", type_="MESSAGE_CREATE", done=lambda: told.append(1))
    offsets(buffer)
    assert buffer.bytes > 100
    buffer.acknowledge(1)
    assert (buffer.bytes, len(buffer), told) == (0, 0, [1])


def test_one_guilds_flood_loses_only_its_own_messages() -> None:
    buffer = new_buffer(guild_limit=3)
    for _ in range(3):
        add(buffer, guild="1")
    assert buffer.refuses("MESSAGE_CREATE", "1", 10) is Drop.BACKLOG
    assert buffer.refuses("INTERACTION_CREATE", "1", 10) is None
    assert buffer.refuses("MESSAGE_CREATE", "2", 10) is None
    offsets(buffer)
    buffer.acknowledge(1)
    assert buffer.refuses("MESSAGE_CREATE", "1", 10) is None


def test_above_its_bytes_the_buffer_takes_no_event_of_anybody() -> None:
    buffer = new_buffer(byte_limit=500)
    buffer.append(lambda _: b"x" * 400, guild="1", type_="MESSAGE_DELETE")
    assert buffer.refuses("INTERACTION_CREATE", "2", 400) is Drop.OVERFLOW


def test_an_interaction_that_discord_no_longer_waits_for_is_not_sent() -> None:
    buffer, told = new_buffer(), []
    buffer.append(
        lambda _: b"{}\n", guild="1", type_="INTERACTION_CREATE", at=10.0, done=lambda: told.append("late")
    )
    add(buffer, at=10.0)
    frames, expired = buffer.take_unsent(limit=CHUNK, now=10.0 + INTERACTION_SECONDS + 0.1)
    assert [frame.offset for frame in expired] == [1]
    assert [frame.offset for frame in frames] == [2]
    assert told == ["late"]


def test_a_chunk_ends_near_its_limit() -> None:
    buffer = new_buffer()
    for _ in range(10):
        buffer.append(lambda _: b"x" * 100, guild="1")
    frames, _ = buffer.take_unsent(limit=250, now=0.0)
    assert len(frames) == 3
    assert buffer.has_unsent


@given(st.lists(st.tuples(st.sampled_from(["add", "send", "ack", "back"]), st.integers(0, 50)), max_size=60))
def test_a_pod_gets_every_frame_at_least_once_and_in_order(steps: list[tuple[str, int]]) -> None:
    """The pod acknowledges only what it got; each reconnect starts behind its last acknowledgement."""
    buffer, got, highest = new_buffer(), set[int](), 0
    for step, amount in steps:
        if step == "add":
            for _ in range(amount % 5):
                add(buffer, guild=str(amount % 3))
        elif step == "send":
            frames, _ = buffer.take_unsent(limit=amount, now=0.0)
            order = [frame.offset for frame in frames]
            assert order == sorted(order)
            got.update(order)
        elif step == "ack":
            highest = max(highest, min(amount, max(got, default=0)))
            buffer.acknowledge(highest)
        else:
            buffer.rewind(highest)
    buffer.rewind(highest)
    got.update(offsets(buffer))
    assert got >= set(range(highest + 1, buffer.next_offset))
    buffer.acknowledge(buffer.next_offset)
    assert (buffer.bytes, len(buffer)) == (0, 0)
