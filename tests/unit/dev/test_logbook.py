"""The log lines that ``flora dev`` keeps: which of them a query gives, and that a follower misses none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.ids import GuildId
from flora_core.wire.control import LogLine, Outcome
from flora_dev.logbook import LINES_KEPT, LogBook, LogQuery

ONE, TWO = GuildId("1"), GuildId("2")


def line(text: str, *, guild: str = ONE, level: str = "info", at: int = 1000, **more: Any) -> LogLine:
    return LogLine(guild, at, level, text, **more)


def texts(book: LogBook, guild: GuildId = ONE, **query: Any) -> list[str]:
    return [kept.text for kept in book.lines(guild, LogQuery(**query))]


@pytest.fixture
def book() -> LogBook:
    return LogBook()


@pytest.mark.parity(94)
def test_lines_are_a_guilds_own_and_the_newest_are_given(book: LogBook) -> None:
    for number in range(5):
        book.add(line(str(number)))
        book.add(line(f"other {number}", guild=TWO))
    assert texts(book) == ["0", "1", "2", "3", "4"]
    assert texts(book, limit=2) == ["3", "4"]
    assert texts(book, limit=0) == []
    assert texts(book, TWO, limit=1) == ["other 4"]
    assert texts(book, GuildId("3")) == []


@pytest.mark.parity(94)
def test_older_lines_are_forgotten_and_only_the_guilds_own(book: LogBook) -> None:
    book.add(line("quiet", guild=TWO))
    for number in range(LINES_KEPT + 10):
        book.add(line(str(number)))
    assert (len(texts(book)), texts(book)[0]) == (LINES_KEPT, "10")
    assert texts(book, TWO) == ["quiet"], "a noisy guild pushes nobody else out"
    assert book.received == LINES_KEPT + 11


def test_after_an_id_come_the_lines_behind_it(book: LogBook) -> None:
    book.add(line("early"))
    book.add(line("late"))
    first, second = book.lines(ONE, LogQuery())
    assert texts(book, after=first.id) == ["late"]
    assert texts(book, after=second.id) == []


def test_what_is_known_of_a_line_is_kept(book: LogBook) -> None:
    book.add(line("x", outcome=Outcome.EXCEPTION, stack="at a", event="3", revision=7, source="runtime"))
    (kept,) = book.lines(ONE, LogQuery())
    assert (kept.outcome, kept.stack, kept.revision, kept.at) == (Outcome.EXCEPTION, "at a", 7, 1000)


def test_a_remark_of_our_own_gets_the_time(book: LogBook) -> None:
    now = LogBook(clock=lambda: 12.5)
    now.note(line("not deployed", at=0))
    assert now.lines(ONE, LogQuery())[0].at == 12_500
    assert now.received == 0, "no pod wrote it"


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=30))
def test_ids_grow_whatever_the_clock_does(times: list[float]) -> None:
    clock = iter(times)
    book = LogBook(clock=lambda: next(clock))
    for _ in times:
        book.add(line("x"))
    ids = [kept.id for kept in book.lines(ONE, LogQuery())]
    assert ids == sorted(set(ids))


def test_ids_grow_over_a_restart() -> None:
    before, after = LogBook(clock=lambda: 100.0), LogBook(clock=lambda: 101.0)
    for _ in range(500):
        before.add(line("x"))
    after.add(line("y"))
    assert after.newest > before.newest


def test_a_forgotten_guild_has_no_lines(book: LogBook) -> None:
    book.add(line("x"))
    book.forget(ONE)
    book.forget(TWO)
    assert texts(book) == []


def test_who_passes_lines_on_gets_those_of_before_and_those_to_come(book: LogBook) -> None:
    book.add(line("one", at=7))
    book.add(line("two", guild=TWO, outcome=Outcome.EXCEPTION, stack="at a"))
    passed: list[LogLine] = []
    book.pass_on(passed.append)
    book.note(line("three", at=9))
    assert [each.text for each in passed] == ["one", "two", "three"], "in the order of all guilds"
    assert [each.at for each in passed] == [7, 1000, 9], "with the time they were written"
    assert passed[1] == line("two", guild=TWO, outcome=Outcome.EXCEPTION, stack="at a")


# ---------------------------------------------------------------- following


@pytest.mark.parity(95)
async def test_who_waits_hears_of_every_line(book: LogBook) -> None:
    seen: list[str] = []

    async def follow() -> None:
        last = 0
        while len(seen) < 50:
            await book.wait(lambda seen=last: book.newest > seen, seconds=5)
            for kept in book.lines(ONE, LogQuery(after=last)):
                seen.append(kept.text)
                last = kept.id

    following = asyncio.create_task(follow())
    for number in range(50):
        book.add(line(str(number)))
        if number % 7 == 0:
            await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await following
    assert seen == [str(number) for number in range(50)]


async def test_waiting_ends_when_nothing_comes(book: LogBook) -> None:
    assert await book.wait(lambda: False, seconds=0.01) is False
    assert await book.wait(lambda: True, seconds=0.01) is True
