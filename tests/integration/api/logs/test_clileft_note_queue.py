"""The API's own lines in guilds' logs: over a Redis that goes away, and never in anybody's way."""

from __future__ import annotations

import asyncio

import pytest

from flora_api.logs import notes
from flora_api.logs.notes import Notes
from flora_api.logs.store import LogsUnavailable
from flora_core.wire.control import LogLine
from tests.integration.api.logs.conftest import GUILD, Replica, replica
from tests.integration.redis_server import RedisServer
from tests.waiting import until


def line(text: str) -> LogLine:
    return LogLine(GUILD, 0, "info", text, "runtime")


class Kept:
    """A store that is played."""

    def __init__(self) -> None:
        self.away = False
        self.loses_answers = False
        self.marks: dict[str, str] = {}
        self.tries = 0

    async def add(self, pod: str, lines: list[LogLine], *, mark: str) -> bool:
        self.tries += 1
        if self.away:
            raise LogsUnavailable("away", retry_after=1)
        self.marks[f"{pod}:{mark}"] = lines[0].text
        if self.loses_answers:
            self.loses_answers = False
            raise LogsUnavailable("away", retry_after=1)
        return True

    @property
    def texts(self) -> list[str]:
        return list(self.marks.values())


async def lines_of(api: Replica, count: int) -> list[str]:
    async with asyncio.timeout(60):
        while True:
            status, rows = await api.get()
            if status == 200 and len(rows) >= count:
                return [row["message"] for row in rows]
            await asyncio.sleep(0.05)


async def test_notes_wait_while_redis_is_away(api: Replica, redis: RedisServer) -> None:
    redis.kill()
    for text in ("one", "two"):
        api.service.note(line(text))
    await until(lambda: api.service.trouble() is not None)
    redis.start()
    assert await lines_of(api, 2) == ["one", "two"]


async def test_what_is_noted_at_last_is_written_before_the_end(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes, "FLUSH_SECONDS", 60.0)
    async with replica(redis) as api:
        api.service.note(line("goodbye"))
    async with replica(redis) as api:
        assert await lines_of(api, 1) == ["goodbye"]


async def test_a_line_whose_answer_was_lost_has_the_same_mark_again() -> None:
    store = Kept()
    store.loses_answers = True
    queue = Notes(store)  # pyright: ignore[reportArgumentType]
    queue.add(line("once"))
    queue.add(line("next"))
    running = asyncio.create_task(queue.run())
    await until(lambda: "next" in store.texts)
    running.cancel()
    assert store.tries == 3
    assert store.texts == ["once", "next"]


async def test_without_room_the_newest_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "FLUSH_SECONDS", 0.01)
    store = Kept()
    store.away = True
    queue = Notes(store)  # pyright: ignore[reportArgumentType]
    for number in range(notes.WAITING + 5):
        queue.add(line(str(number)))
    await queue.flush()  # nobody empties it: given up
    store.away = False
    running = asyncio.create_task(queue.run())
    await until(lambda: len(store.texts) == notes.WAITING)
    running.cancel()
    assert store.texts[-1] == str(notes.WAITING - 1)


async def test_separators_of_lines_reach_who_reads_and_who_follows(api: Replica) -> None:
    text = "a\u2028b\u2029c\x85d\re\x0bf\x1cg"
    follows = await api.follow()
    await api.followed()
    assert await api.send([text]) == 200
    await until(lambda: follows.texts)
    assert follows.texts == [text]
    assert await api.texts() == [text]
    url = f"{api.url}/api/logs/{GUILD}"
    async with api.session.get(url, headers=api.headers) as answer:
        assert len((await answer.text()).splitlines()) == 1
