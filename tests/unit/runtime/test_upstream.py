"""Ops on their way to the gateway: kept until answered, sent again when in doubt."""

from __future__ import annotations

import pytest
from msgspec import Raw

from flora_core.streams import WRITE_LIMIT
from flora_core.wire.gateway import OP_LINE_LIMIT, Ack, Hello, Op, OpError, Subscribe, upstream
from flora_runtime.supervisor.upstream import (
    BYTES_LIMIT,
    GUILD_BYTES_LIMIT,
    GUILD_WAITING_LIMIT,
    LARGE,
    LARGE_LIMIT,
    RESERVE,
    RESULT_SECONDS,
    WAITING_LIMIT,
    Upstream,
)


class Wire:
    """What was written, and what was refused."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.refused: list[tuple[str, int, OpError]] = []
        self.upstream = Upstream(self, lambda guild, op, error: self.refused.append((guild, op, error)))

    def write(self, line: bytes) -> None:
        self.lines.append(line)

    def discard(self) -> None:
        self.lines.clear()

    def ops(self) -> list[tuple[int, bool]]:
        """Sequence numbers on the wire, and whether they are marked as repeated."""
        frames = [upstream.decode(line.strip()) for line in self.lines]
        return [(frame.sequence, frame.repeated) for frame in frames if isinstance(frame, Op)]

    def call(self, id_: int, guild: str = "1", now: float = 0.0, *, size: int = 2) -> None:
        args = Raw(b'"' + b"x" * (size - 2) + b'"')
        self.upstream.call(guild, id_, "sendMessage", args, now=now)


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_ops_wait_for_the_first_connection(wire: Wire) -> None:
    wire.call(1)
    assert wire.lines == []
    wire.upstream.connected(Hello("a", 1, 0))
    assert [sequence for sequence, _ in wire.ops()] == [1]


def test_ops_are_written_at_once_when_connected(wire: Wire) -> None:
    wire.upstream.connected(Hello("a", 1, 0))
    wire.call(1)
    wire.call(2)
    assert wire.ops() == [(1, False), (2, False)]


def test_a_gateway_that_kept_running_gets_only_what_it_lacks(wire: Wire) -> None:
    wire.upstream.connected(Hello("a", 1, 0))
    for id_ in (1, 2, 3):
        wire.call(id_)
    wire.upstream.disconnected()
    wire.upstream.connected(Hello("a", 1, 2))
    assert [sequence for sequence, _ in wire.ops()] == [3]


def test_a_new_gateway_gets_everything_unanswered_marked_as_repeated(wire: Wire) -> None:
    wire.upstream.connected(Hello("a", 1, 0))
    for id_ in (1, 2, 3):
        wire.call(id_)
    assert wire.upstream.answered("1", 2)
    wire.upstream.disconnected()
    wire.upstream.connected(Hello("b", 1, 0))
    assert wire.ops() == [(1, True), (3, True)]


def test_an_answer_nobody_waits_for_is_said_to_be_so(wire: Wire) -> None:
    wire.call(1)
    assert wire.upstream.answered("1", 1)
    assert not wire.upstream.answered("1", 1)
    assert not wire.upstream.answered("2", 1)
    assert len(wire.upstream) == 0


def test_an_op_without_an_answer_fails_in_the_end(wire: Wire) -> None:
    wire.call(1, now=10.0)
    wire.call(2, now=50.0)
    wire.upstream.expire(10.5 + RESULT_SECONDS)
    assert [(guild, op, error.code) for guild, op, error in wire.refused] == [("1", 1, "DISCORD_HTTP_ERROR")]
    assert len(wire.upstream) == 1


def test_a_guild_may_have_only_so_many_calls_waiting(wire: Wire) -> None:
    for id_ in range(GUILD_WAITING_LIMIT + 1):
        wire.call(id_)
    wire.call(1, guild="2")
    assert [(guild, op) for guild, op, _ in wire.refused] == [("1", GUILD_WAITING_LIMIT)]
    assert wire.refused[0][2].code == "DISCORD_RATE_LIMITED"


def test_subscriptions_are_said_again_on_every_connection_and_only_when_they_changed(wire: Wire) -> None:
    wire.upstream.subscribe(Subscribe("1", ["messageCreate"]))
    wire.upstream.connected(Hello("a", 1, 0))
    wire.upstream.subscribe(Subscribe("1", ["messageCreate"]))
    assert [upstream.decode(line.strip()) for line in wire.lines] == [Subscribe("1", ["messageCreate"])]
    wire.upstream.disconnected()
    wire.upstream.connected(Hello("b", 1, 0))
    assert len(wire.lines) == 1


def test_nothing_is_acknowledged_to_a_gateway_that_is_not_there(wire: Wire) -> None:
    wire.upstream.acknowledge(5)
    assert wire.lines == []
    wire.upstream.connected(Hello("a", 1, 0))
    wire.upstream.acknowledge(5)
    assert upstream.decode(wire.lines[0].strip()) == Ack(5)


def test_a_guild_that_left_waits_for_nothing(wire: Wire) -> None:
    wire.call(1)
    wire.call(2, guild="2")
    wire.upstream.forget("1")
    wire.upstream.connected(Hello("a", 1, 0))
    assert [sequence for sequence, _ in wire.ops()] == [2]


def test_a_guilds_files_wait_one_call_at_a_time(wire: Wire) -> None:
    wire.call(1, size=OP_LINE_LIMIT)
    wire.call(2, size=LARGE + 1)
    assert [(op, error.code) for _, op, error in wire.refused] == [(2, "DISCORD_RATE_LIMITED")]
    wire.upstream.answered("1", 1)
    wire.call(3, size=OP_LINE_LIMIT)
    assert len(wire.refused) == 1


def test_files_of_some_guilds_take_nobodys_replies_their_room(wire: Wire) -> None:
    for guild in range(10):
        wire.call(1, guild=str(guild), size=OP_LINE_LIMIT)
    assert len(wire.refused) == 10 - LARGE_LIMIT // OP_LINE_LIMIT
    wire.refused.clear()
    for guild in range(100):
        wire.call(2, guild=str(guild), size=1000)
    assert wire.refused == []


def test_small_calls_of_a_guild_are_bounded_by_their_bytes(wire: Wire) -> None:
    fit = GUILD_BYTES_LIMIT // LARGE
    for id_ in range(fit + 1):
        wire.call(id_, size=LARGE)
    assert [op for _, op, _ in wire.refused] == [fit]


def test_everything_that_may_wait_can_be_sent_again() -> None:
    assert RESERVE * BYTES_LIMIT + LARGE_LIMIT < WRITE_LIMIT


def test_guilds_that_fill_the_limit_of_all_leave_room_for_those_that_wait_for_little(wire: Wire) -> None:
    wire.upstream.connected(Hello("a", 1, 0))
    id_ = 0
    for guild in range(WAITING_LIMIT // GUILD_WAITING_LIMIT + 1):
        for _ in range(GUILD_WAITING_LIMIT):
            id_ += 1
            wire.call(id_, guild=str(guild))
    refused = len(wire.refused)
    assert refused > 0
    wire.call(id_ + 1, guild="modest")
    assert len(wire.refused) == refused


def test_who_waits_for_an_answer_is_known(wire: Wire) -> None:
    wire.call(7, guild="5")
    assert wire.upstream.waits("5")
    assert not wire.upstream.waits("6")
    wire.upstream.answered("5", 7)
    assert not wire.upstream.waits("5")
