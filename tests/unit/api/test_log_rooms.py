"""What followers find in a room: each line once, in order, or how many were missed."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_api.logs import followers
from flora_api.logs.followers import Follower, Room
from flora_api.logs.lines import Line


def lines(*numbers: int, size: int = 0) -> list[Line]:
    return [Line((number, 0), b'{"message":"' + b"x" * size + b'"}') for number in numbers]


def following(room: Room) -> Follower:
    return Follower(room, asyncio.Event())


def taken(follower: Follower) -> tuple[int, list[int]]:
    missed, found = follower.take()
    return missed, [line.place[0] for line in found]


def test_who_follows_gets_what_comes_from_then_on() -> None:
    room = Room((0, 0))
    room.add(lines(1, 2))
    follower = following(room)
    assert taken(follower) == (0, [])
    room.add(lines(3, 4))
    assert taken(follower) == (0, [3, 4])
    assert taken(follower) == (0, [])
    assert room.read_up_to == (4, 0)


def test_who_is_too_slow_is_told_how_many_he_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "ROOM_LINES", 3)
    room = Room((0, 0))
    slow, quick = following(room), following(room)
    for number in range(1, 8):
        room.add(lines(number))
        assert taken(quick) == (0, [number])
    assert taken(slow) == (4, [5, 6, 7])
    assert taken(slow) == (0, [])


def test_a_room_is_bounded_by_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "ROOM_BYTES", 10_000)
    room = Room((0, 0))
    follower = following(room)
    for number in range(20):
        room.add(lines(number, size=3000))
    missed, found = taken(follower)
    assert (missed + len(found), found[-1]) == (20, 19)
    assert len(found) < 5
    room.add(lines(99, size=50_000))
    assert taken(follower) == (0, [99]), "one line is kept, however long"


def test_a_piece_for_a_follower_is_bounded() -> None:
    room = Room((0, 0))
    follower = following(room)
    room.add(lines(*range(1200)))
    sizes = [len(follower.take()[1]) for _ in range(4)]
    assert sizes == [500, 500, 200, 0]


@given(st.lists(st.one_of(st.integers(1, 9), st.just("take")), max_size=40))
def test_lines_taken_and_missed_are_all_there_were(steps: list[int | str]) -> None:
    room = Room((0, 0))
    follower = following(room)
    number = missed = 0
    seen: list[int] = []
    limit, followers.ROOM_LINES = followers.ROOM_LINES, 5  # type: ignore[misc]
    try:
        for step in [*steps, "take"]:
            if isinstance(step, int):
                room.add(lines(*range(number, number + step)))
                number += step
            else:
                gone, found = taken(follower)
                missed += gone
                seen += found
    finally:
        followers.ROOM_LINES = limit  # type: ignore[misc]
    assert seen == sorted(set(seen))
    assert missed + len(seen) == number


async def test_who_waits_wakes_when_something_comes_and_when_all_is_over() -> None:
    room = Room((0, 0))
    closing = asyncio.Event()
    follower = Follower(room, closing)
    for act in (lambda: room.add(lines(1)), lambda: (closing.set(), room.wake())):
        follower.take()
        waiting = asyncio.create_task(follower.wait(seconds=3600))
        await asyncio.sleep(0)
        assert not waiting.done()
        act()
        async with asyncio.timeout(20):
            await waiting
    assert follower.closing


async def test_who_waits_does_not_when_there_is_something() -> None:
    room = Room((0, 0))
    follower = following(room)
    room.add(lines(1))
    async with asyncio.timeout(20):
        await follower.wait(seconds=3600)
