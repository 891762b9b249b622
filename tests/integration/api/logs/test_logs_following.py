"""Logs as they come: in order, each line once, whatever happens to Redis, the reader, or the API."""

from __future__ import annotations

import asyncio

import pytest

from flora_api.logs import followers, sse
from tests.integration.api.logs.conftest import GUILD, OTHER, Replica, now, replica
from tests.integration.redis_server import RedisServer
from tests.waiting import until


async def test_lines_come_as_they_are_logged(api: Replica) -> None:
    await api.send(["before"])
    ann = await api.follow()
    await api.followed()
    for number in range(5):
        await api.send([f"line {number}"])
        await until(lambda number=number: f"line {number}" in ann.texts)
    assert ann.texts == [f"line {number}" for number in range(5)]
    assert ann.ids == [row["id"] for row in ann.rows]
    _, rows = await api.get(limit=5)
    assert rows == ann.rows
    headers = ann.response.headers
    assert headers["Content-Type"].startswith("text/event-stream")
    assert (headers["Cache-Control"], headers["X-Accel-Buffering"]) == ("no-store", "no")


async def test_what_was_there_comes_first_and_nothing_twice(api: Replica) -> None:
    await api.send(map(str, range(10)))
    writing = asyncio.create_task(_write(api, 10, 200))
    ann = await api.follow(backfill=4)
    await writing
    await until(lambda: ann.texts and ann.texts[-1] == "199")
    first = int(ann.texts[0])
    assert ann.texts == [str(number) for number in range(first, 200)]
    assert first >= 6


async def _write(api: Replica, begin: int, end: int) -> None:
    for number in range(begin, end):
        await api.send([str(number)])


async def test_who_comes_back_goes_on_where_he_was(api: Replica) -> None:
    ann = await api.follow()
    await api.followed()
    await api.send(map(str, range(3)))
    await until(lambda: len(ann.rows) == 3)
    await ann.close()
    await api.send(map(str, range(3, 700)))
    again = await api.follow(after=ann.ids[-1], backfill=5)
    await until(lambda: len(again.rows) == 697)
    await api.send(["new"])
    await until(lambda: again.texts[-1] == "new")
    assert again.texts == [*map(str, range(3, 700)), "new"]


async def test_a_reader_that_comes_back_again_and_again_loses_and_repeats_nothing(api: Replica) -> None:
    writing = asyncio.create_task(_write(api, 0, 300))
    seen: list[str] = []
    after = "0-0"
    while len(seen) < 300:
        ann = await api.follow(after=after)
        got = len(seen)
        await until(lambda ann=ann, got=got: len(ann.rows) >= min(20, 300 - got))
        await ann.close()
        seen += ann.texts
        after = ann.ids[-1]
    await writing
    assert seen == [str(number) for number in range(300)]


async def test_only_what_is_asked_for_comes(api: Replica) -> None:
    at = now()
    await api.send(["old error"], level="error", at=at - 10_000)
    await api.send(["error"], level="error", at=at)
    ann = await api.follow(level="warn", grep="ERR", since=at - 1000)
    await api.followed()
    await api.send(["error of no matter"], level="info")
    await api.send(["warning"], level="warn")
    await api.send(["second error"], level="error")
    await until(lambda: len(ann.rows) >= 2)
    assert ann.texts == ["error", "second error"]


async def test_guilds_that_are_followed_at_once_are_kept_apart(api: Replica) -> None:
    api.guard.let("ann", OTHER)
    ann, ben = await api.follow(), await api.follow(OTHER)
    await api.followed()
    await api.followed(guild=OTHER)
    for number in range(10):
        await api.send([f"a{number}"])
        await api.send([f"b{number}"], guild=OTHER)
    await until(lambda: len(ann.rows) == len(ben.rows) == 10)
    assert ann.texts == [f"a{number}" for number in range(10)]
    assert ben.texts == [f"b{number}" for number in range(10)]


async def test_lines_that_came_through_another_replica_come_too(api: Replica, redis: RedisServer) -> None:
    async with replica(redis) as elsewhere:
        ann = await api.follow()
        await api.followed()
        await elsewhere.send(["from elsewhere"])
        await until(lambda: ann.texts == ["from elsewhere"])


