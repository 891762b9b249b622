"""Logs that pods sent, as people read them."""

from __future__ import annotations

import asyncio
import io
import time
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from flora_api.logs.service import open_logs
from flora_api.logs.store import Keep
from flora_api.principal import Right
from flora_core.errors import InvalidSettings
from flora_core.wire.control import Beat, LogLine, Outcome, logs
from tests.integration.api.logs.conftest import GUILD, OTHER, POD, Replica, now, replica
from tests.integration.redis_server import RedisServer


async def test_a_line_is_shown_with_all_that_is_known_of_it(api: Replica) -> None:
    line = LogLine(
        GUILD, 1234, "error", "no", "runtime", Outcome.EXCEPTION, "at src/main.ts:1:2", "messageCreate", 7
    )
    before = now()
    assert await api.post(logs.encode(line) + logs.encode(LogLine(GUILD, 1235, "info", "hi"))) == 200
    status, rows = await api.get()
    assert status == 200
    ids = [row.pop("id") for row in rows]
    assert rows == [
        {
            "timestamp": 1234,
            "level": "error",
            "target": "runtime",
            "guild_id": GUILD,
            "message": "no",
            "outcome": "exception",
            "stack": "at src/main.ts:1:2",
            "event": "messageCreate",
            "revision": 7,
        },
        {"timestamp": 1235, "level": "info", "target": "script", "guild_id": GUILD, "message": "hi"},
    ]
    assert ids == sorted(ids)
    assert before - 1000 <= int(ids[0].partition("-")[0]) <= now() + 1000


async def test_the_newest_come_oldest_first_and_only_so_many(api: Replica) -> None:
    await api.send(map(str, range(250)))
    assert await api.texts() == [str(number) for number in range(150, 250)]
    assert await api.texts(limit=3) == ["247", "248", "249"]
    assert len(await api.texts(limit=1000)) == 250


async def test_a_guild_without_lines_has_none(api: Replica) -> None:
    await api.send(["mine"])
    api.guard.let("ann", OTHER)
    assert await api.texts(OTHER) == []


async def test_a_reader_pages_on_behind_the_last_line_it_has(api: Replica) -> None:
    await api.send(map(str, range(1200)))
    _, rows = await api.get(limit=1000, after="0-0")
    seen = [row["message"] for row in rows]
    while rows:
        _, rows = await api.get(limit=100, after=rows[-1]["id"])
        seen += [row["message"] for row in rows]
    assert seen == [str(number) for number in range(1200)]


async def test_lines_are_found_by_level_text_and_time(api: Replica) -> None:
    at = now()
    for number, level in enumerate(["debug", "info", "warn", "error"]):
        await api.send([f"Line {level}"], level=level, at=at + number)
    assert await api.texts(level="warn") == ["Line warn", "Line error"]
    assert await api.texts(grep="LINE IN") == ["Line info"]
    assert await api.texts(since=at + 2) == ["Line warn", "Line error"]
    assert await api.texts(until=at + 1) == ["Line debug", "Line info"]
    assert await api.texts(since=at + 1, until=at + 2, level="warn") == ["Line warn"]
    assert await api.texts(after="0-0", level="warn", limit=1) == ["Line warn"]
    assert await api.texts(grep="nothing") == []


async def test_what_matches_rarely_is_found_far_back(api: Replica) -> None:
    await api.send(["needle"])
    for _ in range(3):
        await api.send(["hay"] * 500)
    assert await api.texts(grep="needle") == ["needle"]


async def test_lines_that_were_held_back_are_found_by_when_they_were_logged(api: Replica) -> None:
    at = now() - 10 * 60_000
    await api.send(["late"], at=at)
    await api.send(["now"])
    assert await api.texts(until=at + 1000) == ["late"]
    assert await api.texts(since=at + 1000) == ["now"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 1001},
        {"limit": "many"},
        {"level": "loud"},
        {"grep": "x" * 201},
        {"since": -1},
        {"until": "now"},
        {"after": "yesterday"},
        {"after": "$"},
    ],
)
async def test_a_question_that_is_none_is_refused(api: Replica, query: dict[str, str]) -> None:
    status, body = await api.get(**query)
    assert status == 400
    assert next(iter(query)) in body["message"]


async def test_who_may_not_read_the_guild_reads_no_logs(api: Replica) -> None:
    api.guard.let("ann", GUILD, Right.DEPLOY, Right.KV)
    assert (await api.get())[0] == 403
    async with api.session.get(f"{api.url}/api/logs/{GUILD}/stream", headers=api.headers) as answer:
        assert answer.status == 403
    async with api.session.get(f"{api.url}/api/logs/{GUILD}") as answer:
        assert answer.status == 401


# ---------------------------------------------------------------- what is kept


