"""The flight recorder: what one process notes, another reads, whatever became of the first."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_runtime.flight import CAPACITY, Entry, FlightRecorder, open_page

slots = st.integers(0, CAPACITY - 1)
numbers = st.integers(0, 2**64 - 1)


@pytest.fixture
def page() -> Iterator[int]:
    fd = open_page()
    yield fd
    os.close(fd)


@pytest.fixture
def recorder(page: int) -> Iterator[FlightRecorder]:
    opened = FlightRecorder(page)
    yield opened
    opened.close()


def test_a_fresh_page_says_that_nothing_was_started(recorder: FlightRecorder) -> None:
    assert {recorder.read(slot) for slot in (0, 1, CAPACITY - 1)} == {Entry(0, running=False)}


def test_the_end_of_a_turn_keeps_what_it_had_started(recorder: FlightRecorder) -> None:
    recorder.begin(5, 17)
    assert recorder.read(5) == Entry(17, running=True)
    recorder.end(5)
    assert recorder.read(5) == Entry(17, running=False)


def test_the_end_of_a_turn_that_started_nothing_changes_nothing(recorder: FlightRecorder) -> None:
    recorder.end(9)
    assert recorder.read(9) == Entry(0, running=False)


@pytest.mark.parametrize("slot", [0, 1, CAPACITY - 1])
def test_neighbours_in_the_page_do_not_touch_each_other(recorder: FlightRecorder, slot: int) -> None:
    recorder.begin(slot, 2**64 - 1)
    beside = [near for near in (slot - 1, slot + 1) if 0 <= near < CAPACITY]
    assert [recorder.read(near) for near in beside] == [Entry(0, running=False)] * len(beside)


@pytest.mark.parametrize("slot", [CAPACITY, CAPACITY + 1, 2**31])
def test_a_slot_behind_the_page_is_an_error_and_not_somebody_elses_memory(
    recorder: FlightRecorder, slot: int
) -> None:
    with pytest.raises(struct.error):
        recorder.read(slot)
    with pytest.raises(struct.error):
        recorder.begin(slot, 1)


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_number_that_does_not_fit_is_refused(recorder: FlightRecorder, number: int) -> None:
    with pytest.raises(struct.error):
        recorder.begin(3, number)


def test_clearing_forgets_every_slot(recorder: FlightRecorder) -> None:
    for slot in (0, 7, CAPACITY - 1):
        recorder.begin(slot, slot + 1)
    recorder.clear()
    assert {recorder.read(slot) for slot in (0, 7, CAPACITY - 1)} == {Entry(0, running=False)}


def test_two_maps_of_one_page_see_the_same(page: int, recorder: FlightRecorder) -> None:
    other = FlightRecorder(page)
    other.begin(2, 40)
    assert recorder.read(2) == Entry(40, running=True)
    recorder.end(2)
    assert other.read(2) == Entry(40, running=False)
    other.close()
    assert recorder.read(2).started == 40, "a map that is closed takes nothing with it"


def test_two_pages_are_strangers(recorder: FlightRecorder) -> None:
    fd = open_page()
    other = FlightRecorder(fd)
    os.close(fd)
    recorder.begin(1, 1)
    assert other.read(1) == Entry(0, running=False)
    other.close()


def test_a_page_outlives_the_number_it_was_opened_under() -> None:
    fd = open_page()
    recorder = FlightRecorder(fd)
    os.close(fd)
    recorder.begin(0, 3)
    assert recorder.read(0).started == 3
    recorder.close()


def test_what_a_killed_process_noted_is_still_there(page: int, recorder: FlightRecorder) -> None:
    program = (
        "import os, signal, sys\n"
        "from flora_runtime.flight import FlightRecorder\n"
        "FlightRecorder(int(sys.argv[1])).begin(11, 123456789012)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(page)], pass_fds=[page], check=False)
    assert ended.returncode == -9
    assert recorder.read(11) == Entry(123456789012, running=True)


@given(st.lists(st.tuples(slots, numbers, st.booleans()), max_size=30))
def test_the_page_holds_the_last_word_of_every_slot(turns: list[tuple[int, int, bool]]) -> None:
    fd = open_page()
    recorder = FlightRecorder(fd)
    expected: dict[int, Entry] = {}
    for slot, number, over in turns:
        recorder.begin(slot, number)
        if over:
            recorder.end(slot)
        expected[slot] = Entry(number, running=not over)
    assert {slot: recorder.read(slot) for slot in expected} == expected
    recorder.close()
    os.close(fd)