async def test_when_the_last_one_leaves_redis_is_no_longer_asked(api: Replica) -> None:
    ann, ben = await api.follow(), await api.follow()
    await api.followed(2)
    await ann.close()
    await api.send(["still followed"])
    await until(lambda: ben.texts == ["still followed"])
    await ben.close()
    await api.send(["so that the server notices"])
    await until(lambda: not api.service.followers._rooms)
    await until(lambda: not api.service.followers._wanted.is_set())
    late = await api.follow()
    await api.followed()
    await api.send(["and again"])
    await until(lambda: late.texts == ["and again"])


async def test_a_reader_that_does_not_read_is_told_what_it_missed(
    api: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followers, "ROOM_LINES", 50)
    quick = await api.follow()
    slow = await api.session.get(f"{api.url}/api/logs/{GUILD}/stream", headers=api.headers)
    await api.followed(2)
    sent = 0
    missed = followers._missed._value.get
    before = missed()
    while missed() == before:  # the sockets' buffers are full first
        await api.send([f"{sent + n}:{'x' * 8000}" for n in range(40)])
        sent += 40
        assert sent < 20_000
    await until(lambda: quick.rows)
    text = b""
    async with asyncio.timeout(30):
        while b"event: missed" not in text:
            text += await slow.content.readany()
    slow.close()


async def test_while_nothing_is_logged_the_stream_lives(
    api: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "BEAT_SECONDS", 0.05)
    ann = await api.follow()
    await until(lambda: ann.beats >= 3)
    await api.send(["line"])
    await until(lambda: ann.texts == ["line"])


async def test_redis_may_go_and_come_back(api: Replica, redis: RedisServer) -> None:
    ann = await api.follow()
    await api.followed()
    await api.send(["before"])
    await until(lambda: ann.texts == ["before"])
    redis.kill()
    await until(lambda: api.service.followers._away)
    redis.start()
    await api.send(["after"])
    await until(lambda: ann.texts == ["before", "after"])


async def test_streams_end_when_the_process_stops(api: Replica) -> None:
    ann = await api.follow()
    await api.followed()
    api.service.stop()
    await until(lambda: ann.ended)


async def test_a_stream_ends_after_its_time_and_is_asked_for_anew(
    api: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sse.events.__kwdefaults__, "seconds", 0.3)
    ann = await api.follow()
    await until(lambda: ann.ended)
    await until(lambda: not api.service.followers._rooms)


async def test_only_so_many_may_follow(api: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "FOLLOWERS_A_GUILD", 2)
    for _ in range(2):
        await api.follow()
    await api.followed(2)
    async with api.session.get(f"{api.url}/api/logs/{GUILD}/stream", headers=api.headers) as answer:
        assert answer.status == 429
        assert (await answer.json())["code"] == "TOO_MANY_FOLLOWERS"


@pytest.mark.parametrize("query", [{"backfill": -1}, {"backfill": 1001}, {"level": "loud"}, {"since": "x"}])
async def test_a_stream_that_cannot_be_is_refused(api: Replica, query: dict[str, str]) -> None:
    url = f"{api.url}/api/logs/{GUILD}/stream"
    async with api.session.get(url, params=query, headers=api.headers) as answer:
        assert answer.status == 400


async def test_a_last_event_id_that_is_none_is_refused(api: Replica) -> None:
    headers = {**api.headers, "Last-Event-ID": "yesterday"}
    async with api.session.get(f"{api.url}/api/logs/{GUILD}/stream", headers=headers) as answer:
        assert answer.status == 400
        assert "Last-Event-ID" in (await answer.json())["message"]


async def test_two_hundred_followers_of_a_guild_get_every_line(api: Replica) -> None:
    everybody = [await api.follow() for _ in range(200)]
    await api.followed(200)
    for begin in range(0, 500, 50):
        await api.send(map(str, range(begin, begin + 50)))
    await until(lambda: all(len(one.rows) == 500 for one in everybody), seconds=60)
    expected = [str(number) for number in range(500)]
    assert all(one.texts == expected and not one.missed for one in everybody)