async def test_only_so_many_lines_of_each_guild_are_kept(redis: RedisServer) -> None:
    async with replica(redis, Keep(lines=500)) as api:
        api.guard.let("ann", OTHER)
        await api.send(["other"], guild=OTHER)
        for _ in range(5):
            await api.send(map(str, range(500)))
        kept = await api.texts(limit=1000)
        assert 500 <= len(kept) <= 620, "in steps of Redis's"
        assert kept[-1] == "499"
        assert await api.texts(OTHER) == ["other"]


async def test_lines_go_with_their_age(redis: RedisServer) -> None:
    async with replica(redis, Keep(days=1 / 86_400)) as api:
        await api.send(["old"])
        began = time.monotonic()
        while await api.texts():
            assert time.monotonic() - began < 30
        assert not await api.texts(limit=1)


async def test_the_api_notes_lines_of_its_own(api: Replica) -> None:
    for text in ("deployed", "rolled back"):
        api.service.note(LogLine(GUILD, 0, "info", text, "runtime", revision=4))
    rows: list[Any] = []
    async with asyncio.timeout(30):
        while len(rows) < 2:
            _, rows = await api.get()
    assert [(row["message"], row["target"], row["revision"]) for row in rows] == [
        ("deployed", "runtime", 4),
        ("rolled back", "runtime", 4),
    ]
    assert abs(rows[0]["timestamp"] - now()) < 60_000


# ---------------------------------------------------------------- the pods' way in


async def test_a_batch_that_comes_again_is_kept_once(api: Replica, redis: RedisServer) -> None:
    async with replica(redis) as elsewhere:
        elsewhere.process = api.process
        for through in (api, elsewhere, api):
            assert await through.send(["once"], batch=5) == 200
        await elsewhere.send(["next"], batch=6)
        assert await api.texts() == ["once", "next"]
    api.process = "another"
    await api.send(["of the next process"], batch=6)
    assert (await api.texts())[-1] == "of the next process"


async def test_what_cannot_be_read_is_left_out_of_a_batch(api: Replica) -> None:
    good = logs.encode(LogLine(GUILD, 1, "info", "good"))
    bad = [b"nonsense\n", b'{"k":"log","guild":5}\n', logs.encode(LogLine("../1", 1, "info", "x")), b"\n"]
    assert await api.post(b"".join([*bad, good, logs.encode(Beat(0)), b'{"k":"later"}\n', good])) == 200
    assert await api.texts() == ["good", "good"]


async def test_a_batch_that_breaks_off_is_not_kept_in_part(api: Replica) -> None:
    line = logs.encode(LogLine(GUILD, 1, "info", "line"))

    async def half() -> object:
        yield line * 10
        raise ConnectionResetError

    with pytest.raises((aiohttp.ClientError, ConnectionResetError)):
        await api.post(half())
    assert await api.post(line * 20) == 200
    assert len(await api.texts()) == 20


async def test_a_batch_that_is_too_large_is_refused(api: Replica) -> None:
    assert await api.post(io.BytesIO(b"x" * (9 << 20))) == 413


@pytest.mark.parametrize("query", [{"process": ""}, {"batch": ""}, {"process": "a b"}, {"batch": "x" * 33}])
async def test_a_batch_without_a_number_is_refused(api: Replica, query: dict[str, str]) -> None:
    assert await api.post(b"", **query) == 400


@pytest.mark.parametrize(
    ("token", "pod", "status"),
    [
        ("other", POD, 403),
        ("gateway", POD, 403),
        ("nobody", POD, 401),
        ("", POD, 401),
        ("pod", "No_Pod", 400),
    ],
)
async def test_nobody_else_writes_a_pods_lines(api: Replica, token: str, pod: str, status: int) -> None:
    assert await api.post(b"", token=token, pod=pod) == status


async def test_while_redis_is_away_pods_and_people_are_told_to_come_again(
    api: Replica, redis: RedisServer
) -> None:
    await api.send(["before"])
    redis.kill()
    assert await api.send(["lost?"], batch=77) == 503
    status, body = await api.get()
    assert (status, body["code"]) == (503, "LOGS_UNAVAILABLE")
    assert api.service.trouble() == "logs: Redis does not answer"
    async with api.session.get(f"{api.url}/api/logs/{GUILD}/stream", headers=api.headers) as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"]
    redis.start()
    assert await api.send(["not lost"], batch=77) == 200
    assert await api.texts() == ["not lost"]
    assert api.service.trouble() is None


@pytest.mark.parametrize("url", ["", "nowhere", "http://redis"])
async def test_what_is_no_address_of_a_redis_is_said_without_repeating_it(url: str) -> None:
    with pytest.raises(InvalidSettings, match="API_REDIS_URL"):
        async with open_logs(SecretStr(url), Keep()):
            pass
